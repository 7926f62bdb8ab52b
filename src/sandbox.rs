//! What `run` and `signer` give up before their first thread starts: whatever is not reading keys,
//! writing what the configuration names, and answering on listeners that are bound already.
//!
//! Landlock takes files and TCP away, seccomp the system calls that start programs or look into other
//! processes. Both are the calling thread's and go to the threads that it starts later, so that this
//! comes before the runtime, the log and the keys.

mod filter;
mod plan;
mod probe;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, Scope, path_beneath_rules,
};
pub(crate) use plan::{Kept, PROXY, Plan, Right, SIGNER};
pub(crate) use probe::{PROBE, probe};
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use rustix::thread::{CapabilitySet, capabilities};
use seccompiler::SeccompAction;

/// Something that was given up, or why it could not be.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    /// What, for people.
    pub(crate) name: &'static str,
    /// How it went: by what, and how far.
    pub(crate) done: Result<&'static str, String>,
    /// Whether the configuration asks for this one, and not for what can be had.
    pub(crate) asked: bool,
}

/// Gives up everything that can be, and says what that was.
pub(crate) fn enter(plan: &Plan) -> (Kept, Vec<Measure>) {
    let nobody = Rlimit { current: Some(0), maximum: Some(0) };
    let text = |error: rustix::io::Errno| error.to_string();
    let whole = |done: Result<(), String>| done.map(|()| "whole");
    let allowed = probe::allowed();
    let kernel = |name, measure: &dyn Fn() -> Result<&'static str, String>| {
        (name, allowed.clone().and_then(|()| measure()))
    };
    let measures = [
        ("memory images", whole(setrlimit(Resource::Core, nobody).map_err(text))),
        ("inspection by others", whole(undumpable())),
        ("new privileges", whole(rustix::thread::set_no_new_privs(true).map_err(text))),
        kernel(plan.landlocked(), &|| landlock(plan)),
        kernel(plan.filtered(), &|| whole(seccomp(plan))),
    ];
    let landlocked = measures.iter().any(|(name, done)| *name == plan.landlocked() && done.is_ok());
    let kept = if landlocked { Kept::of(plan) } else { Kept::default() };
    let measure = |(name, done)| Measure { name, done, asked: false };
    (kept, measures.into_iter().map(measure).collect())
}

/// Has the kernel refuse others of the same user this process's memory, and write no image of it. A
/// program that it starts is as it would have been.
pub(crate) fn undumpable() -> Result<(), String> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| error.to_string())
}

impl Plan {
    /// What Landlock takes, for people.
    fn landlocked(&self) -> &'static str {
        if self.unbounded { "listening on TCP (Landlock)" } else { "files and TCP (Landlock)" }
    }

    /// What seccomp takes, for people.
    fn filtered(&self) -> &'static str {
        match (self.unbounded, self.role.connects) {
            (true, _) => "other processes (seccomp)",
            (false, true) => "programs and other processes (seccomp)",
            (false, false) => "programs, sockets and other processes (seccomp)",
        }
    }
}

fn landlock(plan: &Plan) -> Result<&'static str, String> {
    let tcp = match plan.role.connects {
        true => AccessNet::BindTcp.into(),
        false => AccessNet::from_all(ABI::V6),
    };
    let rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(tcp);
    let rules = rules.and_then(|rules| match plan.unbounded {
        true => Ok(rules),
        false => rules.handle_access(AccessFs::from_all(ABI::V6))?.scope(Scope::from_all(ABI::V6)),
    });
    let mut created = rules.and_then(Ruleset::create).map_err(|error| error.to_string())?;
    for (path, right) in plan.rules.iter().filter(|_| !plan.unbounded) {
        let added = created.add_rules(path_beneath_rules([path], right.access()));
        created = added.map_err(|error| error.to_string())?;
    }
    match created.restrict_self().map_err(|error| error.to_string())?.ruleset {
        RulesetStatus::FullyEnforced => Ok("whole"),
        RulesetStatus::PartiallyEnforced => Ok("as far as this kernel goes"),
        RulesetStatus::NotEnforced => Err("this kernel has none".into()),
    }
}

fn seccomp(plan: &Plan) -> Result<(), String> {
    let refused = plan.role.refused.iter();
    let refused = refused.filter(|list| !plan.unbounded || **list != plan::PROGRAMS);
    filter::answer(refused.copied().flatten().copied(), SeccompAction::Errno(libc::EPERM as u32))
}

/// Keeps what is in memory, and what will be, out of swap; no page is taken before it is used.
pub(crate) fn lock_memory() -> Measure {
    let limit = getrlimit(Resource::Memlock).current;
    let free = capabilities(None).is_ok_and(|own| own.effective.contains(CapabilitySet::IPC_LOCK));
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    let done = match limit.filter(|_| !free) {
        // It would do for now, and stop a thread that starts later.
        Some(bytes) => Err(format!("the limit of locked memory is {} KiB", bytes / 1024)),
        None => mlockall(all).map(|()| "whole").map_err(|error| error.to_string()),
    };
    Measure { name: "swap", done, asked: true }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    use std::process::Command;
    use std::{fs, thread};

    use super::plan::Role;
    use super::*;

    /// Directories `keys` and `audit`, and a file `outside`.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let place = Self(tempfile::TempDir::new().unwrap());
            for directory in ["keys", "audit"] {
                fs::create_dir(place.at(directory)).unwrap();
            }
            fs::write(place.at("keys/key"), "key").unwrap();
            fs::write(place.at("outside"), "outside").unwrap();
            place
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn plan(&self, role: &'static Role) -> Plan {
            let mut plan = Plan::of(role);
            plan.allow(self.at("keys"), Right::Read);
            plan.file(&self.at("audit/lines"), Right::Write);
            plan
        }
    }

    /// Gives up what a thread of its own has, so that the other tests keep what they have.
    fn without(plan: Plan, then: impl FnOnce() + Send + 'static) {
        let tried = thread::spawn(move || {
            let given_up = (landlock(&plan), seccomp(&plan));
            assert!(given_up.0.is_ok() && given_up.1.is_ok(), "{given_up:?}");
            then();
        });
        tried.join().unwrap();
    }

    #[track_caller]
    fn denied<T>(tried: std::io::Result<T>) {
        let kind = tried.map(drop).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::PermissionDenied);
    }

    #[test]
    fn what_a_signer_gives_up_is_refused_and_what_is_planned_goes_on() {
        let place = Place::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        without(place.plan(&SIGNER), move || {
            denied(Command::new("/bin/true").spawn());
            denied(TcpStream::connect(address));
            denied(TcpListener::bind("127.0.0.1:0"));
            denied(UnixStream::connect("/nowhere"));
            denied(fs::read(place.at("outside")));
            denied(fs::read("/etc/passwd"));
            denied(fs::write(place.at("keys/new"), ""));
            assert_eq!(fs::read(place.at("keys/key")).unwrap(), b"key");
            fs::write(place.at("audit/lines"), "line").unwrap();
            denied(fs::remove_file(place.at("audit/lines")));
            assert!(UnixStream::pair().is_ok(), "signals need it");
        });
    }

    #[test]
    fn a_proxy_resolves_and_connects_and_starts_and_binds_nothing() {
        let place = Place::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        without(place.plan(&PROXY), move || {
            denied(Command::new("/bin/true").spawn());
            denied(TcpListener::bind("127.0.0.1:0"));
            denied(fs::read(place.at("outside")));
            denied(fs::write("/etc/new", ""));
            assert!(TcpStream::connect(("localhost", port)).is_ok());
            assert!(fs::read("/etc/passwd").is_ok() && fs::read("/proc/self/mountinfo").is_ok());
        });
    }

    #[test]
    fn a_library_that_nobody_knows_keeps_files_and_programs() {
        let place = Place::new();
        let mut plan = place.plan(&PROXY);
        plan.unbound();
        without(plan, move || {
            assert!(Command::new("/bin/true").status().unwrap().success());
            assert!(fs::write(place.at("outside"), "").is_ok());
            denied(TcpListener::bind("127.0.0.1:0"));
        });
    }

    #[test]
    fn what_a_later_plan_needs_beside_what_was_kept_is_named() {
        let place = Place::new();
        fs::create_dir(place.at("keys/more")).unwrap();
        let kept = Kept::of(&place.plan(&PROXY));
        let lacks = |path: &str, right| {
            let mut plan = place.plan(&PROXY);
            plan.allow(place.at(path), right);
            kept.lacks(&plan).len()
        };
        for (path, right, expected) in [
            ("keys/more", Right::Read, 0),
            ("audit", Right::Read, 0),
            ("nowhere", Right::Read, 0),
            ("keys", Right::Write, 1),
            ("outside", Right::Read, 1),
            ("audit", Right::All, 1),
        ] {
            assert_eq!(lacks(path, right), expected, "{path} {right:?}");
        }
        // Another directory with the name of one that was kept.
        fs::rename(place.at("keys"), place.at("old")).unwrap();
        fs::create_dir(place.at("keys")).unwrap();
        assert_eq!(kept.lacks(&place.plan(&PROXY)), [place.at("keys")]);
        assert!(Kept::default().lacks(&place.plan(&PROXY)).is_empty());
    }
}
