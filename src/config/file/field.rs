//! What a key says, where it says it, and what it is for.

use std::collections::BTreeMap;

use crate::config::error::Location;

/// A value and where it is written.
#[derive(Clone, Debug)]
pub(in crate::config) struct Written<T> {
    pub(in crate::config) value: T,
    pub(in crate::config) at: Location,
}

/// What a key of the file says.
#[derive(Clone, Debug)]
pub(in crate::config) enum Field<T> {
    /// It is not there.
    Absent,
    /// It is there and cannot be used. That is reported already, so nothing that depends on it
    /// needs to be.
    Unreadable,
    /// It says this.
    Is(Written<T>),
}

impl<T> Field<T> {
    pub(in crate::config) fn get(&self) -> Option<&Written<T>> {
        match self {
            Self::Is(written) => Some(written),
            Self::Absent | Self::Unreadable => None,
        }
    }

    /// The value alone.
    pub(in crate::config) fn value(&self) -> Option<&T> {
        self.get().map(|written| &written.value)
    }

    /// Another value in the same place.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Absent => Field::Absent,
            Self::Unreadable => Field::Unreadable,
            Self::Is(Written { value, at }) => Field::Is(Written { value: change(value), at }),
        }
    }

    pub(in crate::config) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// A table inside a table, under a name of the user's choice, or a pair in one.
pub(in crate::config) type Named<T> = BTreeMap<String, T>;

/// What a key is for, as messages need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What it must be: `a string`.
    pub(super) kind: &'static str,
    /// A right value, as it is written in the file.
    pub(super) example: &'static str,
}

impl Key {
    const fn new(name: &'static str, kind: &'static str, example: &'static str) -> Self {
        Self { name, kind, example }
    }

    pub(super) const fn string(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a string", example)
    }

    pub(super) const fn duration(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a duration in quotes", example)
    }

    pub(super) const fn size(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a size in quotes", example)
    }

    pub(super) const fn count(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a whole number", example)
    }

    pub(super) const fn flag(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "true or false", example)
    }

    pub(super) const fn list(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a list of strings", example)
    }

    pub(super) const fn word_or_table(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "\"allow\", \"refuse\" or, for keysign, a table", example)
    }

    pub(super) const fn table(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a table", example)
    }
}

/// A name and a value of [`super::Table::pairs`].
#[derive(Clone, Debug)]
pub(in crate::config) struct Pair {
    pub(in crate::config) name: String,
    pub(in crate::config) name_at: Location,
    /// `None` when it is of a wrong type, which is reported already.
    pub(in crate::config) value: Option<Written<String>>,
}
