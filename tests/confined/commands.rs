//! Commands of stores: another process starts them, which was there before anything was given up.

use std::fs;
use std::process::{Command, Stdio};

use super::{field, read, sign, stage, threads, with_images};
use crate::support::home::Home;
use crate::support::origin::Origin;
use crate::support::proxy::{Proxy, Signal};
use crate::support::wait::{DEADLINE, eventually};

/// A provider, and a configuration whose key is printed by a shell that runs this.
fn printed_by(script: &str) -> (Origin, String) {
    let (origin, config) = stage("");
    let store = format!("[stores.held]\nkind = \"exec\"\ncommand = [\"sh\", \"-c\", {script:?}]\n");
    (origin, config.replacen("store = \"files\"", "store = \"held\"", 1) + &store)
}

/// The process that starts commands.
fn launcher(proxy: &Proxy) -> u32 {
    let pid = proxy.pid();
    let children = read(format!("/proc/{pid}/task/{pid}/children"));
    let [only] = children.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("children of the proxy: {children}");
    };
    only.parse().expect("it is a number")
}

fn is_gone(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

#[test]
fn a_command_starts_as_ever_and_again_at_a_reload() {
    let look = "cat /proc/self/status; ulimit -c; env; ls /proc/self/fd; ls -l /proc/self/fd/0";
    let (_origin, config) = printed_by(&format!("{{ {look}; }} >> seen; cat keys/sinohope.pem"));
    let variables = [("COUNTERSIGN_TOKEN", "t0ken"), ("OTHER", "kept")];
    let proxy = Proxy::start_by(with_images(), Home::new(&config), &variables);
    sign(&proxy);
    assert!(threads(proxy.pid()).iter().all(|(_, _, calls)| calls == "2"), "it is confined");
    let seen = || read(proxy.home().path("seen").display().to_string());
    let once = seen();
    let given = (field(&once, "NoNewPrivs:"), field(&once, "Seccomp:"));
    assert_eq!(given, ("0".into(), "0".into()));
    assert!(once.contains("\nunlimited\n") && once.contains("\nOTHER=kept\n"));
    assert!(!once.contains("COUNTERSIGN_") && once.contains(" -> /dev/null\n"));
    // What is open to it is what would be open to a command of this process.
    let mut here = Command::new("sh");
    here.args(["-c", "ls /proc/self/fd >&1"]).stdin(Stdio::null()).stderr(Stdio::piped());
    let here = String::from_utf8(here.output().expect("there is a shell").stdout).expect("text");
    assert!(once.contains(&format!("\n{here}")), "{here} in {once}");
    proxy.reload(&config, true);
    assert_eq!(seen().matches("NoNewPrivs:").count(), 2);
    sign(&proxy);
}

#[test]
fn a_command_that_was_not_named_at_the_start_takes_a_restart() {
    let (_origin, config) = stage("");
    let held = |command: &str| {
        let store = format!("[stores.held]\nkind = \"exec\"\ncommand = {command:?}\n");
        config
            .replacen("store = \"files\"", "store = \"held\"", 1)
            .replace("entry = \"sinohope.pem\"", "entry = \"keys/sinohope.pem\"")
            + &store
    };
    let proxy = Proxy::start(&held("cat"));
    sign(&proxy);
    proxy.reload(&held("tac"), false);
    let said = proxy.output();
    let what = "the output of tac is not of a command that the configuration named at the start";
    assert!(said.contains(what) && said.contains("restart countersign"), "{said}");
    sign(&proxy);
    proxy.reload(&held("cat"), true);
}

#[test]
fn what_starts_commands_ends_with_the_proxy_and_not_by_its_signals() {
    for end in [Signal::Kill, Signal::Terminate] {
        let script = "echo $$ >> pids; test -e slow && exec sleep 600; cat keys/sinohope.pem";
        let (_origin, config) = printed_by(script);
        let mut proxy = Proxy::start(&config);
        let launcher = launcher(&proxy);
        for signal in ["-HUP", "-INT", "-TERM"] {
            let sent = Command::new("kill").args([signal, &launcher.to_string()]).status();
            assert!(sent.expect("kill can be run").success());
        }
        proxy.reload(&config, true);
        assert!(!is_gone(launcher));
        // One that is under way ends as well, long before its time.
        proxy.home().write("slow", "");
        proxy.signal(Signal::Hangup);
        let pids = || read(proxy.home().path("pids").display().to_string());
        eventually("the command runs", || pids().lines().count() == 3);
        let command = pids().lines().last().and_then(|pid| pid.parse().ok()).expect("a number");
        proxy.signal(end);
        proxy.wait_exit(DEADLINE);
        eventually("both have ended", || is_gone(launcher) && is_gone(command));
    }
}
