//! Bodies that are held whole because the signature covers them: limits, deadlines, framing.

use std::io::Write;

use crate::support::stage::{METASV, SINOHOPE, Stage, get, post};
use crate::support::wait::eventually;

#[test]
fn a_signed_body_arrives_with_its_length_however_it_was_framed() {
    let stage = Stage::new("");
    let mut client = stage.client();
    let chunked = "4;name=x\r\n{ \"a\r\n7\r\n\" : 1 }\r\n0\r\nX-Trailer: x\r\n\r\n";
    let table = [
        ("Content-Length: 11\r\n", "{ \"a\" : 1 }", "{ \"a\" : 1 }"),
        ("Transfer-Encoding: chunked\r\n", chunked, "{ \"a\" : 1 }"),
        ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", ""),
        ("Content-Length: 0\r\n", "", ""),
        ("", "", ""),
    ];
    for (headers, sent, body) in table {
        let head = format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
        let reply = client.exchange(head + sent);
        assert_eq!(reply.status, 200, "{headers:?}: {}", reply.json());
        let arrived = stage.origin.arrived().pop().expect("it arrived");
        assert_eq!(arrived.body, body.as_bytes(), "{headers:?}");
        assert_eq!(arrived.values("Content-Length"), [body.len().to_string()], "{headers:?}");
        assert!(arrived.values("Transfer-Encoding").is_empty(), "{headers:?}");
        assert!(arrived.values("X-Trailer").is_empty(), "{headers:?}");
    }
}

#[test]
fn a_body_of_the_limit_is_signed_and_one_byte_more_is_refused() {
    let stage = Stage::new(LIMIT);
    for (length, status) in [(1024, 200), (1025, 413)] {
        let body = "x".repeat(length);
        let stated = post(&format!("{SINOHOPE}/x"), &body);
        let (head, _) = stated.split_once("Content-Length").expect("it states its length");
        let chunked =
            format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n");
        for request in [stated.clone(), chunked] {
            let reply = stage.exchange(request);
            assert_eq!(reply.status, status, "{length}: {}", reply.json());
            if status == 413 {
                assert_eq!(reply.json()["code"], "body_too_large");
            }
        }
    }
    assert_eq!(stage.origin.begun(), 2);
    // What is not signed may be longer.
    let reply = stage.exchange(post(&format!("{METASV}/x"), &"x".repeat(1025)));
    assert_eq!(reply.status, 200, "{}", reply.json());
}

#[test]
fn a_body_that_is_held_back_is_asked_for_only_when_it_may_come() {
    let stage = Stage::new(LIMIT);
    let head = |length: usize| {
        format!(
            "POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\
             Expect: 100-continue\r\n\r\n"
        )
    };
    let mut client = stage.client();
    let reply = client.exchange(head(1025));
    assert_eq!((reply.status, &reply.json()["code"]), (413, &"body_too_large".into()));
    client.await_end();
    assert_eq!(stage.origin.connections(), 0);

    let mut client = stage.client();
    assert_eq!(client.exchange(head(4)).status, 100);
    assert_eq!(stage.origin.connections(), 0, "there is nothing to send yet");
    let reply = client.exchange("{ }\n");
    assert_eq!(reply.status, 200, "{}", reply.json());
    let arrived = stage.origin.arrived().pop().expect("it arrived");
    assert_eq!(arrived.body, b"{ }\n");
    assert!(arrived.values("Expect").is_empty(), "{arrived:?}");
    // The connection goes on.
    assert_eq!(client.exchange(get(&format!("{SINOHOPE}/x"))).status, 200);
}

#[test]
fn a_client_that_sends_too_much_without_asking_can_still_read_why_not() {
    let stage = Stage::new(LIMIT);
    let head = |length: usize| {
        format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n")
    };
    // One that reads only after it has written everything is not cut off while it writes.
    let mut client = stage.client();
    client.send(head(512 << 10));
    eventually("it is refused", || stage.proxy.output().contains("body_too_large"));
    for _ in 0..128 {
        client.send([b'x'; 4 << 10]);
    }
    assert_eq!(client.reply().json()["code"], "body_too_large");
    assert_eq!(client.await_end(), b"");

    // One that never ends is, and has its answer by then.
    let mut client = stage.client();
    let mut writer = client.writer();
    let request = [head(64 << 20).into_bytes(), vec![b'x'; 64 << 20]].concat();
    let sending = std::thread::spawn(move || writer.write_all(&request));
    assert_eq!(client.reply().json()["code"], "body_too_large");
    client.await_end();
    assert!(sending.join().expect("the writer does not panic").is_err());
    assert_eq!(stage.origin.connections(), 0);
}

#[test]
fn a_body_that_grows_past_the_limit_is_refused_while_it_grows() {
    let stage = Stage::new(LIMIT);
    let mut client = stage.client();
    client.send(format!(
        "POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
    let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));
    client.send(chunk.repeat(2));
    client.send("1\r\nx\r\n");
    // The body has no end yet.
    let reply = client.reply();
    assert_eq!((reply.status, &reply.json()["code"]), (413, &"body_too_large".into()));
    client.await_end();
    assert_eq!(stage.origin.connections(), 0);
}

#[test]
fn a_compressed_body_cannot_be_signed_and_streams_where_it_need_not_be() {
    let stage = Stage::new("");
    let table = [
        ("gzip", 415),
        ("GZIP", 415),
        ("identity, gzip", 415),
        ("identity\r\nContent-Encoding: gzip", 415),
        ("br", 415),
        ("", 200),
        ("identity", 200),
    ];
    for (encoding, status) in table {
        for (host, status) in [(SINOHOPE, status), (METASV, 200)] {
            let header = format!("Content-Encoding: {encoding}\r\n");
            let header = if encoding.is_empty() { "" } else { &header };
            let reply = stage.exchange(format!(
                "POST {host}/x HTTP/1.1\r\nHost: h\r\n{header}Content-Length: 3\r\n\r\n\x1f\u{8}\0"
            ));
            assert_eq!(reply.status, status, "{host} {encoding:?}: {}", reply.json());
            if status == 415 {
                assert_eq!(reply.json()["code"], "body_encoded");
                continue;
            }
            let arrived = stage.origin.arrived().pop().expect("it arrived");
            assert_eq!(arrived.body, b"\x1f\x08\0");
        }
    }
}

#[test]
fn a_body_that_stops_half_way_is_not_waited_for_for_ever() {
    let stage = Stage::new("[timeouts]\nrequest_body = \"300ms\"\n");
    let halves = [
        "Content-Length: 10\r\n\r\nhalf",
        "Content-Length: 10\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "Transfer-Encoding: chunked\r\n\r\n8\r\nhalf",
    ];
    for half in halves {
        let mut client = stage.client();
        let reply = client.exchange(format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\n{half}"));
        assert_eq!((reply.status, &reply.json()["code"]), (408, &"body_too_slow".into()));
        client.await_end();
    }
    assert_eq!(stage.origin.connections(), 0);
}

#[test]
fn a_body_whose_client_leaves_half_way_is_sent_nowhere() {
    let stage = Stage::new("");
    let halves = [
        "Content-Length: 10\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
    ];
    for half in halves {
        let client = {
            let mut client = stage.client();
            client.send(format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\n{half}"));
            client
        };
        stage.proxy.await_read(&client);
        drop(client);
    }
    let over = || stage.proxy.output().lines().filter(|line| line.contains("method=POST")).count();
    eventually("all are over", || over() == halves.len());
    assert_eq!(stage.origin.connections(), 0);
    // None of them was passed on, and none is counted as if it had been.
    let refused = "countersign_requests_total{route=\"sinohope\",outcome=\"refused\"}";
    stage.proxy.await_metric(refused, 3);
    assert_eq!(stage.proxy.metric("countersign_refusals_total{code=\"body_incomplete\"}"), 3);
}

#[test]
fn a_client_that_ends_its_sending_half_way_is_told_so() {
    let stage = Stage::new("");
    let mut client = stage.client();
    client.send(format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf"));
    client.finish();
    let reply = client.reply();
    assert_eq!((reply.status, &reply.json()["code"]), (400, &"body_incomplete".into()));
    assert_eq!(stage.origin.connections(), 0);
}

const LIMIT: &str = "[limits]\nsigned_body = \"1KiB\"\n";
