//! What the connections of a signer share: what they answer from, and the file they write to.

use std::sync::{Arc, PoisonError, RwLock};

use super::held::Held;
use crate::audit::{Audit, SignatureEntry};
use crate::problem::Problem;

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct Shared {
    held: RwLock<Arc<Held>>,
    audit: Audit,
    durable: bool,
}

impl Shared {
    /// With this to answer from, and this file to write to.
    pub(crate) fn new(held: Held, audit: Audit, durable: bool) -> Arc<Self> {
        Arc::new(Self { held: RwLock::new(Arc::new(held)), audit, durable })
    }

    /// Answers from this from now on.
    pub(crate) fn replace(&self, held: Held) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
    }

    /// The file of signatures.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// What is answered from now.
    pub(super) fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes a line down before its signature is given out.
    ///
    /// # Errors
    ///
    /// When it is not written.
    pub(super) async fn write(&self, entry: SignatureEntry) -> Result<(), Problem> {
        if self.durable { self.audit.append(entry).await } else { self.audit.note(&entry) }
    }
}
