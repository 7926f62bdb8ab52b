//! Public keys: their encodings, their fingerprint, and verification.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use k256::ecdsa::signature::hazmat::PrehashVerifier as _;
use k256::elliptic_curve::sec1::ToSec1Point as _;
use pkcs8::{DecodePublicKey as _, Document, EncodePublicKey as _};
use sha2::{Digest as _, Sha256};

use super::babyjub::{self, Element, Proof};
use super::{Algorithm, Content, Digest, Signature, rsa};

/// The public half of a key.
#[derive(Clone, Eq, PartialEq)]
pub enum PublicKey {
    /// On NIST P-256.
    EcdsaP256(p256::PublicKey),
    /// On secp256k1.
    EcdsaSecp256k1(k256::PublicKey),
    /// On Baby Jubjub.
    EddsaBabyJub(babyjub::PublicKey),
    /// RSA.
    RsaPkcs1Sha256(rsa::PublicKey),
}

/// Why a text is not a public key in PEM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PublicPemFault {
    /// It is no public key in PEM.
    NotPem,
    /// It is the other half.
    Private,
    /// It is a key of a kind or size that is not known here.
    Kind,
}

impl PublicKey {
    /// Reads an X.509 SubjectPublicKeyInfo in DER; its object identifiers name the
    /// curve, or `rsaEncryption`.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let p256 = || p256::PublicKey::from_public_key_der(der).ok().map(Self::EcdsaP256);
        let k256 = || k256::PublicKey::from_public_key_der(der).ok().map(Self::EcdsaSecp256k1);
        let rsa = || rsa::PublicKey::from_spki(der).map(Self::RsaPkcs1Sha256);
        p256().or_else(k256).or_else(rsa)
    }

    /// Reads a public key in PEM: SPKI (`PUBLIC KEY`), or PKCS#1 (`RSA PUBLIC KEY`).
    ///
    /// # Errors
    ///
    /// What the text is instead.
    pub fn from_pem(pem: &[u8]) -> Result<Self, PublicPemFault> {
        let text = str::from_utf8(pem).map_err(|_| PublicPemFault::NotPem)?;
        let (label, document) =
            Document::from_pem(text.trim()).map_err(|_| PublicPemFault::NotPem)?;
        let der = document.as_bytes();
        let key = match label {
            "PUBLIC KEY" => Self::from_spki(der),
            "RSA PUBLIC KEY" => rsa::PublicKey::from_pkcs1(der).map(Self::RsaPkcs1Sha256),
            label if label.ends_with("PRIVATE KEY") => return Err(PublicPemFault::Private),
            _ => return Err(PublicPemFault::NotPem),
        };
        key.ok_or(PublicPemFault::Kind)
    }

    /// Reads a SEC 1 point, compressed or not, on the curve of `algorithm`; for Baby Jubjub x and
    /// y, 32 bytes each, big-endian. RSA has no points.
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
            Algorithm::RsaPkcs1Sha256 => None,
        }
    }

    /// What the key is for.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::EcdsaP256(_) => Algorithm::EcdsaP256,
            Self::EcdsaSecp256k1(_) => Algorithm::EcdsaSecp256k1,
            Self::EddsaBabyJub(_) => Algorithm::EddsaBabyJub,
            Self::RsaPkcs1Sha256(_) => Algorithm::RsaPkcs1Sha256,
        }
    }

    /// The X.509 SubjectPublicKeyInfo in DER, with the uncompressed point. Nobody has defined one
    /// for Baby Jubjub: there it is x and y, 32 bytes each, big-endian.
    pub fn spki(&self) -> Vec<u8> {
        let document = match self {
            Self::EcdsaP256(key) => key.to_public_key_der(),
            Self::EcdsaSecp256k1(key) => key.to_public_key_der(),
            Self::EddsaBabyJub(key) => return key.to_bytes().to_vec(),
            Self::RsaPkcs1Sha256(key) => return key.spki().to_vec(),
        };
        document.expect("a key on the curve has an encoding").into_vec()
    }

    /// The compressed SEC 1 point, 33 bytes. For Baby Jubjub, where nobody compresses, and
    /// for RSA, the bytes of [`Self::spki`].
    pub fn compressed(&self) -> Vec<u8> {
        match self {
            Self::EcdsaP256(key) => key.to_sec1_point(true).as_bytes().to_vec(),
            Self::EcdsaSecp256k1(key) => key.to_sec1_point(true).as_bytes().to_vec(),
            Self::EddsaBabyJub(key) => key.to_bytes().to_vec(),
            Self::RsaPkcs1Sha256(key) => key.spki().to_vec(),
        }
    }

    /// A name for the key that people can compare: `SHA256:` and the base64 of the SPKI's hash,
    /// as OpenSSH writes fingerprints.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(self.spki())))
    }

    /// Whether `signature` is this key's over `content`. High-S is accepted: providers' own
    /// libraries do not normalise.
    pub fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool {
        let digest = &match content {
            Content::Digest { digest, .. } => *digest,
            Content::Message(message) => Digest(Sha256::digest(message).into()),
            Content::Mac { .. } => return false,
        };
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
            (Self::RsaPkcs1Sha256(key), Signature::Octets(bytes)) => key.verifies(digest, bytes),
            (
                Self::EcdsaP256(_) | Self::EcdsaSecp256k1(_),
                Signature::BabyJub { .. } | Signature::Octets(_),
            )
            | (Self::EddsaBabyJub(_), Signature::Ecdsa { .. } | Signature::Octets(_))
            | (Self::RsaPkcs1Sha256(_), Signature::Ecdsa { .. } | Signature::BabyJub { .. }) => {
                false
            }
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.fingerprint())
    }
}
