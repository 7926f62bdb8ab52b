//! `verify`: is this signed request valid, and if not, which part.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use serde_json::json;

use super::explain::{shown, signing};
use super::raw::RawRequest;
use super::{CliError, ConfigFile, Exit, runtime};
use crate::config::Config;
use crate::host::host_and_port;
use crate::moment::{Moment, Moments};
use crate::request::sent_by;
use crate::route::Route;
use crate::scheme::{Head, Signable};
use crate::snapshot::{Snapshot, Surroundings};
use crate::verification::{Flaw, Verified, verify};

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
    let routes = find(args, &snapshot, &request)?;
    let (head, body) = request.into_sent();
    // Where several could have sent it, the one that did says so.
    let mut judged = Vec::new();
    for route in routes.into_iter().flat_map(Route::both) {
        let (verdict, moment) = judge(route, &head, &body)?;
        judged.push((route, verdict.err(), moment));
    }
    let valid = judged.iter().position(|(_, flaw, _)| flaw.is_none());
    let (route, flaw, moment) = judged.swap_remove(valid.unwrap_or_default());
    let now = Moments::new(config.replica).next().unix_ms;
    let age = moment.map(|moment| i128::from(now) - i128::from(moment.unix_ms));
    match report(args.json, route, flaw.as_ref(), age, out) {
        // The exit code is the answer, also to those who have stopped reading.
        Err(error) if !error.broken_pipe => Err(error),
        _ if flaw.is_some() => Err(CliError::silent(Exit::Failed)),
        written => written,
    }
}

/// What a route's keys say of a request, and when it says that it was signed.
type Judged = (Result<Verified, Flaw>, Option<Moment>);

fn judge(route: &Route, head: &Head, body: &Bytes) -> Result<Judged, CliError> {
    let scheme = signing(route)?;
    let signable = Signable::of(scheme.as_ref(), head, body);
    let verdict = verify(scheme.as_ref(), |slot| route.public_key(slot), signable);
    Ok((verdict, scheme.claim(signable).ok().and_then(|claim| claim.moment)))
}

/// The route by name, or those that the proxy takes for the request's host and path; at least one.
fn find<'a>(
    args: &VerifyArgs,
    snapshot: &'a Snapshot,
    request: &RawRequest,
) -> Result<Vec<&'a Arc<Route>>, CliError> {
    if let Some(name) = &args.route {
        let known: Vec<_> = snapshot.routes.all().map(|route| route.name.as_ref()).collect();
        let missing = || {
            CliError::new(Exit::Usage, format!("there is no route \"{name}\""))
                .fix(format!("use one of: {}", known.join(", ")))
        };
        return snapshot.routes.named(name).map(|route| vec![route]).ok_or_else(missing);
    }
    let host = request.uri.authority().map(|host| host.as_str());
    let host = host.or_else(|| request.headers.get(HOST)?.to_str().ok());
    let found = host.and_then(|host| host_and_port(host).ok()).map(|(host, port)| {
        sent_by(&snapshot.routes, (&host, port), request.uri.path(), &request.method)
    });
    found.filter(|routes| !routes.is_empty()).ok_or_else(|| {
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
        Flaw::Signature { preimage } => Some(shown(preimage.shown().as_bytes())),
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
