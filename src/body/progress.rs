//! Backpressure over HTTP/2: how far a body is, for those who cannot see it move.
//!
//! Over HTTP/1.1 a body that its reader does not take shows as a write that does not end. Over
//! HTTP/2 nothing shows: the library holds a piece of it, waits for the reader's window, and asks
//! for no more. So the body itself notes when it was last asked: an upload on its way to an
//! upstream, and an answer on its way to a client.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What a body and those who watch it have in common.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when the body is over, and when its request is answered.
    turn: Notify,
}

#[derive(Debug)]
struct State {
    hands: Hands,
    answered: bool,
}

/// Who has to move next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hands {
    /// Whoever sends it on: it has a piece since then, or has not begun.
    Reader(Instant),
    /// Whoever it comes from: more was asked for, and is not there.
    Writer,
    /// Nobody: it is over.
    None,
}

impl State {
    /// When the reader has had the piece for too long; none while it has none.
    fn due(&self, limit: Duration) -> Option<Instant> {
        let limit = if self.answered { limit.min(AFTER_ANSWER) } else { limit };
        match self.hands {
            Hands::Reader(since) => Some(since + limit),
            Hands::Writer | Hands::None => None,
        }
    }
}

impl Progress {
    pub(super) fn new() -> Self {
        let state = State { hands: Hands::Reader(Instant::now()), answered: false };
        Self(Arc::new(Shared { state: Mutex::new(state), turn: Notify::new() }))
    }

    /// The reader has a piece.
    pub(super) fn taken(&self) {
        self.state().hands = Hands::Reader(Instant::now());
    }

    /// The reader waits for whoever it comes from.
    pub(super) fn asked(&self) {
        self.state().hands = Hands::Writer;
    }

    /// The reader took something of the piece that it has.
    pub(super) fn moved(&self) {
        if let Hands::Reader(since) = &mut self.state().hands {
            *since = Instant::now();
        }
    }

    /// It is over, for better or worse.
    pub(super) fn over(&self) {
        self.state().hands = Hands::None;
        self.0.turn.notify_waiters();
    }

    /// The answer is complete, and nobody wants the rest.
    pub(super) fn answered(&self) {
        self.state().answered = true;
        self.0.turn.notify_waiters();
    }

    /// Waits until the reader has moved nothing for `limit`, or for five seconds where the
    /// request is answered already. Never returns for an upload that is over.
    pub async fn stuck(&self, limit: Duration) {
        loop {
            let turn = self.0.turn.notified();
            let due = self.state().due(limit);
            if due.is_some_and(|due| due <= Instant::now()) {
                return;
            }
            tokio::select! {
                () = turn => {}
                () = tokio::time::sleep_until(due.unwrap_or_else(|| Instant::now() + limit)) => {}
            }
        }
    }

    /// Whether the reader has moved nothing for `limit`.
    pub fn is_stuck(&self, limit: Duration) -> bool {
        self.state().due(limit).is_some_and(|due| due <= Instant::now())
    }

    /// Waits until the upload is over.
    pub async fn ended(&self) {
        loop {
            let turn = self.0.turn.notified();
            if self.is_over() {
                return;
            }
            turn.await;
        }
    }

    /// Whether the body is over.
    pub fn is_over(&self) -> bool {
        self.state().hands == Hands::None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an upstream that has answered in full may leave the rest of an upload neither read
/// nor refused.
const AFTER_ANSWER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_late_only_while_it_has_a_piece() {
        let hour = Duration::from_secs(3600);
        let progress = Progress::new();
        let left = |progress: &Progress| {
            let due = progress.state().due(hour)?;
            Some(due.duration_since(Instant::now()).as_secs() + 1)
        };
        assert_eq!(left(&progress), Some(3600), "it may never begin");
        progress.asked();
        assert_eq!(left(&progress), None, "the client's turn");
        progress.taken();
        assert_eq!(left(&progress), Some(3600));
        progress.answered();
        assert_eq!(left(&progress), Some(5), "nobody wants the rest");
        progress.over();
        assert_eq!((left(&progress), progress.is_over()), (None, true));
    }

    #[tokio::test]
    async fn waiting_ends_when_there_is_nothing_to_wait_for() {
        let progress = Progress::new();
        progress.stuck(Duration::ZERO).await;
        progress.over();
        progress.ended().await;
    }
}
