//! A secret inside a hash, for the few providers that do not know HMAC: `SHA-256(text ‖ secret)`.
//!
//! Which hash, and what stands on which side of the secret, is the scheme's to say. As with a MAC,
//! there is no public half; a fingerprint is a MAC of a constant.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md5::Md5;
use pkcs8::SecretDocument;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::shared;
use crate::cost::Cost;
use crate::keys::content::{Content, Hash};
use crate::keys::error::SignError;
use crate::keys::formats::{FormatError, Found};
use crate::keys::key::Signer;
use crate::keys::key::{Algorithm, Encoded, Form, Kind, Private, PrivateKey, Public, PublicKey};
use crate::keys::local::{LocalKey, LocalSigner};
use crate::keys::signature::Signature;

impl Algorithm {
    /// A secret inside a hash (`hash`), for providers that know no MAC.
    pub const HASH: Self = Self(&Hashed);
}

struct Hashed;

/// A secret, which is wiped.
struct Key(Zeroizing<Vec<u8>>);

impl Kind for Hashed {
    fn name(&self) -> &'static str {
        "hash"
    }

    fn summary(&self) -> &'static str {
        "the secret inside a hash that the scheme names, for providers that know no MAC"
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
        let secret = shared::read(found, asked, JWK)?;
        Some(secret.map(|secret| private(&secret)))
    }

    fn read_public(&self, _encoded: Encoded<'_>) -> Option<PublicKey> {
        None
    }

    fn generate(&self, _bits: usize) -> PrivateKey {
        let mut secret = Zeroizing::new([0; 32]);
        rand::fill(&mut secret[..]).expect("the system has random numbers");
        private(&secret[..])
    }

    fn probe(&self) -> Content<'static> {
        Content::Hash { hash: Hash::Sha256, before: b"countersign self-test", behind: b"" }
    }
}

/// Our own: no list of names for JSON Web Keys has one.
const JWK: &str = "countersign-hash";

fn private(secret: &[u8]) -> PrivateKey {
    PrivateKey::new(Algorithm::HASH, Arc::new(Key(Zeroizing::new(secret.to_vec()))))
}

impl Private for Arc<Key> {
    fn public_key(&self) -> PublicKey {
        PublicKey::new(Algorithm::HASH, Self::clone(self))
    }

    fn to_pkcs8(&self) -> Result<SecretDocument, FormatError> {
        Err(shared::no_pkcs8(Algorithm::HASH.name()))
    }

    fn to_text(&self) -> Zeroizing<String> {
        shared::to_text(&self.0, JWK)
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, SignError> {
        Ok(LocalSigner::shared(Private::public_key(self), Self::clone(self)))
    }
}

impl Key {
    fn hash(&self, content: Content<'_>) -> Result<Vec<u8>, SignError> {
        let Content::Hash { hash, before, behind } = content else {
            return Err(SignError::Failed("a secret of a hash makes neither signatures nor MACs"));
        };
        let parts = [before, &self.0, behind];
        Ok(match hash {
            Hash::Md5 => digest::<Md5>(parts),
            Hash::Sha1 => digest::<Sha1>(parts),
            Hash::Sha256 => digest::<Sha256>(parts),
        })
    }
}

fn digest<H: md5::Digest>(parts: [&[u8]; 3]) -> Vec<u8> {
    parts.iter().fold(H::new(), |hash, part| hash.chain_update(part)).finalize().to_vec()
}

impl LocalKey for Arc<Key> {
    const SIGNING: Cost = Cost::micros(2);

    fn sign(&self, content: Content<'_>) -> Result<Signature, SignError> {
        self.hash(content).map(Signature::Octets)
    }
}

impl Public for Arc<Key> {
    /// There is none.
    fn spki(&self) -> Vec<u8> {
        Vec::new()
    }

    fn fingerprint(&self) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), FINGERPRINT);
        format!("MAC:{}", STANDARD_NO_PAD.encode(&tag.as_ref()[..16]))
    }

    fn forms(&self) -> Vec<Form> {
        Vec::new()
    }

    fn verifying(&self) -> Cost {
        Cost::micros(2)
    }

    fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool {
        let (Ok(own), Signature::Octets(octets)) = (self.hash(content), signature) else {
            return false;
        };
        verify_slices_are_equal(&own, octets).is_ok()
    }
}

/// What a fingerprint is the MAC of; no provider asks for it.
const FINGERPRINT: &[u8] = b"\0countersign: fingerprint of a secret in a hash\0";

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `sha256sum`, `sha1sum` and `md5sum`: a secret between, before and behind texts.
    #[tokio::test]
    async fn the_secret_stands_where_the_scheme_says() {
        let key = PrivateKey::parse(b"s3cret", Some(Algorithm::HASH), None).unwrap();
        let signer = key.signer().unwrap();
        for (hash, before, behind, expected) in [
            (
                Hash::Sha256,
                "a",
                "b",
                "d7ea06403261aeacfaed98a20ddf5de0d1e1c9e181382c644047e26235e378b4",
            ),
            (Hash::Sha1, "", "+b", "a2118fc1fa1700e8b12b6e240bc6afa1130cdacd"),
            (Hash::Md5, "YQ==", "", "9cbb36365f0424a2721511e2fdc2922b"),
        ] {
            let (before, behind) = (before.as_bytes(), behind.as_bytes());
            let content = Content::Hash { hash, before, behind };
            let made = signer.sign(content).await.unwrap();
            let bytes = base16ct::lower::decode_vec(expected).unwrap();
            assert_eq!(made, Signature::Octets(bytes), "{hash:?}");
            assert!(signer.public_key().verifies(content, &made));
            let other = Content::Hash { hash, before: behind, behind: before };
            assert!(!signer.public_key().verifies(other, &made));
        }
        for content in [Content::Message(b"a"), Content::digest(&crate::keys::Digest([0; 32]))] {
            assert!(signer.sign(content).await.is_err());
        }
        let printed = format!("{key:?} {signer:?} {:?}", signer.public_key());
        assert!(!printed.contains("s3cret") && printed.contains("MAC:"), "{printed}");
    }
}
