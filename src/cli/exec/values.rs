//! Environment variables as values: those of the caller, and those that a program finds.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Variables and their values.
pub(in crate::cli) type Variables = BTreeMap<OsString, OsString>;

/// A variable's value as text.
pub(in crate::cli) fn text(variables: &Variables, name: &str) -> Option<String> {
    variables.get(OsStr::new(name)).map(|value| value.to_string_lossy().into_owned())
}
