//! What the service answers on the wire, and what the node is told in time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cobo::{Party, ask, keysign, post};
use crate::support::config;
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::Proxy;

#[test]
fn what_the_service_said_is_sealed_and_nothing_else() {
    let service = Origin::start(Box::new(|request| {
        let body = match request.path() {
            "/v1/yes" => r#"{"status":0,"action":"APPROVE","request_id":"r-yes"}"#,
            "/v1/bare" => r#"{"action":"APPROVE"}"#,
            "/v1/no" => r#"{"action":"REJECT","error":"not today"}"#,
            "/v1/failed" => r#"{"status":77,"action":"APPROVE","error":"broken"}"#,
            "/v1/other" => r#"{"action":"APPROVE","request_id":"r-2"}"#,
            "/v1/wait" => r#"{"action":"WAIT"}"#,
            "/v1/silent" => "{}",
            "/v1/text" => "APPROVE",
            "/v1/twice" => r#"{"action":"REJECT","action":"APPROVE"}"#,
            "/v1/alike" => r#"{"action":"REJECT","Action":"APPROVE"}"#,
            "/v1/error" => return Answer::json(500, &json!({ "action": "APPROVE" })),
            "/v1/moved" => return Answer::json(302, &json!({ "action": "APPROVE" })),
            "/v1/gone" => return Answer::HangUp,
            "/v1/cut" => return Answer::Truncated,
            "/v1/garbage" => return Answer::Raw(b"{\"action\":\"APPROVE\"}".to_vec()),
            "/v1/big" => return Answer::Big(2 << 20),
            path => panic!("{path}"),
        };
        let headers = vec![("Content-Type".to_owned(), "text/html".to_owned())];
        Answer::Whole { status: 200, headers, body: body.into() }
    }));
    let mut proxy = Proxy::start(&config::proxy(&[config::cobo_callback(&service.url(), "")]));
    let (node, server) = (Party::node(), Party::server().believer());
    let table = [
        ("yes", 0, "APPROVE"),
        ("bare", 0, "APPROVE"),
        ("no", 0, "REJECT"),
        ("failed", 77, "REJECT"),
        ("other", 30, "REJECT"),
        ("wait", 30, "REJECT"),
        ("silent", 30, "REJECT"),
        ("text", 30, "REJECT"),
        ("twice", 30, "REJECT"),
        ("alike", 30, "REJECT"),
        ("error", 30, "REJECT"),
        ("moved", 30, "REJECT"),
        ("gone", 30, "REJECT"),
        ("cut", 30, "REJECT"),
        ("garbage", 30, "REJECT"),
        ("big", 30, "REJECT"),
    ];
    for (path, status, action) in table {
        let id = format!("r-{path}");
        let form = format!("TSS_JWT_MSG={}", node.seal(keysign(&id)));
        let request =
            post(proxy.gateway_url(), "application/x-www-form-urlencoded; charset=utf-8", &form);
        let request = request.replacen("/v1/check", &format!("/v1/{path}"), 1);
        let reply = Client::connect(proxy.gateway_url()).exchange(request);
        assert_eq!(reply.values("Content-Type"), ["text/plain"], "{path}");
        let said = server.answer(reply.status, &reply.body, &id).expect(path);
        let found = (said["status"].as_i64(), said["action"].as_str());
        assert_eq!(found, (Some(status), Some(action)), "{path}: {said}");
    }
    let written = proxy.finish(Duration::from_secs(20));
    let told = written.lines().filter(|line| line.contains("concluded") && line.contains("r-"));
    assert_eq!(told.count(), table.len(), "{written}");
    let arrived = service.arrived();
    assert!(arrived.len() >= table.len());
    for request in arrived {
        let id = request.path().replace("/v1/", "r-");
        assert_eq!(
            (request.method.as_str(), request.body.as_slice()),
            ("POST", keysign(&id).as_bytes())
        );
        assert_eq!(request.once("Content-Type"), Ok("application/json"));
        assert_eq!(request.values("Accept-Encoding"), [""; 0]);
    }
}

#[test]
fn a_ping_needs_no_action_and_a_missing_type_is_a_ping() {
    let service = Origin::start(Box::new(|_| Answer::json(200, &json!({ "status": 0 }))));
    let proxy = Proxy::start(&config::proxy(&[config::cobo_callback(&service.url(), "")]));
    let (node, server) = (Party::node(), Party::server().believer());
    for (package, sent, id) in [
        (r#"{"request_id":"p"}"#, r#"{"request_id":"p","request_type":0}"#, "p"),
        (r#"{"request_id":"q","request_type":0}"#, r#"{"request_id":"q","request_type":0}"#, "q"),
        ("{}", r#"{"request_type":0}"#, ""),
    ] {
        let reply = ask(proxy.gateway_url(), &format!("TSS_JWT_MSG={}", node.seal(package)));
        let said = server.answer(reply.status, &reply.body, id).expect(package);
        assert_eq!((&said["status"], said.get("action")), (&0.into(), None), "{said}");
        assert_eq!(service.arrived().last().expect("it was asked").body, sent.as_bytes());
    }
}

#[test]
fn a_service_that_hangs_or_is_not_there_is_a_refusal_in_time() {
    let silent = Origin::start(Box::new(|request| match request.path() {
        "/v1/check" => Answer::Silence,
        _ => Answer::Stalled,
    }));
    let (node, server) = (Party::node(), Party::server().believer());
    let form = |id: &str| format!("TSS_JWT_MSG={}", node.seal(keysign(id)));
    let short = "params.deadline = \"300ms\"";
    let proxy = Proxy::start(&config::proxy(&[config::cobo_callback(&silent.url(), short)]));
    let refused = |reply: &crate::support::client::Reply, id: &str| -> Value {
        let said = server.answer(reply.status, &reply.body, id).expect("it is sealed");
        assert_eq!((&said["status"], &said["action"]), (&30.into(), &"REJECT".into()), "{said}");
        said
    };
    for path in ["/v1/check", "/v1/stalls"] {
        let started = Instant::now();
        let request = post(proxy.gateway_url(), "application/x-www-form-urlencoded", &form(path));
        let request = request.replacen("/v1/check", path, 1);
        let said = refused(&Client::connect(proxy.gateway_url()).exchange(request), path);
        assert!(started.elapsed() < Duration::from_secs(8), "{path}: {said}");
    }
    let nowhere = config::cobo_callback("http://127.0.0.1:1", "");
    let proxy = Proxy::start(&config::proxy(&[nowhere]));
    let said = refused(&ask(proxy.gateway_url(), &form("r-1")), "r-1");
    assert!(said["error"].as_str().is_some_and(|error| !error.contains("127.0.0.1")), "{said}");
}
