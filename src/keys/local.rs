//! A key in this process's memory, which signs where it is asked.

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use super::content::Content;
use super::error::SignError;
use super::key::{BoxFuture, PublicKey, Signer};
use super::kinship::Kinship;
use super::signature::Signature;
use crate::cost::Cost;

/// A key in this process's memory that signs on its caller's thread, in tens of microseconds.
pub(super) trait LocalKey: Send + Sync + 'static {
    /// What signing a message costs that is hashed already.
    const SIGNING: Cost;

    /// As [`Signer::sign`].
    ///
    /// # Errors
    ///
    /// [`SignError::Failed`]; it is never busy.
    fn sign(&self, content: Content<'_>) -> Result<Signature, SignError>;

    /// As [`Signer::relatives`].
    fn relatives(&self) -> Vec<(Kinship, PublicKey)> {
        Vec::new()
    }
}

/// A [`LocalKey`] as everybody sees it.
pub(super) struct LocalSigner<K> {
    public: PublicKey,
    key: K,
}

impl<K: LocalKey> LocalSigner<K> {
    pub(super) fn shared(public: PublicKey, key: K) -> Arc<dyn Signer> {
        Arc::new(Self { public, key })
    }
}

impl<K: LocalKey> Signer for LocalSigner<K> {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign<'a>(&'a self, content: Content<'a>) -> BoxFuture<'a, Result<Signature, SignError>> {
        Box::pin(ready(self.key.sign(content)))
    }

    fn cost(&self, length: usize) -> Cost {
        K::SIGNING + Cost::hashing(length)
    }

    fn relatives(&self) -> Vec<(Kinship, PublicKey)> {
        self.key.relatives()
    }
}

impl<K> fmt::Debug for LocalSigner<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalSigner({:?})", self.public)
    }
}
