//! Order: one request of a key at a time, of all processes of a machine.

use std::fs::{File, TryLockError};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// The order of a key's requests. Those of this process come as they were asked for.
#[derive(Debug)]
pub struct Order(Arc<Mutex<Option<File>>>);

/// A request's turn, until it is dropped.
#[derive(Debug)]
pub struct Taken(OwnedMutexGuard<Option<File>>);

/// How often others are asked whether they are done.
const PAUSE: Duration = Duration::from_millis(1);

impl Order {
    /// With the file that the processes of the machine lock; none where there is this one alone.
    pub(super) fn new(file: Option<File>) -> Self {
        Self(Arc::new(Mutex::new(file)))
    }

    /// Waits for the turn, however long.
    ///
    /// # Errors
    ///
    /// When the file cannot be locked.
    pub async fn take(&self) -> io::Result<Taken> {
        let own = Arc::clone(&self.0).lock_owned().await;
        let Some(file) = &*own else { return Ok(Taken(own)) };
        // Asked for again and again: who waits in flock(2) could not be told to stop.
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Taken(own)),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(file) = &*self.0 {
            // It fails for no file that could be locked.
            let _unlocked = file.unlock();
        }
    }
}
