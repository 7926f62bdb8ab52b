//! What `run` prints at its start, for whoever started it: what listens, which routes and which keys are
//! live, and that it is ready. One line each, a name first; or an object, as the log's lines are then.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::{CliError, log};
use crate::config::LogFormat;
use crate::server::{Listener, Listening};
use crate::snapshot::Snapshot;

/// Something that is said in both forms.
struct Said {
    line: String,
    message: &'static str,
    fields: Value,
}

impl Said {
    fn write(&self, format: LogFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            LogFormat::Text => writeln!(out, "{}", self.line),
            LogFormat::Json => {
                out.write_all(log::object("INFO", self.message, self.fields.clone()).as_bytes())
            }
        }
    }
}

/// What is live.
pub(super) fn announce(
    snapshot: &Snapshot,
    listeners: &[Listener],
    format: LogFormat,
    out: &mut dyn Write,
) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let program = Said {
        line: format!("countersign {version}"),
        message: "starting",
        fields: json!({ "version": version }),
    };
    let all = [program].into_iter().chain(listeners.iter().map(listener));
    let mut all = all.chain(routes(snapshot)).chain(keys(snapshot));
    all.try_for_each(|said| said.write(format, out))
}

/// Requests are taken from now on.
pub(super) fn ready(format: LogFormat, out: &mut dyn Write) -> io::Result<()> {
    let said = Said { line: "ready".into(), message: "ready", fields: json!({}) };
    said.write(format, out).and_then(|()| out.flush())
}

/// Why it ended, where that is said in JSON: what is left for the caller is the exit code.
pub(super) fn ended(error: CliError) -> CliError {
    if error.what.is_empty() || error.broken_pipe {
        return error;
    }
    let line = log::object("ERROR", &error.what, json!({ "fix": error.fix }));
    let _closed = io::stderr().write_all(line.as_bytes());
    CliError::silent(error.exit)
}

fn listener(listener: &Listener) -> Said {
    let place = match listener.bound() {
        Listening::Tcp(address) => format!("http://{address}"),
        Listening::Unix(path) => format!("unix:{}", path.display()),
    };
    let name = listener.role().name();
    Said {
        line: format!("{name:<8} {place}"),
        message: "listening",
        fields: json!({ "listener": name, "at": place }),
    }
}

fn routes(snapshot: &Snapshot) -> impl Iterator<Item = Said> {
    snapshot.routes.all().map(|route| {
        let host = route.host.as_ref().map(ToString::to_string);
        let shown = host.as_deref().unwrap_or("(gateway only)");
        let keys: Vec<_> = route.keys.iter().map(|key| key.name.as_str()).collect();
        let named =
            if keys.is_empty() { "no key".into() } else { format!("key {}", keys.join(", ")) };
        let (name, scheme, reach) = (&route.name, &route.entry.name, route.reach());
        Said {
            line: format!("route    {name}: {shown}, {reach}, scheme {scheme}, {named}"),
            message: "route",
            fields: json!({
                "route": &**name,
                "host": host,
                "reach": reach.to_string(),
                "scheme": scheme.to_string(),
                "keys": keys,
            }),
        }
    })
}

fn keys(snapshot: &Snapshot) -> impl Iterator<Item = Said> {
    snapshot.keys.iter().map(|key| {
        let (name, algorithm) = (&key.name, key.algorithm().to_string());
        let print = key.public_key.fingerprint();
        Said {
            line: format!("key      {name}: {algorithm} {print}"),
            message: "key",
            fields: json!({ "key": name, "algorithm": algorithm, "fingerprint": print.to_string() }),
        }
    })
}
