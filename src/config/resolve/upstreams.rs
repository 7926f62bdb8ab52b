//! Where requests leave to, through what, whom they believe and who they are.

use std::collections::BTreeMap;

use super::Resolver;
use crate::config::file;
use crate::config::{
    Client, Location, ParentProxy, ProxyScheme, Upstream, UpstreamAddress, UpstreamUrl,
};
use crate::document::{Field, Written};

impl Resolver<'_> {
    pub(super) fn upstreams(&self) -> BTreeMap<String, Upstream> {
        let upstreams = self.file.upstreams.iter();
        upstreams
            .filter_map(|(name, written)| Some((name.clone(), self.upstream(written)?)))
            .collect()
    }

    fn upstream(&self, written: &file::Upstream) -> Option<Upstream> {
        // An unreadable url is reported, and what depends on it needs not be.
        if matches!(written.url, Field::Unreadable) {
            return None;
        }
        let at = written.url.get().map(|url| url.at);
        match (written.url.value(), at) {
            (Some(UpstreamAddress::Unix(_)), _) => self.check_socket(written),
            (Some(UpstreamAddress::Url(url)), Some(at)) if !url.https => {
                self.check_plaintext(url, at, written);
                self.refuse_tls(written, "url is plain http", ", or write https:// in url");
            }
            (url, _) => self.refuse_plaintext_on_tls(url.is_some(), &written.allow_plaintext),
        }
        self.check_socket_uid(written);
        self.check_credentials(written);
        self.check_via_ca(written);
        Some(Upstream {
            url: written.url.value().cloned(),
            socket_uid: written.socket_uid.value().copied(),
            via: written.via.value().cloned(),
            via_credentials: written.via_credentials.value().cloned(),
            via_ca: written.via_ca.value().map(|ca| self.directory.join(ca)),
            server_name: written.server_name.value().cloned(),
            ca: written.ca.value().map(|ca| self.directory.join(ca)),
            client: self.client(written),
            post_quantum: written.post_quantum.holds().copied().unwrap_or(true),
            idle_connections: written.idle_connections,
            max_age: written.max_age,
            at: written.at,
        })
    }

    /// Plain HTTP stays on this machine, or is allowed in so many words.
    fn check_plaintext(&self, url: &UpstreamUrl, at: Location, written: &file::Upstream) {
        let refused = written.allow_plaintext.holds() == Some(&false);
        // What goes through a proxy ends at the proxy's loopback, not at this machine's.
        let proxied = written.via.value().is_some_and(|via| !via.is_loopback());
        if refused && (proxied || !url.is_loopback()) {
            let what = "url is plain http to another machine: signed requests could be read there";
            let fix = "write https://, or allow_plaintext = true below it";
            self.report.add(at, what, fix);
        }
    }

    fn refuse_plaintext_on_tls(&self, has_url: bool, allowed: &Field<bool>) {
        if let Some(Written { value: true, at }) = allowed.get() {
            let what = if has_url {
                "allow_plaintext is true, and url is https"
            } else {
                "allow_plaintext is true, and without a url requests leave over https"
            };
            self.report.add(*at, what, "remove allow_plaintext, or write http:// in url");
        }
    }

    /// What is about TLS, where none is spoken.
    fn refuse_tls(&self, written: &file::Upstream, why: &str, or: &str) {
        let about = |key: &str, at: Option<Location>| {
            if let Some(at) = at {
                let what = format!("{key} is about TLS, and {why}");
                self.report.add(at, what, format!("remove {key}{or}"));
            }
        };
        about("ca", at(&written.ca));
        about("server_name", at(&written.server_name));
        about("client_cert", at(&written.client_cert));
        about("client_key", at(&written.client_key));
        about("post_quantum", at(&written.post_quantum));
    }

    /// What goes to a socket stays on this machine, and is plain HTTP.
    fn check_socket(&self, written: &file::Upstream) {
        self.refuse_tls(written, "url is a Unix socket", "");
        let of_the_network = [
            ("via", at(&written.via)),
            ("via_credentials", at(&written.via_credentials)),
            ("via_ca", at(&written.via_ca)),
            ("allow_plaintext", at(&written.allow_plaintext)),
        ];
        for (key, at) in of_the_network {
            if let Some(at) = at {
                let what = format!("{key} is about the network, and url is a Unix socket");
                self.report.add(at, what, format!("remove {key}"));
            }
        }
    }

    fn check_socket_uid(&self, written: &file::Upstream) {
        let is_socket = matches!(written.url.value(), Some(UpstreamAddress::Unix(_)));
        if let Some(at) = at(&written.socket_uid).filter(|_| !is_socket) {
            let what = "socket_uid is about a Unix socket, and url is none";
            self.report.add(at, what, "remove socket_uid, or write url = \"unix:/path\"");
        }
    }

    fn check_credentials(&self, written: &file::Upstream) {
        let Some(credentials) = written.via_credentials.get() else { return };
        self.check_reference("via_credentials", credentials, "secrets", &self.file.secrets);
        if written.via.is_absent() {
            let fix = "write via = \"http://proxy.internal:3128\", or remove via_credentials";
            self.report.add(
                credentials.at,
                "via_credentials is for a proxy, and there is no via",
                fix,
            );
        }
        if written.via.value() == Some(&ParentProxy::Environment) {
            let what =
                "via_credentials is for a proxy that via names, and the environment's has its own";
            let fix = "remove via_credentials, or write via = \"http://proxy.internal:3128\"";
            self.report.add(credentials.at, what, fix);
        }
    }

    fn check_via_ca(&self, written: &file::Upstream) {
        let Some(ca) = written.via_ca.get() else { return };
        let may_be_tls = match written.via.value() {
            Some(ParentProxy::Proxy(url)) => url.scheme == ProxyScheme::Https,
            Some(ParentProxy::Environment) => true,
            None => !written.via.is_absent(),
        };
        if !may_be_tls {
            let what = "via_ca is about a proxy's certificate, and via is not https";
            let fix = "remove via_ca, or write via = \"https://proxy.internal:3129\"";
            self.report.add(ca.at, what, fix);
        }
    }

    /// A certificate and a key, or neither.
    fn client(&self, written: &file::Upstream) -> Option<Client> {
        let (cert, key) = (&written.client_cert, &written.client_key);
        if let Some(key) = key.get() {
            self.check_reference("client_key", key, "secrets", &self.file.secrets);
        }
        match (cert.get(), key.get()) {
            (Some(cert), Some(key)) => {
                let cert = self.directory.join(&cert.value);
                Some(Client { cert, key: key.value.clone() })
            }
            (Some(cert), None) if key.is_absent() => {
                let fix = "write client_key = \"…\", a [secrets] entry with its private key in PEM";
                self.report.add(cert.at, "client_cert has no client_key", fix);
                None
            }
            (None, Some(key)) if cert.is_absent() => {
                let fix = "write client_cert = \"client.pem\", the file with its certificate";
                self.report.add(key.at, "client_key has no client_cert", fix);
                None
            }
            _ => None,
        }
    }
}

fn at<T>(field: &Field<T>) -> Option<Location> {
    field.get().map(|written| written.at)
}
