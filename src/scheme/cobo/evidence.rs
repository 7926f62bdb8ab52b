//! What a Cobo request shows: where its token is, how it is written, who signed it and what, its
//! times, and what it carries. The same for both roles.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::form::FIELD;
use super::request::Request;
use super::token;
use crate::keys::{Opened, PublicKey, Signature};
use crate::scheme::evidence::causes::{form as forms, keyed, token as causes};
use crate::scheme::evidence::{
    Cause, Evidence, Hypothesis, Json, Limit, Stamp, Suspect, Test, Texts, decoded, json_forms,
};
use crate::scheme::{Signable, Text};

/// Who may have signed a token, and what it should carry.
pub(super) struct Own {
    pub(super) slot: Text,
    /// Whose tokens are wanted, one at least.
    pub(super) issuers: Vec<PublicKey>,
    /// The other side's keys.
    pub(super) others: Vec<PublicKey>,
    /// Whether the claims are the request.
    pub(super) flat: bool,
    /// How far clocks may be apart.
    pub(super) leeway_ms: i128,
    /// The `iss` that tokens must have, where one is asked for.
    pub(super) of: Option<String>,
    /// How far ahead an `exp` may be, where that is limited.
    pub(super) horizon_ms: Option<i128>,
}

/// What the request shows.
pub(super) fn evidence(request: Signable<'_>, own: &Own) -> Evidence {
    let mut evidence = Evidence::default();
    let (token, faults) = placed(request);
    evidence.faults.extend(faults);
    let Some(token) = token else { return evidence };
    let (token, fault) = compact(&token);
    evidence.faults.extend(fault);
    let Some(token) = token else { return evidence };
    evidence.faults.extend(algorithm(&token.header));
    times(&token.claims, own, &mut evidence);
    evidence.faults.extend(issuer(&token.claims, own));
    evidence.faults.extend(package(&token, own));
    evidence.suspects.extend(suspect(&token, own));
    evidence
}

/// The token wherever it is, and what is wrong with that.
fn placed(request: Signable<'_>) -> (Option<String>, Vec<Cause>) {
    let head = request.head;
    let body = request.body.map_or(&b""[..], |body| body);
    let mut faults = Vec::new();
    if head.method != http::Method::POST {
        let what = format!("the request is a {}, and a token is posted", head.method);
        faults.push(Cause::seen(&forms::METHOD_UNSIGNABLE).said(what).fix("send it with POST"));
    }
    let kind = head.headers.get(http::header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_form = kind == super::form::FORM;
    let place = |what: String| {
        Cause::seen(&causes::TOKEN_PLACE)
            .said(what)
            .fix("post it as the field TSS_JWT_MSG of an application/x-www-form-urlencoded body")
    };
    let fields: Vec<String> = form_urlencoded::parse(body)
        .filter(|(name, _)| name == FIELD)
        .map(|(_, value)| value.trim().to_owned())
        .collect();
    match &fields[..] {
        [one] => {
            if !is_form {
                faults.push(place(format!("Content-Type is {kind:?}, and a form's is wanted")));
            }
            return (Some(one.clone()), faults);
        }
        [] => {}
        _ => {
            let what = format!("the field {FIELD} is there {} times", fields.len());
            faults.push(Cause::seen(&forms::PART_TWICE).said(what));
            return (None, faults);
        }
    }
    let (found, what) = elsewhere(request, body);
    faults.push(match &found {
        Some(_) => place(what),
        None => Cause::seen(&causes::TOKEN_MISSING)
            .said(format!("there is no field {FIELD} in the body, and no token anywhere else")),
    });
    (found, faults)
}

/// A token in another place, and which.
fn elsewhere(request: Signable<'_>, body: &[u8]) -> (Option<String>, String) {
    let is_token = |text: &str| text.split('.').count() == 3 && text.starts_with("ey");
    let mut places: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(body) {
        places.push((
            value.trim().to_owned(),
            format!("the field is called {name}, and not {FIELD}"),
        ));
    }
    let text = String::from_utf8_lossy(body).trim().to_owned();
    places.push((text.trim_matches('"').to_owned(), "the token is the whole body".into()));
    if let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) {
        for (name, value) in members {
            let value = value.as_str().unwrap_or_default().to_owned();
            places.push((value, format!("the token is in the JSON member {name}")));
        }
    }
    for (name, value) in form_urlencoded::parse(request.head.query().as_bytes()) {
        places.push((value.into_owned(), format!("the token is in the query, as {name}")));
    }
    for (name, value) in &request.head.headers {
        let value = value.to_str().unwrap_or_default();
        let value = value.strip_prefix("Bearer ").unwrap_or(value);
        places.push((value.to_owned(), format!("the token is in the header {name}")));
    }
    let found = places.into_iter().find(|(text, _)| is_token(text));
    found.map_or((None, String::new()), |(text, what)| (Some(text), what))
}

/// A token taken apart without being strict.
struct Token {
    signed: String,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    claims_text: Vec<u8>,
    signature: Vec<u8>,
}

/// The token's parts, and what is wrong with how it is written.
fn compact(text: &str) -> (Option<Token>, Option<Cause>) {
    let bad = |what: String| Cause::seen(&causes::TOKEN_FORM).said(what);
    let bare = text.trim_matches('"').trim();
    let bare = bare.strip_prefix("Bearer ").unwrap_or(bare);
    let parts: Vec<&str> = bare.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return (
            None,
            Some(bad(format!("the token has {} parts, and three are wanted", parts.len()))),
        );
    };
    let mut fault = (bare != text).then(|| bad("the token has something around it".into()));
    let mut read = |part: &str, name: &str| {
        if let Ok(bytes) = URL_SAFE_NO_PAD.decode(part) {
            return Some(bytes);
        }
        let loose = decoded(part).into_iter().next_back().map(|(_, bytes)| bytes);
        let how = if part.contains('=') {
            "with padding"
        } else if part.contains(['+', '/']) {
            "in standard base64"
        } else {
            "cut or damaged"
        };
        fault.get_or_insert_with(|| {
            let known =
                if how == "cut or damaged" { &forms::SIGNATURE_CUT } else { &causes::TOKEN_FORM };
            Cause::seen(known).said(format!(
                "the token's {name} is {how}, and base64url without padding is wanted"
            ))
        });
        loose
    };
    let (header_text, claims_text) = (read(header, "header"), read(claims, "payload"));
    let octets = if signature.is_empty() { Some(Vec::new()) } else { read(signature, "signature") };
    let object = |text: &Option<Vec<u8>>| -> Option<Map<String, Value>> {
        serde_json::from_slice(text.as_deref()?).ok()
    };
    let (Some(header_map), Some(claims_map)) = (object(&header_text), object(&claims_text)) else {
        let fault =
            fault.unwrap_or_else(|| bad("header or payload of the token is no JSON object".into()));
        return (None, Some(fault));
    };
    let token = Token {
        signed: format!("{header}.{claims}"),
        header: header_map,
        claims: claims_map,
        claims_text: claims_text.unwrap_or_default(),
        signature: octets.unwrap_or_default(),
    };
    (Some(token), fault)
}

fn algorithm(header: &Map<String, Value>) -> Option<Cause> {
    let alg = header.get("alg").and_then(Value::as_str);
    if header.contains_key("crit") {
        let what = "the token has a critical header, which is not understood there";
        return Some(Cause::seen(&causes::TOKEN_FORM).said(what));
    }
    let what = match alg {
        Some("RS256") => return None,
        None => "the token names no alg, and RS256 is wanted".to_owned(),
        Some(other) if other.eq_ignore_ascii_case("none") => {
            "the token is not signed: its alg is none, and RS256 is wanted".to_owned()
        }
        Some(other) => format!("the token's alg is {}, and RS256 is wanted", other.escape_debug()),
    };
    Some(
        Cause::seen(&causes::TOKEN_ALG)
            .said(what)
            .fix("sign with RS256: RSA, PKCS#1 v1.5, SHA-256"),
    )
}

fn times(claims: &Map<String, Value>, own: &Own, evidence: &mut Evidence) {
    let bad = |what: String| Cause::seen(&causes::TOKEN_TIMES).said(what);
    for (name, limit) in [("exp", Limit::Until), ("nbf", Limit::From)] {
        let value = claims.get(name).filter(|value| !value.is_null());
        let Some(value) = value else {
            if name == "exp" {
                evidence.faults.push(bad("the token has no exp".into()));
            }
            continue;
        };
        let Some(seconds) = value.as_f64() else {
            let what = format!("the token's {name} is no number of seconds, but {}", kind(value));
            evidence.faults.push(bad(what));
            continue;
        };
        if seconds > 1e11 {
            let what = format!("the token's {name} is in milliseconds, and seconds are wanted");
            evidence.faults.push(bad(what));
            continue;
        }
        let leeway = if limit == Limit::Until { own.leeway_ms } else { -own.leeway_ms };
        let unix_ms = (seconds * 1000.0) as i128 + leeway;
        if let Some(horizon) = own.horizon_ms.filter(|_| limit == Limit::Until) {
            let part = "the token's exp, less params.horizon,".to_owned();
            let from = unix_ms - 2 * leeway - horizon;
            evidence.stamps.push(Stamp { part, unix_ms: from, limit: Limit::From });
        }
        evidence.stamps.push(Stamp { part: format!("the token's {name}"), unix_ms, limit });
    }
}

/// An `iss` that is not the one that is asked for.
fn issuer(claims: &Map<String, Value>, own: &Own) -> Option<Cause> {
    let of = own.of.as_ref()?;
    let found = claims.get("iss").map_or_else(|| "missing".to_owned(), ToString::to_string);
    let other = claims.get("iss").and_then(Value::as_str) != Some(of);
    other.then(|| {
        let said =
            format!("the token's iss is {found}, and \"{of}\" is asked for by params.node_issuer");
        Cause::seen(&forms::MEMBER_OTHER).said(said)
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Bool(_) => "true or false",
        Value::Null => "null",
        Value::Number(_) => "a number",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What is wrong with what the token carries.
fn package(token: &Token, own: &Own) -> Option<Cause> {
    let place = |what: &str| Cause::seen(&causes::PACKAGE_PLACE).said(what.to_owned());
    let bytes = match (own.flat, token.claims.get("package_data")) {
        (true, None) => token.claims_text.clone(),
        (true, Some(_)) => {
            return Some(place("the request is in package_data, and the route's payload is flat"));
        }
        (false, Some(Value::String(text))) => match STANDARD.decode(text) {
            Ok(bytes) => bytes,
            Err(_) => return Some(coded(text)),
        },
        (false, Some(_)) => {
            return Some(place("package_data is no text in base64, but JSON itself"));
        }
        (false, None) if token.claims.contains_key("request_id") => {
            return Some(place(
                "the request's members are the claims themselves, and package_data is wanted",
            ));
        }
        (false, None) => return Some(place("the token has no package_data")),
    };
    let error = Request::read(&bytes).err()?;
    Some(Cause::seen(&causes::PACKAGE_FORM).said(error.to_string()))
}

fn coded(text: &str) -> Cause {
    let cause = |what: String| Cause::seen(&causes::PACKAGE_ENCODING).said(what);
    if text.trim_start().starts_with('{') {
        return cause("package_data is JSON as it is, and base64 of it is wanted".into());
    }
    match decoded(text).into_iter().next() {
        Some((form, _)) if !text.contains(['-', '_']) => {
            let padding = !text.len().is_multiple_of(4);
            let how = if padding { "base64 without padding" } else { form.name() };
            cause(format!("package_data is in {how}, and standard base64 with padding is wanted"))
        }
        Some((form, _)) => cause(format!(
            "package_data is in {}, and standard base64 with padding is wanted",
            form.name()
        )),
        None => cause("package_data is no base64".into()),
    }
}

/// The signature, where it is not one of the issuers'.
fn suspect(token: &Token, own: &Own) -> Option<Suspect> {
    let wanted = token::preimage(token.signed.clone().into_bytes());
    let signature = Signature::Octets(token.signature.clone());
    let holds = |key: &&PublicKey| key.verifies(wanted.content(), &signature);
    let key = own.issuers.iter().find(holds).or_else(|| own.issuers.first())?.clone();
    let mut hypotheses = Vec::new();
    for other in &own.others {
        let (other, text) = (other.clone(), token.signed.clone());
        let signature = signature.clone();
        let test = move || {
            let wanted = token::preimage(text.clone().into_bytes());
            other.verifies(wanted.content(), &signature)
        };
        let cause = Cause::seen(&causes::TOKEN_SIDE);
        hypotheses.push(Hypothesis { cause, test: Test::Own(60, Box::new(test)) });
    }
    let opened = own.issuers.iter().chain(&own.others).map(|key| key.open(&token.signature));
    let opened: Vec<Opened> = opened.flatten().collect();
    let known = opened.iter().position(|own| !matches!(own, Opened::Nothing | Opened::Length));
    let mut last = Cause::seen(&causes::TOKEN_ISSUER)
        .proof("opened with the public key, the signature has no padding: another key made it");
    if opened.iter().all(|own| *own == Opened::Length) && !opened.is_empty() {
        let what = format!(
            "the token's signature is {} bytes, which is not the length of the key",
            token.signature.len()
        );
        last = Cause::seen(&causes::TOKEN_ISSUER).said(what);
    }
    if let Some(at) = known {
        let side = at >= own.issuers.len();
        hypotheses.extend(inside(token, &opened[at]));
        last = changed(&opened[at], side);
    }
    let (slot, shown_in, last) = (own.slot.clone(), None, Some(last));
    Some(Suspect { slot, key, shown_in, signature, wanted, hypotheses, last })
}

/// What is said of a signature of the right key over an unknown text.
fn changed(opened: &Opened, other_side: bool) -> Cause {
    let padding = |what: &str| Cause::seen(&keyed::PADDING_OTHER).said(what.to_owned());
    let cause = match opened {
        Opened::Pss => padding("the signature has PSS padding (PS256), and RS256 has PKCS#1 v1.5"),
        Opened::Bare(_) => padding("the signature has no name of a hash function inside"),
        Opened::Pkcs1 { hash, .. } if *hash != "SHA-256" => Cause::seen(&keyed::HASH_OTHER)
            .said(format!("the token was hashed with {hash}, and RS256 has SHA-256")),
        Opened::Pkcs1 { .. } | Opened::Nothing | Opened::Length => Cause::seen(
            &causes::TOKEN_CHANGED,
        )
        .said("the token was changed after it was signed: the right key signed another text"),
    };
    let cause = if other_side { Cause::seen(&causes::TOKEN_SIDE) } else { cause };
    cause
        .proof("opened with the public key, the signature has the right padding and another digest")
}

/// Texts that the digest in the signature may be of.
fn inside(token: &Token, opened: &Opened) -> Vec<Hypothesis> {
    let Opened::Pkcs1 { hash, digest } = opened else { return Vec::new() };
    let wanted = token.signed.clone().into_bytes();
    let mut all = Vec::new();
    if *hash != "SHA-256" {
        let (hash, digest, text) = (*hash, digest.clone(), wanted.clone());
        let cause = Cause::seen(&keyed::HASH_OTHER)
            .said(format!("the token was hashed with {hash}, and RS256 has SHA-256"));
        let test = move || hashed(hash, &text) == digest;
        all.push(Hypothesis { cause, test: Test::Own(1, Box::new(test)) });
    }
    for (cause, text) in texts(token).into_iter().filter(|(_, text)| *text != wanted) {
        let (hash, digest) = (*hash, digest.clone());
        let texts = Texts { signed: text.clone(), wanted: wanted.clone() };
        let cause = Cause { texts: Some(Box::new(texts)), ..cause };
        let test = move || hashed(hash, &text) == digest;
        all.push(Hypothesis { cause, test: Test::Own(1, Box::new(test)) });
    }
    let once = hashed("SHA-256", &wanted);
    let hex = base16ct::lower::encode_string(&once);
    for (known, bytes) in
        [(&keyed::HASH_TWICE, once.clone()), (&keyed::HASH_HEX, hex.clone().into_bytes())]
    {
        let (hash, digest) = (*hash, digest.clone());
        let test = move || hashed(hash, &bytes) == digest;
        all.push(Hypothesis { cause: Cause::seen(known), test: Test::Own(1, Box::new(test)) });
    }
    all
}

fn texts(token: &Token) -> Vec<(Cause, Vec<u8>)> {
    let (header, claims) = token.signed.split_once('.').unwrap_or_default();
    let mut all = Vec::new();
    let changed = |what: String| Cause::seen(&causes::TOKEN_CHANGED).said(what);
    let form = |what: &str| Cause::seen(&causes::TOKEN_FORM).said(what.to_owned());
    let header_text = Value::Object(token.header.clone()).to_string();
    all.push((form("the payload alone was signed, without the header"), claims.into()));
    all.push((
        form("the payload's JSON was signed, and not its base64url"),
        token.claims_text.clone(),
    ));
    let json = [header_text.as_bytes(), b".", &token.claims_text].concat();
    all.push((form("header and payload were signed as JSON, and not in base64url"), json));
    let padded = |text: &str| format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    let text = format!("{}.{}", padded(header), padded(claims));
    all.push((form("header and payload were signed with padding"), text.into()));
    let text = format!("{header}{claims}");
    all.push((form("header and payload were signed without the dot between them"), text.into()));
    for (what, other) in [
        ("alg", r#"{"alg":"RS256","typ":"JWT"}"#),
        ("the order of its members", r#"{"typ":"JWT","alg":"RS256"}"#),
        ("typ", r#"{"alg":"RS256"}"#),
        ("alg", r#"{"alg":"RS512","typ":"JWT"}"#),
        ("alg", r#"{"typ":"JWT","alg":"RS512"}"#),
        ("alg", r#"{"alg":"HS256","typ":"JWT"}"#),
    ] {
        let what = format!("the token's header was changed after it was signed: {what}");
        let text = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(other));
        all.push((changed(what), text.into()));
    }
    if let Some(read) = Json::read(&token.claims_text) {
        for found in json_forms(&read) {
            let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(&found.text));
            let what = "the payload was written anew after it was signed".to_owned();
            all.push((changed(what), text.into()));
        }
        for skipped in 0..read.members().len() {
            let mut members = token.claims.clone();
            let name = read.members()[skipped].0.clone();
            members.shift_remove(&name);
            let text = Value::Object(members).to_string();
            let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(text));
            all.push((
                changed(format!("{name} was added after the token was signed")),
                text.into(),
            ));
        }
    }
    all
}

fn hashed(hash: &str, text: &[u8]) -> Vec<u8> {
    match hash {
        "SHA-512" => Sha512::digest(text).to_vec(),
        "SHA-384" => Sha384::digest(text).to_vec(),
        _ => Sha256::digest(text).to_vec(),
    }
}
