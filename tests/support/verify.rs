//! Second opinions. For each provider a verifier that was written from the provider's documents
//! and shares nothing with `src/`: it looks at a request as it arrived and says whether the
//! provider would accept it, and if not, why.
//!
//! They are naive on purpose: no tables, no cleverness, strict about every format.

pub(crate) mod babyjub;
pub(crate) mod cobo;
pub(crate) mod infras;
pub(crate) mod loopring;
pub(crate) mod metasv;
pub(crate) mod sinohope;

use std::time::SystemTime;

use aws_lc_rs::signature::{ECDSA_P256K1_SHA256_ASN1, UnparsedPublicKey};
pub(crate) use infras::Infras;
pub(crate) use loopring::Loopring;
pub(crate) use metasv::MetaSv;
use p256::ecdsa::signature::Verifier;
use serde_json::Value;
pub(crate) use sinohope::Sinohope;

/// What the walks over `tests/vectors` know of a provider.
pub(crate) struct Provider {
    /// Its vectors are `tests/vectors/NAME.json`, its verifier is `NAME.rs` here.
    pub(crate) name: &'static str,
    /// How its verifier is asked; none where the vectors have sections of their own, which a test
    /// of the provider's own reads.
    pub(crate) ask: Option<Ask>,
}

/// Asks a verifier, whose clock stands still, for a key of the vectors.
pub(crate) struct Ask {
    /// Looks at a request as it arrived.
    pub(crate) check: fn(&Value, &Arrived) -> Result<Accepted, String>,
    /// Looks at a text and its signature, as the provider writes it.
    pub(crate) holds: fn(&Value, &str, &str) -> Result<(), String>,
}

/// Every provider that has vectors.
pub(crate) const PROVIDERS: &[Provider] = &[
    Provider { name: "cobo", ask: None },
    Provider { name: "infras", ask: None },
    Provider { name: "loopring", ask: None },
    Provider { name: "metasv", ask: Some(metasv::ASK) },
    Provider { name: "sinohope", ask: Some(sinohope::ASK) },
];

/// A member of a key.
fn member<'a>(key: &'a Value, name: &str) -> &'a str {
    key[name].as_str().unwrap_or_else(|| panic!("the vectors' key has no {name}"))
}

/// A request as it was on the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrived {
    /// The method.
    pub(crate) method: String,
    /// The request target, byte for byte.
    pub(crate) target: String,
    /// Names and values in the order, case and number they came in. A byte beyond ASCII in a
    /// value is the character of that number.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, without any chunked framing.
    pub(crate) body: Vec<u8>,
}

impl Arrived {
    /// Every value of a header, whatever the case of its name.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let of_name = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header that must be there once.
    pub(crate) fn once(&self, name: &str) -> Result<&str, String> {
        match self.values(name).as_slice() {
            [value] => Ok(value),
            values => Err(format!("{name} is there {} times, not once", values.len())),
        }
    }

    /// The target in front of the first question mark.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The target behind the first question mark.
    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// What a verifier found in a request that it accepts.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    /// The text whose signature was valid; empty where nothing is signed.
    pub(crate) canonical: String,
}

/// Whether a verifier minds how old a request is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Clock {
    /// The timestamp is within five minutes of now.
    Running,
    /// Any timestamp will do; for vectors, which are years old.
    Stopped,
}

impl Clock {
    /// Reads a timestamp in decimal milliseconds and holds it against this clock.
    fn check(self, name: &str, text: &str) -> Result<u64, String> {
        // Thirteen digits last until the year 2286.
        if text.len() != 13 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("{name} is not a time in decimal milliseconds: {text:?}"));
        }
        let claimed: u64 = text.parse().map_err(|_| format!("{name} is not a number: {text:?}"))?;
        let away = now_ms().abs_diff(claimed);
        if self == Self::Running && away > FIVE_MINUTES_MS {
            return Err(format!("{name} is {away} ms away from now"));
        }
        Ok(claimed)
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is past 1970");
    u64::try_from(since.as_millis()).expect("the time fits 64 bits for ages")
}

/// Reads hex in lower case; upper case is an error.
pub(crate) fn lower_hex(name: &str, text: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? * 16 + digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    bytes.ok_or_else(|| format!("{name} is not lower-case hex: {text:?}"))
}

/// Checks a DER signature over the SHA-256 of `text`; `point` is a SEC 1 point on secp256k1.
fn secp256k1(point: &[u8], text: &[u8], signature: &[u8]) -> Result<(), String> {
    let key = UnparsedPublicKey::new(&ECDSA_P256K1_SHA256_ASN1, point);
    key.verify(text, signature).map_err(|_| "the secp256k1 signature is not valid".to_owned())
}

/// Checks a DER signature over the SHA-256 of `text`; `point` is a SEC 1 point on P-256.
fn p256(point: &[u8], text: &[u8], signature: &[u8]) -> Result<(), String> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
        .map_err(|_| "the public key is not a point on P-256".to_owned())?;
    let signature = p256::ecdsa::Signature::from_der(signature)
        .map_err(|_| "the signature is not DER".to_owned())?;
    key.verify(text, &signature).map_err(|_| "the P-256 signature is not valid".to_owned())
}

const FIVE_MINUTES_MS: u64 = 5 * 60 * 1000;
