//! A problem of a configuration or of what it names: what is wrong, where it is written, and what to
//! write or do instead.
//!
//! Whoever finds one says what it knows: a store names the entry, the snapshot the key and the line.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

/// A place in a configuration file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Location {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

/// Where a value is written is no part of what a configuration says, and of no hash of it.
impl Hash for Location {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What is said of a configuration is no part of what it says, and of no hash of it.
impl Hash for Problem {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Something that is to be mended before it works. It prints what is wrong, and nothing else.
///
/// What the system or a library says of it stands in the sentence; there is no chain of sources to
/// walk, as it would say the same twice.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}")]
pub struct Problem {
    /// The file it is in, where that is another one than was read first.
    pub file: Option<PathBuf>,
    /// Where it is written; `None` when it concerns a file as a whole, or where that is not known.
    pub at: Option<Location>,
    /// What is wrong, lower-case, without secrets. Until [`Self::of`] puts it before, it may begin
    /// where the name of what it is about would end.
    pub what: String,
    /// How to mend it: what to write instead, or a command.
    pub fix: String,
}

impl Problem {
    /// A problem whose place is not known.
    pub fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { file: None, at: None, what: what.into(), fix: fix.into() }
    }

    /// The same, of this: a path, an entry, a setting and a colon.
    pub fn of(self, subject: impl fmt::Display) -> Self {
        Self { what: format!("{subject} {}", self.what), ..self }
    }

    /// All of it: `118:19: what` and, on a second line, `  fix: …`.
    pub fn in_full(&self) -> String {
        let at = self
            .at
            .map_or_else(String::new, |Location { line, column }| format!("{line}:{column}: "));
        format!("{at}{}\n  fix: {}", self.what, self.fix)
    }

    /// The same, written here.
    pub fn at(self, at: impl Into<Option<Location>>) -> Self {
        Self { at: at.into(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_comes_together() {
        let place = Location { line: 3, column: 1 };
        let problem = Problem::new("is empty", "fill it").of("keys/a.pem").of("keys.a:").at(place);
        assert_eq!(problem.to_string(), "keys.a: keys/a.pem is empty");
        assert_eq!(problem.in_full(), "3:1: keys.a: keys/a.pem is empty\n  fix: fill it");
    }
}
