//! From what was written to what will run: values that are not written get their defaults, and
//! values that do not fit together are refused.
//!
//! Every check reports and goes on, so that a file is mended in one go. The result of a file
//! with problems is thrown away; it only has to exist, not to be right.

mod decide;
mod intercept;
mod listen;
mod routes;
mod stores;
#[cfg(test)]
mod tests;
mod upstreams;

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::file::{self, File};
use super::{Config, ConfigError, ConfigErrors, Limits, Log, LogFormat, Timeouts, Unrouted};
use crate::document::{Field, Named, Report, Written, choose, is_shown, nearest, quoted};
use crate::moment::Replica;

/// Reads and resolves a file.
pub(super) fn load(path: &Path) -> Result<Config, ConfigErrors> {
    match attempt(path)? {
        (config, None) => Ok(config),
        (_, Some(errors)) => Err(errors),
    }
}

/// Reads and resolves a file as far as it goes: with problems, the result exists but is not right.
/// Without a result there are only problems.
pub(super) fn attempt(path: &Path) -> Result<(Config, Option<ConfigErrors>), ConfigErrors> {
    let whole = |what: String, fix: &str| {
        let error = ConfigError { at: None, what, fix: fix.into() };
        ConfigErrors::new(path.to_owned(), vec![error])
    };
    let bytes = fs::read(path).map_err(|error| {
        whole(format!("cannot be read: {error}"), "name a file that exists and that you may read")
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| whole("is not text in UTF-8".into(), "save it as UTF-8"))?;
    resolve(&text, path)
}

/// Resolves a text as if it stood in `path`.
pub(super) fn parse(text: &str, path: &Path) -> Result<Config, ConfigErrors> {
    match resolve(text, path)? {
        (config, None) => Ok(config),
        (_, Some(errors)) => Err(errors),
    }
}

fn resolve(text: &str, path: &Path) -> Result<(Config, Option<ConfigErrors>), ConfigErrors> {
    let report = Report::new(text);
    let config = file::read(&report).map(|file| {
        let directory = path.parent().unwrap_or_else(|| Path::new(""));
        Resolver { file: &file, report: &report, directory }.config(path)
    });
    let errors = report.into_errors();
    let found = !errors.is_empty();
    let errors = ConfigErrors::new(path.to_owned(), errors);
    match config {
        Some(config) => Ok((config, found.then_some(errors))),
        None => Err(errors),
    }
}

/// What the checks look at and where they report.
struct Resolver<'a> {
    file: &'a File,
    report: &'a Report<'a>,
    /// Where relative paths start.
    directory: &'a Path,
}

impl Resolver<'_> {
    fn config(&self, path: &Path) -> Config {
        Config {
            path: path.to_owned(),
            listen: self.listen(),
            access: self.access(),
            intercept: self.intercept(),
            limits: self.limits(),
            timeouts: self.timeouts(),
            replica: or(&self.file.replica, Replica::ALONE),
            stores: self.stores(),
            keys: self.keys(),
            secrets: self.secrets(),
            upstreams: self.upstreams(),
            routes: self.routes(),
            log: Log {
                level: or(&self.file.log.level, LEVEL.into()),
                format: or(&self.file.log.format, FORMAT),
            },
        }
    }

    fn limits(&self) -> Limits {
        let written = &self.file.limits;
        if let Some(Written { value: 0, at }) = written.tunnels.get() {
            let what = "limits.tunnels is 0, and no WebSocket could be opened";
            self.report.add(*at, what, format!("write tunnels = {TUNNELS}"));
        }
        if let Some(Written { value, at }) = written.connections.get() {
            let what = match *value {
                0 => Some("limits.connections is 0, and no request could arrive".to_owned()),
                1..=MOST_CONNECTIONS => None,
                _ => Some(format!("limits.connections is more than {MOST_CONNECTIONS}")),
            };
            if let Some(what) = what {
                self.report.add(*at, what, format!("write connections = {CONNECTIONS}"));
            }
        }
        Limits {
            signed_body: or(&written.signed_body, SIGNED_BODY),
            connections: whole(or(&written.connections, CONNECTIONS)),
            tunnels: whole(or(&written.tunnels, TUNNELS)),
            header: whole(or(&written.header, HEADER)),
        }
    }

    fn timeouts(&self) -> Timeouts {
        let written = &self.file.timeouts;
        Timeouts {
            request_head: or(&written.request_head, REQUEST_HEAD),
            request_body: or(&written.request_body, REQUEST_BODY),
            body_idle: or(&written.body_idle, BODY_IDLE),
            tunnel_idle: or(&written.tunnel_idle, TUNNEL_IDLE),
            sign: or(&written.sign, SIGN),
            connect: or(&written.connect, CONNECT),
            response_head: or(&written.response_head, RESPONSE_HEAD),
            idle: or(&written.idle, IDLE),
            client_idle: or(&written.client_idle, CLIENT_IDLE),
            drain_linger: or(&written.drain_linger, DRAIN_LINGER),
            drain: or(&written.drain, DRAIN),
        }
    }

    /// Reports a reference to nothing: `subject` names an entry that `[table]` does not have.
    fn check_reference<T>(
        &self,
        subject: &str,
        reference: &Written<String>,
        table: &str,
        entries: &Named<T>,
    ) {
        let name = reference.value.as_str();
        if entries.contains_key(name) {
            return;
        }
        let names: Vec<&str> = entries.keys().map(String::as_str).collect();
        let fix = match nearest(name, names.iter().copied()) {
            _ if !is_shown(name) => choose(name, &names),
            Some(meant) => format!("write \"{meant}\", or add [{table}.{name}]"),
            None if names.is_empty() => format!("write [{table}.{name}]"),
            None => format!("write [{table}.{name}], or {}", choose(name, &names)),
        };
        let what = format!("{subject} names {}, and [{table}] has no such entry", quoted(name));
        self.report.add(reference.at, what, fix);
    }
}

/// What is written, or else the default.
fn or<T: Clone>(field: &Field<T>, default: T) -> T {
    field.value().cloned().unwrap_or(default)
}

/// A number of things in memory.
fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

// What holds where nothing is written. `proxy.toml.example` shows each as `#name = value`.
const UNROUTED: Unrouted = Unrouted::Refuse;
const ALLOWED: [&str; 2] = ["127.0.0.0/8", "::1/128"];
const LEAF_LIFETIME: Duration = Duration::from_secs(7 * 86_400);
const LEAF_CACHE: u64 = 1024;
const SIGNED_BODY: u64 = 1 << 20;
const CONNECTIONS: u64 = 1024;
const TUNNELS: u64 = 512;
const HEADER: u64 = 32 << 10;
const REQUEST_HEAD: Duration = Duration::from_secs(30);
const REQUEST_BODY: Duration = Duration::from_secs(30);
const TUNNEL_IDLE: Duration = Duration::from_secs(600);
const BODY_IDLE: Duration = Duration::from_secs(120);
const SIGN: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(5);
const RESPONSE_HEAD: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(90);
/// Longer than the pools of most HTTP clients keep a connection: who sends on one that is being
/// closed loses its request.
const CLIENT_IDLE: Duration = Duration::from_secs(120);
const DRAIN_LINGER: Duration = Duration::from_secs(2);
const DRAIN: Duration = Duration::from_secs(10);
const WATCH: bool = false;
const ROUTE_PATH: &str = "/";
const IDLE_CONNECTIONS: u64 = 32;
const LEVEL: &str = "info";
const FORMAT: LogFormat = LogFormat::Text;

/// More than any process has descriptors for, and less than a semaphore can count.
const MOST_CONNECTIONS: u64 = 1_000_000;
