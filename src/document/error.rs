//! The problems of a file, reported together.

use std::fmt;
use std::path::PathBuf;

use crate::problem::Problem;

/// Every problem of a configuration, in the order of the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigErrors {
    /// The file, as messages name it.
    pub path: PathBuf,
    /// The problems, sorted by location; those of the whole file come first.
    pub errors: Vec<Problem>,
}

impl ConfigErrors {
    /// Brings the problems found with a file, at whatever stage, into the order of the file.
    pub fn new(path: PathBuf, mut errors: Vec<Problem>) -> Self {
        errors.sort_by(|one, other| (&one.file, one.at).cmp(&(&other.file, other.at)));
        Self { path, errors }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        for (index, error) in self.errors.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            let space = if error.at.is_none() { " " } else { "" };
            let own = error
                .file
                .as_ref()
                .map_or_else(|| path.to_string(), |own| own.display().to_string());
            write!(f, "{newline}{own}:{space}{}", error.in_full())?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Location;

    #[test]
    fn errors_are_printed_in_the_order_of_the_file() {
        let error = |at: Option<(usize, usize)>, what: &str| {
            let problem = Problem::new(what, format!("mend {what}"));
            problem.at(at.map(|(line, column)| Location { line, column }))
        };
        let errors = vec![error(Some((10, 1)), "c"), error(Some((9, 2)), "b"), error(None, "a")];
        let errors = ConfigErrors::new("dir/proxy.toml".into(), errors);
        let expected = "dir/proxy.toml: a\n  fix: mend a\n\
                        dir/proxy.toml:9:2: b\n  fix: mend b\n\
                        dir/proxy.toml:10:1: c\n  fix: mend c";
        assert_eq!(errors.to_string(), expected);
    }
}
