//! What texts are made of, and why there is none: the small things that both halves share.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::HeaderValue;

use crate::keys::PublicKey;

/// Why a request has no text, or no place for a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Fault {
    pub(super) part: Asked,
    pub(super) what: String,
}

/// The part of a request that something is wrong with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asked {
    Query,
    Body,
    /// A header, or a value of the file.
    Rest,
}

pub(super) type Made<T> = Result<T, Fault>;

pub(super) fn fault<T>(part: Asked, what: impl Into<String>) -> Made<T> {
    Err(Fault { part, what: what.into() })
}

/// The `alg` of a key's tokens (RFC 7518, section 3.1; RFC 8037; RFC 8812).
pub(super) fn alg(key: &PublicKey) -> &'static str {
    ALGS.iter().find(|(name, _)| *name == key.algorithm().name()).map_or("none", |(_, alg)| alg)
}

/// Algorithms that tokens can be signed with, and their names there.
pub(super) const ALGS: &[(&str, &str)] = &[
    ("hmac_sha256", "HS256"),
    ("hmac_sha384", "HS384"),
    ("hmac_sha512", "HS512"),
    ("ecdsa_p256", "ES256"),
    ("ecdsa_secp256k1", "ES256K"),
    ("ed25519", "EdDSA"),
    ("rsa_pkcs1_sha256", "RS256"),
    ("rsa_pkcs1_sha512", "RS512"),
    ("rsa_pss_sha256", "PS256"),
    ("rsa_pss_sha512", "PS512"),
];

pub(super) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A value as a header: never escaped, so that what is no visible ASCII is refused.
pub(super) fn visible(name: &str, value: Vec<u8>) -> Made<HeaderValue> {
    // Without a way out in the middle, it takes many bytes at a time.
    let plain = value.iter().fold(true, |plain, byte| plain & (0x20..0x7f).contains(byte));
    let edge = value.first() == Some(&b' ') || value.last() == Some(&b' ');
    match HeaderValue::from_maybe_shared(Bytes::from(value)) {
        Ok(value) if plain && !edge => Ok(value),
        _ => fault(Asked::Rest, format!("has a value for {name} that is not visible ASCII")),
    }
}

/// Path and query as a target.
pub(super) fn with_query(path: &str, query: &[u8]) -> Vec<u8> {
    if query.is_empty() {
        return path.as_bytes().to_vec();
    }
    [path.as_bytes(), b"?", query].concat()
}

/// A field that stands there twice, or in two places.
pub(super) fn twice(name: &str) -> String {
    format!("has {name} twice, and one of them would not be signed")
}
