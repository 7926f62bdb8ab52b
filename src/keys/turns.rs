//! Turns at a store that answers one question at a time: a few connections that are kept while they
//! are good, and a bounded queue before them.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::SignError;

/// The connections to one store.
#[derive(Debug)]
pub(super) struct Turns<S> {
    /// Connections that wait for the next question.
    idle: Mutex<Vec<S>>,
    /// Taken from while a question is under way, in the order of asking.
    open: Semaphore,
    /// Taken from while a question waits or is under way.
    places: Semaphore,
}

/// The right to one question.
#[derive(Debug)]
pub(super) struct Turn<'t, S> {
    turns: &'t Turns<S>,
    _place: SemaphorePermit<'t>,
    _open: SemaphorePermit<'t>,
}

impl<S> Turns<S> {
    /// With so many connections at most, and so many questions that wait or are under way.
    pub(super) fn new(connections: usize, places: usize) -> Self {
        let (open, places) = (Semaphore::new(connections), Semaphore::new(places));
        Self { idle: Mutex::default(), open, places }
    }

    /// Waits in turn.
    ///
    /// # Errors
    ///
    /// [`SignError::Busy`] where too many wait.
    pub(super) async fn turn(&self) -> Result<Turn<'_, S>, SignError> {
        let place = self.places.try_acquire().map_err(|_| SignError::Busy)?;
        let open = self.open.acquire().await.map_err(|_| SignError::Busy)?;
        Ok(Turn { turns: self, _place: place, _open: open })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<S>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Turn<'_, S> {
    /// A connection from before. A store that has ended leaves some that look good until they are
    /// used.
    pub(super) fn kept(&self) -> Option<S> {
        self.turns.idle().pop()
    }

    /// Keeps a connection whose question is answered.
    pub(super) fn keep(&self, connection: S) {
        self.turns.idle().push(connection);
    }
}
