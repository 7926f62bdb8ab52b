//! Debian's Prometheus at work: it scrapes the proxy with a token that it shows as Prometheus does, and
//! evaluates the alert rules over what it has got.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{alerts, operate, text};
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::METASV;
use crate::support::wait::eventually;

/// A running Prometheus; killed when dropped.
struct Prometheus {
    child: Child,
    home: Home,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Prometheus {
    /// With the configuration of docs/operate, for this target, and a token.
    fn start(target: &str, token: &str) -> Self {
        let home = Home::new("");
        let own = text("prometheus.yml").replace("127.0.0.1:8089", target);
        let quick = "global: {evaluation_interval: 1s}\n";
        home.write("prometheus.yml", &(quick.to_owned() + &own.replace(": 15s", ": 1s")));
        home.write("countersign.token", token);
        fs::copy(operate("alerts.yml"), home.path("alerts.yml")).expect("it is there");
        let log = fs::File::create(home.path("log")).expect("it is ours");
        let child = Command::new("prometheus")
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg("--web.listen-address=127.0.0.1:0")
            .current_dir(home.path("."))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("scripts/setup-tests installs it");
        Self { child, home }
    }

    /// Where it listens, as it says.
    fn address(&self) -> String {
        let mut found = None;
        eventually("Prometheus says where it listens", || {
            let log = fs::read_to_string(self.home.path("log")).expect("it is there");
            let line = log.lines().find(|line| line.contains("msg=\"Listening on\""));
            let address = line.and_then(|line| line.split("address=").nth(1));
            found = address.map(|address| address.trim().to_owned());
            found.as_ref().is_some_and(|address| TcpStream::connect(address).is_ok())
        });
        found.expect("it was waited for")
    }

    /// The data of an answer of its interface; nothing while it has none.
    fn ask(&self, address: &str, path: &str) -> Value {
        let request =
            format!("GET /api/v1/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let reply = Client::connect(&format!("http://{address}")).exchange(request);
        if reply.status == 200 { reply.json()["data"].clone() } else { Value::Null }
    }
}

fn guarded(origin: &Origin) -> Proxy {
    let own = "metrics_tokens = \"scrapers\"\n\n[secrets.scrapers]\nstore = \"files\"\nentry = \"scrapers\"\n";
    let tokens =
        config::TOKENS.replacen("\"client_tokens\"\n", &format!("\"client_tokens\"\n{own}"), 1);
    let home = Home::new(&config::proxy(&[config::metasv(&origin.url(), None), tokens]));
    home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
    home.write("keys/scrapers", &config::client_tokens(&[("prometheus", "scr4pe")]));
    Proxy::start_in(home, &[])
}

#[test]
fn prometheus_scrapes_with_its_token_and_evaluates_the_rules() {
    let origin = Origin::start(scripted(providers()));
    let proxy = guarded(&origin);
    let target = proxy.admin_url().trim_start_matches("http://");
    let request = format!("GET {METASV}/x HTTP/1.1\r\nHost: h\r\nCountersign-Token: t0ken\r\n\r\n");
    assert_eq!(Client::connect(proxy.forward_url()).exchange(request).status, 200);
    // One of them has a token that is none.
    let (prometheus, stranger) =
        (Prometheus::start(target, "scr4pe"), Prometheus::start(target, "scr4p"));
    let (address, other) = (prometheus.address(), stranger.address());
    let query =
        "query?query=countersign_requests_total%7Broute%3D%22metasv%22%2Coutcome%3D%22signed%22%7D";
    eventually("the request is seen", || {
        let found = prometheus.ask(&address, query);
        found["result"][0]["value"][1] == "1"
    });
    let health = |of: &Prometheus, at: &str| {
        let found = of.ask(at, "targets");
        let target = &found["activeTargets"][0];
        (target["health"].clone(), target["lastError"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(health(&prometheus, &address), ("up".into(), String::new()));
    eventually("the other is refused", || health(&stranger, &other).0 == "down");
    let (_, why) = health(&stranger, &other);
    assert!(why.contains("401"), "{why}");
    // Every rule was evaluated, without an error, over metrics of the program's own.
    let rules = |of: &Prometheus, at: &str| {
        let found = of.ask(at, "rules?type=alert");
        found["groups"][0]["rules"].as_array().cloned().unwrap_or_default()
    };
    let evaluated = |rule: &Value| {
        let time = rule["lastEvaluation"].as_str().unwrap_or("0001");
        !time.starts_with("0001") && rule["health"] == "ok"
    };
    eventually("all are evaluated", || {
        let rules = rules(&prometheus, &address);
        rules.len() == alerts().len() && rules.iter().all(evaluated)
    });
    let state = |of: &Prometheus, at: &str, name: &str| {
        let rules = rules(of, at);
        let rule = rules.iter().find(|rule| rule["name"] == name).cloned().unwrap_or_default();
        rule["state"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(state(&prometheus, &address, "CountersignDown"), "inactive");
    eventually("what is not scraped is seen to be down", || {
        state(&stranger, &other, "CountersignDown") == "pending"
    });
    // A fault of the program's is seen at once.
    proxy.home().write("proxy.toml", "[listen");
    proxy.signal(crate::support::proxy::Signal::Hangup);
    eventually("a reload that failed fires", || {
        state(&prometheus, &address, "CountersignReloadFailed") == "firing"
    });
}
