//! Real programs through the built binary: nothing in them knows of signatures, and a provider
//! that verifies accepts what arrives.
//!
//! Each program sends the same three requests, prints the status of each on a line of its own and
//! ends with an error unless all are 200. `scripts/setup-tests` installs what they need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::client::{curl, run};
use crate::support::config;
use crate::support::origin::{Origin, metasv, sinohope};
use crate::support::proxy::Proxy;

#[test]
fn requests_of_curl_are_signed() {
    let stage = Stage::new();
    let proxy = stage.proxy.forward_url();
    let json = "Content-Type: application/json";
    let table: [&[&str]; 3] =
        [&[READ_URL], &["-H", json, "-d", BODY, WRITE_URL], &["--compressed", METASV_URL]];
    for arguments in table {
        let fixed = ["--fail-with-body", "--proxy", proxy];
        let output = curl(fixed.iter().chain(arguments));
        let body: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert!(output.status.success() && body["ok"] == true, "{arguments:?}: {output:?}");
    }
    stage.assert_accepted(1);
}

#[test]
fn requests_of_curl_with_the_proxy_in_its_environment_are_signed() {
    let stage = Stage::new();
    let post = ["--json", BODY, WRITE_URL];
    for arguments in [&[READ_URL] as &[&str], &post, &[METASV_URL]] {
        let mut command = Command::new("curl");
        command.args(["--disable", "--silent", "--show-error", "--fail-with-body"]).args(arguments);
        let output = run(command.env("http_proxy", stage.proxy.forward_url()));
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    stage.assert_accepted(1);
}

#[test]
fn requests_of_python_requests_are_signed() {
    let python = installed("venv/bin/python");
    Stage::new().assert_signs_for(Command::new(python).arg(program("client.py")), 1);
}

#[test]
fn requests_of_node_undici_are_signed() {
    // An import is looked for beside the file that has it, so a copy of the program runs.
    let copy = installed("node").join("client.mjs");
    fs::copy(program("client.mjs"), &copy).expect("the program can be copied");
    // Once with fetch, once with request.
    Stage::new().assert_signs_for(Command::new(installed("bin/node")).arg(copy), 2);
}

#[test]
fn requests_of_java_are_signed() {
    // Java compiles a program of one file by itself.
    let program = program("Client.java");
    Stage::new().assert_signs_for(Command::new("java").arg(program), 1);
}

/// Two providers that verify, and the proxy that signs for both.
struct Stage {
    sinohope: Origin,
    metasv: Origin,
    proxy: Proxy,
}

impl Stage {
    fn new() -> Self {
        // One of them behind TLS, as both are in earnest.
        let sinohope = Origin::start_tls(&["api.sinohope.com"], sinohope("test-p256"));
        let metasv = Origin::start(metasv("test-a"));
        let tables = [
            config::sinohope(&sinohope.url(), sinohope.ca()),
            config::metasv(&metasv.url(), metasv.ca()),
        ];
        let proxy = Proxy::start(&config::proxy(&tables));
        Self { sinohope, metasv, proxy }
    }

    /// Runs a program that sends every request `rounds` times.
    fn assert_signs_for(&self, program: &mut Command, rounds: usize) {
        // Java decodes arguments as the locale says, and the JSON is not ASCII.
        program.env("LC_ALL", "C.UTF-8").args([READ_URL, WRITE_URL, BODY, METASV_URL]);
        let output = run(program.env("http_proxy", self.proxy.forward_url()));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(printed.lines().collect::<Vec<_>>(), vec!["200"; 3 * rounds]);
        self.assert_accepted(rounds);
    }

    /// What arrived is what the program sent. That it was accepted, the program has seen.
    fn assert_accepted(&self, rounds: usize) {
        let (mut reads, mut writes) = (0, 0);
        for request in self.sinohope.arrived() {
            assert_eq!(request.values("Host"), ["api.sinohope.com"], "{request:?}");
            assert!(request.values("Proxy-Connection").is_empty(), "{request:?}");
            match request.method.as_str() {
                "GET" => {
                    assert!(READ_URL.ends_with(&request.target), "{request:?}");
                    reads += 1;
                }
                _ => {
                    assert!(WRITE_URL.ends_with(&request.target), "{request:?}");
                    assert_eq!(String::from_utf8_lossy(&request.body), BODY);
                    writes += 1;
                }
            }
        }
        for request in self.metasv.arrived() {
            assert_eq!(request.values("Host"), ["apiv2.metasv.com"], "{request:?}");
            assert!(METASV_URL.ends_with(&request.target), "{request:?}");
        }
        assert_eq!((reads, writes, self.metasv.arrived().len()), (rounds, rounds, rounds));
    }
}

/// The source of a client program.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// Something that `scripts/setup-tests` puts beside the build.
pub(crate) fn installed(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let path = target.expect("the build directory has a name").join("test-clients").join(name);
    assert!(path.exists(), "{} is missing: run scripts/setup-tests", path.display());
    path
}

const READ_URL: &str = "http://api.sinohope.com/v1/test?value=one%20two&key=a%2Fb&Zed=1";
const WRITE_URL: &str = "http://api.sinohope.com/v1/waas/mpc/create_wallets";
const BODY: &str = r#"{"vaultId": "1", "walletName": "my first wallet", "note": "ü"}"#;
const METASV_URL: &str =
    "http://apiv2.metasv.com/address/1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa/utxo?a=1";
