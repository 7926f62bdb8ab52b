//! The runtime of the commands that need one.

use super::error::CliError;

/// A runtime for commands that need one.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
