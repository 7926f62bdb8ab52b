//! The Redis that replicas share: leases of lanes for nonces, asked for by one task of the process, and
//! what callbacks were answered.
//!
//! What a lease means is [`crate::nonces`]' to say; here is how the store is reached, what it runs, and
//! when it is asked. A request that is signed never waits for it, unless the process has no lease.

#[cfg(feature = "redis")]
mod answers;
#[cfg(feature = "redis")]
mod connection;
mod found;
#[cfg(feature = "redis")]
mod kept;
#[cfg(not(feature = "redis"))]
mod left_out;
mod password;
#[cfg(feature = "redis")]
mod script;
#[cfg(feature = "redis")]
mod store;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

#[cfg(feature = "redis")]
pub use answers::Answers;
pub use found::Found;
use found::late;
#[cfg(not(feature = "redis"))]
pub use left_out::{Answers, Store};
pub use password::Cells;
use password::Passwords;
#[cfg(feature = "redis")]
pub use store::Store;

use crate::metrics::Metrics;
use crate::moment::unix_ms;
use crate::nonces::{Leases, TERMS};

/// What there is of a store, once there is one.
#[derive(Debug, Default)]
pub struct Sharing {
    /// The task that asks for leases.
    asking: Mutex<Option<Asking>>,
    kept: OnceLock<Kept>,
}

/// What stays, as the store does.
#[derive(Debug)]
struct Kept {
    passwords: Passwords,
    answers: Arc<Answers>,
}

#[derive(Debug)]
struct Asking {
    task: JoinHandle<()>,
    leases: Arc<Leases>,
}

impl Sharing {
    /// Uses this store from now on, for as long as the runtime lives, and asks it for leases where there
    /// are to be some. One that is used already is used on, with the passwords of now.
    pub(crate) fn begin(
        &self,
        store: Store,
        passwords: Cells,
        leases: Option<&Arc<Leases>>,
        metrics: &Arc<Metrics>,
    ) {
        let kept = self.kept.get_or_init(|| Kept {
            passwords: store.passwords(),
            answers: Arc::new(Answers::of(store.another())),
        });
        kept.passwords.set(passwords);
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(leases) = leases.filter(|_| asking.is_none()).cloned() else { return };
        let task = tokio::spawn(ask(store, Arc::clone(&leases), Arc::clone(metrics)));
        *asking = Some(Asking { task, leases });
    }

    /// What callbacks were answered by all replicas, where there is a store.
    pub(crate) fn answers(&self) -> Option<Arc<Answers>> {
        self.kept.get().map(|kept| Arc::clone(&kept.answers))
    }

    /// Gives every lease back, so that another may have it at once.
    pub async fn finish(&self) {
        let asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Asking { task, leases }) = asking else { return };
        leases.stop();
        // What cannot be given back ends by itself.
        let _ended = timeout(2 * LIMIT, task).await;
    }
}

/// How long the store may take for an answer.
const LIMIT: Duration = Duration::from_millis(TERMS.late);
/// How often it is asked: three times in a lease, and more often for turns.
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
                Err(_) => Err(late(LIMIT)),
            },
        };
        metrics.shared_round(outcome.is_ok());
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
        let pause = if told { AGAIN } else { leases.pause().unwrap_or(EVERY) };
        sleep(GAP).await;
        tokio::select! {
            () = sleep(pause) => {}
            () = leases.wanted() => {}
        }
    }
}
