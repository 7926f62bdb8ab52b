//! `doctor`: whether the runtimes of this machine do what `exec` counts on.
//!
//! Each that is found sends one HTTPS request through a proxy set up for the purpose, to a stand-in
//! that verifies the signature: with everything `exec` sets, then with one variable less at a time,
//! which tells the variables it needs. Those are compared with the caller's environment.

mod runtimes;
mod scene;
mod shell;
mod trial;

use std::io::Write;

use self::runtimes::{ALL, Runtime};
use self::scene::Scene;
use self::shell::Shell;
use self::trial::{Outcome, Trial};
use super::exec::credentials::Credentials;
use super::exec::environment::Variables;
use super::exec::running;
use super::exec::signals::Signals;
use super::{CliError, ConfigFile, Exit, runtime};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// A runtime to try, in place of all; may be given several times
    #[arg(long = "runtime", value_name = "NAME", value_parser = named)]
    runtimes: Vec<&'static Runtime>,
}

fn named(name: &str) -> Result<&'static Runtime, String> {
    let names: Vec<_> = ALL.iter().map(|runtime| runtime.name).collect();
    let found = ALL.iter().find(|runtime| runtime.name == name);
    found.ok_or_else(|| format!("the runtimes are: {}", names.join(", ")))
}

pub(super) fn run(args: &DoctorArgs, out: &mut dyn Write) -> Result<(), CliError> {
    // The one that this shell should lead to. There may be none.
    let path = args.config.path();
    let path = (args.config.named().is_some() || path.exists()).then_some(path);
    let config = path.map(Config::load).transpose()?;
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        tokio::select! {
            examined = examine(args, config.as_ref(), out) => examined,
            signal = signals.ending() => {
                let code = u8::try_from(128 + signal.as_raw()).unwrap_or(u8::MAX);
                Err(CliError::silent(Exit::Program(code)))
            }
        }
    })
}

async fn examine(
    args: &DoctorArgs,
    config: Option<&Config>,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    if let Some(config) = config {
        clocks(config, out).await?;
    }
    let scene = Scene::set(std::env::vars_os().collect()).await?;
    let shell = Shell::new(&scene.caller, config);
    let asked = !args.runtimes.is_empty();
    let runtimes = if asked { args.runtimes.clone() } else { ALL.iter().collect() };
    let mut failed = 0;
    for runtime in &runtimes {
        let finding = Finding::of(runtime, &scene, &shell).await?;
        failed += usize::from(finding.is_bad(asked));
        writeln!(out, "{:<16} {finding}", runtime.name)?;
        out.flush()?;
    }
    if let Some(config) = config.filter(|config| config.intercept.is_none()) {
        let path = config.path.display();
        writeln!(
            out,
            "{path} has no [intercept]: without exec, programs write http:// until it has"
        )?;
    }
    if failed > 0 {
        return Err(CliError::silent(Exit::Failed));
    }
    Ok(())
}

/// How far the clocks of providers are from this machine's, by a proxy that runs: what most rejections
/// come from is said first.
async fn clocks(config: &Config, out: &mut dyn Write) -> Result<(), CliError> {
    let credentials = Credentials::find(None, config)?;
    let metrics = running::metrics(config, credentials.as_ref()).await.unwrap_or_default();
    for line in metrics.lines() {
        let Some(rest) = line.strip_prefix("countersign_clock_offset_seconds{route=\"") else {
            continue;
        };
        let Some((route, offset)) = rest.split_once("\"} ") else { continue };
        let apart: f64 = offset.parse().unwrap_or_default();
        let remedy = match apart.abs() {
            0.0..APART => String::new(),
            _ => format!("; set it by NTP, or write clock = \"provider\" below [routes.{route}]"),
        };
        let side = if apart < 0.0 { "behind" } else { "ahead of" };
        let apart = apart.abs();
        writeln!(
            out,
            "{:<16} {route}: the provider's is {apart:.1} s {side} this machine's{remedy}",
            "clock"
        )?;
    }
    Ok(())
}

/// Seconds that many providers do not mind.
const APART: f64 = 1.0;

/// What is said of a runtime.
enum Finding {
    NotFound,
    /// Not even with everything `exec` sets.
    Broken(String, &'static str),
    /// The variables that the caller's environment lacks, and what a program has to do besides.
    Works(Vec<&'static str>, &'static str),
}

impl Finding {
    async fn of(runtime: &Runtime, scene: &Scene, shell: &Shell<'_>) -> Result<Self, CliError> {
        let Some(trial) = runtime.prepare(scene).await? else { return Ok(Self::NotFound) };
        if let Err(reason) = attempt(runtime, &trial, scene, &scene.full).await {
            return Ok(Self::Broken(reason, runtime.advice));
        }
        let needed = needed(runtime, &trial, scene).await;
        let lacking = needed.iter().filter_map(|names| shell.lacks(names)).collect();
        Ok(Self::Works(lacking, runtime.remark))
    }

    fn is_bad(&self, asked: bool) -> bool {
        match self {
            Self::NotFound => asked,
            Self::Broken(..) => true,
            Self::Works(..) => false,
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let remark = match self {
            Self::NotFound => return f.write_str("not found"),
            Self::Broken(reason, advice) => {
                write!(f, "does not work: {reason}")?;
                advice
            }
            Self::Works(lacking, remark) if lacking.is_empty() => {
                f.write_str("works")?;
                remark
            }
            Self::Works(lacking, remark) => {
                write!(f, "works with exec; in this shell it lacks {}", lacking.join(", "))?;
                remark
            }
        };
        if remark.is_empty() { Ok(()) } else { write!(f, " ({remark})") }
    }
}

/// Runs a trial: good when a signed request arrived and the program was content, where its
/// contentment says something.
async fn attempt(
    runtime: &Runtime,
    trial: &Trial,
    scene: &Scene,
    variables: &Variables,
) -> Result<(), String> {
    let before = scene.accepted();
    let outcome = trial.run(variables).await;
    let arrived = scene.accepted() > before;
    match outcome {
        Outcome::Failed(reason) if runtime.succeeds || !arrived => Err(reason),
        Outcome::Done if !arrived => Err("its request did not come through the proxy".into()),
        Outcome::Done | Outcome::Failed(_) => Ok(()),
    }
}

/// The variables without which it does not work, when it has none but its own. All of them where
/// these are not enough, as only everything together is known to be then.
async fn needed(runtime: &Runtime, trial: &Trial, scene: &Scene) -> Vec<&'static [&'static str]> {
    let mut own = scene.base();
    for name in runtime.needs.iter().filter_map(|names| names.first()) {
        let value = scene.full.get(std::ffi::OsStr::new(name)).cloned().unwrap_or_default();
        own.insert((*name).into(), value);
    }
    if attempt(runtime, trial, scene, &own).await.is_err() {
        return runtime.needs.to_vec();
    }
    let mut needed = Vec::new();
    for names in runtime.needs {
        let mut less = own.clone();
        less.retain(|name, _| !names.iter().any(|one| name == *one));
        if attempt(runtime, trial, scene, &less).await.is_err() {
            needed.push(*names);
        }
    }
    needed
}
