//! Bytes that must not be seen: wiped when dropped, never printed, one door out.
//!
//! There is deliberately no `Clone`, `Display`, `Serialize`, `PartialEq`, `AsRef` or `Deref`:
//! every place that sees secret bytes is a call of [`Secret::expose`] that a reviewer can find.

use std::fmt;

use zeroize::Zeroizing;

/// Secret bytes: a private key on its way into a signer, a token, a passphrase.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; the vector's memory is wiped when the secret is dropped.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The only way out.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The same secret without ASCII white space at either end, as files and variables carry it.
    pub fn trimmed(&self) -> Self {
        Self::new(self.0.trim_ascii().to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_nothing_of_itself() {
        let secret = Secret::new(b" hunter2\n".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(secret.trimmed().expose(), b"hunter2");
    }
}
