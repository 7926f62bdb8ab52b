//! `explain` against the proxy: for every refusal that a request brings about by itself, both say
//! the same of the same bytes. What needs a socket, a clock or a failure is listed with the reason.

use std::collections::BTreeSet;
use std::fs;

use countersign::refusal::Code;
use serde_json::{Value, json};

use crate::declared::{JSON, route};
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::proxy::{Proxy, countersign};

#[test]
fn every_code_has_a_request_or_a_reason() {
    let asked = REFUSED.iter().map(|(code, ..)| *code);
    let unasked = NOT_EXPLAINED.iter().map(|(code, _)| *code);
    let listed: Vec<_> = asked.chain(unasked).collect();
    let unique: BTreeSet<_> = listed.iter().copied().collect();
    assert_eq!(listed.len(), unique.len(), "none is listed twice");
    assert_eq!(unique, Code::all().map(|code| code.name()).collect());
}

#[test]
fn explain_refuses_what_the_proxy_refuses_and_says_the_same_of_it() {
    let (open, guarded) = (start(""), start(config::TOKENS));
    for (code, door, line, rest) in REFUSED {
        let proxy = if *code == "client_unauthenticated" { &guarded } else { &open };
        let rest = rest();
        let (url, host) = match door {
            Door::Forward => (proxy.forward_url(), "Host: h\r\n".to_owned()),
            Door::Bare => (proxy.forward_url(), String::new()),
            Door::Gateway => {
                let url = proxy.gateway_url();
                (url, format!("Host: {}\r\n", url.trim_start_matches("http://")))
            }
        };
        let line = format!("{line} HTTP/1.1\r\n");
        let reply =
            Client::connect(url).exchange([line.as_bytes(), host.as_bytes(), &rest].concat());
        let said = reply.json();
        assert_eq!(said["code"], *code, "{said}");
        // To `explain` a path with a Host is what a provider sees; by itself it is the gateway's.
        let host = if matches!(door, Door::Gateway) { "" } else { &host };
        let file = proxy.home().path("request.http");
        fs::write(&file, [line.as_bytes(), host.as_bytes(), &rest].concat()).expect("it is ours");
        let explained = explain(proxy, &["--json"]);
        let members = ["code", "status", "detail", "remedy"];
        let refused: Value =
            members.map(|name| (name.to_owned(), said[name].clone())).into_iter().collect();
        let wanted = json!({ "route": said["route"], "refused": refused });
        assert_eq!(explained, (Some(1), wanted), "{code}");
    }
}

#[test]
fn explain_is_told_who_sends_a_request_or_sees_it() {
    let proxy = start(config::TOKENS);
    let file = proxy.home().path("request.http");
    for (headers, arguments, code) in [
        ("", &[][..], Some("client_unauthenticated")),
        ("", &["--client", "nobody"], Some("client_unauthenticated")),
        ("", &["--client", "app"], None),
        ("Proxy-Authorization: Bearer t0ken\r\n", &[], None),
        ("Proxy-Authorization: Bearer token\r\n", &[], Some("client_unauthenticated")),
    ] {
        let request = format!("GET http://apiv2.metasv.com/x HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
        fs::write(&file, request).expect("it is ours");
        let (exit, said) = explain(&proxy, &[&["--json"], arguments].concat());
        assert_eq!(said["refused"]["code"].as_str(), code, "{headers} {arguments:?}: {said}");
        assert_eq!(exit, Some(i32::from(code.is_some())), "{headers} {arguments:?}");
    }
}

/// What `explain` ends with and says of the request in the proxy's home.
fn explain(proxy: &Proxy, arguments: &[&str]) -> (Option<i32>, Value) {
    let path = |name: &str| proxy.home().path(name).to_string_lossy().into_owned();
    let (config, file) = (path("proxy.toml"), path("request.http"));
    let output = countersign(&[&["explain", &config, "--file", &file], arguments].concat());
    let said = serde_json::from_slice(&output.stdout);
    (output.status.code(), said.unwrap_or_else(|_| panic!("no JSON: {output:?}")))
}

/// A proxy whose upstreams answer nothing: no request here comes so far.
fn start(tables: &str) -> Proxy {
    let nobody = "http://127.0.0.2:9";
    let handshake = |name: &str| {
        format!(
            "[routes.{name}]\nhost = \"{name}.test\"\nscheme = \"infras\"\n\
             secrets = {{ token = \"{name}\" }}\nparams = {{ src = \"0\" }}\n\
             [secrets.{name}]\nstore = \"files\"\nentry = \"{name}.jwt\"\n"
        )
    };
    let home = Home::new(&config::proxy(&[
        config::sinohope(nobody, None),
        route("json", "hmac_sha256", &[], nobody),
        config::metasv(nobody, None)
            .replace("scheme =", "path = \"/x\"\nunbound = \"refuse\"\nscheme ="),
        config::loopring(
            nobody,
            &[("loopring", "loopring.test", "keys = { eddsa = \"loopring\" }")],
        ),
        handshake("expired"),
        handshake("unusable"),
        tables.to_owned(),
    ]));
    home.write("keys/expired.jwt", "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3MDAwMDAwMDB9.AAAA");
    home.write("keys/unusable.jwt", "Bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDB9.AAAA");
    home.write("json.toml", JSON);
    home.write("keys/json.secret", "json-secret");
    home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
    Proxy::start_in(home, &[])
}

/// Where a request comes in.
enum Door {
    Forward,
    /// The same without a `Host`.
    Bare,
    Gateway,
}

/// A code, and the request that brings it about: its line, and all behind its `Host`.
type Refused = (&'static str, Door, &'static str, fn() -> Vec<u8>);

fn nothing() -> Vec<u8> {
    b"\r\n".into()
}

fn handshake() -> Vec<u8> {
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .into()
}

const REFUSED: &[Refused] = &[
    ("bad_target", Door::Forward, "GET ftp://apiv2.metasv.com/x", nothing),
    ("bad_host", Door::Bare, "GET http://apiv2.metasv.com/x", nothing),
    ("cross_site", Door::Forward, "GET http://apiv2.metasv.com/x", || {
        b"Origin: http://evil.example\r\n\r\n".into()
    }),
    ("host_not_routed", Door::Forward, "GET http://unrouted.test/x", nothing),
    ("outside_route", Door::Forward, "GET http://apiv2.metasv.com/y", nothing),
    ("interception_off", Door::Forward, "CONNECT api.sinohope.com:443", nothing),
    ("route_unknown", Door::Gateway, "GET /nothing/x", nothing),
    ("method_unsignable", Door::Forward, "PUT http://api.sinohope.com/x", nothing),
    ("client_unauthenticated", Door::Gateway, "GET /metasv/x", nothing),
    ("body_too_large", Door::Forward, "POST http://api.sinohope.com/x", || {
        let head = b"Content-Length: 1100000\r\n\r\n".to_vec();
        [head, vec![b' '; 1_100_000]].concat()
    }),
    ("body_encoded", Door::Forward, "POST http://api.sinohope.com/x", || {
        b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx".into()
    }),
    ("body_unsignable", Door::Forward, "POST http://api.sinohope.com/x", || {
        b"Content-Length: 1\r\n\r\n\xff".into()
    }),
    ("query_unsignable", Door::Forward, "GET http://loopring.test/x?a=1&a=2", nothing),
    ("value_unsignable", Door::Forward, "GET http://json.test/x", nothing),
    ("part_unbound", Door::Forward, "GET http://apiv2.metasv.com/x?a=1", nothing),
    ("not_an_upgrade", Door::Forward, "GET http://expired.test/x", nothing),
    ("too_many_fields", Door::Forward, "GET http://apiv2.metasv.com/x", || {
        (b"X: 1\r\n".repeat(96).into_iter()).chain(*b"\r\n").collect()
    }),
    ("transfer_coding_unknown", Door::Forward, "POST http://api.sinohope.com/x", || {
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".into()
    }),
    ("credential_expired", Door::Forward, "GET http://expired.test/x", handshake),
    ("credential_unusable", Door::Forward, "GET http://unusable.test/x", handshake),
];

/// Codes that are not for what a request is, and why.
const NOT_EXPLAINED: &[(&str, &str)] = &[
    ("not_http", "what is no request cannot be explained as one"),
    ("body_incomplete", "a body that breaks off: a file ends where it ends"),
    ("body_too_slow", "a body that is late"),
    ("client_not_allowed", "the address at the other end of a socket"),
    ("wrong_authority", "the address of a listener; and to `explain`, a Host is the provider's"),
    ("admin_path_unknown", "the admin listener signs nothing"),
    ("metrics_unauthenticated", "the admin listener signs nothing"),
    ("admin_method_not_allowed", "the admin listener signs nothing"),
    ("internal", "a broken invariant"),
    ("self_check", "what the HTTP library is handed"),
    ("signer_unavailable", "a key that fails"),
    ("signer_busy", "a crowd before a key"),
    ("signer_timeout", "a key that is late"),
    ("nonces_unavailable", "a state directory or a shared store that fails"),
    ("answers_unavailable", "a shared store that fails"),
    ("turn_timeout", "earlier requests of a key"),
    ("log_stalled", "a log that nobody reads"),
    ("audit_failed", "a file that cannot be written"),
    ("too_many_connections", "other connections"),
    ("too_many_tunnels", "other clients' tunnels"),
    ("too_many_bodies", "other bodies that are held"),
    ("out_of_descriptors", "a process that has run out of them"),
    ("draining", "a stop in progress"),
    ("upstream_unreachable", "an upstream"),
    ("upstream_proxy", "a proxy before an upstream"),
    ("upstream_tls", "an upstream's certificate"),
    ("upstream_untrusted", "an upstream's socket"),
    ("upstream_unprocessed", "an upstream's word"),
    ("upstream_closed", "an upstream's connection"),
    ("upstream_protocol", "an upstream's answer"),
    ("upstream_timeout", "an upstream that is late"),
    ("reply_untrusted", "an upstream's answer"),
    ("private_address", "the address that a name leads to"),
    ("loop", "the address that an upstream's name leads to"),
];
