//! A request as it was captured.

use super::super::raw::RawRequest;
use crate::diagnosis::Answer;
use crate::scheme::Cause;

/// A request, and the answer where the capture has it.
pub(in crate::cli) struct Captured {
    pub(in crate::cli) request: RawRequest,
    /// What is wrong with how it is framed.
    pub(in crate::cli) faults: Vec<Cause>,
    pub(super) answer: Option<Answer>,
    /// When it was signed, in milliseconds since 1970, where our own record says so.
    pub(in crate::cli) moment_ms: Option<u64>,
    /// What is not in the record.
    pub(in crate::cli) missing: Option<&'static str>,
}

impl Captured {
    /// A request of which nothing else is known.
    pub(super) fn of((request, faults): (RawRequest, Vec<Cause>)) -> Self {
        Self { request, faults, answer: None, moment_ms: None, missing: None }
    }
}
