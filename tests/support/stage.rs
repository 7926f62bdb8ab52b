//! The usual scene: one origin that is both providers, and a proxy that signs for them.

use super::authority::Authority;
use super::client::{Client, Reply};
use super::config::{self, CA_FILE, CA_KEY_FILE};
use super::home::Home;
use super::origin::{Handler, Origin, providers, scripted};
use super::proxy::Proxy;

/// A running pair.
pub(crate) struct Stage {
    pub(crate) origin: Origin,
    pub(crate) proxy: Proxy,
}

impl Stage {
    /// With these tables beside the usual ones. The origin verifies, and is odd where
    /// [`scripted`] says.
    pub(crate) fn new(tables: &str) -> Self {
        Self::with(scripted(providers()), tables)
    }

    /// With an origin that answers like this.
    pub(crate) fn with(handler: Handler, tables: &str) -> Self {
        let origin = Origin::start(handler);
        let proxy = Proxy::start(&configuration(&origin, tables));
        Self { origin, proxy }
    }

    /// What the proxy was started with, but with these tables.
    pub(crate) fn configuration(&self, tables: &str) -> String {
        configuration(&self.origin, tables)
    }

    /// A connection to the forward listener.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.proxy.forward_url())
    }

    /// Sends one request through the forward listener on a connection of its own.
    pub(crate) fn exchange(&self, request: impl AsRef<[u8]>) -> Reply {
        self.client().exchange(request)
    }
}

/// The usual scene with these tables and an authority for those of interception, and its
/// certificate.
pub(crate) fn intercepting(tables: &str) -> (Stage, String) {
    let origin = Origin::start(scripted(providers()));
    let providers = [config::sinohope(&origin.url(), None), config::metasv(&origin.url(), None)];
    let home = Home::new(&config::proxy(&[&providers[..], &[tables.to_owned()]].concat()));
    let ca = Authority::new();
    home.write(CA_FILE, &ca.pem());
    home.write(CA_KEY_FILE, &ca.key_pem());
    (Stage { origin, proxy: Proxy::start_in(home, &[]) }, ca.pem())
}

fn configuration(origin: &Origin, tables: &str) -> String {
    let (sinohope, metasv) =
        (config::sinohope(&origin.url(), None), config::metasv(&origin.url(), None));
    config::proxy(&[sinohope, metasv, tables.to_owned()])
}

/// A GET with nothing but what it must have.
pub(crate) fn get(url: &str) -> String {
    format!("GET {url} HTTP/1.1\r\nHost: ignored\r\n\r\n")
}

/// A POST with a stated length.
pub(crate) fn post(url: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {url} HTTP/1.1\r\nHost: ignored\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// MetaSV, whose signature leaves the body out: bodies stream.
pub(crate) const METASV: &str = "http://apiv2.metasv.com";
/// Sinohope, whose signature covers the body: bodies are held whole.
pub(crate) const SINOHOPE: &str = "http://api.sinohope.com";
