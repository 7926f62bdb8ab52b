//! `exec --record DIR`: each signed request as a HAR file of its own, written as it ends.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::{JoinHandle, spawn};

use super::tally::counted;
use crate::cli::CliError;
use crate::cli::har::har;
use crate::config::Config;
use crate::inspect::{Keep, Recorder, Seen};

/// A directory that requests are written to.
pub(super) struct Recording {
    directory: PathBuf,
    recorder: Arc<Recorder>,
    writer: JoinHandle<io::Result<u64>>,
}

impl Recording {
    /// Makes the directory, open to its owner alone; one with files in it could be another record.
    pub(super) fn begin(directory: &Path) -> Result<Self, CliError> {
        let at = |error: io::Error| CliError::at(directory, &error);
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(error)),
            _ => {}
        }
        if directory.read_dir().map_err(at)?.next().is_some() {
            let what = format!("{}: has files in it", directory.display());
            return Err(CliError::failed(what, "name a directory that is empty or not there yet"));
        }
        let (recorder, out) = Recorder::new();
        let own = directory.to_owned();
        let writer = spawn(move || write(&own, &out));
        Ok(Self { directory: directory.to_owned(), recorder: Arc::new(recorder), writer })
    }

    /// Where a proxy puts its requests.
    pub(super) fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.recorder)
    }

    /// A configuration with which there is something to write.
    pub(super) fn keeping(config: &Config) -> Config {
        let mut own = config.clone();
        own.keep = Keep { requests: own.keep.requests.max(1), bodies: true };
        own
    }

    /// Waits until all is written; says what there is, and what is lost.
    pub(super) fn finish(self) -> Result<String, CliError> {
        let Self { directory, recorder, writer } = self;
        let lost = recorder.end();
        let failed = |error: &dyn std::fmt::Display| {
            let what = format!("{}: a request could not be written: {error}", directory.display());
            CliError::failed(what, "see that there is room, and that the directory is yours")
        };
        let written = writer.join().map_err(|_| failed(&"the writer stopped"))?;
        let written = written.map_err(|error| failed(&error))?;
        let lost = match lost {
            0 => String::new(),
            lost => format!("; {lost} more came faster than they could be written, and are lost"),
        };
        let written = counted(written, "signed request");
        Ok(format!("in {}: {written}{lost}", directory.display()))
    }
}

/// Writes what comes. After a failure the rest is only counted off, for nobody may wait.
fn write(directory: &Path, out: &Receiver<Option<Arc<Seen>>>) -> io::Result<u64> {
    let (mut written, mut fault) = (0, None);
    while let Ok(Some(seen)) = out.recv() {
        if fault.is_some() {
            continue;
        }
        let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let route: String = seen.route.chars().map(safe).collect();
        let path = directory.join(format!("{:04}-{route}.har", written + 1));
        match one(&path, &seen) {
            Ok(()) => written += 1,
            Err(error) => fault = Some(error),
        }
    }
    fault.map_or(Ok(written), Err)
}

fn one(path: &Path, seen: &Seen) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{:#}", har(&[seen.json()]))
}
