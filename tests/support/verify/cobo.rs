//! Would a Cobo TSS node, or a callback server, believe this token? Written from the layout that
//! the public example servers share. RS256 is done by hand: one power of a big number, and a
//! comparison with the padding of RFC 8017, section 9.2.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use num_bigint::BigUint;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Accepted, Arrived};

/// Someone who believes the tokens of one key.
#[derive(Clone, Debug)]
pub(crate) struct Believer {
    modulus: BigUint,
    exponent: BigUint,
    length: usize,
    now: u64,
}

impl Believer {
    /// Believes what the private half of this key signed (X.509 in PEM), at this time in seconds.
    pub(crate) fn of(pem: &str, now: u64) -> Self {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).expect("a PEM is base64 between its lines");
        let (outer, _) = element(&der, 0x30);
        let (_algorithm, rest) = element(outer, 0x30);
        let (bits, _) = element(rest, 0x03);
        let (numbers, _) = element(&bits[1..], 0x30);
        let (modulus, rest) = element(numbers, 0x02);
        let (exponent, _) = element(rest, 0x02);
        let modulus = BigUint::from_bytes_be(modulus);
        let length = modulus.to_bytes_be().len();
        Self { modulus, exponent: BigUint::from_bytes_be(exponent), length, now }
    }

    /// A callback server: the CallbackRequest in a form, as text, or why there is none.
    pub(crate) fn check(&self, request: &Arrived) -> Result<Accepted, String> {
        if request.method != "POST" {
            return Err(format!("the method is {}, not POST", request.method));
        }
        if request.once("Content-Type")? != "application/x-www-form-urlencoded" {
            return Err("the body is no form".to_owned());
        }
        let body = str::from_utf8(&request.body).map_err(|_| "the form is not text")?;
        let token = body.strip_prefix("TSS_JWT_MSG=").ok_or("there is no TSS_JWT_MSG")?;
        Ok(Accepted { canonical: self.open(token)? })
    }

    /// A node: what an answer says of the request with this id, or why it is worth nothing.
    pub(crate) fn answer(&self, status: u16, body: &[u8], id: &str) -> Result<Value, String> {
        if status != 200 {
            return Err(format!("the HTTP status is {status}"));
        }
        let body = str::from_utf8(body).map_err(|_| "the answer is not text")?.trim();
        let bare = body.strip_prefix('"').and_then(|body| body.strip_suffix('"')).unwrap_or(body);
        let package = self.open(bare)?;
        let said: Value =
            serde_json::from_str(&package).map_err(|_| "the package is not JSON".to_owned())?;
        let named = said["request_id"].as_str().unwrap_or_default();
        let failed = said["status"].as_i64() != Some(0);
        // What could not be opened has no id to repeat.
        if named != id && !(failed && named.is_empty()) {
            return Err(format!("the answer is for {named:?}"));
        }
        Ok(said)
    }

    /// Whether an answer lets a node use its share for this request.
    pub(crate) fn approves(&self, status: u16, body: &[u8], id: &str) -> bool {
        let said = self.answer(status, body, id);
        said.is_ok_and(|said| said["status"] == 0 && said["action"] == "APPROVE")
    }

    /// The text in a token that was signed with this key and is good now.
    pub(crate) fn open(&self, token: &str) -> Result<String, String> {
        let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
            return Err("the token does not have three parts".to_owned());
        };
        let bytes = |part: &str| {
            URL_SAFE_NO_PAD.decode(part).map_err(|_| "a part is not base64url".to_owned())
        };
        let json = |part: &str| -> Result<Value, String> {
            serde_json::from_slice(&bytes(part)?).map_err(|_| "a part is not JSON".to_owned())
        };
        let (head, claims) = (json(header)?, json(payload)?);
        if head["alg"] != "RS256" || !(head["typ"].is_null() || head["typ"] == "JWT") {
            return Err(format!("the header is {head}"));
        }
        if !self.signed(format!("{header}.{payload}").as_bytes(), &bytes(signature)?) {
            return Err("the signature is not valid".to_owned());
        }
        let expiry = claims["exp"].as_u64().ok_or("exp is not a whole number")?;
        if expiry <= self.now {
            return Err("the token has expired".to_owned());
        }
        if expiry > self.now + 600 {
            return Err("the token is good for too long".to_owned());
        }
        if !claims["iss"].is_string() {
            return Err("there is no iss".to_owned());
        }
        let package = claims["package_data"].as_str().ok_or("package_data is not a string")?;
        let package = STANDARD.decode(package).map_err(|_| "package_data is not base64")?;
        String::from_utf8(package).map_err(|_| "the package is not UTF-8".to_owned())
    }

    fn signed(&self, text: &[u8], signature: &[u8]) -> bool {
        if signature.len() != self.length {
            return false;
        }
        let power = BigUint::from_bytes_be(signature).modpow(&self.exponent, &self.modulus);
        let digest = Sha256::digest(text);
        let tail = [&PREFIX[..], digest.as_slice()].concat();
        let mut block = vec![0xff; self.length];
        (block[0], block[1]) = (0, 1);
        let start = self.length - tail.len();
        block[start - 1] = 0;
        block[start..].copy_from_slice(&tail);
        power == BigUint::from_bytes_be(&block)
    }
}

/// What is inside a DER element with this tag, and what stands behind it.
fn element(der: &[u8], tag: u8) -> (&[u8], &[u8]) {
    assert_eq!(der[0], tag, "a public key has another form");
    let (length, start) = match der[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        0x81 => (usize::from(der[2]), 3),
        0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), 4),
        other => panic!("a length of {other:#x}"),
    };
    (&der[start..start + length], &der[start + length..])
}

/// DER of a DigestInfo for SHA-256, up to the hash.
const PREFIX: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];
