//! The program: started where and as we were, waited for, and its end made ours.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};

use rustix::process::Pid;
use tokio::signal::unix::{SignalKind, signal};

use super::signals::{Signals, pass_on};
use super::values::Variables;
use crate::cli::{CliError, Exit};
use crate::descriptors;

/// Runs a program with this environment to its end, with signals passed on to it. Returns what a
/// shell would say of its end.
pub(super) async fn run(
    command: &[OsString],
    variables: Variables,
    signals: &mut Signals,
) -> Result<u8, CliError> {
    let [name, arguments @ ..] = command else {
        return Err(CliError::new(Exit::Usage, "there is no program to run"));
    };
    // Before the start, so that no end goes unnoticed.
    let mut ended = signal(SignalKind::child())?;
    let mut program = Command::new(name);
    program.args(arguments).env_clear().envs(variables);
    let mut child = program.spawn().map_err(|error| not_run(name, &error))?;
    // Not before: a program has the limit of who starts it, and may use `select`. A proxy of our own
    // has no clients until now.
    let _as_many_as_may_be = descriptors::raise();
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.expect("the system gives processes positive numbers");
    loop {
        // Signals are sent from here alone, and not once this has reaped it: the number may belong
        // to somebody else then.
        if let Some(status) = over(&mut child)? {
            return Ok(status);
        }
        tokio::select! {
            _ = ended.recv() => {}
            signal = signals.next() => pass_on(signal, pid),
        }
    }
}

fn over(child: &mut Child) -> Result<Option<u8>, CliError> {
    let status = child.try_wait().map_err(|error| {
        CliError::new(Exit::Failed, format!("the program cannot be waited for: {error}"))
    })?;
    Ok(status.map(code))
}

/// The exit code, or 128 and the number of the signal that ended it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// 127 for a program that is not there, 126 for one that cannot be run, as in shells.
fn not_run(name: &OsString, error: &io::Error) -> CliError {
    let (exit, fix) = if error.kind() == io::ErrorKind::NotFound {
        (127, "write its path, or a name that is in PATH")
    } else {
        (126, "name a program that may be run: chmod +x")
    };
    let what = format!("{}: {error}", name.display());
    CliError::new(Exit::Program(exit), what).fix(fix)
}
