//! `countersign doctor`: what it says of the runtimes of this machine, of others, and of a shell.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::clients::installed;
use crate::support::authority::Authority;
use crate::support::config::{self, CA_FILE, CA_KEY_FILE, INTERCEPT};
use crate::support::home::Home;
use crate::support::under_test;
use crate::support::wait::{eventually, leash};

#[test]
fn what_the_tests_install_works() {
    let room = Room::new();
    let output = room.run(&[]);
    let found = lines(&output);
    for (name, remark) in [
        ("curl", ""),
        ("python-requests", ""),
        ("python-httpx", ""),
        ("python-aiohttp", " (with ClientSession(trust_env=True))"),
        ("aiohttp-socket", "WSS_PROXY, SSL_CERT_FILE (with ClientSession(trust_env=True))"),
        ("wget", "https_proxy, WGETRC"),
        ("ruby", "HTTPS_PROXY, SSL_CERT_FILE"),
        ("php-curl", "HTTPS_PROXY, PHP_INI_SCAN_DIR"),
        ("perl-lwp", "HTTPS_PROXY, PERL_LWP_ENV_PROXY, PERL_LWP_SSL_CA_FILE"),
        ("python-urllib", ""),
        ("node", ""),
        ("java", ""),
    ] {
        let line = &found[name];
        assert!(line.starts_with("works with exec; in this shell it lacks "), "{name}: {line}");
        assert!(line.ends_with(remark), "{name}: {line}");
    }
    // These are not everywhere.
    for name in ["git", "cargo", "deno", "bun"] {
        let line = &found[name];
        assert!(line.starts_with("works") || line == "not found", "{name}: {line}");
    }
    assert_eq!((found.len(), output.status.code()), (16, Some(0)), "{found:?}");
    assert!(room.left().is_empty(), "left {:?}", room.left());
}

#[test]
fn a_shell_is_told_which_variable_it_lacks() {
    let room = Room::new();
    let ca = Authority::new();
    room.home.write(CA_FILE, &ca.pem());
    room.home.write(CA_KEY_FILE, &ca.key_pem());
    room.home.write("all.pem", &format!("{}{}", Authority::new().pem(), ca.pem()));
    room.home.write("others.pem", &Authority::new().pem());
    let listeners = "\nforward = \"127.0.0.1:4321\"\n";
    let route = config::sinohope("http://127.0.0.1:1", None);
    let text = config::listening(listeners, &[route, INTERCEPT.to_owned()]);
    room.home.write("proxy.toml", &text);
    let right = [("HTTPS_PROXY", "http://127.0.0.1:4321"), ("SSL_CERT_FILE", "all.pem")];
    let right = [&right[..], &[("REQUESTS_CA_BUNDLE", "all.pem")]].concat();
    let (curl, requests) = ("curl", "python-requests");
    for (runtime, unset, other, lacks) in [
        (curl, "", ("X", ""), ""),
        (curl, "HTTPS_PROXY", ("X", ""), "HTTPS_PROXY"),
        (curl, "HTTPS_PROXY", ("https_proxy", "http://localhost:4321/"), ""),
        (curl, "", ("HTTPS_PROXY", "http://127.0.0.1:1234"), "HTTPS_PROXY"),
        (curl, "SSL_CERT_FILE", ("X", ""), "SSL_CERT_FILE"),
        (curl, "", ("SSL_CERT_FILE", "others.pem"), "SSL_CERT_FILE"),
        (curl, "", ("CURL_CA_BUNDLE", "others.pem"), "CURL_CA_BUNDLE"),
        (requests, "", ("SSL_CERT_FILE", "others.pem"), ""),
        (requests, "REQUESTS_CA_BUNDLE", ("X", ""), "REQUESTS_CA_BUNDLE"),
    ] {
        let mut command = room.doctor(&["--runtime", runtime]);
        command.envs(right.iter().copied()).env(other.0, other.1);
        if !unset.is_empty() {
            command.env_remove(unset);
        }
        let output = command.output().expect("the binary can be run");
        let found = lines(&output);
        let expected = match lacks {
            "" => "works".to_owned(),
            _ => format!("works with exec; in this shell it lacks {lacks}"),
        };
        assert_eq!(found[runtime], expected, "{runtime} without {unset:?}, with {other:?}");
        assert_eq!((found.len(), output.status.code()), (1, Some(0)));
    }
}

#[test]
fn a_runtime_that_does_not_get_through_is_told_why() {
    for (script, line, code) in [
        ("exit 0", "does not work: its request did not come through the proxy", 1),
        ("echo first >&2; echo 'no  way' >&2; echo >&2; exit 2", "does not work: no  way", 1),
        ("exit 2", "does not work: it said nothing", 1),
    ] {
        let room = Room::new();
        room.put("curl", script);
        let output = room.run(&["--runtime", "curl"]);
        assert_eq!(lines(&output)["curl"], line);
        assert_eq!(output.status.code(), Some(code), "{script}");
        assert!(room.left().is_empty(), "left {:?}", room.left());
    }
}

#[test]
fn a_runtime_that_is_not_there_is_bad_only_when_it_was_named() {
    let room = Room::new();
    let mut command = room.doctor(&["--runtime", "curl"]);
    let output = command.env("PATH", room.bin.path()).output().expect("the binary can be run");
    assert_eq!((lines(&output)["curl"].as_str(), output.status.code()), ("not found", Some(1)));
    let mut command = room.doctor(&[]);
    command.env("PATH", room.bin.path()).env_remove("JAVA_HOME");
    let output = command.output().expect("the binary can be run");
    let found = lines(&output);
    assert!(found.values().all(|line| line == "not found"), "{found:?}");
    assert_eq!((found.len(), output.status.code()), (16, Some(0)));
    let output = room.run(&["--runtime", "cobol"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the runtimes are: curl, wget, python-requests, "), "{said}");
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn a_signal_ends_it_with_everything_it_made_and_started() {
    let room = Room::new();
    room.put("curl", &format!("echo $$ >{}/up; exec sleep 600", room.bin.path().display()));
    let mut child = room
        .doctor(&["--runtime", "curl"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary can be run");
    let _leash = leash(&child);
    let process = || fs::read_to_string(room.bin.path().join("up")).unwrap_or_default();
    eventually("the runtime is tried", || process().ends_with('\n'));
    assert_eq!(room.left().len(), 1);
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill can be run").success());
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    assert!(lines.next().is_none(), "nothing is said of a trial that was not ended");
    assert_eq!(child.wait().expect("it can be waited for").code(), Some(143));
    assert!(room.left().is_empty(), "left {:?}", room.left());
    // Nobody may have taken note of its end yet, and then it is still listed, as a zombie.
    let status = format!("/proc/{}/status", process().trim());
    eventually("what it started has ended", || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        status.is_empty() || status.contains("State:\tZ")
    });
}

/// Where it is run: a directory without a configuration, one for programs that come first in
/// `PATH`, one for temporary files.
struct Room {
    home: Home,
    bin: TempDir,
    temporary: TempDir,
}

impl Room {
    fn new() -> Self {
        let home = Home::new("");
        fs::remove_file(home.path("proxy.toml")).expect("it was written");
        let directory = || TempDir::new().expect("a directory can be made");
        Self { home, bin: directory(), temporary: directory() }
    }

    /// A shell script as a program.
    fn put(&self, name: &str, script: &str) {
        let path = self.bin.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
    }

    /// With the test's own programs, and a shell that knows of no proxy and no authority.
    fn doctor(&self, arguments: &[&str]) -> Command {
        let beside = |name: &str| {
            let program = installed(name);
            program.parent().map(Path::to_owned).expect("it is in a directory")
        };
        let mut path =
            vec![self.bin.path().to_owned(), beside("bin/node"), beside("venv/bin/python")];
        let own = std::env::vars_os().find(|(name, _)| name == "PATH");
        path.extend(std::env::split_paths(&own.expect("the tests have a PATH").1));
        let mut command = Command::new(under_test());
        command.arg("doctor").args(arguments).current_dir(self.home.path("."));
        command.env("PATH", std::env::join_paths(path).expect("no colons in paths"));
        command.env("TMPDIR", self.temporary.path()).stdin(Stdio::null());
        for name in SHELL {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.doctor(arguments).output().expect("the binary can be run")
    }

    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.temporary.path()).expect("the directory can be listed");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.map(|entry| name(entry.expect("the directory can be listed"))).collect()
    }
}

/// What is said of each runtime.
fn lines(output: &Output) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let pair = |line: &str| {
        let (name, finding) = line.split_at_checked(17).expect("a column for names");
        (name.trim().to_owned(), finding.to_owned())
    };
    text.lines().map(pair).collect()
}

/// What the machine that runs the tests may have set.
const SHELL: [&str; 19] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "NODE_USE_ENV_PROXY",
    "JAVA_TOOL_OPTIONS",
    "PIP_CERT",
    "WS_PROXY",
    "WSS_PROXY",
    "WGETRC",
    "PHP_INI_SCAN_DIR",
    "PERL_LWP_ENV_PROXY",
    "PERL_LWP_SSL_CA_FILE",
];
