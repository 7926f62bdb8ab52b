//! Which configuration a command is about: written the same in every command that reads one.

use std::path::{Path, PathBuf};

/// `[CONFIG]` or `--config FILE`.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigFile {
    /// The configuration [default: proxy.toml]
    #[arg(value_name = "CONFIG", conflicts_with = "option")]
    positional: Option<PathBuf>,
    /// The same, by name
    #[arg(id = "option", long = "config", value_name = "FILE")]
    option: Option<PathBuf>,
}

impl ConfigFile {
    /// The file, whether it was named or not.
    pub(super) fn path(&self) -> &Path {
        self.named().unwrap_or_else(|| Path::new(DEFAULT))
    }

    /// The file that was named, if one was.
    pub(super) fn named(&self) -> Option<&Path> {
        self.positional.as_deref().or(self.option.as_deref())
    }
}

/// What is read where nothing is named.
pub(super) const DEFAULT: &str = "proxy.toml";
