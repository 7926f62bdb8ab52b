//! `[schemes.NAME]`: schemes that are declared in files, beside those of this program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::values;
use crate::document::{Field, Location, Named, Report, ValueFault, Written};
use crate::scheme::{Entry, Registry};

/// What routes can name.
#[derive(Debug)]
pub(in crate::config) struct Declared {
    /// Those that can be used.
    registry: Registry,
    /// Those whose file cannot, which is reported.
    broken: BTreeSet<String>,
    /// The text of each file.
    pub(in crate::config) texts: BTreeMap<String, String>,
    /// Where each is, and is named.
    pub(in crate::config) files: BTreeMap<String, (PathBuf, Location)>,
}

impl Declared {
    /// Reads every file that is named; what is wrong in one is reported with its own places.
    pub(super) fn read(
        written: &Named<Field<String>>,
        built_in: &Registry,
        directory: &Path,
        report: &Report<'_>,
    ) -> Self {
        let (registry, broken, texts) = (built_in.clone(), BTreeSet::new(), BTreeMap::new());
        let mut read = Self { registry, broken, texts, files: BTreeMap::new() };
        for (name, file) in written {
            let entry = file.get().and_then(|file| read.one(name, file, directory, report));
            match entry {
                Some(entry) => read.registry.insert(entry),
                None => {
                    read.broken.insert(name.clone());
                }
            }
        }
        read
    }

    fn one(
        &mut self,
        name: &str,
        file: &Written<String>,
        directory: &Path,
        report: &Report<'_>,
    ) -> Option<Entry> {
        if self.registry.own(name).is_some() {
            let what = format!("[schemes.{name}] has the name of a scheme that is built in");
            report.add(file.at, what, "choose another name");
            return None;
        }
        let path = directory.join(&file.value);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                let what = format!("{} cannot be read: {error}", path.display());
                report.add(file.at, what, "name a file in UTF-8 that exists, from this directory");
                return None;
            }
        };
        self.files.insert(name.to_owned(), (path.clone(), file.at));
        let entry = Entry::declared(name, &text);
        self.texts.insert(name.to_owned(), text);
        entry.map_err(|errors| report.include(&path, errors)).ok()
    }

    /// The scheme of a route; none where its file is broken.
    pub(super) fn find(&self, name: &str) -> Result<Option<Arc<Entry>>, ValueFault> {
        if self.broken.contains(name) {
            return Ok(None);
        }
        values::scheme(&self.registry)(name).map(Some)
    }

    /// What is left of a route's scheme: of one whose file is broken nothing more is said.
    pub(super) fn known(&self, found: Field<Option<Arc<Entry>>>) -> Field<Arc<Entry>> {
        match found {
            Field::Is(Written { value: Some(value), at }) => Field::Is(Written { value, at }),
            Field::Is(Written { value: None, .. }) | Field::Unreadable => Field::Unreadable,
            Field::Absent(default) => Field::Absent(default.flatten()),
        }
    }
}
