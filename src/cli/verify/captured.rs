//! A request as it was captured.

use super::super::raw::RawRequest;
use crate::diagnosis::Answer;
use crate::scheme::Cause;

/// A request, and the answer where the capture has it.
pub(super) struct Captured {
    pub(super) request: RawRequest,
    /// What is wrong with how it is framed.
    pub(super) faults: Vec<Cause>,
    pub(super) answer: Option<Answer>,
}
