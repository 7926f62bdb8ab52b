//! Keys in this process's memory.

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use aws_lc_rs::digest::{Digest as Sha256Digest, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use k256::ecdsa::Signature as Secp256k1Signature;
use k256::ecdsa::SigningKey as Secp256k1Key;
use k256::ecdsa::signature::hazmat::PrehashSigner as _;
use pkcs8::EncodePrivateKey as _;
use sha2::{Digest as _, Sha256};

use super::babyjub::{self, Element};
use super::pool::{Pool, Queue};
use super::{BoxFuture, Content, Digest, PrivateKey, PublicKey, SignError, Signature, Signer, rsa};

/// Signs on the caller's thread, in tens of microseconds; with RSA, which takes longer, on the
/// process's few threads for slow keys.
pub struct LocalSigner {
    key: Key,
    public: PublicKey,
}

enum Key {
    /// In the TLS library, whose assembly signs four times faster than the p256 crate.
    EcdsaP256(EcdsaKeyPair),
    /// In the k256 crate: the TLS library's secp256k1 is slow and not deterministic.
    EcdsaSecp256k1(Secp256k1Key),
    /// Here: no library signs as this provider does and keeps the key's timing to itself.
    EddsaBabyJub(babyjub::PrivateKey),
    /// In the TLS library, on other threads.
    RsaPkcs1Sha256(Arc<rsa::PrivateKey>, Queue),
}

impl LocalSigner {
    /// Makes a signer of a key. The key may be dropped then.
    ///
    /// # Errors
    ///
    /// When the TLS library does not take the key, which it does for every key on the curve; when
    /// the system has no threads left.
    pub fn new(key: &PrivateKey) -> Result<Self, SignError> {
        let public = key.public_key();
        let key = match key {
            PrivateKey::EcdsaP256(key) => {
                let der = key.to_pkcs8_der().expect("a key on the curve has an encoding");
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_bytes())
                    .map(Key::EcdsaP256)
                    .map_err(|_| SignError::Failed("the library refuses the key"))?
            }
            PrivateKey::EcdsaSecp256k1(key) => Key::EcdsaSecp256k1(Secp256k1Key::from(key)),
            PrivateKey::EddsaBabyJub(key) => {
                babyjub::PrivateKey::warm();
                Key::EddsaBabyJub(key.clone())
            }
            PrivateKey::RsaPkcs1Sha256(key) => {
                let pool = Pool::shared()
                    .map_err(|_| SignError::Failed("the system starts no thread for it"))?;
                Key::RsaPkcs1Sha256(Arc::new(key.clone()), Queue::new(pool))
            }
        };
        Ok(Self { key, public })
    }
}

impl Signer for LocalSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign<'a>(&'a self, content: Content<'a>) -> BoxFuture<'a, Result<Signature, SignError>> {
        let digest = match content {
            Content::Digest { digest, .. } => *digest,
            Content::Message(message) => Digest(Sha256::digest(message).into()),
            Content::Mac { .. } => return Box::pin(ready(Err(SignError::Failed("makes no MACs")))),
        };
        let digest = &digest;
        let signed = match &self.key {
            Key::EcdsaP256(key) => sign_p256(key, digest),
            Key::EcdsaSecp256k1(key) => sign_secp256k1(key, digest),
            Key::EddsaBabyJub(key) => sign_babyjub(key, digest),
            Key::RsaPkcs1Sha256(key, queue) => return Box::pin(sign_rsa(key, queue, *digest)),
        };
        Box::pin(ready(signed))
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalSigner({:?})", self.public)
    }
}

fn sign_p256(key: &EcdsaKeyPair, digest: &Digest) -> Result<Signature, SignError> {
    let failed = |_| SignError::Failed("the library made no signature");
    // "Less safe" because it takes a hash's word for it; hashing is the scheme's part.
    let digest = Sha256Digest::import_less_safe(&digest.0, &SHA256).map_err(failed)?;
    let signature = key.sign_digest(&digest).map_err(failed)?;
    let Some((r, s)) = signature.as_ref().split_first_chunk::<32>() else {
        return Err(SignError::Failed("the library made a short signature"));
    };
    let s = s.try_into().map_err(|_| SignError::Failed("the library made a short signature"))?;
    Ok(Signature::Ecdsa { r: *r, s })
}

fn sign_secp256k1(key: &Secp256k1Key, digest: &Digest) -> Result<Signature, SignError> {
    let signature: Secp256k1Signature = key
        .sign_prehash(&digest.0)
        .map_err(|_| SignError::Failed("no signature for this digest"))?;
    Ok(Signature::from(&signature.normalize_s()))
}

async fn sign_rsa(
    key: &Arc<rsa::PrivateKey>,
    queue: &Queue,
    digest: Digest,
) -> Result<Signature, SignError> {
    let key = Arc::clone(key);
    queue.run(move || key.sign(&digest)).await?.map(Signature::Octets)
}

fn sign_babyjub(key: &babyjub::PrivateKey, digest: &Digest) -> Result<Signature, SignError> {
    let message = Element::from_be_bytes(&digest.0)
        .ok_or(SignError::Failed("the digest is no element of the curve's field"))?;
    let proof = key.sign(message).ok_or(SignError::Failed("the system has no random numbers"))?;
    Ok(Signature::BabyJub {
        rx: proof.x.to_be_bytes(),
        ry: proof.y.to_be_bytes(),
        s: proof.s.to_be_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Algorithm;

    /// Published test keys and what npm's bsv library signs with them.
    const KNOWN: &[(&str, &str, &str)] = &[
        (
            "ca19b48a11d317fc3ce51fdbc0161ec5d925a260f9f32fbdc4a52447396a8272",
            "/block/000000000000000007dded8e2a733c654a006520409cdb0d6cdf642a1328c330_1616746489806_8990516823",
            "304502210082e6485acb3c8d940536d808ccecb5f604157b35bf40e0b176f90bb0c5ce590b02205362fb10c7b501a164267034abc044d8f3b54616f616fb6ccf00ad4a73c0e4e0",
        ),
        (
            "8e9d59f5ed894fabaac6e2bad36ab494533f49aaeda457559a8143f8ff842d2c",
            "/xpubs_1700000000000_1234567890",
            "304402207d78f60c388334e6b09057ee993d345db520c3c3794fb9dfb0bce6a257c4183e02202a15338cd57753d2d4b6f8ceed0019a58632cc07a4fb4f26fb0beafdcdb118eb",
        ),
    ];

    #[tokio::test]
    async fn secp256k1_signatures_are_those_of_other_libraries() {
        for (number, message, signature) in KNOWN {
            let key = PrivateKey::parse(number.as_bytes(), Some(Algorithm::EcdsaSecp256k1), None);
            let signer = LocalSigner::new(&key.unwrap()).unwrap();
            let digest = Digest(Sha256::digest(message).into());
            let signed = signer.sign(Content::digest(&digest)).await.unwrap();
            assert_eq!(
                base16ct::lower::encode_string(&signed.to_der().unwrap()),
                *signature,
                "{message}"
            );
        }
    }

    #[tokio::test]
    async fn signatures_verify_and_are_low_where_promised() {
        let mut low = 0;
        for algorithm in Algorithm::ALL {
            let signer = LocalSigner::new(&PrivateKey::generate(*algorithm)).unwrap();
            assert_eq!(signer.public_key().algorithm(), *algorithm);
            for byte in 0..16 {
                let digest = Digest([byte; 32]);
                let signature = signer.sign(Content::digest(&digest)).await.unwrap();
                assert!(
                    signer.public_key().verifies(Content::digest(&digest), &signature),
                    "{algorithm}"
                );
                let other = Digest([0xff; 32]);
                assert!(!signer.public_key().verifies(Content::digest(&other), &signature));
                if let (Algorithm::EcdsaSecp256k1, Signature::Ecdsa { s, .. }) =
                    (*algorithm, signature)
                {
                    assert!(s[0] < 0x80, "{s:02x?}");
                    low += 1;
                }
            }
        }
        assert_eq!(low, 16);
    }

    #[test]
    fn a_signer_prints_its_public_key_alone() {
        let key = PrivateKey::parse(KNOWN[0].0.as_bytes(), Some(Algorithm::EcdsaP256), None);
        let signer = LocalSigner::new(&key.unwrap()).unwrap();
        assert_eq!(format!("{signer:?}"), format!("LocalSigner({:?})", signer.public_key()));
    }
}
