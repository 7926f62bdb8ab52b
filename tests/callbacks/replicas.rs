//! One answer for each `request_id` in two processes that share a Redis, and what who can write in that
//! Redis cannot do.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::once::{AGAIN, fickle, form, slow, told};
use crate::support::client::{Client, Reply};
use crate::support::cobo::{Party, keysign, now, post};
use crate::support::config;
use crate::support::origin::Origin;
use crate::support::proxy::{Proxy, Signal};
use crate::support::redis::Redis;
use crate::support::wait::eventually;

/// A proxy before this service, with these lines in `[shared]`.
fn replica(service: &Origin, redis: &Redis, lines: &str) -> Proxy {
    let shared = format!("[shared]\nredis = \"{}\"\n{lines}", redis.url());
    Proxy::start(&config::proxy(&[shared, config::cobo_callback(&service.url(), DEADLINE)]))
}

/// Who waits for another's answer waits a second longer.
const DEADLINE: &str = "params.deadline = \"3s\"";

fn tell(proxy: &Proxy, package: &str, id: &str) -> Value {
    told(proxy.gateway_url(), "/v1/check", package, id)
}

fn send(proxy: &Proxy, id: &str) -> Reply {
    let url = proxy.gateway_url();
    let kind = "application/x-www-form-urlencoded";
    Client::connect(url).exchange(post(url, kind, &form(&keysign(id))))
}

/// What the store has of callbacks.
fn keys(redis: &Redis) -> BTreeSet<String> {
    let keys = redis.cli(&["KEYS", "countersign:answers:*"]);
    keys.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// How often a command was run there.
fn ran(redis: &Redis, command: &str) -> usize {
    let said = redis.cli(&["INFO", "commandstats"]);
    let calls = said.split(&format!("cmdstat_{command}:calls=")).nth(1);
    calls.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
}

/// The bug: each replica asks for itself, and the second says another thing than the first.
#[test]
fn two_replicas_ask_once_and_say_the_same() {
    let (redis, service) = (Redis::young(""), fickle());
    let (one, two) = (replica(&service, &redis, ""), replica(&service, &redis, ""));
    let first = tell(&one, &keysign("r-1"), "r-1");
    assert_eq!(first["action"], "APPROVE", "{first}");
    let other = keysign("r-1").replace("note", "memo");
    for _ in 0..2 {
        let said = tell(&two, &other, "r-1");
        assert_eq!((&said["status"], said.get("action")), (&json!(10), None), "{said}");
        assert_eq!(tell(&two, &keysign("r-1"), "r-1"), first);
    }
    two.await_metric(AGAIN, 2);
    // One that is new, as after a restart, or by a rolling update.
    let three = replica(&service, &redis, "");
    assert_eq!(tell(&three, &keysign("r-1"), "r-1"), first);
    assert_eq!(service.begun(), 1);
    let kept = keys(&redis);
    assert_eq!(kept.len(), 1);
    for key in &kept {
        let left = redis.cli(&["PTTL", key]).trim().parse::<u64>().expect("a time to live");
        assert!((700_000..=720_000).contains(&left), "{left}");
    }
    assert_eq!(tell(&two, &keysign("r-2"), "r-2")["action"], "REJECT");
    assert_eq!(tell(&one, &keysign("r-2"), "r-2")["action"], "REJECT");
    for _ in 0..2 {
        tell(&one, "{}", "");
    }
    assert_eq!((service.begun(), keys(&redis).len()), (4, 2));
}

/// The bug: who comes while another asks does not wait, or asks, too.
#[test]
fn requests_that_come_to_both_at_once_are_asked_once() {
    let (redis, service) = (Redis::young(""), slow());
    let (one, two) = (replica(&service, &redis, ""), replica(&service, &redis, ""));
    let said: Vec<Value> = thread::scope(|scope| {
        let ask = |url| told(url, "/v1/check", &keysign("r-1"), "r-1");
        let urls = [one.gateway_url(), two.gateway_url()];
        let askers = urls.map(|url| scope.spawn(move || ask(url)));
        service.await_arrived(1);
        eventually("both have tried to claim it", || ran(&redis, "set") == 2);
        service.release();
        askers.map(|asker| asker.join().expect("nobody panicked")).into()
    });
    assert!(said.iter().all(|said| said["action"] == "APPROVE"), "{said:?}");
    assert_eq!(service.begun(), 1);
}

/// The bug: what one has asked is asked again by another because the first has died.
#[test]
fn what_a_dead_replica_has_asked_is_not_asked_again() {
    let (redis, service) = (Redis::young(""), slow());
    let (mut one, two) = (replica(&service, &redis, ""), replica(&service, &redis, ""));
    let url = one.gateway_url().to_owned();
    let mut gone = Client::connect(&url);
    gone.send(post(&url, "application/x-www-form-urlencoded", &form(&keysign("r-1"))));
    service.await_arrived(1);
    one.signal(Signal::Kill);
    one.wait_exit(Duration::from_secs(10));
    for _ in 0..2 {
        let said = tell(&two, &keysign("r-1"), "r-1");
        assert_eq!((&said["status"], &said["action"]), (&json!(30), &json!("REJECT")), "{said}");
        let error = said["error"].as_str().unwrap_or_default();
        assert!(error.contains("what came of it is not known"), "{said}");
    }
    assert_eq!(service.begun(), 1);
}

/// The bug: without the store somebody is asked, or a refusal that the node takes for the answer.
#[test]
fn while_the_store_is_away_nobody_is_asked_and_the_node_may_come_again() {
    let (mut redis, service) = (Redis::young(""), fickle());
    let proxy = replica(&service, &redis, "");
    let first = tell(&proxy, &keysign("r-1"), "r-1");
    let refused = |proxy: &Proxy, id: &str| {
        let reply = send(proxy, id);
        let body = reply.json();
        assert_eq!((reply.status, &body["code"]), (503, &json!("answers_unavailable")), "{body}");
        assert!(reply.headers.iter().any(|(name, _)| name == "retry-after"), "{reply:?}");
    };
    redis.signal("-STOP");
    refused(&proxy, "r-2");
    assert_eq!(tell(&proxy, &keysign("r-1"), "r-1"), first, "it is remembered here");
    redis.signal("-CONT");
    assert_eq!(service.begun(), 1);
    assert_eq!(tell(&proxy, &keysign("r-3"), "r-3")["action"], "REJECT");
    redis.kill();
    refused(&proxy, "r-4");
    redis.restart_empty();
    assert_eq!(tell(&proxy, &keysign("r-4"), "r-4")["action"], "REJECT");
    assert_eq!(service.begun(), 3);
    // A claim that a failover would lose is none.
    let careful = replica(&service, &redis, "replicas = 1\n");
    let before = keys(&redis);
    refused(&careful, "r-5");
    assert_eq!((service.begun(), keys(&redis)), (3, before));
}

/// The bug: something in the store is believed that no replica has left there for this request.
#[test]
fn what_is_planted_in_the_store_approves_nothing() {
    let (redis, service) = (Redis::young(""), fickle());
    let (one, two) = (replica(&service, &redis, ""), replica(&service, &redis, ""));
    assert_eq!(tell(&one, &keysign("r-1"), "r-1")["action"], "APPROVE");
    let approved = keys(&redis);
    assert_eq!(tell(&one, &keysign("r-2"), "r-2")["action"], "REJECT");
    let rejected = keys(&redis).difference(&approved).next().cloned().expect("it is kept");
    let kept = |key: &str| redis.cli(&["GET", key]).trim_end().to_owned();
    let approval = kept(approved.first().expect("it is kept"));
    let rejection = kept(&rejected);
    let (_, text) = rejection.split_once(FORM).expect("a seal before a text");
    let record: Value = serde_json::from_str(text).expect("it is JSON");
    let record = |party: &Party, others: &[(&str, Value)]| {
        let mut record = record.clone();
        let package = record["package"].as_str().expect("a text").replace("REJECT", "APPROVE");
        let approval = [("approves", json!(true)), ("said", json!("APPROVE"))];
        let package = [("package", json!(package))];
        for (name, value) in approval.iter().chain(&package).chain(others) {
            record[*name] = value.clone();
        }
        let text = format!("{FORM}{record}");
        format!("{} {text}", STANDARD.encode(party.signature(text.as_bytes())))
    };
    let (server, node) = (Party::server(), Party::node());
    let genuine = record(&server, &[]);
    let (_, genuine_text) = genuine.split_once(' ').expect("a seal");
    let plain = json!({ "status": 0, "request_id": "r-2", "action": "APPROVE" }).to_string();
    let token = server.seal(&plain);
    let (sealed, signature) = token.rsplit_once('.').expect("a token has a signature");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("it is base64");
    let planted = [
        approval.clone(),
        rejection.replace("false", "true").replace("REJECT", "APPROVE"),
        record(&node, &[]),
        // An approval that was given for this request, long ago, or on another route.
        record(&server, &[("until_ms", json!(now() * 1000 - 1000))]),
        record(&server, &[("until_ms", Value::Null)]),
        record(&server, &[("route", json!("other"))]),
        format!("{} {genuine_text}", approval.split(' ').next().expect("a seal")),
        // The key has signed it, as all that leaves is signed.
        format!("{} {sealed}", STANDARD.encode(signature)),
        token.clone(),
        plain,
        "asked".to_owned(),
        String::new(),
    ];
    for planted in &planted {
        redis.cli(&["SET", &rejected, planted]);
        let said = tell(&two, &keysign("r-2"), "r-2");
        assert_ne!(said["action"], "APPROVE", "{planted}: {said}");
        assert_ne!(said["status"], 0, "{planted}: {said}");
    }
    let warned = || two.output().matches("who has written it?").count();
    eventually("all but the other id's are warned of", || warned() == planted.len() - 1);
    // An approval of its own id, for another request that a node has signed.
    let said = tell(&two, &keysign("r-1").replace("note", "memo"), "r-1");
    assert_eq!(said["status"], 10, "{said}");
    redis.cli(&["DEL", &rejected]);
    redis.cli(&["HSET", &rejected, "a", "b"]);
    assert_eq!(send(&two, "r-2").status, 503);
    assert_eq!(service.begun(), 2);
    // What was left there is believed again where it stands again; what was taken away is asked again.
    redis.cli(&["DEL", &rejected]);
    redis.cli(&["SET", &rejected, &rejection]);
    assert_eq!(tell(&two, &keysign("r-2"), "r-2")["action"], "REJECT");
    assert_eq!(service.begun(), 2);
    // So it would be, were it the key's.
    redis.cli(&["SET", &rejected, &genuine]);
    let three = replica(&service, &redis, "");
    assert_eq!(tell(&three, &keysign("r-2"), "r-2")["action"], "APPROVE");
    redis.cli(&["DEL", approved.first().expect("it is kept")]);
    assert_eq!(tell(&three, &keysign("r-1"), "r-1")["action"], "REJECT");
    assert_eq!(service.begun(), 3);
}

/// What is signed of an answer begins so.
const FORM: &str = "countersign answer\n";
