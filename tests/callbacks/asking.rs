//! The node's side on the wire: plain JSON in, a token out, and back only what the server sealed.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::client::{Client, Reply};
use crate::support::cobo::{HEADER, Party, claims, keysign, now};
use crate::support::config;
use crate::support::origin::{Answer, Handler, Origin};
use crate::support::proxy::Proxy;

/// A callback server that answers each request with the next of these bodies, and the proxy.
fn scene(answers: Vec<(u16, String)>) -> (Origin, Proxy) {
    let next = AtomicUsize::new(0);
    let handler: Handler = Box::new(move |_| {
        let (status, body) = &answers[next.fetch_add(1, Ordering::Relaxed)];
        let headers = vec![("Content-Type".to_owned(), "text/html".to_owned())];
        Answer::Whole { status: *status, headers, body: body.clone().into_bytes() }
    });
    let server = Origin::start(handler);
    let proxy = Proxy::start(&config::proxy(&[config::cobo_client(&server.url(), "")]));
    (server, proxy)
}

fn send(proxy: &Proxy, body: &str) -> Reply {
    let length = body.len();
    Client::connect(proxy.forward_url()).exchange(format!(
        "POST http://callback.example.com/v1/check HTTP/1.1\r\nHost: x\r\nContent-Type: \
         application/json\r\nAccept-Encoding: gzip, br\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

#[test]
fn what_the_server_sealed_is_passed_on_and_nothing_else() {
    let (server, node) = (Party::server(), Party::node());
    let yes = r#"{"status":0,"request_id":"r-1","action":"APPROVE"}"#;
    let sealed = server.seal(yes);
    let approval = json!({ "status": 0, "request_id": "r-1", "action": "APPROVE" });
    let expired = server.sign(HEADER, &claims(yes, now() - 62));
    let table: Vec<(u16, String, Option<Value>)> = vec![
        (200, sealed.clone(), Some(approval.clone())),
        (200, format!("\"{sealed}\"\n"), Some(approval.clone())),
        (200, format!(" \r\n{sealed} "), Some(approval.clone())),
        (
            400,
            server.seal(r#"{"status":10,"request_id":"r-1","error":"no","x":null}"#),
            Some(json!({ "status": 10, "request_id": "r-1", "action": "REJECT", "error": "no" })),
        ),
        (
            200,
            server.seal(r#"{"request_id":"r-1","action":"REJECT"}"#),
            Some(json!({ "status": 0, "request_id": "r-1", "action": "REJECT" })),
        ),
        // A server that failed approves nothing, whatever else it says.
        (
            200,
            server.seal(r#"{"status":30,"request_id":"r-1","action":"APPROVE"}"#),
            Some(json!({ "status": 30, "request_id": "r-1", "action": "REJECT" })),
        ),
        (200, node.seal(yes), None),
        (200, yes.to_owned(), None),
        (200, format!("\"\"{sealed}\"\""), None),
        (200, format!("{sealed}A"), None),
        (200, expired, None),
        (200, server.seal(yes.replace("r-1", "r-2")), None),
        (200, server.seal(r#"{"action":"APPROVE"}"#), None),
        (200, server.seal(r#"{"status":20,"error":"who are you"}"#), None),
        (200, server.seal(r#"{"request_id":"r-1"}"#), None),
        (200, server.seal(r#"{"request_id":"r-1","action":"approve"}"#), None),
        (200, server.seal(r#"{"request_id":"r-1","action":"REJECT","Action":"APPROVE"}"#), None),
        (200, server.sign(HEADER, yes), None),
        (500, String::new(), None),
        (200, "x".repeat(2 << 20), None),
    ];
    let answers = table.iter().map(|(status, body, _)| (*status, body.clone())).collect();
    let (origin, proxy) = scene(answers);
    let (mut passed, mut refused) = (0, 0);
    for (_, body, told) in &table {
        let reply = send(&proxy, &keysign("r-1"));
        let shown = &body[..body.len().min(60)];
        match told {
            Some(told) => {
                assert_eq!((reply.status, reply.json()), (200, told.clone()), "{shown}");
                assert_eq!(reply.values("Content-Type"), ["application/json"], "{shown}");
                passed += 1;
            }
            None => {
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                assert_eq!((reply.status, &reply.json()["code"]), (502, &"reply_untrusted".into()));
                assert!(!text.contains("APPROVE"), "{shown}: {text}");
                refused += 1;
            }
        }
    }
    assert_eq!((passed, refused), (6, 14));
    let believer = node.believer();
    for request in origin.arrived() {
        assert_eq!(believer.check(&request).expect("it is sealed").canonical, keysign("r-1"));
        assert_eq!(request.values("Accept-Encoding"), ["identity"]);
        assert_eq!(request.target, "/v1/check");
    }
}

#[test]
fn what_is_no_request_is_not_sealed() {
    let (origin, proxy) = scene(Vec::new());
    let sealed = format!("TSS_JWT_MSG={}", Party::node().seal(keysign("r-1")));
    let table = [
        "",
        "[]",
        "\"x\"",
        "{} {}",
        "{\"request_id\":1}",
        "{\"request_type\":2}",
        "{\"request_id\":\"a\",\"request_id\":\"b\"}",
        // Nobody has the node sign a token of their own.
        sealed.as_str(),
    ];
    for body in table {
        let reply = send(&proxy, body);
        assert_eq!(reply.json()["code"], "body_unsignable", "{body}");
        assert!((400..500).contains(&reply.status), "{body}");
    }
    let get = "GET http://callback.example.com/v1/check HTTP/1.1\r\nHost: x\r\n\r\n";
    let reply = Client::connect(proxy.forward_url()).exchange(get);
    assert_eq!(reply.json()["code"], "method_unsignable");
    assert_eq!(origin.begun(), 0);
}

#[test]
fn a_node_and_a_server_of_ours_understand_each_other() {
    let service = Origin::start(Box::new(|_| Answer::json(200, &json!({ "action": "APPROVE" }))));
    let named = "[access]\nhosts = [\"callback.example.com\"]\n".to_owned();
    let tables = [config::cobo_callback(&service.url(), ""), named];
    let gateway = Proxy::start(&config::proxy(&tables));
    let url = format!("{}/cobo", gateway.gateway_url());
    let node = Proxy::start(&config::proxy(&[config::cobo_client(&url, "")]));
    for (body, expected) in [
        (keysign("r-9"), json!({ "status": 0, "request_id": "r-9", "action": "APPROVE" })),
        ("{}".to_owned(), json!({ "status": 0, "action": "APPROVE" })),
    ] {
        let reply = send(&node, &body);
        assert_eq!((reply.status, reply.json()), (200, expected), "{body}");
    }
    assert_eq!(service.arrived().len(), 2);
}
