//! What ECDSA keys on SEC 1 curves have in common: how their numbers are found, the forms of
//! their public halves.

use aws_lc_rs::rand;
use base16ct::lower::encode_string as hex;
use pkcs8::ObjectIdentifier;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::keys::content::{Content, Digest};
use crate::keys::error::SignError;
use crate::keys::formats::{self, FormatError, Found};
use crate::keys::key::{Algorithm, Form, PrivateKey, PublicKey};
use crate::keys::kinship::Kinship;

/// A curve, as far as reading keys goes.
pub(super) struct Curve {
    pub(super) algorithm: Algorithm,
    pub(super) oid: ObjectIdentifier,
    /// The key that is this number, big-endian.
    pub(super) key: fn(&[u8]) -> Option<PrivateKey>,
}

/// Reads an `ECPrivateKey` (RFC 5915), alone or in PKCS#8, and the number alone.
pub(super) fn read(
    curve: &Curve,
    found: &Found,
    asked: bool,
) -> Option<Result<PrivateKey, FormatError>> {
    match found.form().ok()? {
        formats::Form::Ec { curve: named, number: bytes, public } => {
            if named.map_or(!asked, |named| named != curve.oid) {
                return None;
            }
            Some(number(curve, bytes).and_then(|key| belonging(key, public)))
        }
        formats::Form::Number(bytes) if asked && bytes.len() != 32 => Some(Err(FormatError::new(
            format!("is {} bytes, and the number of a {} key is 32", bytes.len(), curve.algorithm),
            "copy the key again",
        ))),
        formats::Form::Number(bytes) if asked => Some(number(curve, bytes)),
        formats::Form::Number(_)
        | formats::Form::Pkcs8 { .. }
        | formats::Form::Pkcs1(_)
        | formats::Form::Wif(_)
        | formats::Form::Json(_) => None,
    }
}

/// The key that is this number; old writers drop leading zeros.
pub(super) fn number(curve: &Curve, number: &[u8]) -> Result<PrivateKey, FormatError> {
    let algorithm = curve.algorithm;
    (curve.key)(number).ok_or_else(|| {
        FormatError::new(
            format!("holds a number that is no {algorithm} key: zero, or not below the order"),
            format!("make a new key: countersign keys new --algorithm {algorithm} --out NEW.pem"),
        )
    })
}

/// Refuses a key beside which another key's public half stands.
fn belonging(key: PrivateKey, points: &[Vec<u8>]) -> Result<PrivateKey, FormatError> {
    let own = key.public_key();
    let belongs = |point: &Vec<u8>| {
        PublicKey::from_point(key.algorithm(), point).is_some_and(|public| public == own)
    };
    match points.iter().all(belongs) {
        true => Ok(key),
        false => Err(FormatError::unbelonging()),
    }
}

/// A new key. Numbers at or above the group order are drawn again: reducing them would make small
/// keys likelier.
pub(super) fn generate(key: fn(&[u8]) -> Option<PrivateKey>) -> PrivateKey {
    let mut number = Zeroizing::new([0; 32]);
    loop {
        rand::fill(&mut number[..]).expect("the system has random numbers");
        if let Some(key) = key(&number[..]) {
            return key;
        }
    }
}

/// The keys that the number of a key on this curve is by mistake: on the other curve, in reverse.
pub(super) fn relatives(number: &[u8], own: Algorithm) -> Vec<(Kinship, PublicKey)> {
    let reversed: Zeroizing<Vec<u8>> = Zeroizing::new(number.iter().rev().copied().collect());
    let key = |number: &[u8], algorithm| {
        let mut digits = Zeroizing::new(vec![0; 2 * number.len()]);
        base16ct::lower::encode(number, &mut digits).ok()?;
        PrivateKey::parse(&digits, Some(algorithm), None).ok().map(|key| key.public_key())
    };
    let curves = [Algorithm::ECDSA_P256, Algorithm::ECDSA_SECP256K1];
    let others = curves.into_iter().filter(|curve| *curve != own);
    let others = others.map(|curve| (Kinship::Curve, key(number, curve)));
    let all = others.chain([(Kinship::Reversed, key(&reversed, own))]);
    all.filter_map(|(kinship, key)| Some((kinship, key?))).collect()
}

/// The digest that ECDSA with SHA-256 signs.
pub(super) fn digest(content: Content<'_>) -> Result<Digest, SignError> {
    match content {
        Content::Digest { digest, .. } => Ok(*digest),
        Content::Message(message) => Ok(Digest(Sha256::digest(message).into())),
        Content::Mac { .. } | Content::Hash { .. } => Err(SignError::NO_MAC),
    }
}

/// The forms of a public key; `point` says who wants the compressed point, if anybody.
pub(super) fn forms(spki: &[u8], compressed: &[u8], point: &'static str) -> Vec<Form> {
    vec![
        Form::new("SPKI in hex, which Sinohope's console wants", "spki_hex", hex(spki)),
        Form::new(point, "compressed_hex", hex(compressed)),
        Form::new("SPKI in PEM, which most others want", "spki_pem", formats::public_pem(spki)),
    ]
}
