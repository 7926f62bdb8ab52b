//! Where a signer is: a Unix socket, or a host that speaks TLS.

use std::fmt;
use std::path::{Path, PathBuf};

/// A signer's address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Address {
    /// `unix:/path`.
    Unix(PathBuf),
    /// `https://host:port`; an IPv6 address without its brackets.
    Tls(String, u16),
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// What is wrong with it; it is not repeated.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = Path::new(path);
            return match path.is_absolute() {
                true => Ok(Self::Unix(path.to_owned())),
                false => Err("is a Unix socket without an absolute path"),
            };
        }
        let place =
            text.strip_prefix("https://").ok_or("begins neither with unix: nor https://")?;
        let place = place.strip_suffix('/').unwrap_or(place);
        if place.contains(['/', '?', '#', '@']) {
            return Err("has more than a host and a port after https://");
        }
        let (host, port) = place.rsplit_once(':').ok_or("has no port")?;
        let port = port.parse().map_err(|_| "has no port")?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err("has no host");
        }
        Ok(Self::Tls(host.to_owned(), port))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tls(host, port) if host.contains(':') => write!(f, "https://[{host}]:{port}"),
            Self::Tls(host, port) => write!(f, "https://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_or_a_host_and_a_port_and_no_more() {
        for text in ["unix:/run/signer.sock", "https://signer.internal:8443", "https://[::1]:1"] {
            assert_eq!(Address::read(text).map(|read| read.to_string()), Ok(text.into()));
        }
        for (text, what) in [
            ("unix:signer.sock", "is a Unix socket without"),
            ("http://signer:1", "begins neither"),
            ("https://signer", "has no port"),
            ("https://:1", "has no host"),
            ("https://me:secret@signer:1", "has more than"),
            ("https://signer:1/path", "has more than"),
        ] {
            assert!(Address::read(text).unwrap_err().starts_with(what), "{text}");
        }
    }
}
