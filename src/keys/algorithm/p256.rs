//! ECDSA over NIST P-256 with SHA-256 (FIPS 186-5).
//!
//! Signed in the TLS library, whose assembly is four times faster than the p256 crate; the crate
//! reads, writes and verifies.

use std::sync::Arc;

use aws_lc_rs::digest::{Digest as Sha256Digest, SHA256};
use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{RecoveryId, Signature as Numbers, VerifyingKey};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use pkcs8::{
    DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _, ObjectIdentifier,
    SecretDocument,
};

use super::ec::{self, Curve};
use crate::cost::Cost;
use crate::keys::content::{Content, Digest};
use crate::keys::error::SignError;
use crate::keys::formats::{FormatError, Found};
use crate::keys::key::Signer;
use crate::keys::key::{Algorithm, Encoded, Form, Kind, Private, PrivateKey, Public, PublicKey};
use crate::keys::kinship::Kinship;
use crate::keys::local::{LocalKey, LocalSigner};
use crate::keys::signature::Signature;

impl Algorithm {
    /// ECDSA over NIST P-256 (`ecdsa_p256`).
    pub const ECDSA_P256: Self = Self(&P256);
}

struct P256;

const CURVE: Curve = Curve {
    algorithm: Algorithm::ECDSA_P256,
    oid: ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
    key,
};

fn key(number: &[u8]) -> Option<PrivateKey> {
    let key = p256::SecretKey::from_slice(number).ok()?;
    Some(PrivateKey::new(Algorithm::ECDSA_P256, key))
}

fn public(key: p256::PublicKey) -> PublicKey {
    PublicKey::new(Algorithm::ECDSA_P256, key)
}

impl Kind for P256 {
    fn name(&self) -> &'static str {
        "ecdsa_p256"
    }

    fn summary(&self) -> &'static str {
        "ECDSA over NIST P-256 with SHA-256 (FIPS 186-5)"
    }

    fn forms(&self) -> &'static str {
        "PKCS#8 or SEC 1 in PEM, DER, base64 or hex; the number in 64 hex digits"
    }

    fn read(&self, found: &Found, asked: bool) -> Option<Result<PrivateKey, FormatError>> {
        ec::read(&CURVE, found, asked)
    }

    fn read_public(&self, encoded: Encoded<'_>) -> Option<PublicKey> {
        match encoded {
            Encoded::Spki(der) => p256::PublicKey::from_public_key_der(der).ok().map(public),
            Encoded::Point(point) => p256::PublicKey::from_sec1_bytes(point).ok().map(public),
            Encoded::Pkcs1(_) => None,
        }
    }

    fn read_der(&self, der: &[u8]) -> Option<Signature> {
        Numbers::from_der(der).ok().map(|numbers| signature(&numbers))
    }

    fn recover(&self, digest: &Digest, signature: &Signature) -> Vec<PublicKey> {
        let Signature::Ecdsa { r, s } = signature else { return Vec::new() };
        let Ok(numbers) = Numbers::from_scalars(*r, *s) else { return Vec::new() };
        let ids = (0..4).filter_map(RecoveryId::from_byte);
        let key = |id| VerifyingKey::recover_from_prehash(&digest.0, &numbers, id).ok();
        ids.filter_map(key).map(|key| public(key.into())).collect()
    }

    fn low(&self, signature: &Signature) -> Signature {
        let Signature::Ecdsa { r, s } = signature else { return signature.clone() };
        let low =
            Numbers::from_scalars(*r, *s).map(|numbers| self::signature(&numbers.normalize_s()));
        low.unwrap_or_else(|_| signature.clone())
    }

    fn generate(&self, _bits: usize) -> PrivateKey {
        ec::generate(key)
    }
}

fn signature(numbers: &Numbers) -> Signature {
    let (r, s) = numbers.split_bytes();
    Signature::Ecdsa { r: r.into(), s: s.into() }
}

impl Private for p256::SecretKey {
    fn public_key(&self) -> PublicKey {
        public(Self::public_key(self))
    }

    fn to_pkcs8(&self) -> Result<SecretDocument, FormatError> {
        Ok(self.to_pkcs8_der().expect("a key on the curve has an encoding"))
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, SignError> {
        let der = self.to_pkcs8_der().expect("a key on the curve has an encoding");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_bytes())
            .map_err(|_| SignError::Failed("the library refuses the key"))?;
        Ok(LocalSigner::shared(Private::public_key(self), pair))
    }
}

impl LocalKey for EcdsaKeyPair {
    const SIGNING: Cost = Cost::micros(25);

    fn sign(&self, content: Content<'_>) -> Result<Signature, SignError> {
        let failed = |_| SignError::Failed("the library made no signature");
        let digest = ec::digest(content)?;
        // "Less safe" because it takes a hash's word for it; hashing is the scheme's part.
        let digest = Sha256Digest::import_less_safe(&digest.0, &SHA256).map_err(failed)?;
        let signature = self.sign_digest(&digest).map_err(failed)?;
        let ([r, s], []) = signature.as_ref().as_chunks::<32>() else {
            return Err(SignError::Failed("the library made a short signature"));
        };
        Ok(Signature::Ecdsa { r: *r, s: *s })
    }

    fn relatives(&self) -> Vec<(Kinship, PublicKey)> {
        let number: Option<EcPrivateKeyBin<'_>> = self.private_key().as_be_bytes().ok();
        number.map_or_else(Vec::new, |number| ec::relatives(number.as_ref(), Algorithm::ECDSA_P256))
    }
}

impl Public for p256::PublicKey {
    fn spki(&self) -> Vec<u8> {
        self.to_public_key_der().expect("a key on the curve has an encoding").into_vec()
    }

    fn compressed(&self) -> Vec<u8> {
        self.to_sec1_point(true).as_bytes().to_vec()
    }

    fn forms(&self) -> Vec<Form> {
        ec::forms(&self.spki(), &self.compressed(), "")
    }

    fn verifying(&self) -> Cost {
        Cost::micros(180)
    }

    fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool {
        let (Ok(digest), Signature::Ecdsa { r, s }) = (ec::digest(content), signature) else {
            return false;
        };
        let key = VerifyingKey::from(self);
        Numbers::from_scalars(*r, *s).is_ok_and(|s| key.verify_prehash(&digest.0, &s).is_ok())
    }
}
