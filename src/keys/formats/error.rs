//! Why bytes are no key.

/// Why bytes are not a usable private key. Never contains any of them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}")]
pub struct FormatError {
    /// What is wrong, as the end of a sentence that begins with where the bytes are from.
    pub what: String,
    /// How to mend it: a command where there is one, with FILE for the file's name.
    pub fix: String,
    /// The part the passphrase played. Who knows where it comes from can say so.
    pub(crate) passphrase: PassphraseFault,
}

/// Whether a key failed to open for its passphrase.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PassphraseFault {
    /// Something else is wrong.
    None,
    /// The key is encrypted and no passphrase was given.
    Missing,
    /// The key is encrypted with another one.
    Wrong,
}

impl FormatError {
    pub(in crate::keys) fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), fix: fix.into(), passphrase: PassphraseFault::None }
    }

    pub(in crate::keys) fn damaged(form: &str) -> Self {
        let what = format!("looks like {form} and is damaged");
        Self::new(what, "copy or export the key again")
    }

    pub(in crate::keys) fn unbelonging() -> Self {
        Self::new(
            "holds a public key that does not belong to the private key beside it",
            "export the key again from where it is from",
        )
    }
}

/// The sentence for bytes that look like nothing known.
pub(super) fn unknown() -> FormatError {
    FormatError::new(
        "is not a private key in any form known here",
        "give PKCS#8, SEC 1 or PKCS#1 in PEM, DER, base64 or hex, the number in 64 hex digits, a \
         WIF, or an account exported as JSON",
    )
}
