//! Public keys: their encodings, their fingerprint, and verification.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use k256::ecdsa::signature::hazmat::PrehashVerifier as _;
use k256::elliptic_curve::sec1::ToSec1Point as _;
use pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use sha2::{Digest as _, Sha256};

use super::babyjub::{self, Element, Proof};
use super::{Algorithm, Digest, Signature};

/// The public half of a key.
#[derive(Clone, Eq, PartialEq)]
pub enum PublicKey {
    /// On NIST P-256.
    EcdsaP256(p256::PublicKey),
    /// On secp256k1.
    EcdsaSecp256k1(k256::PublicKey),
    /// On Baby Jubjub.
    EddsaBabyJub(babyjub::PublicKey),
}

impl PublicKey {
    /// Reads an X.509 SubjectPublicKeyInfo in DER; its object identifier names the curve.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let p256 = || p256::PublicKey::from_public_key_der(der).ok().map(Self::EcdsaP256);
        let k256 = || k256::PublicKey::from_public_key_der(der).ok().map(Self::EcdsaSecp256k1);
        p256().or_else(k256)
    }

    /// Reads a SEC 1 point, compressed or not, on the curve of `algorithm`; for Baby Jubjub x and
    /// y, 32 bytes each, big-endian.
    pub fn from_sec1(algorithm: Algorithm, point: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::EcdsaP256 => {
                p256::PublicKey::from_sec1_bytes(point).ok().map(Self::EcdsaP256)
            }
            Algorithm::EcdsaSecp256k1 => {
                k256::PublicKey::from_sec1_bytes(point).ok().map(Self::EcdsaSecp256k1)
            }
            Algorithm::EddsaBabyJub => {
                let [x, y] = point.as_chunks::<32>().0 else { return None };
                let (x, y) = (Element::from_be_bytes(x)?, Element::from_be_bytes(y)?);
                let whole = point.len() == 64;
                babyjub::PublicKey::from_coordinates(x, y).filter(|_| whole).map(Self::EddsaBabyJub)
            }
        }
    }

    /// What the key is for.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::EcdsaP256(_) => Algorithm::EcdsaP256,
            Self::EcdsaSecp256k1(_) => Algorithm::EcdsaSecp256k1,
            Self::EddsaBabyJub(_) => Algorithm::EddsaBabyJub,
        }
    }

    /// The X.509 SubjectPublicKeyInfo in DER, with the uncompressed point. Nobody has defined one
    /// for Baby Jubjub: there it is x and y, 32 bytes each, big-endian.
    pub fn spki(&self) -> Vec<u8> {
        let document = match self {
            Self::EcdsaP256(key) => key.to_public_key_der(),
            Self::EcdsaSecp256k1(key) => key.to_public_key_der(),
            Self::EddsaBabyJub(key) => return key.to_bytes().to_vec(),
        };
        document.expect("a key on the curve has an encoding").into_vec()
    }

    /// The compressed SEC 1 point, 33 bytes. For Baby Jubjub, where nobody compresses, the 64
    /// bytes of [`Self::spki`].
    pub fn compressed(&self) -> Vec<u8> {
        match self {
            Self::EcdsaP256(key) => key.to_sec1_point(true).as_bytes().to_vec(),
            Self::EcdsaSecp256k1(key) => key.to_sec1_point(true).as_bytes().to_vec(),
            Self::EddsaBabyJub(key) => key.to_bytes().to_vec(),
        }
    }

    /// A name for the key that people can compare: `SHA256:` and the base64 of the SPKI's hash,
    /// as OpenSSH writes fingerprints.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(self.spki())))
    }

    /// Whether `signature` is this key's over `digest`. High-S is accepted: providers' own
    /// libraries do not normalise.
    pub fn verifies(&self, digest: &Digest, signature: &Signature) -> bool {
        match (self, signature) {
            (Self::EcdsaP256(key), Signature::Ecdsa { r, s }) => {
                let signature = p256::ecdsa::Signature::from_scalars(*r, *s);
                let key = p256::ecdsa::VerifyingKey::from(key);
                signature.is_ok_and(|s| key.verify_prehash(&digest.0, &s).is_ok())
            }
            (Self::EcdsaSecp256k1(key), Signature::Ecdsa { r, s }) => {
                let signature = k256::ecdsa::Signature::from_scalars(*r, *s);
                let key = k256::ecdsa::VerifyingKey::from(key);
                // k256 itself refuses high-S.
                let low = signature.map(|s| s.normalize_s());
                low.is_ok_and(|s| key.verify_prehash(&digest.0, &s).is_ok())
            }
            (Self::EddsaBabyJub(key), Signature::BabyJub { rx, ry, s }) => {
                let proof = || {
                    let number = Element::from_be_bytes;
                    Some(Proof { x: number(rx)?, y: number(ry)?, s: number(s)? })
                };
                let message = Element::from_be_bytes(&digest.0);
                message.zip(proof()).is_some_and(|(message, proof)| key.verifies(message, &proof))
            }
            (Self::EcdsaP256(_) | Self::EcdsaSecp256k1(_), Signature::BabyJub { .. })
            | (Self::EddsaBabyJub(_), Signature::Ecdsa { .. }) => false,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.fingerprint())
    }
}
