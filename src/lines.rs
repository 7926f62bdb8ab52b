//! The queue of log lines: bounded, with backpressure for requests that are signed.
//!
//! A worker that wrote its line itself would hold a lock that all workers share, and a reader of
//! standard error that stands still would stop every request. So lines wait in memory and are written
//! together, some milliseconds later, by a thread of its own. A thread that was woken for each line,
//! as tracing-appender has it, took more time than the lines: several microseconds of a request.
//!
//! Lines are of two kinds. Those of requests that were sent with a signature are [`certain`]: none is
//! dropped, they go before the others, and while too many of them wait no request is signed, so that
//! they are bounded by a number of bytes and by the requests under way. All others have room for
//! another number, and what does not fit is counted.

mod event;
mod queue;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock, OnceLock};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing::Level;

pub use self::event::{Field, Form, Value, stamp};
use self::queue::{CERTAIN, PATIENCE, Queue};

/// Lines on their way to the thread that writes them. When this is dropped, it waits for the last of
/// them for as long as somebody reads.
#[derive(Debug)]
pub struct Lines(Arc<Queue>);

/// The queue of this process's log, which is one, as the log is, and how its lines are written.
static LOG: OnceLock<(Arc<Queue>, Form)> = OnceLock::new();
static DROPPED: LazyLock<Counter> = LazyLock::new(Counter::default);

thread_local! {
    /// Whether what this thread writes now is certain.
    static IS_CERTAIN: Cell<bool> = const { Cell::new(false) };
}

/// Bytes of certain lines that are not written yet, and how many there may be before nothing is signed;
/// nothing where there is no log.
pub fn waiting() -> Option<(u64, u64)> {
    LOG.get().map(|(queue, _)| (queue.unwritten() as u64, CERTAIN as u64))
}

/// What the log says of lines that were dropped, for people.
pub fn unread(count: u64) -> String {
    format!("{count} log lines were dropped: nobody read them\n")
}

/// Where lines are counted that were dropped.
pub fn dropped() -> Counter {
    DROPPED.clone()
}

/// The lines that are written meanwhile are not dropped. They are those of what was sent after
/// [`room`] was had.
pub fn certain<R>(write: impl FnOnce() -> R) -> R {
    let before = IS_CERTAIN.replace(true);
    let written = write();
    IS_CERTAIN.set(before);
    written
}

/// Waits until the log has room for lines that are certain; says whether it came in time. Costs the
/// load of a number where there is room.
pub async fn room(limit: Duration) -> bool {
    match LOG.get() {
        Some((queue, _)) if !queue.has_room() => Box::pin(queue.wait(limit)).await,
        _ => true,
    }
}

/// Writes an event as the log's other lines are, where there is a log. Whether its level is wanted is
/// the caller's to ask.
pub fn event(level: Level, target: &str, message: &str, fields: &[Field<'_>]) {
    let Some((queue, form)) = LOG.get() else { return };
    event::with_line(*form, (level, target, message), fields, |line| add(queue, line));
}

fn add(queue: &Queue, line: &[u8]) {
    if !queue.add(line, IS_CERTAIN.get()) {
        DROPPED.inc();
    }
}

impl Lines {
    /// Starts the thread, which writes to `sink`, and there what `said` has for the number of lines that
    /// were dropped.
    pub fn to(sink: impl Write + Send + 'static, said: fn(u64) -> String) -> Self {
        let queue = Arc::<Queue>::default();
        let shared = Arc::clone(&queue);
        let thread = thread::Builder::new().name("log".into());
        if thread.spawn(move || shared.write_to(sink, said)).is_err() {
            // Without a thread nothing is written, and nobody waits for it.
            queue.abandon();
        }
        Self(queue)
    }

    /// Makes this the queue that [`room`] asks, and that [`event`] writes to in this form.
    pub fn serve(&self, form: Form) {
        // A second log in one process would be an error of ours, and tracing takes none.
        let _first_stays = LOG.set((Arc::clone(&self.0), form));
    }

    /// Where the formatter writes one line.
    pub fn line(&self) -> impl Fn() -> Line + use<> {
        let queue = Arc::clone(&self.0);
        move || Line(Arc::clone(&queue))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // Whoever does not read standard error must not keep a stopped proxy from ending.
        self.0.close(PATIENCE);
    }
}

/// A writer that takes one whole line.
#[derive(Debug)]
pub struct Line(Arc<Queue>);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        add(&self.0, line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
