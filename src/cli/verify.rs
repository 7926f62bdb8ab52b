//! `verify`: is this signed request valid, and if not, why: the first cause.

pub(super) mod capture;
mod captured;
mod difference;
mod filled;
mod pasted;
mod report;

use std::cell::Cell;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;

use self::captured::Captured;
use self::filled::filled;
pub(super) use self::pasted::pasted;
use self::report::{Judged, report};
use super::raw::RawRequest;
use super::{CliError, ConfigFile, Exit, runtime};
use crate::config::Config;
use crate::diagnosis::{Answer, Inquiry, Verdict, diagnose, recovered, time_causes};
use crate::host::host_and_port;
use crate::keys::{Content, PublicKey, Signature, Signer};
use crate::moment::unix_ms;
use crate::request::sent_by;
use crate::route::Route;
use crate::scheme::{Cause, Certainty, Head, Signable, causes};
use crate::snapshot::{Snapshot, Surroundings};

#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// A request as it reached the provider: raw HTTP/1.1, a HAR file or the output of curl -v; - is
    /// standard input. Several of one program say more than one
    #[arg(long = "file", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The route; found by the request's Host, if left out
    #[arg(long)]
    route: Option<String>,
    /// When it arrived at the provider, in milliseconds since 1970 or as 2025-11-28T13:50:00.123Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<u64>,
    /// The provider's answer, raw HTTP/1.1: its Date says when the request arrived
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// Earlier requests of the same key, which may have used the same nonce
    #[arg(long, value_name = "FILE")]
    earlier: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn instant(text: &str) -> Result<u64, String> {
    // Ten digits are seconds, whoever writes them.
    let number = text
        .parse()
        .ok()
        .map(|number: u64| if number < 100_000_000_000 { number * 1000 } else { number });
    let read = number.or_else(|| crate::scheme::instant(text));
    read.ok_or_else(|| "write milliseconds since 1970, or 2025-11-28T13:50:00.123Z".to_owned())
}

pub(super) fn run(args: &VerifyArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let mut captured = Vec::new();
    for file in &args.files {
        captured.extend(capture::read(file)?);
    }
    let answer = args.answer.as_deref().map(capture::answer).transpose()?;
    let config = Config::load(args.config.path())?;
    let surroundings = Surroundings::default();
    let runtime = runtime()?;
    let snapshot = runtime.block_on(Snapshot::build(&config, &surroundings, None))?;
    let keys = keys(&snapshot);
    let ask: &Ask<'_> = &|signer, content| runtime.block_on(signer.sign(content)).ok();
    let asking = Asking { keys: &keys, at: args.at, answer: answer.as_ref(), ask };
    let mut all = Vec::new();
    for request in captured {
        let routes = find(args, &snapshot, &request.request)?;
        let Captured { request, faults, answer, moment_ms, .. } = request;
        let (mut head, body) = request.into_sent();
        if let Some(signed_at) = moment_ms {
            let sent = Signable { head: &head, body: Some(&body) };
            let headers = runtime.block_on(filled(routes[0], sent, signed_at));
            head.headers = headers.unwrap_or(head.headers);
        }
        all.push(asking.judged(&routes, (&head, &body), faults, answer.as_ref()));
    }
    earlier(args, &snapshot, &mut all)?;
    same_key(&mut all);
    let valid = all.iter().all(|judged| judged.verdict.valid);
    match report(args.json, &all, out) {
        // The exit code is the answer, also to those who have stopped reading.
        Err(error) if !error.broken_pipe => Err(error),
        _ if !valid => Err(CliError::silent(Exit::Failed)),
        written => written,
    }
}

/// What is known of all that are asked about.
struct Asking<'a> {
    keys: &'a [(String, Arc<dyn Signer>)],
    /// When they arrived.
    at: Option<u64>,
    /// What the provider said, where a capture does not have it.
    answer: Option<&'a Answer>,
    ask: &'a Ask<'a>,
}

impl Asking<'_> {
    /// What is said of a request, by the command and by the page alike.
    fn judged(
        &self,
        routes: &[&Arc<Route>],
        (head, body): (&Head, &Bytes),
        faults: Vec<Cause>,
        answer: Option<&Answer>,
    ) -> Judged {
        let (now, answer) = (unix_ms(), answer.or(self.answer));
        let arrived = self.at.or_else(|| answer.and_then(|answer| answer.date_ms));
        let given = Given { head, body, arrived, faults, keys: self.keys };
        let (route, mut verdict) = judge(routes, &given, self.ask);
        verdict.causes.extend(answer.and_then(|answer| answer.cause(&route.entry)));
        let doubts = match arrived {
            None => time_causes(&verdict.stamps, now),
            Some(_) => Vec::new(),
        };
        let age = verdict.moment.map(|moment| i128::from(now) - i128::from(moment.unix_ms));
        Judged { route: Arc::clone(route), verdict, doubts, age }
    }
}

/// A request and what is known of it.
struct Given<'g> {
    head: &'g Head,
    body: &'g Bytes,
    arrived: Option<u64>,
    faults: Vec<Cause>,
    keys: &'g [(String, Arc<dyn Signer>)],
}

/// Has a key in a store sign once more, where it may be asked.
type Ask<'a> = dyn Fn(&Arc<dyn Signer>, Content<'_>) -> Option<Signature> + 'a;

/// The route that the request holds for, or the first, and what is said of it.
fn judge<'r>(
    routes: &[&'r Arc<Route>],
    given: &Given<'_>,
    ask: &Ask<'_>,
) -> (&'r Arc<Route>, Verdict) {
    let others: Vec<(String, PublicKey)> = given
        .keys
        .iter()
        .map(|(name, signer)| (name.clone(), signer.public_key().clone()))
        .collect();
    let left = Cell::new(MOST_ASKED);
    let holds = |key: &PublicKey, content: Content<'_>, signature: &Signature| {
        let stays = key.algorithm().is_shared() && left.get() > 0;
        key.verifies(content, signature)
            || stays && {
                left.set(left.get() - 1);
                asked(given.keys, ask, key, content, signature)
            }
    };
    // Where several could have sent it, the one that did says so.
    let mut judged = Vec::new();
    for route in routes.iter().flat_map(|route| route.both()) {
        let key_of = |slot: &str| route.public_key(slot);
        let signers = route.keys.iter().map(|key| &key.signer);
        let relatives: Vec<_> = signers.flat_map(|signer| signer.relatives()).collect();
        let verdict = diagnose(&Inquiry {
            relatives: &relatives,
            scheme: &route.scheme,
            head: given.head,
            body: given.body,
            key_of: &key_of,
            holds: &holds,
            others: &others,
            arrived: given.arrived,
            window_ms: route.entry.rejections.window_ms,
            faults: given.faults.clone(),
        });
        judged.push((route, verdict));
    }
    let valid = judged.iter().position(|(_, verdict)| verdict.valid);
    judged.swap_remove(valid.unwrap_or_default())
}

/// How often a store is asked for a MAC, of one request.
const MOST_ASKED: u32 = 256;

/// Whether a MAC is that of a key that stays in its store: the store makes it once more.
fn asked(
    keys: &[(String, Arc<dyn Signer>)],
    ask: &Ask<'_>,
    key: &PublicKey,
    content: Content<'_>,
    signature: &Signature,
) -> bool {
    let signer = keys.iter().map(|(_, signer)| signer).find(|own| own.public_key() == key);
    let made = signer.and_then(|signer| ask(signer, content));
    made.is_some_and(|made| made == *signature)
}

/// Every key of the configuration, by its name.
fn keys(snapshot: &Snapshot) -> Vec<(String, Arc<dyn Signer>)> {
    let mut all: Vec<(String, Arc<dyn Signer>)> = Vec::new();
    for key in snapshot.routes.all().flat_map(Route::both).flat_map(|route| &route.keys) {
        if !all.iter().any(|(name, _)| *name == key.name) {
            all.push((key.name.clone(), Arc::clone(&key.signer)));
        }
    }
    all
}

/// Says where a nonce or a signature was sent before.
fn earlier(args: &VerifyArgs, snapshot: &Snapshot, all: &mut [Judged]) -> Result<(), CliError> {
    let mut seen = Vec::new();
    for file in &args.earlier {
        for captured in capture::read(file)? {
            let routes = find(args, snapshot, &captured.request)?;
            let (head, body) = captured.request.into_sent();
            let request = Signable { head: &head, body: Some(&body) };
            for route in routes {
                if let Some(scheme) = route.scheme.signing() {
                    seen.extend(scheme.evidence(request).nonce.map(|nonce| (nonce, file)));
                }
            }
        }
    }
    for judged in all {
        let nonce = judged.verdict.nonce.as_ref();
        let Some((nonce, file)) = seen.iter().find(|(seen, _)| Some(seen) == nonce) else {
            continue;
        };
        let cause = Cause::seen(&causes::time::NONCE_REPEATED)
            .said(format!("the nonce {nonce} is that of the request in {}", file.display()));
        judged.verdict.causes.push(cause);
        judged.verdict.valid = false;
    }
    Ok(())
}

/// Where several requests have signatures that nothing explains, the one key that all are of.
fn same_key(all: &mut [Judged]) {
    let signed: Vec<_> =
        all.iter().flat_map(|judged| judged.verdict.signed.iter().cloned()).collect();
    if signed.len() < 2 {
        return;
    }
    let Some(key) = recovered(&signed).into_iter().next() else { return };
    for judged in all.iter_mut().filter(|judged| !judged.verdict.signed.is_empty()) {
        for cause in &mut judged.verdict.causes {
            if cause.known.code == causes::keyed::KEY_OTHER.code {
                cause.certainty = Certainty::Proved;
                cause.certain = None;
                cause.proof = Some(format!(
                    "all of these signatures are those of one key over the right texts: {}",
                    key.fingerprint()
                ));
            }
        }
    }
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
    sent_by_host(snapshot, request).ok_or_else(|| {
        CliError::new(Exit::Failed, "no route matches the request's Host and path")
            .fix("add the Host header, or name the route with --route")
    })
}

/// Those that the proxy takes for a request's host and path, where there are any.
fn sent_by_host<'a>(snapshot: &'a Snapshot, request: &RawRequest) -> Option<Vec<&'a Arc<Route>>> {
    let host = request.uri.authority().map(|host| host.as_str());
    let host = host.or_else(|| request.headers.get(HOST)?.to_str().ok());
    let (host, port) = host_and_port(host?).ok()?;
    let routes = sent_by(&snapshot.routes, (&host, port), request.uri.path(), &request.method);
    Some(routes).filter(|routes| !routes.is_empty())
}
