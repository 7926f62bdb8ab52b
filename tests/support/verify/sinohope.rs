//! Would Sinohope accept this request? Text to sign: `data…path…timestamp…version1.0.0` and the
//! public key; ECDSA over one SHA-256; the curve is the key's.

use super::{Accepted, Arrived, Ask, Clock, lower_hex, member, p256, secp256k1};

pub(super) const ASK: Ask = Ask {
    check: |key, request| Sinohope::new(member(key, "spki_der_hex"), Clock::Stopped).check(request),
    holds: |key, canonical, signature| {
        Sinohope::new(member(key, "spki_der_hex"), Clock::Stopped)
            .check_signature(canonical, signature)
    },
};

/// The provider's side: knows one public key.
#[derive(Debug)]
pub(crate) struct Sinohope {
    key: String,
    clock: Clock,
}

impl Sinohope {
    /// Accepts requests signed by the key with this X.509 public key, in lower-case hex.
    pub(crate) fn new(key: &str, clock: Clock) -> Self {
        Self { key: key.to_owned(), clock }
    }

    /// Says what was signed, or why the request is not acceptable.
    pub(crate) fn check(&self, request: &Arrived) -> Result<Accepted, String> {
        let key = request.once("BIZ-API-KEY")?;
        let time = request.once("BIZ-API-NONCE")?;
        let signature = request.once("BIZ-API-SIGNATURE")?;
        if key != self.key {
            return Err(format!("BIZ-API-KEY is not the key registered here: {key:?}"));
        }
        self.clock.check("BIZ-API-NONCE", time)?;
        for encoding in request.values("Content-Encoding") {
            if encoding != "identity" {
                return Err(format!("the body is encoded as {encoding:?}"));
            }
        }
        let canonical = canonical(request, time, key)?;
        self.check_signature(&canonical, signature)?;
        Ok(Accepted { canonical })
    }

    /// Checks a signature in lower-case hex over a text.
    pub(crate) fn check_signature(&self, canonical: &str, signature: &str) -> Result<(), String> {
        let key = lower_hex("BIZ-API-KEY", &self.key)?;
        let signature = lower_hex("BIZ-API-SIGNATURE", signature)?;
        let text = canonical.as_bytes();
        if let Some(point) = key.strip_prefix(SPKI_SECP256K1).filter(|point| point.len() == 65) {
            return secp256k1(point, text, &signature);
        }
        if let Some(point) = key.strip_prefix(SPKI_P256).filter(|point| point.len() == 65) {
            return p256(point, text, &signature);
        }
        Err("BIZ-API-KEY is neither a secp256k1 nor a P-256 public key".to_owned())
    }
}

/// The text that is signed, for a time and key as their headers say them.
pub(crate) fn canonical(request: &Arrived, time: &str, key: &str) -> Result<String, String> {
    if !request.target.starts_with('/') {
        return Err(format!("the target does not start with a slash: {:?}", request.target));
    }
    let data = match request.method.as_str() {
        "GET" => query_data(request.query()),
        "POST" => body_data(&request.body)?,
        method => return Err(format!("the method is {method}, not GET or POST")),
    };
    let path = request.path();
    Ok(format!("data{data}path{path}timestamp{time}version1.0.0{key}"))
}

/// The fields of a query: sorted by decoded name, first of each name, value encoded anew.
fn query_data(query: &str) -> String {
    let mut fields: Vec<(String, String)> = Vec::new();
    for segment in query.split('&') {
        if segment.is_empty() {
            continue;
        }
        let (name, value) = segment.split_once('=').unwrap_or((segment, ""));
        let name = form_decode(name);
        if fields.iter().all(|(known, _)| *known != name) {
            fields.push((name, form_decode(value)));
        }
    }
    fields.sort_by(|one, other| one.0.as_bytes().cmp(other.0.as_bytes()));
    let mut data = String::new();
    for (name, value) in fields {
        if !data.is_empty() {
            data.push('&');
        }
        data.push_str(&name);
        data.push('=');
        data.push_str(&form_encode(&value));
    }
    without_space_and_lf(&data)
}

/// A body as text without spaces and line feeds; nothing if there is only white space.
fn body_data(body: &[u8]) -> Result<String, String> {
    let text = str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
    if text.chars().all(|one| matches!(one, ' ' | '\t' | '\n' | '\x0c' | '\r')) {
        return Ok(String::new());
    }
    Ok(without_space_and_lf(text))
}

fn without_space_and_lf(text: &str) -> String {
    text.chars().filter(|one| *one != ' ' && *one != '\n').collect()
}

/// `+` is a space, `%XX` a byte, a percent sign before anything else is itself.
fn form_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = after.get(..2).and_then(|two| str::from_utf8(two).ok());
        let escaped = escaped.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match (first, escaped.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Letters, digits and `*-._` stay, a space is `+`, every other byte `%XX` in upper case.
fn form_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// The DER of an X.509 public key in front of the 65 bytes of the point, by curve.
const SPKI_SECP256K1: &[u8] = &[
    0x30, 0x56, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x0a, 0x03, 0x42, 0x00,
];
const SPKI_P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
