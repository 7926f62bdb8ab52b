//! Commands: what they are given, what becomes of those that fail, and what is shown of it.

use std::fs;

use super::refused;
use crate::support::config;
use crate::support::home::Home;
use crate::support::wait::eventually;

#[test]
fn a_command_has_no_shell_and_none_of_the_proxys_own_variables() {
    let home =
        home("[\"sh\", \"-c\", \"env > seen; printf '%s|' \\\"$@\\\" >&2; exit 3\", \"sh\"]");
    let said = refused(&home, &[("COUNTERSIGN_TOKEN", "t0ken"), ("OTHER", "kept")]);
    assert!(said.contains("the output of sh failed, and said: $HOME *.pem 'q'|\n"), "{said}");
    let seen = fs::read_to_string(home.path("seen")).expect("the command wrote it");
    assert!(seen.contains("OTHER=kept") && !seen.contains("COUNTERSIGN_"), "{seen}");
}

#[test]
fn what_a_command_prints_is_never_shown_and_what_it_says_is_short() {
    let long = "x".repeat(40);
    for (command, expected) in [
        ("echo pr1nted; echo why >&2; exit 1", "failed, and said: why\n"),
        ("echo pr1nted; exit 1", "failed, and said nothing\n"),
        ("echo pr1nted", "is not a private key"),
        (&format!("echo {long} >&2; exit 1"), "failed, and said: (40 characters)\n"),
        ("printf '\\033[2Ja\\nb' >&2; exit 1", "failed, and said: [2Ja b\n"),
        ("seq 100000 >&2; exit 1", "99999 100000\n"),
        ("yes pr1nted", "is longer than 1024 KiB"),
        ("true", "prints nothing"),
        ("kill -9 $$", "failed, and said nothing"),
    ] {
        let said = refused(&home(&format!("[\"sh\", \"-c\", {command:?}]")), &[]);
        assert!(said.contains(expected), "{command}: {said}");
        assert!(!said.contains("pr1nted") && said.len() < 1024, "{command}: {said}");
    }
    let said = refused(&home("\"/nonexistent/op read\""), &[]);
    assert!(said.contains("the output of /nonexistent/op is not there: no such program"), "{said}");
}

#[test]
fn a_command_that_takes_too_long_ends_with_all_that_it_started() {
    let script = "sleep 600 & echo $! > child; wait";
    let home = home(&format!("[\"sh\", \"-c\", {script:?}]\ntimeout = \"500ms\""));
    let said = refused(&home, &[]);
    assert!(said.contains("has not ended within 500ms"), "{said}");
    let child = fs::read_to_string(home.path("child")).expect("the command wrote it");
    // Nobody may be there to reap it.
    let gone = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    eventually("the child has ended", gone);
}

fn home(command: &str) -> Home {
    let route = config::sinohope("http://127.0.0.1:9", None);
    let route = route.replace("\"files\"", "\"held\"");
    let route = route.replace("\"sinohope.pem\"", "\"$HOME *.pem 'q'\"");
    let store = format!("[stores.held]\nkind = \"exec\"\ncommand = {command}\n");
    Home::new(&config::proxy(&[route, store]))
}
