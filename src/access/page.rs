//! CSRF and DNS-rebinding protection: the name a web page calls a listener by (`Host`), and the
//! origin it is of.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::header::HOST;
use http::{HeaderMap, HeaderValue};

use crate::host::host_and_port;

/// What clients may write in `Host` to a listener.
#[derive(Clone, Debug)]
pub struct OwnNames(IpAddr);

impl OwnNames {
    /// The names of a listener at this address.
    pub fn of(address: SocketAddr) -> Self {
        Self(address.ip())
    }

    /// Whether `host` can only be meant for the listener: `localhost`, a loopback address, its own
    /// address; for a listener on every address, any. Nobody can point one of these somewhere else,
    /// as a name. With any port: who comes through a forwarded one (a container's, ssh's) writes
    /// that.
    ///
    /// `0.0.0.0` leads to a listener on loopback too, but browsers do not say of requests to it
    /// which page made them (`Sec-Fetch-Site`), as they do for loopback.
    pub(super) fn include(&self, host: &str) -> bool {
        let Ok((name, _)) = host_and_port(host) else { return false };
        let own = |asked: IpAddr| asked == self.0 || asked.is_loopback() || self.0.is_unspecified();
        name == "localhost" || name.parse().is_ok_and(own)
    }
}

/// The origin that a request is addressed to (RFC 6454, section 4).
#[derive(Debug, Eq, PartialEq)]
pub struct Called<'a> {
    https: bool,
    name: Cow<'a, str>,
    port: u16,
}

impl<'a> Called<'a> {
    /// A host as [`host_and_port`] reads it; without a port, at the scheme's own.
    pub fn new(https: bool, name: impl Into<Cow<'a, str>>, port: Option<u16>) -> Self {
        Self { https, name: name.into(), port: port.unwrap_or(if https { 443 } else { 80 }) }
    }

    /// The origin that a request to a listener in plain HTTP is addressed to, by its `Host`.
    pub fn by(headers: &'a HeaderMap) -> Option<Self> {
        let (name, port) = host_and_port(headers.get(HOST)?.to_str().ok()?).ok()?;
        Some(Self::new(false, name, port))
    }

    /// Reads an `Origin`. Pages from files and sandboxes have none that could be a host's.
    pub(super) fn read(origin: &HeaderValue) -> Option<Self> {
        let (scheme, authority) = origin.to_str().ok()?.split_once("://")?;
        let https = match scheme {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let (name, port) = host_and_port(authority).ok()?;
        Some(Self::new(https, name, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_answers_to_its_own_addresses_and_to_no_name_but_localhost() {
        for (listener, host, own) in [
            ("127.0.0.1:8081", "127.0.0.1:8081", true),
            ("127.0.0.1:8081", "[::1]:8081", true),
            ("127.0.0.1:8081", "127.0.0.1:9000", true),
            ("127.0.0.1:8081", "localhost", true),
            ("127.0.0.1:8081", "LocalHost.:9000", true),
            ("127.0.0.1:8081", "10.0.0.1:8081", false),
            ("127.0.0.1:8081", "0.0.0.0:8081", false),
            ("127.0.0.1:8081", "[::]:8081", false),
            ("127.0.0.1:8081", "localhost.evil.example:8081", false),
            ("127.0.0.1:8081", "127.0.0.1.evil.example:8081", false),
            ("127.0.0.1:8081", "u@127.0.0.1:8081", false),
            ("127.0.0.1:8081", "127.1:8081", false),
            ("0.0.0.0:8089", "10.0.0.1:9000", true),
            ("0.0.0.0:8089", "localhost:8089", true),
            ("0.0.0.0:8089", "evil.example:8089", false),
            ("10.0.0.1:8081", "10.0.0.1:9000", true),
            ("10.0.0.1:8081", "127.0.0.1:9000", true),
            ("10.0.0.1:8081", "10.0.0.2:8081", false),
            ("[::1]:8081", "[::1]:9000", true),
        ] {
            let names = OwnNames::of(listener.parse().expect("an address"));
            assert_eq!(names.include(host), own, "{host} at {listener}");
        }
    }

    #[test]
    fn a_page_of_the_called_host_itself_is_of_no_other_origin() {
        let called = |https, port| Called::new(https, "api.example.com", port);
        for (called, origin, own) in [
            (called(true, None), "https://api.example.com", true),
            (called(true, Some(443)), "https://API.example.com", true),
            (called(true, None), "https://api.example.com:443", true),
            (called(false, None), "http://api.example.com:80", true),
            (called(false, Some(8080)), "http://api.example.com:8080", true),
            (called(true, None), "http://api.example.com", false),
            (called(true, None), "http://api.example.com:443", false),
            (called(true, None), "https://api.example.com:8443", false),
            (called(true, None), "https://www.api.example.com", false),
            (called(true, None), "https://api.example.com.evil.example", false),
            (called(true, None), "https://u@api.example.com", false),
            (called(true, None), "https://api.example.com/x", false),
            (called(true, None), "wss://api.example.com", false),
            (called(true, None), "null", false),
            (called(true, None), "file://", false),
            (called(true, None), "", false),
        ] {
            let read = Called::read(&HeaderValue::from_static(origin));
            assert_eq!(read.as_ref() == Some(&called), own, "{origin} to {called:?}");
        }
    }
}
