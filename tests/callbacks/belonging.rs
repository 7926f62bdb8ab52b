//! Tokens belong to a time and to a route: one that is good for long is refused, and so is one that
//! was for another route.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cobo::{HEADER, Party, ask, claims, keysign, now, post};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::{Proxy, countersign};

fn yes() -> Origin {
    Origin::start(Box::new(|_| Answer::json(200, &json!({ "action": "APPROVE" }))))
}

#[test]
fn a_token_that_is_good_for_longer_than_the_horizon_is_refused() {
    let service = yes();
    let params = "params.horizon = \"5m\"\nparams.leeway = \"1s\"";
    let proxy = Proxy::start(&config::proxy(&[config::cobo_callback(&service.url(), params)]));
    let told = |id: &str, ahead: u64| {
        let token = Party::node().sign(HEADER, &claims(keysign(id), now() + ahead));
        let reply = ask(proxy.gateway_url(), &format!("TSS_JWT_MSG={token}"));
        let approved = Party::server().believer().approves(reply.status, &reply.body, id);
        let refused = Party::server().believer().answer(reply.status, &reply.body, "");
        (approved, refused.unwrap_or_default())
    };
    assert!(told("near", 290).0);
    let (approved, refused) = told("far", 360);
    assert!(!approved);
    assert_eq!(refused["status"], 20, "{refused}");
    let error = refused["error"].as_str().unwrap_or_default();
    assert!(error.contains("exp too far ahead") && error.contains("params.horizon"), "{refused}");
    assert_eq!(service.begun(), 1);
}

/// Two routes that believe the same node, each with a service and these lines.
fn two(services: [&Origin; 2], lines: [&str; 2]) -> String {
    let other = config::cobo_callback(&services[1].url(), lines[1])
        .replace("[routes.cobo]", "[routes.other]")
        .replace("cobo_service", "other_service");
    let (_, other) = other.split_once("[routes.other]").expect("there is a route");
    let first = config::cobo_callback(&services[0].url(), lines[0]);
    config::proxy(&[first, format!("[routes.other]{other}")])
}

#[test]
fn a_token_for_one_route_is_refused_on_another() {
    let services = [yes(), yes()];
    let lines = ["params.node_issuer = \"node-a\"", "params.node_issuer = \"node-b\""];
    let proxy = Proxy::start(&two([&services[0], &services[1]], lines));
    let token = |id: &str, issuer: &Value| {
        let package = STANDARD.encode(keysign(id));
        let claims = json!({ "package_data": package, "exp": now() + 120, "iss": issuer });
        Party::node().sign(HEADER, &claims.to_string())
    };
    let told = |route: &str, token: &str, id: &str| {
        let form = format!("TSS_JWT_MSG={token}");
        let request = post(proxy.gateway_url(), "application/x-www-form-urlencoded", &form);
        let request = request.replacen("/cobo/", &format!("/{route}/"), 1);
        let reply = Client::connect(proxy.gateway_url()).exchange(request);
        let said = Party::server().believer().answer(reply.status, &reply.body, id);
        said.unwrap_or_else(|why| panic!("{route}: {why}"))
    };
    let (a, b) = (token("r-1", &json!("node-a")), token("r-2", &json!("node-b")));
    assert_eq!(told("cobo", &a, "r-1")["action"], "APPROVE");
    assert_eq!(told("other", &b, "r-2")["action"], "APPROVE");
    let neither = token("r-3", &Value::Null);
    for (route, token) in [("other", &a), ("cobo", &b), ("cobo", &neither), ("other", &neither)] {
        let said = told(route, token, "");
        assert_eq!((&said["status"], said.get("action")), (&json!(20), None), "{said}");
        let error = said["error"].as_str().unwrap_or_default();
        assert!(error.contains("params.node_issuer"), "{said}");
    }
    assert_eq!(services.each_ref().map(Origin::begun), [1, 1]);
}

#[test]
fn routes_that_would_believe_the_same_token_are_no_configuration() {
    let services = [yes(), yes()];
    let services = [&services[0], &services[1]];
    let issuer = |name: &str| format!("params.node_issuer = \"{name}\"");
    let both = format!("{}\n# both", issuer("node-a"));
    for (lines, good) in [
        (["", ""], false),
        ([&*both, ""], false),
        (["", &*both], false),
        ([&*both, &*both], false),
        ([&*issuer("node-a"), &*issuer("node-b")], true),
    ] {
        let home = Home::new(&two(services, lines));
        let checked = countersign(&["check", &home.path("proxy.toml").to_string_lossy()]);
        let text = [checked.stdout, checked.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(checked.status.success(), good, "{lines:?}: {text}");
        let what = "routes.other: params.verify_with names a key that routes.cobo believes";
        assert_eq!(text.contains(what), !good, "{lines:?}: {text}");
        assert_eq!(text.contains("params.node_issuer"), !good, "{lines:?}: {text}");
    }
}
