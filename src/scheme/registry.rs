//! The registry of schemes: what a route's `scheme` can name.
//!
//! It is a value that is handed to whoever looks names up, so that it can hold entries that were
//! read from files beside those of this program.

use std::sync::{Arc, LazyLock};

use super::{Entry, cobo, infras, loopring, metasv, sinohope};

/// The schemes of this program, in alphabetical order.
const BUILT_IN: &[fn() -> Entry] = &[
    cobo::callback::entry,
    cobo::client::entry,
    infras::entry,
    loopring::entry,
    metasv::entry,
    sinohope::entry,
];

/// Schemes by their names, in alphabetical order.
#[derive(Clone, Debug, Default)]
pub struct Registry(Vec<Arc<Entry>>);

impl Registry {
    /// The schemes of this program.
    pub fn built_in() -> Self {
        static MADE: LazyLock<Registry> =
            LazyLock::new(|| Registry(BUILT_IN.iter().map(|entry| Arc::new(entry())).collect()));
        MADE.clone()
    }

    /// Adds a scheme, in the place of another of its name.
    pub fn insert(&mut self, entry: Entry) {
        let entry = Arc::new(entry);
        match self.0.binary_search_by(|other| other.name.cmp(&entry.name)) {
            Ok(at) => self.0[at] = entry,
            Err(at) => self.0.insert(at, entry),
        }
    }

    /// The scheme called `name`.
    pub fn find(&self, name: &str) -> Option<&Arc<Entry>> {
        let at = self.0.binary_search_by(|entry| entry.name.as_ref().cmp(name)).ok()?;
        self.0.get(at)
    }

    /// Every scheme.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.0.iter()
    }
}
