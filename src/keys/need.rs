//! What a store needs of the system, and what is in its environment: for those who limit one or the
//! other.

use std::path::PathBuf;
use std::time::Duration;

/// Something without which an entry of a store cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Need {
    /// A file, which may be replaced by another.
    File(PathBuf),
    /// A directory.
    Directory(PathBuf),
    /// A program with its arguments, and how long it may run.
    Command(Vec<String>, Duration),
    /// A vendor's library in this process, which does what it likes.
    Library,
}

/// The variables in which a store's keys and secrets may be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StoreVariables {
    /// Entries are variables whose names begin like this.
    pub prefix: Option<String>,
    /// Others that hold a secret.
    pub named: Vec<String>,
}
