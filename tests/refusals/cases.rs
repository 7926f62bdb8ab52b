//! How each refusal is provoked, and which cannot be.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::declared;
use crate::support::client::{Client, Reply};
use crate::support::config::{self, PASS};
use crate::support::h2_origin::H2Origin;
use crate::support::home::Home;
use crate::support::origin::{Origin, metasv};
use crate::support::proxy::{Proxy, Signal};
use crate::support::stage::{METASV, SINOHOPE, Stage, get, post};
use crate::support::wait::eventually;

/// One code, what its answer says, and how to get it.
pub(super) struct Case {
    pub(super) code: &'static str,
    pub(super) status: u16,
    pub(super) route: Option<&'static str>,
    pub(super) provoke: fn(&Scene) -> Reply,
}

/// A proxy with routes that fail in every way.
pub(super) struct Scene {
    pub(super) stage: Stage,
    _strange: Origin,
    _quiet: TcpListener,
}

impl Scene {
    pub(super) fn new() -> Self {
        let stage = Stage::new("");
        let strange = Origin::start_tls(&["another.test"], metasv("test-a"));
        // While this holds its port on one address, nobody has it on another.
        let quiet = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = quiet.local_addr().expect("it is bound").port();
        let tables = [
            "[limits]\nsigned_body = \"1KiB\"\n".to_owned(),
            "[timeouts]\nrequest_body = \"1s\"\nresponse_head = \"1s\"\n".to_owned(),
            route("narrow", "path = \"/v1\"", &stage.origin.url()),
            route("closed", "", &format!("http://127.0.0.2:{port}")),
            route("strange", "", &strange.url()),
            route("own", "", stage.proxy.forward_url()),
            handshake("expired", ""),
            handshake("renewed", "watch = true"),
            config::loopring(
                &stage.origin.url(),
                &[("loopring", "loopring.test", "keys = { eddsa = \"loopring\" }")],
            ),
            declared::route("json", "hmac_sha256", &[], &stage.origin.url()),
            route("shared", "", &format!("unix:{}", stage.proxy.home().path("s/s").display())),
            route("proxied", "", "https://x.test"),
            format!("via = \"http://127.0.0.2:{port}\"\n"),
        ];
        stage.proxy.home().write("keys/expired.jwt", EXPIRED);
        stage.proxy.home().write("keys/renewed.jwt", GOOD);
        stage.proxy.home().write("json.toml", declared::JSON);
        let shared = stage.proxy.home().path("s");
        fs::create_dir(&shared).expect("it is ours");
        fs::set_permissions(&shared, Permissions::from_mode(0o777)).expect("it is ours");
        stage.proxy.home().write("keys/json.secret", "json-secret");
        stage.proxy.reload(&stage.configuration(&tables.concat()), true);
        Self { stage, _strange: strange, _quiet: quiet }
    }

    fn get(&self, url: &str) -> Reply {
        self.stage.exchange(get(url))
    }

    fn gateway(&self, path: &str, headers: &str) -> Reply {
        let url = self.stage.proxy.gateway_url();
        let host = url.trim_start_matches("http://");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
        Client::connect(url).exchange(request)
    }

    /// Asks for a WebSocket.
    fn upgrade(&self, url: &str) -> Reply {
        let asked = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        self.stage.exchange(format!("GET {url} HTTP/1.1\r\nHost: ignored\r\n{asked}\r\n"))
    }

    /// A POST to Sinohope with these headers and what stands behind them.
    fn post(&self, rest: &str) -> Client {
        let mut client = self.stage.client();
        client.send(format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\n{rest}"));
        client
    }
}

/// A route for `<name>.test` that signs for MetaSV and goes to `url`.
fn route(name: &str, more: &str, url: &str) -> String {
    format!(
        "[routes.{name}]\nhost = \"{name}.test\"\nscheme = \"metasv\"\n\
         keys = {{ signer = \"metasv\" }}\nupstream = \"{name}\"\n{more}\n\
         [upstreams.{name}]\nurl = \"{url}\"\n"
    )
}

/// A route for `<name>.test` that puts the token of `keys/<name>.jwt` into handshakes, and leads
/// to nobody.
fn handshake(name: &str, more: &str) -> String {
    format!(
        "[routes.{name}]\nhost = \"{name}.test\"\nscheme = \"infras\"\n\
         secrets = {{ token = \"{name}\" }}\nparams = {{ src = \"0\" }}\nupstream = \"closed\"\n\
         [secrets.{name}]\nstore = \"files\"\nentry = \"{name}.jwt\"\n{more}\n"
    )
}

/// Tokens that nobody signed: until the year 2100, and until 2023.
const GOOD: &str = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDB9.AAAA";
const EXPIRED: &str = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3MDAwMDAwMDB9.AAAA";

pub(super) const PROVOKED: &[Case] = &[
    case("bad_target", 400, None, |scene| scene.get("/x")),
    case("bad_host", 400, None, |scene| {
        scene.stage.exchange(format!("GET {METASV}/x HTTP/1.1\r\n\r\n"))
    }),
    case("not_http", 400, None, |scene| {
        let mut client = scene.stage.client();
        client.exchange([5, 1, 0])
    }),
    case("body_incomplete", 400, Some("sinohope"), |scene| {
        let mut client = scene.post("Content-Length: 9\r\n\r\nhalf");
        client.finish();
        client.reply()
    }),
    case("client_not_allowed", 403, None, |scene| {
        let access = "[access]\nfrom = [\"10.0.0.0/8\"]\n";
        let proxy = Proxy::start(&scene.stage.configuration(access));
        Client::connect(proxy.forward_url()).exchange(get(METASV))
    }),
    case("cross_site", 403, None, |scene| scene.gateway("/metasv/x", "Origin: null\r\n")),
    case("host_not_routed", 403, None, |scene| scene.get("http://unrouted.test/x")),
    case("private_address", 403, None, |scene| {
        let passing = PASS.replace("127.0.0.0/8", "127.0.0.2");
        let proxy = Proxy::start(&scene.stage.configuration(&passing));
        Client::connect(proxy.forward_url()).exchange(get(&scene.stage.origin.url()))
    }),
    case("outside_route", 403, None, |scene| scene.get("http://narrow.test/v2")),
    case("interception_off", 403, None, |scene| {
        scene.stage.exchange("CONNECT api.sinohope.com:443 HTTP/1.1\r\nHost: h\r\n\r\n")
    }),
    case("route_unknown", 404, None, |scene| scene.gateway("/nothing/x", "")),
    case("admin_path_unknown", 404, None, |scene| scene.stage.proxy.probe("/nothing")),
    case("admin_method_not_allowed", 405, None, |scene| {
        let url = scene.stage.proxy.admin_url();
        let host = url.trim_start_matches("http://");
        Client::connect(url).exchange(format!("DELETE /readyz HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }),
    case("method_unsignable", 405, Some("sinohope"), |scene| {
        scene.stage.exchange(format!("PUT {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\n\r\n"))
    }),
    case("metrics_unauthenticated", 401, None, |scene| guarded(scene).probe("/metrics")),
    case("client_unauthenticated", 407, None, |scene| {
        Client::connect(guarded(scene).forward_url()).exchange(get(METASV))
    }),
    case("body_too_slow", 408, Some("sinohope"), |scene| {
        scene.post("Content-Length: 9\r\n\r\nhalf").reply()
    }),
    case("body_too_large", 413, Some("sinohope"), |scene| {
        scene.post("Content-Length: 1025\r\n\r\n").reply()
    }),
    case("body_encoded", 415, Some("sinohope"), |scene| {
        scene.post("Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx").reply()
    }),
    case("wrong_authority", 421, None, |scene| {
        let request = "GET /metasv/x HTTP/1.1\r\nHost: evil.example\r\n\r\n";
        Client::connect(scene.stage.proxy.gateway_url()).exchange(request)
    }),
    case("body_unsignable", 422, Some("sinohope"), |scene| {
        let mut client = scene.post("Content-Length: 1\r\n\r\n");
        client.send(b"\xff");
        client.reply()
    }),
    case("part_unbound", 422, Some("metasv"), |scene| {
        let refuse = scene
            .stage
            .configuration("")
            .replace("scheme = \"metasv\"", "unbound = \"refuse\"\nscheme = \"metasv\"");
        let proxy = Proxy::start(&refuse);
        Client::connect(proxy.forward_url()).exchange(get(&format!("{METASV}/x?a=1")))
    }),
    case("not_an_upgrade", 426, Some("expired"), |scene| scene.get("http://expired.test/x")),
    case("too_many_fields", 431, None, |scene| {
        let fields = "X: 1\r\n".repeat(96);
        scene.stage.exchange(format!("GET {METASV}/x HTTP/1.1\r\nHost: h\r\n{fields}\r\n"))
    }),
    case("transfer_coding_unknown", 501, None, |scene| {
        scene.post("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n").reply()
    }),
    case("query_unsignable", 422, Some("loopring"), |scene| {
        scene.get("http://loopring.test/x?a=1&a=2")
    }),
    case("value_unsignable", 422, Some("json"), |scene| scene.get("http://json.test/x")),
    case("upstream_unreachable", 502, Some("closed"), |scene| scene.get("http://closed.test/x")),
    case("upstream_proxy", 502, Some("proxied"), |scene| scene.get("http://proxied.test/x")),
    case("upstream_tls", 502, Some("strange"), |scene| scene.get("http://strange.test/x")),
    case("upstream_untrusted", 502, Some("shared"), |scene| scene.get("http://shared.test/x")),
    case("upstream_unprocessed", 502, Some("metasv"), |_| {
        let origin = H2Origin::start(&["apiv2.metasv.com"], metasv("test-a"));
        let ca = Some(origin.ca());
        let proxy = Proxy::start(&config::proxy(&[config::metasv(&origin.url(), ca)]));
        Client::connect(proxy.forward_url()).exchange(get(&format!("{METASV}/refused")))
    }),
    case("upstream_closed", 502, Some("metasv"), |scene| scene.get(&format!("{METASV}/drop"))),
    case("upstream_protocol", 502, Some("metasv"), |scene| scene.get(&format!("{METASV}/garbage"))),
    case("too_many_tunnels", 503, None, |scene| {
        let tables = format!("{PASS}[limits]\ntunnels = 1\n");
        let proxy = Proxy::start(&scene.stage.configuration(&tables));
        let place = scene.stage.origin.url();
        let place = place.trim_start_matches("http://");
        let connect = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n");
        let mut first = Client::connect(proxy.forward_url());
        first.send(&connect);
        assert_eq!(first.bare_reply().status, 200);
        Client::connect(proxy.forward_url()).exchange(connect)
    }),
    case("too_many_connections", 503, None, |scene| {
        let tables = "[limits]\nconnections = 1\n[timeouts]\nresponse_head = \"500ms\"\n";
        let proxy = Proxy::start(&scene.stage.configuration(tables));
        let mut first = Client::connect(proxy.forward_url());
        assert_eq!(first.exchange(get("http://unrouted.test/x")).status, 403);
        Client::connect(proxy.forward_url()).exchange(get("http://unrouted.test/x"))
    }),
    case("too_many_bodies", 503, Some("sinohope"), |scene| {
        let tables = "[limits]\nsigned_body = \"1KiB\"\nheld_bodies = \"1KiB\"\n";
        let proxy = Proxy::start(&scene.stage.configuration(tables));
        let head = format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n\r\n");
        let mut first = Client::connect(proxy.forward_url());
        first.send(&head);
        let held = "countersign_limit_used{limit=\"held_bodies\"}";
        proxy.await_metric(held, 999);
        Client::connect(proxy.forward_url()).exchange(head)
    }),
    case("credential_expired", 503, Some("expired"), |scene| {
        scene.upgrade("http://expired.test/mpc/sign")
    }),
    case("credential_unusable", 503, Some("renewed"), |scene| {
        // While the token is good, it is the upstream that fails.
        scene.stage.proxy.home().write("keys/renewed.jwt", &format!("Bearer {GOOD}"));
        let mut last = None;
        eventually("the new token is read", || {
            let reply = scene.upgrade("http://renewed.test/mpc/sign");
            let refused = reply.status == 503;
            assert!(refused || reply.status == 502, "{}", reply.json());
            last = Some(reply);
            refused
        });
        last.expect("there was an answer")
    }),
    case("draining", 503, None, |scene| {
        let proxy = Proxy::start(&scene.stage.configuration(""));
        let mut client = Client::connect(proxy.forward_url());
        let request = post(METASV, "");
        let (first, second) = request.split_at(request.len() / 2);
        client.send(first);
        proxy.await_read(&client);
        proxy.signal(Signal::Interrupt);
        eventually("it is draining", || proxy.probe("/readyz").status == 503);
        client.exchange(second)
    }),
    case("upstream_timeout", 504, Some("metasv"), |scene| {
        scene.get(&format!("{METASV}/slow-head"))
    }),
    case("loop", 508, Some("own"), |scene| scene.get("http://own.test/x")),
];

const fn case(
    code: &'static str,
    status: u16,
    route: Option<&'static str>,
    provoke: fn(&Scene) -> Reply,
) -> Case {
    Case { code, status, route, provoke }
}

/// Codes that no client and no provider can bring about, and why.
pub(super) const NOT_PROVOKED: &[(&str, &str)] = &[
    ("internal", "a broken invariant of the program"),
    ("self_check", "takes a signer that signs wrongly: a test in self_check.rs has one"),
    ("signer_busy", "takes a crowd before a slow key: a test in availability/turns.rs has one"),
    ("nonces_unavailable", "takes a disk that fails: a test in src/nonces/tests.rs has one"),
    ("answers_unavailable", "takes a store that is away: a test in callbacks/replicas.rs has one"),
    ("log_stalled", "takes a log that nobody reads: a test in log.rs has one"),
    ("audit_failed", "takes a file that cannot be written: tests in audit.rs have some"),
    ("turn_timeout", "takes another proxy: a test in nonces.rs has one"),
    (
        "out_of_descriptors",
        "takes a process with few: a test in availability/descriptors.rs has one",
    ),
    ("signer_unavailable", "a key in memory that passed its self-test does not fail"),
    ("reply_untrusted", "no provider here signs its answers"),
    ("signer_timeout", "a key in memory signs before any deadline is looked at"),
];

/// A proxy that asks for tokens.
fn guarded(scene: &Scene) -> Proxy {
    let home = Home::new(&scene.stage.configuration(config::TOKENS));
    home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
    Proxy::start_in(home, &[])
}
