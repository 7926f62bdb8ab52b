//! The log: lines to standard error, written by a thread of its own.
//!
//! A worker that wrote its line itself would hold a lock that all workers share, and a reader of
//! standard error that stands still would stop every request. So lines wait in a bounded buffer
//! and are written together, some milliseconds later. A thread that was woken for each line, as
//! tracing-appender has it, took more time than the lines: several microseconds of a request.

mod text;

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::text::{Clock, Fields};
use crate::config::{Log, LogFormat};

/// Starts the log. What it returns writes the last lines when it is dropped.
pub(super) fn start(log: &Log) -> Lines {
    let targets: Targets = log.level.parse().expect("the configuration checked the filter");
    // h2 wonders at the answers to the PINGs of src/upstream/stream.rs, which it has not sent.
    let targets = targets.with_target("h2::proto::ping_pong", LevelFilter::ERROR);
    let lines = Lines::to(io::stderr());
    let buffer = Arc::clone(&lines.0);
    let layer = tracing_subscriber::fmt::layer()
        .with_timer(Clock)
        .with_writer(move || Line(Arc::clone(&buffer)));
    let registry = tracing_subscriber::registry().with(targets);
    let started = match log.format {
        LogFormat::Text => registry.with(layer.with_ansi(false).fmt_fields(Fields)).try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("a log is set up already");
    }
    lines
}

/// Lines on their way to the thread that writes them.
pub(super) struct Lines(Arc<Buffer>);

#[derive(Default)]
struct Buffer {
    state: Mutex<State>,
    /// Told when the first line comes, when the last is written, and at the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// Lines that did not fit since the last were written.
    dropped: u64,
    /// No more lines will come.
    closed: bool,
    /// The thread has written everything and is gone.
    finished: bool,
}

impl Lines {
    /// Starts the thread, which writes to `sink`.
    fn to(sink: impl Write + Send + 'static) -> Self {
        let buffer = Arc::<Buffer>::default();
        let shared = Arc::clone(&buffer);
        let thread = thread::Builder::new().name("log".into());
        if thread.spawn(move || shared.write_to(sink)).is_err() {
            // Without a thread nothing is written, and nobody waits for it.
            buffer.lock().finished = true;
        }
        Self(buffer)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        self.0.changed.notify_all();
        // Whoever does not read standard error must not keep a stopped proxy from ending.
        let waited = self.0.changed.wait_timeout_while(state, LAST_LINES, |state| !state.finished);
        drop(waited);
    }
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.bytes.len() + line.len() > CAPACITY {
            state.dropped += 1;
            return;
        }
        let first = state.bytes.is_empty();
        state.bytes.extend_from_slice(line);
        if first {
            self.changed.notify_all();
        }
    }

    fn write_to(&self, mut sink: impl Write) {
        let mut batch = Vec::new();
        loop {
            let idle = |state: &mut State| state.bytes.is_empty() && !state.closed;
            let state = self.changed.wait_while(self.lock(), idle);
            let closed = state.unwrap_or_else(PoisonError::into_inner).closed;
            if !closed {
                // More lines come while this one waits, and are written with it.
                thread::sleep(TOGETHER);
            }
            let mut state = self.lock();
            batch.clear();
            std::mem::swap(&mut batch, &mut state.bytes);
            let dropped = std::mem::take(&mut state.dropped);
            drop(state);
            // A sink that is gone takes nothing; the next lines may find another.
            let _lost = sink.write_all(&batch).and_then(|()| sink.flush());
            if dropped > 0 {
                let _lost = writeln!(sink, "{dropped} log lines were dropped: nobody read them");
            }
            let mut state = self.lock();
            if state.closed && state.bytes.is_empty() {
                state.finished = true;
                self.changed.notify_all();
                return;
            }
        }
    }
}

/// Where the formatter writes one line.
struct Line(Arc<Buffer>);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that may wait.
const CAPACITY: usize = 4 << 20;
/// How long a line waits for others.
const TOGETHER: Duration = Duration::from_millis(20);
/// How long the end waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Instant;

    use super::*;

    /// Takes a batch each time it is let.
    struct Gate {
        open: Receiver<()>,
        written: Sender<String>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _closed = self.open.recv();
            let _unread = self.written.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_order_and_the_last_before_the_end() {
        let (open, gate) = channel();
        let (written, read) = channel();
        let lines = Lines::to(Gate { open: gate, written });
        drop(open);
        for number in 0..1_000 {
            lines.0.add(format!("{number}\n").as_bytes());
        }
        drop(lines);
        let all: String = read.iter().collect();
        let expected: String = (0..1_000).map(|number| format!("{number}\n")).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn a_sink_that_stands_still_stops_nobody_and_what_is_dropped_is_said() {
        let (open, gate) = channel();
        let (written, read) = channel();
        let lines = Lines::to(Gate { open: gate, written });
        let line = vec![b'x'; 64 * 1024];
        let count = 3 * CAPACITY / line.len();
        // Were the lines written here, this would not come back.
        (0..count).for_each(|_| lines.0.add(&line));
        assert!(lines.0.lock().bytes.len() <= CAPACITY);
        drop(open);
        drop(lines);
        let all: String = read.iter().collect();
        let kept = all.bytes().filter(|byte| *byte == b'x').count() / line.len();
        let said = format!("{} log lines were dropped: nobody read them\n", count - kept);
        assert!(kept < count && all.ends_with(&said), "{kept} of {count}");
    }

    #[test]
    fn the_end_does_not_wait_for_ever() {
        let (open, gate) = channel();
        let lines = Lines::to(Gate { open: gate, written: channel().0 });
        lines.0.add(b"never read\n");
        let started = Instant::now();
        drop(lines);
        assert!(started.elapsed() >= LAST_LINES, "the sink was shut, so this waited");
        drop(open);
    }
}
