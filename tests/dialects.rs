//! The dialects against the vectors, step by step, so that a failure names the step: key, text,
//! hash, signature, headers, and the way back from a signed request to its claim.

mod promises;

use std::collections::BTreeMap;

use countersign::keys::{Algorithm, Content, Digest, PrivateKey, PublicKey, Signature};
use countersign::moment::{Moment, Nonce};
use countersign::verification::verify;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::dialect::{Dialect, Outgoing, SLOT, build, entry};
use crate::support::vectors::{cases, load, request, text};
use crate::support::verify::metasv::{self, MetaSv};
use crate::support::verify::sinohope::Sinohope;
use crate::support::verify::{Clock, lower_hex};

#[test]
fn sinohope_signs_every_request_of_the_vectors_with_every_form_of_the_key() {
    let vectors = load("sinohope");
    let (mut requests, mut signed) = (0, 0);
    for case in cases(&vectors, "sign") {
        let (id, name) = (text(case, "/id"), text(case, "/key"));
        let time = text(case, "/timestamp_ms");
        let moment = Moment { unix_ms: number(time), nonce: Nonce::Given(0) };
        let spki = text(&vectors, &format!("/keys/{name}/spki_der_hex"));
        for (form, key) in sinohope_keys(&vectors["keys"][name]) {
            let step = Step { id, form };
            let dialect = Dialect::new("sinohope", &key);
            assert_eq!(hex(&dialect.public.spki()), spki, "{}", step.of("public key"));
            let sent = sign(&step, &dialect, case, &moment, "/expect/canonical");

            let mut headers = sent.owned.clone();
            let signature = headers.remove("biz-api-signature").expect("it is signed");
            let mut expected = expected_headers(case);
            expected.remove("biz-api-signature");
            assert_eq!(headers, expected, "{}", step.of("fixed headers"));
            if dialect.public.algorithm() == Algorithm::ECDSA_SECP256K1 {
                // Deterministic, so it is the vectors' own to the byte.
                let known = text(case, "/expect/example_signature_der_hex/rfc6979_low_s");
                assert_eq!(signature, known, "{}", step.of("signature"));
            }
            let second = Sinohope::new(spki, Clock::Stopped).check(&sent.request.arrive());
            let second = second.unwrap_or_else(|why| panic!("{}: {why}", step.of("second look")));
            assert_eq!(second.canonical, text(case, "/expect/canonical"), "{}", step.of("text"));
            signed += 1;
        }
        requests += 1;
    }
    // Three requests with the provider's own key in one form, ten with test keys in five.
    assert_eq!((requests, signed), (13, 3 + 10 * 5));
}

#[test]
fn metasv_signs_every_request_of_the_vectors_to_the_byte_with_either_form_of_the_key() {
    let vectors = load("metasv");
    let (mut requests, mut signed) = (0, 0);
    for case in cases(&vectors, "sign") {
        let (id, name) = (text(case, "/id"), text(case, "/key"));
        let nonce = Nonce::Given(number(text(case, "/nonce")));
        let moment = Moment { unix_ms: number(text(case, "/timestamp_ms")), nonce };
        let public = text(&vectors, &format!("/keys/{name}/public_key_compressed_hex"));
        for (form, key) in metasv_keys(&vectors["keys"][name]) {
            let step = Step { id, form };
            let dialect = Dialect::new("metasv", &key);
            assert_eq!(hex(&dialect.public.compressed()), public, "{}", step.of("public key"));
            let sent = sign(&step, &dialect, case, &moment, "/expect/message");
            let der = hex(&only(&sent.signature).to_der().expect("it is ECDSA"));
            assert_eq!(der, text(case, "/expect/signature_der_hex"), "{}", step.of("signature"));
            assert_eq!(sent.owned, expected_headers(case), "{}", step.of("headers"));
            let second = MetaSv::signature(public, Clock::Stopped).check(&sent.request.arrive());
            let second = second.unwrap_or_else(|why| panic!("{}: {why}", step.of("second look")));
            assert_eq!(second.canonical, text(case, "/expect/message"), "{}", step.of("text"));
            signed += 1;
        }
        requests += 1;
    }
    assert_eq!((requests, signed), (6, 12));
}

#[test]
fn sinohope_signatures_of_others_are_judged_as_the_vectors_say() {
    let vectors = load("sinohope");
    let (mut valid, mut invalid) = (0, 0);
    for case in cases(&vectors, "verify") {
        let spki = text(&vectors, &format!("/keys/{}/spki_der_hex", text(case, "/key")));
        let key = PublicKey::from_spki(&bytes(spki)).expect("the vectors have public keys");
        let der = bytes(text(case, "/signature_hex"));
        let holds = holds(&key, text(case, "/canonical"), &der);
        assert_eq!(holds, case["valid"] == true, "{}: {}", text(case, "/id"), text(case, "/why"));
        *(if holds { &mut valid } else { &mut invalid }) += 1;
    }
    assert_eq!((valid, invalid), (5, 2));
}

#[test]
fn metasv_signatures_of_others_are_judged_as_the_vectors_say() {
    let vectors = load("metasv");
    let (mut valid, mut invalid) = (0, 0);
    for case in cases(&vectors, "verify") {
        let key = metasv_public(case);
        let holds = holds(&key, text(case, "/message"), &base64(text(case, "/signature_base64")));
        assert_eq!(holds, case["valid"] == true, "{}: {}", text(case, "/id"), text(case, "/why"));
        *(if holds { &mut valid } else { &mut invalid }) += 1;
    }
    assert_eq!((valid, invalid), (1, 3));
}

#[test]
fn the_get_sample_that_sinohope_prints_is_valid() {
    assert_printed_by_sinohope("get-doc-sample", "seed-get-signature");
}

#[test]
fn the_post_sample_that_sinohope_prints_is_valid() {
    assert_printed_by_sinohope("post-doc-sample", "seed-post-signature");
}

#[test]
fn the_sample_that_metasv_prints_is_valid() {
    let vectors = load("metasv");
    let printed = case(&vectors, "verify", "seed-sample");
    // The path, time and nonce of the sample stand in this case, under a test key.
    let like = case(&vectors, "sign", "block-by-hash");
    assert_eq!(text(like, "/expect/message"), text(printed, "/message"));
    let mut arrived = request(like);
    for (name, value) in [
        ("MetaSV-Timestamp", text(like, "/timestamp_ms")),
        ("MetaSV-Nonce", text(like, "/nonce")),
        ("MetaSV-Client-Pubkey", text(printed, "/public_key_compressed_hex")),
        ("MetaSV-Signature", text(printed, "/signature_base64")),
    ] {
        arrived.headers.push((name.to_owned(), value.to_owned()));
    }
    let key = metasv_public(printed);
    let sample = Outgoing::new(&arrived);
    let scheme = build(&entry("metasv"), &key);
    let verified = verify(scheme.as_ref(), |_| Some(&key), sample.signable(scheme.as_ref()));
    let verified = verified.expect("MetaSV printed it");
    assert_eq!(verified.preimages[0].text, text(printed, "/message").as_bytes());
    // The verifiers agree.
    let message = text(printed, "/message");
    let (point, signature) =
        (text(printed, "/public_key_compressed_hex"), text(printed, "/signature_base64"));
    assert_eq!(metasv::check_signature(point, message, signature), Ok(()));
}

/// The printed canonical text comes out of the request, and the printed signature is its.
fn assert_printed_by_sinohope(request_id: &str, signature_id: &str) {
    let vectors = load("sinohope");
    let asked = case(&vectors, "sign", request_id);
    let printed = case(&vectors, "verify", signature_id);
    let dialect = Dialect::new("sinohope", &sinohope_keys(&vectors["keys"]["doc-sample"])[0].1);
    let mut arrived = request(asked);
    for (name, value) in [
        ("BIZ-API-KEY", text(&vectors, "/keys/doc-sample/spki_der_hex")),
        ("BIZ-API-NONCE", text(asked, "/timestamp_ms")),
        ("BIZ-API-SIGNATURE", text(printed, "/signature_hex")),
    ] {
        arrived.headers.push((name.to_owned(), value.to_owned()));
    }
    let verified = dialect.verify(&Outgoing::new(&arrived)).expect("Sinohope printed it");
    let found = String::from_utf8_lossy(&verified.preimages[0].text).into_owned();
    assert_eq!(found, text(printed, "/canonical"));
}

/// Where a failure is: the case and the form of its key.
struct Step<'a> {
    id: &'a str,
    form: &'a str,
}

impl Step<'_> {
    fn of(&self, what: &str) -> String {
        format!("{}, key as {}: {what}", self.id, self.form)
    }
}

/// A signed request, and what signing made.
struct Sent {
    request: Outgoing,
    signature: countersign::scheme::Signatures,
    /// The headers that the scheme owns, names in lower case.
    owned: BTreeMap<String, String>,
}

/// Canonicalise, sign, assemble, claim, verify: each step held against the case.
fn sign(step: &Step<'_>, dialect: &Dialect, case: &Value, moment: &Moment, at: &str) -> Sent {
    let unsigned = Outgoing::new(&request(case));
    let prepared = dialect.prepare(&unsigned, moment).expect("it can be signed");
    let [preimage] = prepared.preimages.as_slice() else {
        panic!("{}", step.of("one text is signed"))
    };
    let found = String::from_utf8_lossy(&preimage.text);
    assert_eq!(found, text(case, at), "{}", step.of("canonical text"));
    let sha256 = text(case, "/expect/sha256_hex");
    let digest = preimage.hashing.digest().expect("the vectors' schemes hash");
    assert_eq!(hex(&digest.0), sha256, "{}", step.of("sha-256"));

    let signature = dialect.sign(&prepared.preimages);
    let holds = dialect.public.verifies(preimage.content(), only(&signature));
    assert!(holds, "{}", step.of("signature by its own key"));
    let signed = prepared.assemble(moment, &signature).expect("what was signed can be assembled");
    assert_eq!(signed.body, unsigned.body, "{}", step.of("body on the wire"));

    let claim = dialect.scheme.claim(signed.signable(dialect.scheme.as_ref()));
    let claim = claim.unwrap_or_else(|why| panic!("{}: {why}", step.of("claim")));
    assert_eq!(claim.moment, Some(*moment), "{}", step.of("claimed moment"));
    assert_eq!(claim.proofs.len(), 1, "{}", step.of("one proof"));
    assert_eq!(claim.proofs[0].public_key, dialect.public, "{}", step.of("claimed key"));
    assert_eq!(&claim.proofs[0].signature, only(&signature), "{}", step.of("claimed signature"));
    let verified = dialect.verify(&signed);
    let verified = verified.unwrap_or_else(|flaw| panic!("{}: {flaw}", step.of("verify")));
    assert_eq!(verified.moment, Some(*moment), "{}", step.of("verified moment"));
    let owned = dialect.scheme.owned_headers().iter().filter_map(|name| {
        let value = signed.head.single(name.as_str())?;
        Some((name.to_string(), value.to_owned()))
    });
    let owned = owned.collect();
    Sent { request: signed, signature, owned }
}

/// Every form in which the vectors have a Sinohope key.
fn sinohope_keys(key: &Value) -> Vec<(&str, PrivateKey)> {
    let mut forms = vec![("PKCS#8 in hex", text(key, "/pkcs8_der_hex"), None)];
    if let Some(variants) = key["pkcs8_der_hex_variants"].as_object() {
        for (name, variant) in variants {
            forms.push((name, variant.as_str().expect("a variant is hex"), None));
        }
    }
    if let Some(scalar) = key["private_scalar_hex"].as_str() {
        let secp256k1 = text(key, "/curve") == "secp256k1";
        let algorithm = if secp256k1 { Algorithm::ECDSA_SECP256K1 } else { Algorithm::ECDSA_P256 };
        forms.push(("a number in hex", scalar, Some(algorithm)));
    }
    forms.into_iter().map(|(form, text, algorithm)| (form, parse(form, text, algorithm))).collect()
}

/// Both forms in which the vectors have a MetaSV key.
fn metasv_keys(key: &Value) -> Vec<(&'static str, PrivateKey)> {
    let number = text(key, "/private_key_hex");
    let wif = text(key, "/private_key_wif");
    vec![
        ("a number in hex", parse("hex", number, Some(Algorithm::ECDSA_SECP256K1))),
        ("WIF", parse("WIF", wif, None)),
    ]
}

fn parse(form: &str, text: &str, algorithm: Option<Algorithm>) -> PrivateKey {
    let key = PrivateKey::parse(text.as_bytes(), algorithm, None);
    key.unwrap_or_else(|why| panic!("{form}: the key {why}"))
}

fn metasv_public(case: &Value) -> PublicKey {
    let point = bytes(text(case, "/public_key_compressed_hex"));
    PublicKey::from_point(Algorithm::ECDSA_SECP256K1, &point).expect("the vectors have points")
}

/// Whether a signature is a key's over a text; one that is not even DER is not.
fn holds(key: &PublicKey, text: &str, der: &[u8]) -> bool {
    let digest = Digest(Sha256::digest(text).into());
    let content = Content::digest(&digest);
    let signature = Signature::from_der(key.algorithm(), der);
    signature.is_some_and(|signature| key.verifies(content, &signature))
}

fn only(signatures: &countersign::scheme::Signatures) -> &Signature {
    signatures.get(SLOT).expect("the slot signed")
}

/// What a case says the headers are, names in lower case.
fn expected_headers(case: &Value) -> BTreeMap<String, String> {
    let headers = case["expect"]["headers"].as_object().expect("a case has headers");
    let header = |(name, value): (&String, &Value)| {
        (name.to_ascii_lowercase(), value.as_str().expect("a header is text").to_owned())
    };
    headers.iter().map(header).collect()
}

fn case<'a>(vectors: &'a Value, list: &str, id: &str) -> &'a Value {
    let found = cases(vectors, list).iter().find(|case| case["id"] == id);
    found.unwrap_or_else(|| panic!("there is no case {id} under {list}"))
}

fn number(text: &str) -> u64 {
    text.parse().expect("the vectors have decimal numbers")
}

fn bytes(hex: &str) -> Vec<u8> {
    lower_hex("hex", hex).expect("the vectors are lower-case hex")
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).expect("the vectors are base64")
}

fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}
