//! The key of a connection pool: what makes one upstream's connections different from another's.

use std::fmt;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::local::LocalSocket;
use super::reach::Reach;
use crate::secret::Secret;

/// What makes one upstream's connections different from another's. Two with equal settings may
/// share connections; a reload keeps the pools of those that did not change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Where every connection goes, whatever its requests name; none where each request's own
    /// host is dialled.
    pub dial: Option<Dial>,
    /// How far connections may go.
    pub reach: Reach,
    /// The proxy that connections go through.
    pub via: Option<ParentProxySettings>,
    /// The PEM text of the authorities to trust; none for the public ones.
    pub ca: Option<Vec<u8>>,
    /// The certificate that is shown to an upstream which asks for one.
    pub client: Option<ClientCertificate>,
    /// The certificate's name, where it is not the host that is dialled.
    pub server_name: Option<String>,
    /// Whether a key exchange that outlasts quantum computers is offered.
    pub post_quantum: bool,
    /// How many unused connections are kept for each host.
    pub idle_connections: usize,
    /// A connection that is older gets no new requests.
    pub max_age: Duration,
    /// Name, TCP, the proxy in between, and TLS together.
    pub connect: Duration,
    /// From the last byte of the request to the response head.
    pub response_head: Duration,
    /// A write without progress.
    pub stall: Duration,
    /// An unused connection is closed after this.
    pub idle: Duration,
}

/// Where connections go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Dial {
    /// A host and a port.
    Host(HostPort),
    /// A socket of this machine.
    Socket(LocalSocket),
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// CONNECT (RFC 9110, section 9.3.6).
    Http,
    /// The same inside TLS.
    Https,
    /// SOCKS 5 (RFC 1928); names are resolved by the proxy.
    Socks5,
}

/// A host and a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPort {
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// As a URL begins: without the port that is the scheme's own.
    pub(super) fn url(&self, scheme: &str) -> String {
        let own = if scheme == "https" { 443 } else { 80 };
        let whole = self.to_string();
        let short = whole.strip_suffix(&format!(":{own}"));
        format!("{scheme}://{}", short.filter(|_| self.port == own).unwrap_or(&whole))
    }
}

/// As CONNECT names it: IPv6 in brackets, and always with the port.
impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The proxy between this one and an upstream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParentProxySettings {
    /// How it is spoken to, and where it listens; none where the environment says it, which does
    /// not change while the program runs.
    pub proxy: Option<(Protocol, HostPort)>,
    /// What its credentials are, without saying it.
    pub credentials: Option<Fingerprint>,
    /// The PEM text of the authorities to trust for its certificate; none for the public ones.
    pub ca: Option<Vec<u8>>,
}

/// A certificate to be shown, and which key belongs to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientCertificate {
    /// The chain in PEM, the own one first.
    pub chain: Vec<u8>,
    /// What its key is, without saying it.
    pub key: Fingerprint,
}

/// Tells one secret from another and nothing more: its SHA-256, which is never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a secret.
    pub fn of(secret: &Secret) -> Self {
        Self(Sha256::digest(secret.expose()).into())
    }
}

/// Also a hash tells much of a short password.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_connect_and_urls_have_them() {
        let table = [
            ("api.x.com", 443, "api.x.com:443", "https://api.x.com", "http://api.x.com:443"),
            (
                "api.x.com",
                8443,
                "api.x.com:8443",
                "https://api.x.com:8443",
                "http://api.x.com:8443",
            ),
            ("::1", 80, "[::1]:80", "https://[::1]:80", "http://[::1]"),
        ];
        for (host, port, whole, https, http) in table {
            let place = HostPort { host: host.into(), port };
            assert_eq!(place.to_string(), whole);
            assert_eq!((place.url("https"), place.url("http")), (https.into(), http.into()));
        }
    }

    #[test]
    fn a_fingerprint_tells_secrets_apart_and_shows_none() {
        let of = |text: &str| Fingerprint::of(&Secret::new(text.into()));
        assert_eq!(of("me:password"), of("me:password"));
        assert_ne!(of("me:password"), of("me:passwore"));
        assert_eq!(format!("{:?}", of("me:password")), "Fingerprint(..)");
    }
}
