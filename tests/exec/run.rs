//! The binary as somebody at a terminal runs it: `countersign exec` in a directory with a
//! configuration, and a directory for temporary files that shows what is left behind.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers};
use crate::support::under_test;

/// A configuration for two providers that are one verifying origin, and where to run from.
pub(super) struct Desk {
    pub(super) origin: Origin,
    pub(super) home: Home,
    temporary: TempDir,
}

impl Desk {
    /// With these tables beside the usual ones.
    pub(super) fn new(tables: &str) -> Self {
        let origin = Origin::start(providers());
        let home = Home::new(&configuration(&origin, config::LISTENERS, tables));
        Self { origin, home, temporary: TempDir::new().expect("a directory can be made") }
    }

    /// The same configuration with other lines below `[listen]`.
    pub(super) fn listening(&self, listeners: &str) -> String {
        configuration(&self.origin, listeners, "")
    }

    /// `countersign exec` with these arguments, not yet started, in a process group of its own: no
    /// terminal sends it signals.
    pub(super) fn exec<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A]) -> Command {
        // Whoever runs the tests in the background may have some signals ignored.
        let mut command = Command::new("/usr/bin/env");
        command.arg("--default-signal").arg(under_test()).arg("exec");
        command.args(arguments).current_dir(self.home.path("."));
        command.env("XDG_STATE_HOME", self.home.path("state"));
        command.env("TMPDIR", self.temporary.path()).stdin(Stdio::null()).process_group(0);
        command
    }

    /// Runs it to its end.
    pub(super) fn run<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A]) -> Output {
        client::run(&mut self.exec(arguments))
    }

    /// Starts it with its outputs to be read.
    pub(super) fn start<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A]) -> Child {
        let mut command = self.exec(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the binary can be run")
    }

    /// Names of what is left among the temporary files.
    pub(super) fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.temporary()).expect("the directory can be listed");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.map(|entry| name(entry.expect("the directory can be listed"))).collect()
    }

    /// Where temporary files go.
    pub(super) fn temporary(&self) -> &Path {
        self.temporary.path()
    }
}

fn configuration(origin: &Origin, listeners: &str, tables: &str) -> String {
    let (sinohope, metasv) =
        (config::sinohope(&origin.url(), None), config::metasv(&origin.url(), None));
    config::listening(listeners, &[sinohope, metasv, tables.to_owned()])
}

/// Standard output as text.
pub(super) fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error as text.
pub(super) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
