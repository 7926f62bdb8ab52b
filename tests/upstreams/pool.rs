//! The pool: how many connections there are, and how old they get.

use std::thread;

use super::{ask, ask_at, metasv, trusting};
use crate::support::h2_origin::H2Origin;
use crate::support::origin::{self, Origin};
use crate::support::proxy::Proxy;
use crate::support::wait::eventually;

/// Asks so many times at once, does this while they are under way, and wants them all answered.
fn ask_together(proxy: &Proxy, count: usize, path: &str, meanwhile: impl FnOnce()) {
    let url = proxy.forward_url();
    thread::scope(|scope| {
        let ask = || ask_at(url, path).status;
        let clients: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
        meanwhile();
        for client in clients {
            assert_eq!(client.join().expect("the client does not panic"), 200);
        }
    });
}

#[test]
fn one_connection_shows_whether_requests_can_share_it() {
    let origin = H2Origin::start(&["apiv2.metasv.com"], origin::metasv("test-a"));
    let proxy = Proxy::start(&metasv(&origin.url(), &trusting(origin.ca())));
    ask_together(&proxy, 20, "/x", || {});
    assert_eq!((origin.arrived().len(), origin.connections()), (20, 1));
}

#[test]
fn a_connection_with_as_many_streams_as_the_provider_takes_gets_company() {
    let origin = H2Origin::start_narrow(&["apiv2.metasv.com"], origin::metasv("test-a"), 2);
    let proxy = Proxy::start(&metasv(&origin.url(), &trusting(origin.ca())));
    // With the first answer, the proxy has read how many there may be.
    assert_eq!(ask(&proxy, "/x").status, 200);
    ask_together(&proxy, 5, "/held", || {
        eventually("all are under way at once", || origin.begun() == 6);
        origin.release();
    });
    // What has ended makes room again.
    assert_eq!(ask(&proxy, "/x").status, 200);
    assert_eq!(origin.begun(), 7);
    assert!((3..=4).contains(&origin.connections()), "{}", origin.connections());
}

#[test]
fn requests_over_http_1_1_take_turns_on_the_connections_that_are_kept() {
    let origin = Origin::start(origin::scripted(origin::metasv("test-a")));
    let proxy = Proxy::start(&metasv(&origin.url(), "idle_connections = 2\n"));
    ask_together(&proxy, 5, "/held", || {
        eventually("all are under way at once", || origin.arrived().len() == 5);
        origin.release();
    });
    eventually("three are closed", || origin.open() == 2);
    for _ in 0..4 {
        assert_eq!(ask(&proxy, "/x").status, 200);
    }
    assert_eq!((origin.connections(), origin.open()), (5, 2));
}

#[test]
fn an_old_connection_gets_no_new_requests() {
    let young = "max_age = \"300ms\"\n";
    let shared = H2Origin::start(&["apiv2.metasv.com"], origin::metasv("test-a"));
    let single = Origin::start(origin::metasv("test-a"));
    let table: [(String, String, &dyn Fn() -> usize); 2] = [
        (shared.url(), trusting(shared.ca()) + young, &|| shared.connections()),
        (single.url(), young.to_owned(), &|| single.connections()),
    ];
    for (url, lines, connections) in table {
        let proxy = Proxy::start(&metasv(&url, &lines));
        eventually("there is a third connection", || {
            assert_eq!(ask(&proxy, "/x").status, 200, "{url}");
            connections() == 3
        });
    }
}
