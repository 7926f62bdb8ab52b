//! `demo`: the main job with nothing set up. Stand-in providers that verify, the proxy in front,
//! throw-away keys and a throw-away CA, one request for each scheme and mode.

mod callbacks;
mod client;
mod stage;

use std::io::Write;
use std::sync::Arc;

use http::Method;
use tokio::signal::unix::{SignalKind, signal};

use self::client::{Answer, connect, echo, secure, send};
use self::stage::Stage;
use super::explain::shown;
use super::init::provider;
use super::{CliError, Exit, runtime};
use crate::scheme::{Act, Entry, Registry, Way};

#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Send the requests and exit: 0 only if every verdict was the right one
    #[arg(long)]
    once: bool,
    /// Schemes to play, those of the catalogue too; those of the program, if left out
    #[arg(value_name = "SCHEME", value_parser = provider())]
    schemes: Vec<Arc<Entry>>,
}

pub(super) fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let played = runtime()?.block_on(play(args, out));
    // Verdicts that nobody could read are not good ones.
    played.map_err(|error| CliError { broken_pipe: false, ..error })
}

async fn play(args: &DemoArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let mut schemes = args.schemes.clone();
    if schemes.is_empty() {
        schemes = Registry::built_in().iter().map(Arc::clone).collect();
    }
    schemes.sort_by(|one, other| one.name.cmp(&other.name));
    schemes.dedup_by(|one, other| one.name == other.name);
    let stage = Stage::set(&schemes).await?;
    writeln!(out, "Stand-in providers that verify, and countersign in front of them:")?;
    for (name, url) in &stage.providers {
        writeln!(out, "  {name:<14} {url}")?;
    }
    writeln!(out, "  forward        {}", stage.forward)?;
    writeln!(out, "  gateway        {}", stage.gateway)?;
    writeln!(out, "  config         {}\n", stage.config.display())?;
    let mut failed = 0;
    let mut acts = 0;
    for act in schemes.iter().flat_map(|entry| &entry.demo.acts) {
        acts += 1;
        failed += u32::from(!perform(act, &stage, out).await?);
    }
    writeln!(out, "The same by hand:\n")?;
    for line in by_hand(&stage, &args.schemes) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)?;
    out.flush()?;
    if !args.once {
        writeln!(out, "Serving until Ctrl-C.")?;
        out.flush()?;
        stopped().await?;
    }
    if failed > 0 {
        return Err(CliError::new(Exit::Failed, format!("{failed} of {acts} verdicts were wrong")));
    }
    writeln!(out, "{acts} of {acts} verdicts as they should be.")?;
    Ok(())
}

/// Returns at Ctrl-C, or when somebody else ends the program: the keys must not stay behind.
async fn stopped() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// Sends an act's request and prints what came of it. Returns whether that was right.
async fn perform(act: &Act, stage: &Stage, out: &mut dyn Write) -> Result<bool, CliError> {
    writeln!(out, "{}", act.title)?;
    let (forward, gateway) = (&stage.forward, &stage.gateway);
    let (route, path, body) = (act.route.as_ref(), act.path.as_ref(), act.body.as_ref());
    let method = act.method.clone();
    let sent = |out: &mut dyn Write, target: &str| writeln!(out, "  sent       {method} {target}");
    let answer = match act.way {
        Way::Forward => {
            let target = format!("http://{}{path}", stage.host(route));
            sent(out, &target)?;
            send(connect(forward).await?, stage.host(route), &target, act).await?
        }
        Way::Tls => {
            let host = stage.host(route);
            sent(out, &format!("https://{host}{path}"))?;
            send(secure(forward, host, &stage.ca).await?, host, path, act).await?
        }
        Way::Gateway => {
            let target = format!("/{route}{path}");
            sent(out, &target)?;
            send(connect(gateway).await?, authority(gateway), &target, act).await?
        }
        Way::Node => {
            let (node, target) = (&stage.node, format!("/{route}{path}"));
            sent(out, &target)?;
            send(connect(node).await?, authority(node), &target, act).await?
        }
        Way::Socket => {
            let target = format!("/{route}{path}");
            sent(out, &format!("ws://{}{target}", authority(gateway)))?;
            echo(connect(gateway).await?, authority(gateway), &target, body).await?
        }
        Way::Around => {
            let provider = stage.provider(route);
            sent(out, path)?;
            send(connect(provider).await?, authority(provider), path, act).await?
        }
    };
    let echoed = act.way == Way::Socket && act.accepted;
    let right = answer.accepted() == act.accepted && (!echoed || answer.body == body);
    print(&answer, right, out)?;
    Ok(right)
}

/// A URL without its scheme.
fn authority(url: &str) -> &str {
    url.trim_start_matches("http://")
}

fn print(answer: &Answer, right: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    for text in body["verified"].as_array().into_iter().flatten() {
        writeln!(out, "  canonical  {}", shown(text.as_str().unwrap_or_default().as_bytes()))?;
    }
    if let Some(action) = body["action"].as_str() {
        writeln!(out, "  sealed     {action} for {}", body["request_id"])?;
    }
    if answer.switched() {
        writeln!(out, "  echo       {}", shown(answer.body.as_bytes()))?;
    }
    let verdict = if answer.accepted() { "accepted" } else { "refused" };
    let remark = if right { "" } else { "   <-- WRONG" };
    writeln!(out, "  verdict    {} {verdict}{remark}", answer.status)?;
    if !answer.accepted() {
        writeln!(out, "  says       {}", answer.body.trim())?;
    }
    Ok(writeln!(out)?)
}

/// Lines to copy and paste.
fn by_hand(stage: &Stage, chosen: &[Arc<Entry>]) -> Vec<String> {
    let (forward, gateway, config) = (&stage.forward, &stage.gateway, stage.config.display());
    if !chosen.is_empty() {
        let acts = chosen.iter().flat_map(|entry| &entry.demo.acts);
        let plain = acts.filter(|act| act.way == Way::Forward && act.body.is_empty());
        let plain = plain.filter(|act| act.method == Method::GET);
        let url = |act: &Act| format!("http://{}{}", stage.host(&act.route), act.path);
        let lines = |url: String| {
            [
                format!("curl -x {forward} '{url}'"),
                format!("countersign explain {config} --url '{url}'"),
            ]
        };
        return plain.map(url).flat_map(lines).collect();
    }
    let (sinohope, metasv) = (stage.host("sinohope"), stage.host("metasv"));
    let loopring = stage.host("loopring");
    let ca = stage.ca.display();
    vec![
        format!("curl -x {forward} 'http://{sinohope}{QUERY}'"),
        format!("curl -x {forward} http://{sinohope}/v1/test --json '{{\"vaultId\": \"1\"}}'"),
        format!("curl --cacert {ca} --proxy {forward} 'https://{sinohope}{QUERY}'"),
        format!("curl -x {forward} 'http://{loopring}/api/v2/x?b=2&a=1'"),
        format!("curl -x {forward} http://{metasv}/xpubs"),
        format!("curl {gateway}/sinohope/v1/test?key=1"),
        format!("curl {gateway}/metasv_token/xpubs"),
        format!("countersign explain {config} --url 'http://{sinohope}{QUERY}'"),
        // Proxy and authority are in its environment.
        format!("countersign exec --config {config} curl 'https://{sinohope}{QUERY}'"),
    ]
}

const QUERY: &str = "/v1/test?value=2&key=1";
