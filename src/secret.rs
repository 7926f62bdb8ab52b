//! Bytes that must not be seen: wiped when dropped, never printed, one door out.
//!
//! There is deliberately no `Clone`, `Display`, `Serialize`, `PartialEq`, `AsRef` or `Deref`:
//! every place that sees secret bytes is a call of [`Secret::expose`] that a reviewer can find.
//!
//! A secret that changes while the program runs is handed out as a [`SecretCell`].

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use tokio::sync::watch;
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

/// The place of a secret that may be replaced while others use it. Clones show the same secret.
#[derive(Clone)]
pub struct SecretCell(watch::Receiver<Arc<Secret>>);

impl SecretCell {
    /// A secret that stays what it is.
    pub fn fixed(secret: Secret) -> Self {
        Self::renewable(secret).1
    }

    /// A secret that stays what it is until the first half is told of another.
    pub fn renewable(first: Secret) -> (SecretWriter, Self) {
        let (writer, reader) = watch::channel(Arc::new(first));
        (SecretWriter(writer), Self(reader))
    }

    /// The secret of this moment. Whoever uses it twice for one request takes it once, for the
    /// next call may give another.
    pub fn current(&self) -> Arc<Secret> {
        Arc::clone(&self.0.borrow())
    }
}

impl fmt::Debug for SecretCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretCell(..)")
    }
}

/// The only way to replace the secret of a [`SecretCell`].
pub struct SecretWriter(watch::Sender<Arc<Secret>>);

impl SecretWriter {
    /// Puts another secret in place of the present one, for everyone who asks from now on, and
    /// says whether it is another at all. Those who hold the old one keep it until they let go
    /// of it; then it is wiped.
    pub fn replace(&self, secret: Secret) -> bool {
        self.0.send_if_modified(|current| {
            let other = verify_slices_are_equal(current.expose(), secret.expose()).is_err();
            if other {
                *current = Arc::new(secret);
            }
            other
        })
    }
}

impl fmt::Debug for SecretWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretWriter(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_shows_what_was_written_last_also_when_nobody_can_write_any_more() {
        let (writer, cell) = SecretCell::renewable(Secret::new(b"first".to_vec()));
        let (clone, held) = (cell.clone(), cell.current());
        assert!(!writer.replace(Secret::new(b"first".to_vec())), "it is the same");
        assert!(writer.replace(Secret::new(b"second".to_vec())));
        assert_eq!(held.expose(), b"first");
        assert_eq!(format!("{cell:?} {writer:?}"), "SecretCell(..) SecretWriter(..)");
        drop(writer);
        assert_eq!(
            (cell.current().expose(), clone.current().expose()),
            (&b"second"[..], &b"second"[..])
        );
        assert_eq!(SecretCell::fixed(Secret::new(b"only".to_vec())).current().expose(), b"only");
    }

    #[test]
    fn a_secret_prints_nothing_of_itself() {
        let secret = Secret::new(b" hunter2\n".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(secret.trimmed().expose(), b"hunter2");
    }
}
