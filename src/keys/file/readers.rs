//! Who else may read a key's file: nobody, but for the two ways in which a service manager and an
//! orchestrator hand one over.
//!
//! systemd gives credentials to a service's user by an access list, which shows as the group's bit;
//! Kubernetes, told a `fsGroup`, leaves the file to root and gives it to a group that the process
//! is in. The second rule is PostgreSQL's for its own private key.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path};

use rustix::process::{getegid, geteuid, getgroups};

use crate::keys::env::variable;

/// The variable that says where systemd has put a service's credentials.
pub(in crate::keys) const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The mode of a file that more than its owner may use, where no rule allows it.
pub(super) fn too_open(path: &Path, found: &Metadata) -> Option<u32> {
    let mode = found.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return None;
    }
    let credential = variable(CREDENTIALS).is_some_and(|dir| inside(path, Path::new(&dir)));
    let allowed = credential && is_reading(mode)
        || may_share(mode, found.uid(), found.gid(), &Process::current());
    (!allowed).then_some(mode)
}

/// Who asks.
struct Process {
    user: u32,
    groups: Vec<u32>,
}

impl Process {
    fn current() -> Self {
        let others = getgroups().unwrap_or_default();
        let groups = others.into_iter().chain([getegid()]).map(|group| group.as_raw()).collect();
        Self { user: geteuid().as_raw(), groups }
    }
}

/// Whether root's file may be read through its group: one's own file has no need of that.
fn may_share(mode: u32, owner: u32, group: u32, process: &Process) -> bool {
    is_reading(mode) && owner == 0 && process.user != 0 && process.groups.contains(&group)
}

/// Whether the group may read, and nobody may do more.
fn is_reading(mode: u32) -> bool {
    mode & 0o037 == 0
}

fn inside(path: &Path, directory: &Path) -> bool {
    let leaves = path.components().any(|part| part == Component::ParentDir);
    directory.is_absolute() && path.starts_with(directory) && !leaves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_file_is_shared_with_a_group_of_the_process_for_reading_alone() {
        let service = Process { user: 65532, groups: vec![65532, 4000] };
        for (mode, owner, group, expected) in [
            (0o440, 0, 4000, true),
            (0o640, 0, 65532, true),
            (0o440, 0, 0, false),
            (0o440, 65532, 4000, false),
            (0o440, 1000, 4000, false),
            (0o444, 0, 4000, false),
            (0o660, 0, 4000, false),
            (0o450, 0, 4000, false),
        ] {
            let found = may_share(mode, owner, group, &service);
            assert_eq!(found, expected, "{mode:o} {owner}:{group}");
        }
        let root = Process { user: 0, groups: vec![0, 4000] };
        assert!(!may_share(0o440, 0, 4000, &root), "root's own file is for root alone");
    }

    #[test]
    fn credentials_are_below_an_absolute_directory() {
        let path = Path::new("/run/credentials/a.service/key");
        assert!(inside(path, Path::new("/run/credentials/a.service")));
        assert!(!inside(path, Path::new("/run/credentials/a")));
        let out = Path::new("/run/credentials/a.service/../../../etc/key");
        assert!(!inside(out, Path::new("/run/credentials/a.service")));
        assert!(!inside(Path::new("key"), Path::new("")));
    }
}
