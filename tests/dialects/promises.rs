//! What the vectors say in words, under `negative` and `behaviour`: what the running proxy must
//! refuse, replace or promise. The provider behind it verifies.

use std::collections::BTreeSet;
use std::thread;

use countersign::keys::PrivateKey;
use countersign::scheme::SchemeError;
use serde_json::Value;

use crate::support::client::Client;
use crate::support::config;
use crate::support::dialect::{Dialect, Outgoing};
use crate::support::home::Home;
use crate::support::origin::{Origin, metasv, providers, sinohope, verifying};
use crate::support::proxy::Proxy;
use crate::support::vectors::{cases, load, request, text};
use crate::support::verify::MetaSv;

#[test]
fn every_promise_of_the_vectors_has_a_test_here() {
    let table = [
        ("sinohope", "negative", ["method-put", "app-supplied-signature-headers"].as_slice()),
        (
            "metasv",
            "behaviour",
            &["nonce-format", "nonce-unique", "replace-app-headers", "jwt-mode"],
        ),
    ];
    for (scheme, list, expected) in table {
        let vectors = load(scheme);
        let found: Vec<&str> = cases(&vectors, list).iter().map(|case| text(case, "/id")).collect();
        assert_eq!(found, expected, "{scheme}: write a test for what is new");
    }
}

#[test]
fn sinohope_method_put_is_refused_and_nothing_is_sent() {
    let vectors = load("sinohope");
    let case = promise(&vectors, "negative", "method-put");
    let key = text(&vectors, "/keys/test-p256/pkcs8_der_hex");
    let key = PrivateKey::parse(key.as_bytes(), None, None).expect("the vectors have keys");
    let moment = countersign::moment::Moments::new(countersign::moment::Replica::ALONE).next();
    let refused =
        Dialect::new("sinohope", &key).canonicalise(&Outgoing::new(&request(case)), &moment);
    let accepted: &[&str] = &["GET", "POST"];
    let expected = SchemeError::Method { method: "PUT".to_owned(), accepted };
    assert_eq!(refused.expect_err("it has no signature"), expected);

    let origin = Origin::start(sinohope("test-p256"));
    let proxy = Proxy::start(&config::proxy(&[config::sinohope(&origin.url(), origin.ca())]));
    let put = format!(
        "PUT http://api.sinohope.com/v1/test HTTP/1.1\r\nHost: api.sinohope.com\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        text(case, "/request/body_utf8")
    );
    let reply = Client::connect(proxy.forward_url()).exchange(put);
    assert_eq!((reply.status, reply.values("Allow")), (405, vec!["GET, POST"]));
    assert_eq!(reply.json()["code"], "method_unsignable");
    assert!(origin.arrived().is_empty(), "{:?}", origin.arrived());
}

#[test]
fn sinohope_app_supplied_signature_headers_are_replaced() {
    let vectors = load("sinohope");
    let case = promise(&vectors, "negative", "app-supplied-signature-headers");
    let origin = Origin::start(sinohope("test-p256"));
    let proxy = Proxy::start(&config::proxy(&[config::sinohope(&origin.url(), origin.ca())]));
    let given = headers(&case["request"]["headers"]);
    assert_eq!(given.lines().count(), 3);
    let get = format!(
        "GET http://api.sinohope.com/v1/test HTTP/1.1\r\nHost: api.sinohope.com\r\n{given}\r\n"
    );
    let reply = Client::connect(proxy.forward_url()).exchange(get);
    // The verifier wants each of the headers exactly once.
    assert_eq!(reply.status, 200, "{}", reply.json());
    let [arrived] = origin.arrived().try_into().expect("one request arrived");
    for (name, forged) in
        [("BIZ-API-KEY", "attacker"), ("BIZ-API-SIGNATURE", "00"), ("BIZ-API-NONCE", "1")]
    {
        assert_ne!(arrived.once(name).expect("the proxy's own"), forged);
    }
}

#[test]
fn metasv_replace_app_headers_whatever_their_case() {
    let vectors = load("metasv");
    let case = promise(&vectors, "behaviour", "replace-app-headers");
    let origin = Origin::start(metasv("test-a"));
    let proxy = Proxy::start(&config::proxy(&[config::metasv(&origin.url(), origin.ca())]));
    let given = headers(&case["request_headers"]);
    assert_eq!(given.lines().count(), 4);
    // A token of the application's own must not stand beside the signature either.
    let get = format!(
        "GET http://apiv2.metasv.com/xpubs HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\
         Authorization: Bearer mine\r\n{given}\r\n"
    );
    let reply = Client::connect(proxy.forward_url()).exchange(get);
    assert_eq!(reply.status, 200, "{}", reply.json());
    assert_eq!(origin.arrived().len(), 1);
}

#[test]
fn metasv_nonce_format_and_nonce_unique_hold_for_a_thousand_requests_in_a_burst() {
    let vectors = load("metasv");
    for id in ["nonce-format", "nonce-unique"] {
        promise(&vectors, "behaviour", id);
    }
    // The verifier takes every nonce once, for good.
    let origin = Origin::start(metasv("test-a"));
    let proxy = Proxy::start(&config::proxy(&[config::metasv(&origin.url(), origin.ca())]));
    let get = "GET http://apiv2.metasv.com/xpubs HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\r\n";
    let url = proxy.forward_url();
    let accepted: usize = thread::scope(|scope| {
        let burst = || {
            let mut client = Client::connect(url);
            (0..PER_THREAD).filter(|_| client.exchange(get).status == 200).count()
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(burst)).collect();
        threads.into_iter().map(|thread| thread.join().expect("the client goes on")).sum()
    });
    assert_eq!(accepted, 1000);
    let arrived = origin.arrived();
    let nonces: BTreeSet<&str> =
        arrived.iter().map(|request| request.once("MetaSV-Nonce").expect("it is signed")).collect();
    assert_eq!((arrived.len(), nonces.len()), (1000, 1000));
    for nonce in nonces {
        assert!(nonce.len() == 10 && nonce.bytes().all(|byte| byte.is_ascii_digit()), "{nonce:?}");
    }
}

#[test]
fn metasv_jwt_mode_sends_the_token_and_nothing_beside_it() {
    let vectors = load("metasv");
    let case = promise(&vectors, "behaviour", "jwt-mode");
    let token = text(case, "/config/token").to_owned();
    let verifier = MetaSv::bearer(&token);
    let origin = Origin::start(verifying(move |request| verifier.check(request)));
    let home = Home::new(&config::proxy(&[bearer(&origin.url())]));
    // As an editor leaves it: with a line end.
    home.write("keys/metasv.jwt", &format!("{token}\n"));
    let proxy = Proxy::start_in(home, &[]);
    for own in ["", "Authorization: Bearer mine\r\nAUTHORIZATION: Basic bWluZQ==\r\n"] {
        let forged =
            headers(&promise(&vectors, "behaviour", "replace-app-headers")["request_headers"]);
        let get = format!(
            "GET http://apiv2.metasv.com/xpubs HTTP/1.1\r\nHost: apiv2.metasv.com\r\n{own}{forged}\r\n"
        );
        let reply = Client::connect(proxy.forward_url()).exchange(get);
        assert_eq!(reply.status, 200, "{own:?}: {}", reply.json());
    }
    assert_eq!(origin.arrived().len(), 2);
}

#[test]
fn a_metasv_token_past_its_time_is_not_sent_and_other_routes_go_on() {
    // {"alg":"HS256"} and {"exp":1}.
    let expired = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl";
    assert_stops_its_route_alone(expired, "credential_expired", "has expired");
}

#[test]
fn a_metasv_token_that_cannot_be_sent_does_not_hold_up_the_start() {
    let both = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl";
    assert_stops_its_route_alone(both, "credential_unusable", "starts with \"Bearer \"");
}

fn assert_stops_its_route_alone(token: &str, code: &str, what: &str) {
    let (provider, other) = (Origin::start(providers()), Origin::start(providers()));
    let tables = [bearer(&provider.url()), config::sinohope(&other.url(), None)];
    let home = Home::new(&config::proxy(&tables));
    home.write("keys/metasv.jwt", token);
    let proxy = Proxy::start_in(home, &[]);
    let get = |host: &str| {
        let get = format!("GET http://{host}/xpubs HTTP/1.1\r\nHost: {host}\r\n\r\n");
        Client::connect(proxy.forward_url()).exchange(get)
    };
    let refused = get("apiv2.metasv.com");
    assert_eq!((refused.status, &refused.json()["code"]), (503, &code.into()));
    assert_eq!(get("api.sinohope.com").status, 200);
    assert_eq!((provider.connections(), other.connections()), (0, 1));
    let ready = proxy.probe("/readyz");
    let said = format!("the secret in secrets.token {what}");
    let unusable = serde_json::json!({ "metasv": said });
    assert_eq!((ready.status, &ready.json()["unusable_routes"]), (200, &unusable));
    proxy.await_output(&format!("routes.metasv: {said}, and the route's requests are refused"));
}

/// A route that puts the token in `keys/metasv.jwt` into requests.
fn bearer(origin: &str) -> String {
    format!(
        r#"
[secrets.metasv_token]
store = "files"
entry = "metasv.jwt"

[routes.metasv]
host = "apiv2.metasv.com"
scheme = "metasv"
secrets = {{ token = "metasv_token" }}
upstream = "metasv_origin"

[upstreams.metasv_origin]
url = "{origin}"
"#
    )
}

fn promise<'a>(vectors: &'a Value, list: &str, id: &str) -> &'a Value {
    let found = cases(vectors, list).iter().find(|case| case["id"] == id);
    found.unwrap_or_else(|| panic!("there is no {id} under {list}"))
}

/// Header lines of a JSON object, names as they are written.
fn headers(object: &Value) -> String {
    let object = object.as_object().expect("headers are an object");
    let line = |(name, value): (&String, &Value)| {
        format!("{name}: {}\r\n", value.as_str().expect("a header is text"))
    };
    object.iter().map(line).collect()
}

const THREADS: usize = 4;
const PER_THREAD: usize = 250;
