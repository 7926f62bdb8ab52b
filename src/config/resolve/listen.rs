//! Listeners, and who may use them.

use std::net::{IpAddr, SocketAddr};

use super::Resolver;
use crate::config::{Access, Endpoint, Listen, Location};
use crate::document::Written;

impl Resolver<'_> {
    pub(super) fn listen(&self) -> Listen {
        let written = &self.file.listen;
        if written.forward.is_absent() && written.gateway.is_absent() {
            let what = "[listen] has neither forward nor gateway, so no request could arrive";
            self.report.add(written.at, what, "write forward = \"127.0.0.1:8080\" below [listen]");
        }
        let mut listeners = Vec::new();
        if let Some(Written { value, at }) = written.forward.get() {
            listeners.push(("forward", Endpoint::Tcp(*value), *at));
        }
        for (name, field) in [("gateway", &written.gateway), ("admin", &written.admin)] {
            if let Some(Written { value, at }) = field.get() {
                listeners.push((name, value.clone(), *at));
            }
        }
        listeners.sort_by_key(|(_, _, at)| *at);
        self.check_addresses(&listeners);
        self.check_exposure(&listeners);
        Listen {
            forward: written.forward.value().copied(),
            gateway: written.gateway.value().cloned(),
            admin: written.admin.value().cloned(),
            user: written.user,
        }
    }

    fn check_addresses(&self, listeners: &[(&str, Endpoint, Location)]) {
        for (index, (name, endpoint, at)) in listeners.iter().enumerate() {
            let mut before = listeners[..index].iter();
            if let Some((first, taken, _)) = before.find(|(_, other, _)| clash(endpoint, other)) {
                let what = format!(
                    "listen.{name} is {endpoint}, and listen.{first} has taken {taken} already"
                );
                self.report.add(*at, what, "give each listener a port or a path of its own");
            }
        }
    }

    fn check_exposure(&self, listeners: &[(&str, Endpoint, Location)]) {
        if !self.file.access.tokens.is_absent() {
            return;
        }
        for (name, endpoint, at) in listeners {
            let Endpoint::Tcp(address) = endpoint else {
                continue;
            };
            if address.ip().to_canonical().is_loopback() {
                continue;
            }
            let what = format!(
                "listen.{name} is {address}, where other machines could have requests signed \
                 without a token"
            );
            let fix = format!(
                "write tokens = \"client_tokens\" below [access], or {name} = \"127.0.0.1:{}\"",
                address.port()
            );
            self.report.add(*at, what, fix);
        }
    }

    pub(super) fn access(&self) -> Access {
        let written = &self.file.access;
        for (place, tokens) in
            [("access.tokens", &written.tokens), ("access.metrics_tokens", &written.metrics_tokens)]
        {
            if let Some(tokens) = tokens.get() {
                self.check_reference(place, tokens, "secrets", &self.file.secrets);
            }
        }
        if let Some(Written { value, at }) = written.from.get()
            && value.is_empty()
        {
            let what = "access.from is empty, so that nobody could connect";
            self.report.add(*at, what, "remove it: this machine alone may connect then");
        }
        if let (Some(Written { at, .. }), false) = (written.users.get(), written.tokens.is_absent())
        {
            let what =
                "access.users is for clients without a token, and access.tokens asks all for one";
            self.report.add(*at, what, "remove one of the two");
        }
        let users = written.users.holds().into_iter().flatten();
        let from = written.from.holds().into_iter().flatten();
        Access {
            tokens: written.tokens.value().cloned(),
            metrics_tokens: written.metrics_tokens.value().cloned(),
            users: users.map(|user| user.value).collect(),
            from: from.map(|network| network.value).collect(),
            origins: written.origins.clone(),
            hosts: written.hosts.clone(),
            unrouted: written.unrouted,
            pass_private: written.pass_private.clone(),
        }
    }
}

/// Whether the system would refuse the second of two listeners.
fn clash(one: &Endpoint, other: &Endpoint) -> bool {
    match (one, other) {
        (Endpoint::Tcp(one), Endpoint::Tcp(other)) => sockets_clash(one, other),
        (Endpoint::Unix(one), Endpoint::Unix(other)) => one == other,
        (Endpoint::Tcp(_), Endpoint::Unix(_)) | (Endpoint::Unix(_), Endpoint::Tcp(_)) => false,
    }
}

fn sockets_clash(one: &SocketAddr, other: &SocketAddr) -> bool {
    // An unspecified address takes the port of every address of its kind; IPv6's takes those of
    // IPv4 as well, unless the system is told otherwise.
    let takes = |wide: IpAddr, narrow: IpAddr| {
        wide == narrow || wide.is_unspecified() && (wide.is_ipv6() || narrow.is_ipv4())
    };
    // The system picks a free port for 0.
    one.port() == other.port()
        && one.port() != 0
        && (takes(one.ip(), other.ip()) || takes(other.ip(), one.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_clash_when_one_takes_the_others_port() {
        let cases = [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("[::]:80", "127.0.0.1:80", true),
            ("unix:/a", "unix:/a", true),
            ("unix:/a", "unix:/b", false),
            ("unix:/a", "127.0.0.1:80", false),
        ];
        for (one, other, expected) in cases {
            let read = |text| Endpoint::parse(text).expect(text);
            assert_eq!(clash(&read(one), &read(other)), expected, "{one} and {other}");
            assert_eq!(clash(&read(other), &read(one)), expected, "{other} and {one}");
        }
    }
}
