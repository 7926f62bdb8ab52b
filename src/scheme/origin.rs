//! Where a piece of a canonical string came from.

/// A piece of a canonical string.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The hole that it fills, as the scheme's file writes it, or `literal`.
    pub from: String,
    /// The piece itself; nothing where a secret is in it.
    pub text: Vec<u8>,
    /// Whether a secret is in it.
    pub secret: bool,
}
