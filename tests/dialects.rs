//! The dialects against the vectors, step by step, so that a failure names the step: key, text,
//! hash, signature, headers, and the way back from a signed request to its claim.

mod promises;

use std::collections::BTreeMap;

use countersign::keys::{Algorithm, Content, Digest, PrivateKey, PublicKey, Signature};
use countersign::moment::{Moment, Nonce};
use countersign::verification::verify;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::dialect::{Dialect, Outgoing, build, entry};
use crate::support::vectors::{TEXT, cases, first, key_of, load, request, text, walked};
use crate::support::verify::{lower_hex, metasv};

#[test]
fn every_request_of_the_vectors_is_signed_with_every_form_of_its_key() {
    let mut signed = 0;
    for (name, vectors, ask) in walked() {
        for case in cases(&vectors, "sign") {
            let scheme = case["scheme"].as_str().unwrap_or(&name);
            let key = key_of(&vectors, case);
            let forms = private_keys(scheme, key);
            assert!(!forms.is_empty(), "{name}: the key of {} has no known form", case["id"]);
            for (form, private) in forms {
                let step = Step { id: text(case, "/id"), form };
                let dialect = Dialect::with(scheme, &private, &params(case));
                assert_eq!(dialect.public, public_key(key), "{}", step.of("public key"));
                let sent = sign(&step, &dialect, case);
                assert_headers(&step, case, &sent.owned);
                if dialect.public.algorithm() == Algorithm::ECDSA_SECP256K1 {
                    // Deterministic, so it is the vectors' own to the byte.
                    let known = first(case, DETERMINISTIC).expect("it has its signature");
                    let der = sent.signature.to_der().expect("it is ECDSA");
                    assert_eq!(hex(&der), known, "{}", step.of("signature"));
                }
                let second = (ask.check)(key, &sent.request.arrive());
                let second = second.unwrap_or_else(|why| panic!("{}: {why}", step.of("second")));
                assert_eq!(Some(second.canonical.as_str()), first(case, EXPECTED), "{}", step.id);
                signed += 1;
            }
        }
    }
    // Sinohope: three requests with the provider's own key in one form, ten with test keys in five.
    // MetaSV: six with test keys in two.
    assert!(signed >= 3 + 10 * 5 + 6 * 2, "{signed}");
}

#[test]
fn signatures_of_others_are_judged_as_the_vectors_say() {
    for (name, vectors, _) in walked() {
        let (mut valid, mut invalid) = (0, 0);
        for case in cases(&vectors, "verify") {
            let key = public_key(key_of(&vectors, case));
            let signature = case["signature_hex"].as_str().map(bytes);
            let signature = signature.unwrap_or_else(|| base64(text(case, "/signature_base64")));
            let holds = holds(&key, first(case, TEXT).expect("a case has a text"), &signature);
            assert_eq!(holds, case["valid"] == true, "{name}, {}: {}", case["id"], case["why"]);
            *(if holds { &mut valid } else { &mut invalid }) += 1;
        }
        assert!(valid > 0 && invalid > 1, "{name}: {valid} valid, {invalid} invalid");
    }
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
    let key = public_key(printed);
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
    let keys = private_keys("sinohope", &vectors["keys"]["doc-sample"]);
    let dialect = Dialect::new("sinohope", &keys[0].1);
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
    signature: Signature,
    /// The headers that the scheme owns, names in lower case.
    owned: BTreeMap<String, String>,
}

/// Canonicalise, sign, assemble, claim, verify: each step held against the case.
fn sign(step: &Step<'_>, dialect: &Dialect, case: &Value) -> Sent {
    let nonce = Nonce::Given(case["nonce"].as_str().map_or(0, number));
    let moment = &Moment { unix_ms: number(text(case, "/timestamp_ms")), nonce };
    let unsigned = Outgoing::new(&request(case));
    let prepared = dialect.prepare(&unsigned, moment).expect("it can be signed");
    let [preimage] = prepared.preimages.as_slice() else {
        panic!("{}", step.of("one text is signed"))
    };
    let found = String::from_utf8_lossy(&preimage.text);
    assert_eq!(Some(found.as_ref()), first(case, EXPECTED), "{}", step.of("canonical text"));
    let sha256 = text(case, "/expect/sha256_hex");
    let digest = preimage.hashing.digest().expect("the vectors' schemes hash");
    assert_eq!(hex(&digest.0), sha256, "{}", step.of("sha-256"));

    let signatures = dialect.sign(&prepared.preimages);
    let signature = signatures.get(&preimage.slot).expect("the slot signed").clone();
    let holds = dialect.public.verifies(preimage.content(), &signature);
    assert!(holds, "{}", step.of("signature by its own key"));
    let signed = prepared.assemble(moment, &signatures).expect("what was signed can be assembled");
    assert_eq!(signed.body, unsigned.body, "{}", step.of("body on the wire"));

    let claim = dialect.scheme.claim(signed.signable(dialect.scheme.as_ref()));
    let claim = claim.unwrap_or_else(|why| panic!("{}: {why}", step.of("claim")));
    assert_eq!(claim.moment, Some(*moment), "{}", step.of("claimed moment"));
    assert_eq!(claim.proofs.len(), 1, "{}", step.of("one proof"));
    assert_eq!(claim.proofs[0].public_key, dialect.public, "{}", step.of("claimed key"));
    assert_eq!(claim.proofs[0].signature, signature, "{}", step.of("claimed signature"));
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

/// The key in every form in which the vectors have it.
fn private_keys<'a>(scheme: &str, key: &'a Value) -> Vec<(&'a str, PrivateKey)> {
    let number = if key["curve"] == "secp256k1" {
        Algorithm::ECDSA_SECP256K1
    } else {
        entry(scheme).keys[0].algorithms[0]
    };
    let mut forms = Vec::new();
    for (member, algorithm) in FORMS {
        let algorithm = algorithm.then_some(number);
        match key.get(member) {
            Some(Value::String(text)) => forms.push((*member, parse(member, text, algorithm))),
            Some(Value::Object(variants)) => {
                forms.extend(variants.iter().map(|(form, variant)| {
                    let text = variant.as_str().expect("a variant is text");
                    (form.as_str(), parse(form, text, algorithm))
                }))
            }
            _ => {}
        }
    }
    forms
}

/// Members of a key in the vectors, and whether its algorithm must be said.
const FORMS: &[(&str, bool)] = &[
    ("pkcs8_der_hex", false),
    ("pkcs8_der_hex_variants", false),
    ("private_key_pem", false),
    ("private_key_wif", false),
    ("private_key_hex", true),
    ("private_scalar_hex", true),
];

/// The parameters of a case; none are as they are when left out.
fn params(case: &Value) -> Vec<(&str, &str)> {
    let params = case["params"].as_object().into_iter().flatten();
    params.map(|(name, value)| (name.as_str(), value.as_str().expect("it is text"))).collect()
}

fn parse(form: &str, text: &str, algorithm: Option<Algorithm>) -> PrivateKey {
    let key = PrivateKey::parse(text.as_bytes(), algorithm, None);
    key.unwrap_or_else(|why| panic!("{form}: the key {why}"))
}

fn public_key(key: &Value) -> PublicKey {
    let found = match key["spki_der_hex"].as_str() {
        Some(spki) => PublicKey::from_spki(&bytes(spki)),
        None => PublicKey::from_point(
            Algorithm::ECDSA_SECP256K1,
            &bytes(text(key, "/public_key_compressed_hex")),
        ),
    };
    found.expect("the vectors have public keys")
}

/// Whether a signature is a key's over a text; one that is not even DER is not.
fn holds(key: &PublicKey, text: &str, der: &[u8]) -> bool {
    let digest = Digest(Sha256::digest(text).into());
    let content = Content::digest(&digest);
    let signature = Signature::from_der(key.algorithm(), der);
    signature.is_some_and(|signature| key.verifies(content, &signature))
}

/// The headers are those that a case says; one that begins with a bracket may have any value.
fn assert_headers(step: &Step<'_>, case: &Value, owned: &BTreeMap<String, String>) {
    let headers = case["expect"]["headers"].as_object().expect("a case has headers");
    assert_eq!(headers.len(), owned.len(), "{}: {owned:?}", step.of("headers"));
    for (name, value) in headers {
        let value = value.as_str().expect("a header is text");
        let found = owned.get(&name.to_ascii_lowercase()).map(String::as_str);
        let fits = found == Some(value) || found.is_some() && value.starts_with('<');
        assert!(fits, "{}: {name} is {found:?}", step.of("headers"));
    }
}

/// Where a case has the whole text.
const EXPECTED: &[&str] = &["/expect/canonical", "/expect/message"];
/// Where it has the signature that is made without chance.
const DETERMINISTIC: &[&str] =
    &["/expect/signature_der_hex", "/expect/example_signature_der_hex/rfc6979_low_s"];

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
