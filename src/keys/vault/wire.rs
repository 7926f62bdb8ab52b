//! What is asked of the Transit engine and what it answers, in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::keys::hosted::Input;
use crate::keys::{Algorithm, PublicKey};
use crate::problem::Problem;

/// How an algorithm is called by the engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) algorithm: Algorithm,
    /// How the types of its keys begin.
    keys: &'static str,
    /// The hash, as a part of the path; none where the key takes messages alone.
    hash: Option<&'static str>,
    /// RSA's padding.
    padding: Option<&'static str>,
}

/// What keys of the engine sign with that is of use here.
pub(super) const KINDS: [Kind; 9] = [
    kind(Algorithm::ECDSA_P256, "ecdsa-p256", Some("sha2-256"), None),
    kind(Algorithm::ED25519, "ed25519", None, None),
    kind(Algorithm::RSA_PKCS1_SHA256, "rsa-", Some("sha2-256"), Some("pkcs1v15")),
    kind(Algorithm::RSA_PKCS1_SHA512, "rsa-", Some("sha2-512"), Some("pkcs1v15")),
    kind(Algorithm::RSA_PSS_SHA256, "rsa-", Some("sha2-256"), Some("pss")),
    kind(Algorithm::RSA_PSS_SHA512, "rsa-", Some("sha2-512"), Some("pss")),
    kind(Algorithm::HMAC_SHA256, "hmac", Some("sha2-256"), None),
    kind(Algorithm::HMAC_SHA384, "hmac", Some("sha2-384"), None),
    kind(Algorithm::HMAC_SHA512, "hmac", Some("sha2-512"), None),
];

const fn kind(
    algorithm: Algorithm,
    keys: &'static str,
    hash: Option<&'static str>,
    padding: Option<&'static str>,
) -> Kind {
    Kind { algorithm, keys, hash, padding }
}

impl Kind {
    /// Whether keys of a type are of this kind.
    pub(super) fn fits(&self, key: &str) -> bool {
        key == self.keys || self.keys.ends_with('-') && key.starts_with(self.keys)
    }

    /// Where a key signs.
    pub(super) fn path(&self, mount: &str, name: &str) -> String {
        let what = if self.algorithm.is_shared() { "hmac" } else { "sign" };
        let hash = self.hash.map(|hash| format!("/{hash}")).unwrap_or_default();
        format!("{mount}/{what}/{name}{hash}")
    }

    /// The question for a signature.
    pub(super) fn question(&self, input: Input<'_>, version: u64) -> Value {
        let (bytes, prehashed) = match input {
            Input::Message(message) => (message, false),
            Input::Digest(digest) => (digest, true),
        };
        let mut question = json!({ "input": STANDARD.encode(bytes), "key_version": version });
        if prehashed {
            question["prehashed"] = true.into();
        }
        if self.algorithm == Algorithm::ECDSA_P256 {
            question["marshaling_algorithm"] = "asn1".into();
        }
        if let Some(padding) = self.padding {
            question["signature_algorithm"] = padding.into();
        }
        if self.padding == Some("pss") {
            // Left to itself, the engine takes the longest salt there is room for.
            question["salt_length"] = "hash".into();
        }
        question
    }

    /// The signature or MAC of an answer, which names the version that has made it.
    pub(super) fn made(&self, answer: &Value, version: u64) -> Option<Vec<u8>> {
        let member = if self.algorithm.is_shared() { "hmac" } else { "signature" };
        let text = answer.get("data")?.get(member)?.as_str()?;
        let base64 = text.strip_prefix(&format!("vault:v{version}:"))?;
        STANDARD.decode(base64).ok()
    }
}

/// A key as the engine describes it.
#[derive(Debug)]
pub(super) struct Listed {
    /// Its type.
    pub(super) kind: String,
    pub(super) version: u64,
    /// The public half, where it has one: PEM, or an Ed25519 key's bytes in base64.
    public: String,
}

impl Listed {
    /// Reads a version of a key, or the latest one.
    ///
    /// # Errors
    ///
    /// What is wrong with the answer or the version.
    pub(super) fn read(answer: &Value, version: Option<u64>) -> Result<Self, Problem> {
        let odd = || Problem::new("is described in a way that is not understood", CHECK);
        let data = answer.get("data").ok_or_else(odd)?;
        let kind = data.get("type").and_then(Value::as_str).ok_or_else(odd)?.to_owned();
        let latest = data.get("latest_version").and_then(Value::as_u64).ok_or_else(odd)?;
        let version = version.unwrap_or(latest);
        let key = data.get("keys").and_then(|keys| keys.get(version.to_string()));
        let key = key.ok_or_else(|| {
            let what = format!("has no version {version}; the latest is {latest}");
            Problem::new(what, "name a version that is there, or none for the latest")
        })?;
        if data.get("derived").and_then(Value::as_bool) == Some(true) {
            let fix = "make one without derived=true";
            return Err(Problem::new("is derived anew for each context", fix));
        }
        let public = key.get("public_key").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { kind, version, public })
    }

    /// The public half.
    pub(super) fn public_key(&self, algorithm: Algorithm) -> Option<PublicKey> {
        if algorithm == Algorithm::ED25519 {
            return PublicKey::from_point(algorithm, &STANDARD.decode(&self.public).ok()?);
        }
        let (_, document) = pkcs8::Document::from_pem(self.public.trim()).ok()?;
        PublicKey::of(algorithm, document.as_bytes())
    }
}

const CHECK: &str = "see whether address and mount lead to a Transit engine";

#[cfg(test)]
mod tests {
    use super::*;

    fn of(algorithm: Algorithm) -> Kind {
        KINDS.into_iter().find(|kind| kind.algorithm == algorithm).unwrap()
    }

    #[test]
    fn questions_are_those_of_the_documentation() {
        for (algorithm, input, path, question) in [
            (
                Algorithm::ECDSA_P256,
                Input::Digest(b"hash"),
                "transit/sign/k/sha2-256",
                json!({ "input": "aGFzaA==", "key_version": 2, "prehashed": true,
                        "marshaling_algorithm": "asn1" }),
            ),
            (
                Algorithm::ED25519,
                Input::Message(b"text"),
                "transit/sign/k",
                json!({ "input": "dGV4dA==", "key_version": 2 }),
            ),
            (
                Algorithm::RSA_PSS_SHA512,
                Input::Digest(b"hash"),
                "transit/sign/k/sha2-512",
                json!({ "input": "aGFzaA==", "key_version": 2, "prehashed": true,
                        "signature_algorithm": "pss", "salt_length": "hash" }),
            ),
            (
                Algorithm::HMAC_SHA384,
                Input::Message(b"text"),
                "transit/hmac/k/sha2-384",
                json!({ "input": "dGV4dA==", "key_version": 2 }),
            ),
        ] {
            let kind = of(algorithm);
            assert_eq!(kind.path("transit", "k"), path);
            assert_eq!(kind.question(input, 2), question);
        }
    }

    #[test]
    fn what_was_made_is_of_the_version_that_was_asked() {
        let kind = of(Algorithm::HMAC_SHA256);
        let answer = |text: &str| json!({ "data": { "hmac": text } });
        assert_eq!(kind.made(&answer("vault:v1:dGV4dA=="), 1), Some(b"text".to_vec()));
        for (text, version) in [("vault:v1:dGV4dA==", 2), ("dGV4dA==", 1), ("vault:v1:?", 1)] {
            assert_eq!(kind.made(&answer(text), version), None, "{text}");
        }
        assert_eq!(of(Algorithm::ED25519).made(&answer("vault:v1:dGV4dA=="), 1), None);
    }

    #[test]
    fn types_fit_what_they_sign_with() {
        let fits = |key: &str| KINDS.iter().filter(|kind| kind.fits(key)).count();
        let types = ["ecdsa-p256", "ed25519", "rsa-2048", "rsa-4096", "hmac"];
        assert_eq!(types.map(fits), [1, 1, 4, 4, 3]);
        assert_eq!(["ecdsa-p384", "aes256-gcm96", "managed_key"].map(fits), [0, 0, 0]);
    }
}
