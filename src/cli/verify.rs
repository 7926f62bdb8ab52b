//! `verify`: is this signed request valid, and if not, which part.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use http::header::HOST;
use serde_json::json;

use super::explain::{shown, signing};
use super::raw::RawRequest;
use super::{CliError, ConfigFile, Exit, runtime};
use crate::config::Config;
use crate::destination::Destination;
use crate::moment::Moments;
use crate::route::Route;
use crate::scheme::{BodyNeed, Head, Signable};
use crate::snapshot::{Snapshot, Surroundings};
use crate::verification::{Flaw, verify};

#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// A raw HTTP/1.1 request, as it reached the provider; - is standard input
    #[arg(long)]
    file: PathBuf,
    /// The route; found by the request's Host, if left out
    #[arg(long)]
    route: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VerifyArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let request = RawRequest::read(&args.file)?;
    let config = Config::load(args.config.path())?;
    let surroundings = Surroundings::default();
    let snapshot = runtime()?.block_on(Snapshot::build(&config, &surroundings, None))?;
    let route = find(args, &snapshot, &request)?;
    let RawRequest { method, target, headers, body, .. } = request;
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default().to_owned();
    let head = Head { method, host, target, headers };
    let scheme = signing(&route)?;
    let needed = scheme.body_need(&head) == BodyNeed::Whole;
    let signable = Signable { head: &head, body: needed.then_some(&body) };
    let verdict = verify(scheme.as_ref(), |slot| route.public_key(slot), signable);
    let now = Moments::new(config.replica).next().unix_ms;
    let moment = scheme.claim(signable).ok().and_then(|claim| claim.moment);
    let age = moment.map(|moment| i128::from(now) - i128::from(moment.unix_ms));
    let flaw = verdict.err();
    match report(args.json, &route, flaw.as_ref(), age, out) {
        // The exit code is the answer, also to those who have stopped reading.
        Err(error) if !error.broken_pipe => Err(error),
        _ if flaw.is_some() => Err(CliError::silent(Exit::Failed)),
        written => written,
    }
}

/// The route by name, or by the request's host and path. What reached the provider has the
/// upstream's base path in front; what routes match has not.
fn find(
    args: &VerifyArgs,
    snapshot: &Snapshot,
    request: &RawRequest,
) -> Result<Arc<Route>, CliError> {
    if let Some(name) = &args.route {
        let known: Vec<_> = snapshot.routes.all().map(|route| route.name.as_ref()).collect();
        let missing = || {
            CliError::new(Exit::Usage, format!("there is no route \"{name}\""))
                .fix(format!("use one of: {}", known.join(", ")))
        };
        return snapshot.routes.named(name).cloned().ok_or_else(missing);
    }
    let path = request.target.path();
    let based = |route: &&Arc<Route>| {
        let base = route.origin.as_ref().map_or("", |origin| origin.base_path.as_str());
        let inner = path.strip_prefix(base).filter(|rest| rest.starts_with('/'));
        let Destination::Host { name, port, .. } = &request.destination else { return false };
        let host = match &route.host {
            Some(pattern) => pattern.matches(name, *port),
            None => route.origin.as_ref().is_some_and(|origin| origin.authority.host() == name),
        };
        host && inner.is_some_and(|inner| route.admits(inner, &request.method))
    };
    let mut found: Vec<_> = snapshot.routes.all().filter(based).collect();
    found.sort_by_key(|route| std::cmp::Reverse((route.path.len(), !route.methods.is_empty())));
    let first = found.first().map(|route| Arc::clone(route));
    first.ok_or_else(|| {
        CliError::new(Exit::Failed, "no route matches the request's Host and path")
            .fix("add the Host header, or name the route with --route")
    })
}

fn report(
    as_json: bool,
    route: &Route,
    flaw: Option<&Flaw>,
    age: Option<i128>,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let canonical = flaw.and_then(|flaw| match flaw {
        Flaw::Signature { preimage } => Some(shown(&preimage.text)),
        Flaw::Unreadable(_) | Flaw::Key { .. } => None,
    });
    if as_json {
        let verdict = json!({
            "valid": flaw.is_none(),
            "route": route.name.as_ref(),
            "scheme": route.entry.name,
            "age_ms": age.and_then(|age| i64::try_from(age).ok()),
            "flaw": flaw.map(ToString::to_string),
            "canonical": canonical,
        });
        writeln!(out, "{verdict:#}")?;
    } else {
        let verdict = if flaw.is_none() { "valid" } else { "NOT valid" };
        writeln!(out, "{verdict}: route {}, scheme {}", route.name, route.entry.name)?;
        if let Some(flaw) = flaw {
            writeln!(out, "  {flaw}")?;
        }
        if let Some(text) = canonical {
            writeln!(out, "  canonical text of the request as given:\n  {text}")?;
        }
        if let Some(age) = age {
            writeln!(out, "  signed {}", ago(age))?;
        }
    }
    Ok(())
}

/// How long ago, with a remark where a provider would no longer take it.
fn ago(age_ms: i128) -> String {
    let seconds = age_ms.unsigned_abs() / 1000;
    let distance = match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    let direction = if age_ms < 0 { "in the future" } else { "ago" };
    let late = if seconds > 300 { "; providers take a request for about five minutes" } else { "" };
    format!("{distance} {direction}{late}")
}
