//! The log: lines to standard error, written by a thread of its own.
//!
//! A worker that wrote its line itself would hold a lock that all workers share, and a reader of
//! standard error that stands still would stop every request. So lines wait in a bounded queue;
//! what does not fit is dropped, counted, and the count is logged.

use std::io::{self, BufWriter};
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};

/// Writes what is left in the queue when it is dropped.
pub(super) struct Writer {
    _flushes: WorkerGuard,
    dropped: ErrorCounter,
}

/// Starts the log.
pub(super) fn start(log: &Log) -> Writer {
    let targets: Targets = log.level.parse().expect("the configuration checked the filter");
    let (lines, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUE)
        .lossy(true)
        .thread_name("log")
        .finish(BufWriter::new(io::stderr()));
    let dropped = lines.error_counter();
    let layer = tracing_subscriber::fmt::layer().with_writer(lines);
    let registry = tracing_subscriber::registry().with(targets);
    let started = match log.format {
        LogFormat::Text => registry.with(layer.with_ansi(false)).try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("a log is set up already");
    }
    Writer { _flushes: guard, dropped }
}

impl Writer {
    /// Says, from time to time, how many lines were dropped. Never ends.
    pub(super) fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        let counter = self.dropped.clone();
        async move {
            let mut said = 0;
            loop {
                tokio::time::sleep(WATCH).await;
                let dropped = counter.dropped_lines();
                if dropped > said {
                    let lines = dropped - said;
                    tracing::warn!(lines, "log lines were dropped: standard error is not read");
                    said = dropped;
                }
            }
        }
    }
}

/// Lines in the queue: some megabytes at most.
const QUEUE: usize = 16 * 1024;
const WATCH: Duration = Duration::from_secs(5);
