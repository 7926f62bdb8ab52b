//! Autobahn's suite of WebSockets (RFC 6455): what it finds in a peer behind the proxy is what it
//! finds in the peer alone, with the suite as client and as server.
//!
//! Minutes long: `scripts/test --long` runs it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::WebSocket;

use crate::clients::{installed, program};
use crate::support::authority::Authority;
use crate::support::client::trusting;
use crate::support::config;
use crate::support::home::Home;
use crate::support::proxy::Proxy;
use crate::support::road::{Opened, Road};
use crate::support::sockets::{Duplex, Echo, connect, open, tunnel};

#[test]
#[ignore = "takes minutes: scripts/test --long"]
fn a_server_behind_the_proxy_is_judged_as_the_server_alone() {
    let echo = Echo::start(Arc::new(|_| Ok(())));
    let runtime = Runtime::new().expect("a runtime can be made");
    let (plain, stage) = relay(&runtime, &echo, false);
    let (secure, _stage) = relay(&runtime, &echo, true);
    let gateway = stage.proxy.gateway_url().replace("http", "ws");
    let reports = Reports::new(json!({ "servers": [
        { "agent": ALONE, "url": echo.url().replace("http", "ws") },
        { "agent": "gateway", "url": format!("{gateway}/metasv/") },
        { "agent": "plain inside CONNECT", "url": format!("ws://{plain}") },
        { "agent": "TLS inside CONNECT", "url": format!("ws://{secure}") },
    ]}));
    // It gives every case so much time and no more.
    let ended = reports.wstest("fuzzingclient", Stdio::null()).0.wait();
    let ended = ended.expect("it can be waited for");
    assert!(ended.success(), "wstest ended with {ended}: {}", reports.log());
    reports.assert_alike(4);
}

#[test]
#[ignore = "takes minutes: scripts/test --long"]
fn a_client_behind_the_proxy_is_judged_as_the_client_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("a socket can be told");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    // It compares its own port with that of Host, which names none.
    let reports = Reports::new(json!({ "url": "ws://127.0.0.1" }));
    let _server = reports.wstest("fuzzingserver", OwnedFd::from(listener).into());
    let stage = Stage::new(HOST, &url);
    let road = Road::new(&stage.proxy, HOST, "metasv", stage.ca.pem());
    answer_cases(ALONE, |path| open(Box::new(connect(&url)), &format!("ws://{HOST}{path}")));
    for (way, open) in Road::WAYS {
        answer_cases(way, |path| open(&road, path));
    }
    reports.assert_alike(1 + Road::WAYS.len());
}

/// Takes part in every case of the server, as a client that sends each message back.
fn answer_cases(agent: &str, open: impl Fn(&str) -> Opened) {
    let agent = agent.replace(' ', "%20");
    let mut count = open("/getCaseCount").expect("it is accepted");
    let count = count.read().expect("it says so").into_text().expect("in text");
    for case in 1..=count.parse().expect("a number") {
        let path = format!("/runCase?case={case}&agent={agent}");
        send_back(open(&path).expect("it is accepted"));
    }
    send_back(open(&format!("/updateReports?agent={agent}")).expect("it is accepted"));
}

fn send_back(mut socket: WebSocket<Box<dyn Duplex>>) {
    while let Ok(message) = socket.read() {
        if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
            return;
        }
    }
}

/// A place for clients that know of no proxy: what comes there goes on inside a CONNECT to that very
/// place, which the proxy knows as the echo server's.
fn relay(runtime: &Runtime, echo: &Echo, secure: bool) -> (String, Stage) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("a socket can be told");
    let port = listener.local_addr().expect("it is bound").port();
    let place = format!("localhost:{port}");
    let stage = Stage::new(&place, &echo.url());
    let (forward, ca) = (stage.proxy.forward_url().to_owned(), stage.ca.pem());
    let target = place.clone();
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
        while let Ok((mut client, _)) = listener.accept().await {
            let stream = tunnel(&forward, &target);
            stream.set_nonblocking(true).expect("a socket can be told");
            let mut stream = TcpStream::from_std(stream).expect("it does not block");
            let tls = secure.then(|| TlsConnector::from(trusting(&ca, &[b"http/1.1"])));
            // Many cases end connections without a word.
            tokio::spawn(async move {
                let Some(tls) = tls else {
                    return copy_bidirectional(&mut client, &mut stream).await;
                };
                let name = "localhost".try_into().expect("a name");
                copy_bidirectional(&mut client, &mut tls.connect(name, stream).await?).await
            });
        }
    });
    (place, stage)
}

/// A proxy that signs for a host, and its authority.
struct Stage {
    proxy: Proxy,
    ca: Authority,
}

impl Stage {
    fn new(host: &str, url: &str) -> Self {
        let metasv = config::metasv(url, None).replace(HOST, host);
        let home =
            Home::new(&config::proxy(&[metasv, config::INTERCEPT.to_owned(), QUIET.to_owned()]));
        let ca = Authority::new();
        home.write(config::CA_FILE, &ca.pem());
        home.write(config::CA_KEY_FILE, &ca.key_pem());
        Self { proxy: Proxy::start_in(home, &[]), ca }
    }
}

/// The running suite; ends with the test.
struct Suite(Child);

impl Drop for Suite {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Where the suite is told what to do, and writes what it found.
struct Reports(Home);

impl Reports {
    fn new(mut spec: Value) -> Self {
        let home = Home::new("");
        spec["outdir"] = json!(home.path("."));
        spec["cases"] = json!(["*"]);
        // Compression: neither of our peers offers it.
        spec["exclude-cases"] = json!(["12.*", "13.*"]);
        spec["exclude-agent-cases"] = json!({});
        home.write("spec.json", &spec.to_string());
        Self(home)
    }

    /// Starts the suite.
    fn wstest(&self, mode: &str, input: Stdio) -> Suite {
        let log = File::create(self.0.path("log")).expect("a file can be made");
        let error = log.try_clone().expect("a file can be shared");
        let mut wstest = Command::new(installed("bin/python2.7"));
        wstest.env("PYTHONUSERBASE", installed("autobahn")).arg(program("fuzzer.py"));
        wstest.args(["--webport", "0", "--mode", mode, "--spec"]).arg(self.0.path("spec.json"));
        let wstest = wstest.stdin(input).stdout(log).stderr(error).spawn();
        Suite(wstest.expect("Python can be run"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.0.path("log")).unwrap_or_default()
    }

    /// Compares what was found in so many agents.
    fn assert_alike(&self, agents: usize) {
        let index = fs::read_to_string(self.0.path("index.json"));
        let index = index.unwrap_or_else(|why| panic!("{why}: {}", self.log()));
        let found: BTreeMap<String, BTreeMap<String, Value>> =
            serde_json::from_str(&index).expect("it is JSON");
        assert_eq!(found.len(), agents);
        for (agent, cases) in &found {
            assert_eq!(cases.len(), CASES, "{agent}");
            for (case, judged) in cases {
                let alone = &found[ALONE][case];
                assert_ne!(judged["behavior"], "FAILED", "{agent} {case}");
                for part in ["behavior", "behaviorClose", "remoteCloseCode"] {
                    assert_eq!(judged[part], alone[part], "{part} of {agent} {case}");
                }
            }
        }
    }
}

const QUIET: &str = "\n[log]\nlevel = \"warn\"\n";
const HOST: &str = "apiv2.metasv.com";
const ALONE: &str = "alone";
/// All but those of compression.
const CASES: usize = 301;
