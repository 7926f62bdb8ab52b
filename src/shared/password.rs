//! The password of the store's user, which a reload may replace.

use std::sync::{Arc, Mutex, PoisonError};

use crate::secret::SecretCell;

/// The password of this moment. Clones have the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Password(Arc<Mutex<Option<SecretCell>>>);

impl Password {
    /// From now on it is what is in this cell.
    pub(crate) fn set(&self, cell: Option<SecretCell>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = cell;
    }

    /// Its cell.
    pub(super) fn current(&self) -> Option<SecretCell> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
