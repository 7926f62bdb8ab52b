//! Rules in place of a service, beside one, and the file of decisions: no approval is on its way
//! before its line is on the disk.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cobo::{Party, ask, keysign, post};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::{Proxy, Signal, countersign};
use crate::support::wait::eventually;

/// What the gateway says of a package.
fn said(proxy: &Proxy, package: &str, id: &str) -> Value {
    let reply = ask(proxy.gateway_url(), &format!("TSS_JWT_MSG={}", Party::node().seal(package)));
    let said = Party::server().believer().answer(reply.status, &reply.body, id);
    said.unwrap_or_else(|why| panic!("{package}: {why}"))
}

/// The lines of the file of decisions.
pub(super) fn lines(home: &Home) -> Vec<Value> {
    let text = fs::read_to_string(home.path("audit.jsonl")).expect("there is a file");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

pub(super) fn keygen(id: &str) -> String {
    format!(r#"{{"request_id":"{id}","request_type":1,"request_detail":"{{}}"}}"#)
}

#[test]
fn rules_answer_without_a_service_and_every_answer_is_written_down() {
    let proxy = Proxy::start(&config::proxy(&[config::cobo_rules("keygen = \"allow\"")]));
    let table = [
        ("{}".to_owned(), "", "APPROVE", "ping"),
        (keygen("k-1"), "k-1", "APPROVE", "keygen"),
        (keysign("s-1"), "s-1", "REJECT", "keysign"),
        (r#"{"request_id":"x-1","request_type":9}"#.to_owned(), "x-1", "REJECT", "request.type"),
    ];
    for (package, id, action, rule) in &table {
        let said = said(&proxy, package, id);
        assert_eq!((&said["status"], &said["action"]), (&0.into(), &json!(action)), "{said}");
        let error = said["error"].as_str().unwrap_or_default();
        assert_eq!(error.starts_with(&format!("{rule}: ")), *action == "REJECT", "{said}");
        let line = lines(proxy.home()).pop().expect("a line");
        assert_eq!(line["request_id"], *id, "{line}");
        assert_eq!((&line["verdict"], &line["rule"]), (&json!(action), &json!(rule)), "{line}");
        assert_eq!((&line["mode"], &line["service"]), (&json!("enforce"), &Value::Null), "{line}");
    }
    for decision in ["approve", "reject"] {
        let counted =
            format!("countersign_decisions_total{{route=\"cobo\",decision=\"{decision}\"}}");
        assert_eq!(proxy.metric(&counted), 2, "{decision}");
    }
    // What was not believed is no decision.
    let reply =
        ask(proxy.gateway_url(), &format!("TSS_JWT_MSG={}", Party::server().seal(keygen("k-2"))));
    assert!(Party::server().believer().answer(reply.status, &reply.body, "").is_ok());
    assert_eq!(lines(proxy.home()).len(), table.len());
    let path = proxy.home().path("audit.jsonl");
    let verified = countersign(&["audit", "verify", &path.to_string_lossy()]);
    assert!(verified.status.success(), "{verified:?}");
    // A look at the configuration takes nothing from who serves with it.
    let config = proxy.home().path("proxy.toml");
    let checked = countersign(&["check", &config.to_string_lossy()]);
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn rules_in_the_shadow_change_nothing_and_are_written_down() {
    let service = Origin::start(Box::new(|request| match request.path() {
        "/v1/check" => Answer::json(200, &json!({ "action": "APPROVE" })),
        "/v1/no" => Answer::json(200, &json!({ "action": "REJECT" })),
        _ => Answer::HangUp,
    }));
    let decide = "decide = { mode = \"shadow\", audit = \"audit.jsonl\", keygen = \"allow\" }";
    let proxy = Proxy::start(&config::proxy(&[config::cobo_callback(&service.url(), decide)]));
    let server = Party::server().believer();
    for (path, package, action, rules, word) in [
        ("/v1/check", keysign("a"), "APPROVE", "REJECT", "APPROVE"),
        ("/v1/check", keygen("b"), "APPROVE", "APPROVE", "APPROVE"),
        ("/v1/no", keygen("c"), "REJECT", "APPROVE", "REJECT"),
        ("/v1/gone", keygen("d"), "REJECT", "APPROVE", "the service gave no answer"),
    ] {
        let id: Value = serde_json::from_str(&package).expect("a package is JSON");
        let id = id["request_id"].as_str().unwrap_or_default().to_owned();
        let form = format!("TSS_JWT_MSG={}", Party::node().seal(&package));
        let request = post(proxy.gateway_url(), "application/x-www-form-urlencoded", &form);
        let request = request.replacen("/v1/check", path, 1);
        let reply = Client::connect(proxy.gateway_url()).exchange(request);
        let said = server.answer(reply.status, &reply.body, &id).expect(path);
        assert_eq!(said["action"], action, "{path}: {said}");
        let line = lines(proxy.home()).pop().expect("a line");
        assert_eq!((&line["mode"], &line["verdict"]), (&json!("shadow"), &json!(rules)), "{line}");
        assert!(line["service"].as_str().is_some_and(|said| said.starts_with(word)), "{line}");
    }
    assert_eq!(lines(proxy.home()).len(), 4);
    assert!(service.arrived().len() >= 3);
}

#[test]
fn an_approval_that_cannot_be_written_down_is_none() {
    let rules = config::proxy(&[config::cobo_rules("keygen = \"allow\"")]);
    let proxy = Proxy::start(&rules);
    assert_eq!(said(&proxy, &keygen("k-1"), "k-1")["action"], "APPROVE");
    let path = proxy.home().path("audit.jsonl");
    fs::remove_file(&path).expect("it is there");
    let refused = said(&proxy, &keygen("k-2"), "k-2");
    assert_eq!((&refused["status"], &refused["action"]), (&json!(30), &json!("REJECT")));
    assert!(!refused.to_string().contains("audit.jsonl"), "{refused}");
    proxy.await_output("not audited: ");
    // A reload goes on in a new file.
    proxy.reload(&rules, true);
    assert_eq!(said(&proxy, &keygen("k-3"), "k-3")["action"], "APPROVE");
    assert_eq!(lines(proxy.home()).len(), 1);
}

#[test]
fn two_routes_may_share_a_file_and_two_processes_may_not() {
    let other = "\n[routes.other]\nscheme = \"cobo_callback\"\nkeys = { signer = \"cobo_server\" }\n\
                 params.verify_with = \"cobo-server-public.pem\"\n\
                 decide = { audit = \"audit.jsonl\", keygen = \"allow\" }\n";
    let tables = [config::cobo_rules("keygen = \"allow\""), other.to_owned()];
    let proxy = Proxy::start(&config::proxy(&tables));
    assert_eq!(said(&proxy, &keygen("k-1"), "k-1")["action"], "APPROVE");
    let config = proxy.home().path("proxy.toml");
    let second = countersign(&["run", &config.to_string_lossy()]);
    let why = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(78), "{why}");
    assert!(why.contains("in use by another writer"), "{why}");
}

/// Killed in the middle of its work, again and again, the proxy has never told anybody of an
/// approval that is not in the file, and the file is whole up to its last line.
#[test]
fn what_was_approved_is_in_the_file_however_the_proxy_ends() {
    let rules = config::proxy(&[config::cobo_rules("keygen = \"allow\"")]);
    let node = Party::node();
    let tokens: Vec<String> = (0..400).map(|n| node.seal(keygen(&format!("k-{n}")))).collect();
    let home = Home::new(&rules);
    let mut approved: Vec<String> = Vec::new();
    let next = AtomicUsize::new(0);
    for round in 1..=5 {
        let proxy = Proxy::start_in(home.clone(), &[]);
        let (url, over) = (proxy.gateway_url().to_owned(), AtomicBool::new(false));
        let told = AtomicUsize::new(0);
        thread::scope(|scope| {
            let askers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| ask_until(&url, &tokens, &next, &over, &told)))
                .collect();
            // Not after a time: after some answers, of which some are under way.
            eventually("some are answered", || told.load(Ordering::Relaxed) >= 5 * round);
            proxy.signal(Signal::Kill);
            over.store(true, Ordering::Relaxed);
            for asker in askers {
                approved.extend(asker.join().expect("nobody panicked"));
            }
        });
        drop(proxy);
        let path = home.path("audit.jsonl");
        let verified = countersign(&["audit", "verify", &path.to_string_lossy()]);
        assert!(verified.status.success(), "round {round}: {verified:?}");
        let text = fs::read_to_string(&path).expect("there is a file");
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for id in &approved {
            let named = format!("\"request_id\":\"{id}\"");
            assert!(whole.lines().any(|line| line.contains(&named)), "round {round}: {id}");
        }
    }
    assert!(approved.len() >= 5 * (1 + 2 + 3 + 4 + 5), "{} approvals", approved.len());
}

/// Asks until the proxy is gone, and gives the ids it was told are approved.
fn ask_until(
    url: &str,
    tokens: &[String],
    next: &AtomicUsize,
    over: &AtomicBool,
    told: &AtomicUsize,
) -> Vec<String> {
    let server = Party::server().believer();
    let mut approved = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let n = next.fetch_add(1, Ordering::Relaxed) % tokens.len();
        let form = format!("TSS_JWT_MSG={}", tokens[n]);
        let Ok(mut client) = Client::try_connect(url) else { break };
        let request = post(url, "application/x-www-form-urlencoded", &form);
        if client.try_send(request).is_err() {
            break;
        }
        let Ok(reply) = client.try_reply() else { break };
        let id = format!("k-{n}");
        if server.approves(reply.status, &reply.body, &id) {
            approved.push(id);
            told.fetch_add(1, Ordering::Relaxed);
        }
    }
    approved
}

#[test]
fn rules_answer_at_once_under_load() {
    let proxy = Proxy::start(&config::proxy(&[config::cobo_rules("keygen = \"allow\"")]));
    let (node, url) = (Party::node(), proxy.gateway_url());
    let tokens: Vec<String> = (0..40).map(|n| node.seal(keygen(&format!("k-{n}")))).collect();
    thread::scope(|scope| {
        for (part, tokens) in tokens.chunks(5).enumerate() {
            scope.spawn(move || {
                let server = Party::server().believer();
                for (n, token) in tokens.iter().enumerate() {
                    let (id, form) = (part * 5 + n, format!("TSS_JWT_MSG={token}"));
                    let reply = ask(url, &form);
                    assert!(server.approves(reply.status, &reply.body, &format!("k-{id}")));
                }
            });
        }
    });
    assert_eq!(lines(proxy.home()).len(), 40);
}
