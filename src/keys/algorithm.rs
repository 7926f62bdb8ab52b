//! The table of algorithms: a row for each, and how bytes find theirs.
//!
//! An algorithm is its file below this one and its line in [`Algorithm::ALL`]. Everything that the
//! configuration, the command line and the documentation know of it comes from there.

mod babyjub;
mod ec;
mod ed25519;
mod hash;
mod held;
mod hmac;
mod p256;
mod rsa;
mod rsa_opened;
mod secp256k1;
mod shared;

use std::str::FromStr;

use pkcs8::Document;
pub use rsa_opened::Opened;

use super::content::Digest;
use super::formats::{Encoding, FormatError, Found};
use super::key::{Algorithm, Encoded, PrivateKey, PublicKey};
use super::signature::Signature;
use crate::secret::Secret;

impl Algorithm {
    /// Every algorithm, in the order of the documentation. Bytes that may be a key of several are
    /// one of the first, where nobody says.
    pub const ALL: &[Self] = &[
        Self::ECDSA_P256,
        Self::ECDSA_SECP256K1,
        Self::ED25519,
        Self::EDDSA_BABYJUB,
        Self::RSA_PKCS1_SHA256,
        Self::RSA_PKCS1_SHA512,
        Self::RSA_PSS_SHA256,
        Self::RSA_PSS_SHA512,
        Self::HMAC_SHA1,
        Self::HMAC_SHA256,
        Self::HMAC_SHA384,
        Self::HMAC_SHA512,
        Self::HASH,
    ];
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.iter().copied().find(|a| a.name() == name).ok_or(UnknownAlgorithm)
    }
}

/// The name is not one of [`Algorithm::ALL`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not an algorithm: `countersign keys algorithms` lists them")]
pub struct UnknownAlgorithm;

impl PrivateKey {
    /// Reads a key in any of the known forms.
    ///
    /// `wanted` says the algorithm where the form does not (a bare number) and is checked where it
    /// does. The passphrase is looked at only if the key is encrypted.
    ///
    /// # Errors
    ///
    /// One sentence for each thing that is commonly mistaken for a key, and how to mend it.
    pub fn parse(
        bytes: &[u8],
        wanted: Option<Algorithm>,
        passphrase: Option<&Secret>,
    ) -> Result<Self, FormatError> {
        Self::parse_encoded(bytes, Encoding::Text, wanted, passphrase)
    }

    /// Reads a key that is written in this encoding: DER, a number, or a secret.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`], and for what is not in the encoding.
    pub fn parse_encoded(
        bytes: &[u8],
        encoding: Encoding,
        wanted: Option<Algorithm>,
        passphrase: Option<&Secret>,
    ) -> Result<Self, FormatError> {
        let found = Found::new(bytes, encoding, passphrase)?;
        let named = wanted.and_then(|wanted| wanted.0.read(&found, true));
        if let Some(read) = named {
            return read;
        }
        let read = Algorithm::ALL.iter().find_map(|algorithm| algorithm.0.read(&found, false));
        match (read, wanted) {
            (Some(Ok(key)), Some(wanted)) => Err(other(key.algorithm(), wanted)),
            (Some(read), _) => read,
            (None, Some(wanted)) if found.is_number() => Err(FormatError::new(
                format!("is a bare number, which is no {wanted} key"),
                format!("give a key in a form of {wanted}: {}", wanted.forms()),
            )),
            (None, _) => Err(found.unread()),
        }
    }

    /// Makes a new key in its default size. RSA keys take seconds.
    pub fn generate(algorithm: Algorithm) -> Self {
        algorithm.0.generate(algorithm.sizes().first().copied().unwrap_or_default())
    }

    /// Makes a new key of so many bits; `None` if the algorithm has no such size.
    pub fn generate_sized(algorithm: Algorithm, bits: usize) -> Option<Self> {
        algorithm.sizes().contains(&bits).then(|| algorithm.0.generate(bits))
    }
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
    /// Reads an X.509 SubjectPublicKeyInfo in DER, whose object identifiers name the algorithm;
    /// where several algorithms have the same keys, as the first of them.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        Self::first(Encoded::Spki(der))
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
        let key = match label {
            "PUBLIC KEY" => Self::first(Encoded::Spki(document.as_bytes())),
            "RSA PUBLIC KEY" => Self::first(Encoded::Pkcs1(document.as_bytes())),
            label if label.ends_with("PRIVATE KEY") => return Err(PublicPemFault::Private),
            _ => return Err(PublicPemFault::NotPem),
        };
        key.ok_or(PublicPemFault::Kind)
    }

    /// Reads a SEC 1 point, compressed or not, on the curve of `algorithm`; for Baby Jubjub x and
    /// y, 32 bytes each, big-endian. RSA has no points.
    pub fn from_point(algorithm: Algorithm, point: &[u8]) -> Option<Self> {
        algorithm.0.read_public(Encoded::Point(point))
    }

    /// Reads an SPKI in DER or a point, as a key of this algorithm.
    pub fn of(algorithm: Algorithm, encoded: &[u8]) -> Option<Self> {
        let spki = algorithm.0.read_public(Encoded::Spki(encoded));
        spki.or_else(|| Self::from_point(algorithm, encoded))
    }

    /// The keys of an algorithm that a signature of a digest can be of: of ECDSA up to four, of all
    /// others none (SEC 1, section 4.1.6).
    pub fn recover(algorithm: Algorithm, digest: &Digest, signature: &Signature) -> Vec<Self> {
        algorithm.0.recover(digest, signature)
    }

    /// What stands in an RSA signature; none where the key is no RSA key.
    pub fn open(&self, signature: &[u8]) -> Option<Opened> {
        let rsa = self.algorithm().name().starts_with("rsa_");
        rsa.then(|| rsa_opened::open(&self.spki(), signature)).flatten()
    }

    fn first(encoded: Encoded<'_>) -> Option<Self> {
        Algorithm::ALL.iter().find_map(|algorithm| algorithm.0.read_public(encoded))
    }
}

impl Signature {
    /// Reads an ASN.1 DER `SEQUENCE { r INTEGER, s INTEGER }`, strictly: exact lengths, shortest
    /// integers, both between 1 and the group order of `algorithm`'s curve. ECDSA only.
    pub fn from_der(algorithm: Algorithm, der: &[u8]) -> Option<Self> {
        algorithm.0.read_der(der)
    }

    /// The same of ECDSA with the smaller of the two values of s that verify, as Bitcoin's BIP 62
    /// has it; all else as it is.
    #[must_use]
    pub fn low_s(&self, algorithm: Algorithm) -> Self {
        algorithm.0.low(self)
    }
}

fn other(found: Algorithm, wanted: Algorithm) -> FormatError {
    FormatError::new(
        format!("is an {found} key where an {wanted} key is asked for"),
        format!("use another key, or ask for algorithm {found}"),
    )
}

#[cfg(test)]
mod tests;
