//! How a proxy ends, and what it holds on to meanwhile: drains, limits, deadlines, descriptors.

use std::net::TcpStream;

use crate::support::client::Client;
use crate::support::config::PASS;
use crate::support::proxy::Signal;
use crate::support::stage::{METASV, SINOHOPE, Stage, get};
use crate::support::wait::{DEADLINE, eventually};

#[test]
fn a_stop_lets_what_is_under_way_finish_and_takes_nothing_new() {
    for signal in [Signal::Terminate, Signal::Interrupt] {
        let mut stage = Stage::new("");
        let url = stage.proxy.forward_url().to_owned();
        let mut idle = stage.client();
        assert_eq!(idle.exchange(get(&format!("{METASV}/x"))).status, 200);
        let mut client = held(&stage);
        stage.proxy.signal(signal);
        eventually("it is not ready", || stage.proxy.probe("/readyz").status == 503);
        assert_eq!(stage.proxy.probe("/readyz").json()["state"], "draining");
        assert_eq!(stage.proxy.probe("/healthz").status, 200);
        assert!(stage.proxy.probe("/metrics").body.starts_with(b"# "));
        let address = url.trim_start_matches("http://");
        eventually("new connections are refused", || TcpStream::connect(address).is_err());
        assert_eq!(idle.await_end(), b"");
        stage.origin.release();
        let reply = client.reply();
        assert_eq!((reply.status, reply.values("Connection")), (200, vec!["close"]));
        assert_eq!(client.await_end(), b"");
        // What a client leaves open is waited for a little longer.
        drop((idle, client));
        assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0), "{signal:?}");
        stage.proxy.await_output(" drained");
    }
}

#[test]
fn a_stop_waits_for_a_body_that_is_still_streaming() {
    let mut stage = Stage::new("");
    let mut client = stage.client();
    client.send(format!("POST {METASV}/sink HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nhalf"));
    eventually("the first half arrives", || stage.origin.passed() == 4);
    stage.proxy.signal(Signal::Terminate);
    eventually("it is not ready", || stage.proxy.probe("/readyz").status == 503);
    assert_eq!(client.exchange("half").status, 200);
    drop(client);
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
}

#[test]
fn a_second_signal_ends_a_drain_at_once() {
    let mut stage = Stage::new("[timeouts]\ndrain = \"1h\"\n");
    let mut client = held(&stage);
    stage.proxy.signal(Signal::Terminate);
    eventually("it is not ready", || stage.proxy.probe("/readyz").status == 503);
    stage.proxy.signal(Signal::Terminate);
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
    stage.proxy.await_output("stopped with requests under way");
    assert!(client.try_reply().is_err());
    assert!(!stage.proxy.output().contains(" drained"));
}

#[test]
fn a_stop_does_not_wait_for_clients_that_have_their_answers() {
    // Less than a connection lingers behind a body that was not read.
    let mut stage = Stage::new("[timeouts]\ndrain = \"1s\"\n");
    let (mut signed, mut refused) = (stage.client(), stage.client());
    assert_eq!(signed.exchange(get(&format!("{METASV}/x"))).status, 200);
    assert_eq!(refused.exchange(get("http://unrouted.test/")).status, 403);
    stage.proxy.signal(Signal::Terminate);
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
    stage.proxy.await_output(" drained");
    assert_eq!((signed.await_end(), refused.await_end()), (vec![], vec![]));
}

#[test]
fn a_drain_ends_at_its_deadline() {
    let mut stage = Stage::new("[timeouts]\ndrain = \"200ms\"\n");
    let mut client = held(&stage);
    // A body that is held whole, and of which nothing may be counted as sent.
    let mut half = stage.client();
    half.send(format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf"));
    stage.proxy.await_read(&half);
    stage.proxy.signal(Signal::Terminate);
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
    stage.proxy.await_output("stopped with requests under way");
    assert!(client.try_reply().is_err() && half.try_reply().is_err());
    assert_eq!(stage.origin.arrived().len(), 1);
    // The line says which of the two a provider may have seen.
    stage.proxy.await_output(": abandoned id=");
    let written = stage.proxy.output();
    assert!(written.contains(": abandoned id=") && !written.contains(": passed id="), "{written}");
}

#[test]
fn a_stop_ends_tunnels_only_when_its_time_is_over() {
    let mut stage = Stage::new(&format!("{PASS}[timeouts]\ndrain = \"2s\"\n"));
    let place = stage.origin.url().replace("http://", "");
    let mut client = stage.client();
    client.send(format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n"));
    assert_eq!(client.bare_reply().status, 200);
    stage.proxy.signal(Signal::Terminate);
    stage.proxy.await_output("stopping");
    // Inside is a plain connection to the origin, which knows no signature here.
    assert_eq!(client.exchange("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 401);
    client.await_end();
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
}

#[test]
fn a_connection_beyond_the_limit_waits_for_another_to_close() {
    let stage = Stage::new("[limits]\nconnections = 5\n");
    let mut clients: Vec<_> = (0..4).map(|_| stage.client()).collect();
    let mut ask_all = || {
        for client in &mut clients {
            assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 200);
        }
    };
    ask_all();
    let mut fifth = stage.client();
    fifth.send(get(&format!("{METASV}/fifth")));
    // Time enough for a proxy without a limit.
    for _ in 0..20 {
        ask_all();
    }
    let came = |target| stage.origin.arrived().iter().filter(|one| one.target == target).count();
    assert_eq!((came("/x"), came("/fifth")), (84, 0));
    // Probes get through all the same.
    assert_eq!(stage.proxy.probe("/readyz").status, 200);
    clients.pop();
    assert_eq!(fifth.reply().status, 200);
    assert_eq!(came("/fifth"), 1);
}

#[test]
fn a_limit_of_one_connection_serves_both_listeners_in_turn() {
    let stage = Stage::new("[limits]\nconnections = 1\n");
    let host = stage.proxy.gateway_url().trim_start_matches("http://");
    for _ in 0..3 {
        assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
        let request = format!("GET /metasv/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(Client::connect(stage.proxy.gateway_url()).exchange(request).status, 200);
    }
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let stage = Stage::new("[timeouts]\nrequest_head = \"1s\"\nclient_idle = \"1s\"\n");
    let (mut silent, mut half, mut slow) = (stage.client(), stage.client(), stage.client());
    half.send(format!("GET {METASV}/half HTTP/1.1\r\nHost:"));
    slow.send(format!("GET {METASV}/slow HTTP/1.1\r\nX: "));
    let mut idle = stage.client();
    assert_eq!(idle.exchange(get(&format!("{METASV}/x"))).status, 200);
    // A byte now and then gains nothing.
    eventually("it is closed", || slow.try_send("x").is_err());
    for client in [&mut silent, &mut half, &mut idle] {
        assert_eq!(client.await_end(), b"");
    }
    let targets: Vec<_> = stage.origin.arrived().into_iter().map(|one| one.target).collect();
    assert_eq!(targets, ["/x"]);
}

#[test]
fn a_head_beyond_the_limit_is_refused() {
    let stage = Stage::new("[limits]\nheader = \"8KiB\"\n");
    let head = |length: usize| {
        format!("GET {METASV}/x HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(length))
    };
    assert_eq!(stage.exchange(head(7 << 10)).status, 200);
    assert_eq!(stage.exchange(head(9 << 10)).status, 431);
    assert_eq!(stage.origin.begun(), 1);
}

#[test]
fn descriptors_go_back_after_abuse() {
    let stage = Stage::new(&format!("{PASS}[timeouts]\nresponse_head = \"2s\"\n"));
    assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
    stage.proxy.await_metric("countersign_connections", 1);
    let before = stage.proxy.descriptors();
    let place = stage.origin.url().replace("http://", "");
    let openings = [
        String::new(),
        "GET http://".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\nhalf"),
        format!("POST {METASV}/x HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\nhalf"),
        format!("GET {METASV}/slow-head HTTP/1.1\r\nHost: h\r\n\r\n"),
        format!("GET {METASV}/big/10000000 HTTP/1.1\r\nHost: h\r\n\r\n"),
        format!("CONNECT {place} HTTP/1.1\r\nHost: h\r\n\r\nGET /half"),
    ];
    for _ in 0..25 {
        let clients = openings.each_ref().map(|opening| {
            let mut client = stage.client();
            client.send(opening);
            client
        });
        // An end of what they send is none of what they want: the silent provider is waited for.
        eventually("they are taken", || stage.proxy.descriptors() > before);
        drop(clients);
    }
    // A pooled connection more or less to the one origin is no leak.
    eventually("descriptors go back", || stage.proxy.descriptors() <= before + 1);
    stage.proxy.await_metric("countersign_connections", 1);
    stage.proxy.await_metric("countersign_tunnels", 0);
    assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
}

/// A request that has arrived at the origin and is not answered yet.
fn held(stage: &Stage) -> Client {
    let mut client = stage.client();
    client.send(get(&format!("{METASV}/held")));
    eventually("it arrives", || stage.origin.arrived().iter().any(|one| one.target == "/held"));
    client
}
