//! OpenSSH's agent, and what it does that a file does not: it asks its user, is locked, and ends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use super::{check, refused};
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{SINOHOPE, get};
use crate::support::wait::{eventually, stopped};

/// A running agent; it ends when dropped.
#[derive(Debug)]
pub(super) struct Agent {
    home: Home,
    askpass: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Agent {
    /// Starts one without keys. Who is to confirm something runs `askpass`, which is a script.
    pub(super) fn start(home: &Home, askpass: &str) -> Self {
        let program = home.path("askpass");
        home.write("askpass", askpass);
        fs::set_permissions(&program, Permissions::from_mode(0o700)).expect("it is there");
        let agent = Self { home: home.clone(), askpass: program, child: Mutex::default() };
        agent.run(true);
        agent
    }

    /// Starts it again, or ends it.
    pub(super) fn run(&self, run: bool) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut old) = child.take() {
            // Both fail only where it has ended.
            let _ended = old.kill();
            let _reaped = old.wait();
            // Killed, it leaves its socket behind.
            fs::remove_file(self.socket()).expect("it was there");
        }
        if !run {
            return;
        }
        let mut command = Command::new("ssh-agent");
        self.asking(&mut command)
            .args(["-D", "-a"])
            .arg(self.socket())
            .current_dir(self.home.path("."));
        *child = Some(command.stdout(Stdio::null()).spawn().expect("ssh-agent can be run"));
        eventually("the agent listens", || UnixStream::connect(self.socket()).is_ok());
    }

    /// Has it stand still, or go on.
    pub(super) fn pause(&self, pause: bool) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = child.as_ref().expect("it runs").id();
        let signal = if pause { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill").args([signal, &pid.to_string()]).status();
        assert!(sent.expect("kill can be run").success(), "{signal}");
        if pause {
            stopped(pid);
        }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.home.path("agent")
    }

    /// Runs `ssh-add` with these arguments.
    pub(super) fn add(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("ssh-add");
        self.asking(&mut command).args(arguments).current_dir(self.home.path("."));
        let output = command.env("SSH_AUTH_SOCK", self.socket()).output().expect("it can be run");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output
    }

    fn asking<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("SSH_ASKPASS", &self.askpass).env("SSH_ASKPASS_REQUIRE", "force")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = child {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

const KEY: &str = "keys/sinohope.pem";

/// Signs for Sinohope with the agent's key.
fn config(origin: &str, home: &Home, lines: &str) {
    let route = config::sinohope(origin, None).replace("\"files\"", "\"agent\"");
    let route = route.replace("\"sinohope.pem\"", &format!("{KEY:?}"));
    let store = format!("[stores.agent]\nkind = \"ssh_agent\"\nsocket = \"agent\"\n{lines}");
    home.write("proxy.toml", &config::proxy(&[route, store]));
}

#[test]
fn an_agents_user_is_asked_once_for_a_load_and_once_for_a_signature() {
    let origin = Origin::start(scripted(providers()));
    let home = Home::new("");
    let script = "#!/bin/sh\necho asked >> asked\nwhile [ -e wait ]; do sleep 0.02; done\n\
                  test ! -e deny\n";
    let agent = Agent::start(&home, script);
    agent.add(&["-q", "-c", KEY]);
    config(&origin.url(), &home, "[timeouts]\nsign = \"2s\"\n");
    let asked = || fs::read_to_string(home.path("asked")).unwrap_or_default().lines().count();

    let proxy = Proxy::start_in(home.clone(), &[]);
    assert_eq!(asked(), 1, "the self-test");
    let ask = || Client::connect(proxy.forward_url()).exchange(get(&format!("{SINOHOPE}/x")));
    assert_eq!((ask().status, asked()), (200, 2));
    home.write("deny", "");
    let reply = ask();
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!((reply.status, asked()), (503, 3), "{body}");
    assert!(body.contains("its user said no"), "{body}");
    fs::remove_file(home.path("deny")).expect("it is there");
    home.write("wait", "");
    let reply = ask();
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!((reply.status, asked()), (504, 4), "{body}");
    fs::remove_file(home.path("wait")).expect("it is there");
    assert_eq!(ask().status, 200);
    assert_eq!(origin.arrived().len(), 2, "what was not signed was not sent");
}

#[test]
fn a_locked_agent_signs_nothing() {
    let origin = Origin::start(scripted(providers()));
    let home = Home::new("");
    let agent = Agent::start(&home, "#!/bin/sh\necho pw\n");
    agent.add(&["-q", KEY]);
    config(&origin.url(), &home, "");
    let proxy = Proxy::start_in(home.clone(), &[]);
    let ask = |request: String| Client::connect(proxy.forward_url()).exchange(request);
    agent.add(&["-q", "-x"]);
    let reply = ask(get(&format!("{SINOHOPE}/x")));
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status, 503, "{body}");
    assert!(body.contains("it is locked"), "{body}");
    let said = refused(&home, &[]);
    assert!(said.contains("the agent shows no keys, and may be locked"), "{said}");
    agent.add(&["-q", "-X"]);
    assert_eq!(ask(get(&format!("{SINOHOPE}/x"))).status, 200);
    assert_eq!(origin.arrived().len(), 1);
}

#[test]
fn every_kind_of_an_agents_keys_signs_by_fingerprint_and_by_comment() {
    let home = Home::new("");
    let agent = Agent::start(&home, "#!/bin/sh\nexit 1\n");
    for (name, kind) in [("ed", "ed25519"), ("ec", "ecdsa"), ("rsa", "rsa"), ("big", "ecdsa")] {
        let bits = match name {
            "rsa" => "2048",
            "big" => "384",
            _ => "256",
        };
        let file = home.path(name).display().to_string();
        let arguments = ["-q", "-N", "", "-t", kind, "-b", bits, "-C", name, "-f", &file];
        let made = Command::new("ssh-keygen").args(arguments).status().expect("it can be run");
        assert!(made.success());
        agent.add(&["-q", name]);
    }
    let listed = String::from_utf8(agent.add(&["-l"]).stdout).expect("it is text");
    let rsa = listed.lines().find(|line| line.ends_with("(RSA)")).expect("it was added");
    let rsa = rsa.split(' ').nth(1).expect("a fingerprint").to_owned();
    let keys = [
        ("a", "ed", ""),
        ("b", "ec", "algorithm = \"ecdsa_p256\""),
        ("c", "rsa", ""),
        ("d", rsa.as_str(), "algorithm = \"rsa_pkcs1_sha512\""),
    ];
    config("http://127.0.0.1:9", &home, &tables(&keys));
    agent.add(&["-q", KEY]);
    let socket = agent.socket().display().to_string();
    let said = check(&home, &[("SSH_AUTH_SOCK", &socket)]);
    for line in [
        "a: ed25519 SHA256:",
        "b: ecdsa_p256 SHA256:",
        "c: rsa_pkcs1_sha256 SHA256:",
        "d: rsa_pkcs1_sha512 SHA256:",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(said.matches("signs and verifies").count(), 5, "{said}");
    assert_eq!(said.matches("does not leave its store, the agent's key").count(), 5, "{said}");

    // P-384 is of no use here, PSS no agent's, and a comment may be that of several.
    agent.add(&["-q", "-d", "ec"]);
    fs::remove_file(home.path("ec.pub")).expect("it was made");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-t", "ed25519", "-C", "ed", "-f"])
        .arg(home.path("twin"))
        .status();
    assert!(made.expect("it can be run").success());
    agent.add(&["-q", "twin"]);
    let keys = [
        ("a", "big", ""),
        ("b", "rsa", "algorithm = \"rsa_pss_sha256\""),
        ("c", "ed", ""),
        ("d", "SHA256:none", ""),
    ];
    config("http://127.0.0.1:9", &home, &tables(&keys));
    let said = refused(&home, &[]);
    for line in [
        "keys.a: the agent's key \"big\" is a key of a kind that does not sign here",
        "keys.b: the agent's key \"rsa\" is an rsa_pkcs1_sha256 key where an rsa_pss_sha256 key",
        "keys.c: the agent's key \"ed\" is 2 keys: they have the same comment",
        "keys.d: the agent's key \"SHA256:none\" is not among the 5 that the agent shows",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

fn tables(keys: &[(&str, &str, &str)]) -> String {
    let table = |(name, entry, lines): &(&str, &str, &str)| {
        format!("[keys.{name}]\nstore = \"agent\"\nentry = \"{entry}\"\n{lines}\n")
    };
    keys.iter().map(table).collect()
}
