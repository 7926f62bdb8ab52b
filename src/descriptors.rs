//! File descriptors: how many the process may have, and whether it has run out of them.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one, and returns what holds then: `None` without a limit.
///
/// The soft limit is low for the sake of programs that use `select`, which this one does not.
pub(crate) fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Some systems have no number for "without a limit" that the soft one may be.
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

/// Whether an error is for want of descriptors, in this process or in the system.
pub(crate) fn ran_out(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}
