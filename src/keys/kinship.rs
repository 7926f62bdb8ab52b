//! Keys that programs have in the place of another by mistake.

/// How another key comes of one, by the mistakes that programs make with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kinship {
    /// The same number on another curve.
    Curve,
    /// The number's bytes in reverse.
    Reversed,
    /// What the secret's text decodes to.
    Decoded,
    /// The secret's bytes, encoded.
    Encoded,
    /// The secret with white space at its end.
    Spaced,
    /// No secret at all.
    Empty,
    /// The same secret with another hash function.
    Hash,
}
