//! Every way by which a request can come in: what is refused at one is refused at all.

use super::authority::Authority;
use super::client::{Client, Reply};
use super::config::{self, CA_FILE, CA_KEY_FILE, INTERCEPT};
use super::h2_client::Http2;
use super::home::Home;
use super::origin::{Origin, providers, scripted};
use super::proxy::Proxy;

/// A proxy with one route, which opens TLS, and the provider behind it.
pub(crate) struct Doors {
    pub(crate) origin: Origin,
    pub(crate) proxy: Proxy,
    /// The authority that the proxy vouches by, in PEM.
    pub(crate) ca: String,
    route: &'static str,
    host: &'static str,
}

/// Those by which requests come in that are signed.
pub(crate) const DOORS: [&str; 4] =
    ["forward", "gateway", "plain in a CONNECT", "TLS in a CONNECT"];
/// All there are in HTTP/1.1; the last two are no ways to a provider.
pub(crate) const WAYS: [&str; 6] =
    ["forward", "gateway", "plain in a CONNECT", "TLS in a CONNECT", "admin", "CONNECT"];
/// All there are in HTTP/2.
pub(crate) const WAYS_2: [&str; 2] = ["gateway in HTTP/2", "TLS in a CONNECT in HTTP/2"];

impl Doors {
    /// With the route `metasv`, these lines in it, and these tables.
    pub(crate) fn new(lines: &str, tables: &str) -> Self {
        Self::start("metasv", "apiv2.metasv.com", lines, tables)
    }

    /// With the route `sinohope`, whose bodies are held whole.
    pub(crate) fn sinohope(lines: &str, tables: &str) -> Self {
        Self::start("sinohope", "api.sinohope.com", lines, tables)
    }

    /// With the route `metasv`, and these tables in place of the usual ones for interception.
    pub(crate) fn intercepting(intercept: &str) -> Self {
        Self::start_with("metasv", "apiv2.metasv.com", "", intercept)
    }

    fn start(route: &'static str, host: &'static str, lines: &str, tables: &str) -> Self {
        Self::start_with(route, host, lines, &format!("{INTERCEPT}{tables}"))
    }

    fn start_with(route: &'static str, host: &'static str, lines: &str, tables: &str) -> Self {
        let origin = Origin::start(scripted(providers()));
        let table = if route == "metasv" { config::metasv } else { config::sinohope };
        let scheme = format!("scheme = \"{route}\"\n");
        let table = table(&origin.url(), None).replace(&scheme, &format!("{scheme}{lines}"));
        let home = Home::new(&config::proxy(&[table, tables.to_owned()]));
        let (authority, tokens) = (Authority::new(), config::client_tokens(&[("app", "t0ken")]));
        home.write(CA_FILE, &authority.pem());
        home.write(CA_KEY_FILE, &authority.key_pem());
        home.write(config::TOKENS_FILE, &tokens);
        Self { origin, proxy: Proxy::start_in(home, &[]), ca: authority.pem(), route, host }
    }

    /// A tunnel to the route's host, at the port of plain HTTP or of TLS.
    pub(crate) fn inside(&self, port: u16) -> Client {
        Client::tunnel(self.proxy.forward_url(), &format!("{}:{port}", self.host))
    }

    /// A connection, and the head of a request with its one `Host`, to which more can be added. The
    /// admin listener and a CONNECT have targets of their own.
    pub(crate) fn begin(&self, way: &str, method: &str, path: &str) -> (Client, String) {
        let (forward, host) = (self.proxy.forward_url(), self.host);
        let at = |url: &str, target: String| {
            (Client::connect(url), head(method, &target, url.trim_start_matches("http://")))
        };
        match way {
            "forward" => {
                (Client::connect(forward), head(method, &format!("http://{host}{path}"), host))
            }
            "gateway" => at(self.proxy.gateway_url(), format!("/{}{path}", self.route)),
            "plain in a CONNECT" => (self.inside(80), head(method, path, host)),
            "TLS in a CONNECT" => {
                let secure = self.inside(443).secure(host, &self.ca);
                (secure.expect("the certificate is right"), head(method, path, host))
            }
            "admin" => at(self.proxy.admin_url(), "/metrics".to_owned()),
            "CONNECT" => (Client::connect(forward), head("CONNECT", &format!("{host}:443"), host)),
            _ => panic!("there is no way {way}"),
        }
    }

    /// Sends a request with these header lines, each with its end, on a connection of its own.
    pub(crate) fn ask(&self, door: &str, method: &str, path: &str, headers: &[u8]) -> Reply {
        let (mut client, head) = self.begin(door, method, path);
        client.exchange([head.as_bytes(), headers, b"\r\n"].concat())
    }

    /// The same in HTTP/2: the code of a refusal, or nothing.
    pub(crate) fn ask_2(&self, way: &str, method: &str, path: &str, headers: &str) -> String {
        let gateway = self.proxy.gateway_url();
        let (client, scheme, authority, path) = match way {
            "gateway in HTTP/2" => {
                let own = gateway.trim_start_matches("http://");
                (Client::connect(gateway), "http", own, format!("/{}{path}", self.route))
            }
            "TLS in a CONNECT in HTTP/2" => {
                let secure = self.inside(443).secure_in(self.host, &self.ca, &[b"h2"]);
                let secure = secure.expect("the certificate is right");
                (secure, "https", self.host, path.to_owned())
            }
            _ => panic!("there is no way {way}"),
        };
        let mut fields = vec![
            (":method".to_owned(), method.to_owned()),
            (":scheme".to_owned(), scheme.to_owned()),
            (":authority".to_owned(), authority.to_owned()),
            (":path".to_owned(), path),
        ];
        let lines = headers.split_terminator("\r\n").filter_map(|line| line.split_once(": "));
        fields.extend(lines.map(|(name, value)| (name.to_lowercase(), value.to_owned())));
        Http2::begin(client, &[]).ask(1, &fields).code()
    }
}

fn head(method: &str, target: &str, host: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n")
}
