//! New keys in a token, and keys that were elsewhere before: neither ever leaves it.

use aws_lc_rs::digest::{self, digest};
use aws_lc_rs::rand;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::types::Ulong;
use pkcs8::DecodePrivateKey as _;
use pkcs8::der::asn1::{OctetString, UintRef};
use pkcs8::der::{Encode as _, Reader as _, SliceReader};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroize as _;

use super::fault::Fault;
use super::object::{ED25519, P256, SECP256K1};
use super::token::Token;
use super::uri::Wanted;
use crate::keys::{Algorithm, PrivateKey};

/// What is wrong, and how to mend it.
type Wrong = (String, String);

/// Makes a key in the token.
pub(super) fn create(
    token: &Token,
    wanted: &Wanted,
    algorithm: Algorithm,
    bits: Option<usize>,
) -> Result<(), Wrong> {
    if algorithm.is_shared() {
        return Err((
            format!("would be an {algorithm} key that nobody else ever knows"),
            "take the secret that the provider issues: countersign keys import --store".into(),
        ));
    }
    let (mechanism, kind) = match curve(algorithm) {
        Some(ED25519) => {
            (Mechanism::EccEdwardsKeyPairGen, vec![Attribute::EcParams(encoded(ED25519)?)])
        }
        Some(curve) => (Mechanism::EccKeyPairGen, vec![Attribute::EcParams(encoded(curve)?)]),
        None => {
            let bits = bits.or_else(|| algorithm.sizes().first().copied());
            let bits = bits.and_then(|bits| u32::try_from(bits).ok()).ok_or_else(unknown)?;
            let size = vec![
                Attribute::ModulusBits(Ulong::new(bits.into())),
                Attribute::PublicExponent(vec![1, 0, 1]),
            ];
            (Mechanism::RsaPkcsKeyPairGen, size)
        }
    };
    let id = id(wanted, &[])?;
    let (public, private) = ([public(wanted, &id), kind].concat(), private(wanted, &id));
    let made =
        token.writing(|session| Ok(session.generate_key_pair(&mechanism, &public, &private)?));
    made.map(|_| ()).map_err(refused)
}

/// Puts a key into the token.
pub(super) fn import(token: &Token, wanted: &Wanted, key: &PrivateKey) -> Result<(), Wrong> {
    let mut objects = match key.algorithm().is_shared() {
        true => vec![secret(wanted, key)?],
        false => pair(wanted, key)?,
    };
    let put = token.writing(|session| {
        for object in &objects {
            session.create_object(object)?;
        }
        Ok(())
    });
    objects.iter_mut().flatten().for_each(wipe);
    put.map_err(refused)
}

/// A secret. One that is shorter than the hash gets zeros behind it, which HMAC would put there
/// itself (RFC 2104, section 2) and without which some tokens refuse it.
fn secret(wanted: &Wanted, key: &PrivateKey) -> Result<Vec<Attribute>, Wrong> {
    let mut secret = key.mac_secret().ok_or_else(unknown)?.to_vec();
    let lengths = [
        (Algorithm::HMAC_SHA1, 20),
        (Algorithm::HMAC_SHA256, 32),
        (Algorithm::HMAC_SHA384, 48),
        (Algorithm::HMAC_SHA512, 64),
    ];
    let length = lengths.iter().find(|(algorithm, _)| *algorithm == key.algorithm());
    let (_, length) = *length.ok_or_else(unknown)?;
    if secret.len() < length {
        let mut padded = vec![0; length];
        padded[..secret.len()].copy_from_slice(&secret);
        secret.zeroize();
        secret = padded;
    }
    let mut object = private(wanted, &id(wanted, &[])?);
    object.extend([
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::Encrypt(false),
        Attribute::Wrap(false),
        Attribute::Value(secret),
    ]);
    Ok(object)
}

/// Both halves of a key.
fn pair(wanted: &Wanted, key: &PrivateKey) -> Result<Vec<Vec<Attribute>>, Wrong> {
    let document = key.to_pkcs8().map_err(|_| unknown())?;
    let id = id(wanted, &key.public_key().spki())?;
    let (mut inner, mut outer) = (private(wanted, &id), public(wanted, &id));
    inner.push(Attribute::Class(ObjectClass::PRIVATE_KEY));
    outer.push(Attribute::Class(ObjectClass::PUBLIC_KEY));
    let Some(curve) = curve(key.algorithm()) else {
        rsa(&document, &mut inner, &mut outer).ok_or_else(unknown)?;
        return Ok(vec![inner, outer]);
    };
    let (kind, number, point) = numbers(curve, &document, key).ok_or_else(unknown)?;
    let point = OctetString::new(point).and_then(|point| point.to_der()).map_err(|_| unknown())?;
    let common = [Attribute::KeyType(kind), Attribute::EcParams(encoded(curve)?)];
    inner.extend(common.clone());
    inner.push(Attribute::Value(number));
    outer.extend(common);
    outer.push(Attribute::EcPoint(point));
    Ok(vec![inner, outer])
}

/// The kind of a key on a curve, its number, and its point.
fn numbers(
    curve: ObjectIdentifier,
    document: &SecretDocument,
    key: &PrivateKey,
) -> Option<(KeyType, Vec<u8>, Vec<u8>)> {
    let der = document.as_bytes();
    // The point ends the SubjectPublicKeyInfo.
    let spki = key.public_key().spki();
    let point = |length: usize| Some(spki.get(spki.len().checked_sub(length)?..)?.to_vec());
    match curve {
        ED25519 => {
            let info = PrivateKeyInfoRef::try_from(der).ok()?;
            let seed = info.private_key.as_bytes().strip_prefix(&[0x04, 0x20])?;
            Some((KeyType::EC_EDWARDS, seed.to_vec(), point(32)?))
        }
        P256 => {
            let key = p256::SecretKey::from_pkcs8_der(der).ok()?;
            Some((KeyType::EC, key.to_bytes().to_vec(), point(65)?))
        }
        _ => {
            let key = k256::SecretKey::from_pkcs8_der(der).ok()?;
            Some((KeyType::EC, key.to_bytes().to_vec(), point(65)?))
        }
    }
}

/// The numbers of an `RSAPrivateKey` (RFC 8017, appendix A.1.2).
fn rsa(
    document: &SecretDocument,
    inner: &mut Vec<Attribute>,
    outer: &mut Vec<Attribute>,
) -> Option<()> {
    let info = PrivateKeyInfoRef::try_from(document.as_bytes()).ok()?;
    let mut reader = SliceReader::new(info.private_key.as_bytes()).ok()?;
    reader
        .sequence(|fields| {
            let mut next = || fields.decode::<UintRef<'_>>().map(|n| n.as_bytes().to_vec());
            next()?;
            let (modulus, exponent) = (next()?, next()?);
            let public = [
                Attribute::KeyType(KeyType::RSA),
                Attribute::Modulus(modulus),
                Attribute::PublicExponent(exponent),
            ];
            inner.extend(public.clone());
            outer.extend(public);
            inner.extend([
                Attribute::PrivateExponent(next()?),
                Attribute::Prime1(next()?),
                Attribute::Prime2(next()?),
                Attribute::Exponent1(next()?),
                Attribute::Exponent2(next()?),
                Attribute::Coefficient(next()?),
            ]);
            Ok::<_, pkcs8::der::Error>(())
        })
        .ok()
}

/// What holds of every key that stays in the token.
fn private(wanted: &Wanted, id: &[u8]) -> Vec<Attribute> {
    let mut attributes = named(wanted, id);
    attributes.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        // Tokens may allow them where nothing is said.
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
    ]);
    attributes
}

fn public(wanted: &Wanted, id: &[u8]) -> Vec<Attribute> {
    let mut attributes = named(wanted, id);
    attributes.extend([Attribute::Private(false), Attribute::Verify(true)]);
    attributes
}

fn named(wanted: &Wanted, id: &[u8]) -> Vec<Attribute> {
    let label = wanted.label.as_ref().map(|label| Attribute::Label(label.clone().into_bytes()));
    let mut attributes = vec![Attribute::Token(true), Attribute::Id(id.to_vec())];
    attributes.extend(label);
    attributes
}

/// The id that is asked for; else the hash of what is public, or a random one.
fn id(wanted: &Wanted, spki: &[u8]) -> Result<Vec<u8>, Wrong> {
    if let Some(id) = &wanted.id {
        return Ok(id.clone());
    }
    if !spki.is_empty() {
        return Ok(digest(&digest::SHA256, spki).as_ref()[..20].to_vec());
    }
    let mut id = vec![0; 20];
    rand::fill(&mut id).map_err(|_| ("gets no random number".into(), "try again".into()))?;
    Ok(id)
}

fn curve(algorithm: Algorithm) -> Option<ObjectIdentifier> {
    [
        (Algorithm::ECDSA_P256, P256),
        (Algorithm::ECDSA_SECP256K1, SECP256K1),
        (Algorithm::ED25519, ED25519),
    ]
    .into_iter()
    .find_map(|(own, curve)| (own == algorithm).then_some(curve))
}

fn encoded(curve: ObjectIdentifier) -> Result<Vec<u8>, Wrong> {
    curve.to_der().map_err(|_| unknown())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others hold nothing secret")]
fn wipe(attribute: &mut Attribute) {
    match attribute {
        Attribute::Value(bytes)
        | Attribute::PrivateExponent(bytes)
        | Attribute::Prime1(bytes)
        | Attribute::Prime2(bytes)
        | Attribute::Exponent1(bytes)
        | Attribute::Exponent2(bytes)
        | Attribute::Coefficient(bytes) => bytes.zeroize(),
        _ => {}
    }
}

fn unknown() -> Wrong {
    ("would be of a kind that tokens do not have".into(), "keep it in a file".into())
}

fn refused(fault: Fault) -> Wrong {
    (format!("cannot be put there: {}", fault.what()), "see what the token takes".into())
}
