//! Settings by row: name, kind, default, example, sentence, and whether a change takes a restart.
//! Reading, `docs/configuration.md`, the test of proxy.toml.example and what a reload leaves as it
//! was are all made from [`SECTIONS`].
//!
//! A setting is its row, the field that it becomes, and the line that reads the one into the other.

mod routes;
mod row;
mod rows;
mod shared;
mod signer;

pub(crate) use rows::SECTIONS;
pub(crate) use signer::SIGNER;

use super::Config;
use crate::document::{Field, Key, Location, Named, Pair, Short, Table, ValueFault, Written};

/// A table of the file and the settings in it.
#[derive(Debug)]
pub(crate) struct Section {
    /// `timeouts`, or `keys.NAME` where the user chooses the name.
    pub(crate) table: &'static str,
    /// A sentence or two.
    pub(crate) doc: &'static str,
    /// Its settings, in the order of the documentation.
    pub(crate) settings: &'static [Setting],
}

/// A setting: what messages, readers and documents know of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Name, kind, example, and the names it had before.
    pub(crate) key: Key,
    /// What holds where it is not written.
    pub(crate) need: Need,
    /// One sentence.
    pub(crate) doc: &'static str,
    /// When a change of it counts.
    pub(crate) takes: Takes,
}

/// A setting's default: what holds where it is not written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// The table is wrong without it.
    Required,
    /// Being left out has a meaning of its own.
    Optional,
    /// This, as it would be written.
    Default(&'static str),
}

/// Reload or restart: what it takes for a change of a setting to count.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Takes {
    /// A reload.
    Reload,
    /// A restart. A reload gives the new configuration the value of the one that was started with;
    /// says whether that was another.
    Restart(fn(&mut Config, &Config) -> bool),
}

/// Gives a configuration that is to be taken up by a reload what only a restart can change, as it
/// was at the start. Returns the names of what would have changed.
pub(crate) fn keep_the_fixed(config: &mut Config, started: &Config) -> Vec<String> {
    let mut kept = Vec::new();
    for section in SECTIONS {
        for setting in section.settings {
            let Takes::Restart(keep) = setting.takes else { continue };
            if keep(config, started) {
                kept.push(format!("{}.{}", section.table, setting.key.name));
            }
        }
    }
    kept
}

/// The default of a setting, read as if it stood in a file.
pub(crate) fn default<T>(
    table: &str,
    name: &str,
    read: impl FnOnce(&mut Table<'_>, Key) -> Field<T>,
) -> T {
    let setting = Section::of(table).setting(name);
    setting.default(read).expect("the setting has a default")
}

impl Section {
    fn of(table: &str) -> &'static Self {
        let section = SECTIONS.iter().chain(SIGNER).find(|section| section.table == table);
        section.expect("every table that is read has a section")
    }

    fn setting(&self, name: &str) -> &'static Setting {
        let setting = self.settings.iter().find(|setting| setting.key.name == name);
        setting.expect("every setting that is read has a row")
    }
}

impl Setting {
    fn default<T>(&self, read: impl FnOnce(&mut Table<'_>, Key) -> Field<T>) -> Option<T> {
        match self.need {
            Need::Default(value) => Some(Table::of_value(self.key, value, read)),
            Need::Required | Need::Optional => None,
        }
    }
}

/// A table that is read by the rows of its section.
#[derive(Debug)]
pub(super) struct Settings<'t, 'd> {
    pub(super) table: &'t mut Table<'d>,
    section: &'static Section,
}

/// Reads a table, empty when it is not there.
pub(super) fn section<R>(
    file: &mut Table<'_>,
    name: &'static str,
    read: impl FnOnce(&mut Settings<'_, '_>) -> R,
) -> R {
    file.table(name, |table| read(&mut Settings::of(table, name)))
}

/// Reads every table under `name`, each with a name of the user's choice.
pub(super) fn sections<R>(
    file: &mut Table<'_>,
    name: &'static str,
    read: impl Fn(&mut Settings<'_, '_>, Location) -> R,
) -> Named<R> {
    let full = format!("{name}.NAME");
    file.tables(name, |table, at| read(&mut Settings::of(table, &full), at))
}

/// The same where a text may stand in a table's place.
pub(super) fn sections_or_texts<R>(
    file: &mut Table<'_>,
    name: &'static str,
    read: impl Fn(&mut Settings<'_, '_>, Location) -> R,
    short: Short<'_, R>,
) -> Named<R> {
    let full = format!("{name}.NAME");
    let read = |table: &mut Table<'_>, at| read(&mut Settings::of(table, &full), at);
    file.tables_or_texts(name, read, Some(short))
}

impl<'t, 'd> Settings<'t, 'd> {
    /// The same table, to be read by the rows of this section.
    pub(super) fn of(table: &'t mut Table<'d>, name: &str) -> Self {
        Self { table, section: Section::of(name) }
    }

    /// A string, by `parse`.
    pub(super) fn text<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, ValueFault>,
    ) -> Field<T> {
        self.field(name, |table, key| table.parsed(key, &parse))
    }

    /// A list of strings, each by `parse`.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, ValueFault>,
    ) -> Field<Vec<Written<T>>> {
        self.field(name, |table, key| table.list(key, &parse))
    }

    /// A whole number, by `check`.
    pub(super) fn count<T>(
        &mut self,
        name: &str,
        check: impl Fn(u64) -> Result<T, ValueFault>,
    ) -> Field<T> {
        self.field(name, |table, key| table.count(key, &check))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> Field<bool> {
        self.field(name, |table, key| table.flag(key))
    }

    /// Names and values; with `scalars`, values may be numbers and flags.
    pub(super) fn pairs(&mut self, name: &str, scalars: bool) -> Field<Vec<Pair>> {
        self.field(name, |table, key| table.pairs(key, scalars))
    }

    /// What a setting with a default says, or its default: also where what it says cannot be used,
    /// which is reported, so that what is read only has to exist.
    pub(super) fn value<T>(
        &mut self,
        name: &str,
        read: impl Fn(&mut Table<'_>, Key) -> Field<T>,
    ) -> T {
        let setting = self.section.setting(name);
        let written = read(self.table, setting.key).into_value();
        let value = written.or_else(|| setting.default(read));
        value.expect("a setting that is always something has a default")
    }

    /// Where the table's header is; `None` when there is no such table.
    pub(super) fn at(&self) -> Option<Location> {
        self.table.at()
    }

    /// The setting by its row: what it must be, what it is when left out, whether it may be.
    fn field<T>(&mut self, name: &str, read: impl Fn(&mut Table<'_>, Key) -> Field<T>) -> Field<T> {
        let setting = self.section.setting(name);
        let field = read(self.table, setting.key);
        match setting.need {
            // In a table that is not there nothing is missing.
            Need::Required if self.table.at().is_some() => self.table.require(setting.key, field),
            Need::Default(_) if field.is_absent() => Field::Absent(setting.default(read)),
            Need::Required | Need::Optional | Need::Default(_) => field,
        }
    }
}
