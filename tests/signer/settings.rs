//! Settings of a signer that are seen to act.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::grants::body;
use super::sandbox::ask;
use crate::support::home::Home;
use crate::support::signer::{Signer, own_grant};
use crate::support::wait::DEADLINE;

const KEYS: &str = "[keys.sinohope]\nstore = \"files\"\nentry = \"sinohope.pem\"\n";

/// With these lines below `[signer]`.
pub(crate) fn with(home: &Home, lines: &str) -> Signer {
    Signer::at_a_socket(home, &format!("{lines}{}", own_grant("sinohope")), KEYS)
}

fn sign(home: &Home) -> u16 {
    ask(home, "POST", "/v1/keys/sinohope/sign", &body("ecdsa_p256", None)).0
}

fn status(signer: &Signer) -> String {
    let pid = signer.with(|process| process.pid());
    fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs")
}

#[test]
fn a_signers_socket_has_the_mode_that_is_written() {
    for mode in [0o600, 0o660, 0o666] {
        let home = Home::new("");
        let _signer = with(&home, &format!("mode = \"{mode:04o}\"\n"));
        let found = fs::metadata(home.path("signer.sock")).expect("it is there").permissions();
        assert_eq!(found.mode() & 0o7777, mode);
    }
}

#[test]
fn a_signer_gives_up_and_locks_what_is_written() {
    let home = Home::new("");
    let signer = with(&home, "sandbox = \"off\"\nlock_memory = true\n");
    assert_eq!(sign(&home), 200);
    let status = status(&signer);
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
    };
    assert_eq!((field("Seccomp:"), field("NoNewPrivs:")), ("0".into(), "0".into()));
    assert_ne!(field("VmLck:"), "0 kB", "as root, or with an unlimited `ulimit -l`");
    let written = signer.with(|process| process.finish(DEADLINE));
    assert!(written.contains("swap") && !written.contains("files and TCP"), "{written}");
}

/// Where no disk says that it has anything.
#[test]
fn a_durable_signature_waits_for_the_disk() {
    // What is asked of a line; of a new file it is another call.
    let rules = BTreeMap::from([(libc::SYS_fdatasync, vec![])]);
    let arch = std::env::consts::ARCH.try_into().expect("the machine is known");
    let answer = SeccompAction::Errno(libc::EIO.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, arch);
    let filter: BpfProgram = filter.and_then(TryInto::try_into).expect("it is a filter");
    for (durable, expected) in [(false, 200), (true, 500)] {
        let (home, filter) = (Home::new(""), filter.clone());
        let started = thread::spawn(move || {
            seccompiler::apply_filter(&filter).expect("the kernel has filters");
            let signer = with(&home, &format!("durable = {durable}\n"));
            (home, signer)
        });
        let (home, _signer) = started.join().expect("it starts all the same");
        assert_eq!(sign(&home), expected, "durable = {durable}");
    }
}
