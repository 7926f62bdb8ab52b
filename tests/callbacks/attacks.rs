//! Tokens that nobody has to believe, on the wire: the service never hears of them, and the node is
//! told so under the server's seal.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::support::client::{Client, Reply};
use crate::support::cobo::{HEADER, Party, ask, claims, keysign, now, post, unsigned};
use crate::support::config;
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::Proxy;

/// A service that approves everything, and the gateway in front of it.
struct Scene {
    service: Origin,
    proxy: Proxy,
    node: Party,
}

impl Scene {
    fn set() -> Self {
        let service = Origin::start(Box::new(|_| {
            Answer::json(200, &serde_json::json!({ "status": 0, "action": "APPROVE" }))
        }));
        let tables = [config::cobo_callback(&service.url(), "")];
        let proxy = Proxy::start(&config::proxy(&tables));
        Self { service, proxy, node: Party::node() }
    }

    /// That this answer refuses, and that the service was never asked.
    fn assert_refused(&self, name: &str, reply: &Reply, status: i64) -> Value {
        assert_eq!(reply.status, 200, "{name}");
        let server = Party::server().believer();
        let said = server.answer(reply.status, &reply.body, "");
        let said = said.unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(said["status"], status, "{name}: {said}");
        assert_ne!(said["action"], "APPROVE", "{name}: {said}");
        let error = said["error"].as_str().unwrap_or_default();
        assert!(!error.is_empty() && error.len() < 120, "{name}: {said}");
        for internal in ["pem", "src/", "keys/", "cobo_s", "http:"] {
            assert!(!error.contains(internal), "{name}: {said}");
        }
        assert_eq!(self.service.begun(), 0, "{name}");
        said
    }

    /// That the same gateway opens what is good.
    fn assert_opens_what_is_good(&self) {
        let reply = ask(self.proxy.gateway_url(), &form(&self.node.seal(keysign("good"))));
        let server = Party::server().believer();
        assert!(server.approves(reply.status, &reply.body, "good"), "{reply:?}");
        assert_eq!(self.service.arrived().len(), 1);
    }
}

#[test]
fn no_token_but_the_nodes_own_reaches_the_service() {
    let scene = Scene::set();
    let node = &scene.node;
    let good = claims(keysign("r-1"), now() + 120);
    let header = |alg: &str| format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
    let token = node.sign(HEADER, &good);
    let [h, p, s] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let other = URL_SAFE_NO_PAD.encode(claims(keysign("r-2"), now() + 120));
    let named = r#"{"alg":"RS256","kid":"../../dev/null","jku":"http://127.0.0.1:1/","jwk":{}}"#;
    let mut flipped = token.clone().into_bytes();
    let last = flipped.len() - 10;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let table = [
        ("none", format!("{}.", unsigned(&header("none"), &good))),
        ("none, with a signature", node.sign(&header("none"), &good)),
        ("nOnE", node.sign(&header("nOnE"), &good)),
        ("no alg", node.sign(r#"{"typ":"JWT"}"#, &good)),
        ("two algs", node.sign(r#"{"alg":"none","alg":"RS256"}"#, &good)),
        ("rs256", node.sign(&header("rs256"), &good)),
        ("HS256 with the PEM", hs256(node.public_pem.as_bytes(), &good)),
        ("HS256 with the trimmed PEM", hs256(node.public_pem.trim().as_bytes(), &good)),
        ("HS256 with the DER", hs256(&der(&node.public_pem), &good)),
        ("RS384", node.sign_as(&RSA_PKCS1_SHA384, &header("RS384"), &good)),
        ("RS512", node.sign_as(&RSA_PKCS1_SHA512, &header("RS512"), &good)),
        ("RS512 that says RS256", node.sign_as(&RSA_PKCS1_SHA512, HEADER, &good)),
        ("RS256 that says RS512", node.sign(&header("RS512"), &good)),
        ("PS256", node.sign_as(&RSA_PSS_SHA256, &header("PS256"), &good)),
        ("PS256 that says RS256", node.sign_as(&RSA_PSS_SHA256, HEADER, &good)),
        ("ES256", es256("ES256", &good)),
        ("ES256 that says RS256", es256("RS256", &good)),
        ("the server's own key", Party::server().sign(HEADER, &good)),
        ("the server's key, named in the header", Party::server().sign(named, &good)),
        ("critical", node.sign(r#"{"alg":"RS256","crit":["x"],"x":1}"#, &good)),
        ("another payload", format!("{h}.{other}.{s}")),
        ("another header", format!("{}.{p}.{s}", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#))),
        ("another signature", String::from_utf8(flipped).expect("base64url")),
        ("no signature", format!("{h}.{p}.")),
        ("two parts", format!("{h}.{p}")),
        ("four parts", format!("{token}.{s}")),
        ("padding", format!("{h}.{p}.{s}==")),
        ("nothing", String::new()),
        ("expired", node.sign(HEADER, &claims(keysign("r-1"), now() - 62))),
        ("no exp", node.sign(HEADER, &good.replace("\"exp\"", "\"exq\""))),
        ("an exp of null", node.sign(HEADER, &with(&good, "\"exp\":null"))),
        ("an exp of text", node.sign(HEADER, &with(&good, "\"exp\":\"4102444800\""))),
        ("an exp of flags", node.sign(HEADER, &with(&good, "\"exp\":true"))),
        ("two exps", node.sign(HEADER, &with(&good, "\"exp\":1,\"exp\":4102444800"))),
        ("a huge exp", node.sign(HEADER, &with(&good, "\"exp\":1e999"))),
        ("for later", {
            let dates = format!("\"exp\":{},\"nbf\":{}", now() + 600, now() + 400);
            node.sign(HEADER, &with(&good, &dates))
        }),
        ("good for too long", node.sign(HEADER, &claims(keysign("r-1"), now() + 720))),
        ("good for ever", node.sign(HEADER, &with(&good, "\"exp\":4102444800"))),
        ("an exp that is endless", node.sign(HEADER, &with(&good, "\"exp\":1e308"))),
        ("two packages", node.sign(HEADER, &good.replace("{\"", "{\"package_data\":\"e30=\",\""))),
    ];
    for (name, token) in &table {
        let said = scene.assert_refused(name, &ask(scene.proxy.gateway_url(), &form(token)), 20);
        assert!(said.get("request_id").is_none(), "{name}: {said}");
    }
    scene.assert_opens_what_is_good();
}

#[test]
fn a_token_may_say_more_than_is_looked_at() {
    let scene = Scene::set();
    let node = &scene.node;
    let good = |n: usize| claims(keysign(&format!("good-{n}")), now() + 120);
    let named = r#"{"alg":"RS256","kid":"x","jku":"http://127.0.0.1:1/","jwk":{},"x5c":[]}"#;
    let server = Party::server().believer();
    let until = now() + 640;
    let dates = [
        format!("\"exp\":{until},\"nbf\":null,\"iat\":null,\"aud\":null"),
        format!("\"exp\":{until}.5,\"nbf\":{}", now() + 30),
    ];
    let table = [
        node.sign(named, &good(0)),
        node.sign(r#"{"alg":"RS256"}"#, &good(1)),
        node.sign(HEADER, &claims(keysign("good-2"), now() - 30)),
        node.sign(HEADER, &with(&good(3), &dates[0])),
        node.sign(HEADER, &with(&good(4), &dates[1])),
        format!("%20{}+", node.sign(HEADER, &good(5))),
        format!("{}&other=1", node.sign(HEADER, &good(6))),
    ];
    for (n, token) in table.iter().enumerate() {
        let reply = ask(scene.proxy.gateway_url(), &form(token));
        let approved = server.approves(reply.status, &reply.body, &format!("good-{n}"));
        assert!(approved, "{token}: {reply:?}");
        assert_eq!(scene.service.arrived().len(), n + 1);
    }
    // The same token again: nodes repeat what got no answer.
    let reply = ask(scene.proxy.gateway_url(), &form(&table[0]));
    assert!(server.approves(reply.status, &reply.body, "good-0"));
    assert_eq!(scene.service.arrived().len(), table.len());
}

#[test]
fn a_request_without_one_token_in_a_form_reaches_nobody() {
    let scene = Scene::set();
    let token = scene.node.seal(keysign("r-1"));
    let kind = "application/x-www-form-urlencoded";
    let huge = format!("TSS_JWT_MSG={token}&pad={}", "x".repeat(1 << 20));
    let table = [
        ("two fields", kind, format!("TSS_JWT_MSG={token}&TSS_JWT_MSG={token}")),
        ("two spellings", kind, format!("TSS_JWT_MSG={token}&TSS%5FJWT_MSG={token}")),
        ("no field", kind, "OTHER=1".to_owned()),
        ("no body", kind, String::new()),
        ("JSON", "application/json", format!("{{\"TSS_JWT_MSG\":\"{token}\"}}")),
        ("a bare token", "text/plain", token.clone()),
        ("a form that says it is JSON", "application/json", form(&token)),
        ("a huge body", kind, huge),
    ];
    for (name, kind, body) in &table {
        let mut client = Client::connect(scene.proxy.gateway_url());
        let reply = client.exchange(post(scene.proxy.gateway_url(), kind, body));
        scene.assert_refused(name, &reply, 20);
    }
    let get = post(scene.proxy.gateway_url(), kind, &form(&token)).replacen("POST", "PUT", 1);
    let reply = Client::connect(scene.proxy.gateway_url()).exchange(get);
    scene.assert_refused("PUT", &reply, 20);
    let zipped = post(scene.proxy.gateway_url(), kind, &form(&token));
    let zipped = zipped.replacen("\r\n", "\r\nContent-Encoding: gzip\r\n", 1);
    let reply = Client::connect(scene.proxy.gateway_url()).exchange(zipped);
    scene.assert_refused("gzip", &reply, 20);
    scene.assert_opens_what_is_good();
}

#[test]
fn a_good_token_with_something_else_inside_reaches_nobody() {
    let scene = Scene::set();
    let node = &scene.node;
    let exp = now() + 120;
    let sealed = |package: &str| node.seal(package);
    let in_claims = |value: &str| {
        node.sign(HEADER, &format!(r#"{{"package_data":{value},"exp":{exp},"iss":"n"}}"#))
    };
    let package = STANDARD.encode(keysign("r-1"));
    let unpadded = STANDARD.encode("{\"a\":1 }").trim_end_matches('=').to_owned();
    let twice = r#"{"request_id":"a","request_type":2,"request_type":0}"#;
    let alike = r#"{"request_id":"a","request_type":0,"Request_Type":2}"#;
    let table = [
        ("flat", node.sign(HEADER, &format!(r#"{{"request_id":"a","exp":{exp}}}"#)), None),
        ("an object", in_claims(r#"{"request_id":"a"}"#), None),
        ("null", in_claims("null"), None),
        ("no base64", in_claims("\"!!!!\""), None),
        ("base64url", in_claims("\"eyJh_-A=\""), None),
        ("no padding", in_claims(&format!("\"{unpadded}\"")), None),
        ("a line break", in_claims(&format!("\"{}\\n{}\"", &package[..8], &package[8..])), None),
        ("no JSON", sealed("request"), None),
        ("a list", sealed("[]"), None),
        ("two objects", sealed("{}{}"), None),
        ("no UTF-8", node.seal(b"{\"request_id\":\"\xff\"}"), None),
        ("a byte order mark", sealed("\u{feff}{}"), None),
        ("a member twice", sealed(twice), None),
        ("two spellings", sealed(alike), None),
        ("no id", sealed(r#"{"request_type":2}"#), None),
        ("no type that is a number", sealed(r#"{"request_id":"a","request_type":"2"}"#), Some("a")),
    ];
    for (name, token, id) in &table {
        let reply = ask(scene.proxy.gateway_url(), &form(token));
        let server = Party::server().believer();
        let said = server.answer(reply.status, &reply.body, id.unwrap_or_default());
        let said = said.unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(said["status"], 10, "{name}: {said}");
        assert_eq!(said["request_id"].as_str(), *id, "{name}: {said}");
        assert!(said["action"] != "APPROVE" && said["error"].is_string(), "{name}: {said}");
        assert_eq!(scene.service.begun(), 0, "{name}");
    }
    scene.assert_opens_what_is_good();
}

#[test]
fn only_the_gateway_leads_there() {
    let scene = Scene::set();
    let token = scene.node.seal(keysign("r-1"));
    let upstream = scene.service.url();
    for url in [format!("{upstream}/v1/check"), "http://cobo/v1/check".to_owned()] {
        let request =
            post(scene.proxy.gateway_url(), "application/x-www-form-urlencoded", &form(&token));
        let request = request.replacen("/cobo/v1/check", &url, 1);
        let reply = Client::connect(scene.proxy.forward_url()).exchange(request);
        assert_eq!(reply.json()["code"], "host_not_routed", "{url}");
    }
    assert_eq!(scene.service.begun(), 0);
}

fn form(token: &str) -> String {
    format!("TSS_JWT_MSG={token}")
}

/// The payload with these members in place of `exp`.
fn with(payload: &str, members: &str) -> String {
    let (before, rest) = payload.split_once("\"exp\":").expect("there is an exp");
    let (_, after) = rest.split_once(',').expect("it is not the last");
    format!("{before}{members},{after}")
}

fn hs256(secret: &[u8], payload: &str) -> String {
    let text = unsigned(r#"{"alg":"HS256","typ":"JWT"}"#, payload);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn es256(algorithm: &str, payload: &str) -> String {
    let text = unsigned(&format!(r#"{{"alg":"{algorithm}"}}"#), payload);
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).expect("it signs");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).expect("a PEM is base64 between its lines")
}
