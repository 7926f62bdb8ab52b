//! What holds for every request, tried with many: the canonical text is that of the independent
//! verifier, and a signed request that is changed anywhere is no longer valid.

mod beside;
mod declared;
mod loopring;
mod routes;

use std::sync::LazyLock;

use bytes::Bytes;
use countersign::keys::{Algorithm, PrivateKey};
use countersign::moment::{Moment, Nonce};
use http::HeaderValue;
use proptest::prelude::*;

use crate::support::dialect::{Dialect, Outgoing};
use crate::support::vectors::{load, text};
use crate::support::verify::{Arrived, metasv, sinohope};

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn queries_have_the_canonical_text_of_the_independent_verifier(query in query()) {
        assert_same_text(&get(&format!("/v1/test?{query}")))?;
    }

    #[test]
    fn bodies_have_the_canonical_text_of_the_independent_verifier(body in body()) {
        assert_same_text(&post("/v1/test?x=1", body))?;
    }

    #[test]
    fn metasv_paths_have_the_message_of_the_independent_verifier(
        path in "(/[!-~&&[^#?<>^`]]{0,12}){1,4}",
        query in query(),
        nonce in 0_u64..10_000_000_000,
    ) {
        let arrived = get(&format!("{path}?{query}"));
        let outgoing = Outgoing::new(&arrived);
        prop_assert_eq!(outgoing.head.target.as_str(), &arrived.target);
        let moment = Moment { unix_ms: NOW, nonce: Nonce::Given(nonce) };
        let ours = METASV.canonicalise(&outgoing, &moment);
        let ours = ours.expect("every request has a message")[0].text.clone();
        let (time, nonce) = (NOW.to_string(), format!("{nonce:010}"));
        let theirs = metasv::message(&arrived, &time, &nonce).expect("the target has a path");
        prop_assert_eq!(String::from_utf8_lossy(&ours), theirs);
    }
}

proptest! {
    // A signature takes its time where the code is not optimised.
    #![proptest_config(cases(128))]

    #[test]
    fn a_sinohope_get_that_is_changed_is_not_valid(
        segment in "[a-z0-9]{1,16}",
        value in "[A-Za-z0-9]{1,16}",
        change in change(),
    ) {
        let signed = sign(&SINOHOPE, &get(&format!("/v1/{segment}?key={value}&b=1")));
        let changed = [
            retarget(&signed, &format!("/v1/{}?key={value}&b=1", change.letter(&segment))),
            retarget(&signed, &format!("/v1/{segment}?key={}&b=1", change.letter(&value))),
            retarget(&signed, &format!("/v1/{segment}?key={value}")),
            rehead(&signed, "biz-api-nonce", |ms| change.digit(ms)),
            rehead(&signed, "biz-api-key", |hex| change.bit_of_hex(hex)),
            rehead(&signed, "biz-api-signature", |hex| change.bit_of_hex(hex)),
        ];
        assert_only_the_first_is_valid(&SINOHOPE, &signed, &changed)?;
    }

    #[test]
    fn a_sinohope_post_that_is_changed_is_not_valid(
        body in "\\{[ -~é\n]{1,40}\\}",
        change in change(),
    ) {
        let arrived = post("/v1/test", body.into_bytes());
        let signed = sign(&SINOHOPE, &arrived);
        let mut other = signed.clone();
        let changed = change.bit(&signed.body);
        // The two bytes that are not signed may stand for each other.
        let unsigned = |byte: u8| byte == b' ' || byte == b'\n';
        let at = change.at(signed.body.len());
        prop_assume!(!(unsigned(changed[at]) && unsigned(signed.body[at])));
        other.body = Bytes::from(changed);
        let longer = Outgoing { body: [&signed.body[..], b"x"].concat().into(), ..signed.clone() };
        let shorter = Outgoing { body: signed.body.slice(1..), ..signed.clone() };
        assert_only_the_first_is_valid(&SINOHOPE, &signed, &[other, longer, shorter])?;
    }

    #[test]
    fn a_metasv_request_that_is_changed_is_not_valid(
        segment in "[A-Za-z0-9]{1,30}",
        change in change(),
    ) {
        let signed = sign(&METASV, &get(&format!("/block/{segment}?a=1")));
        let changed = [
            retarget(&signed, &format!("/block/{}?a=1", change.letter(&segment))),
            retarget(&signed, &format!("/block/{segment}/?a=1")),
            rehead(&signed, "metasv-timestamp", |ms| change.digit(ms)),
            rehead(&signed, "metasv-nonce", |nonce| change.digit(nonce)),
            rehead(&signed, "metasv-client-pubkey", |hex| change.bit_of_hex(hex)),
            rehead(&signed, "metasv-signature", |base64| change.letter(base64)),
        ];
        assert_only_the_first_is_valid(&METASV, &signed, &changed)?;
    }
}

/// So many cases; what fails is shown in full, and not kept in a file.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(count) }
}

/// One place to change, and how.
#[derive(Clone, Copy, Debug)]
struct Change {
    place: usize,
    by: u8,
}

fn change() -> impl Strategy<Value = Change> {
    (any::<usize>(), any::<u8>()).prop_map(|(place, by)| Change { place, by })
}

impl Change {
    fn at(self, length: usize) -> usize {
        self.place % length
    }

    /// One bit is another.
    fn bit(self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        changed[self.at(bytes.len())] ^= 1 << (self.by % 8);
        changed
    }

    fn bit_of_hex(self, hex: &str) -> String {
        let bytes = base16ct::lower::decode_vec(hex).expect("the header is hex");
        base16ct::lower::encode_string(&self.bit(&bytes))
    }

    /// One character is another letter or digit.
    fn letter(self, text: &str) -> String {
        self.within(text, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    }

    /// One digit is another.
    fn digit(self, text: &str) -> String {
        self.within(text, b"0123456789")
    }

    fn within(self, text: &str, alphabet: &[u8]) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let at = self.at(bytes.len());
        let others: Vec<u8> = alphabet.iter().copied().filter(|one| *one != bytes[at]).collect();
        bytes[at] = others[usize::from(self.by) % others.len()];
        String::from_utf8(bytes).expect("the texts are ASCII")
    }
}

/// What a program might write behind the question mark, and what it had better not.
fn query() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[&=]",
        2 => Just("%".to_owned()),
        2 => "[+?/ab]",
        2 => "%[0-9a-fA-F]{2}",
        // Two, three and four bytes of UTF-8, and one that is cut short.
        1 => prop::sample::select(vec!["%C3%A9", "%e4%ba%a4", "%F0%9F%94%91", "%C3", "%0A", "%20"])
            .prop_map(str::to_owned),
        2 => "[!-~&&[^\"#<>]]{1,4}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Text, with the white space that matters.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let text =
        prop_oneof!["[ \t\r\n]{0,6}", "[ \t\r\n{}\":,a\u{a0}\u{2028}é]{0,30}", "\\PC{0,20}",];
    text.prop_map(String::into_bytes)
}

fn get(target: &str) -> Arrived {
    Arrived { method: "GET".into(), target: target.into(), ..Arrived::default() }
}

fn post(target: &str, body: Vec<u8>) -> Arrived {
    Arrived { method: "POST".into(), target: target.into(), body, ..Arrived::default() }
}

fn assert_same_text(arrived: &Arrived) -> Result<(), TestCaseError> {
    let outgoing = Outgoing::new(arrived);
    // What is looked at must be what is sent.
    prop_assert_eq!(outgoing.head.target.as_str(), &arrived.target);
    let moment = Moment { unix_ms: NOW, nonce: Nonce::Given(0) };
    let ours = SINOHOPE.canonicalise(&outgoing, &moment);
    let ours = ours.expect("it is text")[0].text.clone();
    let key = base16ct::lower::encode_string(&SINOHOPE.public.spki());
    let theirs = sinohope::canonical(arrived, &NOW.to_string(), &key).expect("it is text");
    prop_assert_eq!(String::from_utf8_lossy(&ours), theirs);
    Ok(())
}

fn assert_only_the_first_is_valid(
    dialect: &Dialect,
    signed: &Outgoing,
    changed: &[Outgoing],
) -> Result<(), TestCaseError> {
    prop_assert!(dialect.verify(signed).is_ok());
    for request in changed {
        prop_assert!(dialect.verify(request).is_err(), "{request:?}");
    }
    Ok(())
}

fn sign(dialect: &Dialect, arrived: &Arrived) -> Outgoing {
    let moment = Moment { unix_ms: NOW, nonce: Nonce::Given(1_234_567_890) };
    dialect.signed(&Outgoing::new(arrived), &moment)
}

fn retarget(signed: &Outgoing, target: &str) -> Outgoing {
    let mut changed = signed.clone();
    changed.head.target = target.parse().expect("a target");
    changed
}

fn rehead(signed: &Outgoing, name: &'static str, change: impl Fn(&str) -> String) -> Outgoing {
    let mut changed = signed.clone();
    let value = change(signed.head.single(name).expect("a signed request has the header"));
    changed.head.headers.insert(name, HeaderValue::from_str(&value).expect("a value"));
    changed
}

/// The vectors' key on P-256.
static SINOHOPE: LazyLock<Dialect> = LazyLock::new(|| {
    let vectors = load("sinohope");
    let key = text(&vectors, "/keys/test-p256/pkcs8_der_hex");
    let key = PrivateKey::parse(key.as_bytes(), None, None);
    Dialect::new("sinohope", &key.expect("the vectors have keys"))
});

static METASV: LazyLock<Dialect> = LazyLock::new(|| {
    let vectors = load("metasv");
    let key = text(&vectors, "/keys/test-a/private_key_hex");
    let key = PrivateKey::parse(key.as_bytes(), Some(Algorithm::ECDSA_SECP256K1), None);
    Dialect::new("metasv", &key.expect("the vectors have keys"))
});

const NOW: u64 = 1_700_000_000_000;
