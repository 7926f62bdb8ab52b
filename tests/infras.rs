//! Infras: the headers of a handshake against the vectors, every reason not to send a token, and
//! tokens that change while they are in use.

mod clients;
mod renewal;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use countersign::moment::{Moment, Nonce};
use countersign::scheme::{BindError, Binding, Head, Scheme, SchemeError, Signable, Signatures};
use countersign::secret::{Secret, SecretCell, SecretWriter};
use countersign::verification::verify;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::dialect::{Outgoing, Prepared, entry};
use crate::support::vectors::{cases, load, text};
use crate::support::verify::{Arrived, Infras};

#[test]
fn every_handshake_of_the_vectors_is_as_they_say() {
    let vectors = load("infras");
    let pem = text(&vectors, "/token_public_key_pem");
    let (mut sent, mut refused, mut kept) = (0, 0, 0);
    for case in cases(&vectors, "handshake") {
        let id = text(case, "/id");
        let now = case["now"].as_u64().expect("a case has a time");
        let params =
            [("signtype", text(case, "/config/signtype")), ("src", text(case, "/config/src"))];
        let mut binding = binding(text(case, "/config/token"), &params);
        binding.files.insert("verify_with".to_owned(), pem.as_bytes().to_vec());
        if case["expect"]["refused"].is_string() {
            assert_refused(id, &binding, now);
            refused += 1;
            continue;
        }
        let scheme = build(&binding).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert!(scheme.wants_upgrade(), "{id}");
        let app = headers(&case["app_handshake"]["headers"]);
        let arrived = handshake(&scheme, &app, now * 1000);
        let arrived = arrived.unwrap_or_else(|error| panic!("{id}: {error}"));
        Infras::at(now as f64).issued_by(pem).check(&arrived).expect(id);
        let expected = &case["expect"]["upstream_headers"];
        let token = text(expected, "/Sec-WebSocket-Infras-Token");
        assert_eq!(arrived.once("Sec-WebSocket-Infras-Token"), Ok(token), "{id}");
        let request = arrived.once("Infras-Mpc-Request").expect(id);
        let request: Value = serde_json::from_str(request).expect(id);
        assert_eq!(request, expected["Infras-Mpc-Request_json"], "{id}");
        for name in case["expect"]["unchanged_headers"].as_array().expect(id) {
            let name = name.as_str().expect("a name is text");
            let before: Vec<_> = app.get_all(name).iter().collect();
            kept += before.len();
            assert_eq!(arrived.values(name), before, "{id}: {name}");
        }
        sent += 1;
    }
    assert_eq!((sent, refused), (4, 3));
    assert!(kept >= 8, "{kept} headers were there to be changed");
}

/// A case that the vectors want refused is, with a reason that says nothing of the token.
fn assert_refused(id: &str, binding: &Binding, now: u64) {
    let said = match (id, build(binding)) {
        ("token-expired", Ok(scheme)) => {
            let error = handshake(&scheme, &HeaderMap::new(), now * 1000).expect_err(id);
            assert!(matches!(error, SchemeError::Credential { dated: true, .. }), "{error:?}");
            format!("{error} {error:?}")
        }
        ("signtype-unknown", Err(error)) if error.field == "params.signtype" => error.to_string(),
        ("src-empty", Err(error)) if error.field == "params.src" => error.to_string(),
        (_, other) => panic!("{id}: {other:?}"),
    };
    let token = binding.secrets["token"].current();
    let token = String::from_utf8(token.expose().to_vec()).expect("a token is text");
    assert!(token.split('.').all(|part| !said.contains(part)), "{id}: {said}");
}

#[test]
fn tokens_that_are_no_good_are_not_sent_and_not_repeated() {
    let json = |payload: &str| token(r#"{"alg":"RS256"}"#, payload);
    let good = json(r#"{"exp":1700003600}"#);
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let table: [(String, bool, &str); 24] = [
        (String::new(), false, "is empty"),
        (format!("Bearer {good}"), false, "starts with \"Bearer \""),
        (format!("bEARER {good}"), false, "starts with \"Bearer \""),
        (format!("{good} x"), false, "contains white space"),
        (format!("{header}\r\nX: y.{payload}.{signature}"), false, "contains white space"),
        (format!("{good}é"), false, "contains white space or bytes outside ASCII"),
        ("opaque".into(), false, "is not a JWT: that is three parts"),
        (format!("{header}.{payload}."), false, "is not a JWT: that is three parts"),
        (format!("{good}.{signature}"), false, "is not a JWT: that is three parts"),
        (format!("{good}="), false, "is not a JWT: a part is not base64url"),
        (token("[]", "{}"), false, "is not a JWT: the header"),
        (token(r#"{"alg":"RS256"}"#, "1"), false, "is not a JWT: the payload"),
        (json(r#"{"exp":1,"exp":1700003600}"#), false, "is not a JWT: the payload"),
        (token("{}", r#"{"exp":1700003600}"#), false, "is not a JWT: its header names no alg"),
        (
            token(r#"{"alg":"None"}"#, r#"{"exp":1700003600}"#),
            false,
            "is not signed: its alg is none",
        ),
        (json("{}"), false, "has no exp"),
        (json(r#"{"exp":null}"#), false, "has an exp or nbf that is not a number"),
        (json(r#"{"exp":"1700003600"}"#), false, "has an exp or nbf that is not a number"),
        (json(r#"{"exp":1700003600,"nbf":"0"}"#), false, "has an exp or nbf that is not a number"),
        (json(r#"{"exp":1700000000}"#), true, "has expired"),
        (json(r#"{"exp":1699999999.999}"#), true, "has expired"),
        (json(r#"{"exp":-1}"#), true, "has expired"),
        (json(r#"{"exp":1700003600,"nbf":1700000000.001}"#), true, "is not valid yet"),
        (format!("{header}.{payload}.{}", "A".repeat(17_000)), false, "is longer than"),
    ];
    let (writer, scheme) = renewable(&good);
    for (token, dated, what) in table {
        writer.replace(Secret::new(token.clone().into_bytes()));
        let error = handshake(&scheme, &HeaderMap::new(), NOW_MS).expect_err(what);
        let SchemeError::Credential { dated: found, what: said, .. } = error else {
            panic!("{token}: {error:?}")
        };
        assert!(found == dated && said.starts_with(what), "{token}: {said}");
        // Before a handshake asks, the same is known: for `check`, the start and probes.
        let known = scheme.credential(NOW_MS).expect_err(what);
        assert_eq!(known.to_string(), format!("the secret in secrets.token {said}"));
    }
    for payload in
        [r#"{"exp":1700000000.001}"#, r#"{"exp":1700003600,"nbf":1700000000}"#, r#"{"exp":1e300}"#]
    {
        writer.replace(Secret::new(json(payload).into_bytes()));
        assert!(handshake(&scheme, &HeaderMap::new(), NOW_MS).is_ok(), "{payload}");
    }
}

#[test]
fn tokens_that_their_issuer_did_not_sign_are_not_sent() {
    let vectors = load("infras");
    let good = text(&vectors, "/handshake/0/config/token");
    let mut with_key = binding(good, &[("src", "0")]);
    let pem = text(&vectors, "/token_public_key_pem").as_bytes().to_vec();
    with_key.files.insert("verify_with".to_owned(), pem);
    assert!(build(&with_key).is_ok());
    let forged = token(r#"{"alg":"RS256"}"#, r#"{"exp":1700003600}"#);
    let other = token(r#"{"alg":"ES256"}"#, r#"{"exp":1700003600}"#);
    for (token, what) in [
        (forged, "is not signed with its issuer's key"),
        (other, "is signed with another alg than its issuer's key is for"),
    ] {
        let cell = SecretCell::fixed(Secret::new(token.into_bytes()));
        with_key.secrets.insert("token".to_owned(), cell);
        let scheme = build(&with_key).expect("a bad token is no bad route");
        let error = scheme.credential(NOW_MS).expect_err(what).to_string();
        assert!(error.ends_with(what), "{error}");
    }
}

#[test]
fn params_that_make_no_handshake_are_refused_when_they_are_read() {
    let good = token(r#"{"alg":"RS256"}"#, r#"{"exp":1700003600}"#);
    let table: [(&[(&str, &str)], &str); 19] = [
        (&[("src", "")], "params.src is empty"),
        (&[("signtype", "GG20")], "params.signtype is \"GG20\", which it cannot be"),
        (&[("token", "cookie")], "params.token is \"cookie\", which it cannot be"),
        (&[("token_header", "")], "params.token_header is not the name of a header"),
        (&[("token_header", "A: b\r\nC")], "params.token_header is not the name of a header"),
        (&[("request_header", "Naïve")], "params.request_header is not the name of a header"),
        (&[("request_header", "Connection")], "params.request_header names a header that the"),
        (&[("token_header", "SEC-WebSocket-KEY")], "params.token_header names a header that the"),
        (&[("request_header", "Sec-WebSocket-Infras-Token")], "params.request_header names the"),
        (&[("token_header", "X-T"), ("token_member", "token")], "params.token_header is set bes"),
        (&[("token_member", "src")], "params.token_member names a member that the request has"),
        (&[("extra", "[]")], "params.extra is not a JSON object of strings"),
        (&[("extra", "{\"a\":1}")], "params.extra is not a JSON object of strings"),
        (&[("extra", "{\"a\":{\"b\":\"c\"}}")], "params.extra is not a JSON object of strings"),
        (&[("extra", "{\"a\":\"b\",\"a\":\"c\"}")], "params.extra is not a JSON object of strin"),
        (&[("extra", "{\"src\":\"1\"}")], "params.extra repeats a member"),
        (&[("extra", "{\"t\":\"1\"}"), ("token_member", "t")], "params.extra repeats a member"),
        (&[("token", "opaque")], "params.verify_with is set, and an opaque token has no sign"),
        (&[], "params.verify_with names a file that is no public key in PEM"),
    ];
    for (params, expected) in table {
        let mut binding = binding(&good, &[&[("src", "0")], params].concat());
        if expected.contains("verify_with") {
            binding.files.insert("verify_with".to_owned(), b"no key".to_vec());
        }
        let error = build(&binding).expect_err(expected);
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(error.fix.len() > 10, "{error}");
    }
    let mut bare = binding(&good, &[("src", "0")]);
    bare.secrets.clear();
    assert_eq!(build(&bare).expect_err("no token").to_string(), "secrets.token is missing");
}

#[test]
fn the_single_header_of_later_clients_can_be_made() {
    let params = [
        ("src", "0"),
        ("request_header", "WebSocket-Mpc-Request"),
        ("token_member", "token"),
        ("token", "opaque"),
        ("extra", r#"{"openid":"o-1","bm":"00ff"}"#),
    ];
    let opaque = r#"an"opaque\token"#;
    let scheme = build(&binding(opaque, &params)).expect("a handshake");
    // What the app has under either name is not the app's to say.
    let mut app = HeaderMap::new();
    for name in ["websocket-mpc-request", "sec-websocket-infras-token"] {
        app.append(name, HeaderValue::from_static("forged"));
    }
    let arrived = handshake(&scheme, &app, NOW_MS).expect("it can be sent");
    assert!(arrived.values("Sec-WebSocket-Infras-Token").is_empty());
    let request = arrived.once("WebSocket-Mpc-Request").expect("one");
    let members = Infras::at(NOW_MS as f64 / 1000.0).check_request(request).expect("a request");
    let expected =
        [("bm", "00ff"), ("openid", "o-1"), ("signtype", "gg20"), ("src", "0"), ("token", opaque)];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(members, BTreeMap::from(expected));
}

#[test]
fn what_is_not_ascii_is_escaped_and_means_the_same() {
    let src = "zürich\r\nX: y\u{7f}\u{1f512}\"\\";
    let good = token(r#"{"alg":"RS256"}"#, r#"{"exp":1700003600}"#);
    let scheme = build(&binding(&good, &[("src", src)])).expect("a handshake");
    let arrived = handshake(&scheme, &HeaderMap::new(), NOW_MS).expect("it can be sent");
    let request = arrived.once("Infras-Mpc-Request").expect("one");
    assert!(request.contains(r"z\u00fcrich\r\nX: y\u007f\ud83d\udd12"), "{request}");
    let members = Infras::at(0.0).check_request(request).expect("a request");
    assert_eq!(members["src"], src);
}

#[test]
fn a_claim_is_the_configured_token_and_request_and_no_other() {
    let good = token(r#"{"alg":"RS256"}"#, r#"{"exp":1700003600}"#);
    for member in ["", "token"] {
        let scheme = build(&binding(&good, &[("src", "0"), ("token_member", member)]));
        let scheme = scheme.expect("a handshake");
        let sent = edited(&scheme, &HeaderMap::new(), NOW_MS).expect("it can be sent").head;
        let claimed = |head: &Head| {
            let verified = verify(scheme.as_ref(), |_| None, Signable { head, body: None });
            verified.map(|verified| verified.preimages.len()).map_err(|flaw| flaw.to_string())
        };
        assert_eq!(claimed(&sent), Ok(0));
        let mut changed = 0;
        for name in sent.headers.keys().filter(|name| scheme.owned_headers().contains(name)) {
            let mut twice = sent.clone();
            twice.headers.append(name, sent.headers[name].clone());
            let mut without = sent.clone();
            without.headers.remove(name);
            let mut other = sent.clone();
            let value = sent.headers[name].to_str().expect("text");
            let last = value.replace(&good, &good.replace("RS", "XS")).replace("\"0\"", "\"1\"");
            let last = if last == value { format!("{value}A") } else { last };
            other.headers.insert(name, HeaderValue::from_str(&last).expect("text"));
            for head in [twice, without, other] {
                let why = claimed(&head).expect_err(name.as_str());
                assert!(why.ends_with("exactly once") && !why.contains(&good), "{why}");
                changed += 1;
            }
        }
        assert_eq!(changed, if member.is_empty() { 6 } else { 3 });
    }
}

proptest! {
    #[test]
    fn whatever_the_token_it_is_sent_only_when_it_is_good(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        (at, byte) in (any::<prop::sample::Index>(), any::<u8>()),
        payload in "\\{(\"(exp|nbf)\":(null|\"1\"|-?[0-9]{1,12}(\\.[0-9])?),?){0,3}\\}",
    ) {
        let good = token(r#"{"alg":"RS256"}"#, r#"{"exp":1700003600,"nbf":1}"#);
        let (writer, scheme) = renewable(&good);
        let mut near = good.clone().into_bytes();
        let place = at.index(near.len());
        near[place] = byte;
        let dated = token(r#"{"alg":"RS256"}"#, &payload).into_bytes();
        for tried in [good.into_bytes(), bytes, near, dated] {
            writer.replace(Secret::new(tried.clone()));
            let sent = handshake(&scheme, &HeaderMap::new(), NOW_MS);
            let Ok(arrived) = sent else { continue };
            let value = arrived.once("Sec-WebSocket-Infras-Token").expect("one");
            prop_assert_eq!(value.as_bytes(), &tried);
            let verdict = Infras::at(NOW_MS as f64 / 1000.0).check(&arrived);
            prop_assert!(verdict.is_ok(), "{:?}: {:?}", verdict, value);
        }
    }
}

/// A token that nobody signed.
fn token(header: &str, payload: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", encode(header), encode(payload), encode("a signature"))
}

/// What a route binds, parameters that are left out with their default.
fn binding(token: &str, params: &[(&str, &str)]) -> Binding {
    let mut binding = Binding::default();
    let cell = SecretCell::fixed(Secret::new(token.as_bytes().to_vec()));
    binding.secrets.insert("token".to_owned(), cell);
    binding.params = entry("infras").defaults();
    for (name, value) in params {
        let known = binding.params.insert((*name).to_owned(), (*value).to_owned());
        assert!(known.is_some(), "{name} is no param");
    }
    binding
}

fn build(binding: &Binding) -> Result<Arc<dyn Scheme>, BindError> {
    let bound = entry("infras").bind(binding)?;
    Ok(Arc::clone(bound.signing().expect("the scheme signs requests")))
}

/// A scheme whose token can be replaced.
fn renewable(token: &str) -> (SecretWriter, Arc<dyn Scheme>) {
    let mut binding = binding(token, &[("src", "0")]);
    let (writer, cell) = SecretCell::renewable(Secret::new(token.as_bytes().to_vec()));
    binding.secrets.insert("token".to_owned(), cell);
    (writer, build(&binding).expect("the first token is good"))
}

/// A handshake as the provider sees it arrive.
fn handshake(
    scheme: &Arc<dyn Scheme>,
    app: &HeaderMap,
    unix_ms: u64,
) -> Result<Arrived, SchemeError> {
    edited(scheme, app, unix_ms).map(|sent| sent.arrive())
}

/// The request with what the scheme puts in, and without what the app had in its place.
fn edited(
    scheme: &Arc<dyn Scheme>,
    app: &HeaderMap,
    unix_ms: u64,
) -> Result<Outgoing, SchemeError> {
    let (host, target) = ("api.infras.online", "/mpc/sign".parse().expect("a path"));
    let head = Head { method: Method::GET, host: host.into(), target, headers: app.clone() };
    let moment = Moment { unix_ms, nonce: Nonce::Given(0) };
    let prepared = Prepared::of(scheme, &Outgoing { head, body: Bytes::new() }, &moment)?;
    assert!(prepared.preimages.is_empty(), "nothing is signed");
    let sent = prepared.assemble(&moment, &Signatures::default())?;
    assert!(sent.body.is_empty(), "there is no body");
    Ok(sent)
}

fn headers(object: &Value) -> HeaderMap {
    let object = object.as_object().expect("headers are an object");
    let header = |(name, value): (&String, &Value)| {
        let value = value.as_str().expect("a header is text");
        let name: HeaderName = name.parse().expect("the name of a header");
        (name, HeaderValue::from_str(value).expect("the value of a header"))
    };
    object.iter().map(header).collect()
}

const NOW_MS: u64 = 1_700_000_000_000;
