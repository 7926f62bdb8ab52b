//! Every kind of request that the proxy meets, with a secret wherever one can be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::client::{Client, Reply};
use crate::support::proxy::Proxy;

/// The token that the proxy puts into requests.
pub(super) const BEARER: &str =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmVk-Ynktbm9i_b2R5";
/// Those it puts into handshakes: one that is good for long, one that is no longer.
pub(super) const HANDSHAKE: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnktb2YtaW5mcmFzLTVkODEiLCJleHAiOjQxMDI0NDQ4MDB9.Y2FuYXJ5LXNpZ25hdHVyZS1vZi1hLXRva2Vu";
pub(super) const OUTDATED: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnktbG9uZy1nb25lLWMzZTciLCJleHAiOjE3MDAwMDAwMDB9.Y2FuYXJ5LXNpZ25hdHVyZS1vZi1hLXRva2Vu";
/// What a client shows, and what one shows by mistake.
pub(super) const CLIENT: &str = "canary-client-token-77aa";
pub(super) const WRONG: &str = "canary-mistaken-token-91bc";
/// What the application has of its own.
pub(super) const PASSWORD: &str = "canary-password-in-url-40d2";
pub(super) const MINE: &str = "canary-authorization-of-mine-52e0";
pub(super) const QUERY: &str = "canary-in-the-query-c6b1";

/// Where a request is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Listener {
    Forward,
    Gateway,
    Admin,
    /// The forward listener, then TLS inside a CONNECT to this host, which shows the token.
    Inside(&'static str),
}

/// A request, and the status it is answered with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) name: &'static str,
    pub(super) to: Listener,
    /// Method and target.
    pub(super) line: &'static str,
    pub(super) token: Token,
    /// Header lines beside `Host`, the token and the length.
    pub(super) headers: &'static str,
    pub(super) body: &'static [u8],
    pub(super) status: u16,
    /// Whether it has a line in the log.
    pub(super) recorded: bool,
}

/// What a request shows of a token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token {
    Right,
    Mistaken,
    Missing,
}

impl Flow {
    /// Sends it to a proxy whose authority is this, in PEM.
    pub(super) fn exchange(&self, proxy: &Proxy, ca: &str) -> Reply {
        let (url, host) = match self.to {
            Listener::Forward => (proxy.forward_url(), None),
            Listener::Gateway => (proxy.gateway_url(), None),
            Listener::Admin => (proxy.admin_url(), None),
            Listener::Inside(host) => (proxy.forward_url(), Some(host)),
        };
        let mut client = Client::connect(url);
        if let Some(host) = host {
            let basic = STANDARD.encode(format!("app:{CLIENT}"));
            client.send(format!(
                "CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\
                 Proxy-Authorization: Basic {basic}\r\n\r\n"
            ));
            assert_eq!(client.bare_reply().status, 200, "{}", self.name);
            client = client.secure(host, ca).expect("the certificate is right");
        }
        client.exchange(self.request(url))
    }

    /// The request as it is written to the listener at `url`.
    pub(super) fn request(&self, url: &str) -> Vec<u8> {
        if !self.line.contains(' ') {
            return format!("{}\r\n\r\n", self.line).into_bytes();
        }
        let target = self.line.split(' ').nth(1).expect("a line has a target");
        let own = url.trim_start_matches("http://");
        let plain = target.strip_prefix("http://").or_else(|| target.strip_prefix("https://"));
        let named = plain.and_then(|rest| rest.split('/').next());
        let host = if self.headers.contains("Host: ") {
            String::new()
        } else {
            format!("Host: {}\r\n", named.unwrap_or(own))
        };
        let token = match self.token {
            Token::Right => Some(CLIENT),
            Token::Mistaken => Some(WRONG),
            Token::Missing => None,
        };
        let token = token.map_or(String::new(), |token| match self.to {
            Listener::Gateway => format!("Countersign-Token: {token}\r\n"),
            Listener::Forward | Listener::Admin => {
                let basic = STANDARD.encode(format!("app:{token}"));
                format!("Proxy-Authorization: Basic {basic}\r\n")
            }
            Listener::Inside(_) => String::new(),
        });
        let length = match self.body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let (line, headers) = (self.line, self.headers.replace("{mine}", MINE));
        let line = line.replace("{query}", QUERY).replace("{password}", PASSWORD);
        let head = format!("{line} HTTP/1.1\r\n{host}{token}{length}{headers}\r\n");
        [head.as_bytes(), self.body].concat()
    }

    const fn shows(self, token: Token) -> Self {
        Self { token, ..self }
    }

    const fn with(self, headers: &'static str) -> Self {
        Self { headers, ..self }
    }

    const fn carries(self, body: &'static [u8]) -> Self {
        Self { body, ..self }
    }
}

/// A request to the forward listener, with the right token.
const fn forward(name: &'static str, line: &'static str, status: u16) -> Flow {
    let (to, token) = (Listener::Forward, Token::Right);
    Flow { name, to, line, token, headers: "", body: b"", status, recorded: true }
}

const fn gateway(name: &'static str, line: &'static str, status: u16) -> Flow {
    Flow { to: Listener::Gateway, ..forward(name, line, status) }
}

/// One inside TLS; its line has the whole URL, as no client but this one writes it.
const fn inside(name: &'static str, host: &'static str, line: &'static str, status: u16) -> Flow {
    Flow { to: Listener::Inside(host), ..forward(name, line, status) }
}

/// One to the admin listener, whose answers are not in the log.
const fn admin(name: &'static str, line: &'static str, status: u16) -> Flow {
    Flow { to: Listener::Admin, recorded: false, ..forward(name, line, status) }
}

/// A look at the counters.
pub(super) const METRICS: Flow = admin("metrics", "GET /metrics", 200);

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const UPGRADE_WITH_TOKEN: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Infras-Token: {mine}\r\n";

const BODY: &[u8] = b"{\n  \"vaultId\": \"1\"\n}";
const CREATE: &str = "POST http://api.sinohope.com/v1/test";

const SINOHOPE: &str = "api.sinohope.com";
const TOKEN: &str = "token.example.com";
const SESSION: &str = "session.example.com";

/// All of them, for the configuration of this capability.
pub(super) const FLOWS: &[Flow] = &[
    forward("signed GET", "GET http://api.sinohope.com/v1/test?b=2&a=1", 200),
    forward("signed POST", CREATE, 200).carries(BODY),
    forward("signed, query aside", "GET http://apiv2.metasv.com/xpubs?q={query}", 200)
        .with("Authorization: {mine}\r\n"),
    gateway("gateway GET", "GET /sinohope/v1/test?a=1", 200),
    gateway("gateway POST", "POST /sinohope/v1/test", 200).carries(BODY),
    gateway("gateway, query aside", "GET /metasv/xpubs?q={query}", 200),
    forward("token", "GET http://token.example.com/xpubs", 200),
    gateway("token, own one replaced", "GET /token/xpubs?q={query}", 200)
        .with("Authorization: {mine}\r\n"),
    forward("path only", "GET /xpubs?q={query}", 400),
    forward("password in the URL", "GET http://me:{password}@api.sinohope.com/v1/test", 400),
    forward("host without a route", "GET http://nobody.example.com/?q={query}", 403),
    forward("path without a route", "GET http://down.example.com/else?q={query}", 403),
    forward("CONNECT to a routed host's other port", "CONNECT api.sinohope.com:8443", 403)
        .with("Host: api.sinohope.com:8443\r\n"),
    gateway("page of another origin", "GET /sinohope/v1/test", 403)
        .with("Origin: https://evil.example.com\r\n"),
    gateway("gateway without such a route", "GET /nobody/x?q={query}", 404),
    forward("method without a signature", "PUT http://api.sinohope.com/v1/test", 405).carries(BODY),
    forward("TRACE", "TRACE http://apiv2.metasv.com/xpubs", 405).with("Authorization: {mine}\r\n"),
    forward("no token", "GET http://api.sinohope.com/v1/test", 407).shows(Token::Missing),
    forward("mistaken token", "GET http://api.sinohope.com/v1/test", 407).shows(Token::Mistaken),
    gateway("mistaken token at the gateway", "GET /sinohope/v1/test", 407).shows(Token::Mistaken),
    forward("body too large", CREATE, 413).with("Content-Length: 2000000\r\n"),
    forward("body compressed", CREATE, 415).with("Content-Encoding: gzip\r\n").carries(BODY),
    gateway("listener by another name", "GET /sinohope/v1/test", 421)
        .with("Host: rebound.example.com\r\n"),
    forward("body that is no text", CREATE, 422).carries(b"\xff\xfe\xfd"),
    forward("provider that does not answer", "GET http://down.example.com/down", 502),
    forward("handshake", "GET http://handshake.example.com/mpc/sign?q={query}", 502).with(UPGRADE),
    gateway("handshake, own token replaced", "GET /handshake/mpc/sign", 502)
        .with(UPGRADE_WITH_TOKEN),
    forward("handshake with a token of old", "GET http://outdated.example.com/", 503).with(UPGRADE),
    forward("session", "GET http://session.example.com/mpc/sign?q={query}", 101)
        .with(UPGRADE_WITH_TOKEN),
    forward("API key and signature", "DELETE http://loopring.example.com/api/v2/orders?a=1", 200)
        .with("X-API-KEY: {mine}\r\n"),
    inside("signed inside TLS", SINOHOPE, "POST https://api.sinohope.com/v1/test", 200)
        .carries(BODY),
    inside("token inside TLS", TOKEN, "GET https://token.example.com/xpubs?q={query}", 200)
        .with("Authorization: {mine}\r\n"),
    inside("session inside TLS", SESSION, "GET https://session.example.com/mpc/sign", 101)
        .with(UPGRADE_WITH_TOKEN),
    inside("another host inside TLS", SINOHOPE, "GET https://token.example.com/?q={query}", 421)
        .with("Authorization: {mine}\r\n"),
    Flow { recorded: false, ..forward("not HTTP", "nonsense", 400) },
    METRICS,
    admin("metrics without a token", "GET /metrics", 401).shows(Token::Missing),
    admin("readiness", "GET /readyz", 200),
    admin("health", "GET /healthz", 200).shows(Token::Missing),
    admin("the list", "GET /", 200),
    admin("the list without a token", "GET /", 303).shows(Token::Missing),
    admin("the list with another's", "GET /", 303).shows(Token::Mistaken),
    admin("the state", "GET /status", 200),
    admin("a request that is not held", "GET /show?id={query}", 404),
    admin("a mistaken token is typed", "POST /sign-in", 403)
        .shows(Token::Missing)
        .carries(b"name=app&token=canary-mistaken-token-91bc"),
    admin("a token is typed", "POST /sign-in", 303)
        .shows(Token::Missing)
        .carries(b"name=app&token=canary-client-token-77aa"),
    admin("what is no request is pasted", "POST /verify", 422).carries(b"request=GET+x"),
    admin("no such page", "GET /config?q={query}", 404),
];
