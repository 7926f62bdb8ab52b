//! The command line: commands, their help, and how an error ends.
//!
//! Exit codes: 0 done, 1 failed, 64 wrong usage, 78 wrong configuration (sysexits.h). `exec` ends
//! with its program's, or as a shell says what became of it: 126 it cannot be run, 127 it is not
//! there, 128 and the signal's number when a signal ended it.

mod audit;
mod ca;
mod callback;
mod catalogue;
mod check;
mod config_file;
mod demo;
mod descriptors;
mod directory;
mod doctor;
mod documents;
mod error;
mod exec;
mod explain;
mod given_up;
mod har;
mod health;
mod in_process;
mod init;
mod inner;
mod keys;
mod log;
mod manual;
mod raw;
mod relative;
mod replay;
mod run;
mod runtime;
mod schemes;
mod settings;
mod signer;
mod state;
mod verify;
mod why;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
pub(crate) use config_file::ConfigFile;
pub(crate) use error::{CliError, Exit};
pub(crate) use runtime::{runtime, serving};

/// A proxy that signs: programs speak plainly, and their requests to custody and trading APIs
/// leave with the provider's signature.
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    max_term_width = 100,
    after_help = "\
Start here:
  countersign demo                       see it work, nothing to set up
  countersign init --provider sinohope   write proxy.toml and make a key
  countersign exec -- your-program       run it with its requests signed
  countersign run                        serve; then http_proxy=http://127.0.0.1:8080 your-program"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: sign what routes name and send it on
    Run(run::RunArgs),
    /// Run a program whose requests are signed: its environment is set, a proxy started if none runs
    Exec(exec::ExecArgs),
    /// Say which runtimes of this machine work through the proxy, and which variable they lack
    Doctor(doctor::DoctorArgs),
    /// Read a configuration, open every key, and print every problem; start nothing
    Check(check::CheckArgs),
    /// Write a commented proxy.toml for the providers you name, and make their keys
    Init(init::InitArgs),
    /// Show how one request would be signed, without sending it
    Explain(explain::ExplainArgs),
    /// Say whether a signed request is valid, and if not, why
    Verify(verify::VerifyArgs),
    /// Send a recorded request again, signed anew, to an upstream that you name
    Replay(replay::ReplayArgs),
    /// Say why the provider rejected a request that a running proxy signed
    Why(why::WhyArgs),
    /// Make, import, encrypt and show keys
    Keys(keys::KeysArgs),
    /// Make, show and export the certificate authority for HTTPS
    Ca(ca::CaArgs),
    /// Hold keys for proxies and sign for them, in a process of its own
    Signer(signer::SignerArgs),
    /// Check a file of decisions: is every line as it was written?
    Audit(audit::AuditArgs),
    /// Ask a callback server as a Cobo TSS node does
    Callback(callback::CallbackArgs),
    /// List every scheme with its keys, secrets and params
    Schemes(schemes::SchemesArgs),
    /// List every setting with its default
    Settings,
    /// Ask whether the proxy is ready: exit 0 or 1, for containers without a shell
    Health(health::HealthArgs),
    /// Print a reference document: refusals, metrics, schemes and others
    Documents(documents::DocumentsArgs),
    /// Print a configuration that describes every setting
    Example,
    /// Print what completes this program's commands in a shell
    Completions(manual::CompletionsArgs),
    /// Print a manual page
    Man(manual::ManArgs),
    /// See the whole thing work: stand-in providers that verify, throw-away keys, real requests
    Demo(demo::DemoArgs),
}

/// Runs the command the arguments name. The only function a binary needs.
pub fn main() -> ExitCode {
    if let Some(exit) = inner::told() {
        return exit;
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _closed = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    let mut out = io::stdout().lock();
    let result = dispatch(arguments.command, &mut out).and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough: `countersign schemes | head`.
        Err(error) if error.broken_pipe => ExitCode::SUCCESS,
        Err(error) => {
            let _closed = write!(io::stderr(), "{error}");
            error.exit.into()
        }
    }
}

fn dispatch(command: Command, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        Command::Run(args) => run::run(&args, out),
        Command::Exec(args) => exec::run(&args),
        Command::Doctor(args) => doctor::run(&args, out),
        Command::Check(args) => check::run(&args, out),
        Command::Init(args) => init::run(&args, out),
        Command::Explain(args) => explain::run(&args, out),
        Command::Verify(args) => verify::run(&args, out),
        Command::Replay(args) => replay::run(&args, out),
        Command::Why(args) => why::run(&args, out),
        Command::Keys(args) => keys::run(args, out),
        Command::Ca(args) => ca::run(&args, out),
        Command::Signer(args) => signer::run(&args, out),
        Command::Audit(args) => audit::run(&args, out),
        Command::Callback(args) => callback::run(&args, out),
        Command::Schemes(args) => schemes::run(&args, out),
        Command::Settings => settings::run(out),
        Command::Health(args) => health::run(&args),
        Command::Documents(args) => documents::run(&args, out),
        Command::Example => manual::example(out),
        Command::Completions(args) => manual::completions(&args, Arguments::command(), out),
        Command::Man(args) => manual::man(&args, Arguments::command(), out),
        Command::Demo(args) => demo::run(&args, out),
    }
}
