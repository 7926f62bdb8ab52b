//! Keys at work: what signs, wherever it is, and what signs in this process's memory.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use super::content::Content;
use super::error::SignError;
use super::key::PublicKey;
use super::signature::Signature;

/// A boxed future, for the object-safe traits of this module.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A key that signs and is never seen.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The public half, known since the key was opened.
    fn public_key(&self) -> &PublicKey;

    /// Signs. secp256k1 signatures are deterministic (RFC 6979) and low-S; of the others, those of
    /// P-256 and RSA-PSS alone differ from one time to the next.
    ///
    /// # Errors
    ///
    /// [`SignError::Failed`] when the key's arithmetic or device fails, and when the content is of a
    /// kind that it does not sign; [`SignError::Busy`] when too many wait for it already.
    fn sign<'a>(&'a self, content: Content<'a>) -> BoxFuture<'a, Result<Signature, SignError>>;
}

/// A key in this process's memory that signs on its caller's thread, in tens of microseconds.
pub(super) trait LocalKey: Send + Sync + 'static {
    /// As [`Signer::sign`].
    fn sign(&self, content: Content<'_>) -> Result<Signature, SignError>;
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
}

impl<K> fmt::Debug for LocalSigner<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalSigner({:?})", self.public)
    }
}
