//! Every way by which a request can come in that is signed: what is refused at one is refused at all.

use super::authority::Authority;
use super::client::{Client, Reply};
use super::config::{self, CA_FILE, CA_KEY_FILE, INTERCEPT};
use super::home::Home;
use super::origin::{Origin, metasv};
use super::proxy::Proxy;

/// A proxy with the route `metasv`, which opens TLS, and the provider behind it.
pub(crate) struct Doors {
    pub(crate) origin: Origin,
    pub(crate) proxy: Proxy,
    /// The authority that the proxy vouches by, in PEM.
    pub(crate) ca: String,
}

/// Their names.
pub(crate) const DOORS: [&str; 4] =
    ["forward", "gateway", "plain in a CONNECT", "TLS in a CONNECT"];

impl Doors {
    /// With these lines in the route, and these tables.
    pub(crate) fn new(lines: &str, tables: &str) -> Self {
        let origin = Origin::start(metasv("test-a"));
        let route = config::metasv(&origin.url(), None);
        let route =
            route.replace("scheme = \"metasv\"\n", &format!("scheme = \"metasv\"\n{lines}"));
        let tables = [route, INTERCEPT.to_owned(), tables.to_owned()];
        let home = Home::new(&config::proxy(&tables));
        let authority = Authority::new();
        home.write(CA_FILE, &authority.pem());
        home.write(CA_KEY_FILE, &authority.key_pem());
        Self { origin, proxy: Proxy::start_in(home, &[]), ca: authority.pem() }
    }

    /// Sends a request with these header lines, each with its end, on a connection of its own.
    pub(crate) fn ask(&self, door: &str, method: &str, path: &str, headers: &[u8]) -> Reply {
        let host = "apiv2.metasv.com";
        let (url, gateway) = (self.proxy.forward_url(), self.proxy.gateway_url());
        let inside = |port| Client::tunnel(url, &format!("{host}:{port}"));
        let (mut client, target, host) = match door {
            "forward" => (Client::connect(url), format!("http://{host}{path}"), host),
            "gateway" => {
                let own = gateway.trim_start_matches("http://");
                (Client::connect(gateway), format!("/metasv{path}"), own)
            }
            "plain in a CONNECT" => (inside(80), path.to_owned(), host),
            "TLS in a CONNECT" => {
                let secure = inside(443).secure(host, &self.ca);
                (secure.expect("the certificate is right"), path.to_owned(), host)
            }
            _ => panic!("there is no door {door}"),
        };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
        client.exchange([head.as_bytes(), headers, b"\r\n"].concat())
    }
}
