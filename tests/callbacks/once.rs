//! One answer for each `request_id`: who asks again is told what was answered, and the service is
//! asked once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::rules::{keygen, lines};
use crate::support::client::Client;
use crate::support::cobo::{HEADER, Party, claims, keysign, now, post};
use crate::support::config;
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::Proxy;

/// A token around a package, another one each time.
pub(super) fn form(package: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let later = COUNT.fetch_add(1, Ordering::Relaxed) as u64 % 60;
    format!("TSS_JWT_MSG={}", Party::node().sign(HEADER, &claims(package, now() + 60 + later)))
}

/// What a node is told of a package that it sends to a path.
pub(super) fn told(url: &str, path: &str, package: &str, id: &str) -> Value {
    let request = post(url, "application/x-www-form-urlencoded", &form(package));
    let request = request.replacen("/v1/check", path, 1);
    let reply = Client::connect(url).exchange(request);
    let said = Party::server().believer().answer(reply.status, &reply.body, id);
    said.unwrap_or_else(|why| panic!("{package}: {why}"))
}

/// Counts callbacks that were given an answer which was there, or is to be.
pub(super) const AGAIN: &str = "countersign_callbacks_again_total";

/// A service that approves what it is asked first, and rejects from then on.
pub(super) fn fickle() -> Origin {
    let asked = AtomicUsize::new(0);
    Origin::start(Box::new(move |_| {
        let first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        Answer::json(200, &json!({ "action": if first { "APPROVE" } else { "REJECT" } }))
    }))
}

#[test]
fn a_repeated_request_gets_the_answer_that_it_got() {
    let service = fickle();
    let config = config::proxy(&[config::cobo_callback(&service.url(), "")]);
    let proxy = Proxy::start(&config);
    let first = told(proxy.gateway_url(), "/v1/check", &keysign("r-1"), "r-1");
    assert_eq!(first["action"], "APPROVE", "{first}");
    proxy.await_metric(AGAIN, 0);
    assert_eq!(told(proxy.gateway_url(), "/v1/check", &keysign("r-1"), "r-1"), first);
    // Where it is sent to is no part of what the node has signed.
    assert_eq!(told(proxy.gateway_url(), "/v1/other", &keysign("r-1"), "r-1"), first);
    proxy.reload(&config.replace("[routes.cobo]", "[routes.cobo]\nmethods = [\"POST\"]"), true);
    assert_eq!(told(proxy.gateway_url(), "/v1/check", &keysign("r-1"), "r-1"), first);
    assert_eq!(service.begun(), 1);
    proxy.await_metric(AGAIN, 3);
    // Another id is another question.
    assert_eq!(told(proxy.gateway_url(), "/v1/check", &keysign("r-2"), "r-2")["action"], "REJECT");
    assert_eq!(service.begun(), 2);
    // Without an id, there is nothing to repeat.
    for _ in 0..2 {
        told(proxy.gateway_url(), "/v1/check", "{}", "");
    }
    assert_eq!(service.begun(), 4);
}

#[test]
fn an_id_that_another_request_had_is_refused() {
    let service = fickle();
    let proxy = Proxy::start(&config::proxy(&[config::cobo_callback(&service.url(), "")]));
    let other = keysign("r-1").replace("note", "memo");
    for (package, approved) in [
        (keysign("r-1"), true),
        (other, false),
        (keygen("r-1"), false),
        (r#"{"request_id":"r-1"}"#.to_owned(), false),
        (keysign("r-1"), true),
    ] {
        let said = told(proxy.gateway_url(), "/v1/check", &package, "r-1");
        if approved {
            assert_eq!((&said["status"], &said["action"]), (&json!(0), &json!("APPROVE")));
            continue;
        }
        assert_eq!((&said["status"], said.get("action")), (&json!(10), None), "{said}");
        let error = said["error"].as_str().unwrap_or_default();
        assert!(error.contains("request_id that another request had"), "{said}");
    }
    assert_eq!(service.begun(), 1);
    proxy.await_output("request_id that another request had");
}

#[test]
fn what_failed_is_not_asked_again() {
    let asked = AtomicUsize::new(0);
    let service = Origin::start(Box::new(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::Truncated,
        _ => Answer::json(200, &json!({ "action": "APPROVE" })),
    }));
    let proxy = Proxy::start(&config::proxy(&[config::cobo_callback(&service.url(), "")]));
    for _ in 0..2 {
        let said = told(proxy.gateway_url(), "/v1/check", &keysign("r-1"), "r-1");
        assert_eq!((&said["status"], &said["action"]), (&json!(30), &json!("REJECT")), "{said}");
    }
    assert_eq!(told(proxy.gateway_url(), "/v1/check", &keysign("r-2"), "r-2")["action"], "APPROVE");
    assert_eq!(service.begun(), 2);
}

/// A service that takes its time: it answers once it is released.
pub(super) fn slow() -> Origin {
    Origin::start(Box::new(|_| {
        Answer::Held(Box::new(Answer::json(200, &json!({ "action": "APPROVE" }))))
    }))
}

#[test]
fn requests_that_come_together_are_asked_once() {
    let service = slow();
    let proxy = Proxy::start(&config::proxy(&[config::cobo_callback(&service.url(), "")]));
    let url = proxy.gateway_url();
    let said: Vec<Value> = thread::scope(|scope| {
        let ask = || told(url, "/v1/check", &keysign("r-1"), "r-1");
        let askers: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        proxy.await_metric(AGAIN, 3);
        service.await_arrived(1);
        service.release();
        askers.into_iter().map(|asker| asker.join().expect("nobody panicked")).collect()
    });
    assert_eq!(said.len(), 4);
    assert!(said.iter().all(|said| said["action"] == "APPROVE"), "{said:?}");
    assert_eq!(service.begun(), 1);
}

#[test]
fn what_was_asked_is_known_although_the_first_who_asked_has_gone() {
    let service = slow();
    let proxy = Proxy::start(&config::proxy(&[config::cobo_callback(&service.url(), "")]));
    let mut gone = Client::connect(proxy.gateway_url());
    let kind = "application/x-www-form-urlencoded";
    // The first answer is not read, so that the system resets the connection.
    gone.send(post(proxy.gateway_url(), kind, "TSS_JWT_MSG=x"));
    gone.send(post(proxy.gateway_url(), kind, &form(&keysign("r-1"))));
    service.await_arrived(1);
    drop(gone);
    proxy.await_output(": abandoned id=");
    service.release();
    let said = told(proxy.gateway_url(), "/v1/check", &keysign("r-1"), "r-1");
    assert_eq!((&said["status"], &said["action"]), (&json!(0), &json!("APPROVE")), "{said}");
    assert_eq!(service.begun(), 1);
    proxy.await_metric(AGAIN, 1);
}

#[test]
fn rules_decide_once_and_their_decision_is_one_line() {
    let proxy = Proxy::start(&config::proxy(&[config::cobo_rules("keygen = \"allow\"")]));
    for _ in 0..3 {
        assert_eq!(
            told(proxy.gateway_url(), "/v1/check", &keygen("k-1"), "k-1")["action"],
            "APPROVE"
        );
    }
    assert_eq!(lines(proxy.home()).len(), 1);
    // An answer stays what it was although the rules are others now.
    let refuse = config::proxy(&[config::cobo_rules("keygen = \"refuse\"")]);
    proxy.reload(&refuse, true);
    assert_eq!(told(proxy.gateway_url(), "/v1/check", &keygen("k-1"), "k-1")["action"], "APPROVE");
    assert_eq!(told(proxy.gateway_url(), "/v1/check", &keygen("k-2"), "k-2")["action"], "REJECT");
    assert_eq!(lines(proxy.home()).len(), 2);
}
