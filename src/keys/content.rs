//! The input of a signature: a digest, a message, a message under a derived MAC key, or the two
//! texts around a secret in a hash.
//!
//! Keys differ in who hashes. ECDSA takes a digest; Ed25519, MACs and most agents take the message
//! and hash themselves; a KMS takes either, up to a length. So a scheme says with [`Hashing`] how
//! its text becomes what is signed, and a signer is given [`Content`], which keeps the message
//! beside its digest wherever there is one.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// 32 bytes that are signed as they are. For Baby Jubjub they are an element of its field,
/// big-endian, and the scheme has reduced its hash to one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digest(pub [u8; 32]);

/// How a text becomes what a key signs.
#[derive(Clone, Debug)]
pub enum Hashing {
    /// By SHA-256: a key signs this digest, or the text if it hashes itself.
    Sha256(Digest),
    /// By a rule of the scheme's own, which no key can follow: it signs this digest.
    Own(Digest),
    /// Not before the key has it: its algorithm takes the text as it is.
    Message,
    /// Not before the key has it: the text is authenticated under a key that is derived first.
    Mac(Box<Derivation>),
    /// Not before the key has it: the secret stands in the text before this byte, and all of it is
    /// hashed.
    Hash(Hash, usize),
}

/// What a secret and the texts around it are hashed with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hash {
    /// MD5 (RFC 1321), which is broken.
    Md5,
    /// SHA-1 (FIPS 180-4), which is broken.
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
}

/// What a signer is given: a [`Hashing`] and its text.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A digest.
    Digest {
        /// What is signed.
        digest: &'a Digest,
        /// The message whose SHA-256 it is, for signers that hash themselves; none where the
        /// digest is of another kind, which such a signer cannot sign.
        sha256_of: Option<&'a [u8]>,
    },
    /// A message, which the algorithm hashes if it hashes at all.
    Message(&'a [u8]),
    /// A message under a MAC whose key is derived from the signer's own.
    Mac {
        /// How.
        derivation: &'a Derivation,
        /// What is authenticated.
        message: &'a [u8],
    },
    /// Texts that are hashed with the key's secret between them.
    Hash {
        /// With what.
        hash: Hash,
        /// What stands before the secret.
        before: &'a [u8],
        /// What stands behind it.
        behind: &'a [u8],
    },
}

/// How a MAC's key is derived from a secret, as in AWS Signature Version 4 ("Deriving the signing
/// key"): `MAC(MAC(MAC(prefix ‖ secret ‖ suffix, over[0]), over[1]), …)`.
#[derive(Clone, Default)]
pub struct Derivation {
    /// Put before the secret: `AWS4`.
    pub prefix: Vec<u8>,
    /// Put after the secret; may be a secret itself, as in OAuth 1.0a (RFC 5849, section 3.4.2).
    pub suffix: Option<Arc<Secret>>,
    /// What is authenticated in turn, each with the result before it as the key.
    pub over: Vec<Vec<u8>>,
    /// How each result is written to be the next key.
    pub written: Written,
}

/// How a MAC is written where it becomes a key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Written {
    /// As bytes.
    #[default]
    Raw,
    /// In base64 with padding (RFC 4648, section 4), as Akamai's EdgeGrid does.
    Base64,
    /// In lower-case hex.
    Hex,
}

impl Hash {
    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
        }
    }
}

impl Hashing {
    /// The SHA-256 of `text`.
    pub fn sha256(text: &[u8]) -> Self {
        Self::Sha256(Digest(Sha256::digest(text).into()))
    }

    /// What a signer is given of `text`, which must be the one that was hashed.
    pub fn content<'a>(&'a self, text: &'a [u8]) -> Content<'a> {
        match self {
            Self::Sha256(digest) => Content::Digest { digest, sha256_of: Some(text) },
            Self::Own(digest) => Content::Digest { digest, sha256_of: None },
            Self::Message => Content::Message(text),
            Self::Mac(derivation) => Content::Mac { derivation, message: text },
            Self::Hash(hash, at) => {
                let (before, behind) = text.split_at((*at).min(text.len()));
                Content::Hash { hash: *hash, before, behind }
            }
        }
    }

    /// Whether a key is given the same of the same text.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sha256(one), Self::Sha256(two)) | (Self::Own(one), Self::Own(two)) => one == two,
            (Self::Message, Self::Message) => true,
            (Self::Mac(one), Self::Mac(two)) => one.is(two),
            (Self::Hash(one, at), Self::Hash(two, there)) => one == two && at == there,
            (Self::Sha256(_) | Self::Own(_) | Self::Message | Self::Mac(_) | Self::Hash(..), _) => {
                false
            }
        }
    }

    /// The digest, where the scheme made one.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Sha256(digest) | Self::Own(digest) => Some(digest),
            Self::Message | Self::Mac(_) | Self::Hash(..) => None,
        }
    }

    /// What it is called beside a canonical text.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "sha-256",
            Self::Own(_) => "digest",
            Self::Message => "message",
            Self::Mac(_) => "mac",
            Self::Hash(..) => "hash",
        }
    }
}

impl Derivation {
    fn is(&self, other: &Self) -> bool {
        let same = match (&self.suffix, &other.suffix) {
            (Some(one), Some(two)) => verify_slices_are_equal(one.expose(), two.expose()).is_ok(),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same && self.prefix == other.prefix
            && self.over == other.over
            && self.written == other.written
    }
}

impl<'a> Content<'a> {
    /// A digest that is not known to be of anything.
    pub fn digest(digest: &'a Digest) -> Self {
        Self::Digest { digest, sha256_of: None }
    }
}

impl fmt::Debug for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Derivation({} steps)", self.over.len())
    }
}
