//! What a person meets at the command line, as data: the files of `tests/cli` say what is run,
//! with what around it, and what must come of it.

mod case;

use std::collections::BTreeSet;
use std::fs;
use std::io::pipe;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use case::{Case, directory, prepare};

use crate::support::under_test;

#[test]
fn usage() {
    assert_cases("usage", 9);
}

#[test]
fn ca() {
    assert_cases("ca", 5);
}

#[test]
fn check() {
    assert_cases("check", 11);
}

#[test]
fn init() {
    assert_cases("init", 12);
}

#[test]
fn audit() {
    assert_cases("audit", 5);
}

#[test]
fn explain() {
    assert_cases("explain", 13);
}

#[test]
fn verify() {
    assert_cases("verify", 13);
}

#[test]
fn keys() {
    assert_cases("keys", 6);
}

#[test]
fn schemes() {
    assert_cases("schemes", 4);
}

#[test]
fn shell() {
    assert_cases("shell", 3);
}

#[test]
fn demo() {
    assert_cases("demo", 2);
}

#[test]
fn every_file_of_cases_is_run() {
    let files = fs::read_dir(directory()).expect("the directory can be listed");
    let names = files.map(|file| file.expect("the directory can be listed").file_name());
    let names: BTreeSet<String> = names
        .filter_map(|name| name.to_string_lossy().strip_suffix(".toml").map(str::to_owned))
        .collect();
    let expected = [
        "audit", "ca", "check", "demo", "explain", "init", "keys", "schemes", "shell", "usage",
        "verify",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
}

#[test]
fn what_was_in_the_file_stays_to_the_byte_when_a_provider_is_added() {
    let home = prepare(&[("proxy.toml", "files/proxy.toml")]);
    let path = home.path("proxy.toml");
    // As other editors leave it: their line ends, none at the last, and a mode of its own.
    let mut before = fs::read_to_string(&path).expect("it is there").replace('\n', "\r\n");
    before.push_str("# the end, ü");
    fs::write(&path, &before).expect("it can be written");
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(&path, mode.clone()).expect("it is ours");
    let mut init = Command::new(under_test());
    init.args(["init", "--add", "--provider", "loopring"]).current_dir(home.path("."));
    let output = init.output().expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
    let after = fs::read_to_string(&path).expect("it is there");
    let addition = after.strip_prefix(&before).expect("what was there is there");
    assert!(addition.starts_with("\n\n[keys.loopring]\n"), "{addition}");
    let found = fs::metadata(&path).expect("it is there").permissions();
    assert_eq!(found.mode() & 0o7777, mode.mode());
}

#[test]
fn the_example_that_is_printed_is_the_one_that_is_kept() {
    let output = Command::new(under_test()).arg("example").output().expect("the binary runs");
    assert_eq!(output.stdout, include_bytes!("../proxy.toml.example"));
}

#[test]
fn the_configuration_is_named_the_same_way_in_every_command() {
    let commands: [(&[&str], &[&str]); 11] = [
        (&["run"], &[]),
        (&["check"], &[]),
        (&["exec"], &["--", "/bin/true"]),
        (&["explain"], &["--url", "/"]),
        (&["verify"], &["--file", "post.http"]),
        (&["doctor"], &[]),
        (&["ca", "new"], &[]),
        (&["ca", "show"], &[]),
        (&["ca", "export"], &[]),
        (&["callback", "send"], &["--type", "ping"]),
        (&["health"], &[]),
    ];
    // None of them is right, and each is said by its name.
    let ways: [(&[&str], &str); 3] = [
        (&["gone.toml"], "\ngone.toml: "),
        (&["--config", "gone.toml"], "\ngone.toml: "),
        (&[], "\nproxy.toml: "),
    ];
    let home = prepare(&[("post.http", "files/post.http")]);
    for (command, rest) in commands {
        for (way, said) in ways {
            let arguments = [command, way, rest].concat();
            let mut program = Command::new(under_test());
            program.args(&arguments).current_dir(home.path(".")).env_clear().stdin(Stdio::null());
            let output = program.output().expect("the binary runs");
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{arguments:?}: {error}");
            assert!(error.contains(said), "{arguments:?}: {error}");
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let metasv = "http://apiv2.metasv.com/xpubs";
    let table: [(&[&str], i32); 14] = [
        (&["--help"], 0),
        (&["--version"], 0),
        (&["schemes"], 0),
        (&["schemes", "--markdown"], 0),
        (&["completions", "bash"], 0),
        (&["man", "exec"], 0),
        (&["example"], 0),
        (&["check", "proxy.toml"], 0),
        (&["explain", "proxy.toml", "--url", metasv], 0),
        (&["explain", "proxy.toml", "--url", metasv, "--json"], 0),
        (&["keys", "show", "keys/sinohope.pem"], 0),
        (&["init", "--provider", "sinohope", "--dir", "new"], 0),
        (&["verify", "proxy.toml", "--file", "post.http"], 0),
        // The exit code is the answer; it must not say "valid" because nobody reads the rest.
        (&["verify", "proxy.toml", "--file", "post.http", "--route", "metasv"], 1),
    ];
    let home = prepare(&[("proxy.toml", "files/proxy.toml"), ("post.http", "files/post.http")]);
    for (arguments, expected) in table {
        let (reader, writer) = pipe().expect("a pipe can be made");
        drop(reader);
        let child = Command::new(under_test())
            .args(arguments)
            .current_dir(home.path("."))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn();
        let output = child.and_then(|child| child.wait_with_output()).expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.as_ref()), (Some(expected), ""), "{arguments:?}");
    }
    // What was asked for is there, also unseen.
    assert!(home.path("new/keys/sinohope.pem").is_file() && home.path("new/proxy.toml").is_file());
}

/// Runs every case of a file, each in a directory of its own.
fn assert_cases(name: &str, count: usize) {
    let path = directory().join(format!("{name}.toml"));
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let cases = Case::read(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    assert!(cases.len() >= count, "{}: only {} cases", path.display(), cases.len());
    let problems: Vec<String> = cases.iter().flat_map(Case::problems).collect();
    assert!(problems.is_empty(), "{}:\n{}", path.display(), problems.join("\n"));
}
