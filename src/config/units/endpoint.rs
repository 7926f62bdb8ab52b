//! Where a listener listens.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::document::{ValueFault, quoted};

/// The address of a listener.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Endpoint {
    /// An address and a port, written `127.0.0.1:8081`.
    Tcp(SocketAddr),
    /// A Unix socket, written `unix:/run/countersign.sock`.
    Unix(PathBuf),
}

impl Endpoint {
    /// Reads `127.0.0.1:8081`, `[::1]:8081`, `localhost:8081` (which is 127.0.0.1) or
    /// `unix:/path`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        match text.strip_prefix("unix:") {
            Some(path) => unix(path).map(Self::Unix),
            None => socket_address(text).map(Self::Tcp),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Reads an address and a port, where a Unix socket will not do.
pub(in crate::config) fn socket_address(text: &str) -> Result<SocketAddr, ValueFault> {
    if text.starts_with("unix:") {
        let note = "since only gateway and admin can be Unix sockets";
        return Err(ValueFault::new("cannot be a Unix socket", note));
    }
    if let Some((_, address)) = text.split_once("://") {
        let what = "is a URL, and must be an address with a port";
        // Never what stands before an @: it would be a password.
        let address = address.rsplit('@').next().unwrap_or_default();
        return Err(ValueFault::meant(what, address.trim_end_matches('/'), ""));
    }
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let Ok(port) = port.parse::<u16>() else {
        let what = format!("is {}, which is not an address with a port", quoted(text));
        return Err(ValueFault::new(what, ""));
    };
    match host {
        "localhost" => Ok((Ipv4Addr::LOCALHOST, port).into()),
        "" => Err(ValueFault::meant(
            "has a port, but no address",
            format!("127.0.0.1:{port}"),
            format!("or \"0.0.0.0:{port}\" for every address of this machine"),
        )),
        _ if host.contains(':') && !host.starts_with('[') => Err(ValueFault::meant(
            "has an IPv6 address without brackets",
            format!("[{host}]:{port}"),
            "",
        )),
        _ => Err(ValueFault::new(
            format!("is {}, and a listener needs an address, not a name", quoted(text)),
            "",
        )),
    }
}

pub(super) fn unix(path: &str) -> Result<PathBuf, ValueFault> {
    if !Path::new(path).is_absolute() {
        let what = "is a Unix socket without an absolute path";
        return Err(ValueFault::new(what, "or \"unix:\" and a path that starts with /"));
    }
    if path.len() > LONGEST_PATH || path.contains('\0') {
        let what = format!("is not a path for a Unix socket, {} bytes long", path.len());
        return Err(ValueFault::new(what, format!("or a path of at most {LONGEST_PATH} bytes")));
    }
    Ok(path.into())
}

/// `sun_path` has 104 bytes where it is shortest (macOS, BSD), the last of them zero.
const LONGEST_PATH: usize = 103;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_addresses_or_absolute_paths() {
        let longest = format!("unix:/{}", "s".repeat(LONGEST_PATH - 1));
        let cases = [
            ("127.0.0.1:8081", "127.0.0.1:8081"),
            ("[::1]:8081", "[::1]:8081"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("localhost:8081", "127.0.0.1:8081"),
            ("unix:/run/cs.sock", "unix:/run/cs.sock"),
            (&longest, &longest),
        ];
        for (text, expected) in cases {
            let endpoint = Endpoint::parse(text).expect(text);
            assert_eq!(endpoint.to_string(), expected);
        }
        let path = Endpoint::parse("unix:/run/cs.sock").expect("a path");
        assert_eq!(path, Endpoint::Unix("/run/cs.sock".into()));
    }

    #[test]
    fn a_bad_endpoint_says_what_would_be_right() {
        let too_long = format!("unix:/{}", "s".repeat(LONGEST_PATH));
        let cases = [
            (":8081", "has a port, but no address", "127.0.0.1:8081"),
            ("8081", "has a port, but no address", "127.0.0.1:8081"),
            ("::1:8081", "has an IPv6 address without brackets", "[::1]:8081"),
            ("http://127.0.0.1:8081/", "is a URL", "127.0.0.1:8081"),
            ("http://me:secret@127.0.0.1:8081", "is a URL", "127.0.0.1:8081"),
            ("127.0.0.1", "is \"127.0.0.1\", which is not an address with a port", ""),
            ("127.0.0.1:65536", "is \"127.0.0.1:65536\", which is not an address", ""),
            ("", "is \"\", which is not an address with a port", ""),
            ("proxy.internal:8081", "is \"proxy.internal:8081\", and a listener needs", ""),
            ("256.0.0.1:80", "is \"256.0.0.1:80\", and a listener needs", ""),
            ("unix:cs.sock", "is a Unix socket without an absolute path", ""),
            (&too_long, "is not a path for a Unix socket, 104 bytes long", ""),
        ];
        for (text, what, value) in cases {
            let fault = Endpoint::parse(text).expect_err(text);
            assert!(fault.what.starts_with(what), "{text}: {}", fault.what);
            assert_eq!(fault.value.unwrap_or_default(), value, "{text}");
        }
        assert!(socket_address("unix:/run/cs.sock").is_err());
    }
}
