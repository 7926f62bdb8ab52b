//! What an answer says of its own length is what is sent, however the provider put it; heads are
//! read as far as that is safe, and what cannot be passed on is said before any of it is.

use crate::support::client::{Client, Reply};
use crate::support::h2_client::{self, Http2};
use crate::support::origin::{Answer, Handler};
use crate::support::stage::{METASV, Stage, get};

#[test]
fn the_length_that_is_stated_is_the_length_that_is_sent() {
    let stage = Stage::with(numbered(TRUE.iter().map(|case| case.0)), "");
    for (number, (head, lengths)) in TRUE.iter().enumerate() {
        let path = format!("{METASV}/{number}");
        for version in ["1.1", "1.0"] {
            let mut client = stage.client();
            let reply = client.exchange(format!("GET {path} HTTP/{version}\r\nHost: h\r\n\r\n"));
            assert_eq!(reply.body, b"first second", "{head:?} to HTTP/{version}");
            assert_eq!(reply.values("Content-Length"), *lengths, "{head:?} to HTTP/{version}");
        }
        let mut client = stage.client();
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(client.bare_reply().values("Content-Length"), *lengths, "{head:?} to HEAD");
    }
}

#[test]
fn an_answer_whose_coding_or_length_would_be_lost_is_refused() {
    let stage = Stage::with(numbered(UNTRUE.iter().copied()), "");
    let gateway = stage.proxy.gateway_url();
    for (number, head) in UNTRUE.iter().enumerate() {
        refused(&stage.exchange(get(&format!("{METASV}/{number}"))), head);
        let mut client = Http2::begin(Client::connect(gateway), &[]);
        let end = client.ask(1, &h2_client::get(gateway, &format!("/metasv/{number}")));
        assert_eq!(end.code(), "upstream_protocol", "{head:?}");
    }
}

#[test]
fn as_many_fields_are_taken_as_can_be_on_both_ways() {
    let fields =
        |count: usize| -> String { (0..count).map(|n| format!("X-{n}: {n}\r\n")).collect() };
    let answer = |count: usize| format!("Content-Length: 0\r\n{}", fields(count - 2));
    let stage = Stage::with(numbered([answer(100), answer(101)].iter().map(String::as_str)), "");
    let reply = stage.exchange(get(&format!("{METASV}/0")));
    assert_eq!((reply.status, reply.values("X-97")), (200, vec!["97"]));
    let reply = stage.exchange(get(&format!("{METASV}/1")));
    refused(&reply, "101 fields");
    assert!(reply.json()["detail"].to_string().contains("100 fields"), "{}", reply.json());
    let ask = |count: usize| {
        let head = format!("GET {METASV}/0 HTTP/1.1\r\nHost: h\r\n{}\r\n", fields(count - 1));
        stage.exchange(head).status
    };
    assert_eq!((ask(96), ask(97)), (200, 431));
    assert!(stage.origin.arrived().iter().any(|one| one.values("X-94") == ["94"]));
}

#[test]
fn white_space_before_a_colon_is_left_out_and_other_odd_lines_are_refused() {
    let odd = ["X-Odd : 1\r\nContent-Length \t: 12\r\n", "X Odd: 1\r\n", "X-Odd\r\n", " X: 1\r\n"];
    let stage = Stage::with(numbered(odd.into_iter()), "");
    let reply = stage.exchange(get(&format!("{METASV}/0")));
    assert_eq!((reply.values("X-Odd"), reply.body.len()), (vec!["1"], 12));
    for (number, head) in odd.iter().enumerate().skip(1) {
        refused(&stage.exchange(get(&format!("{METASV}/{number}"))), head);
    }
}

/// It was not passed on, and whoever reads that may not take it for undone.
fn refused(reply: &Reply, what: &str) {
    let problem = reply.json();
    assert_eq!((reply.status, &problem["code"]), (502, &"upstream_protocol".into()), "{what:?}");
    assert!(problem["remedy"].to_string().contains("may have been carried out"), "{problem}");
}

/// Answers `/N` with the N-th of these heads, and the same body in the framing that it names last.
fn numbered<'a>(heads: impl Iterator<Item = &'a str>) -> Handler {
    let heads: Vec<String> = heads.map(str::to_owned).collect();
    Box::new(move |request| {
        let number: usize = request.path()[1..].parse().expect("the path is a number");
        let (head, chunked) = (&heads[number], heads[number].contains("chunked\r\n"));
        let body = match (request.method.as_str(), chunked) {
            ("HEAD", _) => "",
            (_, true) => "6\r\nfirst \r\n6\r\nsecond\r\n0\r\n\r\n",
            (_, false) => "first second",
        };
        Answer::Raw(
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n{body}").into_bytes(),
        )
    })
}

/// What a head says, and the length that is true of it.
const TRUE: &[(&str, &[&str])] = &[
    ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", &[]),
    ("Transfer-Encoding: chunked\r\nContent-Length: 99\r\n", &[]),
    ("Content-Length: 12, 12\r\n", &["12"]),
    ("Content-Length: 12\r\nContent-Length: 12\r\n", &["12"]),
    ("Content-Length: 012\r\n", &["12"]),
    ("Content-Length: 12\r\n", &["12"]),
];

const UNTRUE: &[&str] = &[
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Content-Length: 12, 5\r\n",
    "Content-Length: +12\r\n",
];
