//! The log: lines to standard error, through the queue of [`crate::lines`].

mod text;

use std::io;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::text::{Clock, Fields};
use crate::config::{Log, LogFormat};
use crate::lines::Lines;

/// Starts the log. What it returns writes the last lines when it is dropped.
pub(super) fn start(log: &Log) -> Lines {
    let targets: Targets = log.level.parse().expect("the configuration checked the filter");
    // h2 wonders at the answers to the PINGs of src/upstream/stream.rs, which it has not sent.
    let targets = targets.with_target("h2::proto::ping_pong", LevelFilter::ERROR);
    let lines = Lines::to(io::stderr());
    let layer = tracing_subscriber::fmt::layer().with_timer(Clock).with_writer(lines.line());
    let registry = tracing_subscriber::registry().with(targets);
    let started = match log.format {
        LogFormat::Text => registry.with(layer.with_ansi(false).fmt_fields(Fields)).try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    match started {
        Ok(()) => lines.serve(),
        Err(_) => tracing::debug!("a log is set up already"),
    }
    lines
}
