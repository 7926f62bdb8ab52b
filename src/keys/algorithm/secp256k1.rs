//! ECDSA over secp256k1 with SHA-256 (SEC 2), deterministic (RFC 6979) and low-S.
//!
//! Signed in libsecp256k1, in constant time and two thirds of what the k256 crate takes; the crate reads,
//! writes and verifies, so that a signature is checked by other code than made it. Both are deterministic
//! and give the same bytes. The TLS library's secp256k1 is slow and not deterministic.

use std::sync::Arc;

use aws_lc_rs::rand;
use k256::ecdsa::signature::hazmat::PrehashVerifier as _;
use k256::ecdsa::{RecoveryId, Signature as Numbers, VerifyingKey};
use k256::elliptic_curve::sec1::ToSec1Point as _;
use pkcs8::{
    DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _, ObjectIdentifier,
    SecretDocument,
};
use secp256k1::{Message, SecretKey, SignOnly};
use zeroize::Zeroizing;

use super::ec::{self, Curve};
use crate::cost::Cost;
use crate::keys::content::{Content, Digest};
use crate::keys::error::SignError;
use crate::keys::formats::{self, FormatError, Found};
use crate::keys::key::Signer;
use crate::keys::key::{Algorithm, Encoded, Form, Kind, Private, PrivateKey, Public, PublicKey};
use crate::keys::kinship::Kinship;
use crate::keys::local::{LocalKey, LocalSigner};
use crate::keys::signature::Signature;

impl Algorithm {
    /// ECDSA over secp256k1 (`ecdsa_secp256k1`).
    pub const ECDSA_SECP256K1: Self = Self(&Secp256k1);
}

/// The library's, for signing.
type Secp256k1Context = secp256k1::Secp256k1<SignOnly>;

struct Secp256k1;

const CURVE: Curve = Curve {
    algorithm: Algorithm::ECDSA_SECP256K1,
    oid: ObjectIdentifier::new_unwrap("1.3.132.0.10"),
    key,
};

fn key(number: &[u8]) -> Option<PrivateKey> {
    let key = k256::SecretKey::from_slice(number).ok()?;
    Some(PrivateKey::new(Algorithm::ECDSA_SECP256K1, key))
}

fn public(key: k256::PublicKey) -> PublicKey {
    PublicKey::new(Algorithm::ECDSA_SECP256K1, key)
}

impl Kind for Secp256k1 {
    fn name(&self) -> &'static str {
        "ecdsa_secp256k1"
    }

    fn summary(&self) -> &'static str {
        "ECDSA over secp256k1 with SHA-256 (SEC 2), deterministic (RFC 6979) and low-S"
    }

    fn forms(&self) -> &'static str {
        "PKCS#8 or SEC 1 in PEM, DER, base64 or hex; the number in 64 hex digits; a wallet's WIF"
    }

    fn read(&self, found: &Found, asked: bool) -> Option<Result<PrivateKey, FormatError>> {
        match found.form() {
            Ok(formats::Form::Wif(number)) => Some(ec::number(&CURVE, &number[..])),
            _ => ec::read(&CURVE, found, asked),
        }
    }

    fn read_public(&self, encoded: Encoded<'_>) -> Option<PublicKey> {
        match encoded {
            Encoded::Spki(der) => k256::PublicKey::from_public_key_der(der).ok().map(public),
            Encoded::Point(point) => k256::PublicKey::from_sec1_bytes(point).ok().map(public),
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

impl Private for k256::SecretKey {
    fn public_key(&self) -> PublicKey {
        public(Self::public_key(self))
    }

    fn to_pkcs8(&self) -> Result<SecretDocument, FormatError> {
        Ok(self.to_pkcs8_der().expect("a key on the curve has an encoding"))
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, SignError> {
        let number = Zeroizing::new(<[u8; 32]>::from(self.to_bytes()));
        let key = SecretKey::from_byte_array(*number);
        let key = key.map_err(|_| SignError::Failed("the library refuses the key"))?;
        Ok(LocalSigner::shared(Private::public_key(self), Signing { key, context: blinded() }))
    }
}

/// A key that signs.
struct Signing {
    key: SecretKey,
    context: Secp256k1Context,
}

/// The library's context for a key: what it computes with is blinded by a number of its own.
fn blinded() -> Secp256k1Context {
    let mut context = Secp256k1Context::signing_only();
    let mut seed = Zeroizing::new([0; 32]);
    rand::fill(&mut seed[..]).expect("the system has random numbers");
    context.seeded_randomize(&seed);
    context
}

impl Drop for Signing {
    fn drop(&mut self) {
        // The type is Copy, and so cannot do it itself.
        self.key.non_secure_erase();
    }
}

impl LocalKey for Signing {
    const SIGNING: Cost = Cost::micros(30);

    fn sign(&self, content: Content<'_>) -> Result<Signature, SignError> {
        let message = Message::from_digest(ec::digest(content)?.0);
        // RFC 6979 and low-S, as the library does by itself.
        let numbers = self.context.sign_ecdsa(message, &self.key).serialize_compact();
        let ([r, s], []) = numbers.as_chunks::<32>() else {
            return Err(SignError::Failed("the library made a short signature"));
        };
        Ok(Signature::Ecdsa { r: *r, s: *s })
    }

    fn relatives(&self) -> Vec<(Kinship, PublicKey)> {
        let number = Zeroizing::new(self.key.secret_bytes());
        ec::relatives(&number[..], Algorithm::ECDSA_SECP256K1)
    }
}

impl Public for k256::PublicKey {
    fn spki(&self) -> Vec<u8> {
        self.to_public_key_der().expect("a key on the curve has an encoding").into_vec()
    }

    fn compressed(&self) -> Vec<u8> {
        self.to_sec1_point(true).as_bytes().to_vec()
    }

    fn forms(&self) -> Vec<Form> {
        let point = "compressed point, which MetaSV's client-key registration wants";
        ec::forms(&self.spki(), &self.compressed(), point)
    }

    fn verifying(&self) -> Cost {
        Cost::micros(90)
    }

    fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool {
        let (Ok(digest), Signature::Ecdsa { r, s }) = (ec::digest(content), signature) else {
            return false;
        };
        let key = VerifyingKey::from(self);
        // k256 itself refuses high-S.
        let low = Numbers::from_scalars(*r, *s).map(|s| s.normalize_s());
        low.is_ok_and(|s| key.verify_prehash(&digest.0, &s).is_ok())
    }
}

fn signature(numbers: &Numbers) -> Signature {
    let (r, s) = numbers.split_bytes();
    Signature::Ecdsa { r: r.into(), s: s.into() }
}
