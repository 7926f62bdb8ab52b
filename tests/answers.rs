//! Answers on their way back: relayed as they are, and never cut quietly.

mod first;
mod lengths;
mod taken;

use crate::support::origin::{Answer, Handler, providers, scripted};
use crate::support::stage::{METASV, Stage, get};
use crate::support::wait::eventually;

#[test]
fn an_answer_to_head_keeps_its_length_and_has_no_body() {
    let stage = Stage::with(whole("four"), "");
    let mut client = stage.client();
    client.send(format!("HEAD {METASV}/200 HTTP/1.1\r\nHost: h\r\n\r\n"));
    let reply = client.bare_reply();
    assert_eq!((reply.status, reply.values("Content-Length")), (200, vec!["4"]));
    // Had a body come, the next answer would begin with it.
    assert_eq!(client.exchange(get(&format!("{METASV}/200"))).body, b"four");
    let methods: Vec<_> = stage.origin.arrived().into_iter().map(|one| one.method).collect();
    assert_eq!(methods, ["HEAD", "GET"]);
}

#[test]
fn status_headers_and_body_are_the_providers_own() {
    let stage = Stage::with(whole("as it is"), "");
    for status in [200, 201, 301, 400, 401, 404, 407, 418, 500, 503] {
        let reply = stage.exchange(get(&format!("{METASV}/{status}")));
        assert_eq!((reply.status, reply.body.as_slice()), (status, b"as it is".as_slice()));
        assert_eq!(reply.values("Set-Cookie"), ["a=1", "b=2"]);
        // The client shows each of the two bytes as the character of that number.
        assert_eq!(reply.values("X-Odd"), ["\u{c3}\u{a9}"]);
        assert_eq!(reply.values("Connection"), ["keep-alive"]);
        assert_ne!(reply.values("Keep-Alive"), ["timeout=5"]);
        for hop in ["X-Listed", "Proxy-Authenticate", "Proxy-Status"] {
            assert!(reply.values(hop).is_empty(), "{hop}: {reply:?}");
        }
    }
}

#[test]
fn an_answer_that_may_be_kept_is_asked_for_again() {
    let kept = [("Cache-Control", "public, max-age=3600"), ("ETag", "\"1\""), ("Age", "0")];
    let headers = kept.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let answer = Answer::Whole { status: 200, headers, body: b"kept".to_vec() };
    let stage = Stage::with(Box::new(move |_| answer.clone()), "");
    for asked in 1..=3 {
        let reply = stage.exchange(get(&format!("{METASV}/x")));
        assert_eq!((reply.status, stage.origin.arrived().len()), (200, asked));
        assert_eq!(reply.values("Cache-Control"), ["public, max-age=3600"]);
    }
}

#[test]
fn an_answer_that_can_have_no_body_ends_with_its_head() {
    let stage = Stage::with(
        Box::new(|request| {
            match request.path() {
            "/204" => Answer::Raw(b"HTTP/1.1 204 No Content\r\nConnection: close\r\nX-App: 1\r\n\r\n".to_vec()),
            "/304" => Answer::Raw(
                b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\nX-App: 1\r\nContent-Length: 77\r\n\r\n".to_vec(),
            ),
            _ => Answer::Whole { status: 200, headers: Vec::new(), body: b"next".to_vec() },
        }
        }),
        "",
    );
    let mut client = stage.client();
    for (path, status) in [("/204", 204), ("/304", 304)] {
        let reply = client.exchange(get(&format!("{METASV}{path}")));
        assert_eq!((reply.status, reply.values("X-App")), (status, vec!["1"]));
        assert!(reply.values("Transfer-Encoding").is_empty(), "{reply:?}");
        assert_eq!(client.exchange(get(&format!("{METASV}/next"))).body, b"next");
    }
}

#[test]
fn chunks_and_trailers_are_relayed() {
    let stage = Stage::new("");
    let head = |te: &str| format!("GET {METASV}/chunked HTTP/1.1\r\nHost: h\r\n{te}\r\n");
    let mut client = stage.client();
    let reply = client.exchange(head("TE: trailers\r\n"));
    assert_eq!(reply.values("Transfer-Encoding"), ["chunked"]);
    assert_eq!(reply.body, b"first second");
    let trailers: Vec<_> =
        reply.trailers.iter().map(|(name, value)| (name.to_lowercase(), value.as_str())).collect();
    assert_eq!(trailers, [("x-checksum".to_owned(), "12")]);
    // Who does not ask for trailers gets the body alone.
    let reply = client.exchange(head(""));
    assert_eq!((reply.body.as_slice(), reply.trailers.len()), (b"first second".as_slice(), 0));
}

#[test]
fn a_client_of_http_1_0_is_answered_so_that_it_can_see_the_end() {
    let stage = Stage::new("");
    for (path, body) in [("/chunked", "first second"), ("/big/12", "xxxxxxxxxxxx")] {
        let reply = stage.exchange(format!("GET {METASV}{path} HTTP/1.0\r\n\r\n"));
        assert_eq!((reply.status, reply.body.as_slice()), (200, body.as_bytes()), "{path}");
        assert!(reply.values("Transfer-Encoding").is_empty(), "{path}: {reply:?}");
    }
    assert_eq!(stage.origin.arrived().len(), 2);
}

#[test]
fn an_answer_that_breaks_off_never_looks_complete() {
    let until_close = b"HTTP/1.1 200 OK\r\n\r\nto the end".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n".to_vec();
    let within = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf".to_vec();
    let otherwise = scripted(providers());
    let stage = Stage::with(
        Box::new(move |request| match request.path() {
            "/until-close" => Answer::Raw(until_close.clone()),
            "/chunked-cut" => Answer::Raw(chunked.clone()),
            "/chunk-cut" => Answer::Raw(within.clone()),
            _ => otherwise(request),
        }),
        "",
    );
    for path in ["/truncate", "/chunked-cut", "/chunk-cut"] {
        let mut client = stage.client();
        client.send(get(&format!("{METASV}{path}")));
        let cut = client.try_reply().expect_err("the answer is cut");
        assert_ne!(cut.kind(), std::io::ErrorKind::WouldBlock, "{path}: the connection stays open");
    }
    // One that ends with its connection is complete then.
    let reply = stage.exchange(get(&format!("{METASV}/until-close")));
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"to the end".as_slice()));
    let cut = || stage.proxy.output().lines().filter(|line| line.contains(" cut id=")).count();
    eventually("each is in the log as cut", || cut() == 3);
}

#[test]
fn an_answer_that_stands_still_is_ended_on_both_sides() {
    let stage = Stage::new("[timeouts]\nbody_idle = \"300ms\"\n");
    let mut client = stage.client();
    client.send(get(&format!("{METASV}/stall")));
    let cut = client.try_reply().expect_err("the answer is cut");
    assert_ne!(cut.kind(), std::io::ErrorKind::WouldBlock, "the connection stays open");
    assert_eq!(stage.origin.begun(), 1);
    eventually("the origin's connection is closed", || stage.origin.open() == 0);
}

#[test]
fn an_answer_of_many_megabytes_arrives_whole() {
    let stage = Stage::new("");
    let reply = stage.exchange(get(&format!("{METASV}/big/8388608")));
    assert_eq!((reply.status, reply.body.len()), (200, 8 << 20));
    assert!(reply.body.iter().all(|byte| *byte == b'x'));
}

#[test]
fn a_client_that_leaves_during_an_answer_frees_the_providers_connection() {
    let stage = Stage::new("");
    let mut client = stage.client();
    client.send(get(&format!("{METASV}/big/1000000000")));
    assert_eq!(client.take(9), b"HTTP/1.1 ");
    assert_eq!(stage.origin.open(), 1);
    drop(client);
    eventually("the origin's connection is closed", || stage.origin.open() == 0);
}

/// Answers with the status that the path names.
fn whole(body: &'static str) -> Handler {
    let headers = [
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("X-Odd", "\u{e9}"),
        ("Connection", "X-Listed"),
        ("X-Listed", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authenticate", "Basic"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Box::new(move |request| {
        let status = request.path()[1..].parse().expect("the path is a status");
        Answer::Whole { status, headers: headers.clone(), body: body.into() }
    })
}
