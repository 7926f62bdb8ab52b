//! Where a route's requests are sent, and the origins of browsers' pages.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use http::HeaderValue;

use super::endpoint::unix;
use super::host::{host_name, split};
use crate::document::{ValueFault, quoted};

/// Where an upstream is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum UpstreamAddress {
    /// `https://host[:port][/base]`, or `http://`.
    Url(UpstreamUrl),
    /// A Unix socket, `unix:/path`, where plain HTTP is spoken.
    Unix(PathBuf),
}

impl UpstreamAddress {
    /// Reads an address.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        match text.strip_prefix("unix:") {
            Some(path) => unix(path).map(Self::Unix),
            None => UpstreamUrl::parse(text).map(Self::Url),
        }
    }

    /// The URL, if it is one.
    pub fn url(&self) -> Option<&UpstreamUrl> {
        match self {
            Self::Url(url) => Some(url),
            Self::Unix(_) => None,
        }
    }
}

/// The URL of an upstream: `https://host[:port][/base]`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct UpstreamUrl {
    /// Whether TLS is spoken.
    pub https: bool,
    /// A name or an address, lower-case; IPv6 without brackets.
    pub host: String,
    /// The port; the scheme's own where none is written.
    pub port: u16,
    /// What is put before the path of every request, raw; starts with `/`, does not end with
    /// one, empty when there is nothing to put.
    pub base_path: String,
}

impl UpstreamUrl {
    /// Reads a URL.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let (https, rest) = scheme_and_rest(text)?;
        if rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@')) {
            let note = "without user and password; a secret goes into [secrets]";
            return Err(ValueFault::new("carries a user or a password", note));
        }
        if rest.contains(['?', '#']) {
            // What follows is not shown: a query is where people put API keys.
            return Err(ValueFault::new("has a query or a fragment", "without ? and #"));
        }
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            let note = "with everything but visible ASCII written as %XX";
            return Err(ValueFault::new("has a path that is not visible ASCII", note));
        }
        let scheme = if https { "https" } else { "http" };
        let (host, port) = host_and_port(scheme, authority)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            https,
            host: bare.to_owned(),
            port: port.unwrap_or_else(|| default_port(https)),
            base_path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// What is sent as `Host` to this upstream: the host, IPv6 in brackets, and the port where
    /// it is not the scheme's own.
    pub fn authority(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let host = format!("{open}{}{close}", self.host);
        if self.port == default_port(self.https) {
            return host;
        }
        format!("{host}:{}", self.port)
    }

    /// Whether what is sent there stays on this machine: 127.0.0.0/8, `::1` or `localhost`.
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.base_path)
    }
}

fn scheme_and_rest(text: &str) -> Result<(bool, &str), ValueFault> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let what = format!("is {}, which is not a URL", quoted(text));
        return Err(ValueFault::new(what, "with https:// or http:// before the host"));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Ok((true, rest)),
        "http" => Ok((false, rest)),
        _ => {
            Err(ValueFault::new(format!("has the scheme {}", quoted(scheme)), "with https or http"))
        }
    }
}

/// Reads what stands between a scheme and a path. What was meant is a URL again.
pub(super) fn host_and_port(
    scheme: &str,
    authority: &str,
) -> Result<(String, Option<u16>), ValueFault> {
    let read = || {
        let (host, port) = split(authority)?;
        Ok((host_name(host)?, port))
    };
    read().map_err(|fault: ValueFault| {
        let value = fault.value.map(|host| format!("{scheme}://{host}"));
        ValueFault { value, ..fault }
    })
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// Reads an origin, `scheme://host[:port]`, and writes it as browsers send it: lower-case,
/// without the scheme's own port.
pub(in crate::config) fn origin(text: &str) -> Result<HeaderValue, ValueFault> {
    if text == "*" {
        let what = "is \"*\", which would let every page on the web have its requests signed";
        return Err(ValueFault::new(what, "naming each origin"));
    }
    let text = text.to_ascii_lowercase();
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(ValueFault::new(format!("is {}, which is not an origin", quoted(&text)), ""));
    };
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(known) {
        return Err(ValueFault::new(format!("has the scheme {}", quoted(scheme)), ""));
    }
    if let Some(end) = rest.find(['/', '?', '#']).filter(|end| !rest[..*end].contains('@')) {
        let value = format!("{scheme}://{}", &rest[..end]);
        return Err(ValueFault::meant("has a path, and an origin has none", value, ""));
    }
    let (host, port) = host_and_port(scheme, rest)?;
    let own = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let port = port.filter(|port| Some(*port) != own).map(|port| format!(":{port}"));
    let origin = format!("{scheme}://{host}{}", port.unwrap_or_default());
    Ok(HeaderValue::try_from(origin).expect("scheme, host and port are visible ASCII"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let cases = [
            ("https://api.example.com", true, "api.example.com", 443, "", "api.example.com"),
            ("HTTPS://API.example.com/", true, "api.example.com", 443, "", "api.example.com"),
            ("https://a.b:8443/v1/", true, "a.b", 8443, "/v1", "a.b:8443"),
            ("http://127.0.0.1:11020", false, "127.0.0.1", 11020, "", "127.0.0.1:11020"),
            ("http://[::1]:80/x%20y", false, "::1", 80, "/x%20y", "[::1]"),
            ("https://a.b:80", true, "a.b", 80, "", "a.b:80"),
        ];
        for (text, https, host, port, base_path, authority) in cases {
            let url = UpstreamUrl::parse(text).expect(text);
            assert_eq!(url.authority(), authority, "{text}");
            let again = UpstreamUrl::parse(&url.to_string());
            assert_eq!(again.as_ref(), Ok(&url), "{text}");
            let (host, base_path) = (host.into(), base_path.into());
            assert_eq!(url, UpstreamUrl { https, host, port, base_path });
        }
        let url = UpstreamUrl::parse("https://[2001:db8::1]:8443/base/").expect("a URL");
        assert_eq!(url.to_string(), "https://[2001:db8::1]:8443/base");
    }

    #[test]
    fn an_upstream_is_at_a_url_or_a_socket() {
        let socket = UpstreamAddress::parse("unix:/run/a.sock").expect("a socket");
        assert_eq!(socket, UpstreamAddress::Unix("/run/a.sock".into()));
        let fault = UpstreamAddress::parse("unix:a.sock").expect_err("a relative path");
        assert_eq!(fault.what, "is a Unix socket without an absolute path");
        let url = UpstreamAddress::parse("http://[::1]:80").expect("a URL");
        assert_eq!(url.url().map(ToString::to_string).as_deref(), Some("http://[::1]"));
    }

    #[test]
    fn loopback_is_this_machine() {
        let cases = [
            ("http://localhost:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
            ("http://[::]", false),
        ];
        for (text, expected) in cases {
            assert_eq!(UpstreamUrl::parse(text).expect(text).is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn a_bad_url_says_why_and_shows_no_secret() {
        let cases = [
            ("api.example.com", "is \"api.example.com\", which is not a URL"),
            ("ftp://example.com", "has the scheme \"ftp\""),
            ("unix:///run/x.sock", "has the scheme \"unix\""),
            ("https://", "is empty"),
            ("https://me:secret@example.com", "carries a user or a password"),
            ("https://example.com?key=secret", "has a query or a fragment"),
            ("https://example.com/a#secret", "has a query or a fragment"),
            ("https://example.com/a b", "has a path that is not visible ASCII"),
            ("https://example.com/ü", "has a path that is not visible ASCII"),
            ("https://example.com:0", "has the port \"0\""),
            ("https://*.example.com", "has the label \"*\", which no host can have"),
        ];
        for (text, what) in cases {
            let fault = UpstreamUrl::parse(text).expect_err(text);
            assert_eq!(fault.what, what, "{text}");
            assert!(!format!("{fault:?}").contains("secret\""), "{text}");
        }
    }

    #[test]
    fn what_was_meant_is_a_url_again() {
        let cases = [
            ("https://api.x.com./v1", "https://api.x.com"),
            ("http://api.x.com:port", "http://api.x.com"),
            ("https://::1", "https://[::1]"),
        ];
        for (text, meant) in cases {
            let fault = UpstreamUrl::parse(text).expect_err(text);
            assert_eq!(fault.value.as_deref(), Some(meant), "{text}");
        }
    }

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        let cases = [
            ("https://Wallet.Example.com", Some("https://wallet.example.com")),
            ("https://wallet.example.com:443", Some("https://wallet.example.com")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("http://[::1]:3000", Some("http://[::1]:3000")),
            ("chrome-extension://abcdef", Some("chrome-extension://abcdef")),
            ("https://wallet.example.com/", None),
            ("https://me@wallet.example.com", None),
            ("wallet.example.com", None),
            ("null", None),
            ("*", None),
            ("://a", None),
        ];
        for (text, expected) in cases {
            let origin = origin(text).ok();
            assert_eq!(origin, expected.map(HeaderValue::from_static), "{text}");
        }
    }
}
