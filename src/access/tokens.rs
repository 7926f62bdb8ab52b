//! The tokens of clients, of which the proxy knows the hashes.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;
use crate::secret::Secret;

/// Clients and the hashes of their tokens.
#[derive(Debug, Default)]
pub struct Tokens(Vec<(String, [u8; 32])>);

impl Tokens {
    /// Reads lines of `name:sha256-of-token`; empty lines and `#` remarks are skipped.
    ///
    /// # Errors
    ///
    /// The number of the first line that is neither, or a sentence when there is no token at all.
    pub fn parse(secret: &Secret) -> Result<Self, Problem> {
        let problem = |what: String| {
            let fix = "write one line a client: its name, a colon, and what \
                       `printf %s TOKEN | sha256sum` prints";
            Problem::new(what, fix)
        };
        let text =
            std::str::from_utf8(secret.expose()).map_err(|_| problem("is not UTF-8".into()))?;
        let mut tokens = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = || problem(format!("has no name:sha256-in-hex on line {}", number + 1));
            let (name, hash) = line.split_once(':').ok_or_else(bad)?;
            let hash = base16ct::mixed::decode_vec(hash.trim()).map_err(|_| bad())?;
            let hash: [u8; 32] = hash.try_into().map_err(|_| bad())?;
            if hash == <[u8; 32]>::from(Sha256::digest(b"")) {
                let what = format!("has the hash of an empty token on line {}", number + 1);
                return Err(problem(what));
            }
            tokens.push((name.trim().to_owned(), hash));
        }
        if tokens.is_empty() {
            return Err(problem("holds no token".into()));
        }
        Ok(Self(tokens))
    }

    /// The one token of one client.
    pub fn one(name: &str, token: &Secret) -> Self {
        Self(vec![(name.to_owned(), Sha256::digest(token.expose()).into())])
    }

    /// Whether no token is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The client whose token a header shows: `Basic` with name and token (as a proxy URL's user
    /// info is sent), `Bearer`, or the token alone.
    pub(super) fn owner(&self, shown: &[u8]) -> Option<&str> {
        let (scheme, value) = match shown.iter().position(|byte| *byte == b' ') {
            Some(space) => (shown[..space].to_ascii_lowercase(), shown[space + 1..].trim_ascii()),
            None => (Vec::new(), shown),
        };
        if scheme != b"basic" {
            return self.with_token(None, value);
        }
        let decoded = Secret::new(STANDARD.decode(value).ok()?);
        let decoded = decoded.expose();
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        self.with_token(Some(&decoded[..colon]), &decoded[colon + 1..])
    }

    pub(super) fn with_token(&self, name: Option<&[u8]>, token: &[u8]) -> Option<&str> {
        self.row(name, &Sha256::digest(token).into()).map(|(name, _)| name.as_str())
    }

    /// What a session keeps in the place of a token.
    pub(super) fn ticket(&self, name: Option<&[u8]>, token: &[u8]) -> Option<Ticket> {
        let row = self.row(name, &Sha256::digest(token).into())?;
        Some(Ticket { name: row.0.clone(), hash: row.1 })
    }

    /// Whether a ticket's token is still asked for.
    pub(super) fn honour(&self, ticket: &Ticket) -> bool {
        self.row(Some(ticket.name.as_bytes()), &ticket.hash).is_some()
    }

    /// Whether a client of this name has a token.
    pub(super) fn name(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    fn row(&self, name: Option<&[u8]>, hash: &[u8; 32]) -> Option<&(String, [u8; 32])> {
        self.0.iter().find(|(owner, known)| {
            name.is_none_or(|name| name == owner.as_bytes())
                && verify_slices_are_equal(known, hash).is_ok()
        })
    }
}

/// A token that was shown: whose it is, and its hash.
#[derive(Clone)]
pub struct Ticket {
    name: String,
    hash: [u8; 32],
}

impl Ticket {
    /// The client's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_files_with_mistakes_name_the_line() {
        for (text, expected) in [
            ("", "holds no token"),
            ("app", "on line 1"),
            ("# x\napp:12", "on line 2"),
            ("app:zz", "on line 1"),
            (&format!("a:{}\nb:{EMPTY}", "12".repeat(32)), "the hash of an empty token on line 2"),
        ] {
            let error = Tokens::parse(&Secret::new(text.into())).expect_err(text);
            assert!(error.what.contains(expected), "{error}");
        }
    }

    /// What `printf %s "" | sha256sum` prints.
    const EMPTY: &str = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";
}
