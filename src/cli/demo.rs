//! `demo`: the main job with nothing set up. Stand-in providers that verify, the proxy in front,
//! throw-away keys, one request for each scheme and mode.

mod client;
mod stage;

use std::io::Write;

use http::Method;
use tokio::signal::unix::{SignalKind, signal};

use self::client::{Answer, send};
use self::stage::Stage;
use super::explain::shown;
use super::{CliError, Exit, runtime};

#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Send the requests and exit: 0 only if every verdict was the right one
    #[arg(long)]
    once: bool,
}

pub(super) fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let played = runtime()?.block_on(play(args, out));
    // Verdicts that nobody could read are not good ones.
    played.map_err(|error| CliError { broken_pipe: false, ..error })
}

async fn play(args: &DemoArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let stage = Stage::set().await?;
    writeln!(out, "Stand-in providers that verify, and countersign in front of them:")?;
    for (name, address) in &stage.providers {
        writeln!(out, "  {name:<14} http://{address}")?;
    }
    writeln!(out, "  forward        {}", stage.forward)?;
    writeln!(out, "  gateway        {}", stage.gateway)?;
    writeln!(out, "  config         {}\n", stage.config.display())?;
    let mut failed = 0;
    for act in ACTS {
        failed += u32::from(!perform(act, &stage, out).await?);
    }
    writeln!(out, "The same by hand:\n")?;
    for line in by_hand(&stage) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)?;
    out.flush()?;
    if !args.once {
        writeln!(out, "Serving until Ctrl-C.")?;
        out.flush()?;
        stopped().await?;
    }
    let acts = ACTS.len();
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

/// One request and what should come of it.
struct Act {
    title: &'static str,
    way: Way,
    method: Method,
    /// The provider's path and query.
    path: &'static str,
    body: &'static str,
    accepted: bool,
}

/// How a request reaches the provider.
#[derive(Clone, Copy)]
enum Way {
    /// `HTTP_PROXY`, with the host of this route.
    Forward(&'static str),
    /// `/<route>/…`.
    Gateway(&'static str),
    /// Straight to the stand-in, with nobody signing.
    Around(&'static str),
}

const QUERY: &str = "/v1/test?value=2&key=1";
const BODY: &str = "{\n  \"vaultId\": \"1\",\n  \"walletName\": \"my first wallet\"\n}";
const BLOCK: &str = "/block/000000000000000007dded8e2a733c654a006520409cdb0d6cdf642a1328c330";

const CANCEL: &str = "/api/v2/orders?orderHash=111%2C222&accountId=1234";
const ORDER: &str = r#"{
  "exchangeId": 2, "orderId": 5, "accountId": 1234, "tokenSId": 2, "tokenBId": 3,
  "amountS": "5000000000000000000", "amountB": "15000000", "allOrNone": "false", "buy": "false",
  "validSince": 1582094327, "validUntil": 1587278341, "maxFeeBips": 50, "label": 211
}"#;

const ACTS: &[Act] = &[
    act("Sinohope GET, through HTTP_PROXY", Way::Forward("sinohope"), Method::GET, QUERY, "", true),
    act(
        "Sinohope POST, through HTTP_PROXY",
        Way::Forward("sinohope"),
        Method::POST,
        "/v1/test",
        BODY,
        true,
    ),
    act(
        "Sinohope POST, through the gateway",
        Way::Gateway("sinohope"),
        Method::POST,
        "/v1/test",
        BODY,
        true,
    ),
    act(
        "MetaSV client signature, through HTTP_PROXY",
        Way::Forward("metasv"),
        Method::GET,
        BLOCK,
        "",
        true,
    ),
    act(
        "MetaSV client signature, through the gateway",
        Way::Gateway("metasv"),
        Method::GET,
        BLOCK,
        "",
        true,
    ),
    act(
        "MetaSV bearer token, through the gateway",
        Way::Gateway("metasv_token"),
        Method::GET,
        "/xpubs",
        "",
        true,
    ),
    act(
        "Loopring query, signed in the header, through HTTP_PROXY",
        Way::Forward("loopring"),
        Method::DELETE,
        CANCEL,
        "",
        true,
    ),
    act(
        "Loopring order, signed in its body, through HTTP_PROXY",
        Way::Forward("loopring_order"),
        Method::POST,
        "/api/v2/order",
        ORDER,
        true,
    ),
    act(
        "Sinohope, past the proxy: nobody signs",
        Way::Around("sinohope"),
        Method::GET,
        QUERY,
        "",
        false,
    ),
    act(
        "MetaSV, past the proxy: nobody signs",
        Way::Around("metasv"),
        Method::GET,
        BLOCK,
        "",
        false,
    ),
    act(
        "Loopring order, past the proxy: nobody signs",
        Way::Around("loopring_order"),
        Method::POST,
        "/api/v2/order",
        ORDER,
        false,
    ),
];

const fn act(
    title: &'static str,
    way: Way,
    method: Method,
    path: &'static str,
    body: &'static str,
    accepted: bool,
) -> Act {
    Act { title, way, method, path, body, accepted }
}

/// Sends an act's request and prints what came of it. Returns whether that was right.
async fn perform(act: &Act, stage: &Stage, out: &mut dyn Write) -> Result<bool, CliError> {
    writeln!(out, "{}", act.title)?;
    let (server, target) = match act.way {
        Way::Forward(route) => {
            (&stage.forward, format!("http://{}{}", stage.host(route), act.path))
        }
        Way::Gateway(route) => (&stage.gateway, format!("/{route}{}", act.path)),
        Way::Around(route) => (stage.provider(route), act.path.to_owned()),
    };
    writeln!(out, "  sent       {} {target}", act.method)?;
    let answer = send(server, act.method.clone(), &target, act.body).await?;
    let right = answer.accepted() == act.accepted;
    print(&answer, right, out)?;
    Ok(right)
}

fn print(answer: &Answer, right: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    for text in body["verified"].as_array().into_iter().flatten() {
        writeln!(out, "  canonical  {}", shown(text.as_str().unwrap_or_default().as_bytes()))?;
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
fn by_hand(stage: &Stage) -> Vec<String> {
    let (forward, gateway, config) = (&stage.forward, &stage.gateway, stage.config.display());
    let (sinohope, metasv) = (stage.host("sinohope"), stage.host("metasv"));
    let loopring = stage.host("loopring");
    vec![
        format!("curl -x {forward} 'http://{sinohope}{QUERY}'"),
        format!("curl -x {forward} http://{sinohope}/v1/test --json '{{\"vaultId\": \"1\"}}'"),
        format!("curl -x {forward} 'http://{loopring}/api/v2/x?b=2&a=1'"),
        format!("curl -x {forward} http://{metasv}/xpubs"),
        format!("curl {gateway}/sinohope/v1/test?key=1"),
        format!("curl {gateway}/metasv_token/xpubs"),
        format!("countersign explain {config} --url 'http://{sinohope}{QUERY}'"),
    ]
}
