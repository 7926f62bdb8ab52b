//! What is inside a CONNECT: requests that must all be for the host it was opened to.

use http::uri::PathAndQuery;
use http::{Method, Request};
use hyper::body::Incoming;

use super::intake::intake;
use crate::access::Credentials;
use crate::destination::Destination;
use crate::host::{host_and_port, same_host};
use crate::pipeline::Intake;
use crate::refusal::{Code, Refusal};

/// What a CONNECT was for, and who sent it.
#[derive(Clone, Debug)]
pub(super) struct Inside {
    /// The host, lower-case, without brackets.
    pub(super) name: String,
    /// The port.
    pub(super) port: u16,
    /// What its client showed who it is by. Asked for again with every request: a token that was
    /// taken back opens nothing more, inside either.
    pub(super) shown: Credentials,
    /// Whether what is inside is TLS.
    pub(super) https: bool,
}

impl Inside {
    /// Host and port, for people.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.name, self.port)
    }

    /// Reads a request. Its target and its `Host` may name the CONNECT's host only: the route was
    /// chosen by that name, and the certificate shown for it.
    pub(super) fn read(&self, request: Request<Incoming>) -> Result<Intake, Refusal> {
        if request.method() == Method::CONNECT {
            let refusal = Refusal::new(Code::BadTarget, "a CONNECT inside a CONNECT");
            return Err(refusal.remedy("Send requests for the host inside its own CONNECT."));
        }
        self.check(&request)?;
        let target = request.uri().path_and_query().cloned();
        let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let (name, port, https) = (self.name.clone(), Some(self.port), self.https);
        intake(request, Destination::Host { name, port, https }, target)
    }

    /// Whether everything that names a host names this one.
    fn check<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let target = request.uri().authority().map(|authority| Ok(authority.as_str()));
        let hosts = request.headers().get_all(http::header::HOST).iter();
        let mut named = target.into_iter().chain(hosts.map(|host| host.to_str())).peekable();
        if named.peek().is_none() {
            return Err(Refusal::new(Code::BadTarget, "the request names no host"));
        }
        for host in named {
            let host = host.unwrap_or_default();
            if !self.is_named(host) {
                let host = host.escape_debug();
                let detail = format!("this connection is for {}, not \"{host}\"", self.place());
                return Err(Refusal::new(Code::WrongAuthority, detail)
                    .remedy("Open a connection of its own to each host."));
            }
        }
        Ok(())
    }

    /// Whether a name with or without a port is this host. The port of a CONNECT is often left
    /// out inside it.
    fn is_named(&self, host: &str) -> bool {
        let Ok((name, port)) = host_and_port(host) else { return false };
        same_host(&self.name, &name) && port.is_none_or(|port| port == self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_may_name_no_other_host() {
        let inside = |name: &str, port| Inside {
            name: name.into(),
            port,
            shown: Credentials::default(),
            https: true,
        };
        let api = inside("api.example.com", 443);
        let six = inside("::1", 8443);
        for (inside, target, hosts, right) in [
            (&api, "/x", &["api.example.com"][..], true),
            (&api, "/x", &["API.example.com."], true),
            (&api, "/x", &["api.example.com:443"], true),
            (&api, "https://api.example.com/x", &[], true),
            (&api, "https://api.example.com/x", &["api.example.com"], true),
            (&six, "/x", &["[::1]:8443"], true),
            (&six, "/x", &["[0:0:0:0:0:0:0:1]"], true),
            (&api, "/x", &[], false),
            (&api, "/x", &["api.example.com:8443"], false),
            (&api, "/x", &["other.example.com"], false),
            (&api, "/x", &["api.example.com", "other.example.com"], false),
            (&api, "https://other.example.com/x", &["api.example.com"], false),
            (&api, "https://api.example.com/x", &["other.example.com"], false),
            (&api, "/x", &["u@api.example.com"], false),
            (&api, "/x", &[""], false),
            (&six, "/x", &["[::2]"], false),
        ] {
            let mut request = Request::builder().uri(target);
            for host in hosts {
                request = request.header("host", *host);
            }
            let request = request.body(()).expect("a request");
            assert_eq!(inside.check(&request).is_ok(), right, "{target} {hosts:?}");
        }
    }
}
