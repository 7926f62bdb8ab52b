//! What is asked of KMS and what it answers, in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::keys::{Algorithm, Input};
use crate::problem::Problem;

/// How an algorithm is called by KMS.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) algorithm: Algorithm,
    /// The specification of its keys, or how it begins.
    keys: &'static str,
    name: &'static str,
}

/// What keys of KMS sign with that is of use here.
pub(super) const KINDS: [Kind; 10] = [
    kind(Algorithm::ECDSA_P256, "ECC_NIST_P256", "ECDSA_SHA_256"),
    kind(Algorithm::ECDSA_SECP256K1, "ECC_SECG_P256K1", "ECDSA_SHA_256"),
    kind(Algorithm::ED25519, "ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
    kind(Algorithm::RSA_PKCS1_SHA256, "RSA_", "RSASSA_PKCS1_V1_5_SHA_256"),
    kind(Algorithm::RSA_PKCS1_SHA512, "RSA_", "RSASSA_PKCS1_V1_5_SHA_512"),
    kind(Algorithm::RSA_PSS_SHA256, "RSA_", "RSASSA_PSS_SHA_256"),
    kind(Algorithm::RSA_PSS_SHA512, "RSA_", "RSASSA_PSS_SHA_512"),
    kind(Algorithm::HMAC_SHA256, "HMAC_256", "HMAC_SHA_256"),
    kind(Algorithm::HMAC_SHA384, "HMAC_384", "HMAC_SHA_384"),
    kind(Algorithm::HMAC_SHA512, "HMAC_512", "HMAC_SHA_512"),
];

const fn kind(algorithm: Algorithm, keys: &'static str, name: &'static str) -> Kind {
    Kind { algorithm, keys, name }
}

impl Kind {
    /// Whether keys of a specification are of this kind.
    pub(super) fn fits(&self, spec: &str) -> bool {
        spec == self.keys || self.keys.ends_with('_') && spec.starts_with(self.keys)
    }

    /// The action that signs, and its question.
    pub(super) fn question(&self, arn: &str, input: Input<'_>) -> (&'static str, Value) {
        let (message, how) = match input {
            Input::Message(message) => (STANDARD.encode(message), "RAW"),
            Input::Digest(digest) => (STANDARD.encode(digest), "DIGEST"),
        };
        if self.algorithm.is_shared() {
            let question = json!({ "KeyId": arn, "Message": message, "MacAlgorithm": self.name });
            return ("GenerateMac", question);
        }
        let question = json!({
            "KeyId": arn, "Message": message, "MessageType": how, "SigningAlgorithm": self.name,
        });
        ("Sign", question)
    }

    /// The signature or MAC of an answer.
    pub(super) fn made(&self, answer: &Value) -> Option<Vec<u8>> {
        bytes(answer, if self.algorithm.is_shared() { "Mac" } else { "Signature" })
    }
}

/// The bytes of a member.
pub(super) fn bytes(answer: &Value, member: &str) -> Option<Vec<u8>> {
    STANDARD.decode(answer.get(member)?.as_str()?).ok()
}

/// A key as KMS describes it.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) arn: String,
    pub(super) spec: String,
}

impl Described {
    /// Reads a description.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or with the key.
    pub(super) fn read(answer: &Value) -> Result<Self, Problem> {
        let text =
            |member: &str| Some(answer.get("KeyMetadata")?.get(member)?.as_str()?.to_owned());
        let (Some(arn), Some(spec), Some(state)) = (text("Arn"), text("KeySpec"), text("KeyState"))
        else {
            let fix = "see whether the endpoint is that of KMS";
            return Err(Problem::new("is described in a way that is not understood", fix));
        };
        if state != "Enabled" {
            let what = format!("is {}", state.escape_debug());
            return Err(Problem::new(what, "enable it, or name another key"));
        }
        Ok(Self { arn, spec })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_those_of_the_documentation() {
        let find = |name: &str| KINDS.into_iter().find(|kind| kind.keys == name).unwrap();
        let (act, question) = find("ECC_SECG_P256K1").question("arn", Input::Digest(b"hash"));
        let expected = json!({ "KeyId": "arn", "Message": "aGFzaA==", "MessageType": "DIGEST",
                               "SigningAlgorithm": "ECDSA_SHA_256" });
        assert_eq!((act, question), ("Sign", expected));
        let (act, question) = find("HMAC_384").question("arn", Input::Message(b"text"));
        let expected =
            json!({ "KeyId": "arn", "Message": "dGV4dA==", "MacAlgorithm": "HMAC_SHA_384" });
        assert_eq!((act, question), ("GenerateMac", expected));
    }

    #[test]
    fn specifications_fit_what_they_sign_with() {
        let fits = |spec: &str| KINDS.iter().filter(|kind| kind.fits(spec)).count();
        let specs = ["ECC_NIST_P256", "ECC_SECG_P256K1", "RSA_2048", "RSA_4096", "HMAC_512"];
        assert_eq!(specs.map(fits), [1, 1, 4, 4, 1]);
        assert_eq!(["SYMMETRIC_DEFAULT", "ECC_NIST_P384", "HMAC_224", "SM2"].map(fits), [0; 4]);
    }

    #[test]
    fn a_key_that_is_not_enabled_says_so() {
        let metadata =
            json!({ "Arn": "arn", "KeySpec": "RSA_2048", "KeyState": "PendingDeletion" });
        let error = Described::read(&json!({ "KeyMetadata": metadata })).unwrap_err();
        assert_eq!(error.what, "is PendingDeletion");
    }
}
