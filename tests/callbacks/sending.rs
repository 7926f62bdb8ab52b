//! `callback send`: a node by hand, against a server of ours and against others.

use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::python::python;
use crate::support::client::run;
use crate::support::cobo::{HEADER, Party, claims, keysign, now};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::{Proxy, countersign};

/// Sends with the configuration in `home`.
fn send(home: &Home, arguments: &[&str]) -> Output {
    let config = home.path("proxy.toml");
    let config = config.to_string_lossy();
    countersign(&[&["callback", "send", &config], arguments].concat())
}

#[test]
fn a_node_by_hand_is_told_whether_it_would_go_on() {
    let service = Origin::start(Box::new(|request| {
        let asked: Value = serde_json::from_slice(&request.body).expect("JSON");
        Answer::json(
            200,
            &match asked["request_type"].as_u64() {
                Some(0) => json!({ "status": 0 }),
                Some(1) => json!({ "action": "APPROVE" }),
                Some(2) => json!({ "action": "REJECT", "error": "not today" }),
                _ => json!({ "status": 77, "error": "broken" }),
            },
        )
    }));
    let gateway = Proxy::start(&config::proxy(&[config::cobo_callback(&service.url(), "")]));
    let url = format!("{}/cobo", gateway.gateway_url());
    // Without a host of its own, the route sends the gateway's.
    let node = config::cobo_client(&url, "").replace("host = \"callback.example.com\"\n", "");
    let home = Home::new(&config::proxy(&[node]));
    home.write("detail.json", "{\"threshold\": 2}\n");
    let detail = home.path("detail.json");
    let detail = detail.to_string_lossy();
    let table: [(&[&str], i32, &str); 5] = [
        (&["--type", "ping"], 0, "accepted: the server answered the ping"),
        (&["--type", "keygen", "--detail", &detail], 0, "accepted: the server approved"),
        (&["--type", "keysign"], 1, "NOT accepted: the server rejected: not today"),
        (&["--type", "keyreshare"], 1, "NOT accepted: the server says status 77: broken"),
        (
            &["--type", "keygen", "--url", &format!("{url}/v2/check"), "--route", "node"],
            0,
            "accepted: the server approved",
        ),
    ];
    for (arguments, code, verdict) in table {
        let output = send(&home, arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(text.ends_with(&format!("verdict  {verdict}\n")), "{arguments:?}: {text}");
    }
    let arrived = service.arrived();
    assert_eq!(arrived.len(), table.len());
    let asked: Value = serde_json::from_slice(&arrived[1].body).expect("JSON");
    assert_eq!(asked["request_detail"], "{\"threshold\": 2}");
    assert_eq!(arrived[4].target, "/v2/check");
    let output = send(&home, &["--type", "keygen", "--id", "by-hand", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let answer = json!({ "status": 0, "request_id": "by-hand", "action": "APPROVE" });
    assert_eq!((&report["accepted"], &report["answer"]), (&json!(true), &answer), "{report}");
}

#[test]
fn what_no_node_would_believe_is_not_accepted() {
    let stranger = Origin::start(Box::new(|_| {
        let package = r#"{"status":0,"request_id":"x","action":"APPROVE"}"#;
        let body = Party::node().seal(package).into_bytes();
        Answer::Whole { status: 200, headers: Vec::new(), body }
    }));
    let home = Home::new(&config::proxy(&[config::cobo_client(&stranger.url(), "")]));
    let output = send(&home, &["--type", "keygen", "--id", "x"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text.contains("NOT accepted: the answer is not signed with its issuer's key"),
        "{text}"
    );
    assert!(!text.contains("APPROVE"), "{text}");
    for (arguments, words) in [
        (&["--type", "keygen", "--route", "other"][..], "there is no route \"other\""),
        (&["--type", "keygen", "--detail", "/nowhere"], "/nowhere: "),
        (&["--type", "keygen", "--url", "http://127.0.0.1:1/"], "gave no answer"),
        (&["--type", "sign"], "invalid value 'sign'"),
    ] {
        let output = send(&home, arguments);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && why.contains(words), "{arguments:?}: {why}");
    }
}

#[test]
fn explain_shows_a_nodes_token_and_says_how_to_try_a_server() {
    let tables = [
        config::cobo_callback("http://127.0.0.1:1", ""),
        config::cobo_client("http://127.0.0.1:1", ""),
    ];
    let home = Home::new(&config::proxy(&tables));
    let config = home.path("proxy.toml");
    let config = config.to_string_lossy();
    let explain = |arguments: &[&str]| countersign(&[&["explain", &config], arguments].concat());
    let url = "http://callback.example.com/v1/check";
    let output =
        explain(&["--method", "POST", "--url", url, "--body", "{}", "--at", "1700000000000"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(
        text.contains("canonical  eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJwYWNrYWdl"),
        "{text}"
    );
    let output = explain(&["--method", "POST", "--url", "/cobo/v1/check", "--body", "x"]);
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(why.contains("countersign callback send"), "{why}");
}

#[test]
fn the_token_that_is_in_a_request_is_verified_whoever_wrote_it() {
    let home = Home::new(&config::proxy(&[config::cobo_client("http://127.0.0.1:1", "")]));
    let config = home.path("proxy.toml");
    let config = config.to_string_lossy();
    let node = Party::node();
    let (usual, package) = (claims(keysign("r-1"), now() + 120), STANDARD.encode(keysign("r-1")));
    let expiry = now() + 60;
    // As auth0's library for Java writes it: another order, another lifetime.
    let java = format!(r#"{{"iss":"n","exp":{expiry},"iat":1,"package_data":"{package}"}}"#);
    let changed = node.sign(HEADER, &usual).replacen('.', ".e30", 1);
    for (token, valid) in [
        (node.sign(HEADER, &usual), true),
        (node.sign(r#"{"typ":"JWT","alg":"RS256"}"#, &java), true),
        (pyjwt(&node, &usual), true),
        (node.sign(r#"{"alg":"RS512"}"#, &usual), false),
        (node.sign(r#"{"alg":"RS256","crit":["x"],"x":1}"#, &usual), false),
        (node.sign(HEADER, r#"{"exp":1,"package_data":"e30h"}"#), false),
        (Party::server().sign(HEADER, &usual), false),
        (changed, false),
    ] {
        let body = format!("TSS_JWT_MSG={token}");
        let length = body.len();
        home.write(
            "request.http",
            &format!(
                "POST /v1/check HTTP/1.1\r\nHost: callback.example.com\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        );
        let file = home.path("request.http");
        let output = countersign(&["verify", &config, "--file", &file.to_string_lossy()]);
        assert_eq!(output.status.success(), valid, "{token}: {output:?}");
    }
}

/// A token that PyJWT makes of these claims.
fn pyjwt(node: &Party, claims: &str) -> String {
    let text =
        "import json, jwt, sys; print(jwt.encode(json.loads(sys.argv[1]), sys.argv[2], 'RS256'))";
    let output = run(Command::new(python()).args(["-c", text, claims, &node.private_pem]));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
