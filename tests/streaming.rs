//! Bodies that stream because the signature leaves them out: whole, at once, with deadlines, and
//! in little memory.

use std::io::Write;
use std::net::TcpListener;
use std::thread;

use crate::support::client::Client;
use crate::support::config;
use crate::support::h2_client::{DATA, END_STREAM, Http2};
use crate::support::origin::digest;
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, Stage, get};
use crate::support::wait::eventually;

#[test]
fn a_large_body_streams_through_intact_and_signed() {
    let stage = Stage::new("[limits]\nsigned_body = \"1KiB\"\n");
    let body: Vec<u8> =
        (0..8_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut client = stage.client();
    client.send(format!("{SINK}Content-Length: {}\r\n\r\n", body.len()));
    client.send(&body);
    assert_eq!(client.reply().status, 200);
    // Again without a stated length, on the same connection.
    client.send(format!("{SINK}Transfer-Encoding: chunked\r\n\r\n"));
    for piece in body.chunks(100_000) {
        client.send(format!("{:x}\r\n", piece.len()));
        client.send(piece);
        client.send("\r\n");
    }
    let reply = client.exchange("0\r\n\r\n");
    assert_eq!(reply.status, 200, "{}", reply.json());

    let [stated, chunked] = stage.origin.arrived().try_into().expect("two requests arrived");
    for request in [&stated, &chunked] {
        assert_eq!(String::from_utf8_lossy(&request.body), digest(&body));
    }
    assert_eq!(stated.values("Content-Length"), [body.len().to_string()]);
    assert!(chunked.values("Content-Length").is_empty());
    assert_eq!(chunked.values("Transfer-Encoding"), ["chunked"]);
}

#[test]
fn the_first_bytes_arrive_before_the_last_are_sent() {
    for framing in ["Content-Length: 8\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n4\r\n"] {
        let stage = Stage::new("");
        let mut client = stage.client();
        client.send(format!("{SINK}{framing}half"));
        eventually("the first half arrives", || stage.origin.passed() == 4);
        assert!(stage.origin.arrived().is_empty());
        let chunked = framing.contains("chunked");
        let reply = client.exchange(if chunked { "\r\n4\r\nhalf\r\n0\r\n\r\n" } else { "half" });
        assert_eq!(reply.status, 200, "{}", reply.json());
        let arrived = stage.origin.arrived().pop().expect("it arrived");
        assert_eq!(String::from_utf8_lossy(&arrived.body), digest(b"halfhalf"));
    }
}

#[test]
fn a_body_that_is_held_back_is_asked_for_and_streams() {
    let stage = Stage::new("");
    let mut client = stage.client();
    let head = format!("{SINK}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.exchange(head).status, 100);
    assert_eq!(client.exchange("body").status, 200);
    let arrived = stage.origin.arrived().pop().expect("it arrived");
    assert!(arrived.values("Expect").is_empty(), "{arrived:?}");
}

#[test]
fn a_streamed_body_that_stands_still_never_looks_complete() {
    let stage = Stage::new(IDLE);
    for half in HALVES {
        let mut client = stage.client();
        let reply = client.exchange(format!("{SINK}{half}"));
        assert_eq!((reply.status, &reply.json()["code"]), (408, &"body_too_slow".into()));
        client.await_end();
        eventually("the origin's connection is closed", || stage.origin.open() == 0);
    }
    assert_eq!((stage.origin.begun(), stage.origin.arrived().len()), (HALVES.len(), 0));
}

#[test]
fn a_streamed_body_whose_client_leaves_never_looks_complete() {
    let stage = Stage::new("");
    for (number, half) in HALVES.into_iter().enumerate() {
        let mut client = stage.client();
        client.send(format!("{SINK}{half}"));
        eventually("its first half arrives", || stage.origin.passed() == 4 * (number + 1));
        drop(client);
        eventually("the origin's connection is closed", || stage.origin.open() == 0);
    }
    assert_eq!((stage.origin.begun(), stage.origin.arrived().len()), (HALVES.len(), 0));
}

#[test]
fn an_answer_before_the_end_of_an_upload_reaches_the_client_and_ends_it() {
    let stage = Stage::new("");
    assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
    let before = stage.proxy.descriptors();
    for _ in 0..3 {
        let mut client = stage.client();
        let mut writer = client.writer();
        let sending = thread::spawn(move || {
            let length = 64 << 20;
            let head = format!(
                "POST {METASV}/early HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n"
            );
            writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&vec![b'x'; length]))
        });
        let reply = client.reply();
        assert_eq!((reply.status, &reply.json()["reason"]), (401, &"not even read".into()));
        client.await_end();
        let sent = sending.join().expect("the writer does not panic");
        assert!(sent.is_err(), "nobody has read all of it");
    }
    // One connection to the origin stays for the next request; those left half way do not.
    eventually("descriptors go back", || stage.proxy.descriptors() <= before);
    assert_eq!(stage.origin.arrived().len(), 4);
}

#[test]
fn a_client_that_does_not_read_its_answer_is_let_go() {
    let stage = Stage::new(IDLE);
    let mut client = stage.client();
    client.send(get(&format!("{METASV}/big/1000000000")));
    assert_eq!(client.take(9), b"HTTP/1.1 ");
    eventually("the origin's connection is closed", || stage.origin.open() == 0);
    assert!(client.try_reply().is_err(), "what came is not all");
}

#[test]
fn a_provider_that_does_not_read_an_upload_is_let_go() {
    // It accepts nothing: the system completes the connection and keeps the first bytes.
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", deaf.local_addr().expect("it is bound"));
    let idle = IDLE.replace("300ms", "1s");
    let proxy = Proxy::start(&config::proxy(&[config::metasv(&url, None), idle]));
    let mut client = Client::connect(proxy.forward_url());
    let mut writer = client.writer();
    let body = vec![b'x'; 64 << 20];
    let sending = thread::spawn(move || {
        let head = format!("{SINK}Content-Length: {}\r\n\r\n", body.len());
        writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&body))
    });
    let reply = client.reply();
    assert_eq!((reply.status, &reply.json()["code"]), (504, &"upstream_timeout".into()));
    client.await_end();
    assert!(sending.join().expect("the writer does not panic").is_err());
}

#[test]
fn memory_does_not_grow_with_the_body() {
    let stage = Stage::new("");
    let (block, count) = (vec![b'x'; 1 << 20], 256);
    let upload = |count: usize| {
        let mut client = stage.client();
        client.send(format!("{SINK}Content-Length: {}\r\n\r\n", count << 20));
        for _ in 0..count {
            client.send(&block);
        }
        assert_eq!(client.reply().status, 200);
    };
    upload(1);
    let before = stage.proxy.peak_kib();
    upload(count);
    let grown = stage.proxy.peak_kib() - before;
    assert_eq!(stage.origin.passed(), (count + 1) << 20);
    assert!(grown < 16 << 10, "it grew by {grown} KiB");
}

const SINK: &str = "POST http://apiv2.metasv.com/sink HTTP/1.1\r\nHost: h\r\n";
const IDLE: &str = "[timeouts]\nbody_idle = \"300ms\"\n";
const HALVES: [&str; 3] = [
    "Content-Length: 10\r\n\r\nhalf",
    "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "Transfer-Encoding: chunked\r\n\r\n8\r\nhalf",
];

#[test]
fn a_body_of_unknown_length_arrives_whole_whatever_the_method() {
    let stage = Stage::new("");
    let methods = ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "REPORT"];
    for method in methods {
        let mut client = stage.client();
        client.send(format!(
            "{method} {METASV}/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        ));
        assert_eq!(client.bare_reply().status, 200, "{method}");
        let mut client = Http2::begin(Client::connect(stage.proxy.gateway_url()), &[]);
        let host = stage.proxy.gateway_url().trim_start_matches("http://");
        let path = (":path", "/metasv/x");
        let head = [(":method", method), (":scheme", "http"), (":authority", host), path];
        client.head(1, &head, false);
        client.send(DATA, 0, 1, b"abc");
        client.send(DATA, END_STREAM, 1, b"de");
        assert_eq!(client.end(1).status(), Some(200), "{method}");
    }
    let arrived = stage.origin.arrived();
    assert_eq!(arrived.len(), 2 * methods.len());
    for request in arrived {
        assert_eq!(request.body, b"abcde", "{}", request.method);
    }
}
