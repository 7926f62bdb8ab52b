//! What is found of a store: its version and what is doubtful about it, or no answer.

use std::time::Duration;

use crate::problem::Problem;

/// What somebody who only looks has found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// `redis 7.0.15`.
    pub version: String,
    /// What is doubtful about it.
    pub doubts: Vec<Problem>,
}

/// That no answer came.
pub(super) fn late(limit: Duration) -> Problem {
    Problem::new(format!("shared.redis has not answered within {limit:?}"), REACH)
}

pub(super) const REACH: &str =
    "see that the server at shared.redis runs and can be reached from here";
