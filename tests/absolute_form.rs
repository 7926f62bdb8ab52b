//! Absolute-form requests through the forward listener, as `HTTP_PROXY` clients send them.

use crate::support::client::Client;
use crate::support::config;
use crate::support::origin::{Origin, metasv, providers};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, SINOHOPE, Stage, get, post};
use crate::support::verify::Arrived;

#[test]
fn targets_reach_the_provider_byte_for_byte_and_signed() {
    let stage = Stage::new("");
    let mut client = stage.client();
    let table = [
        "/",
        "//",
        "/a//b/../c/./d",
        "/..%2F..%2fetc",
        "/%zz%",
        "/a+b?c+d=e%20f",
        "/{id}?x={y}&[z]",
        "/path?",
        "/?&&==&",
        "/q?a=1?b=2",
        "/%E2%82%AC?%e2%82%ac=1",
        "/;p=1,2:@!$'()*~",
    ];
    for host in [METASV, SINOHOPE] {
        for target in table {
            let reply = client.exchange(get(&format!("{host}{target}")));
            assert_eq!(reply.status, 200, "{host}{target}: {}", reply.json());
        }
    }
    let targets: Vec<_> = stage.origin.arrived().into_iter().map(|one| one.target).collect();
    assert_eq!(targets, [table, table].concat());
}

#[test]
fn a_url_without_a_path_asks_for_the_root() {
    let stage = Stage::new("");
    for (rest, target) in [("", "/"), ("?", "/?"), ("?b=2&a=1", "/?b=2&a=1")] {
        for host in [METASV, SINOHOPE] {
            let reply = stage.exchange(get(&format!("{host}{rest}")));
            assert_eq!(reply.status, 200, "{host}{rest}: {}", reply.json());
            let arrived = stage.origin.arrived();
            assert_eq!(arrived.last().map(|one| one.target.as_str()), Some(target));
        }
    }
}

#[test]
fn the_target_decides_the_host_in_every_spelling() {
    let stage = Stage::new("");
    for authority in [
        "apiv2.metasv.com",
        "APIV2.MetaSV.com",
        "apiv2.metasv.com.",
        "apiv2.metasv.com:80",
        "apiv2.metasv.com:443",
        "apiv2.metasv.com:",
    ] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{authority}/x");
            assert_eq!(stage.exchange(get(&url)).status, 200, "{url}");
        }
    }
    let arrived = stage.origin.arrived();
    assert_eq!(arrived.len(), 12);
    for request in arrived {
        assert_eq!(request.values("Host"), ["apiv2.metasv.com"]);
    }
}

#[test]
fn the_clients_own_provider_headers_are_replaced() {
    let stage = Stage::new("");
    let table = [
        (
            METASV,
            &["MetaSV-Client-Pubkey", "MetaSV-Timestamp", "MetaSV-Nonce", "MetaSV-Signature"]
                as &[_],
        ),
        (SINOHOPE, &["BIZ-API-KEY", "BIZ-API-NONCE", "BIZ-API-SIGNATURE"]),
    ];
    for (host, names) in table {
        let mut head = format!("GET {host}/x HTTP/1.1\r\nHost: h\r\n");
        for name in names {
            let (upper, lower) = (name.to_uppercase(), name.to_lowercase());
            head += &format!("{name}: forged\r\n{upper}: forged\r\n{lower}: forged\r\n");
        }
        // The verifiers insist on each being there once.
        let reply = stage.exchange(format!("{head}Authorization: Bearer forged\r\n\r\n"));
        assert_eq!(reply.status, 200, "{host}: {}", reply.json());
        let arrived = stage.origin.arrived();
        let arrived = arrived.last().expect("it arrived");
        // Authorization is MetaSV's own; with Sinohope it is the client's business.
        let forged = arrived.headers.iter().filter(|(_, value)| value.contains("forged"));
        assert_eq!(forged.count(), usize::from(host == SINOHOPE), "{arrived:?}");
    }
}

#[test]
fn what_concerns_one_connection_or_tells_of_the_client_stays_here() {
    let stage = Stage::new("");
    let gone = [
        ("Connection", "keep-alive, X-Listed"),
        ("connection", "x-also-listed, Host, Content-Length"),
        ("X-Listed", "1"),
        ("X-Also-Listed", "1"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Trailer", "X-Sum"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic eA=="),
        ("Proxy-Authenticate", "Basic"),
        ("Countersign-Token", "t"),
        ("Forwarded", "for=10.0.0.1"),
        ("Via", "1.1 other"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Host", "h"),
        ("X-Forwarded-Proto", "http"),
        ("X-Real-IP", "10.0.0.1"),
    ];
    let kept = [("X-Twice", "1"), ("X-Twice", "2"), ("Accept", "*/*"), ("Cookie", "a=b")];
    let mut head = format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n");
    for (name, value) in gone.iter().chain(&kept) {
        head += &format!("{name}: {value}\r\n");
    }
    let reply = stage.exchange(head + "\r\n{ \"a\": 1}");
    assert_eq!(reply.status, 200, "{}", reply.json());
    let [arrived] = stage.origin.arrived().try_into().expect("one request arrived");
    assert_eq!(arrived.body, b"{ \"a\": 1}");
    for (name, _) in gone {
        assert!(arrived.values(name).is_empty(), "{name}: {arrived:?}");
    }
    assert_eq!(arrived.values("X-Twice"), ["1", "2"]);
    assert_eq!(arrived.values("Accept"), ["*/*"]);
    assert_eq!(arrived.values("Cookie"), ["a=b"]);
    assert_eq!(arrived.values("Host"), ["api.sinohope.com"]);
    assert_eq!(arrived.values("Content-Length"), ["9"]);
    // The four kept, what a message must have, and the three that sign; nothing was invented.
    assert_eq!(arrived.headers.len(), kept.len() + 2 + 3, "{arrived:?}");
}

#[test]
fn a_provider_behind_tls_is_reached_by_the_name_in_its_certificate() {
    let table: [(&[&str], Option<&str>, bool); 5] = [
        (&["apiv2.metasv.com"], Some("apiv2.metasv.com"), true),
        // Without server_name the name is that of the URL.
        (&["127.0.0.1"], None, true),
        (&["apiv2.metasv.com"], None, false),
        (&["127.0.0.1"], Some("apiv2.metasv.com"), false),
        (&["api.sinohope.com"], Some("apiv2.metasv.com"), false),
    ];
    for (names, server_name, good) in table {
        let origin = Origin::start_tls(names, metasv("test-a"));
        let named = "server_name = \"apiv2.metasv.com\"\n";
        let written = server_name.map(|name| format!("server_name = \"{name}\"\n"));
        let tables = config::metasv(&origin.url(), origin.ca());
        let tables = tables.replace(named, written.as_deref().unwrap_or_default());
        let proxy = Proxy::start(&config::proxy(&[tables]));
        let reply = Client::connect(proxy.forward_url()).exchange(get(&format!("{METASV}/x")));
        assert_eq!(origin.begun(), usize::from(good), "{names:?} {server_name:?}");
        assert_eq!(reply.status == 200, good, "{names:?} {server_name:?}: {}", reply.json());
        if !good {
            assert_eq!((reply.status, &reply.json()["code"]), (502, &"upstream_tls".into()));
        }
    }
}

#[test]
fn an_authority_that_is_not_the_configured_one_is_not_trusted() {
    let (origin, other) = (tls_origin(), tls_origin());
    let tables = config::metasv(&origin.url(), other.ca());
    let proxy = Proxy::start(&config::proxy(&[tables]));
    let reply = Client::connect(proxy.forward_url()).exchange(get(&format!("{METASV}/x")));
    assert_eq!((reply.status, &reply.json()["code"]), (502, &"upstream_tls".into()));
    assert_eq!(origin.begun(), 0);
}

fn tls_origin() -> Origin {
    Origin::start_tls(&["apiv2.metasv.com"], metasv("test-a"))
}

#[test]
fn the_upstreams_base_path_is_part_of_what_is_signed() {
    let origin = Origin::start(providers());
    let base = format!("{}/wallet/v2", origin.url());
    let tables = [config::metasv(&base, None), config::sinohope(&base, None)];
    let proxy = Proxy::start(&config::proxy(&tables));
    let mut client = Client::connect(proxy.forward_url());
    let table = [("", "/"), ("/", "/"), ("/x//%2F?a=1", "/x//%2F?a=1"), ("?a=1", "/?a=1")];
    for (asked, sent) in table {
        for host in [METASV, SINOHOPE] {
            let reply = client.exchange(get(&format!("{host}{asked}")));
            assert_eq!(reply.status, 200, "{host}{asked}: {}", reply.json());
            let arrived = origin.arrived().pop().expect("it arrived");
            assert_eq!(arrived.target, format!("/wallet/v2{sent}"));
        }
    }
}

#[test]
fn connections_are_used_again_on_both_sides() {
    // Where each core has a pool of its own, the second client's requests have another.
    let stage = Stage::new(config::ONE_POOL);
    let mut first = stage.client();
    for _ in 0..3 {
        assert_eq!(first.exchange(post(&format!("{SINOHOPE}/x"), "{}")).status, 200);
    }
    assert_eq!(stage.exchange(get(&format!("{SINOHOPE}/x"))).status, 200);
    assert_eq!((stage.origin.arrived().len(), stage.origin.connections()), (4, 1));
}

#[test]
fn one_byte_changed_behind_the_proxy_is_one_too_many() {
    type Flip = fn(&mut Arrived);
    let flips: [(&str, Flip); 4] = [
        ("nothing", |_| ()),
        ("the path", |request| request.target = request.target.replacen("/b", "/c", 1)),
        ("the query", |request| request.target = request.target.replacen("=1", "=2", 1)),
        ("the body", |request| request.body.iter_mut().take(1).for_each(|byte| *byte ^= 1)),
    ];
    // What each request has signed of it.
    let table = [
        (get(&format!("{METASV}/a/b?c=1")), vec!["the path"]),
        (get(&format!("{SINOHOPE}/a/b?c=1")), vec!["the path", "the query"]),
        (post(&format!("{SINOHOPE}/a/b?c=1"), "{}"), vec!["the path", "the body"]),
    ];
    for (flipped, flip) in flips {
        let verify = providers();
        let stage = Stage::with(
            Box::new(move |request| {
                let mut changed = request.clone();
                flip(&mut changed);
                verify(&changed)
            }),
            "",
        );
        for (request, signed) in &table {
            let reply = stage.exchange(request);
            let reason = reply.json()["reason"].to_string();
            let expected = if signed.contains(&flipped) { 401 } else { 200 };
            assert_eq!(reply.status, expected, "{flipped} of {request}: {reason}");
            assert!(expected == 200 || reason.contains("signature is not valid"), "{reason}");
        }
    }
}
