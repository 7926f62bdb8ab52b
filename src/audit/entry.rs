//! An entry of the audit log: what is written down of a decision.

use serde_json::{Value, json};

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

impl Members for Entry {
    fn members(&self) -> Value {
        json!({
            "route": self.route,
            "request_id": self.request_id,
            "request_type": self.request_type,
            "rule": self.rule,
            "verdict": self.verdict.word(),
            "mode": self.mode.name(),
            "service": self.service,
            "reason": self.reason,
        })
    }
}

/// A signature that was asked of a signer, as it is written down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignatureEntry {
    /// The key's name.
    pub key: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// What it was asked for: an algorithm.
    pub algorithm: &'static str,
    /// Of what sort the content was: `digest`, `message` or `mac`.
    pub content: &'static str,
    /// The digest that was signed, or the SHA-256 of the message, in lower-case hex.
    pub digest: String,
    /// Who asked.
    pub caller: String,
    /// The route that was named; none by a self-test.
    pub route: Option<String>,
    /// `signed`, or why not.
    pub outcome: &'static str,
}

impl Members for SignatureEntry {
    fn members(&self) -> Value {
        json!({
            "key": self.key,
            "fingerprint": self.fingerprint,
            "algorithm": self.algorithm,
            "content": self.content,
            "digest": self.digest,
            "caller": self.caller,
            "route": self.route,
            "outcome": self.outcome,
        })
    }
}

/// What a line of a file says beside its place in the chain.
pub trait Members: std::fmt::Debug + Send {
    /// A JSON object.
    fn members(&self) -> Value;
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
