//! What this program tells itself, in a process of its own. It is no command of anybody else.

use std::process::ExitCode;

use super::Exit;
use crate::keys::launcher::{self, LAUNCHER};
use crate::sandbox::{PROBE, probe, undumpable};

/// Does what the arguments say, where it is one of these.
pub(super) fn told() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(only), None) = (arguments.next(), arguments.next()) else { return None };
    if only == PROBE {
        probe();
        return Some(ExitCode::SUCCESS);
    }
    if only == LAUNCHER {
        // Keys come through it, and are in its environment.
        let _open = undumpable();
        let served = launcher::serve();
        return Some(if served.is_ok() { ExitCode::SUCCESS } else { Exit::Failed.into() });
    }
    None
}
