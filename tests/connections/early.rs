//! Refusals that are written before the body was read: who goes on sending all the same gets them,
//! and is told that the connection ends.

use std::process::Command;

use crate::support::client::{Client, run};
use crate::support::config::INTERCEPT;
use crate::support::h2_client::{self, DATA, END_STREAM, End, Http2};
use crate::support::stage::intercepting;
use crate::support::stage::{SINOHOPE, Stage, get};

/// Longer than what the system keeps of it at both ends.
const LENGTH: usize = 15 << 20;

#[test]
fn a_client_that_reads_nothing_before_it_has_sent_all_gets_its_refusal() {
    let (stage, ca) = intercepting(INTERCEPT);
    let forward = stage.proxy.forward_url();
    let body = vec![b'x'; LENGTH];
    for (way, target) in [
        ("plain", "http://unrouted.test/"),
        ("chunked", "http://unrouted.test/"),
        ("too large", "http://api.sinohope.com/x"),
        ("TLS", "/x"),
    ] {
        let mut client = match way {
            "TLS" => {
                let tunnel = Client::tunnel(forward, "api.sinohope.com:443");
                tunnel.secure("api.sinohope.com", &ca).expect("it is trusted")
            }
            _ => Client::connect(forward),
        };
        let framing = match way {
            "chunked" => format!("Transfer-Encoding: chunked\r\n\r\n{LENGTH:x}"),
            _ => format!("Content-Length: {LENGTH}\r\n"),
        };
        client.send(format!("POST {target} HTTP/1.1\r\nHost: api.sinohope.com\r\n{framing}\r\n"));
        for piece in body.chunks(64 << 10) {
            client.try_send(piece).unwrap_or_else(|why| panic!("{way}: it is not taken: {why}"));
        }
        let reply = client.reply();
        assert!([403, 413].contains(&reply.status), "{way}: {reply:?}");
        assert_eq!(reply.values("Connection"), ["close"], "{way}");
        assert_eq!(client.rest().expect("it ends well"), b"", "{way}");
    }
}

#[test]
fn pythons_own_client_gets_the_refusal_of_an_upload() {
    let stage = Stage::new("");
    let script = "import http.client, sys
for _ in range(10):
    c = http.client.HTTPConnection(sys.argv[1])
    c.request('POST', 'http://unrouted.test/', b'x' * 5_000_000)
    r = c.getresponse()
    print(r.status, r.getheader('connection'), r.read().count(b'host_not_routed'))
";
    let address = stage.proxy.forward_url().trim_start_matches("http://");
    let output = run(Command::new("python3").args(["-c", script, address]));
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "403 close 1\n".repeat(10), "{output:?}");
}

#[test]
fn a_small_body_that_is_there_already_costs_no_connection() {
    let stage = Stage::new("");
    let mut client = stage.client();
    let request = "POST http://unrouted.test/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
    for _ in 0..3 {
        let reply = client.exchange(request);
        assert_eq!((reply.status, reply.values("Connection").contains(&"close")), (403, false));
    }
    assert_eq!(client.exchange(get("http://unrouted.test/")).status, 403);
}

#[test]
fn who_sends_for_ever_is_not_listened_to_for_ever() {
    let stage = Stage::new("");
    let mut client = stage.client();
    client.send(format!(
        "POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n"
    ));
    let block = vec![b'x'; 1 << 20];
    let taken = (0..256).take_while(|_| client.try_send(&block).is_ok()).count();
    assert!((16..256).contains(&taken), "{taken} MiB were taken");
    stage.proxy.await_metric("countersign_connections", 1);
}

#[test]
fn a_refusal_over_http_2_comes_before_the_upload_and_ends_its_stream_alone() {
    let stage = Stage::new("");
    let url = stage.proxy.gateway_url();
    let mut client = Http2::begin(Client::connect(url), &[]);
    for stream in [1, 3, 5] {
        let mut head = h2_client::get(url, "/nothing/x");
        head[0].1 = "POST".to_owned();
        client.head(stream, &head, false);
        // As much as a stream's window lets through at first.
        for _ in 0..4 {
            client.send(DATA, 0, stream, &[b'x'; 16_000]);
        }
        assert!(matches!(client.end(stream), End::Answer(404, _)), "stream {stream}");
    }
    let mut head = h2_client::get(url, "/metasv/x");
    head[0].1 = "POST".to_owned();
    client.head(7, &head, false);
    client.send(DATA, END_STREAM, 7, b"taken");
    assert_eq!(client.end(7).status(), Some(200));
}
