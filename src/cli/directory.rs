//! A directory for what a command makes along the way, removed with everything in it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::CliError;
use crate::moment::unix_ms;

/// Below the system's directory for such things, and open to its owner alone; removed when dropped.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Makes one with the command's name in its own.
    pub(super) fn make(command: &str) -> Result<Self, CliError> {
        let name = format!("countersign-{command}-{}-{:x}", std::process::id(), unix_ms());
        let path = std::env::temp_dir().join(name);
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| CliError::at(&path, &error))?;
        Ok(Self(path))
    }

    /// Where a file in it is.
    pub(super) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _kept = std::fs::remove_dir_all(&self.0);
    }
}
