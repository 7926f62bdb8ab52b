//! Tokens of a Cobo node and of Infras: what is opened is signed, in time, and says what another reading
//! says; what is plainly good is opened.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use countersign::keys::{Algorithm, PrivateKey, PublicKey};
use countersign::moment::{Moment, Nonce};
use countersign::scheme::{
    Binding, Bound, Envelope, Head, Opened, Registry, SchemeError, Signable,
};
use countersign::secret::{Secret, SecretCell};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use super::input::Input;
use super::json::Json;
use super::{Target, corpus};
use crate::support::vectors::{all, load, text};
use crate::support::verify::Infras;

pub(super) const TARGET: Target = Target {
    name: "jwt",
    run,
    seeds,
    words: &[
        "{\"alg\":\"RS256\"}\n",
        "\"alg\":\"none\"",
        "\"crit\":[]",
        "\"exp\":1764337900",
        "\"nbf\":null",
        "1e99",
        "-1",
        "\"package_data\":\"",
        "\"request_id\":\"r\"",
        "\"request_type\":2",
        "\"Request_ID\":\"x\"",
        "null",
        "\\u0065",
        "e30=",
        ".",
        "=",
        "{",
        "}",
        ",",
        "\u{17f}",
    ],
    tries: 1_500,
};

fn seeds() -> Vec<Vec<u8>> {
    let header = r#"{"alg":"RS256","typ":"JWT"}"#;
    let mut seeds = Vec::new();
    for package in [
        r#"{"request_id":"r","request_type":2,"request_detail":"{}","extra_info":"{}"}"#,
        r#"{ "request_id" : "\u0072" }"#,
        "{}",
    ] {
        seeds.push(format!("\0{header}\n{package}").into_bytes());
    }
    for payload in [
        r#"{"package_data":"eyJyZXF1ZXN0X2lkIjoiciJ9","exp":1764337900,"iss":"node"}"#,
        r#"{"request_id":"r","request_type":2,"exp":1764337900.5,"nbf":1764337800}"#,
    ] {
        seeds.push(format!("\u{1}{header}\n{payload}").into_bytes());
        seeds.push(format!("\u{5}{header}\n{payload}").into_bytes());
        seeds.push(format!("\u{3}{header}\n{payload}").into_bytes());
    }
    let mut texts = Vec::new();
    all().iter().for_each(|(_, vectors)| corpus::strings(vectors, 100, &mut texts));
    let tokens = texts.into_iter().filter(|text| text.windows(3).any(|piece| piece == b"eyJ"));
    seeds.extend(tokens.map(|token| [b"\x02", &token[..]].concat()));
    seeds
}

/// The key of the node of Cobo's vectors.
static NODE: LazyLock<(String, String, RsaKeyPair)> = LazyLock::new(|| {
    let vectors = load("cobo");
    let private = text(&vectors, "/keys/tss_node/private_pkcs8_pem").to_owned();
    let public = text(&vectors, "/keys/tss_node/public_spki_pem").to_owned();
    let body: String = private.lines().filter(|line| !line.starts_with("-----")).collect();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(body).expect("it is base64"));
    (private, public, pair.expect("the vectors have good keys"))
});

pub(super) fn private_pem() -> &'static str {
    &NODE.0
}

pub(super) fn public_pem() -> &'static str {
    &NODE.1
}

/// A token that is good for long, and is nobody's.
pub(super) fn lasting_token() -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", encode(r#"{"alg":"RS256"}"#), encode(r#"{"exp":4000000000}"#))
}

/// The callback server's side, where the JSON stands in a claim, and where it is the claims.
pub(super) static ENVELOPES: LazyLock<[Arc<dyn Envelope>; 2]> = LazyLock::new(|| {
    ["package_data", "flat"].map(|layout| {
        let registry = Registry::built_in();
        let entry = registry.find("cobo_callback").expect("it is a scheme");
        let mut binding = Binding { params: entry.defaults(), ..Binding::default() };
        binding.params.insert("payload".into(), layout.into());
        binding.files.insert("verify_with".into(), public_pem().into());
        let own =
            PrivateKey::parse(private_pem().as_bytes(), Some(Algorithm::RSA_PKCS1_SHA256), None);
        binding.keys.insert("signer".into(), own.expect("it is a key").public_key());
        match entry.bind(&binding).expect("it is bound") {
            Bound::Envelope(envelope) => envelope,
            Bound::Scheme(scheme) => panic!("{scheme:?} opens nothing"),
        }
    })
});

pub(super) const NOW: Moment = Moment { unix_ms: NOW_S * 1000, nonce: Nonce::Given(0) };
const NOW_S: u64 = 1_764_337_800;

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let way = input.byte();
    let flat = way & 4 != 0;
    if way % 4 == 2 {
        return raw(flat, input.0);
    }
    let (header, rest) = (input.line(), input.0);
    let payload = match way % 4 {
        0 if !flat => {
            let package = STANDARD.encode(rest);
            format!(r#"{{"package_data":"{package}","exp":{},"iss":"node"}}"#, NOW_S + 100)
                .into_bytes()
        }
        _ => rest.to_vec(),
    };
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", encode(header), encode(&payload));
    if way % 4 == 3 {
        return bearer(format!("{signed}.{}", encode(&[1; 256])));
    }
    let mut signature = vec![0; NODE.2.public_modulus_len()];
    let made =
        NODE.2.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
    made.expect("the key is large enough");
    let opened = open(flat, &format!("{signed}.{}", encode(&signature)));
    let package = if flat { Some(payload.clone()) } else { claim(&payload) };
    match opened {
        Ok(opened) => believed(&opened, header, &payload, &package.expect("a package was opened")),
        Err(error) => {
            let plain = way % 4 == 0 && header == br#"{"alg":"RS256","typ":"JWT"}"# && !flat;
            assert!(!plain || !is_plain(rest), "{error}: {}", rest.escape_ascii());
        }
    }
}

fn open(flat: bool, token: &str) -> Result<Opened, SchemeError> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    let target = "/v1/check".parse().expect("a target");
    let head = Head { method: Method::POST, host: String::new(), target, headers };
    let body = Bytes::from(format!("TSS_JWT_MSG={token}"));
    ENVELOPES[usize::from(flat)].open(Signable { head: &head, body: Some(&body) }, &NOW)
}

/// A token as it is: it is opened only where the node signed it.
fn raw(flat: bool, bytes: &[u8]) {
    let Ok(token) = str::from_utf8(bytes) else { return };
    let token = token.strip_prefix("TSS_JWT_MSG=").unwrap_or(token);
    if token.contains(['&', '%', '+']) || open(flat, token).is_err() {
        return;
    }
    let (signed, signature) = token.trim().rsplit_once('.').expect("a token has parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("it is base64url");
    let spki = PublicKey::from_pem(public_pem().as_bytes()).expect("it is PEM").spki();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki);
    key.verify(signed.as_bytes(), &signature).expect("the node signed what was opened");
}

/// A token that is put in as it is: where nothing is held against it, the provider takes it.
fn bearer(token: String) {
    let registry = Registry::built_in();
    let entry = registry.find("infras").expect("it is a scheme");
    let mut binding = Binding { params: entry.defaults(), ..Binding::default() };
    binding.params.insert("src".into(), "party".into());
    let secret = SecretCell::fixed(Secret::new(token.clone().into_bytes()));
    binding.secrets.insert("token".into(), secret);
    let bound = entry.bind(&binding).expect("it is bound");
    let held = bound.signing().expect("it is a scheme").credential(NOW.unix_ms);
    let second = Infras::at(NOW_S as f64).check_token(&token);
    assert!(held.is_err() || second.is_ok(), "{second:?}: {token}");
}

/// Asserts that a token that was opened is to be believed, and what it was taken to say.
fn believed(opened: &Opened, header: &[u8], payload: &[u8], package: &[u8]) {
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("it is JSON");
    let (header, claims, package) = (read(header), read(payload), read(package));
    assert!(header["alg"] == "RS256" && header.get("crit").is_none(), "{header}");
    let now = NOW_S as f64;
    assert!(claims["exp"].as_f64().is_some_and(|exp| exp > now - 60.0), "{claims}");
    assert!(
        claims.get("nbf").is_none_or(|nbf| nbf.is_null() || nbf.as_f64() <= Some(now + 60.0)),
        "{claims}"
    );
    assert_eq!(package["request_id"].as_str().unwrap_or_default(), opened.id, "{package}");
    assert_eq!(package["request_type"].as_u64().unwrap_or_default(), opened.kind, "{package}");
    let mut expected = package;
    if expected.get("request_type").is_none() {
        expected["request_type"] = 0.into();
    }
    assert_eq!(read(&opened.request), expected);
    let asked = str::from_utf8(&opened.request).expect("it is text");
    let asked = Json::read(asked).expect("the service is sent JSON");
    for name in ["request_id", "request_type", "request_detail", "extra_info"] {
        assert!(asked.folded(name).len() <= 1, "{name} has two spellings: {asked:?}");
    }
}

/// The package in a payload.
fn claim(payload: &[u8]) -> Option<Vec<u8>> {
    let claims: Value = serde_json::from_slice(payload).ok()?;
    STANDARD.decode(claims["package_data"].as_str()?).ok()
}

/// Whether a package is one that nobody could read in two ways.
fn is_plain(package: &[u8]) -> bool {
    let Some(package) = str::from_utf8(package).ok().and_then(Json::read) else { return false };
    let Some(members) = package.members() else { return false };
    let mut names: Vec<String> =
        members.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    let distinct =
        names.windows(2).all(|pair| pair[0] != pair[1]) && names.iter().all(|name| name.is_ascii());
    let lower = members.iter().all(|(name, _)| !name.bytes().any(|byte| byte.is_ascii_uppercase()));
    let id = matches!(package.folded("request_id")[..], [Json::Text(id, _)] if (1..=256).contains(&id.len()));
    let number =
        |written: &str| written.len() < 18 && written.bytes().all(|byte| byte.is_ascii_digit());
    let kind = matches!(package.folded("request_type")[..], [Json::Number(kind)] if number(kind));
    distinct && lower && id && kind
}
