//! Every client before every server: programs that know of no proxy, under `countersign exec`, by
//! each way there is from them to a provider that verifies, behind the servers that stand before
//! providers in earnest.
//!
//! A client runs once, for all ways and servers. It prints what it was answered, and the provider
//! notes what it accepted.

use std::mem;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::clients::{installed, program};
use crate::support::authority::Authority;
use crate::support::client::run;
use crate::support::config;
use crate::support::front::{Behind, Front, SOCKETS, Start};
use crate::support::home::Home;
use crate::support::origin::{Origin, verifying};
use crate::support::sockets::Echo;
use crate::support::under_test;
use crate::support::vectors::{load, text};
use crate::support::verify::{Accepted, Arrived, Clock, Sinohope};

#[test]
fn requests_of_every_client_are_accepted_behind_every_server() {
    let requests = Kind {
        scheme: "http",
        path: "/v1/",
        sends: &[("GET", ""), ("POST", BODY)],
        says: &["200", "200"],
        upgrade: false,
    };
    let seen = walk(
        &requests,
        &[
            ("curl", format!("sh {}", program("get.sh").display()), 1),
            ("requests", python("get.py", "requests"), 1),
            ("httpx", python("get.py", "httpx"), 1),
            ("aiohttp", python("get.py", "aiohttp"), 1),
            ("urllib", python("get.py", "urllib"), 1),
            ("node", node("get.mjs"), 1),
            // HttpClient, and HttpURLConnection.
            ("java", format!("java {}", program("Get.java").display()), 2),
        ],
    );
    assert_eq!(seen, 192);
}

#[test]
fn sockets_of_every_client_are_accepted_behind_every_server() {
    let sockets = Kind {
        scheme: "ws",
        path: SOCKETS,
        sends: &[("GET", "")],
        says: &["the first round", "4001"],
        upgrade: true,
    };
    let seen = walk(
        &sockets,
        &[
            ("aiohttp", python("session.py", "aiohttp"), 1),
            ("websockets", python("session.py", "websockets"), 1),
            ("websocket-client", python("session.py", "websocket_client"), 1),
            ("node", node("session.mjs"), 1),
        ],
    );
    assert_eq!(seen, 48);
}

/// What clients do with each URL.
struct Kind {
    scheme: &'static str,
    path: &'static str,
    /// Methods and bodies.
    sends: &'static [(&'static str, &'static str)],
    /// The lines they print.
    says: &'static [&'static str],
    /// Whether it is HTTP/1.1's alone.
    upgrade: bool,
}

/// Runs each client, which has this name in its paths, and so many libraries that do the same, with
/// all its URLs. Counts what was accepted.
fn walk(kind: &Kind, clients: &[(&str, String, usize)]) -> usize {
    let stage = Stage::new();
    let (mut seen, mut faults) = (0, Vec::new());
    for (client, command, times) in clients {
        let (mut urls, mut expected) = (Vec::new(), Vec::new());
        for (url, notes) in cells(kind, client) {
            urls.push(url);
            expected.extend(notes.iter().cycle().take(times * notes.len()).cloned());
        }
        let said = stage.run(command, &urls);
        let mut accepted = mem::take(&mut *stage.accepted.lock().expect("no thread panicked"));
        accepted.sort();
        expected.sort();
        seen += accepted.len();
        if said != kind.says.repeat(times * urls.len()) || accepted != expected {
            let missing: Vec<_> = expected.iter().filter(|note| !accepted.contains(note)).collect();
            accepted.retain(|note| !expected.contains(note));
            faults.push(format!(
                "{client}: missing {missing:#?}, unexpected {accepted:#?}, printed {said:#?}"
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    seen
}

/// Every way behind every server: a URL, as text for a shell that knows the gateway, and what the
/// provider is to note of it.
fn cells(kind: &Kind, client: &str) -> Vec<(String, Vec<String>)> {
    let (mut cells, scheme) = (Vec::new(), kind.scheme);
    for (server, offers, _) in SERVERS {
        let (host, version) = (host(server), if kind.upgrade { '1' } else { offers });
        for (way, base) in [
            ("forward", format!("{scheme}://{host}")),
            ("connect", format!("{scheme}s://{host}")),
            ("gateway", format!("{scheme}${{COUNTERSIGN_GATEWAY#http}}/{server}")),
        ] {
            let target = format!("{}{client}/{way}?value=one%20two&key=a%2Bb&Zed=1", kind.path);
            let note = |(method, body): &(&str, &str)| note(version, method, &host, &target, body);
            let notes = kind.sends.iter().map(note).collect();
            cells.push((format!("\"{base}{target}\""), notes));
        }
    }
    cells
}

/// A request in a line: the version of HTTP in front of the server, and what arrived behind it.
fn note(version: char, method: &str, host: &str, target: &str, body: &str) -> String {
    format!("HTTP/{version} {method} {host} {target} {body}")
}

/// A provider, the servers before it, and where programs run.
struct Stage {
    /// A [`note`] of each request that was signed.
    accepted: Arc<Mutex<Vec<String>>>,
    home: Home,
    _servers: Vec<Front>,
    _origin: Origin,
}

impl Stage {
    fn new() -> Self {
        let accepted = Arc::default();
        let origin = Origin::start(verifying(noting(&accepted)));
        let judge = noting(&accepted);
        let echo = Echo::start(Arc::new(move |arrived| judge(arrived).map(drop)));
        let behind = Behind { sockets: &echo.url(), others: &origin.url() };
        let servers: Vec<_> =
            SERVERS.iter().map(|(name, _, start)| start(&host(name), behind)).collect();
        let mut tables = vec![KEY.to_owned(), config::INTERCEPT.to_owned()];
        tables.extend(SERVERS.iter().zip(&servers).map(|((name, ..), server)| route(name, server)));
        let (home, ca) = (Home::new(&config::proxy(&tables)), Authority::new());
        home.write(config::CA_FILE, &ca.pem());
        home.write(config::CA_KEY_FILE, &ca.key_pem());
        Self { accepted, home, _servers: servers, _origin: origin }
    }

    /// Runs a client; the lines it printed.
    fn run(&self, client: &str, urls: &[String]) -> Vec<String> {
        let mut exec = Command::new(under_test());
        exec.args(["exec", "--quiet", "--", "sh", "-c"]);
        exec.arg(format!("exec {client} {}", urls.join(" "))).stdin(Stdio::null());
        // Java decodes its environment as the locale says, and the body is not ASCII.
        exec.env("LC_ALL", "C.UTF-8").env("BODY", BODY).current_dir(self.home.path("."));
        exec.env("XDG_STATE_HOME", self.home.path("state"));
        let output = run(&mut exec);
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

/// Sinohope, which keeps a [`note`] of each request that it accepts.
fn noting(
    accepted: &Arc<Mutex<Vec<String>>>,
) -> impl Fn(&Arrived) -> Result<Accepted, String> + Send + Sync + 'static {
    let vectors = load("sinohope");
    let key = text(&vectors, "/keys/test-p256/spki_der_hex");
    let (provider, accepted) = (Sinohope::new(key, Clock::Running), Arc::clone(accepted));
    move |arrived| {
        let verdict = provider.check(arrived)?;
        let version = arrived.once("Via")?.trim_start_matches("HTTP/").chars().next();
        let (host, body) = (arrived.once("Host")?, String::from_utf8_lossy(&arrived.body));
        let note = note(version.unwrap_or(' '), &arrived.method, host, &arrived.target, &body);
        accepted.lock().expect("no thread panicked").push(note);
        Ok(verdict)
    }
}

/// A route to a server, by its name and to its host.
fn route(name: &str, server: &Front) -> String {
    let (host, url) = (host(name), server.url());
    let trust = config::trust(&host, server.ca().as_deref());
    format!(
        r#"
[routes.{name}]
host = "{host}"
scheme = "sinohope"
keys = {{ signer = "sinohope" }}
upstream = "{name}"

[upstreams.{name}]
url = "{url}"
{trust}"#
    )
}

fn host(server: &str) -> String {
    format!("{server}.countersign.test")
}

fn python(script: &str, library: &str) -> String {
    let python = installed("venv/bin/python");
    format!("{} {} {library}", python.display(), program(script).display())
}

fn node(script: &str) -> String {
    format!("{} {}", installed("bin/node").display(), program(script).display())
}

/// Names of routes, the version of HTTP that is agreed on, and how they start.
const SERVERS: [(&str, char, Start); 4] = [
    ("nginx", '1', Front::nginx),
    ("nginx-tls", '1', Front::nginx_tls),
    ("nginx-h2", '2', Front::nginx_h2),
    ("nghttpx-h2", '2', Front::nghttpx_h2),
];
const KEY: &str = r#"
[keys.sinohope]
store = "files"
entry = "sinohope.pem"
"#;
const BODY: &str = r#"{"vaultId": "1", "note": "ü"}"#;
