//! The runtime of the commands that need one.

use std::ffi::OsStr;
use std::pin::Pin;

use tokio::runtime::Builder;

use super::error::CliError;
use crate::config;
use crate::cores::{Cores, Running, thread_count, tick};
use crate::keys::variable;

/// A runtime, and the cores that end with it.
pub(crate) struct Runtime {
    own: tokio::runtime::Runtime,
    _cores: Option<Running>,
}

impl Runtime {
    /// Runs a future to its end. Tokio's own function would be compiled twice for each.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let mut output = None;
        let whole: Pin<Box<dyn Future<Output = ()> + '_>> =
            Box::pin(async { output = Some(future.await) });
        self.own.block_on(whole);
        output.expect("the future has ended")
    }
}

/// A runtime for commands that need one.
pub(crate) fn runtime() -> Result<Runtime, CliError> {
    Ok(Runtime { own: Builder::new_multi_thread().enable_all().build()?, _cores: None })
}

/// A runtime for what serves, and the cores beside it. With one thread, that is the caller's.
pub(crate) fn serving(kind: config::Runtime) -> Result<(Runtime, Cores), CliError> {
    let (runtime, cores) = match kind {
        config::Runtime::WorkStealing => (runtime()?, Cores::default()),
        config::Runtime::PerCore => {
            let written = variable("TOKIO_WORKER_THREADS");
            let count = thread_count(written.as_deref().and_then(OsStr::to_str));
            let (cores, running) = Cores::start(count)?;
            let own = Builder::new_current_thread().enable_all().build()?;
            (Runtime { own, _cores: Some(running) }, cores)
        }
    };
    runtime.own.spawn(tick());
    Ok((runtime, cores))
}
