//! The passwords of the store and of its Sentinels, which a reload may replace.

use std::sync::{Arc, Mutex, PoisonError};

use crate::secret::SecretCell;

/// The passwords of this moment. Clones have the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passwords(Arc<Mutex<Cells>>);

/// A cell for each; none where nothing is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells {
    pub(crate) server: Option<SecretCell>,
    pub(crate) sentinels: Option<SecretCell>,
}

impl Passwords {
    /// From now on they are what is in these cells.
    pub(crate) fn set(&self, cells: Cells) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = cells;
    }

    /// Their cells.
    pub(super) fn current(&self) -> Cells {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A password as it is shown.
pub(super) fn shown(cell: Option<SecretCell>) -> Option<String> {
    let secret = cell?.current().trimmed();
    Some(String::from_utf8_lossy(secret.expose()).into_owned())
}
