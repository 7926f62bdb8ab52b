//! Keys and the places they live in.
//!
//! A scheme says what is signed and how it is hashed, a key signs: what crosses the line between
//! them is [`Content`], which a key in memory, an HSM, an agent and a remote signer can each serve.
//! A [`Signature`] carries numbers, not an encoding: DER in hex or base64 is a provider's dialect.
//!
//! Stores are opened when a snapshot is built, never while a request waits.

mod algorithm;
pub mod babyjub;
mod content;
mod env;
mod error;
mod file;
mod formats;
mod key;
mod pool;
mod signature;
mod signer;

use std::fmt;
use std::sync::Arc;

pub use algorithm::{PublicPemFault, UnknownAlgorithm};
pub use content::{Content, Derivation, Digest, Hashing, Written};
pub use env::EnvStore;
pub(crate) use env::{Lookup, variable};
pub use error::{KeyError, SignError};
pub use file::FileStore;
pub use formats::FormatError;
pub(crate) use formats::{PassphraseFault, unquoted};
pub use key::{Algorithm, Form, PrivateKey, PublicKey};
pub use signature::Signature;
pub use signer::{BoxFuture, Signer};

use crate::secret::Secret;

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
