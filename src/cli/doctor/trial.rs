//! One run of a program, within a deadline.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::cli::exec::environment::Variables;

/// What to run.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    program: PathBuf,
    arguments: Vec<OsString>,
    directory: PathBuf,
    /// What it needs besides, and not for the proxy.
    variables: Variables,
}

/// What came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It ended well.
    Done,
    /// It ended otherwise, and said this.
    Failed(String),
}

impl Trial {
    /// A program with arguments, in a directory.
    pub(super) fn new<A: Into<OsString>>(
        program: PathBuf,
        arguments: impl IntoIterator<Item = A>,
        directory: PathBuf,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program, arguments, directory, variables: Variables::new() }
    }

    /// With this variable, whatever the environment.
    pub(super) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Runs it with this environment.
    pub(super) async fn run(&self, environment: &Variables) -> Outcome {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.directory);
        command.env_clear().envs(environment).envs(&self.variables);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // A group of its own, so that what it starts in turn is ended with it.
        let started = command.process_group(0).spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        let mut group = Group(i32::try_from(child.id()).ok().and_then(Pid::from_raw));
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
        let Ok(ended) = tokio::time::timeout(DEADLINE, ended).await else {
            return Outcome::Failed(format!("did not end within {} s", DEADLINE.as_secs()));
        };
        group.0 = None;
        match ended {
            Ok(Ok(output)) if output.status.success() => Outcome::Done,
            Ok(Ok(output)) => Outcome::Failed(reason(&output.stderr)),
            Ok(Err(error)) => Outcome::Failed(error.to_string()),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }
}

/// Java starts in less than one; where much else runs, not always in ten.
const DEADLINE: Duration = Duration::from_secs(30);

/// Processes that are killed when this is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The last line that is not empty: what programs say before that is how they came to it.
fn reason(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let mut lines = said.lines().map(str::trim);
    let last = lines.rfind(|line| !line.is_empty()).unwrap_or("it said nothing");
    last.escape_debug().take(LONGEST).collect()
}

/// Characters of a reason that fit a line.
const LONGEST: usize = 160;

/// The value of a variable as the system has it.
pub(super) fn value<'a>(variables: &'a Variables, name: &str) -> Option<&'a OsStr> {
    variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
}
