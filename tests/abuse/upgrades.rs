//! WebSocket handshakes that either side has turned into something else.

use crate::support::client::Client;
use crate::support::config;
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::Proxy;

#[test]
fn only_the_switch_that_was_asked_for_opens_a_tunnel() {
    let (origin, proxy) = scene();
    let table: &[(&str, &str, u16, &str)] = &[
        ("/right", "", 101, ""),
        ("/capitals", "", 101, ""),
        // Interim answers come before, and lengths mean nothing behind it.
        ("/after-100", "", 101, ""),
        ("/with-length", "", 101, ""),
        ("/no-header", "", 502, "upstream_protocol"),
        ("/another", "", 502, "upstream_protocol"),
        ("/plain", "", 200, ""),
    ];
    for (path, more, status, code) in table {
        let mut client = Client::connect(proxy.forward_url());
        client.send(format!("GET {HOST}{path} HTTP/1.1\r\nHost: h\r\n{ASK}{more}\r\nFRAMES"));
        let reply = client.reply();
        assert_eq!(reply.status, *status, "{path}");
        match reply.status {
            101 => assert_eq!(client.await_end(), b"hello", "{path}: what came with the 101"),
            502 => assert_eq!(reply.json()["code"], *code, "{path}"),
            _ => assert_eq!(reply.body, b"plain"),
        }
        proxy.await_metric("countersign_tunnels", 0);
    }
    assert_eq!(origin.arrived().len(), table.len(), "each was sent once");
}

#[test]
fn a_request_that_is_no_handshake_is_one_like_any_other() {
    let (origin, proxy) = scene();
    let ask_in = |version: &str, head: &str, body: &str| {
        let mut client = Client::connect(proxy.forward_url());
        client.send(format!("GET {HOST}/plain HTTP/{version}\r\nHost: h\r\n{head}\r\n{body}"));
        client.reply().status
    };
    let table = [
        ("1.0", ASK.to_owned(), ""),
        ("1.1", format!("{ASK}Content-Length: 5\r\n"), "abcde"),
        ("1.1", format!("{ASK}Transfer-Encoding: chunked\r\n"), "5\r\nabcde\r\n0\r\n\r\n"),
        ("1.1", ASK.replace("Connection: Upgrade", "Connection: keep-alive"), ""),
        ("1.1", ASK.replace("Upgrade: websocket", "Upgrade: h2c"), ""),
    ];
    for (version, head, body) in &table {
        assert_eq!(ask_in(version, head, body), 200, "{head}");
        let arrived = origin.arrived().pop().expect("it has arrived");
        for name in ["Upgrade", "Connection"] {
            assert_eq!(arrived.values(name), [""; 0], "{head}");
        }
        assert_eq!(arrived.body, if body.is_empty() { &b""[..] } else { b"abcde" }, "{head}");
    }
    // Beside other protocols it is the one that is asked for, and what `Connection` lists stays.
    let both = ASK.replace("Upgrade: websocket", "Upgrade: h2c, WebSocket");
    let both = both.replace("Connection: Upgrade", "Connection: X-Hop, upgrade\r\nX-Hop: 1");
    assert_eq!(ask_in("1.1", &both, ""), 200);
    let arrived = origin.arrived().pop().expect("it has arrived");
    assert_eq!(arrived.values("Upgrade"), ["websocket"]);
    assert_eq!(arrived.values("Connection"), ["Upgrade"]);
    assert_eq!(arrived.values("X-Hop"), [""; 0]);
    assert_eq!(proxy.metric("countersign_tunnels"), 0);
}

/// A provider that switches in several ways, by path.
fn scene() -> (Origin, Proxy) {
    let origin = Origin::start(Box::new(|arrived| {
        let head = |rest: &str| Answer::Raw(format!("HTTP/1.1 {rest}\r\n\r\nhello").into_bytes());
        const SWITCH: &str = "101 X\r\nConnection: Upgrade\r\nUpgrade: websocket";
        match arrived.target.as_str() {
            "/right" => head(SWITCH),
            "/capitals" => head("101 X\r\nCONNECTION: upgrade\r\nUPGRADE: WebSocket"),
            "/after-100" => head(&format!("100 X\r\n\r\nHTTP/1.1 103 X\r\n\r\nHTTP/1.1 {SWITCH}")),
            "/with-length" => head(&format!("{SWITCH}\r\nContent-Length: 3")),
            "/no-header" => head("101 X"),
            "/another" => head("101 X\r\nConnection: Upgrade\r\nUpgrade: h2c"),
            _ => Answer::Whole { status: 200, headers: vec![], body: b"plain".to_vec() },
        }
    }));
    let proxy = Proxy::start(&config::proxy(&[config::metasv(&origin.url(), None)]));
    (origin, proxy)
}

const HOST: &str = "http://apiv2.metasv.com";
const ASK: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
