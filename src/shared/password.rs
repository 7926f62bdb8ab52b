//! The passwords of the store and of its Sentinels, which a reload may replace.

use std::sync::{Arc, Mutex, PoisonError};

use crate::secret::SecretCell;

/// The passwords of this moment. Clones have the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passwords(pub(super) Arc<Mutex<Cells>>);

/// A cell for each; none where nothing is shown.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    /// The server's.
    pub server: Option<SecretCell>,
    /// That of its Sentinels.
    pub sentinels: Option<SecretCell>,
}

impl Passwords {
    /// From now on they are what is in these cells.
    pub(crate) fn set(&self, cells: Cells) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = cells;
    }
}
