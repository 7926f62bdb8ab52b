//! Private keys in DER: PKCS#8, plain and encrypted, SEC 1, and PKCS#1.
//!
//! The structures are told apart by the types of their first members, so that one look says
//! what a file is, whatever its label claims.

use pkcs8::der::asn1::{AnyRef, BitStringRef, ContextSpecific, OctetStringRef};
use pkcs8::der::{self, Decode as _, Reader, SliceReader, Tag, TagMode, TagNumber, Tagged as _};
use pkcs8::pkcs5::pbes2::{Parameters, Pbkdf2Prf};
use pkcs8::pkcs5::{EncryptionScheme, Error as Pkcs5Error};
use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::error::{FormatError, PassphraseFault, unknown};
use super::form::Form;
use crate::secret::Secret;

/// Reads a private key in any of its DER forms.
pub(super) fn read(der: &[u8], passphrase: Option<&Secret>) -> Result<Form, FormatError> {
    let refused = |what: &str| {
        Err(FormatError::new(
            format!("is {what}"),
            "give the private key, in PKCS#8, SEC 1 or PKCS#1",
        ))
    };
    match shape(der) {
        Some(Shape::Pkcs8) => pkcs8_key(der),
        Some(Shape::Sec1) => sec1_key(der, None),
        Some(Shape::Encrypted) => pkcs8_key(&decrypt(der, passphrase)?),
        Some(Shape::Pkcs1) => Ok(Form::Pkcs1(Zeroizing::new(der.to_vec()))),
        Some(Shape::Public) => refused("a public key"),
        Some(Shape::Certificate) => refused("a certificate, which holds a public key only"),
        None => Err(unknown()),
    }
}

/// The first DER value of the bytes, and what follows it.
pub(super) fn first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(bytes).ok()?;
    let value = reader.tlv_bytes().ok()?;
    Some(bytes.split_at(value.len()))
}

/// The error for an encryption this program does not open, and OpenSSL does.
pub(super) fn reencrypt(what: &str) -> FormatError {
    FormatError::new(
        what,
        "encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 \
         -in FILE -out FILE.new",
    )
}

enum Shape {
    Pkcs8,
    Sec1,
    Encrypted,
    Pkcs1,
    Public,
    Certificate,
}

fn shape(der: &[u8]) -> Option<Shape> {
    let mut reader = SliceReader::new(AnyRef::from_der(der).ok()?.value()).ok()?;
    let mut tags = Vec::new();
    while tags.len() < 3 && !reader.is_finished() {
        tags.push(reader.decode::<AnyRef<'_>>().ok()?.tag());
    }
    match tags[..] {
        [Tag::Integer, Tag::Sequence, Tag::OctetString] => Some(Shape::Pkcs8),
        [Tag::Integer, Tag::OctetString, ..] => Some(Shape::Sec1),
        [Tag::Integer, Tag::Integer, Tag::Integer] => Some(Shape::Pkcs1),
        [Tag::Sequence, Tag::OctetString] => Some(Shape::Encrypted),
        [Tag::Sequence, Tag::BitString] | [Tag::Integer, Tag::Integer] => Some(Shape::Public),
        [Tag::Sequence, Tag::Sequence, Tag::BitString] => Some(Shape::Certificate),
        _ => None,
    }
}

fn pkcs8_key(der: &[u8]) -> Result<Form, FormatError> {
    let damaged = || FormatError::damaged("PKCS#8");
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| damaged())?;
    let public = info.public_key.and_then(|public| public.as_bytes()).map(<[u8]>::to_vec);
    let oid = info.algorithm.oid;
    if oid != EC_PUBLIC_KEY {
        let key = Zeroizing::new(info.private_key.as_bytes().to_vec());
        return Ok(Form::Pkcs8 { oid, key, public });
    }
    let curve = curve(info.algorithm.parameters.ok_or_else(damaged)?)?;
    let mut form = sec1_key(info.private_key.as_bytes(), Some(curve))?;
    if let Form::Ec { public: beside, .. } = &mut form {
        beside.extend(public);
    }
    Ok(form)
}

/// Reads an `ECPrivateKey`, of which the number alone is obligatory. `outer` is the curve of the
/// PKCS#8 around it.
fn sec1_key(der: &[u8], outer: Option<ObjectIdentifier>) -> Result<Form, FormatError> {
    let inner = ec_private_key(der).map_err(|_| FormatError::damaged("SEC 1"))?;
    let named = inner.parameters.map(curve).transpose()?;
    if let (Some(named), Some(outer)) = (named, outer)
        && named != outer
    {
        let (named, outer) = (name_of(named), name_of(outer));
        return Err(FormatError::new(
            format!("names two curves, {outer} outside and {named} inside"),
            "export the key again from where it is from",
        ));
    }
    Ok(Form::Ec {
        curve: named.or(outer),
        number: Zeroizing::new(inner.number.to_vec()),
        public: inner.public.iter().map(|point| point.to_vec()).collect(),
    })
}

struct EcPrivateKey<'a> {
    number: &'a [u8],
    parameters: Option<AnyRef<'a>>,
    public: Option<&'a [u8]>,
}

fn ec_private_key(der: &[u8]) -> der::Result<EcPrivateKey<'_>> {
    let mut reader = SliceReader::new(der)?;
    let key = reader.sequence(|fields| {
        let _version: u8 = fields.decode()?;
        let number: &OctetStringRef = fields.decode()?;
        let parameters = ContextSpecific::decode_explicit(fields, TagNumber(0))?;
        let public: Option<BitStringRef<'_>> =
            fields.context_specific(TagNumber(1), TagMode::Explicit)?;
        let public = public.and_then(|public| public.as_bytes());
        Ok::<_, der::Error>(EcPrivateKey {
            number: number.as_bytes(),
            parameters: parameters.map(|field| field.value),
            public,
        })
    })?;
    reader.finish()?;
    Ok(key)
}

fn curve(parameters: AnyRef<'_>) -> Result<ObjectIdentifier, FormatError> {
    parameters.decode_as().map_err(|_| {
        FormatError::new(
            "spells its curve out instead of naming it",
            "name it: openssl ec -in FILE -param_enc named_curve -out FILE.new",
        )
    })
}

fn decrypt(der: &[u8], passphrase: Option<&Secret>) -> Result<Zeroizing<Vec<u8>>, FormatError> {
    let info = EncryptedPrivateKeyInfoRef::try_from(der)
        .map_err(|_| reencrypt("is encrypted in a way that is too old or not known here"))?;
    openable(&info.encryption_algorithm)?;
    let fault = |passphrase, what: &str, fix: &str| {
        Err(FormatError { passphrase, ..FormatError::new(what, fix) })
    };
    let Some(passphrase) = passphrase else {
        return fault(
            PassphraseFault::Missing,
            "is encrypted, and there is no passphrase",
            "give the passphrase, or a key that is not encrypted",
        );
    };
    let mut bytes = Zeroizing::new(info.encrypted_data.as_bytes().to_vec());
    let opened = info.encryption_algorithm.decrypt_in_place(passphrase.expose(), &mut bytes);
    let length = match opened {
        Ok(plain) => plain.len(),
        Err(Pkcs5Error::DecryptFailed) => 0,
        Err(_) => return Err(reencrypt("is encrypted in a way that is not known here")),
    };
    bytes.truncate(length);
    // The wrong passphrase sometimes ends in right padding by chance, and then in noise.
    if !matches!(shape(&bytes), Some(Shape::Pkcs8)) {
        return fault(
            PassphraseFault::Wrong,
            "is encrypted, and the passphrase does not open it",
            "give the passphrase it was encrypted with",
        );
    }
    Ok(bytes)
}

/// Refuses what the library would refuse less clearly, and a cost it would not survive.
fn openable(scheme: &EncryptionScheme) -> Result<(), FormatError> {
    let EncryptionScheme::Pbes2(Parameters { kdf, .. }) = scheme else {
        return Err(reencrypt("is encrypted with PBES1, which is broken"));
    };
    if kdf.pbkdf2().is_some_and(|parameters| parameters.prf == Pbkdf2Prf::HmacWithSha1) {
        return Err(reencrypt("is encrypted with a key derived by SHA-1"));
    }
    let Some(scrypt) = kdf.scrypt() else {
        return Ok(());
    };
    let n = scrypt.cost_parameter;
    let bytes = n.saturating_mul(128 * u64::from(scrypt.block_size));
    // The library panics on a cost of zero.
    if !n.is_power_of_two() || bytes > MAX_SCRYPT_BYTES {
        return Err(reencrypt("is encrypted with a cost that makes no sense"));
    }
    Ok(())
}

/// What the kind of a key or a curve is called.
pub(super) fn name_of(oid: ObjectIdentifier) -> String {
    let known = NAMES.iter().find(|(known, _)| *known == oid);
    known.map_or_else(|| format!("object identifier {oid}"), |(_, name)| (*name).to_owned())
}

const fn oid(dotted: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(dotted)
}

const EC_PUBLIC_KEY: ObjectIdentifier = oid("1.2.840.10045.2.1");
/// Kinds of keys and curves that turn up in key files.
const NAMES: &[(ObjectIdentifier, &str)] = &[
    (oid("1.2.840.10040.4.1"), "DSA"),
    (oid("1.3.101.110"), "X25519"),
    (oid("1.3.101.112"), "Ed25519"),
    (oid("1.3.101.113"), "Ed448"),
    (oid("1.2.840.10045.3.1.7"), "P-256"),
    (oid("1.3.132.0.10"), "secp256k1"),
    (oid("1.2.840.10045.3.1.1"), "P-192"),
    (oid("1.3.132.0.33"), "P-224"),
    (oid("1.3.132.0.34"), "P-384"),
    (oid("1.3.132.0.35"), "P-521"),
    (oid("1.3.36.3.3.2.8.1.1.7"), "brainpoolP256r1"),
    (oid("1.2.156.10197.1.301"), "SM2"),
];

/// OpenSSL writes files of 16 MiB and opens none above 32 MiB.
const MAX_SCRYPT_BYTES: u64 = 256 * 1024 * 1024;
