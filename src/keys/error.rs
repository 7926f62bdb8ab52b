//! Errors of signing, and of entries that look like a pasted key.

use crate::problem::Problem;
use crate::workers::Undone;

/// For an entry that is not there: whether its name may be a key or a token that was pasted in its
/// place, which must not reach a terminal or a log.
pub(crate) fn pasted(entry: &str) -> Option<Problem> {
    let runs = entry.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len);
    let what = "is not there, and looks like a key or a token itself";
    let fix = "write the entry's name; a key that stood in a configuration is no secret now";
    let place = || format!("an entry of {} characters", entry.chars().count());
    (runs.max() >= Some(SHORTEST_SECRET)).then(|| Problem::new(what, fix).of(place()))
}

/// Letters and digits in a row that names seldom have, and secrets in use always do.
const SHORTEST_SECRET: usize = 32;

/// Why a key did not sign.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignError {
    /// The key's arithmetic or device failed.
    #[error("the key failed to sign: {0}")]
    Failed(&'static str),
    /// As many signatures as may wait for the key are waiting; this one was not begun.
    #[error("more signatures are asked of the key than it can make")]
    Busy,
}

impl From<Undone> for SignError {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Full => Self::Busy,
            Undone::Ended => Self::Failed("the thread that was to sign ended"),
        }
    }
}

impl SignError {
    /// Of a key that signs and makes no MACs.
    pub(super) const NO_MAC: Self = Self::Failed("the key makes signatures, and no MACs");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        let number = "5".repeat(64);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n", "MIGH".repeat(16));
        for entry in [number.as_str(), &pem, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.x-y_z"] {
            let error = pasted(entry).expect(entry);
            assert!(!error.to_string().contains(&entry[28..40]), "{error}");
        }
        for entry in ["sinohope.pem", "sinohope-production-signing-key-2026.pem", "TOKENS", ""] {
            assert_eq!(pasted(entry), None);
        }
    }
}
