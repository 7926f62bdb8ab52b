//! A filter that is around this process already may end it for asking for another: systemd's
//! `SystemCallFilter=@system-service` does in version 252. So another process of this program tries
//! first, where there is a filter.

use std::process::{Command, Stdio};

use landlock::{ABI, Access as _, AccessFs, Ruleset, RulesetAttr as _};
use rustix::thread::{SecureComputingMode, secure_computing_mode};
use seccompiler::SeccompAction;

use super::filter;

/// The argument by which this program is told to be the one that tries.
pub(crate) const PROBE: &str = "sandbox-probe";

/// Asks for everything that [`super::enter`] asks for; whoever comes back from it may.
pub(crate) fn probe() {
    // What the kernel says is of no matter, as long as it says something.
    let rules = Ruleset::default().handle_access(AccessFs::from_all(ABI::V1));
    let _had = rules.and_then(Ruleset::create).and_then(landlock::RulesetCreated::restrict_self);
    let _had = filter::answer([libc::SYS_ptrace].into_iter(), SeccompAction::Errno(1));
}

/// Whether the kernel may be asked.
pub(super) fn allowed() -> Result<(), String> {
    if !matches!(secure_computing_mode(), Ok(SecureComputingMode::Filter)) {
        return Ok(());
    }
    let tried = std::env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        command.arg(PROBE).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status()
    });
    match tried {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{AROUND} ends who asks for it ({status}): {WIDEN}")),
        Err(error) => Err(format!("{AROUND} may end who asks for it, and trying failed: {error}")),
    }
}

const AROUND: &str = "a filter that is around this process";
const WIDEN: &str = "write SystemCallFilter=@system-service seccomp landlock_create_ruleset \
                     landlock_add_rule landlock_restrict_self";
