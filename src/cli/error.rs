//! Errors of commands: the sentence, the way to mend it, the exit code.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::config::ConfigErrors;
use crate::keys::FormatError;
use crate::problem::Problem;
use crate::refusal::Refusal;

/// Why a command failed. Its `Display` is what a person reads, line ends included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CliError {
    /// What went wrong, and where. Empty when the command has said everything itself.
    pub(crate) what: String,
    /// How to mend it, if anything is known to.
    pub(crate) fix: Option<String>,
    /// What to tell the shell.
    pub(crate) exit: Exit,
    /// Whether our output lost its reader, which is no failure.
    pub(crate) broken_pipe: bool,
}

/// Exit codes, those of sysexits.h where it has one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// It was understood and did not work.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The configuration, or a key it names, is wrong.
    Config,
    /// What a program that was run ended with, or what a shell says of it.
    Program(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Failed => 1,
            Exit::Usage => 64,
            Exit::Config => 78,
            Exit::Program(code) => code,
        })
    }
}

impl CliError {
    /// What went wrong, with nothing yet on how to mend it.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { what: what.into(), fix: None, exit, broken_pipe: false }
    }

    /// It did not work, and this would help.
    pub(crate) fn failed(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what).fix(fix)
    }

    /// The command has said what is wrong in its own output.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// A file could not be read or written.
    pub(crate) fn at(path: &Path, error: &io::Error) -> Self {
        let what = format!("{}: {error}", path.display());
        Self::failed(what, "name a place that is there and that you may use")
    }

    /// Adds how to mend it.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.what.is_empty() {
            return Ok(());
        }
        writeln!(f, "countersign: {}", self.what)?;
        match &self.fix {
            Some(fix) => writeln!(f, "  fix: {fix}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CliError {}

impl From<ConfigErrors> for CliError {
    fn from(errors: ConfigErrors) -> Self {
        let count = errors.errors.len();
        let s = if count == 1 { "" } else { "s" };
        // Each begins with file, line and column, as editors and terminals expect.
        Self::new(Exit::Config, format!("{count} problem{s} in the configuration\n{errors}"))
    }
}

impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        Self::new(Exit::Config, problem.what).fix(problem.fix)
    }
}

impl From<FormatError> for CliError {
    fn from(error: FormatError) -> Self {
        Self::failed(format!("the key {}", error.what), error.fix)
    }
}

/// What a request would have been answered with.
impl From<Refusal> for CliError {
    fn from(refusal: Refusal) -> Self {
        let remedy = refusal.advice().to_owned();
        let (code, status) = (refusal.code.name(), refusal.code.facts().status.as_u16());
        Self::failed(format!("{status} {code}: {}", refusal.detail), remedy)
    }
}

/// For a command's own output; errors of files name the file and are made where it is known.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let broken_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        let what = format!("the output cannot be written: {error}");
        Self { broken_pipe, ..Self::new(Exit::Failed, what) }
    }
}
