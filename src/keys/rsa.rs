//! RSA keys for PKCS#1 v1.5 signatures over SHA-256 (RFC 8017, section 8.2), in the TLS library.
//!
//! Signatures are deterministic. They take hundreds of microseconds to milliseconds, so keys are
//! put to work on `pool`'s threads and not on the workers that serve requests.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest::{Digest as Sha256Digest, SHA256};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, PublicEncryptingKey, PublicKey as LibraryKey};
use aws_lc_rs::signature::{
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use pkcs8::der::asn1::{AnyRef, UintRef};
use pkcs8::der::{self, Reader as _, SliceReader};
use pkcs8::spki::SubjectPublicKeyInfoRef;
use pkcs8::{EncodePrivateKey, ObjectIdentifier, SecretDocument};

use super::{Digest, SignError};

/// A private key of 2048 to 8192 bits. The library wipes it when the last copy is dropped.
#[derive(Clone)]
pub struct PrivateKey {
    pair: RsaKeyPair,
    public: PublicKey,
}

/// The public half.
#[derive(Clone)]
pub struct PublicKey {
    spki: Arc<[u8]>,
    bits: usize,
    verifier: ParsedPublicKey,
}

/// Sizes that new keys are made in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Size {
    /// 2048 bits, the least that is accepted anywhere.
    Bits2048,
    /// 3072 bits: as hard to break as the 256-bit curves, which makes it the one to choose where
    /// nobody asks for more. Signatures take half the time of 4096.
    #[default]
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

/// Why bytes are not a usable private key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// Not what it should look like, or its numbers do not belong together.
    Damaged,
    /// More than two primes.
    MultiPrime,
    /// So many bits are outside of [`MIN_BITS`] to [`MAX_BITS`].
    Bits(usize),
}

impl PrivateKey {
    /// Makes a new key. Takes seconds for the larger sizes.
    pub(super) fn generate(size: Size) -> Self {
        let size = match size {
            Size::Bits2048 => KeySize::Rsa2048,
            Size::Bits3072 => KeySize::Rsa3072,
            Size::Bits4096 => KeySize::Rsa4096,
        };
        let pair = RsaKeyPair::generate(size).expect("the library makes keys of its own sizes");
        Self::new(pair).expect("the library's own key has an encoding")
    }

    /// Reads an `RSAPrivateKey` (RFC 8017, appendix A.1.2) and nothing after it. The library
    /// checks that its numbers belong together.
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, Fault> {
        let (version, bits) = modulus(der).map_err(|_| Fault::Damaged)?;
        if version != 0 {
            return Err(Fault::MultiPrime);
        }
        if !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return Err(Fault::Bits(bits));
        }
        let pair = RsaKeyPair::from_der(der).map_err(|_| Fault::Damaged)?;
        Self::new(pair).ok_or(Fault::Damaged)
    }

    fn new(pair: RsaKeyPair) -> Option<Self> {
        let public = PublicKey::from_pkcs1(pair.public_key().as_ref())?;
        Some(Self { pair, public })
    }

    pub(super) fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs, on the caller's thread. The same digest gets the same signature.
    pub(super) fn sign(&self, digest: &Digest) -> Result<Vec<u8>, SignError> {
        let failed = |_| SignError::Failed("the library made no signature");
        // "Less safe" because it takes a hash's word for it; hashing is the scheme's part.
        let digest = Sha256Digest::import_less_safe(&digest.0, &SHA256).map_err(failed)?;
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature).map_err(failed)?;
        Ok(signature)
    }
}

impl EncodePrivateKey for PrivateKey {
    fn to_pkcs8_der(&self) -> pkcs8::Result<SecretDocument> {
        let der: Result<Pkcs8V1Der<'_>, _> = self.pair.as_der();
        let der = der.map_err(|_| pkcs8::Error::KeyMalformed(pkcs8::KeyError::Invalid))?;
        Ok(SecretDocument::try_from(der.as_ref())?)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl PublicKey {
    /// Reads an X.509 SubjectPublicKeyInfo that says `rsaEncryption`; `None` for keys that are
    /// for PSS alone, and for those of less than 2048 bits or more than 8192.
    pub(super) fn from_spki(der: &[u8]) -> Option<Self> {
        let info = SubjectPublicKeyInfoRef::try_from(der).ok()?;
        if info.algorithm.oid != RSA_ENCRYPTION {
            return None;
        }
        Self::from_pkcs1(info.subject_public_key.as_bytes()?)
    }

    /// Reads an `RSAPublicKey` (RFC 8017, appendix A.1.1), under the same limits.
    pub(super) fn from_pkcs1(der: &[u8]) -> Option<Self> {
        let key = LibraryKey::from_der(der).ok()?;
        let spki: PublicKeyX509Der<'_> = key.as_der().ok()?;
        // This one looks at the size as well.
        let bits = PublicEncryptingKey::from_der(spki.as_ref()).ok()?.key_size_bits();
        let verifier = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki.as_ref()).ok()?;
        Some(Self { spki: spki.as_ref().into(), bits, verifier })
    }

    /// The size of the modulus.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// The X.509 SubjectPublicKeyInfo in DER.
    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    pub(super) fn verifies(&self, digest: &Digest, signature: &[u8]) -> bool {
        let digest = Sha256Digest::import_less_safe(&digest.0, &SHA256);
        digest.is_ok_and(|digest| self.verifier.verify_digest_sig(&digest, signature).is_ok())
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bits)", self.bits)
    }
}

impl Size {
    /// Every size, from the smallest.
    pub const ALL: &[Self] = &[Self::Bits2048, Self::Bits3072, Self::Bits4096];

    /// The size of the modulus.
    pub fn bits(self) -> usize {
        match self {
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
            Self::Bits4096 => 4096,
        }
    }
}

impl FromStr for Size {
    type Err = UnknownSize;

    fn from_str(bits: &str) -> Result<Self, UnknownSize> {
        Self::ALL.iter().copied().find(|size| size.bits().to_string() == bits).ok_or(UnknownSize)
    }
}

/// The number is not one of [`Size::ALL`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not a size of new keys: use 2048, 3072 or 4096")]
pub struct UnknownSize;

/// The version of an `RSAPrivateKey`, and how many bits its modulus has.
fn modulus(der: &[u8]) -> der::Result<(u8, usize)> {
    let mut reader = SliceReader::new(der)?;
    let found = reader.sequence(|fields| {
        let version: u8 = fields.decode()?;
        let modulus: UintRef<'_> = fields.decode()?;
        while !fields.is_finished() {
            fields.decode::<AnyRef<'_>>()?;
        }
        let bytes = modulus.as_bytes();
        let zeros = bytes.first().map_or(0, |byte| byte.leading_zeros() as usize);
        Ok::<_, der::Error>((version, 8 * bytes.len() - zeros))
    })?;
    reader.finish()?;
    Ok(found)
}

/// Keys below this are refused, as providers do.
pub(super) const MIN_BITS: usize = 2048;

/// Keys above this are refused: they sign for tens of milliseconds, and the library has no use
/// for them.
pub(super) const MAX_BITS: usize = 8192;

/// `rsaEncryption` (RFC 8017, appendix A.1).
pub(super) const RSA_ENCRYPTION: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
