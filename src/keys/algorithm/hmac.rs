//! HMAC (RFC 2104) with SHA-1, SHA-256, SHA-384 and SHA-512, in the TLS library.
//!
//! A key is a secret that two parties share, so that it has no public half: what is known of it
//! outside is that it can say whether a MAC is its own, and a fingerprint. That is a MAC of a
//! constant, and never a hash of the secret, which people choose or exchanges issue in a known form.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use base16ct::lower::encode_string as hex;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use pkcs8::SecretDocument;
use zeroize::Zeroizing;

use super::shared;
use crate::cost::Cost;
use crate::keys::content::{Content, Derivation, Written};
use crate::keys::error::SignError;
use crate::keys::formats::{FormatError, Found};
use crate::keys::key::Signer;
use crate::keys::key::{Algorithm, Encoded, Form, Kind, Private, PrivateKey, Public, PublicKey};
use crate::keys::kinship::Kinship;
use crate::keys::local::{LocalKey, LocalSigner};
use crate::keys::signature::Signature;

impl Algorithm {
    /// HMAC with SHA-1 (`hmac_sha1`), for providers that know no other.
    pub const HMAC_SHA1: Self = Self(&SHA1);
    /// HMAC with SHA-256 (`hmac_sha256`).
    pub const HMAC_SHA256: Self = Self(&SHA256);
    /// HMAC with SHA-384 (`hmac_sha384`).
    pub const HMAC_SHA384: Self = Self(&SHA384);
    /// HMAC with SHA-512 (`hmac_sha512`).
    pub const HMAC_SHA512: Self = Self(&SHA512);
}

/// HMAC with one of the hashes.
#[derive(Clone, Copy)]
pub(super) struct Hmac {
    pub(super) name: &'static str,
    summary: &'static str,
    pub(super) hash: hmac::Algorithm,
    /// Its name in a JSON Web Key (RFC 7518, section 3.1; for SHA-1 Web Cryptography, section 29.7).
    jwk: &'static str,
}

pub(super) const SHA1: Hmac = Hmac {
    name: "hmac_sha1",
    summary: "HMAC with SHA-1 (RFC 2104), for providers that know no other",
    hash: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    jwk: "HS1",
};
pub(super) const SHA256: Hmac = Hmac {
    name: "hmac_sha256",
    summary: "HMAC with SHA-256 (RFC 2104)",
    hash: hmac::HMAC_SHA256,
    jwk: "HS256",
};
pub(super) const SHA384: Hmac = Hmac {
    name: "hmac_sha384",
    summary: "HMAC with SHA-384 (RFC 2104)",
    hash: hmac::HMAC_SHA384,
    jwk: "HS384",
};
pub(super) const SHA512: Hmac = Hmac {
    name: "hmac_sha512",
    summary: "HMAC with SHA-512 (RFC 2104)",
    hash: hmac::HMAC_SHA512,
    jwk: "HS512",
};

/// A secret, and the library's key of it. Both are wiped.
struct Key {
    kind: Hmac,
    secret: Zeroizing<Vec<u8>>,
    key: hmac::Key,
}

impl Kind for Hmac {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn forms(&self) -> &'static str {
        shared::FORMS
    }

    fn file_extension(&self) -> &'static str {
        "json"
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn read(&self, found: &Found, asked: bool) -> Option<Result<PrivateKey, FormatError>> {
        let secret = shared::read(found, asked, self.jwk)?;
        Some(secret.map(|secret| self.private(&secret)))
    }

    fn read_public(&self, _encoded: Encoded<'_>) -> Option<PublicKey> {
        None
    }

    /// What fingerprints are of, so that a key that stays in its store can be tried.
    fn probe(&self) -> Content<'static> {
        Content::Message(FINGERPRINT)
    }

    fn generate(&self, _bits: usize) -> PrivateKey {
        // As long as the hash: less is weaker, more no stronger (RFC 2104, section 3).
        let mut secret = Zeroizing::new(vec![0; self.hash.digest_algorithm().output_len()]);
        rand::fill(&mut secret).expect("the system has random numbers");
        self.private(&secret)
    }
}

impl Hmac {
    fn algorithm(self) -> Algorithm {
        self.name.parse().expect("it is a row of the table")
    }

    fn private(self, secret: &[u8]) -> PrivateKey {
        let secret = Zeroizing::new(secret.to_vec());
        let key = hmac::Key::new(self.hash, &secret);
        PrivateKey::new(self.algorithm(), Arc::new(Key { kind: self, secret, key }))
    }
}

impl Private for Arc<Key> {
    fn public_key(&self) -> PublicKey {
        PublicKey::new(self.kind.algorithm(), Self::clone(self))
    }

    fn to_pkcs8(&self) -> Result<SecretDocument, FormatError> {
        Err(shared::no_pkcs8(self.kind.name))
    }

    #[cfg(feature = "pkcs11")]
    fn mac_secret(&self) -> Option<&[u8]> {
        Some(&self.secret)
    }

    fn to_text(&self) -> Zeroizing<String> {
        shared::to_text(&self.secret, self.kind.jwk)
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, SignError> {
        Ok(LocalSigner::shared(Private::public_key(self), Self::clone(self)))
    }
}

impl Key {
    fn mac(&self, content: Content<'_>) -> Result<hmac::Tag, SignError> {
        match content {
            Content::Message(message) => Ok(hmac::sign(&self.key, message)),
            Content::Mac { derivation, message } => {
                Ok(hmac::sign(&self.derived(derivation), message))
            }
            Content::Digest { .. } | Content::Hash { .. } => {
                Err(SignError::Failed("a MAC's key takes messages, and no digests"))
            }
        }
    }

    fn derived(&self, derivation: &Derivation) -> hmac::Key {
        let suffix = derivation.suffix.as_ref().map_or(&[][..], |suffix| suffix.expose());
        let secret = Zeroizing::new([&derivation.prefix[..], &self.secret, suffix].concat());
        let key = hmac::Key::new(self.kind.hash, &secret);
        self.kind.chain(key, &derivation.over, derivation.written)
    }
}

impl Hmac {
    /// The key that is made of another by MACs over these.
    pub(super) fn chain(self, mut key: hmac::Key, over: &[Vec<u8>], written: Written) -> hmac::Key {
        for text in over {
            key = self.next(hmac::sign(&key, text).as_ref(), written);
        }
        key
    }

    /// A MAC as the key of the next one.
    pub(super) fn next(self, tag: &[u8], written: Written) -> hmac::Key {
        let next = Zeroizing::new(match written {
            Written::Raw => tag.to_vec(),
            Written::Base64 => STANDARD.encode(tag).into_bytes(),
            Written::Hex => hex(tag).into_bytes(),
        });
        hmac::Key::new(self.hash, &next)
    }
}

impl LocalKey for Arc<Key> {
    const SIGNING: Cost = Cost::micros(2);

    fn sign(&self, content: Content<'_>) -> Result<Signature, SignError> {
        Ok(Signature::Octets(self.mac(content)?.as_ref().to_vec()))
    }

    fn relatives(&self) -> Vec<(Kinship, PublicKey)> {
        let key = |kind: Hmac, secret: &[u8]| kind.private(secret).public_key();
        let own = |kinship, secret: Zeroizing<Vec<u8>>| (kinship, key(self.kind, &secret));
        let mut all = Vec::new();
        for (encoding, decoded) in shared::codings() {
            all.extend(decoded(&self.secret).map(|secret| own(Kinship::Decoded, secret)));
            all.push(own(Kinship::Encoded, encoding(&self.secret)));
        }
        for space in ["\n", "\r\n", " "] {
            let spaced = [&self.secret, space.as_bytes()].concat();
            all.push(own(Kinship::Spaced, Zeroizing::new(spaced)));
        }
        let trimmed = self.secret.trim_ascii();
        all.push(own(Kinship::Spaced, Zeroizing::new(trimmed.to_vec())));
        all.push(own(Kinship::Empty, Zeroizing::new(Vec::new())));
        let others = [SHA1, SHA256, SHA384, SHA512].into_iter();
        let others = others.filter(|other| other.name != self.kind.name);
        all.extend(others.map(|other| (Kinship::Hash, key(other, &self.secret))));
        all.retain(|(kinship, key)| {
            *kinship == Kinship::Hash || key.fingerprint() != Public::fingerprint(self)
        });
        all
    }
}

impl Public for Arc<Key> {
    /// There is none.
    fn spki(&self) -> Vec<u8> {
        Vec::new()
    }

    fn fingerprint(&self) -> String {
        fingerprint(hmac::sign(&self.key, FINGERPRINT).as_ref())
    }

    fn forms(&self) -> Vec<Form> {
        Vec::new()
    }

    fn verifying(&self) -> Cost {
        Cost::micros(2)
    }

    fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool {
        let (Ok(tag), Signature::Octets(octets)) = (self.mac(content), signature) else {
            return false;
        };
        verify_slices_are_equal(tag.as_ref(), octets).is_ok()
    }
}

/// A fingerprint, of the MAC of [`FINGERPRINT`].
pub(super) fn fingerprint(tag: &[u8]) -> String {
    format!("MAC:{}", STANDARD_NO_PAD.encode(&tag[..16]))
}

/// What a fingerprint is the MAC of; no provider asks for it.
pub(super) const FINGERPRINT: &[u8] = b"\0countersign: fingerprint of a MAC key\0";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Encoding;
    use crate::secret::Secret;

    const ALL: [Algorithm; 4] = [
        Algorithm::HMAC_SHA1,
        Algorithm::HMAC_SHA256,
        Algorithm::HMAC_SHA384,
        Algorithm::HMAC_SHA512,
    ];

    /// Some bytes, so many times.
    type Repeated = (usize, &'static [u8]);

    /// Keys and messages of RFC 4231, section 4 (cases 1 to 4, 6 and 7), as repeated bytes, and their
    /// MACs there; those with SHA-1 are of Python's hmac module.
    #[rustfmt::skip]
    const KNOWN: &[(Repeated, Repeated, [&str; 4])] = &[
        ((20, b"\x0b"), (1, b"Hi There"), [
            "b617318655057264e28bc0b6fb378c8ef146be00",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        ]),
        ((1, b"Jefe"), (1, b"what do ya want for nothing?"), [
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ]),
        ((20, b"\xaa"), (50, b"\xdd"), [
            "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
            "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
        ]),
        ((1, b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19"), (50, b"\xcd"), [
            "4c9007f4026250c6bc8414f9bf50c86c2d7235da",
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb",
            "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
        ]),
        ((131, b"\xaa"), (1, b"Test Using Larger Than Block-Size Key - Hash Key First"), [
            "90d0dace1c1bdc957339307803160335bde6df2b",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
            "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
        ]),
        ((131, b"\xaa"), (1, b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm."), [
            "217e44bb08b6e06a2d6c30f3cb9f537f97c63356",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e",
            "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
        ]),
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        base16ct::lower::decode_vec(hex).unwrap()
    }

    async fn mac(algorithm: Algorithm, secret: &[u8], content: Content<'_>) -> String {
        let key = PrivateKey::parse_encoded(secret, Encoding::Text, Some(algorithm), None).unwrap();
        let signer = key.signer().unwrap();
        let signature = signer.sign(content).await.unwrap();
        assert!(signer.public_key().verifies(content, &signature));
        assert!(!signer.public_key().verifies(Content::Message(b"\0other"), &signature));
        let Signature::Octets(octets) = signature else { panic!("{signature:?}") };
        hex(&octets)
    }

    #[tokio::test]
    async fn macs_are_those_of_the_standards() {
        for (key, message, macs) in KNOWN {
            let (key, message) = (hex(&key.1.repeat(key.0)), message.1.repeat(message.0));
            for (algorithm, expected) in ALL.iter().zip(macs) {
                let parsed = PrivateKey::parse_encoded(
                    key.as_bytes(),
                    Encoding::Hex,
                    Some(*algorithm),
                    None,
                );
                let signer = parsed.unwrap().signer().unwrap();
                let signature = signer.sign(Content::Message(&message)).await.unwrap();
                assert_eq!(signature, Signature::Octets(bytes(expected)), "{algorithm}");
            }
        }
    }

    #[tokio::test]
    async fn keys_are_derived_as_providers_derive_them() {
        let steps = |over: &[&str]| over.iter().map(|step| step.as_bytes().to_vec()).collect();
        for (secret, derivation, message, expected) in [
            // AWS, Signature Version 4: the example of ListUsers.
            (
                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                Derivation {
                    prefix: b"AWS4".to_vec(),
                    over: steps(&["20150830", "us-east-1", "iam", "aws4_request"]),
                    ..Derivation::default()
                },
                "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                 f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59",
                "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
            // Akamai's EdgeGrid, OAuth 1.0a, and hex, by Python's hmac module.
            (
                "secret",
                Derivation {
                    over: steps(&["20251128T13:50:00+0000"]),
                    written: Written::Base64,
                    ..Derivation::default()
                },
                "text",
                "e20f5e789be6e605c6853f0ba2acc0271adb755cdc813f9fe732a2d19be3c242",
            ),
            (
                "secret",
                Derivation {
                    suffix: Some(Arc::new(Secret::new(b"&token".to_vec()))),
                    ..Derivation::default()
                },
                "text",
                "d9462631f9eb43fd2229de6f368919eb7ed00d11efbfbdc05595162ef8420a40",
            ),
            (
                "secret",
                Derivation { over: steps(&["a"]), written: Written::Hex, ..Derivation::default() },
                "text",
                "84fc26e1c9bd963a70ab2199303cd119294d5dc086d38e461fe8c5ffe4cc94bb",
            ),
        ] {
            let content = Content::Mac { derivation: &derivation, message: message.as_bytes() };
            assert_eq!(mac(Algorithm::HMAC_SHA256, secret.as_bytes(), content).await, expected);
        }
    }

    #[test]
    fn secrets_are_read_in_every_form() {
        let algorithm = Algorithm::HMAC_SHA256;
        let read = |text: &str, encoding| {
            PrivateKey::parse_encoded(text.as_bytes(), encoding, Some(algorithm), None)
        };
        let fingerprint =
            |text: &str, encoding| read(text, encoding).unwrap().public_key().fingerprint();
        let expected = fingerprint("s3cret+/", Encoding::Text);
        for (text, encoding) in [
            ("\u{feff}s3cret+/\n", Encoding::Text),
            ("czNjcmV0Ky8=", Encoding::Base64),
            ("czNjcmV0Ky8", Encoding::Base64Url),
            ("7333637265742B2F", Encoding::Hex),
            ("{\"kty\": \"oct\", \"k\": \"czNjcmV0Ky8\"}", Encoding::Text),
        ] {
            assert_eq!(fingerprint(text, encoding), expected, "{text}");
        }
        // What looks like another key is a secret if it is asked for as one.
        for text in [
            "65310c1ec3061ce77435570772eda106648ca04d0f6f4ba0286985fd9cf51206",
            "L3zZsu6CbAsAtv8Zmw69q4RgmDCKHSS8cEYUkPwzP2qj7qkQSkuZ",
            "xprv",
        ] {
            assert_ne!(fingerprint(text, Encoding::Text), expected, "{text}");
            assert_ne!(
                PrivateKey::parse(text.as_bytes(), None, None).ok().map(|k| k.algorithm()),
                Some(algorithm)
            );
        }
        let quoted = read("\"s3cret\"", Encoding::Text).unwrap_err();
        assert!(quoted.what.starts_with("is in quotation marks"), "{quoted}");
        let jwk = read("{\"kty\": \"oct\", \"alg\": \"HS512\", \"k\": \"czNj\"}", Encoding::Text);
        assert_eq!(
            jwk.unwrap_err().what,
            "is an hmac_sha512 key where an hmac_sha256 key is asked for"
        );
    }

    #[test]
    fn a_fingerprint_is_no_hash_of_the_secret() {
        let key = |secret: &[u8]| {
            PrivateKey::parse(secret, Some(Algorithm::HMAC_SHA256), None).unwrap().public_key()
        };
        let (one, other) = (key(b"hunter2"), key(b"hunter3"));
        assert!(one.fingerprint().starts_with("MAC:") && one.fingerprint().len() == 26);
        assert_ne!(one, other);
        assert_eq!(one, key(b"hunter2"));
        assert!(one.spki().is_empty() && one.forms().is_empty());
        let private = PrivateKey::parse(b"hunter2", Some(Algorithm::HMAC_SHA256), None).unwrap();
        let printed = format!("{private:?} {:?} {one:?}", private.signer().unwrap());
        assert!(!printed.contains("hunter2") && printed.contains("MAC:"), "{printed}");
    }
}
