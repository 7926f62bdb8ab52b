//! Would MetaSV accept this request? Either four headers with a signature over path, time and
//! nonce, or a bearer token; never both.

use std::collections::HashSet;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Accepted, Arrived, Ask, Clock, lower_hex, member, secp256k1};

pub(super) const ASK: Ask = Ask {
    check: |key, request| {
        MetaSv::signature(member(key, "public_key_compressed_hex"), Clock::Stopped).check(request)
    },
    holds: |key, message, signature| {
        check_signature(member(key, "public_key_compressed_hex"), message, signature)
    },
};

/// The provider's side: knows one key or one token, and the nonces it has seen.
#[derive(Debug)]
pub(crate) struct MetaSv {
    expected: Expected,
    clock: Clock,
    seen: Mutex<HashSet<String>>,
}

#[derive(Debug)]
enum Expected {
    Signature { key: String },
    Bearer { token: String },
}

impl MetaSv {
    /// Accepts requests signed by this key: a compressed point in lower-case hex.
    pub(crate) fn signature(key: &str, clock: Clock) -> Self {
        let expected = Expected::Signature { key: key.to_owned() };
        Self { expected, clock, seen: Mutex::default() }
    }

    /// Accepts requests that carry this token.
    pub(crate) fn bearer(token: &str) -> Self {
        let expected = Expected::Bearer { token: token.to_owned() };
        Self { expected, clock: Clock::Running, seen: Mutex::default() }
    }

    /// Says what was signed, or why the request is not acceptable.
    pub(crate) fn check(&self, request: &Arrived) -> Result<Accepted, String> {
        match &self.expected {
            Expected::Signature { key } => self.check_signed(request, key),
            Expected::Bearer { token } => check_bearer(request, token),
        }
    }

    fn check_signed(&self, request: &Arrived, expected: &str) -> Result<Accepted, String> {
        let key = request.once("MetaSV-Client-Pubkey")?;
        let time = request.once("MetaSV-Timestamp")?;
        let nonce = request.once("MetaSV-Nonce")?;
        let signature = request.once("MetaSV-Signature")?;
        if !request.values("Authorization").is_empty() {
            return Err("there is an Authorization header beside the signature".to_owned());
        }
        if key != expected {
            return Err(format!("MetaSV-Client-Pubkey is not the key registered here: {key:?}"));
        }
        if nonce.len() != 10 || !nonce.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("MetaSV-Nonce is not ten digits: {nonce:?}"));
        }
        self.clock.check("MetaSV-Timestamp", time)?;
        let canonical = message(request, time, nonce)?;
        check_signature(key, &canonical, signature)?;
        // Only a request that is otherwise good uses its nonce up.
        if !self.seen.lock().expect("no verifier panicked").insert(nonce.to_owned()) {
            return Err(format!("MetaSV-Nonce was used before: {nonce:?}"));
        }
        Ok(Accepted { canonical })
    }
}

/// The text that is signed, for a time and nonce as their headers say them.
pub(crate) fn message(request: &Arrived, time: &str, nonce: &str) -> Result<String, String> {
    if !request.target.starts_with('/') {
        return Err(format!("the target does not start with a slash: {:?}", request.target));
    }
    Ok(format!("{}_{time}_{nonce}", request.path()))
}

/// Checks a signature in base64 over a text; the key is a compressed point in lower-case hex.
pub(crate) fn check_signature(key: &str, message: &str, signature: &str) -> Result<(), String> {
    let point = lower_hex("MetaSV-Client-Pubkey", key)?;
    if point.len() != 33 {
        return Err(format!("MetaSV-Client-Pubkey is not a compressed point: {key:?}"));
    }
    let der = STANDARD.decode(signature);
    let der = der.map_err(|why| format!("MetaSV-Signature is not padded base64: {why}"))?;
    secp256k1(&point, message.as_bytes(), &der)
}

fn check_bearer(request: &Arrived, token: &str) -> Result<Accepted, String> {
    let given = request.once("Authorization")?;
    if given != format!("Bearer {token}") {
        return Err("Authorization is not the token issued here".to_owned());
    }
    for (name, _) in &request.headers {
        if name.to_ascii_lowercase().starts_with("metasv-") {
            return Err(format!("there is a {name} header beside the token"));
        }
    }
    Ok(Accepted { canonical: String::new() })
}
