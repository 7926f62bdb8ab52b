//! The verifiers of `support/verify` against the vectors. Only verifiers that accept what the
//! providers' own programs signed, and refuse what differs from it in one place, can be trusted
//! to judge what the proxy sends.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use crate::support::vectors::{
    SIGNATURE, TEXT, all, cases, first, key_of, load, request, text, walked,
};
use crate::support::verify::metasv::{self, MetaSv};
use crate::support::verify::sinohope::{self, Sinohope};
use crate::support::verify::{Arrived, Clock, PROVIDERS, lower_hex, now_ms};

#[test]
fn every_verifier_tells_valid_signatures_from_others() {
    for (name, vectors, ask) in walked() {
        let (mut valid, mut invalid) = (0, 0);
        for case in cases(&vectors, "verify") {
            let text = first(case, TEXT).expect("a case has a text");
            let signature = first(case, SIGNATURE).expect("a case has a signature");
            let found = (ask.holds)(key_of(&vectors, case), text, signature);
            let expected = case["valid"].as_bool().expect("a case says whether it is valid");
            assert_eq!(found.is_ok(), expected, "{name}, {}: {found:?}", case["id"]);
            *(if expected { &mut valid } else { &mut invalid }) += 1;
        }
        assert!(valid > 0 && invalid > 1, "{name}: {valid} valid, {invalid} invalid");
    }
}

#[test]
fn every_provider_has_vectors_and_every_file_of_vectors_a_provider() {
    let files = all().into_iter().map(|(name, _)| name);
    assert!(files.eq(PROVIDERS.iter().map(|row| row.name.to_owned())));
    assert!(walked().count() >= 2);
}

#[test]
fn the_sinohope_verifier_agrees_with_every_signed_request() {
    let vectors = load("sinohope");
    let (mut requests, mut signatures) = (0, 0);
    for case in cases(&vectors, "sign") {
        let id = text(case, "/id");
        let expected = text(case, "/expect/canonical");
        let key = spki(&vectors, text(case, "/key"));
        let time = text(case, "/timestamp_ms");
        let found = sinohope::canonical(&request(case), time, key);
        assert_eq!(found.as_deref(), Ok(expected), "{id}");
        assert_sha256(id, expected, text(case, "/expect/sha256_hex"));
        requests += 1;

        let examples = case["expect"]["example_signature_der_hex"].as_object();
        for (maker, signature) in examples.expect("a case has example signatures") {
            let signature = signature.as_str().expect("a signature is text");
            let arrived = sinohope_request(case, key, time, signature);
            let accepted = Sinohope::new(key, Clock::Stopped).check(&arrived);
            let accepted = accepted.unwrap_or_else(|why| panic!("{id}, {maker}: {why}"));
            assert_eq!(accepted.canonical, expected, "{id}, {maker}");
            signatures += 1;
        }
    }
    assert_eq!((requests, signatures), (13, 52));
}

#[test]
fn the_sinohope_verifier_names_what_is_wrong_with_a_request() {
    let vectors = load("sinohope");
    let case = case(&vectors, "post-compact");
    let (key, time) = (spki(&vectors, text(case, "/key")), text(case, "/timestamp_ms"));
    let signature = text(case, "/expect/example_signature_der_hex/rfc6979_low_s");
    let good = sinohope_request(case, key, time, signature);
    let verifier = Sinohope::new(key, Clock::Stopped);
    assert!(verifier.check(&good).is_ok());

    let (other_key, shouted) = (spki(&vectors, "test-k256"), signature.to_uppercase());
    let table: [(&str, Change, &str); 12] = [
        ("no key", drop_header("BIZ-API-KEY"), "BIZ-API-KEY is there 0 times"),
        ("no time", drop_header("BIZ-API-NONCE"), "BIZ-API-NONCE is there 0 times"),
        ("no signature", drop_header("BIZ-API-SIGNATURE"), "BIZ-API-SIGNATURE is there 0 times"),
        ("a key twice", add_header("biz-api-key", key), "BIZ-API-KEY is there 2 times"),
        ("another key", set_header("BIZ-API-KEY", other_key), "not the key registered"),
        ("seconds", set_header("BIZ-API-NONCE", "1700000000"), "not a time in decimal"),
        ("a later time", set_header("BIZ-API-NONCE", "1700000000006"), "P-256 signature"),
        ("upper case", set_header("BIZ-API-SIGNATURE", &shouted), "not lower-case hex"),
        ("not DER", set_header("BIZ-API-SIGNATURE", "00"), "not DER"),
        ("another body", Box::new(|request| request.body.push(b'x')), "P-256 signature"),
        ("another path", Box::new(|request| request.target.push('/')), "P-256 signature"),
        ("another method", Box::new(|request| request.method = "PUT".into()), "method is PUT"),
    ];
    assert_refused(&good, table, |request| verifier.check(request).map(drop));

    let running = Sinohope::new(key, Clock::Running);
    let why = running.check(&good).expect_err("the request is years old");
    assert!(why.contains("away from now"), "{why}");
}

#[test]
fn the_sinohope_verifier_reads_what_the_vectors_leave_out_as_the_specification_says() {
    let table: [(&str, &str, &str, &str); 13] = [
        ("GET", "/p?a=1&a=2", "", "a=1"),
        ("GET", "/p?&&b&a=", "", "a=&b="),
        ("GET", "/p?x=%zz%4", "", "x=%25zz%254"),
        ("GET", "/p?x=%ff", "", "x=%EF%BF%BD"),
        ("GET", "/p?x=*-._~%2f", "", "x=*-._%7E%2F"),
        ("GET", "/p?my+name=a+b%20c", "", "myname=a+b+c"),
        ("GET", "/p?a%0Ab=1?2", "", "ab=1%3F2"),
        ("GET", "/p?", "", ""),
        ("GET", "/p", "a body is not signed", ""),
        ("POST", "/p?x=1", " \r\n\t", ""),
        ("POST", "/p", "{\r\n\t\"a\": \"\\n b\"}", "{\r\t\"a\":\"\\nb\"}"),
        ("POST", "/p", "\u{a0}", "\u{a0}"),
        ("POST", "/p", "{}", "{}"),
    ];
    for (method, target, body, data) in table {
        let (method, target, body) = (method.to_owned(), target.to_owned(), body.into());
        let request = Arrived { method, target, headers: Vec::new(), body };
        let expected = format!("data{data}path/ptimestamp1version1.0.0k");
        assert_eq!(sinohope::canonical(&request, "1", "k"), Ok(expected), "{request:?}");
    }
    let binary = Arrived { method: "POST".into(), body: vec![0xff], ..Arrived::default() };
    let why = sinohope::canonical(&Arrived { target: "/p".into(), ..binary }, "1", "k");
    assert_eq!(why, Err("the body is not UTF-8".to_owned()));
}

#[test]
fn the_metasv_verifier_agrees_with_every_signed_request() {
    let vectors = load("metasv");
    let mut requests = 0;
    for case in cases(&vectors, "sign") {
        let id = text(case, "/id");
        let expected = text(case, "/expect/message");
        let (time, nonce) = (text(case, "/timestamp_ms"), text(case, "/nonce"));
        let found = metasv::message(&request(case), time, nonce);
        assert_eq!(found.as_deref(), Ok(expected), "{id}");
        assert_sha256(id, expected, text(case, "/expect/sha256_hex"));

        let arrived = metasv_request(case);
        let key = arrived.once("MetaSV-Client-Pubkey").expect("the vectors have the header");
        let verifier = MetaSv::signature(key, Clock::Stopped);
        let accepted = verifier.check(&arrived).unwrap_or_else(|why| panic!("{id}: {why}"));
        assert_eq!(accepted.canonical, expected, "{id}");
        let why = verifier.check(&arrived).expect_err("the nonce is used up");
        assert!(why.contains("used before"), "{id}: {why}");
        requests += 1;
    }
    assert_eq!(requests, 6);
}

#[test]
fn the_metasv_verifier_names_what_is_wrong_with_a_request() {
    let vectors = load("metasv");
    let good = metasv_request(case(&vectors, "nonce-leading-zero"));
    let key = good.once("MetaSV-Client-Pubkey").expect("the vectors have the header").to_owned();
    let signature = good.once("MetaSV-Signature").expect("the vectors have the header").to_owned();
    assert!(MetaSv::signature(&key, Clock::Stopped).check(&good).is_ok());

    let (shouted, unpadded) = (key.to_uppercase(), signature.trim_end_matches('='));
    let other = text(&vectors, "/keys/test-a/public_key_compressed_hex");
    let table: [(&str, Change, &str); 10] = [
        ("no time", drop_header("MetaSV-Timestamp"), "MetaSV-Timestamp is there 0 times"),
        ("a nonce twice", add_header("metasv-nonce", "0012345678"), "is there 2 times"),
        ("a token too", add_header("authorization", "Bearer x"), "beside the signature"),
        ("nine digits", set_header("MetaSV-Nonce", "012345678"), "not ten digits"),
        ("a letter", set_header("MetaSV-Nonce", "001234567a"), "not ten digits"),
        ("another nonce", set_header("MetaSV-Nonce", "0012345679"), "secp256k1 signature"),
        ("upper case", set_header("MetaSV-Client-Pubkey", &shouted), "not the key registered"),
        ("another key", set_header("MetaSV-Client-Pubkey", other), "not the key registered"),
        ("no padding", set_header("MetaSV-Signature", unpadded), "not padded base64"),
        ("another path", Box::new(|request| request.target.push('x')), "secp256k1 signature"),
    ];
    assert_refused(&good, table, |request| {
        MetaSv::signature(&key, Clock::Stopped).check(request).map(drop)
    });

    let why = MetaSv::signature(&key, Clock::Running).check(&good);
    let why = why.expect_err("the request is years old");
    assert!(why.contains("away from now"), "{why}");
}

#[test]
fn the_metasv_verifier_takes_a_token_and_nothing_beside_it() {
    let headers = vec![("Authorization".to_owned(), "Bearer test-token".to_owned())];
    let good = Arrived { method: "GET".into(), target: "/".into(), headers, body: Vec::new() };
    let verifier = MetaSv::bearer("test-token");
    assert!(verifier.check(&good).is_ok());

    let table: [(&str, Change, &str); 4] = [
        ("no token", drop_header("Authorization"), "is there 0 times"),
        ("two tokens", add_header("authorization", "Bearer test-token"), "is there 2 times"),
        ("another token", set_header("Authorization", "Bearer test-tokens"), "not the token"),
        ("a signature too", add_header("metasv-nonce", "0012345678"), "beside the token"),
    ];
    assert_refused(&good, table, |request| verifier.check(request).map(drop));
}

#[test]
fn a_running_clock_allows_five_minutes_either_way() {
    let table: [(i64, bool); 4] = [(-290, true), (290, true), (-310, false), (310, false)];
    let vectors = load("metasv");
    let case = case(&vectors, "root");
    let key = text(&vectors, "/keys/test-a/public_key_compressed_hex");
    for (seconds, timely) in table {
        let mut arrived = metasv_request(case);
        let time = now_ms().saturating_add_signed(seconds * 1000).to_string();
        set_header("MetaSV-Timestamp", &time)(&mut arrived);
        // The signature is for another time: only which fault is found first differs.
        let why = MetaSv::signature(key, Clock::Running).check(&arrived).map(drop);
        let why = why.expect_err("the signature is for another time");
        assert_eq!(why.contains("secp256k1 signature"), timely, "{seconds}: {why}");
        assert_eq!(why.contains("away from now"), !timely, "{seconds}: {why}");
    }
}

/// What makes a good request bad.
type Change = Box<dyn Fn(&mut Arrived)>;

fn drop_header(name: &'static str) -> Change {
    Box::new(move |request| request.headers.retain(|(given, _)| given != name))
}

fn add_header(name: &str, value: &str) -> Change {
    let added = (name.to_owned(), value.to_owned());
    Box::new(move |request| request.headers.push(added.clone()))
}

fn set_header(name: &'static str, value: &str) -> Change {
    let value = value.to_owned();
    Box::new(move |request| {
        let header = request.headers.iter_mut().find(|(given, _)| given == name);
        header.expect("the good request has the header").1.clone_from(&value);
    })
}

/// Every change alone is refused, and the reason contains what the table says.
fn assert_refused<const N: usize>(
    good: &Arrived,
    table: [(&str, Change, &str); N],
    check: impl Fn(&Arrived) -> Result<(), String>,
) {
    for (name, change, reason) in table {
        let mut bad = good.clone();
        change(&mut bad);
        let why = check(&bad).expect_err(name);
        assert!(why.contains(reason), "{name}: {why}");
    }
}

fn assert_sha256(id: &str, text: &str, expected: &str) {
    let expected = lower_hex("sha256_hex", expected).expect("the vectors are lower-case hex");
    assert_eq!(digest(&SHA256, text.as_bytes()).as_ref(), expected, "{id}");
}

fn case<'a>(vectors: &'a Value, id: &str) -> &'a Value {
    let found = cases(vectors, "sign").iter().find(|case| case["id"] == id);
    found.unwrap_or_else(|| panic!("there is no case {id}"))
}

fn spki<'a>(vectors: &'a Value, key: &str) -> &'a str {
    text(vectors, &format!("/keys/{key}/spki_der_hex"))
}

fn sinohope_request(case: &Value, key: &str, time: &str, signature: &str) -> Arrived {
    let mut arrived = request(case);
    for (name, value) in
        [("BIZ-API-KEY", key), ("BIZ-API-NONCE", time), ("BIZ-API-SIGNATURE", signature)]
    {
        add_header(name, value)(&mut arrived);
    }
    arrived
}

fn metasv_request(case: &Value) -> Arrived {
    let mut arrived = request(case);
    let headers = case["expect"]["headers"].as_object().expect("a case has headers");
    for (name, value) in headers {
        add_header(name, value.as_str().expect("a header is text"))(&mut arrived);
    }
    arrived
}
