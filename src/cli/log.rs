//! The log: lines to standard error, through the queue of [`crate::lines`].

use std::{fmt, io};

use serde_json::{Value, json};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};
use crate::lines::{Form, Lines, stamp, unread};

/// The time as lines have it.
struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        stamp(writer)
    }
}

/// What sets the levels of a log that is under way.
#[derive(Clone, Debug)]
pub(super) struct Levels(reload::Handle<Targets, Registry>);

impl Levels {
    /// From now on lines are written by these.
    pub(super) fn set(&self, log: &Log) {
        // A log that was not set up has none.
        let _no_log = self.0.reload(targets(log));
    }
}

/// Starts the log. Its lines end when what is returned is dropped.
pub(super) fn start(log: &Log) -> (Lines, Levels) {
    let (targets, levels) = reload::Layer::new(targets(log));
    let (registry, stderr) = (tracing_subscriber::registry().with(targets), io::stderr());
    let layer = tracing_subscriber::fmt::layer().with_timer(Clock);
    let (started, lines, form) = match log.format {
        LogFormat::Text => {
            let lines = Lines::to(stderr, unread);
            let layer = layer.with_writer(lines.line()).with_ansi(false);
            (registry.with(layer).try_init(), lines, Form::Text)
        }
        LogFormat::Json => {
            let said =
                |count| object("WARN", "nobody read these log lines", json!({ "dropped": count }));
            let lines = Lines::to(stderr, said);
            let layer = layer.with_writer(lines.line()).json().flatten_event(true);
            (registry.with(layer).try_init(), lines, Form::Json)
        }
    };
    match started {
        Ok(()) => lines.serve(form),
        Err(_) => tracing::debug!("a log is set up already"),
    }
    (lines, Levels(levels))
}

fn targets(log: &Log) -> Targets {
    let targets: Targets = log.level.parse().expect("the configuration checked the filter");
    // h2 wonders at the answers to the PINGs of src/upstream/stream.rs, which it has not sent.
    targets.with_target("h2::proto::ping_pong", LevelFilter::ERROR)
}

/// A line in JSON, with its end, of what is said beside the log: as the log has its own.
pub(super) fn object(level: &str, message: &str, fields: Value) -> String {
    let mut timestamp = String::new();
    let _always = stamp(&mut timestamp);
    let mut line = json!({ "timestamp": timestamp, "level": level, "message": message });
    if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), fields) {
        line.extend(fields);
    }
    format!("{line}\n")
}
