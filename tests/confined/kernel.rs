//! Where the kernel does not give what is asked for, and where it is not asked.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::thread;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::{field, of_nobody, read, sign, stage, threads};
use crate::support::home::Home;
use crate::support::process::refused_start;
use crate::support::proxy::Proxy;
use crate::support::under_test;
use crate::support::wait::DEADLINE;

/// Does something on a thread that the kernel answers in this way when it asks for Landlock, with
/// every process that it starts: as `SystemCallFilter=@system-service` of systemd 252 does.
fn with_landlock_answered<T: Send>(answer: SeccompAction, run: impl FnOnce() -> T + Send) -> T {
    let calls = [libc::SYS_landlock_create_ruleset, libc::SYS_landlock_restrict_self];
    let rules: BTreeMap<_, _> = calls.into_iter().map(|call| (call, vec![])).collect();
    let arch = std::env::consts::ARCH.try_into().expect("the machine is known");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, arch);
    let filter: BpfProgram = filter.and_then(TryInto::try_into).expect("it is a filter");
    thread::scope(|scope| {
        let run = move || {
            seccompiler::apply_filter(&filter).expect("the kernel has filters");
            run()
        };
        scope.spawn(run).join().unwrap_or_else(|why| std::panic::resume_unwind(why))
    })
}

#[test]
fn a_filter_that_would_end_it_is_found_out_beforehand() {
    for (answer, said) in [
        (SeccompAction::KillProcess, "ends who asks for it (signal: 31 (SIGSYS)"),
        (SeccompAction::Errno(libc::ENOSYS as u32), "this kernel has none"),
    ] {
        let (_origin, config) = stage("");
        let home = Home::new(&config);
        let proxy = with_landlock_answered(answer.clone(), || Proxy::start_in(home.clone(), &[]));
        sign(&proxy);
        proxy.await_output("given up: memory images");
        let written = proxy.output();
        assert!(written.contains("files and TCP (Landlock) could not be given up"), "{written}");
        assert!(written.contains(said), "{written}");
        assert!(written.contains("memory images, whole"), "{written}");
        drop(proxy);
        home.write("proxy.toml", &format!("{config}[process]\nsandbox = \"require\"\n"));
        let (code, written) = with_landlock_answered(answer, || refused_start(&home));
        assert_eq!(code, Some(1), "{written}");
        assert!(written.contains("sandbox = \"warn\" below [process]"), "{written}");
    }
}

#[test]
fn nothing_is_given_up_where_the_configuration_says_so() {
    let (_origin, config) = stage("[process]\nsandbox = \"off\"\n");
    let mut proxy = Proxy::start(&config);
    sign(&proxy);
    let all = threads(proxy.pid());
    assert!(all.iter().all(|(_, new, calls)| new == "0" && calls == "0"), "{all:?}");
    let limits = |pid: &str| field(&read(format!("/proc/{pid}/limits")), "Max core file size");
    assert_eq!(limits(&proxy.pid().to_string()), limits("self"));
    let written = proxy.finish(DEADLINE);
    assert!(written.contains("countersign::request") && !written.contains("given up"), "{written}");
}

#[test]
fn memory_is_locked_where_it_is_asked_for_and_the_limit_allows() {
    let (_origin, config) = stage("[process]\nlock_memory = true\n");
    let proxy = Proxy::start(&config);
    sign(&proxy);
    let status = read(format!("/proc/{}/status", proxy.pid()));
    assert_ne!(field(&status, "VmLck:"), "0 kB", "as root, or with an unlimited `ulimit -l`");
    proxy.await_output("swap, whole");
    let home = Home::new(&config);
    let mut command = Command::new("prlimit");
    command.arg("--memlock=65536:65536").arg(of_nobody(&home).get_program());
    command.args(of_nobody(&home).get_args()).args(["run", "proxy.toml"]);
    let output = command.current_dir(home.path(".")).output().expect("prlimit is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let what = "swap could not be given up: the limit of locked memory is 64 KiB";
    assert!(said.contains(what) && said.contains("LimitMEMLOCK=infinity"), "{said}");
}

#[test]
fn the_hidden_process_is_of_no_use_to_anybody_else() {
    let mut command = Command::new(under_test());
    let output =
        command.arg("store-commands").stdin(Stdio::null()).output().expect("it can be run");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
}
