//! A directory for what a command makes along the way, removed with everything in it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::CliError;
use crate::moment::unix_ms;

/// How many this process has made: two within a millisecond have names of their own.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Below the system's directory for such things, and open to its owner alone; removed when dropped.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Makes one with the command's name in its own.
    pub(super) fn make(command: &str) -> Result<Self, CliError> {
        // A process that died may have had this id and left its directory: hence the time.
        let (process, number) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let name = format!("countersign-{command}-{process}-{:x}-{number}", unix_ms());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_are_made_at_once_have_names_of_their_own() {
        let made: Vec<_> =
            (0..1_000).map(|_| Directory::make("test").expect("a name that nobody has")).collect();
        let paths: Vec<_> = made.iter().map(|directory| directory.0.clone()).collect();
        drop(made);
        assert!(paths.iter().all(|path| !path.exists()), "each is removed when dropped");
    }
}
