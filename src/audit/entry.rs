//! An entry of the audit log: what is written down of a decision.

use crate::scheme::Decision;

/// A decision, as it is written down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The route's name.
    pub route: String,
    /// The request's own id; empty for a ping without one.
    pub request_id: String,
    /// The request's type.
    pub request_type: u64,
    /// The rule that decided.
    pub rule: String,
    /// What the rules said.
    pub verdict: Decision,
    /// Whose word counted.
    pub mode: Mode,
    /// What the service said, where one was asked: `APPROVE`, `REJECT`, or why it said nothing.
    pub service: Option<String>,
    /// Why, in a sentence.
    pub reason: String,
}

/// Whose word counted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Mode {
    /// The rules answered.
    Enforce,
    /// The service answered, and the rules were only written down.
    Shadow,
}

impl Mode {
    /// As it stands in a line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}
