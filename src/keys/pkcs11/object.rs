//! Keys as a token has them: which objects an entry names, what kind of key they are, and the public
//! half that lies beside a private one.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::{AnyRef, OctetString, UintRef};
use pkcs8::der::{Decode as _, Encode as _, Tag};

use super::fault::Fault;
use super::uri::Wanted;
use crate::keys::key::Encoded;
use crate::keys::{Algorithm, PublicKey};

/// A private or secret key.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) handle: ObjectHandle,
    /// What it can be used for, the usual one first.
    pub(super) fits: Vec<Algorithm>,
    /// Whether the token wants the PIN before each signature.
    pub(super) asks_always: bool,
    /// None where there is none, or it was not found.
    half: Option<Half>,
}

/// What is public of it.
#[derive(Debug)]
enum Half {
    /// A point as the token writes it.
    Point(Vec<u8>),
    /// An `RSAPublicKey`.
    Rsa(Vec<u8>),
    /// An X.509 SubjectPublicKeyInfo.
    Spki(Vec<u8>),
}

/// The keys that an entry names.
pub(super) fn named(session: &Session, wanted: &Wanted) -> Result<Vec<Object>, Fault> {
    let mut objects = Vec::new();
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY] {
        let mut template = vec![Attribute::Class(class)];
        let label = wanted.label.as_ref().map(|label| label.clone().into_bytes());
        template.extend(label.map(Attribute::Label));
        template.extend(wanted.id.clone().map(Attribute::Id));
        for handle in session.find_objects(&template)? {
            objects.push(Object::read(session, handle)?);
        }
    }
    Ok(objects)
}

impl Object {
    fn read(session: &Session, handle: ObjectHandle) -> Result<Self, Fault> {
        let own = Values::read(session, handle, OWN)?;
        let fits = own.algorithms();
        let mut half = own.half();
        if half.is_none() && !fits.iter().all(|algorithm| algorithm.is_shared()) {
            half = beside(session, &own)?;
        }
        Ok(Self { handle, fits, asks_always: own.asks_always, half })
    }

    /// The public half as a key of this algorithm; nothing where there is none.
    pub(super) fn public_key(&self, algorithm: Algorithm) -> Option<PublicKey> {
        match self.half.as_ref()? {
            Half::Spki(der) => algorithm.0.read_public(Encoded::Spki(der)),
            Half::Rsa(der) => algorithm.0.read_public(Encoded::Pkcs1(der)),
            // The standard has it in an OCTET STRING, and tokens have it without.
            Half::Point(point) => OctetString::from_der(point)
                .ok()
                .and_then(|inner| PublicKey::from_point(algorithm, inner.as_bytes()))
                .or_else(|| PublicKey::from_point(algorithm, point)),
        }
    }
}

/// The public half of a key, which has its id, or else its label.
fn beside(session: &Session, own: &Values) -> Result<Option<Half>, Fault> {
    let id = own.id.clone().filter(|id| !id.is_empty()).map(Attribute::Id);
    let label = own.label.clone().filter(|label| !label.is_empty()).map(Attribute::Label);
    for name in [id, label].into_iter().flatten() {
        for handle in session.find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY), name])? {
            if let Some(half) = Values::read(session, handle, BESIDE)?.half() {
                return Ok(Some(half));
            }
        }
    }
    Ok(None)
}

/// Attributes of an object, those that it has.
#[derive(Debug, Default)]
struct Values {
    kind: Option<KeyType>,
    curve: Option<Vec<u8>>,
    point: Option<Vec<u8>>,
    modulus: Option<Vec<u8>>,
    exponent: Option<Vec<u8>>,
    spki: Option<Vec<u8>>,
    id: Option<Vec<u8>>,
    label: Option<Vec<u8>>,
    asks_always: bool,
}

impl Values {
    #[expect(clippy::wildcard_enum_match_arm, reason = "no others are asked for")]
    fn read(
        session: &Session,
        handle: ObjectHandle,
        types: &[AttributeType],
    ) -> Result<Self, Fault> {
        let mut values = Self::default();
        for attribute in session.get_attributes(handle, types)? {
            match attribute {
                Attribute::KeyType(kind) => values.kind = Some(kind),
                Attribute::EcParams(curve) => values.curve = Some(curve),
                Attribute::EcPoint(point) => values.point = Some(point),
                Attribute::Modulus(modulus) => values.modulus = Some(modulus),
                Attribute::PublicExponent(exponent) => values.exponent = Some(exponent),
                Attribute::PublicKeyInfo(spki) => values.spki = Some(spki),
                Attribute::Id(id) => values.id = Some(id),
                Attribute::Label(label) => values.label = Some(label),
                Attribute::AlwaysAuthenticate(asks) => values.asks_always = asks,
                _ => {}
            }
        }
        Ok(values)
    }

    fn algorithms(&self) -> Vec<Algorithm> {
        let curve = self.curve.as_deref();
        let named = |oid| curve.and_then(|der| ObjectIdentifier::from_der(der).ok()) == Some(oid);
        match self.kind {
            Some(KeyType::EC) if named(P256) => vec![Algorithm::ECDSA_P256],
            Some(KeyType::EC) if named(SECP256K1) => vec![Algorithm::ECDSA_SECP256K1],
            Some(KeyType::EC_EDWARDS) if named(ED25519) || curve == Some(EDWARDS25519) => {
                vec![Algorithm::ED25519]
            }
            Some(KeyType::RSA) => vec![
                Algorithm::RSA_PKCS1_SHA256,
                Algorithm::RSA_PKCS1_SHA512,
                Algorithm::RSA_PSS_SHA256,
                Algorithm::RSA_PSS_SHA512,
            ],
            Some(KeyType::GENERIC_SECRET) => vec![
                Algorithm::HMAC_SHA256,
                Algorithm::HMAC_SHA1,
                Algorithm::HMAC_SHA384,
                Algorithm::HMAC_SHA512,
            ],
            Some(KeyType::SHA_1_HMAC) => vec![Algorithm::HMAC_SHA1],
            // The crate reads the types for SHA-384 and SHA-512 as this one too.
            Some(KeyType::SHA256_HMAC) => {
                vec![Algorithm::HMAC_SHA256, Algorithm::HMAC_SHA384, Algorithm::HMAC_SHA512]
            }
            _ => Vec::new(),
        }
    }

    fn half(&self) -> Option<Half> {
        let filled = |value: &Option<Vec<u8>>| value.clone().filter(|value| !value.is_empty());
        if let (Some(modulus), Some(exponent)) = (filled(&self.modulus), filled(&self.exponent)) {
            return rsa(&modulus, &exponent).map(Half::Rsa);
        }
        let point = filled(&self.point).map(Half::Point);
        point.or_else(|| filled(&self.spki).map(Half::Spki))
    }
}

/// `RSAPublicKey` (RFC 8017, appendix A.1.1).
fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let number = |bytes| UintRef::new(bytes).and_then(|number| number.to_der()).ok();
    let members = [number(modulus)?, number(exponent)?].concat();
    AnyRef::new(Tag::Sequence, &members).and_then(|sequence| sequence.to_der()).ok()
}

const OWN: &[AttributeType] = &[
    AttributeType::KeyType,
    AttributeType::EcParams,
    AttributeType::Id,
    AttributeType::Label,
    AttributeType::AlwaysAuthenticate,
    AttributeType::Modulus,
    AttributeType::PublicExponent,
    AttributeType::PublicKeyInfo,
];

const BESIDE: &[AttributeType] = &[
    AttributeType::KeyType,
    AttributeType::EcPoint,
    AttributeType::Modulus,
    AttributeType::PublicExponent,
];

/// secp256r1 and secp256k1 (SEC 2), Ed25519 (RFC 8410).
pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(super) const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Ed25519's curve as a `PrintableString`, which PKCS#11 3.0 has beside the identifier.
const EDWARDS25519: &[u8] = b"\x13\x0cedwards25519";
