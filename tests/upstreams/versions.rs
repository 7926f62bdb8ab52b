//! HTTP/2 where the provider offers it: signed for the routed host, streamed, shared.

use std::thread;

use super::{ask, ask_at, metasv, trusting};
use crate::support::authority::{Authority, serve};
use crate::support::client::Client;
use crate::support::config;
use crate::support::h2_client::{DATA, Http2};
use crate::support::h2_origin::H2Origin;
use crate::support::origin::{self, Origin, digest, providers};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, SINOHOPE, get, post};

#[test]
fn a_provider_that_offers_http_2_gets_it_signed_for_the_routed_host() {
    let origin = H2Origin::start(&["127.0.0.1"], providers());
    let ca = format!("ca = \"{}\"\n", origin.ca().display());
    let tables = [
        config::sinohope(&format!("{}/base", origin.url()), None),
        ca.clone(),
        config::metasv(&origin.url(), None),
        ca,
    ];
    let proxy = Proxy::start(&config::proxy(&tables));
    let mut client = Client::connect(proxy.forward_url());
    let requests = [
        get(&format!("{METASV}/v1//a/../b?x=%7e&&y")),
        post(METASV, "{ \"a\": 1 }"),
        get(&format!("{SINOHOPE}/v1/x?b=2&a=1")),
        post(SINOHOPE, "{ \"a\": 1 }"),
    ];
    for request in &requests {
        let reply = client.exchange(request);
        assert_eq!(reply.status, 200, "{request}: {}", reply.json());
    }
    let arrived = origin.arrived();
    let seen: Vec<_> = arrived
        .iter()
        .map(|request| (request.once(":authority").expect("one"), request.target.as_str()))
        .collect();
    let expected = [
        ("apiv2.metasv.com", "/v1//a/../b?x=%7e&&y"),
        ("apiv2.metasv.com", "/"),
        ("api.sinohope.com", "/base/v1/x?b=2&a=1"),
        ("api.sinohope.com", "/base/"),
    ];
    assert_eq!(seen, expected);
    assert!(arrived.iter().all(|request| request.values("host").is_empty()));
    assert_eq!(arrived[1].body, b"{ \"a\": 1 }");
    // A pool has a place for every host that is named.
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_provider_that_offers_only_http_1_1_gets_that() {
    for protocols in [&["http/1.1"][..], &[]] {
        let authority = Authority::new();
        let tls = serve(authority.issue(&["apiv2.metasv.com"], |_| ()), protocols, None);
        let origin = Origin::start_tls_with(tls, &authority.pem(), origin::metasv("test-a"));
        let ca = origin.ca().expect("it has one");
        let proxy = Proxy::start(&metasv(&origin.url(), &trusting(ca)));
        assert_eq!(ask(&proxy, "/x").status, 200);
        assert_eq!(ask(&proxy, "/y").status, 200);
        let [first, _] = origin.arrived().try_into().expect("two requests arrived");
        assert_eq!(first.values("Host"), ["apiv2.metasv.com"]);
        assert_eq!(origin.connections(), 1);
    }
}

#[test]
fn many_requests_share_a_connection() {
    let origin = H2Origin::start(&["apiv2.metasv.com"], origin::metasv("test-a"));
    let proxy = Proxy::start(&metasv(&origin.url(), &trusting(origin.ca())));
    assert_eq!(ask(&proxy, "/first").status, 200);
    let (before, url) = (origin.connections(), proxy.forward_url());
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..50).map(|_| scope.spawn(|| ask_at(url, "/held").status)).collect();
        crate::support::wait::eventually("all are under way at once", || origin.begun() == 51);
        origin.release();
        for client in clients {
            assert_eq!(client.join().expect("the client does not panic"), 200);
        }
    });
    assert_eq!((origin.arrived().len(), before, origin.connections()), (51, 1, 1));
}

#[test]
fn bodies_of_every_framing_stream_through_http_2_intact() {
    let origin = H2Origin::start(&["apiv2.metasv.com"], origin::metasv("test-a"));
    let proxy = Proxy::start(&metasv(&origin.url(), &trusting(origin.ca())));
    let body: Vec<u8> =
        (0..3_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut client = Client::connect(proxy.forward_url());
    let head = format!("POST {METASV}/sink HTTP/1.1\r\nHost: h\r\n");
    client.send(format!("{head}Content-Length: {}\r\n\r\n", body.len()));
    client.send(&body);
    assert_eq!(client.reply().status, 200);
    client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
    for piece in body.chunks(100_000) {
        client.send(format!("{:x}\r\n", piece.len()));
        client.send(piece);
        client.send("\r\n");
    }
    assert_eq!(client.exchange("0\r\n\r\n").status, 200);
    let [stated, chunked] = origin.arrived().try_into().expect("two requests arrived");
    for request in [&stated, &chunked] {
        assert_eq!(String::from_utf8_lossy(&request.body), digest(&body));
        assert!(request.values("transfer-encoding").is_empty());
    }
    assert_eq!(stated.values("content-length"), [body.len().to_string()]);
    assert!(chunked.values("content-length").is_empty());
}

#[test]
fn fields_behind_a_body_do_not_go_on_unsigned() {
    let origin = H2Origin::start(&["apiv2.metasv.com"], origin::metasv("test-a"));
    let proxy = Proxy::start(&metasv(&origin.url(), &trusting(origin.ca())));
    let chunked = format!(
        "POST {METASV}/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: x-late\r\n\r\n\
         3\r\nabc\r\n0\r\nx-late: 1\r\n\r\n"
    );
    assert_eq!(Client::connect(proxy.forward_url()).exchange(chunked).status, 200);
    let url = proxy.gateway_url();
    let mut client = Http2::begin(Client::connect(url), &[]);
    let host = url.trim_start_matches("http://");
    let head =
        [(":method", "POST"), (":scheme", "http"), (":authority", host), (":path", "/metasv/x")];
    client.head(1, &head, false);
    client.send(DATA, 0, 1, b"abc");
    client.head(1, &[("x-late", "1")], true);
    assert_eq!(client.end(1).status(), Some(200));
    let arrived = origin.arrived();
    assert_eq!(arrived.iter().map(|one| &one.body[..]).collect::<Vec<_>>(), [b"abc", b"abc"]);
    assert_eq!(origin.trailers(), 0);
}
