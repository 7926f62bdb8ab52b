//! What a signer is asked and answers, in JSON: `docs/remote-signer.md` has the interface, and this
//! is both ends of it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::keys::content::{Content, Derivation, Digest, Written};
use crate::keys::{Algorithm, PublicKey, SignError, Signature};
use crate::secret::Secret;

/// Bytes of a message that a signer takes.
pub(crate) const LONGEST_MESSAGE: usize = 1 << 20;

/// Bytes of a request's body: the longest message in base64, and a derivation.
pub(crate) const LONGEST_BODY: usize = (1 << 20) / 3 * 4 + (64 << 10);

/// A signature that is asked for.
#[derive(Debug)]
pub(crate) struct Request {
    /// What for.
    pub(crate) algorithm: Algorithm,
    /// The route whose request is to be signed, as the caller says; none for a self-test.
    pub(crate) route: Option<String>,
    /// What is to be signed.
    pub(crate) asked: Asked,
}

/// A [`Content`] that owns what it is of.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A digest.
    Digest(Digest),
    /// A message.
    Message(Vec<u8>),
    /// A message under a derived MAC key.
    Mac(Box<Derivation>, Vec<u8>),
}

impl Asked {
    /// As a key takes it.
    pub(crate) fn content(&self) -> Content<'_> {
        match self {
            Self::Digest(digest) => Content::digest(digest),
            Self::Message(message) => Content::Message(message),
            Self::Mac(derivation, message) => Content::Mac { derivation, message },
        }
    }
}

/// The body of a request for a signature. It may hold a secret: a derivation's suffix.
///
/// # Errors
///
/// [`SignError::Failed`] of what signers are not asked: a hash with a secret in it is no signature.
pub(super) fn write(
    algorithm: Algorithm,
    route: Option<&str>,
    content: Content<'_>,
) -> Result<Zeroizing<String>, SignError> {
    let mut body = Zeroizing::new(String::with_capacity(256 + room(content)));
    body.push_str("{\"algorithm\":\"");
    body.push_str(algorithm.name());
    if let Some(route) = route {
        body.push_str("\",\"route\":");
        body.push_str(&Value::from(route).to_string());
        body.push_str(",\"");
    } else {
        body.push_str("\",\"");
    }
    match content {
        Content::Digest { digest, .. } => member(&mut body, "digest", &digest.0),
        Content::Message(message) => member(&mut body, "message", message),
        Content::Mac { derivation, message } => {
            member(&mut body, "message", message);
            body.push_str(",\"mac\":");
            derived(&mut body, derivation);
        }
        Content::Hash { .. } => return Err(NO_HASH),
    }
    body.push('}');
    Ok(body)
}

const NO_HASH: SignError = SignError::Failed("signers make no hashes with a secret in them");

/// All of a member but its first quotation mark.
fn member(body: &mut String, name: &str, value: &[u8]) {
    body.push_str(name);
    body.push_str("\":\"");
    STANDARD.encode_string(value, body);
    body.push('"');
}

fn derived(body: &mut String, derivation: &Derivation) {
    body.push_str("{\"");
    member(body, "prefix", &derivation.prefix);
    if let Some(suffix) = &derivation.suffix {
        body.push_str(",\"");
        member(body, "suffix", suffix.expose());
    }
    body.push_str(",\"over\":[");
    for (at, text) in derivation.over.iter().enumerate() {
        body.push_str(if at == 0 { "\"" } else { ",\"" });
        STANDARD.encode_string(text, body);
        body.push('"');
    }
    body.push_str("],\"written\":\"");
    body.push_str(WRITTEN.iter().find(|(_, w)| *w == derivation.written).expect("all").0);
    body.push_str("\"}");
}

/// Room for all of it from the start: a string that grows leaves copies behind.
fn room(content: Content<'_>) -> usize {
    let bytes = match content {
        Content::Digest { .. } | Content::Hash { .. } => 32,
        Content::Message(message) => message.len(),
        Content::Mac { derivation, message } => {
            let suffix = derivation.suffix.as_ref().map_or(0, |suffix| suffix.expose().len());
            let over: usize = derivation.over.iter().map(|text| text.len() + 8).sum();
            message.len() + derivation.prefix.len() + suffix + over
        }
    };
    bytes.div_ceil(3) * 4
}

const WRITTEN: [(&str, Written); 3] =
    [("raw", Written::Raw), ("base64", Written::Base64), ("hex", Written::Hex)];

/// Reads a request for a signature.
///
/// # Errors
///
/// What is wrong with it, in half a sentence.
pub(crate) fn read(body: &[u8]) -> Result<Request, &'static str> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Err("the body is no JSON object");
    };
    let known = ["algorithm", "route", "digest", "message", "mac"];
    if members.keys().any(|name| !known.contains(&name.as_str())) {
        return Err("a member has a name that is not known");
    }
    let algorithm = text(&members, "algorithm").ok_or("algorithm is no text")?;
    let algorithm = algorithm.parse().map_err(|_| "algorithm is not known")?;
    let route = match members.get("route") {
        None | Some(Value::Null) => None,
        Some(Value::String(route)) => Some(route.clone()),
        Some(_) => return Err("route is no text"),
    };
    let asked = match (members.get("digest"), members.get("message"), members.get("mac")) {
        (Some(digest), None, None) => {
            let digest = bytes(digest).and_then(|bytes| bytes.try_into().ok());
            Asked::Digest(Digest(digest.ok_or("digest is not 32 bytes in base64")?))
        }
        (None, Some(message), mac) => {
            let message = bytes(message).ok_or("message is not base64")?;
            match mac {
                None => Asked::Message(message),
                Some(mac) => Asked::Mac(Box::new(derivation(mac).ok_or("mac is wrong")?), message),
            }
        }
        _ => return Err("there is neither a digest nor a message, or both"),
    };
    Ok(Request { algorithm, route, asked })
}

fn derivation(mac: &Value) -> Option<Derivation> {
    let mac = mac.as_object()?;
    let known = ["prefix", "suffix", "over", "written"];
    if mac.keys().any(|name| !known.contains(&name.as_str())) {
        return None;
    }
    let over: Option<Vec<_>> = mac.get("over")?.as_array()?.iter().map(bytes).collect();
    let suffix = match mac.get("suffix") {
        None => None,
        Some(suffix) => Some(Arc::new(Secret::new(bytes(suffix)?))),
    };
    let word = mac.get("written").map_or(Some("raw"), Value::as_str)?;
    let written = WRITTEN.iter().find(|(name, _)| *name == word)?.1;
    let prefix = mac.get("prefix").map_or(Some(vec![]), bytes)?;
    Some(Derivation { prefix, suffix, over: over?, written })
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    members.get(name)?.as_str()
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str()?).ok()
}

/// The answer that has a signature.
pub(crate) fn signed(signature: &Signature) -> String {
    let octets = match signature {
        Signature::Ecdsa { r, s } => [&r[..], s].concat(),
        Signature::BabyJub { rx, ry, s } => [&rx[..], ry, s].concat(),
        Signature::Octets(octets) => octets.clone(),
    };
    json!({ "signature": STANDARD.encode(octets) }).to_string()
}

/// The signature in an answer, as a key of this algorithm makes them.
pub(super) fn signature(algorithm: Algorithm, body: &[u8]) -> Option<Signature> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let octets = bytes(answer.get("signature")?)?;
    let parts = octets.as_chunks::<32>();
    if [Algorithm::ECDSA_P256, Algorithm::ECDSA_SECP256K1].contains(&algorithm) {
        let ([r, s], []) = parts else { return None };
        // In its range, and low-S where keys in memory make it so.
        let der = Signature::Ecdsa { r: *r, s: *s }.to_der()?;
        let signature = Signature::from_der(algorithm, &der)?;
        let low = algorithm == Algorithm::ECDSA_SECP256K1;
        return Some(if low { signature.low_s(algorithm) } else { signature });
    }
    if algorithm == Algorithm::EDDSA_BABYJUB {
        let ([rx, ry, s], []) = parts else { return None };
        return Some(Signature::BabyJub { rx: *rx, ry: *ry, s: *s });
    }
    Some(Signature::Octets(octets))
}

/// The answer that describes a key.
pub(crate) fn described(name: &str, key: &PublicKey) -> String {
    let mut answer = json!({
        "name": name,
        "algorithms": [key.algorithm().name()],
        "fingerprint": key.fingerprint(),
    });
    if !key.algorithm().is_shared() {
        answer["public_key"] = STANDARD.encode(key.spki()).into();
    }
    answer.to_string()
}

/// A key as a signer describes it: what it signs with here, and its public half, where it has one.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) public: Vec<u8>,
}

/// Reads the description of a key. Algorithms that are not known here are left out.
pub(super) fn describes(body: &[u8]) -> Option<Described> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let names = answer.get("algorithms")?.as_array()?.iter();
    let algorithms = names.filter_map(|name| name.as_str()?.parse().ok()).collect();
    let public = answer.get("public_key").map_or(Some(vec![]), bytes)?;
    Some(Described { algorithms, public })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let derivation = Derivation {
            prefix: b"AWS4".to_vec(),
            suffix: Some(Arc::new(Secret::new(b"&s".to_vec()))),
            over: vec![b"20261128".to_vec(), vec![0, 255]],
            written: Written::Base64,
        };
        let digest = Digest([7; 32]);
        let contents = [
            Content::Message(b"m\"\0"),
            Content::digest(&digest),
            Content::Mac { derivation: &derivation, message: b"text" },
        ];
        for content in contents {
            for route in [None, Some("a\"b")] {
                let body = write(Algorithm::HMAC_SHA256, route, content).unwrap();
                let read = read(body.as_bytes()).unwrap();
                assert_eq!(read.route.as_deref(), route);
                assert_eq!(*write(read.algorithm, route, read.asked.content()).unwrap(), *body);
            }
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for body in [
            "",
            "[]",
            r#"{"algorithm":"rot13","message":""}"#,
            r#"{"algorithm":"ed25519"}"#,
            r#"{"algorithm":"ed25519","message":"AA==","digest":"AA=="}"#,
            r#"{"algorithm":"ed25519","digest":"AA=="}"#,
            r#"{"algorithm":"ed25519","message":"A"}"#,
            r#"{"algorithm":"ed25519","message":"","route":1}"#,
            r#"{"algorithm":"ed25519","message":"","key":"x"}"#,
            r#"{"algorithm":"hmac_sha256","message":"","mac":{"over":["!"]}}"#,
            r#"{"algorithm":"hmac_sha256","message":"","mac":{"over":[],"written":"oct"}}"#,
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_no_signature() {
        let answer = |octets: &[u8]| json!({ "signature": STANDARD.encode(octets) }).to_string();
        let read = |octets: &[u8]| signature(Algorithm::ECDSA_SECP256K1, answer(octets).as_bytes());
        assert!(read(&[1; 64]).is_some());
        assert!(read(&[0; 64]).is_none() && read(&[255; 64]).is_none() && read(&[1; 63]).is_none());
        // The order less one is high, and one is its low twin.
        let high = base16ct::lower::decode_vec(
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
        );
        let one = [&[0; 31][..], &[1]].concat();
        let expected = Signature::Ecdsa { r: [1; 32], s: one.try_into().unwrap() };
        assert_eq!(read(&[&[1; 32][..], &high.unwrap()].concat()), Some(expected));
    }
}
