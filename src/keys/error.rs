//! What can go wrong with keys: opening them at start, using them for a request.

/// Why an entry of a store could not be opened. Never contains key material.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place} {what}")]
pub struct KeyError {
    /// Which entry, as its store names it: a path, a variable.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
    /// How to mend it: a command where there is one.
    pub fix: String,
}

/// Why a key did not sign.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignError {
    /// The key's arithmetic or device failed.
    #[error("the key failed to sign: {0}")]
    Failed(&'static str),
}
