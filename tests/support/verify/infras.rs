//! Would Infras take this handshake? A bare JWT in one header, a JSON object in another; who asks
//! is told by the token, what for by the object. No server of the provider's is public: this is
//! what its documents say a server reads.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Accepted, Arrived};

/// The provider's side: knows who issues tokens, and what time it is.
#[derive(Debug)]
pub(crate) struct Infras {
    issuer: Option<Vec<u8>>,
    now: f64,
}

impl Infras {
    /// Takes tokens at this time, in seconds since 1970, whoever signed them.
    pub(crate) fn at(now: f64) -> Self {
        Self { issuer: None, now }
    }

    /// Takes only tokens that this key signed: RSA, X.509 in PEM.
    pub(crate) fn issued_by(self, pem: &str) -> Self {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).expect("a PEM is base64 between its lines");
        Self { issuer: Some(der), ..self }
    }

    /// Says which session is asked for, or why the handshake is not acceptable.
    pub(crate) fn check(&self, request: &Arrived) -> Result<Accepted, String> {
        if request.method != "GET" {
            return Err(format!("the method is {}, not GET", request.method));
        }
        self.check_token(request.once("Sec-WebSocket-Infras-Token")?)?;
        let members = self.check_request(request.once("Infras-Mpc-Request")?)?;
        if members.len() != 2 {
            return Err(format!("Infras-Mpc-Request has {} members, not 2", members.len()));
        }
        Ok(Accepted { canonical: String::new() })
    }

    /// Checks the value of the header with the request, and gives its members.
    pub(crate) fn check_request(&self, value: &str) -> Result<BTreeMap<String, String>, String> {
        if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(format!("the request is not visible ASCII: {value:?}"));
        }
        let json: Value =
            serde_json::from_str(value).map_err(|why| format!("the request is not JSON: {why}"))?;
        let object = json.as_object().ok_or("the request is not an object")?;
        let mut members = BTreeMap::new();
        for (name, value) in object {
            let text = value.as_str().ok_or_else(|| format!("{name} is not a string"))?;
            members.insert(name.clone(), text.to_owned());
        }
        let sign_type = members.get("signtype").map_or("", String::as_str);
        if !["gg18", "gg20", "cmp"].contains(&sign_type) {
            return Err(format!("signtype is {sign_type:?}"));
        }
        if members.get("src").is_none_or(String::is_empty) {
            return Err("there is no src".to_owned());
        }
        Ok(members)
    }

    /// Checks a token alone.
    pub(crate) fn check_token(&self, token: &str) -> Result<(), String> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("the token does not have three parts".to_owned());
        };
        let bytes = base64url(signature).filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or("the token's signature is not base64url")?;
        let (head, claims) = (json(header)?, json(payload)?);
        let algorithm = head["alg"].as_str().unwrap_or_default();
        if algorithm.is_empty() || algorithm.to_lowercase() == "none" {
            return Err(format!("the token's alg is {algorithm:?}"));
        }
        let expiry = claims["exp"].as_f64().ok_or("the token's exp is not a number")?;
        if expiry <= self.now {
            return Err("the token has expired".to_owned());
        }
        if claims.get("nbf").is_some_and(|begin| begin.as_f64().is_none_or(|at| at > self.now)) {
            return Err("the token is for later".to_owned());
        }
        let Some(issuer) = &self.issuer else {
            return Ok(());
        };
        if algorithm != "RS256" {
            return Err(format!("the token's alg is {algorithm}, and the issuer signs RS256"));
        }
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, issuer);
        let verified = key.verify(format!("{header}.{payload}").as_bytes(), &bytes);
        verified.map_err(|_| "the token's signature is not valid".to_owned())
    }
}

/// A part of a token that must be a JSON object.
fn json(part: &str) -> Result<Value, String> {
    let bytes = base64url(part).ok_or("a part of the token is not base64url")?;
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|_| "a part of the token is not JSON".to_owned())?;
    if value.is_object() { Ok(value) } else { Err("a part of the token is no object".to_owned()) }
}

/// Decodes base64url without padding; bits that no byte needs must be zero.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for character in text.bytes() {
        let six = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    let rest = bits & ((1 << count) - 1);
    (count < 6 && rest == 0).then_some(bytes)
}
