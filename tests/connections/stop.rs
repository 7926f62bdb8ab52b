//! A stop that programs and proxy are told of together: what they still have to say is taken for a
//! while, and those who say nothing are not waited for.

use std::net::TcpStream;
use std::time::Instant;

use crate::support::client::Client;
use crate::support::h2_client::{self, Http2};
use crate::support::proxy::Signal;
use crate::support::stage::{METASV, Stage, get};
use crate::support::wait::{DEADLINE, eventually};

#[test]
fn new_requests_are_taken_for_a_while_after_a_stop_was_asked_for() {
    let mut stage = Stage::new("");
    let (address, gateway) =
        (stage.proxy.forward_url().to_owned(), stage.proxy.gateway_url().to_owned());
    let mut open = stage.client();
    let mut both = Http2::begin(Client::connect(&gateway), &[]);
    let asked = h2_client::get(&gateway, "/metasv/x");
    assert_eq!(open.exchange(get(&format!("{METASV}/x"))).status, 200);
    assert_eq!(both.ask(1, &asked).status(), Some(200));
    stage.proxy.signal(Signal::Terminate);
    eventually("it is not ready", || stage.proxy.probe("/readyz").status == 503);
    let reply = open.exchange(get(&format!("{METASV}/x")));
    assert_eq!((reply.status, reply.values("Keep-Alive").len()), (200, 0));
    assert_eq!(both.ask(3, &asked).status(), Some(200));
    assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
    // Then they are refused, and the stop is one without loss.
    let address = address.trim_start_matches("http://");
    eventually("new connections are refused", || TcpStream::connect(address).is_err());
    assert_eq!(open.await_end(), b"");
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
    stage.proxy.await_output(" drained");
}

#[test]
fn a_stop_at_a_terminal_takes_nothing_new() {
    let mut stage = Stage::new("[timeouts]\ndrain_linger = \"1h\"\n");
    let mut open = stage.client();
    assert_eq!(open.exchange(get(&format!("{METASV}/x"))).status, 200);
    stage.proxy.signal(Signal::Interrupt);
    assert_eq!(open.await_end(), b"");
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
}

#[test]
fn a_second_signal_ends_the_time_for_new_requests() {
    let mut stage = Stage::new("[timeouts]\ndrain_linger = \"1h\"\n");
    stage.proxy.signal(Signal::Terminate);
    eventually("it is not ready", || stage.proxy.probe("/readyz").status == 503);
    stage.proxy.signal(Signal::Terminate);
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
    stage.proxy.await_output(" drained");
}

#[test]
fn a_client_of_http_2_that_does_not_read_is_not_waited_for() {
    let mut stage = Stage::new("");
    let gateway = stage.proxy.gateway_url().to_owned();
    let mut client = Http2::begin(Client::connect(&gateway), &[]);
    let answered = client.ask(1, &h2_client::get(&gateway, "/metasv/x"));
    assert_eq!(answered.status(), Some(200));
    let started = Instant::now();
    // From now on it neither reads nor answers.
    stage.proxy.signal(Signal::Interrupt);
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
    stage.proxy.await_output(" drained");
    assert!(started.elapsed().as_secs() < 10, "it was waited for, for {:?}", started.elapsed());
    client.await_end();
}

#[test]
fn a_request_under_way_is_waited_for_over_http_2() {
    let mut stage = Stage::new("");
    let gateway = stage.proxy.gateway_url().to_owned();
    let mut client = Http2::begin(Client::connect(&gateway), &[]);
    client.head(1, &h2_client::get(&gateway, "/metasv/held"), true);
    stage.origin.await_arrived(1);
    let silent = Http2::begin(Client::connect(&gateway), &[]);
    stage.proxy.await_metric("countersign_connections", 3);
    stage.proxy.signal(Signal::Interrupt);
    // The other one is no longer waited for, which is not at once.
    stage.proxy.await_metric("countersign_connections", 2);
    stage.origin.release();
    assert_eq!(client.end(1).status(), Some(200));
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
    stage.proxy.await_output(" drained");
    drop(silent);
}
