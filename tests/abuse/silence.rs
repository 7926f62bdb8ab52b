//! HTTP/2 clients that hold a connection without using it: HTTP/2 has no deadline for them of its
//! own, and each phase needs one.

use crate::support::client::Client;
use crate::support::config::INTERCEPT;
use crate::support::h2_client::{
    DATA, End, HEADERS, Http2, INITIAL_WINDOW_SIZE, PING, PREFACE, SETTINGS, WINDOW_UPDATE, frame,
    get,
};
use crate::support::stage::{Stage, intercepting};
use crate::support::wait::eventually;

#[test]
fn a_client_that_does_not_begin_is_let_go_in_every_way_it_can_come() {
    let (stage, ca) = intercepting(&format!("{INTERCEPT}{IMPATIENT}"));
    let (forward, gateway) = (stage.proxy.forward_url(), stage.proxy.gateway_url());
    let ways: [(&str, &dyn Fn() -> Client); 3] = [
        ("gateway", &|| Client::connect(gateway)),
        ("plain inside CONNECT", &|| Client::tunnel(forward, "apiv2.metasv.com:80")),
        ("TLS inside CONNECT", &|| {
            let tunnel = Client::tunnel(forward, "apiv2.metasv.com:443");
            tunnel.secure_in("apiv2.metasv.com", &ca, &[b"h2"]).expect("the certificate is right")
        }),
    ];
    let begun = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let half = [&begun[..], &frame(HEADERS, 1, 1, &[0x82])].concat();
    for (way, come) in ways {
        for bytes in [&[][..], &PREFACE[..10], &PREFACE[..16], PREFACE, &begun, &half] {
            let mut client = come();
            client.send(bytes);
            client.await_end();
            drop(client);
            eventually(&format!("{way}, {} bytes: it is let go", bytes.len()), || {
                stage.proxy.metric("countersign_connections") == 1
            });
        }
    }
    assert_eq!(stage.origin.connections(), 0);
}

#[test]
fn an_answer_that_nobody_takes_ends_its_connection() {
    let stage = Stage::new(IMPATIENT);
    for path in ["/metasv/big/1000000", "/metasv/x", "/nothing/x"] {
        for window in [0, 1000] {
            let url = stage.proxy.gateway_url();
            let settings = [(INITIAL_WINDOW_SIZE, window)];
            let mut client = Http2::begin(Client::connect(url), &settings);
            client.head(1, &get(url, path), true);
            if window > 0 && !path.contains("big") {
                assert!(client.end(1).status().is_some(), "{path} fits its window");
            }
            // It answers pings all the while.
            client.await_end();
            drop(client);
            stage.proxy.await_metric("countersign_connections", 1);
        }
    }
}

#[test]
fn an_answer_that_is_taken_slowly_is_given_whole() {
    let stage = Stage::new(IMPATIENT);
    let url = stage.proxy.gateway_url();
    let mut client = Http2::begin(Client::connect(url), &[(INITIAL_WINDOW_SIZE, 1)]);
    client.head(1, &get(url, "/metasv/big/500000"), true);
    // Longer than any deadline in all: a step of the window for each ping.
    let mut taken = 0;
    while taken < 500_000 {
        let frame = client.next().expect("the connection lives");
        if frame.stream == 1 && frame.kind == DATA {
            taken += frame.payload.len();
        }
        if frame.kind == PING {
            // Of the stream, and of the connection.
            for stream in [1, 0] {
                client.send(WINDOW_UPDATE, 0, stream, &100_000_u32.to_be_bytes());
            }
        }
    }
    assert_eq!(taken, 500_000);
}

#[test]
fn a_client_that_only_answers_pings_is_told_to_leave_and_then_left() {
    let stage = Stage::new(IMPATIENT);
    let url = stage.proxy.gateway_url();
    let mut client = Http2::begin(Client::connect(url), &[]);
    let answered = client.ask(1, &get(url, "/metasv/x"));
    assert_eq!(answered.status(), Some(200));
    assert_eq!(client.end(3), End::Closed);
}

/// Deadlines of a moment, for clients that let them pass.
const IMPATIENT: &str =
    "[timeouts]\nrequest_head = \"200ms\"\nclient_idle = \"200ms\"\nbody_idle = \"400ms\"\n";
