//! What programs sign in place of a body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512};

use super::causes::content as causes;
use super::json_forms::{Json, forms};
use super::printed::prints;
use super::shape::{Facts, Found};

/// What else may have been signed of this request's body. `piece` is what the scheme makes of a body;
/// rewritings go through it, and as they are.
pub(in crate::scheme) fn bodies(facts: &Facts<'_>, piece: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<Found> {
    let body = facts.body;
    let mut found = sent_otherwise(body);
    found.extend(instead(facts));
    let bare: Vec<Found> = found.clone();
    let mut all: Vec<Found> =
        found.into_iter().map(|own| Found { text: piece(&own.text), ..own }).collect();
    all.extend(bare);
    all
}

/// The same content written otherwise.
pub(in crate::scheme) fn sent_otherwise(body: &[u8]) -> Vec<Found> {
    let mut all = Vec::new();
    let lines = [
        [body, b"\n"].concat(),
        [body, b"\r\n"].concat(),
        body.trim_ascii_end().to_vec(),
        body.trim_ascii().to_vec(),
        replace(body, b"\r\n", b"\n"),
        replace(&replace(body, b"\r\n", b"\n"), b"\n", b"\r\n"),
        [b"\xef\xbb\xbf", body].concat(),
    ];
    all.extend(lines.map(|text| Found::new(&causes::BODY_NEWLINE, text)));
    let Some(value) = Json::read(body) else { return all };
    all.extend(forms(&value));
    for (what, text) in prints(&value) {
        let cause = format!("{what} was signed in place of the JSON body");
        all.push(Found::said(&causes::BODY_PRINTED, text, cause));
    }
    all.extend(as_form(&value));
    let text = String::from_utf8_lossy(body);
    if let Ok(string) = serde_json::to_string(&text) {
        all.push(Found::new(&causes::BODY_STRING, string));
    }
    if let Json::Text { text, .. } = &value {
        all.push(Found::new(&causes::BODY_STRING, text.clone()));
    }
    all
}

/// The members of a JSON body as a query string.
fn as_form(value: &Json) -> Vec<Found> {
    let mut pairs: Vec<(String, String)> =
        value.members().iter().map(|(name, value)| (name.clone(), value.plain())).collect();
    if pairs.is_empty() {
        return Vec::new();
    }
    let mut all = Vec::new();
    for sorted in [false, true] {
        if sorted {
            pairs.sort();
        }
        let plain: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let form: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let values: Vec<&str> = pairs.iter().map(|(_, value)| value.as_str()).collect();
        let both: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}{value}")).collect();
        for text in [plain.join("&"), form, values.concat(), both.concat()] {
            all.push(Found::new(&causes::BODY_FORM_SIGNED, text));
        }
    }
    all
}

/// Something else than the content.
fn instead(facts: &Facts<'_>) -> Vec<Found> {
    let body = facts.body;
    let mut all = Vec::new();
    if !facts.query.is_empty() {
        all.push(Found::new(&causes::BODY_QUERY, facts.query));
        all.push(Found::new(&causes::BODY_QUERY, [b"?", facts.query.as_bytes()].concat()));
    }
    let empty = body.is_empty() || matches!(body, b"{}" | b"null" | b"\"\"" | b"[]");
    for text in ["", "{}", "null", "\"\"", "[]", "undefined", "None"] {
        let known = if empty { &causes::BODY_EMPTY } else { &causes::BODY_MISSING };
        let cause = match text {
            "" if !empty => "the body was not signed".to_owned(),
            "" => "an empty body was signed in place of what is sent".to_owned(),
            text => format!("{text} was signed in place of the body"),
        };
        all.push(Found::said(known, text, cause));
    }
    let hex = base16ct::lower::encode_string;
    let (sha256, sha512, md5) = (Sha256::digest(body), Sha512::digest(body), Md5::digest(body));
    for (what, text) in [
        ("the hex of the body's SHA-256", hex(&sha256)),
        ("the hex of the body's SHA-256 in capitals", hex(&sha256).to_uppercase()),
        ("the base64 of the body's SHA-256", STANDARD.encode(sha256)),
        ("the hex of the body's SHA-512", hex(&sha512)),
        ("the hex of the body's MD5", hex(&md5)),
        ("the base64 of the body's MD5", STANDARD.encode(md5)),
        ("the hex of the body", hex(body)),
        ("the base64 of the body", STANDARD.encode(body)),
    ] {
        let cause = format!("{what} was signed in its place");
        all.push(Found::said(&causes::BODY_HASHED, text, cause));
    }
    all.push(Found::new(&causes::BODY_HASHED, super::coding::encode(body, b"")));
    all.push(Found::new(&causes::BODY_REMADE, body.to_ascii_lowercase()));
    for length in [1024, 4096, 8192] {
        all.extend(body.get(..length).map(|start| Found::new(&causes::BODY_CUT, start)));
    }
    all
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, behind @ ..] = rest {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    out
}
