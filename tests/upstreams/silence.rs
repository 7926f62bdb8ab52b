//! HTTP/2 connections on which nothing is heard: what waits there has its deadline, and what comes
//! meanwhile goes elsewhere.

use std::thread;

use super::frames::{ACK, DEAD, PING, Provider, frame, ok};
use super::{ask, ask_at, refusal};
use crate::support::wait::{DEADLINE, eventually};

#[test]
fn a_connection_that_goes_dead_loses_the_request_it_has_and_no_other() {
    let provider = Provider::start(|_| DEAD.to_vec());
    let proxy = provider.proxy_with("[timeouts]\nresponse_head = \"4s\"\n");
    assert_eq!(ask(&proxy, "/x").status, 200);
    let url = proxy.forward_url();
    thread::scope(|scope| {
        let lost = scope.spawn(|| refusal(&ask_at(url, "/lost")));
        eventually("it is asked whether it lives", || provider.pings() == 1);
        for _ in 0..5 {
            assert_eq!(ask_at(url, "/x").status, 200);
        }
        let lost = lost.join().expect("the client does not panic");
        assert_eq!(lost, (504, "upstream_timeout".to_owned()), "in its own time");
    });
    assert_eq!((provider.requests(), provider.connections(), provider.pings()), (7, 2, 1));
}

#[test]
fn a_provider_that_is_slow_and_alive_keeps_its_connection() {
    // It answers the request when it is asked whether it lives.
    let pong = |content: &[u8]| [frame(PING, ACK, 0, content), ok(3)].concat();
    let provider = Provider::start_with(|_| frame(PING, ACK, 0, b"nonsense"), pong);
    let mut proxy = provider.proxy_with("");
    for path in ["/x", "/slow", "/x"] {
        assert_eq!(ask(&proxy, path).status, 200, "{path}");
    }
    assert_eq!((provider.requests(), provider.connections(), provider.pings()), (3, 1, 1));
    assert!(!proxy.finish(DEADLINE).contains("PING"), "nobody wonders");
}

#[test]
fn a_connection_on_which_a_request_waited_in_vain_gets_no_other() {
    let provider = Provider::start(|_| frame(PING, ACK, 0, b"alive..."));
    let proxy = provider.proxy_with("[timeouts]\nresponse_head = \"2s\"\n");
    assert_eq!(ask(&proxy, "/x").status, 200);
    assert_eq!(refusal(&ask(&proxy, "/lost")), (504, "upstream_timeout".to_owned()));
    assert_eq!(ask(&proxy, "/x").status, 200);
    assert_eq!((provider.requests(), provider.connections()), (3, 2));
}
