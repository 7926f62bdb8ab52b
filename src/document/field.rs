//! Keys and their values: what a key says, where it says it, and what it is for.

use std::collections::BTreeMap;

use crate::problem::Location;

/// A value and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Written<T> {
    pub(crate) value: T,
    pub(crate) at: Location,
}

/// What a key of the file says.
#[derive(Clone, Debug)]
pub(crate) enum Field<T> {
    /// It is not there. What holds then, if anything does.
    Absent(Option<T>),
    /// It is there and cannot be used. That is reported already, so nothing that depends on it
    /// needs to be.
    Unreadable,
    /// It says this.
    Is(Written<T>),
}

impl<T> Field<T> {
    pub(crate) fn get(&self) -> Option<&Written<T>> {
        match self {
            Self::Is(written) => Some(written),
            Self::Absent(_) | Self::Unreadable => None,
        }
    }

    /// The value alone, taken out.
    pub(crate) fn into_value(self) -> Option<T> {
        match self {
            Self::Is(written) => Some(written.value),
            Self::Absent(_) | Self::Unreadable => None,
        }
    }

    /// What is written, or what holds where nothing is.
    pub(crate) fn holds(&self) -> Option<&T> {
        match self {
            Self::Is(written) => Some(&written.value),
            Self::Absent(default) => default.as_ref(),
            Self::Unreadable => None,
        }
    }

    /// The value alone.
    pub(crate) fn value(&self) -> Option<&T> {
        self.get().map(|written| &written.value)
    }

    /// Another value in the same place.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Absent(default) => Field::Absent(default.map(change)),
            Self::Unreadable => Field::Unreadable,
            Self::Is(Written { value, at }) => Field::Is(Written { value: change(value), at }),
        }
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent(_))
    }
}

/// A table inside a table, under a name of the user's choice, or a pair in one.
pub(crate) type Named<T> = BTreeMap<String, T>;

/// What a key is for, as messages need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// What it must be: `a string`.
    pub(crate) kind: &'static str,
    /// A right value, as it is written in the file.
    pub(crate) example: &'static str,
    /// Names it had before, which are still read.
    pub(crate) was: &'static [&'static str],
}

impl Key {
    /// A key of any other kind.
    pub(crate) const fn new(name: &'static str, kind: &'static str, example: &'static str) -> Self {
        Self { name, kind, example, was: &[] }
    }

    pub(crate) const fn string(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a string", example)
    }

    pub(crate) const fn duration(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a duration in quotes", example)
    }

    pub(crate) const fn size(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a size in quotes", example)
    }

    pub(crate) const fn count(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a whole number", example)
    }

    pub(crate) const fn flag(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "true or false", example)
    }

    pub(crate) const fn list(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a list of strings", example)
    }

    pub(crate) const fn table(name: &'static str, example: &'static str) -> Self {
        Self::new(name, "a table", example)
    }
}

/// A name and a value of [`super::Table::pairs`].
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) name_at: Location,
    /// `None` when it is of a wrong type, which is reported already.
    pub(crate) value: Option<Written<String>>,
}
