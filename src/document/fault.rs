//! Validation errors of one value, before it is known which key it belongs to.

use std::fmt;

/// Why a value is not what its key needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ValueFault {
    /// What is wrong, to be read after the key's name: `is "5x", which is not a duration`.
    pub(crate) what: String,
    /// The value that was probably meant. Without it the fix shows the key's usual example.
    pub(crate) value: Option<String>,
    /// What else there is to know; may be empty.
    pub(crate) note: String,
}

impl ValueFault {
    /// A fault whose fix is the key's usual example.
    pub(crate) fn new(what: impl Into<String>, note: impl Into<String>) -> Self {
        Self { what: what.into(), value: None, note: note.into() }
    }

    /// A fault of a value that was meant to be `value`.
    pub(crate) fn meant(
        what: impl Into<String>,
        value: impl Into<String>,
        note: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), value: Some(value.into()), note: note.into() }
    }
}

/// A value of the file in quotes, for messages.
///
/// A long one is described, not shown: a key or a token pasted into the wrong place must not
/// reach a terminal or a log.
pub(crate) fn quoted(text: &str) -> impl fmt::Display {
    if is_shown(text) {
        format!("\"{}\"", text.escape_debug())
    } else {
        format!("a text of {} characters", text.chars().count())
    }
}

/// Whether a text is too short to be a secret.
pub(crate) fn is_shown(text: &str) -> bool {
    text.chars().count() <= SHOWN
}

/// One less than the shortest secret in use, 32 hex digits.
const SHOWN: usize = 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        assert_eq!(quoted("met\"a\nsv").to_string(), r#""met\"a\nsv""#);
        assert_eq!(quoted(&"a".repeat(31)).to_string(), format!("\"{}\"", "a".repeat(31)));
        assert_eq!(quoted(&"5".repeat(32)).to_string(), "a text of 32 characters");
    }
}
