//! Who may send requests: client tokens and what else `[access]` says.

use rustix::process::{Uid, geteuid};

use super::builder::{Builder, Secrets};
use crate::access::{Access, Tokens, Users};
use crate::config::LocalUser;

impl Builder<'_> {
    /// Who may send requests; the tokens are read from their secret.
    pub(super) fn access(&mut self, secrets: &Secrets) -> Access {
        let access = &self.config.access;
        Access {
            tokens: self.tokens("access.tokens", access.tokens.as_ref(), secrets),
            scrapers: self.tokens("access.metrics_tokens", access.metrics_tokens.as_ref(), secrets),
            users: self.users(),
            from: access.from.clone(),
            origins: access.origins.clone(),
            hosts: access.hosts.clone(),
        }
    }

    /// The tokens in the secret that a setting names; none where it names none.
    fn tokens(&mut self, setting: &str, name: Option<&String>, secrets: &Secrets) -> Tokens {
        let Some((name, secret)) = name.and_then(|name| Some((name, secrets.get(name)?))) else {
            return Tokens::default();
        };
        Tokens::parse(&secret.current()).unwrap_or_else(|problem| {
            let at = self.config.secrets.get(name).map(|secret| secret.at);
            let secret = format!("{setting}: the secret \"{name}\"");
            self.errors.push(problem.of(secret).at(at));
            Tokens::default()
        })
    }

    /// Whose requests need no token, where none are asked for: our own user's, those of root, who
    /// could read the keys, and those that are named.
    fn users(&self) -> Users {
        let access = &self.config.access;
        if access.tokens.is_some() {
            return Users::Nobody;
        }
        let mut users = vec![geteuid().as_raw(), Uid::ROOT.as_raw()];
        for user in &access.users {
            match user {
                LocalUser::Any => return Users::Any,
                LocalUser::Number(number) => users.push(*number),
            }
        }
        Users::These(users)
    }
}
