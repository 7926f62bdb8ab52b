//! Order: one request of a key at a time, of all processes of a machine, or of all replicas.

use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::leases::{Held, LeasedLane};
use crate::problem::Problem;

/// The order of a key's requests. Those of this process come as they were asked for.
#[derive(Debug)]
pub struct Order {
    own: Arc<Mutex<Option<File>>>,
    turn: Option<Arc<LeasedLane>>,
}

/// A request's turn, until it is dropped.
#[derive(Debug)]
pub struct Taken {
    /// Let go of before the process's next request is let in.
    turn: Option<Held>,
    own: OwnedMutexGuard<Option<File>>,
}

/// How often others are asked whether they are done.
const PAUSE: Duration = Duration::from_millis(1);

impl Order {
    /// With the file that the processes of the machine lock, or the turn that replicas lease; neither where
    /// there is this one alone.
    pub(super) fn new(file: Option<File>, turn: Option<Arc<LeasedLane>>) -> Self {
        Self { own: Arc::new(Mutex::new(file)), turn }
    }

    /// Waits for the turn, however long.
    ///
    /// # Errors
    ///
    /// When the file cannot be locked, or nobody is given a turn.
    pub async fn take(&self) -> Result<Taken, Problem> {
        let own = Arc::clone(&self.own).lock_owned().await;
        if let Some(turn) = &self.turn {
            return Ok(Taken { turn: Some(turn.turn().await?), own });
        }
        let Some(file) = &*own else { return Ok(Taken { turn: None, own }) };
        // Asked for again and again: who waits in flock(2) could not be told to stop.
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Taken { turn: None, own }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(error)) => {
                    let what = format!("its key's turn: {error}");
                    return Err(Problem::new(what, "see that files can be locked there"));
                }
            }
        }
    }
}

impl Taken {
    /// Whether no other process can have the turn meanwhile.
    pub fn is_good(&self) -> bool {
        self.turn.as_ref().is_none_or(Held::is_good)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(file) = &*self.own {
            // It fails for no file that could be locked.
            let _unlocked = file.unlock();
        }
    }
}
