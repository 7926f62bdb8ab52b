//! `[process]`: what the process gives up at its start, and how its connections are served.

use std::path::PathBuf;

/// What the process gives up at its start.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Process {
    /// Whether it does.
    pub sandbox: Sandbox,
    /// Whether its memory stays out of swap.
    pub lock_memory: bool,
    /// How connections are served.
    pub runtime: Runtime,
    /// What else is read, where it is written: directories and files.
    pub read: Option<Vec<PathBuf>>,
    /// What else is written, where it is written: directories.
    pub write: Option<Vec<PathBuf>>,
}

/// How connections are served.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Runtime {
    /// Each by one thread, from its first byte to its last.
    #[default]
    PerCore,
    /// By whichever thread is free.
    WorkStealing,
}

/// What follows where something cannot be given up.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Sandbox {
    /// Nothing is given up.
    Off,
    /// A warning.
    #[default]
    Warn,
    /// The start is refused.
    Require,
}
