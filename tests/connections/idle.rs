//! Silence between requests, which is another than that of a head that does not come.

use crate::support::client::Client;
use crate::support::config::INTERCEPT;
use crate::support::h2_client::{self, Http2};
use crate::support::stage::intercepting;
use crate::support::stage::{METASV, Stage, get};

#[test]
fn a_client_between_requests_has_longer_than_a_head() {
    let tables = format!("{INTERCEPT}[timeouts]\nrequest_head = \"1s\"\n");
    let (stage, ca) = intercepting(&tables);
    let (forward, gateway) = (stage.proxy.forward_url(), stage.proxy.gateway_url());
    let admin = stage.proxy.admin_url();
    let opened = |protocol: &[u8]| {
        let tunnel = Client::tunnel(forward, "apiv2.metasv.com:443");
        tunnel.secure_in("apiv2.metasv.com", &ca, &[protocol]).expect("it is trusted")
    };
    let at = |url: &str, path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", url.trim_start_matches("http://"))
    };
    let inside = "GET /x HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\r\n".to_owned();
    let mut ways = [
        (Client::connect(forward), get(&format!("{METASV}/x"))),
        (Client::connect(gateway), at(gateway, "/metasv/x")),
        (Client::connect(admin), at(admin, "/healthz")),
        (Client::tunnel(forward, "apiv2.metasv.com:80"), inside.clone()),
        (opened(b"http/1.1"), inside),
    ];
    let mut bare = Http2::begin(Client::connect(gateway), &[]);
    let mut sealed = Http2::begin(opened(b"h2"), &[]);
    for round in 0..2_u32 {
        for (client, request) in &mut ways {
            assert_eq!(client.exchange(&*request).status, 200, "round {round}: {request:?}");
        }
        let stream = 2 * round + 1;
        let heads =
            [h2_client::get(gateway, "/metasv/x"), h2_client::get("http://apiv2.metasv.com", "/x")];
        for (client, mut head) in [&mut bare, &mut sealed].into_iter().zip(heads) {
            head[1].1 = "https".to_owned();
            assert_eq!(client.ask(stream, &head).status(), Some(200), "round {round}");
        }
        // One that comes after them and says nothing has had the time of a head when it is let go.
        if round == 0 {
            assert_eq!(stage.client().await_end(), b"");
        }
    }
    // They are told so.
    for (client, request) in &mut ways {
        let reply = client.exchange(&*request);
        let told = [reply.values("Connection"), reply.values("Keep-Alive")].concat();
        assert_eq!(told, ["keep-alive", "timeout=115"], "{request:?}");
    }
}

#[test]
fn a_client_that_stays_silent_between_requests_is_let_go() {
    let stage = Stage::new("[timeouts]\nclient_idle = \"300ms\"\n");
    let mut client = stage.client();
    let reply = client.exchange(get(&format!("{METASV}/x")));
    assert!(reply.values("Keep-Alive").is_empty(), "there is not a second to promise: {reply:?}");
    assert_eq!(client.await_end(), b"");
    let gateway = stage.proxy.gateway_url();
    let mut client = Http2::begin(Client::connect(gateway), &[]);
    assert_eq!(client.ask(1, &h2_client::get(gateway, "/metasv/x")).status(), Some(200));
    client.await_end();
}

#[test]
fn a_head_that_has_begun_gains_nothing_by_the_silence_before_it() {
    let stage = Stage::new("[timeouts]\nrequest_head = \"300ms\"\nclient_idle = \"1h\"\n");
    let mut client = stage.client();
    for body in ["", "four"] {
        let length = body.len();
        let head =
            format!("POST {METASV}/x HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(client.exchange(head + body).status, 200);
    }
    client.send("GET ");
    assert_eq!(client.await_end(), b"");
}

#[test]
fn nothing_is_promised_to_a_client_that_leaves() {
    let stage = Stage::new("");
    for (version, fields) in [("1.1", "Connection: close\r\n"), ("1.0", "")] {
        let mut client = stage.client();
        let reply =
            client.exchange(format!("GET {METASV}/x HTTP/{version}\r\nHost: h\r\n{fields}\r\n"));
        assert_eq!((reply.status, reply.values("Keep-Alive").len()), (200, 0), "HTTP/{version}");
        assert_eq!(client.await_end(), b"");
    }
}
