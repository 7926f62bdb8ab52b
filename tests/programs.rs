//! Unmodified programs whose libraries sign for themselves, with dummy credentials: ccxt at
//! 21 venues, python-binance, coinbase-advanced-py, cobo_waas2 and boto3, each as it comes
//! from PyPI, under `countersign exec`, through CONNECT with interception.
//!
//! The origin (`tests/programs/origin.py`) judges with the libraries' own code and the right keys:
//! ccxt signs the same call again with the time and the nonce of the request that has come, and
//! target, headers and body must be equal; moto verifies what boto3 sends.
//!
//! What they need is half a gigabyte, which `scripts/setup-tests --long` installs.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use serde_json::Value;

use crate::clients::installed;
use crate::support::authority::Authority;
use crate::support::client::run;
use crate::support::config::{CA_FILE, CA_KEY_FILE, INTERCEPT, LISTENERS, listening};
use crate::support::home::Home;
use crate::support::under_test;
use crate::support::wait::eventually;

#[test]
#[ignore = "needs half a gigabyte of libraries: scripts/test --long"]
fn ccxt_is_signed_for_at_21_venues() {
    let stage = Stage::new();
    let said = stage.exec("ccxt_client.py");
    let calls = said.lines().count();
    let arrived = stage.arrived(calls);
    let mut venues: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in &arrived {
        assert!(line["refused"].is_null(), "{line}");
        let text = |name: &str| line[name].as_str().expect("it is a text");
        venues.entry(text("host")).or_default().push(text("method"));
    }
    let with = |method: &str| venues.values().filter(|made| made.contains(&method)).count();
    assert_eq!((venues.len(), with("POST"), with("GET")), (21, 20, 14), "{venues:?}");
    assert_eq!(arrived.len(), calls, "{said}");
}

#[test]
#[ignore = "needs half a gigabyte of libraries: scripts/test --long"]
fn libraries_of_providers_are_signed_for() {
    let stage = Stage::new();
    let said = stage.exec("sdk_client.py");
    let arrived = stage.arrived(7);
    let refused: Vec<&Value> = arrived.iter().filter(|line| !line["refused"].is_null()).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let hosts = |host: &str| arrived.iter().filter(|line| line["host"] == host).count();
    let counted = ["api.binance.us", "api.coinbase.com", "api.cobo.com"].map(hosts);
    assert_eq!(counted, [3, 2, 2], "{said}");
    // moto answers 403 to what is signed with another secret, and boto3 fails then.
    let aws: Vec<&str> = said.lines().skip(7).collect();
    let answers =
        ["sts arn:aws:iam::123456789012:user/u", "dynamodb []", "s3 b'content'", "s3 ['a b/c+d']"];
    assert_eq!(aws, answers, "{said}");
}

/// The origin of all providers, and a configuration whose routes lead there.
struct Stage {
    home: Home,
    origin: Child,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Stage {
    fn new() -> Self {
        let home = Home::new("");
        let ca = Authority::new();
        let certificate = ca.issue(&["origin.test"], |_| ());
        home.write("origin.pem", &certificate.pem());
        home.write("origin.key", &certificate.key_pem());
        home.write("origin-ca.pem", &ca.pem());
        let intercept = Authority::new();
        home.write(CA_FILE, &intercept.pem());
        home.write(CA_KEY_FILE, &intercept.key_pem());
        let mut command = python("origin.py");
        command.arg(home.path(".")).args([home.path("origin.pem"), home.path("origin.key")]);
        // It ends when this end of its input does.
        let origin = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut origin = origin.spawn().expect("Python can be run");
        let mut said = BufReader::new(origin.stdout.take().expect("it is piped")).lines();
        let port = said.next().and_then(Result::ok).expect("the origin says its port");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        thread::spawn(move || {
            for line in said.map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("it writes JSON");
                kept.lock().expect("nobody panics with it").push(line);
            }
        });
        let routes = fs::read_to_string(home.path("routes.toml")).expect("it wrote the routes");
        let upstream = format!(
            "\n[upstreams.origin]\nurl = \"https://127.0.0.1:{port}\"\nserver_name = \"origin.test\"\n\
             ca = \"origin-ca.pem\"\n"
        );
        let tables = [INTERCEPT.to_owned(), upstream, routes];
        home.write("proxy.toml", &listening(LISTENERS, &tables));
        Self { home, origin, lines }
    }

    /// Runs a program to its end under `countersign exec`; what it printed.
    fn exec(&self, program: &str) -> String {
        let mut command = Command::new(under_test());
        command.args(["exec", "--quiet", "--"]).current_dir(self.home.path("."));
        command.env("XDG_STATE_HOME", self.home.path("state"));
        let program = python(program);
        command.arg(program.get_program()).args(program.get_args());
        let output = run(&mut command);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What the origin said of so many requests.
    fn arrived(&self, count: usize) -> Vec<Value> {
        let lines = || self.lines.lock().expect("nobody panics with it").clone();
        eventually("the origin has said something of each request", || lines().len() >= count);
        lines()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.origin.stdin.take());
        self.origin.wait().expect("it can be waited for");
    }
}

fn python(program: &str) -> Command {
    let mut command = Command::new(installed("programs/bin/python"));
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/");
    // No __pycache__ among the sources.
    command.args(["-B", &format!("{sources}{program}")]);
    command
}
