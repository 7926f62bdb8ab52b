//! What the signer gives up before its first thread starts: whatever is not reading keys, writing
//! one file, and answering on the one listener that is bound already.
//!
//! Landlock takes files and TCP away, seccomp the system calls that start programs, look into other
//! processes or open sockets. Both are the calling thread's and go to the threads that it starts
//! later, so that this comes before the runtime, the log and the keys.

use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// What stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Directories whose files are read.
    pub(crate) read: Vec<PathBuf>,
    /// The directory of the file that is written.
    pub(crate) write: PathBuf,
}

/// Something that was given up, or why it could not be.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    /// What, for people.
    pub(crate) name: &'static str,
    /// How it went.
    pub(crate) done: Result<&'static str, String>,
}

/// Gives up everything that can be, and says what that was.
pub(crate) fn enter(plan: &Plan) -> Vec<Measure> {
    let whole = |done: Result<(), String>| done.map(|()| "whole");
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let text = |error: rustix::io::Errno| error.to_string();
    [
        ("memory images", whole(setrlimit(Resource::Core, none).map_err(text))),
        (
            "inspection by others",
            whole(set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(text)),
        ),
        ("new privileges", whole(rustix::thread::set_no_new_privs(true).map_err(text))),
        ("files and TCP (Landlock)", landlock(plan)),
        ("programs, sockets and other processes (seccomp)", whole(seccomp())),
    ]
    .map(|(name, done)| Measure { name, done })
    .into()
}

fn landlock(plan: &Plan) -> Result<&'static str, String> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let writing: BitFlags<AccessFs> =
        reading | AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::Truncate;
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V6))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(ABI::V6)))
        .and_then(|rules| rules.scope(Scope::from_all(ABI::V6)))
        .and_then(|rules| rules.create())
        .and_then(|rules| rules.add_rules(path_beneath_rules(&plan.read, reading)))
        .and_then(|rules| rules.add_rules(path_beneath_rules([&plan.write], writing)))
        .and_then(|rules| rules.restrict_self());
    match restricted.map_err(|error| error.to_string())?.ruleset {
        RulesetStatus::FullyEnforced => Ok("whole"),
        RulesetStatus::PartiallyEnforced => Ok("as far as this kernel goes"),
        RulesetStatus::NotEnforced => Err("this kernel has none".into()),
    }
}

fn seccomp() -> Result<(), String> {
    let rules = FORBIDDEN.iter().map(|call| (*call, vec![])).collect();
    let arch = std::env::consts::ARCH.try_into();
    let arch = arch.map_err(|_| "it is not known for this machine".to_owned())?;
    let (allow, refuse) = (SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32));
    let filter = SeccompFilter::new(rules, allow, refuse, arch);
    let program: BpfProgram =
        filter.and_then(TryInto::try_into).map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

/// System calls that answer with EPERM. What is bound and accepted goes on; io_uring would go round
/// all of this.
const FORBIDDEN: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
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

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::process::Command;
    use std::{fs, thread};

    use super::*;

    #[test]
    fn what_is_given_up_is_refused_and_what_is_planned_goes_on() {
        let home = tempfile::TempDir::new().unwrap();
        let (read, write) = (home.path().join("keys"), home.path().join("audit"));
        for directory in [&read, &write] {
            fs::create_dir(directory).unwrap();
        }
        fs::write(read.join("key"), "key").unwrap();
        let outside = home.path().join("outside");
        fs::write(&outside, "outside").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Plan { read: vec![read.clone()], write: write.clone() };
        // A thread's own, so that the other tests keep what they have.
        let tried = thread::spawn(move || {
            let given_up = (landlock(&plan), seccomp());
            let denied = |kind: ErrorKind| kind == ErrorKind::PermissionDenied;
            let program = Command::new("/bin/true").spawn().err().map(|error| error.kind());
            assert!(program.is_some_and(denied), "{program:?} {given_up:?}");
            for kind in [
                TcpStream::connect(address).unwrap_err().kind(),
                TcpListener::bind("127.0.0.1:0").unwrap_err().kind(),
                UnixStream::connect("/nowhere").unwrap_err().kind(),
                fs::read(&outside).unwrap_err().kind(),
                fs::read("/etc/passwd").unwrap_err().kind(),
                fs::write(read.join("new"), "").unwrap_err().kind(),
            ] {
                assert!(denied(kind), "{kind:?} {given_up:?}");
            }
            assert_eq!(fs::read(read.join("key")).unwrap(), b"key");
            fs::write(write.join("lines"), "line").unwrap();
            assert!(UnixStream::pair().is_ok(), "signals need it");
            given_up
        });
        let given_up = tried.join().unwrap();
        assert!(given_up.0.is_ok() && given_up.1.is_ok(), "{given_up:?}");
    }
}
