//! A runtime for each core: every connection is served from its first byte to its last by one thread,
//! which hands nothing to others and so waits for none, and wakes none.
//!
//! Thread-per-core, as against work stealing: a connection waits while another on its core signs, so what
//! is long goes to threads of its own ([`crate::workers`]), but for what borrows and is done in place.
//! Connections are handed out in turn as they come.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

thread_local! {
    /// Which of the cores this thread is, from 1 on; 0 for every other.
    static OWN: Cell<usize> = const { Cell::new(0) };
}

/// Which core the calling thread is, below [`Cores::count`].
pub fn current_core() -> usize {
    OWN.get().saturating_sub(1)
}

/// The cores that serve connections. None: whoever takes a connection serves it.
#[derive(Clone, Debug, Default)]
pub struct Cores(Option<Arc<Threads>>);

#[derive(Debug)]
struct Threads {
    handles: Vec<Handle>,
    next: AtomicUsize,
}

/// Ends the threads of the cores when it is dropped, and waits for what ends with them: the log line of
/// a request that was under way is written as its task is dropped.
#[derive(Debug)]
pub struct Running {
    until: CancellationToken,
    /// Told nothing; over when the last thread has let go of the other end.
    ended: Receiver<Infallible>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.until.cancel();
        let _over = self.ended.recv_timeout(PATIENCE);
    }
}

impl Cores {
    /// So many, while the other is kept; none where that is one, whose thread is the caller's own.
    ///
    /// # Errors
    ///
    /// When the system starts no thread.
    pub fn start(count: NonZero<usize>) -> io::Result<(Self, Running)> {
        let (until, (running, ended)) = (CancellationToken::new(), mpsc::channel());
        let all = Running { until: until.clone(), ended };
        if count.get() == 1 {
            return Ok((Self::default(), all));
        }
        let mut handles = Vec::new();
        for number in 1..=count.get() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            handles.push(runtime.handle().clone());
            let (until, running) = (until.clone(), running.clone());
            let serve = move || {
                let _running = running;
                OWN.set(number);
                runtime.block_on(until.run_until_cancelled(tick()));
                // What is blocked on a disk does not keep the process from ending.
                runtime.shutdown_background();
            };
            thread::Builder::new().name(format!("core-{number}")).spawn(serve)?;
        }
        Ok((Self(Some(Arc::new(Threads { handles, next: AtomicUsize::new(0) }))), all))
    }

    /// How many there are, and one at least.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |threads| threads.handles.len())
    }

    /// The one whose turn it is.
    pub fn next(&self) -> Option<&Handle> {
        let threads = self.0.as_ref()?;
        let turn = threads.next.fetch_add(1, Ordering::Relaxed);
        threads.handles.get(turn % threads.handles.len())
    }
}

/// A timer that is always due next. One that is due sooner than all others has tokio wake its driver, by
/// a write and a wait, and without this that is the timer of every request. For every runtime that serves.
/// It never ends.
pub async fn tick() {
    loop {
        tokio::time::sleep(SOONER).await;
    }
}

/// Sooner than whatever a request waits for.
const SOONER: Duration = Duration::from_millis(900);

/// How long the end waits for the cores: each is at most in the middle of what it does in place.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many threads serve: as many as there are processors, unless `TOKIO_WORKER_THREADS` says another
/// number.
pub fn thread_count(variable: Option<&str>) -> NonZero<usize> {
    let written = variable.and_then(|text| text.trim().parse().ok());
    written.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZero::<usize>::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise the process ends before what they dropped has been written down.
    #[test]
    fn what_runs_on_the_cores_is_dropped_before_the_end() {
        let (cores, running) = Cores::start(NonZero::new(4).unwrap()).unwrap();
        let held = Arc::new(());
        for _ in 0..64 {
            let held = Arc::clone(&held);
            cores.next().unwrap().spawn(async move {
                let _held = held;
                std::future::pending::<()>().await;
            });
        }
        drop(running);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
