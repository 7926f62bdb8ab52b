//! The proxies that connections to an upstream go through.

use std::fmt;
use std::net::IpAddr;

use super::url::host_and_port;
use crate::document::{ValueFault, quoted};

/// The parent proxy that an upstream's `via` names.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum ParentProxy {
    /// This proxy.
    Proxy(ProxyUrl),
    /// `"environment"`: whichever the proxy's own environment names.
    Environment,
}

/// The URL of a proxy: `scheme://host[:port]`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ProxyUrl {
    /// How it is spoken to.
    pub scheme: ProxyScheme,
    /// A name or an address, lower-case; IPv6 without brackets.
    pub host: String,
    /// The port; the scheme's own where none is written.
    pub port: u16,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ProxyScheme {
    /// `http`: CONNECT.
    Http,
    /// `https`: CONNECT inside TLS.
    Https,
    /// `socks5`, or `socks5h`, which is the same: names are resolved by the proxy.
    Socks5,
}

impl ParentProxy {
    /// Reads `environment` or a URL.
    pub(in crate::config) fn parse(text: &str) -> Result<Self, ValueFault> {
        if text == "environment" {
            return Ok(Self::Environment);
        }
        ProxyUrl::parse(text).map(Self::Proxy)
    }

    /// Whether what goes there stays on this machine, as far as can be told.
    pub(in crate::config) fn is_loopback(&self) -> bool {
        let Self::Proxy(url) = self else { return false };
        let address = url.host.parse::<IpAddr>();
        url.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl ProxyUrl {
    /// Reads a URL. Credentials in it are refused, and not shown.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let Some((written, rest)) = text.split_once("://") else {
            let what = format!("is {}, which is not a URL", quoted(text));
            return Err(ValueFault::new(
                what,
                "with http://, https:// or socks5:// before the host; or \"environment\"",
            ));
        };
        let known = SCHEMES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(written));
        let Some((name, scheme, own)) = known else {
            let what = format!("has the scheme {}", quoted(written));
            return Err(ValueFault::new(what, "with http, https, socks5 or socks5h"));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            let note = "and its user and password as via_credentials";
            return Err(ValueFault::new("carries a user or a password", note));
        }
        let (host, port) = host_and_port(name, authority)?;
        if !matches!(path, "" | "/") {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let value = format!("{name}://{host}{port}");
            return Err(ValueFault::meant("has a path, and a proxy has none", value, ""));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { scheme: *scheme, host, port: port.unwrap_or(*own) })
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = SCHEMES.iter().find(|(_, scheme, _)| *scheme == self.scheme);
        let (name, ..) = known.expect("every scheme has a name");
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{name}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// Names, and the port where none is written.
const SCHEMES: &[(&str, ProxyScheme, u16)] = &[
    ("http", ProxyScheme::Http, 80),
    ("https", ProxyScheme::Https, 443),
    ("socks5", ProxyScheme::Socks5, 1080),
    ("socks5h", ProxyScheme::Socks5, 1080),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_have_a_scheme_and_no_path() {
        let good = [
            ("http://proxy.internal:3128/", "http://proxy.internal:3128"),
            ("HTTPS://Proxy.internal", "https://proxy.internal:443"),
            ("socks5h://[::1]", "socks5://[::1]:1080"),
            ("socks5://10.0.0.1:9050", "socks5://10.0.0.1:9050"),
        ];
        for (text, shown) in good {
            assert_eq!(ProxyUrl::parse(text).expect(text).to_string(), shown);
        }
        let bad = [
            ("http://proxy.internal/path", Some("http://proxy.internal")),
            ("https://proxy.internal:1/?q=secret", Some("https://proxy.internal:1")),
            ("http://me:secret@proxy.internal", None),
            ("socks4://proxy.internal", None),
            ("proxy.internal:3128", None),
            ("enviroment", None),
        ];
        for (text, meant) in bad {
            let fault = ParentProxy::parse(text).expect_err(text);
            assert_eq!(fault.value.as_deref(), meant, "{text}");
            assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
        }
        assert_eq!(ParentProxy::parse("environment"), Ok(ParentProxy::Environment));
    }

    #[test]
    fn only_what_is_known_to_be_loopback_is() {
        let table = [
            ("http://localhost:1", true),
            ("socks5://127.9.9.9", true),
            ("https://[::1]", true),
            ("http://10.0.0.1", false),
            ("environment", false),
        ];
        for (text, expected) in table {
            assert_eq!(ParentProxy::parse(text).expect(text).is_loopback(), expected, "{text}");
        }
    }
}
