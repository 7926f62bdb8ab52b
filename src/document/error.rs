//! What is wrong with a file: where, what, and what to write instead. Every message comes with
//! its fix, and a file's problems are reported together.

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

/// A text and where its lines begin: a file of ten thousand values has as many places to be found.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    pub(super) text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let behind = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Self { text, starts: std::iter::once(0).chain(behind).collect() }
    }

    /// The place of the byte at `offset`. Past the end it is the end, inside a character it is that
    /// character.
    pub(super) fn at(&self, offset: usize) -> Location {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= end);
        let before = &self.text[self.starts[line - 1]..end];
        Location { line, column: before.chars().count() + 1 }
    }
}

/// Where a value is written is no part of what a configuration says, and of no hash of it.
impl Hash for Location {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// One problem of a configuration.
///
/// It prints itself as `118:19: what` and, on a second line, `  fix: …`; the path is put before
/// it by [`ConfigErrors`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    /// Where it is written; `None` when it concerns the file as a whole.
    pub at: Option<Location>,
    /// What is wrong, lower-case, without secrets.
    pub what: String,
    /// What to write instead.
    pub fix: String,
}

/// What is said of a configuration is no part of what it says, and of no hash of it.
impl Hash for ConfigError {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Location { line, column }) = self.at {
            write!(f, "{line}:{column}: ")?;
        }
        write!(f, "{}\n  fix: {}", self.what, self.fix)
    }
}

/// Every problem of a configuration, in the order of the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigErrors {
    /// The file, as messages name it.
    pub path: PathBuf,
    /// The problems, sorted by location; those of the whole file come first.
    pub errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// Brings the problems found with a file, at whatever stage, into the order of the file.
    pub fn new(path: PathBuf, mut errors: Vec<ConfigError>) -> Self {
        errors.sort_by_key(|error| error.at);
        Self { path, errors }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        for (index, error) in self.errors.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            let space = if error.at.is_none() { " " } else { "" };
            write!(f, "{newline}{path}:{space}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_count_lines_and_characters_from_one() {
        let text = "a = 1\nkéy = \"ü\"\r\nlast";
        let cases = [
            ("the first byte", 0, (1, 1)),
            ("a line's end", 5, (1, 6)),
            ("the next line", 6, (2, 1)),
            ("behind a wide character", 9, (2, 3)),
            ("inside a wide character", 8, (2, 2)),
            ("behind a carriage return", text.len() - 4, (3, 1)),
            ("the end", text.len(), (3, 5)),
            ("past the end", 1_000, (3, 5)),
        ];
        for (name, offset, (line, column)) in cases {
            assert_eq!(Lines::of(text).at(offset), Location { line, column }, "{name}");
        }
    }

    #[test]
    fn errors_are_printed_in_the_order_of_the_file() {
        let error = |at: Option<(usize, usize)>, what: &str| ConfigError {
            at: at.map(|(line, column)| Location { line, column }),
            what: what.into(),
            fix: format!("mend {what}"),
        };
        let errors = vec![error(Some((10, 1)), "c"), error(Some((9, 2)), "b"), error(None, "a")];
        let errors = ConfigErrors::new("dir/proxy.toml".into(), errors);
        let expected = "dir/proxy.toml: a\n  fix: mend a\n\
                        dir/proxy.toml:9:2: b\n  fix: mend b\n\
                        dir/proxy.toml:10:1: c\n  fix: mend c";
        assert_eq!(errors.to_string(), expected);
    }
}
