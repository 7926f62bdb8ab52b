//! The registry of schemes: what a route's `scheme` can name.
//!
//! It is a value that is handed to whoever looks names up, so that it can hold entries that were
//! read from files beside those of this program.

use std::sync::{Arc, LazyLock};

use super::{Entry, cobo, declared, infras, loopring, metasv, sinohope};

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

    /// The scheme called `name`: one of these, or of the catalogue.
    pub fn find(&self, name: &str) -> Option<&Arc<Entry>> {
        self.own(name).or_else(|| declared::find(name))
    }

    /// The scheme called `name`, where it is none of the catalogue.
    pub fn own(&self, name: &str) -> Option<&Arc<Entry>> {
        let at = self.0.binary_search_by(|entry| entry.name.as_ref().cmp(name)).ok()?;
        self.0.get(at)
    }

    /// The names of all, those of the catalogue behind the others.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let catalogue = declared::CATALOGUE.iter().map(|(name, _)| *name);
        self.0.iter().map(|entry| entry.name.as_ref()).chain(catalogue)
    }

    /// Every scheme but those of the catalogue.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.0.iter()
    }
}
