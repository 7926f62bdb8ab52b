//! HTTP/2 that does not go well: every end is a clear one, nothing waits for ever, and nothing is
//! sent a second time.

use std::collections::BTreeSet;
use std::io::Write;
use std::thread;

use super::{ask, ask_at, metasv, refusal, text, trusting};
use crate::support::client::{Client, Reply};
use crate::support::h2_origin::H2Origin;
use crate::support::origin::{self, Answer, Origin};
use crate::support::proxy::Proxy;
use crate::support::stage::METASV;
use crate::support::wait::eventually;

fn stage(timeouts: &str) -> (H2Origin, Proxy) {
    let origin = H2Origin::start(&["apiv2.metasv.com"], origin::metasv("test-a"));
    let lines = trusting(origin.ca()) + "[timeouts]\n" + timeouts;
    let proxy = Proxy::start(&metasv(&origin.url(), &lines));
    (origin, proxy)
}

#[test]
fn a_stream_that_is_reset_and_a_connection_that_is_cut_are_said_once() {
    let (origin, proxy) = stage("");
    // On a connection that has served before: what is retried there would be retried here.
    assert_eq!(ask(&proxy, "/x").status, 200);
    for (number, path) in ["/reset", "/cut"].into_iter().enumerate() {
        let reply = ask(&proxy, path);
        assert_eq!(refusal(&reply), (502, "upstream_closed".to_owned()), "{path}");
        let remedy = text(&reply.json(), "remedy");
        assert!(remedy.contains("may have been carried out"), "{remedy}");
        assert_eq!(ask(&proxy, "/x").status, 200, "after {path}");
        assert_eq!(origin.begun(), 1 + 2 * (number + 1), "{path} was sent once");
    }
    // A reset ends its own stream only; the cut connection was replaced.
    assert_eq!(origin.connections(), 2);
}

#[test]
fn what_is_sent_again_is_signed_again() {
    let (origin, proxy) = stage("");
    assert_eq!(ask(&proxy, "/refused-once").status, 200);
    let reply = ask(&proxy, "/refused");
    let remedy = text(&reply.json(), "remedy");
    assert_eq!(refusal(&reply), (502, "upstream_unprocessed".to_owned()), "once and no more");
    assert!(remedy.contains("Nothing was carried out"), "{remedy}");
    let arrived = origin.arrived();
    for name in ["MetaSV-Nonce", "MetaSV-Signature"] {
        let values: BTreeSet<_> = arrived.iter().map(|one| one.once(name)).collect();
        assert_eq!(values.len(), 4, "{name}");
    }
    assert_eq!((origin.begun(), origin.connections()), (4, 3), "each time on another connection");
    proxy.await_output("upstream_unprocessed");
    assert_eq!(proxy.output().matches("countersign::request").count(), 2, "a line for each");
}

#[test]
fn a_provider_that_goes_away_finishes_what_it_has_and_is_called_anew() {
    let (origin, proxy) = stage("");
    let url = proxy.forward_url();
    thread::scope(|scope| {
        let leaving = scope.spawn(|| ask_at(url, "/leaving").status);
        eventually("it is under way", || origin.begun() == 1);
        // It takes nothing more on the connection that it is about to leave.
        assert_eq!(ask_until_moved(&origin, &proxy), 200);
        origin.release();
        assert_eq!(leaving.join().expect("the client does not panic"), 200);
    });
    assert_eq!(origin.connections(), 2);
}

/// Sends requests until one has gone over a second connection.
fn ask_until_moved(origin: &H2Origin, proxy: &Proxy) -> u16 {
    let mut status = 0;
    eventually("there is a second connection", || {
        status = ask(proxy, "/x").status;
        origin.connections() == 2
    });
    status
}

/// Sends more than any window takes, to the provider's `path`.
fn upload(proxy: &Proxy, path: &str) -> Reply {
    let mut client = Client::connect(proxy.forward_url());
    let mut writer = client.writer();
    let head =
        format!("POST {METASV}{path} HTTP/1.1\r\nHost: h\r\nContent-Length: {LENGTH}\r\n\r\n");
    let sending = thread::spawn(move || {
        writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&vec![b'x'; LENGTH]))
    });
    let reply = client.reply();
    client.await_end();
    let sent = sending.join().expect("the writer does not panic");
    assert!(sent.is_err(), "{path}: nobody has read all of it");
    reply
}

#[test]
fn an_answer_before_the_end_of_an_upload_ends_it() {
    let (origin, proxy) = stage("");
    for _ in 0..8 {
        let reply = upload(&proxy, "/early");
        assert_eq!((reply.status, reply.body), (401, b"not even read".to_vec()));
    }
    assert_eq!(ask(&proxy, "/x").status, 200);
    assert_eq!((origin.begun(), origin.connections()), (9, 1));
}

#[test]
fn an_answer_from_one_who_neither_reads_nor_refuses_the_rest_ends_the_connection() {
    let origin = H2Origin::start_closed(&["apiv2.metasv.com"], origin::metasv("test-a"));
    let lines = trusting(origin.ca()) + "[timeouts]\nbody_idle = \"2s\"\n";
    let proxy = Proxy::start(&metasv(&origin.url(), &lines));
    // The window of a connection counts from its settings, which come after the first request.
    assert_eq!(ask(&proxy, "/x").status, 200);
    let mut client = Client::connect(proxy.forward_url());
    client.send(format!("POST {METASV}/mute HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx"));
    eventually("it has begun", || origin.begun() == 2);
    // When others have come and gone, the proxy has long had the byte in hand that nobody takes.
    for _ in 0..5 {
        assert_eq!(ask(&proxy, "/x").status, 200);
    }
    origin.release();
    let reply = client.reply();
    assert_eq!((reply.status, reply.body), (401, b"not even read".to_vec()));
    client.await_end();
    origin.await_open(0);
    assert_eq!(ask(&proxy, "/x").status, 200);
    assert_eq!((origin.begun(), origin.connections()), (8, 2));
}

#[test]
fn a_provider_that_takes_no_more_of_an_upload_is_given_up() {
    let (origin, proxy) = stage("body_idle = \"2s\"\n");
    let reply = upload(&proxy, "/deaf");
    assert_eq!(refusal(&reply), (504, "upstream_timeout".to_owned()));
    let detail = text(&reply.json(), "detail");
    assert!(detail.contains("took no more of the request"), "{detail}");
    // The stream is reset, and the connection is as good as before.
    assert_eq!(ask(&proxy, "/x").status, 200);
    assert_eq!((origin.begun(), origin.connections()), (2, 1));
}

#[test]
fn a_client_that_leaves_in_the_middle_of_an_upload_ends_its_stream() {
    let (origin, proxy) = stage("");
    let mut client = Client::connect(proxy.forward_url());
    let head =
        format!("POST {METASV}/sink HTTP/1.1\r\nHost: h\r\nContent-Length: {LENGTH}\r\n\r\n");
    client.send(head + "half");
    eventually("it has begun", || origin.begun() == 1);
    drop(client);
    assert_eq!(ask(&proxy, "/x").status, 200);
    let arrived = origin.arrived();
    assert_eq!((arrived.len(), arrived[0].path()), (1, "/x"), "half of it never looks whole");
}

#[test]
fn a_switch_of_protocols_that_nobody_asked_for_is_no_answer() {
    let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let origin = Origin::start(Box::new(move |_| Answer::Raw(head.into())));
    let proxy = Proxy::start(&metasv(&origin.url(), ""));
    let reply = ask(&proxy, "/x");
    assert_eq!(refusal(&reply), (502, "upstream_protocol".to_owned()), "{}", reply.json());
    assert_eq!(origin.arrived().len(), 1);
}

const LENGTH: usize = 32 << 20;
