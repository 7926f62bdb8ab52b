//! Intercepted requests, inside a CONNECT: they must all be for the host it was opened to.

use http::header::HOST;
use http::{HeaderMap, Method, Uri};

use super::Destination;
use crate::access::Credentials;
use crate::host::{host_and_port, same_host};
use crate::refusal::{Code, Refusal};

/// What a CONNECT was for, and who sent it.
#[derive(Clone, Debug)]
pub struct Inside {
    /// The host, lower-case, without brackets.
    pub name: String,
    /// The port.
    pub port: u16,
    /// What its client showed who it is by. Asked for again with every request: a token that was
    /// taken back opens nothing more, inside either.
    pub shown: Credentials,
    /// Whether what is inside is TLS.
    pub https: bool,
}

impl Inside {
    /// Host and port, for people.
    pub fn place(&self) -> String {
        format!("{}:{}", self.name, self.port)
    }

    /// Where its requests want to go.
    pub(super) fn destination(&self) -> Destination {
        let (name, port, https) = (self.name.clone(), Some(self.port), self.https);
        Destination::Host { name, port, https }
    }

    /// Whether everything in a request that names a host names this one: the route was chosen by
    /// that name, and the certificate shown for it.
    ///
    /// # Errors
    ///
    /// `bad_target`, `wrong_authority`.
    pub(super) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if *method == Method::CONNECT {
            let refusal = Refusal::new(Code::BadTarget, "a CONNECT inside a CONNECT");
            return Err(refusal.remedy("Send requests for the host inside its own CONNECT."));
        }
        let target = uri.authority().map(|authority| Ok(authority.as_str()));
        let hosts = headers.get_all(HOST).iter();
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
    use http::HeaderValue;

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
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, HeaderValue::from_static(host));
            }
            let uri = target.parse().expect("a target");
            let checked = inside.check(&Method::GET, &uri, &headers);
            assert_eq!(checked.is_ok(), right, "{target} {hosts:?}");
        }
    }
}
