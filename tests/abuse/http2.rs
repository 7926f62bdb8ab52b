//! HTTP/2 heads and floods that no decent client sends.

use crate::support::client::Client;
use crate::support::h2_client::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, End, HEADERS, Http2, PING, RST_STREAM, SETTINGS,
    block, frame, get,
};
use crate::support::stage::Stage;
use crate::support::wait::eventually;

#[test]
fn a_refused_head_request_has_no_body_in_http_2_either() {
    let stage = Stage::new("");
    let url = stage.proxy.gateway_url();
    let mut client = Http2::begin(Client::connect(url), &[]);
    for (stream, path, status) in [(1, "/nothing/x", 404), (3, "/metasv/x", 200)] {
        let mut head = get(url, path);
        head[0].1 = "HEAD".to_owned();
        let end = client.ask(stream, &head);
        assert_eq!(end, End::Answer(status, vec![]), "{path}");
    }
}

#[test]
fn heads_that_http_1_1_could_not_carry_come_to_nobody() {
    let stage = Stage::new("");
    let url = stage.proxy.gateway_url().to_owned();
    let with = |name: &str, value: &str| {
        let mut head = get(&url, "/metasv/x");
        match head.iter_mut().find(|(known, _)| known == name && name != ":scheme") {
            Some(field) => field.1 = value.to_owned(),
            None => head.push((name.to_owned(), value.to_owned())),
        }
        head
    };
    let host = url.trim_start_matches("http://").to_owned();
    let own = format!("u@{host}");
    let mut nameless = get(&url, "/metasv/x");
    nameless.remove(2);
    let mut connect = with(":method", "CONNECT");
    connect.push((":protocol".to_owned(), "websocket".to_owned()));
    // What is malformed ends the stream or the connection; what can be read is refused in words.
    type Case = (&'static str, Vec<(String, String)>, &'static str);
    let table: Vec<Case> = vec![
        ("a line in a value", with("x-a", "1\r\nx-b: 2"), ""),
        ("a bare line feed", with("x-a", "1\nx-b: 2"), ""),
        ("a zero byte", with("x-a", "1\0"), ""),
        ("a colon in a name", with("x:a", "1"), ""),
        ("a space in a name", with("x a", "1"), ""),
        ("no name", with("", "1"), ""),
        ("capitals in a name", with("X-A", "1"), ""),
        ("connection", with("connection", "close"), ""),
        ("keep-alive", with("keep-alive", "1"), ""),
        ("upgrade", with("upgrade", "websocket"), ""),
        ("transfer-encoding", with("transfer-encoding", "chunked"), ""),
        ("te", with("te", "gzip"), ""),
        ("a length and no body", with("content-length", "5"), ""),
        ("two authorities", [with("x", ""), get(&url, "/").split_off(2)].concat(), ""),
        ("CONNECT with a path", with(":method", "CONNECT"), ""),
        ("CONNECT for a WebSocket", connect, ""),
        ("a path without a slash", with(":path", "metasv/x"), ""),
        ("a space in the path", with(":path", "/metasv/x y"), ""),
        ("letters beyond ASCII", with(":path", "/metasv/\u{e9}"), "bad_target"),
        ("a star", with(":path", "*"), "bad_target"),
        ("a query alone", with(":path", "?x=1"), "bad_target"),
        ("another Host", with("host", "evil.example"), "bad_host"),
        ("no authority", nameless, "bad_host"),
        ("a user", with(":authority", &own), "bad_host"),
        ("a page", with("origin", "https://evil.example"), "cross_site"),
    ];
    for (what, head, code) in table {
        let end = Http2::begin(Client::connect(&url), &[]).ask(1, &head);
        match code {
            "" => assert!(matches!(end, End::Reset(1) | End::GoneAway(1)), "{what}: {end:?}"),
            code => assert_eq!(end.code(), code, "{what}"),
        }
    }
    assert_eq!(stage.origin.connections(), 0);
}

#[test]
fn a_body_is_as_long_as_its_head_says_or_arrives_nowhere() {
    let stage = Stage::new("");
    let url = stage.proxy.gateway_url();
    for route in ["metasv", "sinohope"] {
        for (pieces, ends) in [(&["abc"][..], true), (&["abc", "defghi"], false)] {
            let mut client = Http2::begin(Client::connect(url), &[]);
            let mut head = get(url, &format!("/{route}/x"));
            head[0].1 = "POST".to_owned();
            head.push(("content-length".to_owned(), "5".to_owned()));
            client.head(1, &head, false);
            for (number, piece) in pieces.iter().enumerate() {
                let last = ends && number + 1 == pieces.len();
                client.send(DATA, u8::from(last), 1, piece.as_bytes());
            }
            let end = client.end(1);
            assert!(matches!(end, End::Reset(1)), "{route}: {end:?}");
        }
    }
    assert!(stage.origin.arrived().is_empty(), "{:?}", stage.origin.arrived());
    assert_eq!(
        Http2::begin(Client::connect(url), &[]).ask(1, &get(url, "/metasv/x")).status(),
        Some(200)
    );
}

#[test]
fn floods_end_the_connection_that_they_come_by_and_no_other() {
    let stage = Stage::new("[limits]\nheader = \"16KiB\"\n");
    let url = stage.proxy.gateway_url();
    stage.proxy.await_metric("countersign_connections", 1);
    let before = stage.proxy.descriptors();
    let mut other = Http2::begin(Client::connect(url), &[]);
    assert_eq!(other.ask(1, &get(url, "/metasv/x")).status(), Some(200));
    let head = block(&get(url, "/metasv/held"));
    let more = block(&[("x-more", "x".repeat(8_000))]);
    let odd = |number: u32| 2 * number + 1;
    type Flood<'a> = (&'a str, &'a dyn Fn(u32) -> Vec<u8>);
    let floods: [Flood<'_>; 5] = [
        ("requests that are reset", &|number| {
            let begun = frame(HEADERS, END_HEADERS | END_STREAM, odd(number), &head);
            [begun, frame(RST_STREAM, 0, odd(number), &[0, 0, 0, 8])].concat()
        }),
        ("more requests than may be under way", &|number| {
            frame(HEADERS, END_HEADERS | END_STREAM, odd(number), &head)
        }),
        ("a head without an end", &|number| match number {
            0 => frame(HEADERS, END_STREAM, 1, &head),
            _ => frame(CONTINUATION, 0, 1, &more),
        }),
        ("empty pieces of a head", &|number| match number {
            0 => frame(HEADERS, END_STREAM, 1, &head),
            _ => frame(CONTINUATION, 0, 1, &[]),
        }),
        ("frames of a stream that never was", &|number| frame(DATA, 0, odd(number), b"x")),
    ];
    for (what, flood) in floods {
        let mut client = Http2::begin(Client::connect(url), &[]);
        // What is sent to a connection that is ended already cannot be.
        let sent =
            (0..20_000).take_while(|number| client.try_send(&flood(*number)).is_ok()).count();
        let end = client.end(1);
        let refused = matches!(end, End::GoneAway(_) | End::Closed | End::Reset(7 | 11));
        assert!(refused || end.status() == Some(431), "{what}: {end:?} after {sent}");
    }
    // Pings and settings are answered, as long as somebody reads the answers.
    for payload in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[])] {
        let mut client = Http2::begin(Client::connect(url), &[]);
        for _ in 0..2_000 {
            client.try_send(&payload).expect("it is read");
        }
        assert_eq!(client.ask(1, &get(url, "/metasv/x")).status(), Some(200));
    }
    assert_eq!(other.ask(3, &get(url, "/metasv/x")).status(), Some(200));
    drop(other);
    stage.origin.release();
    stage.proxy.await_metric("countersign_connections", 1);
    eventually("every descriptor is closed", || stage.proxy.descriptors() <= before + 2);
    assert!(stage.origin.begun() < 1_000, "{} requests went on", stage.origin.begun());
}

#[test]
fn a_head_beyond_the_limit_is_told_so() {
    let stage = Stage::new("[limits]\nheader = \"8KiB\"\n");
    let url = stage.proxy.gateway_url();
    let mut client = Http2::begin(Client::connect(url), &[]);
    let mut head = get(url, "/metasv/x");
    head.push(("x-long".to_owned(), "x".repeat(9_000)));
    assert_eq!(client.ask(1, &head).status(), Some(431));
    assert_eq!(client.ask(3, &get(url, "/metasv/x")).status(), Some(200));
    assert_eq!(stage.origin.arrived().len(), 1);
}
