//! `exec`: runs a program with everything around it that has its requests signed, and nothing
//! left of it afterwards.
//!
//! The proxy is the one that runs with this configuration, or one inside this process. The program
//! finds it, and whom to trust, in its environment; standard input and output are its own.

pub(super) mod conversation;
pub(super) mod credentials;
pub(super) mod environment;
pub(super) mod java;
mod no_proxy;
mod program;
pub(super) mod proxy;
mod recording;
pub(super) mod running;
mod settings;
pub(super) mod signals;
mod tally;
pub(super) mod trust;
mod values;
mod variables;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use self::credentials::{Credentials, Typed};
use self::environment::Variables;
use self::no_proxy::NoProxy;
use self::proxy::Proxy;
use self::recording::Recording;
use self::running::Found;
use self::signals::Signals;
use self::trust::Trust;
use super::ca::Ephemeral;
use super::config_file::DEFAULT;
use super::directory::Directory;
use super::{CliError, Exit, log, runtime};
use crate::config::{Config, Intercept, Log, Sandbox};
use crate::sandbox::undumpable;
use crate::tls::CaCertificate;

#[derive(Debug, clap::Args)]
pub(super) struct ExecArgs {
    /// The configuration; CONFIG.toml before -- says the same
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Start a proxy for the program alone, also where one runs
    #[arg(long)]
    own: bool,
    /// Who the program is, where access.tokens asks; others see it here, not in COUNTERSIGN_TOKEN
    #[arg(long, value_name = "NAME:TOKEN")]
    token: Option<Typed>,
    /// Write each signed request to a file in this directory, without secrets: for verify, explain
    /// and replay. Starts a proxy for the program alone
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl ExecArgs {
    /// The configuration, and the program with its arguments. No program is called `CONFIG.toml`
    /// and takes `--` first: that is how other commands are told their configuration.
    fn split(&self) -> Result<(&Path, &[OsString]), CliError> {
        let named = |file: &OsString| Path::new(file).extension().is_some_and(|end| end == "toml");
        match (&self.command[..], &self.config) {
            ([file, dashes, program @ ..], _) if named(file) && dashes == "--" => {
                let fault = match (&self.config, program) {
                    (Some(_), _) => "the configuration is named twice",
                    (None, []) => "there is no program behind --",
                    (None, _) => return Ok((Path::new(file), program)),
                };
                let fix = "countersign exec [CONFIG] -- PROGRAM …";
                Err(CliError::new(Exit::Usage, fault).fix(fix))
            }
            (program, config) => {
                Ok((config.as_deref().unwrap_or_else(|| Path::new(DEFAULT)), program))
            }
        }
    }
}

pub(super) fn run(args: &ExecArgs) -> Result<(), CliError> {
    let (config, command) = args.split()?;
    let config = Config::load(config)?;
    if config.process.sandbox != Sandbox::Off
        && let Err(why) = undumpable()
    {
        say(&format!("inspection by others could not be given up: {why}"));
    }
    let credentials = Credentials::find(args.token.as_ref(), &config)?;
    let recording = args.record.as_deref().map(Recording::begin).transpose()?;
    let config = if recording.is_some() { Recording::keeping(&config) } else { config };
    let _lines = log::start(&quieter(&config.log, args.quiet));
    let given = Given { credentials: credentials.as_ref(), recording };
    runtime()?.block_on(execute(args, command, &config, given))
}

/// The log between a program's own lines: without one for each request, unless more than the usual
/// is wanted.
fn quieter(log: &Log, quiet: bool) -> Log {
    let level = match log.level.as_str() {
        "info" | "warn" if quiet => "error",
        "info" => "warn",
        level => level,
    };
    Log { level: level.to_owned(), format: log.format }
}

/// What the command line asks for beside the program.
struct Given<'a> {
    credentials: Option<&'a Credentials>,
    recording: Option<Recording>,
}

async fn execute(
    args: &ExecArgs,
    command: &[OsString],
    config: &Config,
    given: Given<'_>,
) -> Result<(), CliError> {
    let Given { credentials, recording } = given;
    // First, so that whatever is made from here on is removed.
    let mut signals = Signals::take()?;
    let scene = tokio::select! {
        scene = Scene::set(args, config, credentials, recording.as_ref()) => scene?,
        signal = signals.ending() => {
            let code = u8::try_from(128 + signal.as_raw()).unwrap_or(u8::MAX);
            return Err(CliError::silent(Exit::Program(code)));
        }
    };
    let Scene { proxy, variables, past, directory } = scene;
    if !args.quiet {
        say(&proxy.announcement(config));
        if !past.left_out.is_empty() {
            let entries = past.left_out.join(", ");
            say(&format!("left out of NO_PROXY, as hosts with a route are in it: {entries}"));
        }
    }
    let ended = program::run(command, variables, &mut signals).await;
    // Of a program that could not be run there is more to say than that nothing came.
    let asked = !args.quiet && ended.is_ok();
    let account = proxy.finish(config, credentials, asked, &mut signals).await;
    account.iter().for_each(|line| say(line));
    let recorded = recording.map(Recording::finish).transpose()?;
    recorded.iter().filter(|_| !args.quiet).for_each(|line| say(line));
    drop(directory);
    match ended? {
        0 => Ok(()),
        code => Err(CliError::silent(Exit::Program(code))),
    }
}

/// A line for the person at the terminal. Nobody may be reading, which is no reason to fail.
fn say(line: &str) {
    let _unheard = writeln!(io::stderr(), "countersign: {line}");
}

/// Everything the program needs.
struct Scene {
    proxy: Proxy,
    variables: Variables,
    past: NoProxy,
    /// What was made; removed when dropped.
    directory: Directory,
}

impl Scene {
    async fn set(
        args: &ExecArgs,
        config: &Config,
        credentials: Option<&Credentials>,
        recording: Option<&Recording>,
    ) -> Result<Self, CliError> {
        let mut caller: Variables = std::env::vars_os().collect();
        environment::without_keys(&mut caller, config);
        let directory = Directory::make("exec")?;
        let found = if args.own || recording.is_some() {
            Found::Nothing
        } else {
            running::find(config, credentials).await?
        };
        let (root, authority) = match (&config.intercept, found) {
            (Some(intercept), _) => (Some(root(intercept)?), None),
            // It opens no TLS, whatever the program would trust.
            (None, Found::Own(_)) => (None, None),
            (None, Found::Nothing | Found::Other | Found::Strange(_)) => {
                Ephemeral::of(config)?.map(|made| (made.root, made.authority)).unzip()
            }
        };
        // Java takes its time to make a trust store; the proxy starts meanwhile.
        let variables = caller.clone();
        let trusting =
            tokio::task::spawn_blocking(move || Trust::make(root, &variables, directory));
        // Before anything of ours can fail: what runs may be what was meant to be used.
        found.passed_over(config).iter().filter(|_| !args.quiet).for_each(|line| say(line));
        let proxy = Proxy::use_or_start(
            found,
            config,
            credentials,
            (authority, recording.map(Recording::recorder)),
        )
        .await?;
        let trust = trusting.await.map_err(|error| {
            CliError::new(Exit::Failed, format!("the trust files were not made: {error}"))
        })?;
        let trust = trust?;
        let (variables, past) = environment::of_program(
            caller,
            config,
            proxy.running(),
            proxy.shown(credentials),
            &trust,
        );
        let Trust { directory, .. } = trust;
        Ok(Self { proxy, variables, past, directory })
    }
}

/// The certificate that programs have to trust, in PEM: nothing else of the file, as Java takes the
/// first of one, and others take all.
fn root(intercept: &Intercept) -> Result<String, CliError> {
    let path = intercept.ca_cert.display();
    let fault = |error: &dyn fmt::Display, fix: &str| {
        CliError::new(Exit::Config, format!("intercept.ca_cert: {path}{error}")).fix(fix)
    };
    let pem = std::fs::read(&intercept.ca_cert).map_err(|error| {
        fault(&format!(": {error}"), "make one with `countersign ca new`, or mend the path")
    })?;
    let certificate = CaCertificate::read(&pem);
    let certificate = certificate.map_err(|error| fault(&format!(" {error}"), &error.fix))?;
    Ok(certificate.trust_anchor_pem())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;

    #[test]
    fn requests_are_not_logged_unless_more_than_the_usual_is_wanted() {
        for (written, quiet, used) in [
            ("info", false, "warn"),
            ("info", true, "error"),
            ("warn", false, "warn"),
            ("warn", true, "error"),
            ("debug", true, "debug"),
            ("off", false, "off"),
        ] {
            let log = Log { level: written.into(), format: LogFormat::Text };
            assert_eq!(quieter(&log, quiet).level, used, "{written}");
        }
    }
}
