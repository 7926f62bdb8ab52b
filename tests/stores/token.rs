//! A token of SoftHSM, in a directory of its own; and `p11-kit server` before it, a process that can
//! be killed and stopped.

use std::fs;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::support::home::Home;
use crate::support::under_test;
use crate::support::wait::{eventually, stopped};

/// A token; its server ends when dropped.
#[derive(Debug)]
pub(crate) struct Token {
    home: Home,
    server: Mutex<Option<Child>>,
}

/// The user's PIN.
pub(crate) const PIN: &str = "pin-of-the-token-7391";

/// The module in the proxy's own process.
pub(crate) const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// The settings of a store of these.
pub(crate) fn table(module: &Path) -> String {
    let module = module.display();
    format!("kind = \"pkcs11\"\nmodule = \"{module}\"\ntoken = \"trading\"\npin = \"file:pin\"\n")
}

/// The store of the token in the proxy's own process, called `hsm`.
pub(crate) fn hsm() -> String {
    format!("[stores.hsm]\n{}", table(SOFTHSM.as_ref()))
}

/// Variables as programs are given them.
pub(crate) fn borrowed<'v>(
    variables: &'v [(&'static str, String)],
) -> Vec<(&'static str, &'v str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The module of a program that speaks to the server.
pub(crate) fn client() -> PathBuf {
    let arch = std::env::consts::ARCH;
    PathBuf::from(format!("/usr/lib/{arch}-linux-gnu/pkcs11/p11-kit-client.so"))
}

impl Token {
    /// Makes one without keys, and a file `pin`.
    pub(crate) fn new(home: &Home) -> Self {
        let directory = home.path("tokens");
        fs::create_dir(&directory).expect("a directory can be made");
        let directory = directory.display();
        home.write("softhsm.conf", &format!("directories.tokendir = {directory}\n"));
        home.write("pin", PIN);
        let token = Self { home: home.clone(), server: Mutex::default() };
        let made = ["--init-token", "--free", "--label", "trading", "--so-pin", "so-pin"];
        token.util(&[&made[..], &["--pin", PIN]].concat());
        token
    }

    /// Puts a key in, from PKCS#8 in PEM.
    pub(crate) fn import(&self, file: &str, label: &str, id: &str) {
        let put = ["--import", file, "--token", "trading", "--label", label, "--id", id];
        self.util(&[&put[..], &["--pin", PIN]].concat());
    }

    /// `countersign keys` in the home.
    pub(crate) fn keys(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(under_test());
        command.arg("keys").args(arguments).current_dir(self.home.path("."));
        command.envs(self.variables()).output().expect("it can be run")
    }

    /// The same, which must do what it is told; what it says.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.keys(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("it is text")
    }

    /// Its serial number, as its own program shows it.
    pub(crate) fn serial(&self) -> String {
        let shown = self.util(&["--show-slots"]);
        let serial = shown.lines().find_map(|line| line.trim().strip_prefix("Serial number:"));
        serial.expect("the first slot has the token").trim().to_owned()
    }

    fn util(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("softhsm2-util");
        command.args(arguments).current_dir(self.home.path(".")).envs(self.variables());
        let output = command.output().expect("it can be run: scripts/setup-tests installs it");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What a program needs to find it and its server.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        [
            ("SOFTHSM2_CONF", self.home.path("softhsm.conf").display().to_string()),
            ("P11_KIT_SERVER_ADDRESS", format!("unix:path={}", self.socket().display())),
        ]
    }

    /// Starts the server again, or ends it.
    pub(crate) fn serve(&self, serve: bool) {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = server.take() {
            end(old);
            fs::remove_file(self.socket()).expect("it was there");
        }
        if !serve {
            return;
        }
        let mut command = Command::new("p11-kit");
        command.args(["server", "--foreground", "--provider", SOFTHSM, "--name"]);
        command.arg(self.socket()).arg("pkcs11:token=trading");
        // It has a process for each connection.
        command.process_group(0).envs(self.variables()).stdout(Stdio::null());
        let child = command.spawn().expect("it can be run: scripts/setup-tests installs it");
        *server = Some(child);
        eventually("the server listens", || UnixStream::connect(self.socket()).is_ok());
    }

    /// Has the server stand still, or go on.
    pub(crate) fn pause(&self, pause: bool) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let server = server.as_ref().expect("it runs");
        signal(server, if pause { "-STOP" } else { "-CONT" });
        if pause {
            stopped(server.id());
        }
    }

    fn socket(&self) -> PathBuf {
        self.home.path("p11")
    }
}

fn signal(child: &Child, signal: &str) {
    let group = format!("-{}", child.id());
    let sent = Command::new("kill").args([signal, "--", &group]).status();
    assert!(sent.expect("kill can be run").success(), "{signal}");
}

fn end(mut child: Child) {
    signal(&child, "-KILL");
    child.wait().expect("it can be waited for");
}

impl Drop for Token {
    fn drop(&mut self) {
        let server = self.server.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = server.take() {
            end(child);
        }
    }
}
