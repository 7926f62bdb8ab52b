//! `why`: what a running proxy knows of a request that it signed, and why it was rejected.

use std::io::Write;
use std::time::Duration;

use serde_json::Value;

use super::exec::conversation::{Conversation, whole};
use super::exec::credentials::{Credentials, Typed};
use super::explain::shown;
use super::har::har;
use super::{CliError, ConfigFile, runtime};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct WhyArgs {
    /// The request's id, from the log; the latest rejection, if left out
    #[arg(value_name = "REQUEST_ID")]
    id: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
    /// NAME:TOKEN, where the proxy asks for tokens; COUNTERSIGN_TOKEN, if left out
    #[arg(long, value_name = "NAME:TOKEN")]
    token: Option<Typed>,
    /// Print JSON
    #[arg(long, conflicts_with = "har")]
    json: bool,
    /// Print a HAR file: of the request, or of all that are held; without secrets
    #[arg(long)]
    har: bool,
}

pub(super) fn run(args: &WhyArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let config = Config::load(args.config.path())?;
    let credentials = Credentials::find(args.token.as_ref(), &config)?;
    let asked = ask(args, &config, credentials.as_ref());
    let requests = runtime()?.block_on(async {
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| {
            let what = format!("the proxy has not answered within {} s", PATIENCE.as_secs());
            Err(CliError::failed(what, "see whether it has come to a stand"))
        })
    })?;
    if args.har {
        return Ok(writeln!(out, "{:#}", har(&requests))?);
    }
    for request in &requests {
        match args.json {
            true => writeln!(out, "{request:#}")?,
            false => text(request, out)?,
        }
    }
    Ok(())
}

async fn ask(
    args: &WhyArgs,
    config: &Config,
    credentials: Option<&Credentials>,
) -> Result<Vec<Value>, CliError> {
    let Some(admin) = &config.listen.admin else {
        let what = format!("{} has no listen.admin, which answers", config.path.display());
        return Err(CliError::failed(what, "write admin = \"127.0.0.1:8089\" below [listen]"));
    };
    let nobody =
        || CliError::failed(format!("nothing answers at {admin}"), "start it: countersign run");
    let mut admin = Conversation::open(admin).await.ok_or_else(nobody)?;
    // Whose it is can be told after its first answer, and it is shown no token before.
    let first = admin.get("/healthz", None).await.ok_or_else(nobody)?;
    whole(first).await.ok_or_else(nobody)?;
    if !super::exec::running::may_run(admin.peer(), config) {
        let what = format!("what runs there is not believed: {}", admin.peer());
        return Err(CliError::failed(
            what,
            "write user = \"…\" below [listen], if it runs as another",
        ));
    }
    let mut get = async |path: &str| {
        let answer = admin.get(path, credentials).await.ok_or_else(nobody)?;
        let status = answer.status().as_u16();
        let body = whole(answer).await.ok_or_else(nobody)?;
        Ok::<_, CliError>((status, serde_json::from_slice::<Value>(&body).unwrap_or_default()))
    };
    let ids = match &args.id {
        Some(id) => vec![id.clone()],
        None if args.har => ids(&admitted(get("/requests").await?)?),
        None => vec![latest(&admitted(get("/requests").await?)?)?],
    };
    let mut found = Vec::new();
    for id in ids {
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(unknown(&id));
        }
        match get(&format!("/request?id={id}")).await? {
            (404, _) if args.id.is_none() => {}
            (404, _) => return Err(unknown(&id)),
            answer => found.push(admitted(answer)?),
        }
    }
    Ok(found)
}

/// Of all that are held, the oldest first: one may be gone before it is asked for.
fn ids(all: &Value) -> Vec<String> {
    let all = all.as_array().into_iter().flatten().rev();
    all.filter_map(|one| Some(one["id"].as_str()?.to_owned())).collect()
}

fn admitted((status, body): (u16, Value)) -> Result<Value, CliError> {
    if status == 200 {
        return Ok(body);
    }
    let detail = body["detail"].as_str().unwrap_or("it does not answer as countersign does");
    let what = format!("the proxy says {status}: {}", detail.escape_debug());
    Err(CliError::failed(what, "export COUNTERSIGN_TOKEN=NAME:TOKEN, or be a user of access.users"))
}

fn latest(all: &Value) -> Result<String, CliError> {
    let mut rejected =
        all.as_array().into_iter().flatten().filter(|one| one["rejection"].is_object());
    let id = rejected.next().and_then(|one| one["id"].as_str());
    id.map(str::to_owned).ok_or_else(|| {
        let what = "no provider has rejected a request since the proxy was started";
        CliError::failed(what, "name one: countersign why REQUEST_ID")
    })
}

fn unknown(id: &str) -> CliError {
    let what = format!("no request {} is held", id.escape_debug());
    CliError::failed(what, "write keep = 200 below [inspect], so that it holds the last 200")
}

fn text(request: &Value, out: &mut dyn Write) -> Result<(), CliError> {
    let word = |value: &Value| match value {
        Value::String(text) => shown(text.as_bytes()),
        Value::Null => "-".to_owned(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            other.to_string()
        }
    };
    let mut line = |name: &str, text: String| writeln!(out, "{name:<10} {text}");
    let [id, route, method, host, path] =
        ["id", "route", "method", "host", "path"].map(|name| word(&request[name]));
    line("request", format!("{id}: {method} {host}{path}, route {route}"))?;
    let (outcome, status) = (word(&request["outcome"]), word(&request["status"]));
    line("outcome", format!("{outcome}, status {status}"))?;
    let told = &request["rejection"];
    if told.is_object() {
        line("cause", format!("{} ({})", word(&told["what"]), word(&told["certainty"])))?;
        line("fix", word(&told["fix"]))?;
        line("code", word(&told["provider_code"]))?;
        line("clock", format!("the provider's is {} ms ahead", word(&told["clock_offset_ms"])))?;
        let (key, seconds) = (word(&told["fingerprint"]), word(&told["in_use_s"]));
        line("key", format!("{key}, in use for {seconds} s"))?;
        if told["params"].as_str().is_some_and(|params| !params.is_empty()) {
            line("params", word(&told["params"]))?;
        }
    }
    let signed = &request["signed"];
    if signed.is_null() {
        let hint = "not held; with keep = 200 below [inspect] the last 200 are";
        return Ok(line("canonical", hint.to_owned())?);
    }
    line(
        "sent",
        format!("{method} {}, to {}", word(&signed["target"]), word(&signed["upstream"])),
    )?;
    line("moment", format!("{} ms", word(&signed["moment_ms"])))?;
    for text in signed["texts"].as_array().into_iter().flatten() {
        line("canonical", word(&text["canonical"]))?;
        for part in text["parts"].as_array().into_iter().flatten() {
            line("", format!("{}  {}", word(&part["from"]), word(&part["text"])))?;
        }
    }
    for header in signed["headers"].as_array().into_iter().flatten() {
        let name = if header[2] == true { "sets" } else { "keeps" };
        line(name, format!("{}: {}", word(&header[0]), word(&header[1])))?;
    }
    let (length, digest) = (word(&signed["body_length"]), word(&signed["body_sha256"]));
    line("body", format!("{length} bytes, SHA-256 {digest}"))?;
    Ok(())
}

/// A proxy on this machine answers at once.
const PATIENCE: Duration = Duration::from_secs(5);
