//! The Redis that replicas share: leases of lanes for nonces, asked for by one task of the process.
//!
//! What a lease means is [`crate::nonces`]' to say; here is how the store is reached, what it runs, and
//! when it is asked. A request never waits for it, unless the process has no lease.

mod connection;
mod password;
mod script;
mod store;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub(crate) use password::Cells;
use password::Passwords;
pub(crate) use store::Found;
pub use store::Store;

use crate::metrics::Metrics;
use crate::moment::unix_ms;
use crate::nonces::{Leases, TERMS};

/// The task that asks, once there is one.
#[derive(Debug, Default)]
pub struct Sharing(Mutex<Option<Asking>>);

#[derive(Debug)]
struct Asking {
    task: JoinHandle<()>,
    passwords: Passwords,
    leases: Arc<Leases>,
}

impl Sharing {
    /// Asks this store from now on, for as long as the runtime lives. One that is asked already is asked
    /// on, with the passwords of now.
    pub(crate) fn begin(
        &self,
        store: Store,
        passwords: Cells,
        leases: &Arc<Leases>,
        metrics: &Arc<Metrics>,
    ) {
        let mut asking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asking) = &*asking {
            asking.passwords.set(passwords);
            return;
        }
        let known = store.passwords();
        known.set(passwords);
        let leases = Arc::clone(leases);
        let task = tokio::spawn(ask(store, Arc::clone(&leases), Arc::clone(metrics)));
        *asking = Some(Asking { task, passwords: known, leases });
    }

    /// Gives every lease back, so that another may have it at once.
    pub async fn finish(&self) {
        let asking = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Asking { task, leases, .. }) = asking else { return };
        leases.stop();
        // What cannot be given back ends by itself.
        let _ended = timeout(2 * LIMIT, task).await;
    }
}

/// How long the store may take for an answer.
const LIMIT: Duration = Duration::from_millis(TERMS.late);
/// How often it is asked: three times in a lease.
const EVERY: Duration = Duration::from_millis(TERMS.lease / 3);
/// How soon again where there was no answer.
const AGAIN: Duration = Duration::from_millis(500);
/// Between two questions, however many wait.
const GAP: Duration = Duration::from_millis(50);

/// Asks for as long as somebody may place.
async fn ask(mut store: Store, leases: Arc<Leases>, metrics: Arc<Metrics>) {
    let mut told = false;
    loop {
        // First of all, for only what comes soon after it was asked for is believed.
        let reached = store.reach().await;
        let round = leases.begin(unix_ms());
        let outcome = match reached {
            Err(problem) => Err(problem),
            Ok(()) => match timeout(LIMIT, store.ask(&round)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(store::late(LIMIT)),
            },
        };
        metrics.shared_round(outcome.is_ok());
        let pause = if outcome.is_ok() { EVERY } else { AGAIN };
        if let Err(problem) = &outcome
            && !told
        {
            tracing::warn!("{problem}; {}", problem.fix);
        } else if outcome.is_ok() && told {
            tracing::info!("shared.redis answers again");
        }
        told = outcome.is_err();
        if outcome.is_err() {
            // What is still to come on it belongs to nobody.
            store.leave();
        }
        leases.end(&round, outcome);
        metrics.leases_missing(leases.missing());
        if round.last {
            return;
        }
        sleep(GAP).await;
        tokio::select! {
            () = sleep(pause) => {}
            () = leases.wanted() => {}
        }
    }
}
