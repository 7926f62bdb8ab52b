//! The runtime of the commands that need one.

use std::ffi::OsStr;

use tokio::runtime::{Builder, Runtime};

use super::error::CliError;
use crate::config;
use crate::cores::{Cores, thread_count, tick};
use crate::keys::variable;

/// A runtime for commands that need one.
pub(crate) fn runtime() -> Result<Runtime, CliError> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// A runtime for what serves, and the cores beside it. With one thread, that is the caller's.
pub(crate) fn serving(kind: config::Runtime) -> Result<(Runtime, Cores), CliError> {
    let (runtime, cores) = match kind {
        config::Runtime::WorkStealing => (runtime()?, Cores::default()),
        config::Runtime::PerCore => {
            let written = variable("TOKIO_WORKER_THREADS");
            let cores = Cores::start(thread_count(written.as_deref().and_then(OsStr::to_str)))?;
            (Builder::new_current_thread().enable_all().build()?, cores)
        }
    };
    runtime.spawn(tick());
    Ok((runtime, cores))
}
