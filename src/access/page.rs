//! CSRF and DNS-rebinding protection: the name a web page calls a listener by (`Host`), the origin
//! it is of, and what a browser's request is known by where it does not say that.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::header::{ACCEPT_LANGUAGE, HOST, REFERER, UPGRADE_INSECURE_REQUESTS, USER_AGENT};
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
    pub(super) fn read(origin: &'a HeaderValue) -> Option<Self> {
        Self::parse(origin.to_str().ok()?)
    }

    /// The origin of the page that a `Referer` names (RFC 9110, section 10.1.3).
    fn of_page(referer: &'a HeaderValue) -> Option<Self> {
        let url = referer.to_str().ok()?;
        let authority = url.find("://")? + "://".len();
        let end = url[authority..].find(['/', '?', '#']).map_or(url.len(), |end| authority + end);
        Self::parse(&url[..end])
    }

    fn parse(origin: &'a str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        let https = match scheme {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let (name, port) = host_and_port(authority).ok()?;
        Some(Self::new(https, name, port))
    }
}

/// The mark of a browser that a request bears, of those that scripts do not borrow: they write a
/// browser's `User-Agent` alone, and Node's fetch an `Accept-Language` alone.
///
/// A `Referer` of the called host is no mark, and takes none away: it says which page asked, not where
/// that was sent on from, and a redirect keeps it.
pub(super) fn mark(headers: &HeaderMap, called: Option<&Called<'_>>) -> Option<&'static str> {
    let own = |referer| called.is_some() && Called::of_page(referer).as_ref() == called;
    if !headers.get_all(REFERER).iter().all(|referer| referer.is_empty() || own(referer)) {
        return Some("the Referer is not of the host that is called");
    }
    if headers.contains_key(UPGRADE_INSECURE_REQUESTS) {
        return Some("it has Upgrade-Insecure-Requests");
    }
    let browser = |agent: &HeaderValue| {
        let agent = agent.as_bytes();
        agent.starts_with(b"Mozilla/") || agent.starts_with(b"Opera/")
    };
    if headers.contains_key(ACCEPT_LANGUAGE) && headers.get_all(USER_AGENT).iter().any(browser) {
        return Some("it has a browser's User-Agent together with Accept-Language");
    }
    None
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
            let value = HeaderValue::from_static(origin);
            let read = Called::read(&value);
            assert_eq!(read.as_ref() == Some(&called), own, "{origin} to {called:?}");
        }
    }
    #[test]
    fn a_referer_is_of_the_called_host_by_its_whole_origin() {
        let called = Called::new(false, "api.example.com", None);
        for (referer, foreign) in [
            ("http://api.example.com", false),
            ("http://API.example.com:80/page?x=http://evil.example", false),
            ("http://api.example.com#http://evil.example/", false),
            ("", false),
            ("https://api.example.com/", true),
            ("http://api.example.com:8080/", true),
            ("http://api.example.com.evil.example/", true),
            ("http://evil.example/http://api.example.com/", true),
            ("http://evil.example?http://api.example.com", true),
            ("http://api.example.com@evil.example/", true),
            ("/page", true),
            ("about:blank", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(REFERER, HeaderValue::from_static(referer));
            assert_eq!(mark(&headers, Some(&called)).is_some(), foreign, "{referer:?}");
            headers.append(REFERER, HeaderValue::from_static("http://evil.example/"));
            assert!(mark(&headers, Some(&called)).is_some(), "{referer:?}");
        }
    }
}
