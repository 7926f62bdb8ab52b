//! A key's turn among replicas, as the process knows it: whether a request waits for it or is under way, and
//! whether others want it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Turn {
    state: Mutex<State>,
    told: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// A request waits. Others of the process wait behind it.
    waits: bool,
    /// A request is under way.
    busy: bool,
    /// Other processes wait.
    wanted: bool,
}

impl Turn {
    /// Whether a request may be under way from now on. None is begun that others would have to wait for.
    pub(super) fn begin(&self, good: impl Fn() -> bool) -> bool {
        let mut state = self.lock();
        // In this order: whoever gives it back looks first and stops then.
        state.busy = !state.wanted && good();
        state.busy
    }

    /// The request has been answered. Whether others wait.
    pub(super) fn end(&self) -> bool {
        let mut state = self.lock();
        state.busy = false;
        state.wanted
    }

    /// Whether it is to be given back now.
    pub(super) fn leaves(&self) -> bool {
        let state = self.lock();
        state.wanted && !state.busy
    }

    /// Notes whether others wait.
    pub(super) fn want(&self, wanted: bool) {
        self.lock().wanted = wanted;
    }

    /// Whether a request waits.
    pub(super) fn waits(&self) -> bool {
        self.lock().waits
    }

    /// A request waits, until what it is given is dropped.
    pub(super) fn wait(&self) -> Waits<'_> {
        self.lock().waits = true;
        Waits(self)
    }

    /// Tells the request that waits to look again.
    pub(super) fn tell(&self) {
        self.told.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Waits<'a>(&'a Turn);

impl Waits<'_> {
    /// Until it is told to look again.
    pub(super) async fn told(&self) {
        self.0.told.notified().await;
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.lock().waits = false;
    }
}
