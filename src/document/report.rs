//! The problems of a file, while it is read and resolved.

use std::cell::RefCell;
use std::path::Path;

use super::lines::Lines;
use crate::problem::{Location, Problem};

/// The text of a file and what was found wrong with it so far.
#[derive(Debug)]
pub(crate) struct Report<'t> {
    lines: Lines<'t>,
    errors: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl<'t> Report<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { lines: Lines::of(text), errors: RefCell::default(), warnings: RefCell::default() }
    }

    pub(crate) fn text(&self) -> &'t str {
        self.lines.text
    }

    /// Adds a problem.
    pub(crate) fn add(
        &self,
        at: impl Into<Option<Location>>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.errors.borrow_mut().push(Problem::new(what, fix).at(at));
    }

    /// Adds the problems of another file.
    pub(crate) fn include(&self, file: &Path, errors: Vec<Problem>) {
        let of = |error| Problem { file: Some(file.to_owned()), ..error };
        self.errors.borrow_mut().extend(errors.into_iter().map(of));
    }

    /// Adds what is read and should be written in another way.
    pub(crate) fn warn(&self, at: Location, what: String, fix: String) {
        self.warnings.borrow_mut().push(Problem::new(what, fix).at(at));
    }

    /// What was warned of so far.
    pub(crate) fn warnings(&self) -> Vec<Problem> {
        self.warnings.borrow().clone()
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// The place of a byte.
    pub(crate) fn at(&self, offset: usize) -> Location {
        self.lines.at(offset)
    }

    pub(crate) fn into_errors(self) -> Vec<Problem> {
        self.errors.into_inner()
    }
}
