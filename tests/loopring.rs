//! Loopring: the dialect and the independent verifier against every section of the vectors, to
//! the byte, since its signatures are deterministic; and what running programs have signed.

mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use countersign::keys::{Algorithm, Digest, PrivateKey};
use countersign::moment::{Moment, Nonce};
use countersign::scheme::SchemeError;
use num_bigint::BigUint;
use serde_json::value::RawValue;

use crate::support::dialect::{Dialect, Outgoing, binding, entry};
use crate::support::verify::loopring::{
    self as second, ORDER, ORDER_36, TRANSFER_36, UPDATE_36, WITHDRAWAL_36, WITHDRAWAL_311, Wants,
};
use crate::support::verify::{Arrived, Loopring, babyjub};

/// A case, its values as they are written: some are numbers that no float holds.
type Case = BTreeMap<String, Box<RawValue>>;

#[test]
fn every_request_of_the_vectors_is_signed_to_the_byte_and_accepted_by_the_second_opinion() {
    let mut signed = BTreeMap::new();
    for (section, canonical) in
        [("api_requests", "kv_objects"), ("v2_base_string", "v2"), ("v3_url_sign", "v3")]
    {
        for case in cases(section) {
            let (name, url) = (text(&case, "name"), request_text(&case, "url"));
            let dialect = Dialect::with("loopring", &key(&case), &[("canonical", canonical)]);
            let arrived = request(&case);
            let sent = sign(&dialect, &outgoing(&url, &arrived), &name);
            let [preimage] = sent.texts.as_slice() else { panic!("{name}: one text is signed") };
            assert_eq!(preimage.0, text(&case, "canonical"), "{name}");
            assert_eq!(decimal(&preimage.1.0), text(&case, "message"), "{name}");
            assert_eq!(sent.request.body, arrived.body, "{name}: the body stays");
            let header = sent.request.arrive().once("x-api-sig").map(str::to_owned);
            assert_eq!(header, Ok(text(&case, "x_api_sig")), "{name}");

            let base: &'static str = url[..url.find("/api/").expect("a path")].to_owned().leak();
            let wants = match canonical {
                "v2" => Wants::V2(base),
                "v3" => Wants::V3(base),
                _ => Wants::Objects,
            };
            let accepted = provider(&case, wants).check(&sent.request.arrive());
            let accepted = accepted.unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(accepted.canonical, text(&case, "canonical"), "{name}");
            *signed.entry(section).or_insert(0) += 1;
        }
    }
    let expected = [("api_requests", 12), ("v2_base_string", 4), ("v3_url_sign", 4)];
    assert_eq!(signed, BTreeMap::from(expected));
}

#[test]
fn the_historic_pairs_are_written_as_the_vectors_have_them() {
    let mut seen = 0;
    for case in cases("kv_pairs_historic") {
        let name = text(&case, "name");
        let dialect = Dialect::with("loopring", &key(&case), &[("canonical", "kv_pairs")]);
        let sent = sign(&dialect, &post(case["params"].get()), &name);
        assert_eq!(sent.texts[0].0, text(&case, "canonical"), "{name}");
        let header = sent.request.arrive().once("x-api-sig").map(str::to_owned);
        assert_eq!(header, Ok(text(&case, "x_api_sig")), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn every_message_of_the_vectors_is_hashed_and_signed_to_the_byte_and_changed_nowhere_else() {
    let mut seen = 0;
    for (section, member, body, kind) in [
        ("orders", "order", "order", ORDER),
        ("withdrawals", "withdrawal", "offchain_withdrawal", WITHDRAWAL_311),
    ] {
        for case in cases(section) {
            let name = text(&case, "name");
            let params = [("canonical", "none"), ("body", body)];
            let dialect = Dialect::with("loopring", &key(&case), &params);
            let plain = case[member].get();
            let sent = sign(&dialect, &post(plain), &name);
            assert_eq!(decimal(&sent.texts[0].1.0), text(&case, "hash"), "{name}");
            assert_eq!(values(&sent.texts[0].0), list(&case, "serialized"), "{name}");
            let mut added = String::new();
            for member in ["hash", "signatureRx", "signatureRy", "signatureS"] {
                added.push_str(&format!(",\"{member}\":\"{}\"", text(&case, member)));
            }
            assert_only_added(plain, &added, &sent.request.body, &name);
            assert_accepted(&case, Wants::Body(kind), &sent.request);
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
}

#[test]
fn each_order_of_a_batch_has_the_signature_of_its_own() {
    let cases = cases("orders");
    let (one, two) = (&cases[0], &cases[1]);
    assert_eq!(text(one, "private_key"), text(two, "private_key"));
    let params = [("canonical", "none"), ("body", "order")];
    let dialect = Dialect::with("loopring", &key(one), &params);
    let orders = [one, two, one].map(|case| case["order"].get().to_owned());
    let plain = format!("{{\"orders\": [ {} ], \"accountId\": 1}}", orders.join(" , "));
    let sent = sign(&dialect, &post(&plain), "batch");
    let hashes: Vec<_> = sent.texts.iter().map(|(_, digest)| decimal(&digest.0)).collect();
    assert_eq!(hashes, [one, two, one].map(|case| text(case, "hash")));
    let body = String::from_utf8(sent.request.body.to_vec()).expect("JSON");
    let places: Vec<_> =
        [one, two].map(|case| body.find(&text(case, "signatureS")).expect("it is signed")).into();
    assert!(places.is_sorted(), "{body}");

    // The signatures of two orders, each in the other's place.
    let mut swapped = sent.request.clone();
    for part in ["signatureRx", "signatureRy", "signatureS"] {
        let (a, b) = (text(one, part), text(two, part));
        let body = String::from_utf8(swapped.body.to_vec()).expect("JSON");
        let body = body.replace(&a, "~").replace(&b, &a).replace('~', &b);
        swapped.body = body.into_bytes().into();
    }
    assert!(dialect.verify(&swapped).is_err());
    let unsigned = dialect.prepare(&post(&plain), &MOMENT).expect("orders");
    let few = dialect.sign(&unsigned.preimages[..2]);
    assert!(unsigned.assemble(&MOMENT, &few).is_err());
}

#[test]
fn every_message_of_protocol_3_6_is_hashed_and_signed_to_the_byte() {
    let mut seen = 0;
    for case in cases("protocol36_messages") {
        let name = text(&case, "name");
        let (body, kind) = match text(&case, "kind").as_str() {
            "order" => ("order", ORDER_36),
            "withdrawal" => ("withdrawal", WITHDRAWAL_36),
            "transfer" => ("transfer", TRANSFER_36),
            "update_account" => ("account_update", UPDATE_36),
            other => panic!("{name}: {other} is new"),
        };
        let params = [("canonical", "none"), ("body", body), ("protocol", "3.6")];
        let dialect = Dialect::with("loopring", &key(&case), &params);
        let plain = case["message"].get();
        let sent = sign(&dialect, &post(plain), &name);
        assert_eq!(decimal(&sent.texts[0].1.0), text(&case, "hash"), "{name}");
        assert_eq!(values(&sent.texts[0].0), list(&case, "serialized"), "{name}");
        let signature = text(&case, "eddsa_signature");
        let added = format!(",\"eddsaSignature\":\"{signature}\"");
        assert_only_added(plain, &added, &sent.request.body, &name);
        assert_accepted(&case, Wants::Body(kind), &sent.request);
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn what_the_vectors_refuse_is_refused_by_both() {
    let mut seen = 0;
    let any = parse_key("123456");
    let dialect = Dialect::with("loopring", &any, &[]);
    for case in cases("api_requests_refused") {
        let (name, arrived) = (text(&case, "name"), request(&case));
        let refused = dialect.canonicalise(&Outgoing::new(&arrived), &MOMENT);
        let why = refused.expect_err(&name);
        assert!(matches!(why, SchemeError::Body { .. } | SchemeError::Query { .. }), "{name}");
        assert!(second::objects(&arrived).is_err(), "{name}");
        seen += 1;
    }
    let dialect = Dialect::with("loopring", &any, &[("canonical", "none"), ("body", "order")]);
    for case in cases("orders_refused") {
        let (name, plain) = (text(&case, "name"), case["order"].get());
        let why = dialect.canonicalise(&post(plain), &MOMENT).expect_err(&name).to_string();
        let field = if name == "negative" { "amountS" } else { "label" };
        assert!(why.contains(&format!("\"{field}\"")), "{name}: {why}");
        let members = serde_json::from_str(plain).expect("the case has an object");
        assert!(second::inputs(&members, ORDER).is_err(), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn the_second_opinion_hashes_and_multiplies_as_the_vectors_do() {
    let (mut hashes, mut signatures, mut keys) = (0, 0, 0);
    for case in cases("poseidon") {
        let inputs: Vec<BigUint> = list(&case, "inputs").iter().map(|one| big(one)).collect();
        let number = |name: &str| case[name].get().parse().expect("a small number");
        let found = babyjub::poseidon(number("t"), number("nRoundsP"), &inputs);
        assert_eq!(found, big(&text(&case, "hash")));
        hashes += 1;
    }
    for case in cases("public_keys").iter().chain(&cases("eddsa")) {
        let public = babyjub::public_key(&big(&text(case, "private_key")));
        assert_eq!(public.x, big(&text(case, "public_key_x")));
        assert_eq!(public.y, big(&text(case, "public_key_y")));
        keys += 1;
    }
    for case in cases("eddsa") {
        let public = babyjub::public_key(&big(&text(&case, "private_key")));
        let [x, y, s] = ["Rx", "Ry", "S"].map(|part| text(&case, part));
        let message = big(&text(&case, "message"));
        for (s, message, valid) in [
            (&s, message.clone(), true),
            // The same modulo the order of the base point: other programs write it so.
            (&text(&case, "S_reduced_mod_L"), message.clone(), true),
            (&x, message.clone(), false),
            (&s, message + 1_u8, false),
        ] {
            let signature = babyjub::Signed::from_decimals(&[&x, &y, s]).expect("numbers");
            let verdict = babyjub::verify(&public, &message, &signature);
            assert_eq!(verdict.is_ok(), valid, "{}: {verdict:?}", text(&case, "name"));
        }
        signatures += 1;
    }
    assert_eq!((hashes, signatures, keys), (cases("poseidon").len(), 5, 9));
    assert!(hashes >= 5);
}

#[test]
fn parameters_that_contradict_each_other_are_refused_by_name() {
    let entry = entry("loopring");
    let public = parse_key("2").public_key();
    let table: [(Params, &str, &str); 9] = [
        (&[("body", "order")], "params.body", "canonical = \"none\""),
        (&[("canonical", "none"), ("body", "withdrawal")], "params.body", "protocol = \"3.6\""),
        (
            &[("canonical", "none"), ("body", "offchain_withdrawal"), ("protocol", "3.6")],
            "params.body",
            "protocol = \"3.1.1\"",
        ),
        (&[("canonical", "none")], "params.canonical", "secrets = { api_key"),
        (&[("canonical", "v1")], "params.canonical", "kv_objects"),
        (&[("canonical", "none"), ("body", "orders")], "params.body", "account_update"),
        (&[("duplicates", "keep")], "params.duplicates", "keep_both"),
        (&[("protocol", "3.6.0")], "params.protocol", "3.1.1"),
        (&[("base", "api3.loopring.io")], "params.base", "https://"),
    ];
    for (params, field, fix) in table {
        let error = entry.bind(&binding(&entry, &public, params)).expect_err(field);
        assert_eq!(error.field, field, "{params:?}");
        assert!(error.fix.contains(fix), "{params:?}: {error}; {}", error.fix);
    }
    let mut unbound = binding(&entry, &public, &[]);
    unbound.keys.clear();
    assert_eq!(entry.bind(&unbound).expect_err("no key").field, "keys.eddsa");
    for base in ["https://h/path", "https://h?q", "https://u@h", "ftp://h", "", "https://h#f"] {
        let error = entry.bind(&binding(&entry, &public, &[("base", base)])).expect_err(base);
        assert_eq!(error.field, "params.base", "{base}");
    }
    let base = [("canonical", "v3"), ("base", "HTTPS://Api3.Loopring.io/")];
    let dialect = Dialect::with("loopring", &parse_key("2"), &base);
    let request =
        Outgoing::new(&Arrived { method: "GET".into(), target: "/x".into(), ..Arrived::default() });
    let texts = sign(&dialect, &request, "base").texts;
    assert_eq!(texts[0].0, "GET&https%3A%2F%2Fapi3.loopring.io%2Fx&");
}

type Params = &'static [(&'static str, &'static str)];

/// A signed request, and what was signed.
struct Sent {
    request: Outgoing,
    texts: Vec<(String, Digest)>,
}

/// Signs, and sees that the program's own `verify` agrees, twice: what is signed already is
/// signed the same again.
fn sign(dialect: &Dialect, plain: &Outgoing, name: &str) -> Sent {
    let prepared = dialect.prepare(plain, &MOMENT);
    let prepared = prepared.unwrap_or_else(|why| panic!("{name}: {why}"));
    let (preimages, signatures) = (prepared.preimages.clone(), dialect.sign(&prepared.preimages));
    let request = prepared.assemble(&MOMENT, &signatures);
    let request = request.unwrap_or_else(|why| panic!("{name}: {why}"));
    let verified = dialect.verify(&request).unwrap_or_else(|flaw| panic!("{name}: {flaw}"));
    assert_eq!((verified.moment, verified.preimages.len()), (None, preimages.len()), "{name}");
    let again = dialect.signed(&request, &MOMENT);
    assert_eq!(again.body, request.body, "{name}: signing twice changes nothing");
    let texts = preimages.into_iter().map(|preimage| {
        let digest = *preimage.hashing.digest().expect("Loopring's keys sign digests");
        (String::from_utf8(preimage.text).expect("the texts are UTF-8"), digest)
    });
    Sent { request, texts: texts.collect() }
}

/// Behind the last member, with nothing else touched.
fn assert_only_added(plain: &str, added: &str, signed: &[u8], name: &str) {
    let signed = std::str::from_utf8(signed).expect("JSON");
    assert_eq!(signed.matches(added).count(), 1, "{name}: {signed}");
    assert_eq!(signed.replace(added, ""), plain, "{name}");
    let (_, behind) = signed.split_once(added).expect("it is there");
    assert_eq!(behind.trim(), "}", "{name}");
}

fn assert_accepted(case: &Case, wants: Wants, request: &Outgoing) {
    let provider = provider(case, wants);
    let accepted = provider.check(&request.arrive());
    let accepted = accepted.unwrap_or_else(|why| panic!("{}: {why}", text(case, "name")));
    assert_eq!(accepted.canonical, text(case, "hash"));
}

/// Who has the public key of a case.
fn provider(case: &Case, wants: Wants) -> Loopring {
    Loopring { key: public(&text(case, "private_key")), api_key: None, wants }
}

fn public(private: &str) -> babyjub::Point {
    babyjub::public_key(&big(private))
}

/// The values of lines `name=value`.
fn values(lines: &str) -> Vec<String> {
    let value = |line: &str| line.split_once('=').expect("a name and a value").1.to_owned();
    lines.lines().map(value).collect()
}

fn post(body: &str) -> Outgoing {
    Outgoing::new(&Arrived {
        method: "POST".into(),
        target: "/api/v2/x".into(),
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    })
}

fn outgoing(url: &str, arrived: &Arrived) -> Outgoing {
    let mut outgoing = Outgoing::new(arrived);
    let host = url.trim_start_matches("https://").split('/').next().unwrap_or_default();
    outgoing.head.host = host.to_owned();
    outgoing
}

fn request(case: &Case) -> Arrived {
    let url = request_text(case, "url");
    let body = member(case["request"].get(), "body");
    let body: Option<String> = serde_json::from_str(body.get()).expect("text or null");
    Arrived {
        method: request_text(case, "method"),
        target: url[url.find("/api/").expect("a path")..].to_owned(),
        headers: Vec::new(),
        body: body.unwrap_or_default().into_bytes(),
    }
}

fn request_text(case: &Case, name: &str) -> String {
    serde_json::from_str(member(case["request"].get(), name).get()).expect("a string")
}

fn member(object: &str, name: &str) -> Box<RawValue> {
    let mut members: Case = serde_json::from_str(object).expect("an object");
    members.remove(name).unwrap_or_else(|| panic!("there is no {name}"))
}

/// The list under this name, numbers as they are written.
fn cases(section: &str) -> Vec<Case> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/loopring.json");
    let whole = fs::read_to_string(file).expect("the vectors are there");
    let list = member(&whole, section);
    serde_json::from_str(list.get()).expect("a list of objects")
}

fn text(case: &Case, name: &str) -> String {
    let value = case.get(name).unwrap_or_else(|| panic!("there is no {name}"));
    serde_json::from_str(value.get()).expect("a string")
}

fn list(case: &Case, name: &str) -> Vec<String> {
    serde_json::from_str(case[name].get()).expect("a list of strings")
}

fn key(case: &Case) -> PrivateKey {
    parse_key(&text(case, "private_key"))
}

/// A key, decimal or in hex with `0x`.
fn parse_key(text: &str) -> PrivateKey {
    let key = PrivateKey::parse(text.as_bytes(), Some(Algorithm::EDDSA_BABYJUB), None);
    key.unwrap_or_else(|why| panic!("the key {why}"))
}

fn big(text: &str) -> BigUint {
    let hex = text.strip_prefix("0x").map(babyjub::hex);
    hex.unwrap_or_else(|| babyjub::number(text)).expect("the vectors have numbers")
}

fn decimal(bytes: &[u8; 32]) -> String {
    BigUint::from_bytes_be(bytes).to_string()
}

/// Nothing here has a time.
const MOMENT: Moment = Moment { unix_ms: 0, nonce: Nonce::Given(0) };
