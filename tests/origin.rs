//! The stand-in provider itself: what it records is the base of every other test, so it has to be
//! exactly what was on the wire.

use crate::support::client::{Client, curl};
use crate::support::origin::{Answer, Origin, echo, metasv, scripted, sinohope, verifying};
use crate::support::verify::{Accepted, Arrived};

#[test]
fn an_origin_keeps_target_names_order_and_duplicates_as_sent() {
    let origin = Origin::start(echo());
    let mut client = Client::connect(&origin.url());
    let target = "/a%2fb/../c//?x=1&x=+%zz&&y";
    let head = format!("GET {target} HTTP/1.1\r\nHOST: h\r\nx-Two: 1\r\nX-tWO:  2 \r\nA:\r\n\r\n");
    let reply = client.exchange(head);

    let expected = [("HOST", "h"), ("x-Two", "1"), ("X-tWO", "2"), ("A", "")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    assert_eq!((reply.status, reply.json()["target"].as_str()), (200, Some(target)));
    let [arrived] = origin.arrived().try_into().expect("one request arrived");
    assert_eq!((arrived.method.as_str(), arrived.target.as_str()), ("GET", target));
    assert_eq!(arrived.headers, expected);
}

#[test]
fn an_origin_reads_bodies_of_every_framing_on_one_connection() {
    let origin = Origin::start(echo());
    let mut client = Client::connect(&origin.url());
    let chunked = "3;name=x\r\n\r\n0\r\nb\r\n0123456789a\r\n0\r\nTrailer: x\r\n\r\n";
    let table: [(&str, &str, &[u8]); 4] = [
        ("Content-Length: 5\r\n", "{ \n }", b"{ \n }"),
        ("Transfer-Encoding: chunked\r\n", chunked, b"\r\n00123456789a"),
        ("Content-Length: 0\r\n", "", b""),
        ("", "", b""),
    ];
    for (header, sent, _) in table {
        let reply = client.exchange(format!("POST / HTTP/1.1\r\nHost: h\r\n{header}\r\n{sent}"));
        assert_eq!(reply.status, 200, "{header:?}: {}", reply.json());
    }
    let bodies: Vec<Vec<u8>> = origin.arrived().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, table.map(|(_, _, body)| body.to_vec()));
    assert_eq!(origin.connections(), 1);
}

#[test]
fn an_origin_asks_for_a_body_that_is_held_back() {
    let origin = Origin::start(echo());
    let mut client = Client::connect(&origin.url());
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(client.exchange(head).status, 100);
    assert!(origin.arrived().is_empty(), "the request is not complete");
    assert_eq!(client.exchange("hi").json()["body"], "hi");
}

#[test]
fn an_origin_refuses_what_it_cannot_read() {
    let origin = Origin::start(echo());
    let table = [
        "nonsense\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ];
    for request in table {
        assert_eq!(Client::connect(&origin.url()).exchange(request).status, 400, "{request:?}");
    }
    assert!(origin.arrived().is_empty());
}

#[test]
fn an_origin_behaves_oddly_where_it_is_told_to() {
    let origin = Origin::start(scripted(echo()));
    let get = |path: &str| {
        let mut client = Client::connect(&origin.url());
        client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        client.try_reply()
    };
    let chunked = get("/chunked").expect("it answers");
    assert_eq!(chunked.body, b"first second");
    assert_eq!(chunked.trailers, [("X-Checksum".to_owned(), "12".to_owned())]);
    assert_eq!(get("/big/100000").expect("it answers").body.len(), 100_000);
    assert_eq!(get("/else").expect("it answers").json()["target"], "/else");
    let truncated = get("/truncate").expect_err("it is cut off").to_string();
    assert!(truncated.contains("10 of 1000"), "{truncated}");
    let dropped = get("/drop").expect_err("there is no answer").to_string();
    assert!(dropped.contains("without an answer"), "{dropped}");
    assert_eq!(origin.await_arrived(5).len(), 5);
}

#[test]
fn an_origin_can_answer_before_the_body_and_leave_it_unread() {
    let origin = Origin::start(scripted(echo()));
    let mut client = Client::connect(&origin.url());
    let head = "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n";
    assert_eq!(client.exchange(head).status, 401);
    client.send("the connection is still open");
    assert!(origin.arrived().iter().all(|request| request.body.is_empty()));
}

#[test]
fn an_origin_that_is_dropped_ends_the_requests_it_never_answered() {
    let origin = Origin::start(scripted(echo()));
    let mut client = Client::connect(&origin.url());
    client.send("GET /slow-head HTTP/1.1\r\nHost: h\r\n\r\n");
    origin.await_arrived(1);
    drop(origin);
    assert!(client.try_reply().is_err());
}

#[test]
fn an_origin_speaks_tls_to_those_who_trust_its_authority() {
    let origin = Origin::start_tls(&["api.sinohope.com", "127.0.0.1"], echo());
    let ca = origin.ca().expect("an origin with TLS has an authority").to_owned();
    let port = origin.url().rsplit(':').next().expect("the url has a port").to_owned();
    let url = format!("https://api.sinohope.com:{port}/x");
    let resolve = format!("api.sinohope.com:{port}:127.0.0.1");
    let trusting = [url.as_str(), "--resolve", &resolve, "--cacert", &ca.display().to_string()];
    let output = curl(trusting);
    assert!(output.status.success(), "{output:?}");
    assert!(!curl([url.as_str(), "--resolve", &resolve]).status.success());
    assert_eq!(origin.arrived().len(), 1);
}

#[test]
fn a_verifying_origin_refuses_with_the_reason() {
    let unsigned = "GET /v1/test HTTP/1.1\r\nHost: h\r\n\r\n";
    let table = [
        (sinohope("test-p256"), 401, "BIZ-API-KEY is there 0 times, not once"),
        (metasv("test-a"), 401, "MetaSV-Client-Pubkey is there 0 times, not once"),
        (verifying(|_: &Arrived| Err("never".to_owned())), 401, "never"),
    ];
    for (handler, status, reason) in table {
        let origin = Origin::start(handler);
        let reply = Client::connect(&origin.url()).exchange(unsigned);
        let given = reply.json();
        assert_eq!((reply.status, given["reason"].as_str()), (status, Some(reason)));
    }
    let origin =
        Origin::start(verifying(|request| Ok(Accepted { canonical: request.path().to_owned() })));
    let reply = Client::connect(&origin.url()).exchange(unsigned);
    assert_eq!((reply.status, reply.json()["canonical"].as_str()), (200, Some("/v1/test")));
}

#[test]
fn an_answer_to_head_has_a_length_and_no_body() {
    let answer = || Answer::Whole { status: 200, headers: Vec::new(), body: b"four".to_vec() };
    let origin = Origin::start(Box::new(move |_| answer()));
    let mut client = Client::connect(&origin.url());
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let cut = client.try_reply().expect_err("the announced bytes do not come").to_string();
    assert!(cut.contains("0 of 4"), "{cut}");
}
