//! What replicas share: asked for leases by who serves, looked at by who does not.

use std::time::Duration;

use super::builder::{Builder, Secrets};
use crate::config::Problem;
use crate::shared::{Cells, Found, Store};
use crate::snapshot::Surroundings;

impl Builder<'_> {
    /// Begins to use the store, where requests will be answered; else looks whether it can be used.
    pub(super) async fn shared(&mut self, secrets: &Secrets) -> Option<Found> {
        let shared = self.config.shared.as_ref()?;
        // A secret that is not there has had its own error.
        let cell = |name: &Option<String>| match name {
            Some(name) => secrets.get(name).cloned().map(Some),
            None => Some(None),
        };
        let (server, sentinels) = (cell(&shared.password)?, cell(&shared.sentinel_password)?);
        let passwords = Cells { server, sentinels };
        let mut store = match Store::new(shared) {
            Ok(store) => store,
            Err(problem) => {
                self.errors.push(problem.at(shared.at));
                return None;
            }
        };
        let Surroundings { serves, nonces, sharing, metrics, .. } = self.surroundings;
        if *serves {
            sharing.begin(store, passwords, nonces.leases(), metrics);
            return None;
        }
        if !self.surroundings.looks {
            return None;
        }
        store.passwords().set(passwords);
        match store.look().await {
            Ok(found) => {
                let doubts = found.doubts.iter().cloned();
                self.warnings.extend(doubts.map(|doubt| doubt.of("shared.redis").at(shared.at)));
                Some(found)
            }
            Err(problem) => {
                self.errors.push(problem.at(shared.at));
                None
            }
        }
    }

    /// Waits for the first leases, and says why there are none: who begins without goes on asking.
    pub(super) async fn settled(&mut self) {
        let leases = self.surroundings.nonces.leases().filter(|_| self.surroundings.serves);
        let Some(leases) = leases.filter(|leases| leases.missing() > 0).cloned() else { return };
        let waited = tokio::task::spawn_blocking(move || leases.settle(FIRST)).await;
        if let Ok(Some(Problem { what, fix, .. })) = waited {
            let at = self.config.shared.as_ref().map(|shared| shared.at);
            let what = format!("{what}; requests that need a lease are refused until then");
            self.warnings.push(Problem::new(what, fix).at(at));
        }
    }
}

/// How long the start waits for leases.
const FIRST: Duration = Duration::from_secs(3);
