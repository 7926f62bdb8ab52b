//! What a proxy has given up by the time it is ready: seen from each of its threads, from another
//! process of its user, and by what still works.

mod commands;
mod kernel;
mod library;
mod reloads;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{SINOHOPE, get};
use crate::support::under_test;

/// What a line of `/proc/…/status` says, or of `limits`.
fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
}

fn read(path: String) -> String {
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Whether new privileges and system calls are limited, for each thread by its name.
fn threads(pid: u32) -> Vec<(String, String, String)> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let of = |thread: fs::DirEntry| {
        let status = read(thread.path().join("status").display().to_string());
        (field(&status, "Name:"), field(&status, "NoNewPrivs:"), field(&status, "Seccomp:"))
    };
    threads.map(|thread| of(thread.expect("it is listed"))).collect()
}

/// A provider, and a configuration that signs for it, with these tables beside.
fn stage(tables: &str) -> (Origin, String) {
    let origin = Origin::start(scripted(providers()));
    let config = config::proxy(&[config::sinohope(&origin.url(), None), tables.into()]);
    (origin, config)
}

/// Asks for a signature, which the provider has to accept.
fn sign(proxy: &Proxy) {
    let reply = Client::connect(proxy.forward_url()).exchange(get(&format!("{SINOHOPE}/v1/x")));
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// The program, which may write memory images of any length.
fn with_images() -> Command {
    let mut command = Command::new("prlimit");
    command.arg("--core=unlimited:unlimited").arg(under_test());
    command
}

/// A command that another user, who has no rights, runs in a home that is given to it.
fn of_nobody(home: &Home) -> Command {
    let program = home.path("countersign");
    fs::copy(under_test(), &program).expect("there is room");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("it is ours");
    let given = Command::new("chown").args(["-R", "65534:65534"]).arg(home.path(".")).status();
    assert!(given.expect("chown is there").success(), "this test gives a directory away: as root");
    let mut command = nobody();
    command.arg(program).current_dir(home.path("."));
    command
}

fn nobody() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]);
    command
}

/// What that user gets of a file.
fn seen_by_nobody(path: &str) -> Output {
    nobody().args(["head", "-c", "1", path]).output().expect("setpriv is there")
}

#[test]
fn every_thread_has_given_up_what_it_does_not_need_before_it_began() {
    let rsa = "[keys.rsa]\nstore = \"files\"\nentry = \"cobo-server.pem\"\nalgorithm = \"rsa_pkcs1_sha256\"\n";
    let (_origin, config) = stage(rsa);
    let proxy = Proxy::start_by(with_images(), Home::new(&config), &[]);
    sign(&proxy);
    let threads = threads(proxy.pid());
    for (name, privileges, calls) in &threads {
        assert_eq!((privileges.as_str(), calls.as_str()), ("1", "2"), "{name}");
    }
    let named = |name: &str| threads.iter().any(|(own, ..)| own.starts_with(name));
    assert!(
        threads.len() >= 4 && named("log") && (named("core-") || named("tokio")),
        "{threads:?}"
    );
    let limits = read(format!("/proc/{}/limits", proxy.pid()));
    let core = field(&limits, "Max core file size");
    assert!(core.starts_with("0 "), "{limits}");
    // The log is written some milliseconds later than it is ready.
    proxy.await_output("given up: ");
    let said = proxy.output();
    for measure in ["memory images, whole", "new privileges, whole", "files and TCP (Landlock)"] {
        assert!(said.contains(measure), "{measure} in {said}");
    }
}

#[test]
fn a_file_that_is_not_named_is_not_read_whoever_asks() {
    let secret = "[secrets.token]\nstore = \"files\"\nentry = \"token\"\nwatch = true\n";
    let (_origin, config) = stage(secret);
    let home = Home::new(&config);
    home.write("keys/token", "first");
    let outside = Home::new("");
    outside.write("token", "outside");
    let proxy = Proxy::start_in(home, &[]);
    // A thread that was started long after the others looks at this once a second.
    let lead = |to: &Path| {
        let (link, place) = (proxy.home().path("link"), proxy.home().path("keys/token"));
        std::os::unix::fs::symlink(to, &link).expect("the directory is ours");
        fs::rename(link, place).expect("the directory is ours");
    };
    let says = |what: &str| {
        crate::support::wait::eventually(what, || proxy.output().contains(what));
    };
    lead(&outside.path("token"));
    says("may not be read by this user; what it was stays in use");
    proxy.home().write("inside", "inside");
    lead(&proxy.home().path("inside"));
    says("secrets.token: its file has changed and is in use");
    sign(&proxy);
}

#[test]
fn another_process_of_the_same_user_sees_neither_memory_nor_environment() {
    let (_origin, config) = stage("");
    let home = Home::new(&config);
    let proxy = Proxy::start_by(of_nobody(&home), home, &[]);
    sign(&proxy);
    for file in ["mem", "environ", "maps"] {
        let output = seen_by_nobody(&format!("/proc/{}/{file}", proxy.pid()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("Permission denied") && output.stdout.is_empty(),
            "{file}: {output:?}"
        );
    }
    let output = seen_by_nobody(&format!("/proc/{}/status", proxy.pid()));
    assert!(output.status.success(), "what it is called is no secret: {output:?}");
}

#[test]
fn the_program_of_exec_is_as_it_would_be_and_cannot_look_at_what_runs_it() {
    let (_origin, config) = stage("");
    let home = Home::new(&config);
    let script = "cat /proc/self/status; ulimit -c; head -c 1 /proc/self/environ >/dev/null && echo own; \
                  head -c 1 /proc/$PPID/mem; head -c 1 /proc/$PPID/environ; echo end";
    let as_nobody = of_nobody(&home);
    let mut command = Command::new("prlimit");
    command.arg("--core=unlimited:unlimited").arg("setpriv").args(as_nobody.get_args());
    command.current_dir(home.path(".")).args(["exec", "--quiet", "--", "bash", "-c", script]);
    command.env("XDG_STATE_HOME", home.path("state")).env("TMPDIR", home.path("."));
    let output = command.output().expect("it can be run");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((field(&out, "NoNewPrivs:"), field(&out, "Seccomp:")), ("0".into(), "0".into()));
    assert!(out.ends_with("\nunlimited\nown\nend\n"), "{out}{err}");
    assert_eq!(err.matches("Permission denied").count(), 2, "{err}");
}
