//! Keys and the places they live in.
//!
//! A scheme says what is signed and how it is hashed, a key signs: what crosses the line between
//! them is [`Content`], which a key in memory, an HSM, an agent and a remote signer can each serve.
//! A [`Signature`] carries numbers, not an encoding: DER in hex or base64 is a provider's dialect.
//!
//! Stores are opened when a snapshot is built, never while a request waits.

pub mod babyjub;
mod content;
mod env;
mod error;
mod file;
mod formats;
mod local;
mod pool;
mod public;
pub mod rsa;
mod signature;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

pub use content::{Content, Derivation, Digest, Hashing, Written};
pub use env::EnvStore;
pub(crate) use env::{Lookup, variable};
pub use error::{KeyError, SignError};
pub use file::FileStore;
pub use formats::{FormatError, PrivateKey};
pub(crate) use formats::{PassphraseFault, unquoted};
pub use local::LocalSigner;
pub use public::{PublicKey, PublicPemFault};
pub use signature::Signature;

use crate::secret::Secret;

/// A boxed future, for the two object-safe traits of this module.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a key does. The name in brackets is how the configuration writes it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Algorithm {
    /// ECDSA over NIST P-256 (`ecdsa_p256`).
    EcdsaP256,
    /// ECDSA over secp256k1 (`ecdsa_secp256k1`).
    EcdsaSecp256k1,
    /// Loopring's EdDSA over Baby Jubjub (`eddsa_babyjub`).
    EddsaBabyJub,
    /// RSA with PKCS#1 v1.5 padding over SHA-256 (`rsa_pkcs1_sha256`), 2048 to 8192 bits.
    RsaPkcs1Sha256,
}

impl Algorithm {
    /// Every algorithm, in the order of the documentation.
    pub const ALL: &[Self] =
        &[Self::EcdsaP256, Self::EcdsaSecp256k1, Self::EddsaBabyJub, Self::RsaPkcs1Sha256];

    /// The name in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa_p256",
            Self::EcdsaSecp256k1 => "ecdsa_secp256k1",
            Self::EddsaBabyJub => "eddsa_babyjub",
            Self::RsaPkcs1Sha256 => "rsa_pkcs1_sha256",
        }
    }

    /// How names of files with such a key end: those of [`PrivateKey::to_text`].
    pub fn file_extension(self) -> &'static str {
        match self {
            Self::EcdsaP256 | Self::EcdsaSecp256k1 | Self::RsaPkcs1Sha256 => "pem",
            Self::EddsaBabyJub => "json",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.iter().copied().find(|a| a.name() == name).ok_or(UnknownAlgorithm)
    }
}

/// The name is not one of [`Algorithm::ALL`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not an algorithm: use ecdsa_p256, ecdsa_secp256k1, eddsa_babyjub or rsa_pkcs1_sha256")]
pub struct UnknownAlgorithm;

/// Which key to open: an entry of a store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySpec {
    /// The name under `[keys]`, for messages.
    pub name: String,
    /// The entry in the store: a file name, a variable's suffix.
    pub entry: String,
    /// What the configuration says the key is. Needed where the entry does not say (raw hex);
    /// checked where it does.
    pub algorithm: Option<Algorithm>,
}

/// A key that signs and is never seen.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The public half, known since the key was opened.
    fn public_key(&self) -> &PublicKey;

    /// Signs. secp256k1 signatures are deterministic (RFC 6979) and low-S; those of Baby Jubjub and
    /// of RSA are deterministic.
    ///
    /// # Errors
    ///
    /// [`SignError::Failed`] when the key's arithmetic or device fails, and when the content is of a
    /// kind that it does not sign; [`SignError::Busy`] when too many wait for it already.
    fn sign<'a>(&'a self, content: Content<'a>) -> BoxFuture<'a, Result<Signature, SignError>>;
}

/// A place keys and secrets live in. Asked when a snapshot is built, never by a request.
pub trait KeyStore: fmt::Debug + Send + Sync {
    /// Opens a private key.
    ///
    /// # Errors
    ///
    /// Which entry, what is wrong with it, and how to mend it.
    fn open<'a>(&'a self, key: &'a KeySpec) -> BoxFuture<'a, Result<Arc<dyn Signer>, KeyError>>;

    /// Reads an entry as bytes, as they are stored but for what a tool has put around them.
    ///
    /// # Errors
    ///
    /// Which entry, what is wrong with it, and how to mend it.
    fn read<'a>(&'a self, entry: &'a str) -> BoxFuture<'a, Result<Secret, KeyError>>;
}
