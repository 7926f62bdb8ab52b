//! Who may send requests: client tokens and what else `[access]` says.

use super::builder::{Builder, Secrets};
use crate::access::{Access, Tokens};

impl Builder<'_> {
    /// Who may send requests; the tokens are read from their secret.
    pub(super) fn access(&mut self, secrets: &Secrets) -> Access {
        let access = &self.config.access;
        let mut tokens = Tokens::default();
        if let Some(name) = &access.tokens
            && let Some(secret) = secrets.get(name)
        {
            match Tokens::parse(&secret.current()) {
                Ok(read) => tokens = read,
                Err(problem) => {
                    let at = self.config.secrets.get(name).map(|secret| secret.at);
                    let secret = format!("access.tokens: the secret \"{name}\"");
                    self.errors.push(problem.of(secret).at(at));
                }
            }
        }
        Access {
            tokens,
            from: access.from.clone(),
            origins: access.origins.clone(),
            hosts: access.hosts.clone(),
        }
    }
}
