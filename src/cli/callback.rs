//! `callback`: plays a Cobo TSS node against a callback server, with the key of a route.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use clap::ValueEnum;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::explain::signing;
use super::raw::RawRequest;
use super::{CliError, ConfigFile, Exit, runtime};
use crate::body;
use crate::config::Config;
use crate::moment::{Moments, unix_ms};
use crate::pipeline::upload;
use crate::refusal::Refusal;
use crate::request::{Destination, Unsigned};
use crate::route::Route;
use crate::scheme::{Head, SchemeError, Signable};
use crate::snapshot::{Snapshot, Surroundings};

/// Ask callback servers as a node does.
#[derive(Debug, clap::Args)]
pub(super) struct CallbackArgs {
    #[command(subcommand)]
    command: CallbackCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CallbackCommand {
    /// Send one request; 0 if a node would go on with what is answered
    Send(SendArgs),
}

#[derive(Debug, clap::Args)]
struct SendArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// What the node wants
    #[arg(long = "type", value_name = "TYPE")]
    kind: Kind,
    /// A file of JSON for request_detail
    #[arg(long, value_name = "FILE")]
    detail: Option<PathBuf>,
    /// A file of JSON for extra_info
    #[arg(long, value_name = "FILE")]
    extra: Option<PathBuf>,
    /// The request_id; made from the time, if left out
    #[arg(long)]
    id: Option<String>,
    /// The route whose keys are used; needed where there are several of the scheme
    #[arg(long)]
    route: Option<String>,
    /// Where to send it; to the route's upstream and /v1/check, if left out
    #[arg(long)]
    url: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
#[value(rename_all = "lower")]
enum Kind {
    Ping = 0,
    KeyGen = 1,
    KeySign = 2,
    KeyReshare = 3,
    KeyShareSign = 5,
}

pub(super) fn run(args: &CallbackArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let CallbackCommand::Send(args) = &args.command;
    let request = request(args)?;
    let config = Config::load(args.config.path())?;
    let runtime = runtime()?;
    let snapshot = runtime.block_on(Snapshot::build(&config, &Surroundings::default(), None))?;
    let route = find(&snapshot, args.route.as_deref())?;
    let moments = Moments::new(config.replica.written());
    let asked = runtime.block_on(ask(&snapshot, &route, args, &request, &moments))?;
    let accepted = asked.accepts(args.kind);
    match report(args, &request, &asked, out) {
        // The exit code is the answer, also to those who have stopped reading.
        Err(error) if !error.broken_pipe => Err(error),
        _ if !accepted => Err(CliError::silent(Exit::Failed)),
        written => written,
    }
}

/// The CallbackRequest.
fn request(args: &SendArgs) -> Result<Value, CliError> {
    let text =
        |file: &Option<PathBuf>| file.as_deref().map_or_else(|| Ok(String::new()), json_file);
    Ok(json!({
        "request_id": args.id.clone().unwrap_or_else(|| format!("countersign-{}", unix_ms())),
        "request_type": args.kind as u8,
        "request_detail": text(&args.detail)?,
        "extra_info": text(&args.extra)?,
    }))
}

/// A file that holds JSON, as text.
fn json_file(path: &Path) -> Result<String, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| CliError::at(path, &error))?;
    match serde_json::from_str::<Value>(&text) {
        Ok(_) => Ok(text.trim().to_owned()),
        Err(error) => {
            let what = format!("{}: it is not JSON: {error}", path.display());
            Err(CliError::failed(what, "write one JSON object into it"))
        }
    }
}

/// The route by name, or the only one of the scheme.
fn find(snapshot: &Snapshot, name: Option<&str>) -> Result<Arc<Route>, CliError> {
    let known = snapshot.routes.all().filter(|route| route.entry.name == SCHEME);
    let known: Vec<&Arc<Route>> = known.collect();
    let names: Vec<&str> = known.iter().map(|route| route.name.as_ref()).collect();
    let wrong = |what: String| {
        let fix = match names.as_slice() {
            [] => {
                format!("write a route with scheme = \"{SCHEME}\", the node's key and the server's")
            }
            names => format!("name one with --route: {}", names.join(", ")),
        };
        Err(CliError::new(Exit::Usage, what).fix(fix))
    };
    match (name, known.as_slice()) {
        (None, [route]) => Ok(Arc::clone(route)),
        (None, []) => wrong(format!("there is no route of the scheme {SCHEME}")),
        (None, _) => wrong(format!("there are several routes of the scheme {SCHEME}")),
        (Some(name), _) => match known.iter().find(|route| *route.name == *name) {
            Some(route) => Ok(Arc::clone(route)),
            None => wrong(format!("there is no route \"{name}\" of the scheme {SCHEME}")),
        },
    }
}

/// What came back.
struct Asked {
    url: String,
    /// The HTTP status.
    status: u16,
    /// The CallbackResponse, or why it is not to be believed.
    answer: Result<Value, String>,
}

impl Asked {
    /// Whether a node would go on.
    fn accepts(&self, kind: Kind) -> bool {
        let Ok(answer) = &self.answer else { return false };
        let succeeded = answer["status"] == 0;
        succeeded
            && (answer["action"] == "APPROVE" || kind == Kind::Ping && answer["action"].is_null())
    }

    /// Why, in a sentence.
    fn reason(&self, kind: Kind) -> String {
        let answer = match &self.answer {
            Ok(answer) => answer,
            Err(why) => return why.clone(),
        };
        let said = answer["error"].as_str().map(|error| format!(": {}", error.escape_debug()));
        let said = said.unwrap_or_default();
        match (self.accepts(kind), &answer["status"]) {
            (true, _) if answer["action"].is_null() => "the server answered the ping".into(),
            (true, _) => "the server approved".into(),
            (false, status) if *status != 0 => format!("the server says status {status}{said}"),
            (false, _) => format!("the server rejected{said}"),
        }
    }
}

/// Sends the request on the way that requests of the route take, and opens the answer.
async fn ask(
    snapshot: &Snapshot,
    route: &Arc<Route>,
    args: &SendArgs,
    request: &Value,
    moments: &Moments,
) -> Result<Asked, CliError> {
    let scheme = signing(route)?;
    let body = Bytes::from(request.to_string());
    let (pool, (host, origin), target) = match &args.url {
        Some(url) => {
            let raw = RawRequest::from_parts("POST", url, &[], Bytes::new())?;
            let (destination, target) = raw.arrival(None).asked()?;
            (snapshot.direct(), destination.unrouted_place()?, target)
        }
        None => {
            let place = Destination::Route(route.name.to_string()).place(route)?;
            (snapshot.upstream(route), place, PathAndQuery::from_static("/v1/check"))
        }
    };
    let head = Head { method: Method::POST, host, target, headers: HeaderMap::new() };
    let unsigned = Unsigned::own(route, scheme, head, body, origin)?;
    let moment = moments.next();
    let to_sign = unsigned.canonicalise(&moment)?;
    let signatures = route.sign(&to_sign.preimages).await.map_err(Refusal::from)?;
    let edits = unsigned.edits(&moment, to_sign.rest, &signatures)?;
    let shown = unsigned.outgoing.shown();
    let (request, _) = upload(unsigned.outgoing, edits, None, snapshot.timeouts.body_idle)?;
    let url = request.uri().to_string();
    let failed = |error: &dyn Display| {
        let fix = "see that the server runs, and that the URL is its";
        CliError::failed(format!("{url} gave no answer: {error}"), fix)
    };
    let answered = pool.send(request, None, None).await.map_err(|error| failed(&error))?;
    let status = answered.head.status().as_u16();
    let (most, limit) = (snapshot.limits.signed_body, snapshot.timeouts.response_head);
    let reply = body::collect(answered.head.into_body(), most, limit, None).await;
    let reply = reply.map_err(|_| failed(&"it broke off, or is too long or too slow"))?;
    let signable = Signable { head: &shown.0, body: Some(&shown.1) };
    let opened = scheme.open_reply(signable, &reply, &moments.next());
    let told = opened.map(|edits| edits.new_body().cloned().unwrap_or_default());
    let answer = told.map_err(|error: SchemeError| error.to_string());
    let answer = answer.and_then(|told| serde_json::from_slice(&told).map_err(|e| e.to_string()));
    Ok(Asked { url, status, answer })
}

fn report(
    args: &SendArgs,
    request: &Value,
    asked: &Asked,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let (accepted, reason) = (asked.accepts(args.kind), asked.reason(args.kind));
    if args.json {
        let report = json!({
            "accepted": accepted,
            "reason": reason,
            "url": asked.url,
            "http_status": asked.status,
            "request": request,
            "answer": asked.answer.as_ref().ok(),
        });
        return Ok(writeln!(out, "{report:#}")?);
    }
    let id = request["request_id"].as_str().unwrap_or_default();
    writeln!(out, "sent     request {} to {}", id.escape_debug(), asked.url)?;
    match &asked.answer {
        Ok(answer) => writeln!(out, "answer   {answer}")?,
        Err(_) => writeln!(out, "answer   HTTP status {}, not to be believed", asked.status)?,
    }
    let verdict = if accepted { "accepted" } else { "NOT accepted" };
    Ok(writeln!(out, "verdict  {verdict}: {reason}")?)
}

const SCHEME: &str = "cobo_client";
