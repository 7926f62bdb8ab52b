//! The forms that a key can be found in, apart from what its numbers mean.

use pkcs8::ObjectIdentifier;
use serde_json::Value;
use zeroize::Zeroizing;

/// A form that a key was found in. All of these are key bytes.
pub(in crate::keys) enum Form {
    /// An `ECPrivateKey` (RFC 5915), alone or in PKCS#8.
    Ec {
        /// The curve, where one is named.
        curve: Option<ObjectIdentifier>,
        number: Zeroizing<Vec<u8>>,
        /// Points that stand beside it and should be its public half.
        public: Vec<Vec<u8>>,
    },
    /// Another key in PKCS#8 (RFC 5958).
    Pkcs8 {
        oid: ObjectIdentifier,
        key: Zeroizing<Vec<u8>>,
        /// The public half beside it, if there is one.
        public: Option<Vec<u8>>,
    },
    /// An `RSAPrivateKey` (RFC 8017, appendix A.1.2).
    Pkcs1(Zeroizing<Vec<u8>>),
    /// A bare number: 64 hex digits, or bytes that were encoded.
    Number(Zeroizing<Vec<u8>>),
    /// A wallet's WIF, whose checksum was right.
    Wif(Zeroizing<[u8; 32]>),
    /// A JSON object.
    Json(Members),
}

/// The members of a JSON object that are text. They may be secrets, and are wiped.
pub(in crate::keys) struct Members(Vec<(String, Zeroizing<String>)>);

impl Members {
    /// `None` if the bytes are no JSON object.
    pub(in crate::keys) fn read(json: &[u8]) -> Option<Self> {
        let Ok(Value::Object(members)) = serde_json::from_slice(json) else { return None };
        let text = |(name, value)| match value {
            Value::String(text) => Some((name, Zeroizing::new(text))),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        };
        Some(Self(members.into_iter().filter_map(text).collect()))
    }

    /// The text of a member.
    pub(in crate::keys) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(found, text)| (found == name).then_some(text.as_str()))
    }
}
