//! The vectors: tokens that a node made, answers of services, and the node's own side.

use bytes::Bytes;
use countersign::moment::{Moment, Nonce};
use countersign::scheme::{Answered, Head, SchemeError, Signable};
use countersign::verification::verify;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use super::{binding, envelope, sign};
use crate::support::cobo::{Party, keysign};
use crate::support::dialect::{Outgoing, Prepared, entry};
use crate::support::vectors::{cases, load, text};
use crate::support::verify::Arrived;
use crate::support::verify::cobo::Believer;

#[test]
fn the_verifier_agrees_with_every_token() {
    let vectors = load("cobo");
    let (mut valid, mut invalid) = (0, 0);
    for case in cases(&vectors, "requests").iter().filter(|case| case["token"].is_string()) {
        let now = case["verify_at"].as_u64().expect("a time");
        let node = Believer::of(text(&vectors, "/keys/tss_node/public_spki_pem"), now);
        let found = node.check(&Arrived {
            method: text(case, "/http/method").into(),
            target: text(case, "/http/path").into(),
            headers: vec![("Content-Type".into(), text(case, "/http/content_type").into())],
            body: text(case, "/http/body").into(),
        });
        assert_eq!(found.is_ok(), case["accept"] == true, "{}: {found:?}", text(case, "/id"));
        *(if found.is_ok() { &mut valid } else { &mut invalid }) += 1;
    }
    assert_eq!((valid, invalid), (4, 4));
}

#[test]
fn every_request_is_believed_or_not_as_the_vectors_say() {
    let vectors = load("cobo");
    let (mut believed, mut refused) = (0, 0);
    for case in cases(&vectors, "requests") {
        let id = text(case, "/id");
        let moment = at(case["verify_at"].as_u64().expect("a time"));
        let envelope = envelope(&[]);
        let (head, body) = request(case);
        let opened = envelope.open(Signable { head: &head, body: Some(&body) }, &moment);
        if case["accept"] == true {
            let opened = opened.unwrap_or_else(|why| panic!("{id}: {why}"));
            assert_eq!(opened.content_type, text(case, "/app_receives/content_type"), "{id}");
            let sent: Value = serde_json::from_slice(&opened.request).expect(id);
            assert_eq!(sent, case["app_receives"]["json"], "{id}");
            believed += 1;
            continue;
        }
        let concluded = envelope.conclude(opened.as_ref(), &Answered::Unasked);
        assert!(!concluded.approves, "{id}");
        let mut said: Value = serde_json::from_slice(&concluded.package).expect(id);
        let mut expected = case["reply"]["package_data_json"].clone();
        assert!(said["error"].as_str().is_some_and(|error| error.len() < 100), "{id}: {said}");
        said["error"].take();
        expected["error"].take();
        assert_eq!(said, expected, "{id}");
        refused += 1;
    }
    assert_eq!((believed, refused), (4, 5));
}

#[test]
fn every_answer_is_sealed_as_the_vectors_have_it() {
    let vectors = load("cobo");
    let server = Party::server();
    let (mut sealed, mut same) = (0, 0);
    for case in cases(&vectors, "responses") {
        let id = text(case, "/id");
        let now = case["now"].as_u64().expect("a time");
        let envelope = envelope(&[("issuer", "callback-server")]);
        let asked = cases(&vectors, "requests").iter().find(|asked| asked["id"] == case["request"]);
        let (head, body) = request(asked.expect("its request is there"));
        let signable = Signable { head: &head, body: Some(&body) };
        let opened = envelope.open(signable, &at(now)).expect(id);
        let answer = case["app_answers"]["body"].as_str().map(|body| Bytes::from(body.to_owned()));
        let answered = match &answer {
            Some(body) => Answered::Reply {
                status: case["app_answers"]["http_status"].as_u64().expect(id) as u16,
                body,
            },
            None => Answered::Nothing("upstream_unreachable"),
        };
        let concluded = envelope.conclude(Ok(&opened), &answered);
        let preimages = envelope.canonicalise(&concluded, &at(now)).expect(id);
        let edits = envelope.assemble(&concluded, &at(now), &sign(&server, &preimages));
        let mut headers = HeaderMap::new();
        let token = edits.expect(id).apply(&mut headers).expect("there is a body");
        assert_eq!(headers[CONTENT_TYPE], "text/plain", "{id}");
        let node = Believer::of(&server.public_pem, now);
        let mut said = node.answer(200, &token, &opened.id).expect(id);
        let mut expected = case["expect"]["package_data_json"].clone();
        assert_eq!(concluded.approves, expected["action"] == "APPROVE", "{id}");
        if expected["error"] == "<short reason>" {
            assert!(said["error"].as_str().is_some_and(|error| !error.is_empty()), "{id}");
            said["error"].take();
            expected["error"].take();
        }
        assert_eq!(said, expected, "{id}");
        if let Some(example) = case["expect"]["example_token"].as_str() {
            assert_eq!(token, example.as_bytes(), "{id}");
            same += 1;
        }
        sealed += 1;
    }
    assert_eq!((sealed, same), (4, 3));
}

#[test]
fn a_program_that_plays_the_node_gets_what_the_vectors_say() {
    let vectors = load("cobo");
    let (node, server) = (Party::node(), Party::server());
    let (mut passed, mut refused) = (0, 0);
    for case in cases(&vectors, "forward") {
        let id = text(case, "/id");
        let now = case["now"].as_u64().expect("a time");
        let binding = binding("cobo_client", &node, &server.public_pem, &[]);
        let bound = entry("cobo_client").bind(&binding).expect("it can be bound");
        let scheme = bound.signing().expect("it signs requests");
        let posted = Bytes::from(case["app_posts"]["json"].to_string());
        let request = Outgoing { head: head(), body: posted.clone() };
        let prepared = Prepared::of(scheme, &request, &at(now)).expect(id);
        let reply = Bytes::from(text(case, "/upstream_answers/body").to_owned());
        let opened = scheme.open_reply(prepared.dressed.signable(), &reply, &at(now));
        let signatures = sign(&node, &prepared.preimages);
        let sent = prepared.assemble(&at(now), &signatures).expect(id);
        let headers = &sent.head.headers;
        assert_eq!(headers[ACCEPT_ENCODING], "identity", "{id}");
        assert_eq!(headers[CONTENT_TYPE], text(case, "/proxy_sends/content_type"), "{id}");
        let believer = Believer::of(&node.public_pem, now);
        let sent = believer.check(&sent.arrive()).expect(id).canonical;
        assert_eq!(sent.as_bytes(), posted, "{id}");
        if case["app_gets"]["http_status"] == 200 {
            let mut headers = HeaderMap::new();
            let told = opened.expect(id).apply(&mut headers).expect("there is a body");
            assert_eq!(headers[CONTENT_TYPE], text(case, "/app_gets/content_type"), "{id}");
            let told: Value = serde_json::from_slice(&told).expect(id);
            assert_eq!(told, case["app_gets"]["json"], "{id}");
            passed += 1;
        } else {
            assert!(matches!(opened, Err(SchemeError::Reply(_))), "{id}: {opened:?}");
            refused += 1;
        }
    }
    assert_eq!((passed, refused), (2, 1));
}

#[test]
fn keys_are_read_in_every_form_and_one_may_take_the_place_of_another() {
    let vectors = load("cobo");
    let (node, server) = (Party::node(), Party::server());
    let pkcs1 = text(&vectors, "/keys/tss_node/public_pkcs1_pem");
    let both = format!("{}\n{}", server.public_pem.trim(), node.public_pem.trim());
    let case = &cases(&vectors, "requests")[1];
    let (head, body) = request(case);
    let signable = Signable { head: &head, body: Some(&body) };
    let opens = |pem: &str| {
        let binding = binding("cobo_callback", &server, pem, &[]);
        let bound = entry("cobo_callback").bind(&binding).map_err(|error| error.to_string())?;
        let countersign::scheme::Bound::Envelope(envelope) = bound else { panic!("an envelope") };
        Ok::<_, String>(envelope.open(signable, &at(1_700_000_000)).is_ok())
    };
    for (pem, expected) in [
        (node.public_pem.as_str(), true),
        (pkcs1, true),
        (&both, true),
        (&server.public_pem, false),
    ] {
        assert_eq!(opens(pem), Ok(expected), "{pem}");
    }
    for (pem, what) in [
        ("", "no public key in PEM"),
        ("node.pem", "no public key in PEM"),
        (&node.private_pem, "a private key"),
        (&format!("{both}\nrest"), "no public key in PEM"),
    ] {
        assert!(opens(pem).is_err_and(|error| error.contains(what)), "{what}");
    }
}

#[test]
fn params_that_could_let_too_much_in_are_refused() {
    let (server, node) = (Party::server(), Party::node());
    for (name, value) in [
        ("leeway", "61s"),
        ("leeway", "2m"),
        ("leeway", ""),
        ("lifetime", "0s"),
        ("lifetime", "11m"),
        ("horizon", "0s"),
        ("horizon", "1441m"),
        ("horizon", ""),
        ("deadline", "10s"),
        ("deadline", "0s"),
        ("deadline", "seven"),
        ("payload", "bare"),
    ] {
        let binding = binding("cobo_callback", &server, &node.public_pem, &[(name, value)]);
        let error = entry("cobo_callback").bind(&binding).expect_err(value);
        assert_eq!(error.field, format!("params.{name}"), "{value}");
    }
}

#[test]
fn the_flat_layout_is_taken_where_it_is_asked_for_and_nowhere_else() {
    let (node, server) = (Party::node(), Party::server());
    let claims =
        json!({ "request_id": "r-1", "request_type": 2, "exp": 1_700_000_100, "iss": "n" });
    let token = node.sign(crate::support::cobo::HEADER, &claims.to_string());
    let mut head = head();
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    let body = Bytes::from(format!("TSS_JWT_MSG={token}"));
    let signable = Signable { head: &head, body: Some(&body) };
    let refused = envelope(&[]).open(signable, &at(1_700_000_000)).expect_err("it is flat");
    assert!(matches!(refused, SchemeError::Package { .. }), "{refused:?}");
    let flat = envelope(&[("payload", "flat")]);
    let opened = flat.open(signable, &at(1_700_000_000)).expect("a request");
    assert_eq!((opened.id.as_str(), opened.kind), ("r-1", 2));
    let answer = Bytes::from_static(br#"{"action":"APPROVE","exp":9,"iss":"x"}"#);
    let answered = Answered::Reply { status: 200, body: &answer };
    let concluded = flat.conclude(Ok(&opened), &answered);
    let preimages = flat.canonicalise(&concluded, &at(1_700_000_000)).expect("it can be sealed");
    let payload = preimages[0].text.split(|byte| *byte == b'.').nth(1).expect("a payload");
    let payload =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload);
    let payload: Value = serde_json::from_slice(&payload.expect("base64url")).expect("JSON");
    let expected = json!({
        "status": 0, "request_id": "r-1", "action": "APPROVE", "exp": 1_700_000_120,
        "iss": "countersign",
    });
    assert_eq!(payload, expected);
    assert!(!server.public_pem.is_empty());
}

#[test]
fn a_token_that_is_changed_in_any_byte_is_not_the_nodes() {
    let (node, server) = (Party::node(), Party::server());
    let binding = binding("cobo_client", &node, &server.public_pem, &[]);
    let bound = entry("cobo_client").bind(&binding).expect("it can be bound");
    let scheme = bound.signing().expect("it signs requests");
    let key = &binding.keys["signer"];
    let valid = |token: &[u8]| {
        let mut head = head();
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        let body = Bytes::from([b"TSS_JWT_MSG=", token].concat());
        let signable = Signable { head: &head, body: Some(&body) };
        verify(scheme.as_ref(), |_| Some(key), signable).is_ok()
    };
    let token = node.seal(keysign("r-1")).into_bytes();
    assert!(valid(&token));
    for index in 0..token.len() {
        let mut changed = token.clone();
        // Another letter of the alphabet, so that it is the token that is wrong and not its form.
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        assert!(!valid(&changed), "byte {index} of {}", token.len());
    }
}

/// The request of a case as it arrives.
fn request(case: &Value) -> (Head, Bytes) {
    let mut head = head();
    let kind = HeaderValue::from_str(text(case, "/http/content_type")).expect("a header is text");
    head.headers.insert(CONTENT_TYPE, kind);
    (head, Bytes::from(text(case, "/http/body").to_owned()))
}

fn head() -> Head {
    Head {
        method: Method::POST,
        host: "gateway".into(),
        target: "/v1/check".parse().expect("a path"),
        headers: HeaderMap::new(),
    }
}

fn at(seconds: u64) -> Moment {
    Moment { unix_ms: seconds * 1000, nonce: Nonce::Given(0) }
}

const FORM: &str = "application/x-www-form-urlencoded";
