//! What a process keeps: a row for each role, and the paths that its configuration names.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use landlock::{AccessFs, BitFlags};

/// What a process is for: what it needs whatever its configuration says, and what it never needs.
#[derive(Debug)]
pub(crate) struct Role {
    /// Whether it connects over TCP.
    pub(super) connects: bool,
    /// What of the system it reads, directories and files.
    pub(super) system: &'static [&'static str],
    /// Files of the system that are often links: what they lead to is read, and its directory.
    pub(super) linked: &'static [&'static str],
    /// System calls that answer with EPERM.
    pub(super) refused: &'static [&'static [libc::c_long]],
}

/// `signer`: it reads keys, writes one file, and answers on the one listener that is bound already.
pub(crate) const SIGNER: Role = Role {
    connects: false,
    system: &[],
    linked: &[],
    refused: &[OTHERS, PROGRAMS, LISTENING, SOCKETS],
};

/// `run`: it also resolves names and connects. Name resolution, and what the C library loads for it,
/// are the system's own code and differ from one to the next, so that system calls are refused by a
/// list of what nobody needs, and not but for a list of what is known to be needed.
pub(crate) const PROXY: Role = Role {
    connects: true,
    // Files of /etc are replaced while we run (resolv.conf, hosts, authorities), and a rule for a file
    // ends with that file: so it is the whole directory. In /proc and /sys are the limits by which
    // the runtime sets its number of threads, mounts and sockets; memory and environment of other
    // processes there are refused by Landlock itself, but to CAP_PERFMON.
    system: &["/etc", "/usr", "/lib", "/lib32", "/lib64", "/proc", "/sys", "/dev/urandom"],
    linked: &[
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/nsswitch.conf",
        "/etc/ssl/certs/ca-certificates.crt",
    ],
    refused: &[OTHERS, PROGRAMS, LISTENING],
};

/// What may be done with the files of a directory and of those below it, or with a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Right {
    /// They are read.
    Read,
    /// They are made, read and written.
    Write,
    /// They are removed: sockets that were bound.
    Remove,
    /// Everything but starting them.
    All,
}

impl Right {
    pub(super) fn access(self) -> BitFlags<AccessFs> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let write = read | AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::Truncate;
        match self {
            Self::Read => read,
            Self::Write => write,
            Self::Remove => AccessFs::RemoveFile.into(),
            Self::All => {
                let more = AccessFs::MakeDir | AccessFs::MakeFifo | AccessFs::MakeSock;
                let less = AccessFs::RemoveFile | AccessFs::RemoveDir | AccessFs::Refer;
                write | more | less | AccessFs::MakeSym | AccessFs::IoctlDev
            }
        }
    }
}

/// What stays.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) role: &'static Role,
    pub(super) rules: Vec<(PathBuf, Right)>,
    /// A vendor's library is loaded, and nobody knows which files and programs it needs.
    pub(super) unbounded: bool,
}

impl Plan {
    /// With what the role needs.
    pub(crate) fn of(role: &'static Role) -> Self {
        let mut plan = Self { role, rules: Vec::new(), unbounded: false };
        role.system.iter().for_each(|path| plan.allow(path, Right::Read));
        for path in role.linked {
            if let Ok(behind) = fs::canonicalize(path) {
                plan.file(&behind, Right::Read);
            }
        }
        plan
    }

    /// Keeps a directory, or a file alone.
    pub(crate) fn allow(&mut self, path: impl AsRef<Path>, right: Right) {
        let rule = (path.as_ref().to_owned(), right);
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
        }
    }

    /// Keeps the directory that a file is in, and the one that it is in behind links: a file that is
    /// replaced is another one. A file of the root directory is kept alone. A socket is not read.
    pub(crate) fn file(&mut self, path: &Path, right: Right) {
        if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return;
        }
        let behind = fs::canonicalize(path).ok();
        for path in [Some(path), behind.as_deref()].into_iter().flatten() {
            match path.parent() {
                Some(parent) if parent == Path::new("") => self.allow(".", right),
                Some(parent) if parent != Path::new("/") => self.allow(parent, right),
                _ => self.allow(path, right),
            }
        }
    }

    /// Lets a library that nobody knows do with files and programs what it likes.
    pub(crate) fn unbound(&mut self) {
        self.unbounded = true;
    }
}

/// What a process has kept, since it gave up the rest.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Directories and files as they were then: one that was replaced since is another one. None
    /// where nothing was given up.
    pub(super) rules: Option<Vec<(Inode, Right)>>,
    pub(super) unbounded: bool,
}

/// Device and number of a file.
type Inode = (u64, u64);

impl Kept {
    pub(super) fn of(plan: &Plan) -> Self {
        let found = plan.rules.iter().filter_map(|(path, right)| Some((inode(path)?, *right)));
        Self { rules: Some(found.collect()), unbounded: plan.unbounded }
    }

    /// What a later plan needs that was not kept. What is not there is nobody's.
    pub(crate) fn lacks<'p>(&self, plan: &'p Plan) -> Vec<&'p Path> {
        let Some(rules) = self.rules.as_ref().filter(|_| !self.unbounded) else {
            return Vec::new();
        };
        let has = |inode: Inode, right: Right| {
            let wanted = right.access();
            rules.iter().any(|(own, kept)| *own == inode && kept.access().contains(wanted))
        };
        let lacking = plan.rules.iter().filter(|(path, right)| {
            let Ok(path) = fs::canonicalize(path) else { return false };
            !path.ancestors().filter_map(inode).any(|inode| has(inode, *right))
        });
        lacking.map(|(path, _)| path.as_path()).collect()
    }

    /// Whether a library of a vendor can be loaded now, if it could not be at the start.
    pub(crate) fn bounds(&self, plan: &Plan) -> bool {
        self.rules.is_some() && plan.unbounded && !self.unbounded
    }
}

fn inode(path: impl AsRef<Path>) -> Option<Inode> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Looking into other processes and the kernel, becoming another user, and io_uring, which would go
/// round all of this.
const OTHERS: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_io_uring_setup,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_setuid,
    libc::SYS_setresuid,
    libc::SYS_setgid,
    libc::SYS_setresgid,
];
/// Starting programs.
pub(super) const PROGRAMS: &[libc::c_long] = &[libc::SYS_execve, libc::SYS_execveat];
/// What is bound and accepted goes on.
const LISTENING: &[libc::c_long] = &[libc::SYS_listen];
/// Whatever is asked comes over the listener. (Who connects may bind: name resolution does.)
const SOCKETS: &[libc::c_long] = &[libc::SYS_socket, libc::SYS_connect, libc::SYS_bind];
