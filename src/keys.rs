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
mod exec;
mod file;
mod formats;
mod hosted;
mod key;
pub(crate) mod kinds;
mod kinship;
mod local;
mod need;
mod pkcs11;
mod reach;
pub(crate) mod remote;
mod signature;
mod ssh_agent;
mod store;
mod systemd;
mod turns;
mod vault;

pub use algorithm::{Opened, PublicPemFault, UnknownAlgorithm};
pub use content::{Content, Derivation, Digest, Hash, Hashing, Written};
pub(crate) use env::{Lookup, variable};
pub use error::SignError;
pub(crate) use error::pasted;
pub(crate) use exec::{launcher, words as command};
pub(crate) use file::read_private;
pub use formats::{Encoding, FormatError, UnknownEncoding};
pub(crate) use formats::{PassphraseFault, unquoted};
pub(crate) use hosted::{Fault, Hosted, Input, Service};
pub use key::{Algorithm, BoxFuture, Form, PrivateKey, PublicKey, Signer};
pub use kinship::Kinship;
pub use need::{Need, StoreVariables};
pub(crate) use reach::needs;
pub use signature::Signature;
pub(crate) use store::GIVEN;
pub use store::{
    ByteStore, Given, KeySpec, KeyStore, Needed, Parts, SettingKind, SignerStore, StoreKind,
    StoreSetting, StoreSettings,
};
