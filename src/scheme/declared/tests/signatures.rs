//! How signatures are written, and what of them a file's words change.

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::super::advice::advise;
use super::super::eval::prepare;
use super::super::inputs::{Inputs, Ticks};
use super::super::{CATALOGUE, Compiled};
use crate::keys::{Algorithm, PrivateKey, Signature};
use crate::scheme::{Head, Signable};

/// What X-SIGN is of these numbers where `sign` has these words.
fn written(words: &str, algorithm: Algorithm, r: [u8; 32], s: [u8; 32]) -> String {
    let text = format!(
        "format = 1\nsummary = \"S\"\nhost = \"a.test\"\n[keys.signer]\nalgorithms = [\"{algorithm}\"]\n\
         [values]\nsignature = {{ sign = \"{{path}}\", key = \"signer\", as = \"hex\"{words} }}\n\
         [place.headers]\nX-SIGN = \"{{signature}}\"\n"
    );
    let compiled = Compiled::read(&text).expect("every word is known");
    let keys = [PrivateKey::generate(algorithm).public_key()];
    let publics = compiled.publics(&keys);
    let inputs = Inputs { compiled: &compiled, keys: &keys, publics: &publics, params: &[] };
    let target = "/".parse().expect("a target");
    let head =
        Head { method: Method::GET, host: "a.test".into(), target, headers: HeaderMap::new() };
    let body = Bytes::new();
    let request = Signable { head: &head, body: Some(&body) };
    let prepared = prepare(inputs, Vec::new(), request, Ticks::default()).expect("it has a text");
    let placed = prepared.place(&[Signature::Ecdsa { r, s }]).expect("it is placed");
    placed.headers[0].1.to_str().expect("hex").to_owned()
}

/// One less than the order of each curve's group (SEC 2, sections 2.4.1 and 2.4.2): its twin is 1.
#[test]
fn low_s_takes_the_smaller_of_two_and_raw_has_no_der() {
    let one = [&[0; 31][..], &[1]].concat().try_into().expect("32 bytes");
    for (algorithm, last) in [
        (Algorithm::ECDSA_P256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550"),
        (
            Algorithm::ECDSA_SECP256K1,
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
        ),
    ] {
        let bytes = base16ct::lower::decode_vec(last).expect("hex");
        let high = bytes.try_into().expect("32 bytes");
        let (r, low) = (format!("{:064x}", 1), format!("{:064x}", 1));
        for (words, expected) in [
            ("", format!("3026020101022100{last}")),
            (", low_s = true", "3006020101020101".into()),
            (", form = \"raw\"", format!("{r}{last}")),
            (", form = \"raw\", low_s = true", format!("{r}{low}")),
        ] {
            assert_eq!(written(words, algorithm, one, high), expected, "{algorithm}{words}");
        }
    }
}

/// A digest is signed as it is, and a text that is none is not.
#[test]
fn a_text_that_is_the_digest_is_not_hashed_once_more() {
    let file = |text: &str, words: &str, signature: &str| {
        format!(
            "format = 1\nsummary = \"S\"\nhost = \"a.test\"\n[keys.signer]\n\
             algorithms = [\"ecdsa_secp256k1\"]\n[values]\n\
             signature = {{ sign = \"{text}\", key = \"signer\", as = \"hex\"{words} }}\n\
             [place.headers]\nX-SIGN = \"{{signature}}\"\n\
             [[vectors]]\nsource = \"this test\"\nnow = \"2025-11-28T13:50:00Z\"\n\
             keys.signer = \"{}\"\nrequest = {{ method = \"GET\", target = \"/a\" }}\n\
             expect.headers.X-SIGN = \"{signature}\"\n",
            "11".repeat(32)
        )
    };
    let said = super::problems(&file("{path}", "", "00")).join("\n");
    let (_, found) = said.split_once("X-SIGN becomes \"").expect("it is signed");
    let hashed = found.split('"').next().expect("it ends");
    for (text, words, problem) in [
        ("{path | sha256}", ", digest = \"none\"", ""),
        ("{path | sha256}", "", "X-SIGN becomes"),
        ("{path}", ", digest = \"none\"", "has a digest that is not 32 bytes long"),
    ] {
        let said = super::problems(&file(text, words, hashed)).join("\n");
        assert!(said.contains(problem) && said.is_empty() == problem.is_empty(), "{text}: {said}");
    }
}

/// Where nothing but the signature may differ, a signature of another text is told.
#[test]
fn a_signature_is_verified_where_it_stands_inside_another_text() {
    let turnkey = catalogued("turnkey");
    for (from, to, expected) in [
        ("sign = \"{body}\"", "sign = \"{body}{path}\"", "X-Stamp becomes"),
        ("SIGNATURE_SCHEME_TK_API_P256\"", "SIGNATURE_SCHEME_TK_API_P384\"", "X-Stamp becomes"),
        ("\"o-1\"", "\"o-2\"", "X-Stamp becomes"),
    ] {
        assert!(turnkey.contains(from), "{from}");
        let said = super::problems(&turnkey.replacen(from, to, 1)).join("\n");
        assert!(said.contains(expected), "{to}: {said}");
    }
}

#[test]
fn advice_says_what_is_in_a_macs_place() {
    for (name, expected) in [
        ("ovh", "hashes the secret with the text, in a MAC's place (SHA-1)"),
        ("coinex_hash", "hashes the secret with the text, in a MAC's place (SHA-256)"),
        ("cryptomus", "hashes the secret with the text, in a MAC's place (MD5)"),
        ("okx", ""),
    ] {
        let compiled = Compiled::read(catalogued(name)).expect("it is of the catalogue");
        let said: Vec<String> = advise(&compiled).into_iter().map(|own| own.what).collect();
        assert_eq!(
            said.iter().any(|own| own == expected),
            !expected.is_empty(),
            "{name}: {said:?}"
        );
    }
}

fn catalogued(name: &str) -> &'static str {
    CATALOGUE.iter().find(|(own, _)| *own == name).expect("it is there").1
}

/// A body that contains the signature of a body would be signed as it was, and be another.
#[test]
fn a_body_that_waits_for_a_signature_is_not_signed() {
    let coinone = catalogued("coinone");
    let late = coinone.replacen("body = \"{said | base64}\"", "body = \"{signature}\"", 1);
    let said =
        super::problems(&late.replacen("sign = \"{said | base64}\"", "sign = \"{body}\"", 1));
    assert!(said.join("\n").contains("the body waits for the signature"), "{said:?}");
}
