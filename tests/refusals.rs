//! Every way the proxy says no, provoked once from outside: status, body and headers to the
//! letter. What cannot be provoked is listed with the reason.

mod cases;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use cases::{Case, NOT_PROVOKED, PROVOKED, Scene};
use countersign::refusal::Code;
use serde_json::Value;

use crate::clients::installed;
use crate::support::client::{Client, Reply, run};
use crate::support::config;
use crate::support::home::Home;
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, SINOHOPE, Stage, get};

#[test]
fn every_code_is_provoked_or_explained() {
    let provoked = PROVOKED.iter().map(|case| case.code);
    let explained = NOT_PROVOKED.iter().map(|(code, _)| *code);
    let listed: Vec<_> = provoked.chain(explained).collect();
    let unique: BTreeSet<_> = listed.iter().copied().collect();
    assert_eq!(listed.len(), unique.len(), "none is listed twice");
    assert_eq!(unique, Code::all().map(Code::name).collect());
}

#[test]
fn every_refusal_says_what_and_where_and_how_to_mend_it() {
    let scene = Scene::new();
    let mut ids = BTreeSet::new();
    for case in PROVOKED {
        let reply = (case.provoke)(&scene);
        let problem = check(case, &reply);
        ids.insert(problem["request_id"].to_string());
    }
    assert_eq!(ids.len(), PROVOKED.len(), "every request has an id of its own");
    let reached: Vec<_> = scene.stage.origin.arrived().into_iter().map(|one| one.target).collect();
    // Only those that fail behind the provider's door come to it.
    assert_eq!(reached, ["/drop", "/garbage", "/slow-head"]);
}

fn check(case: &Case, reply: &Reply) -> Value {
    let Case { code, status, route, .. } = case;
    let problem = reply.json();
    assert_eq!((reply.status, &problem["code"]), (*status, &Value::from(*code)), "{problem}");
    assert_eq!(problem["status"], *status, "{code}");
    assert_eq!(problem["type"], "about:blank", "{code}");
    assert_eq!(problem["route"].as_str(), *route, "{code}: {problem}");
    for (member, shortest) in [("title", 10), ("detail", 10), ("remedy", 20), ("request_id", 5)] {
        let text = problem[member].as_str().unwrap_or_default();
        assert!(text.len() >= shortest, "{code} has no {member}: {problem}");
    }
    assert_eq!(reply.values("Content-Type"), ["application/problem+json"], "{code}");
    let [proxy_status] = reply.values("Proxy-Status").try_into().expect("there is one");
    let details = format!("; details=\"{code}\"");
    let by_us = proxy_status.starts_with("countersign; error=") && proxy_status.ends_with(&details);
    assert!(by_us, "{code}: {proxy_status}");
    for (_, name, value) in HEADERS.iter().filter(|(of, ..)| of == code) {
        assert_eq!(reply.values(name), [*value], "{code}");
    }
    problem
}

#[test]
fn a_refusal_is_found_in_the_log_by_its_id() {
    let stage = Stage::new("");
    let reply = stage.exchange(get("http://unrouted.test/path?secret=1"));
    let id = reply.json()["request_id"].as_str().expect("it has an id").to_owned();
    stage.proxy.await_output(&id);
    let written = stage.proxy.output();
    let line = written.lines().find(|line| line.contains(&id)).expect("there is a line");
    assert!(line.contains("code=\"host_not_routed\"") && line.contains("path=/path"), "{line}");
    assert!(!written.contains("secret"), "{line}");
}

#[test]
fn targets_that_cannot_be_used_are_refused_and_reach_nobody() {
    let stage = Stage::new("");
    let table = [
        "GET /x",
        "GET apiv2.metasv.com:80",
        "OPTIONS *",
        "GET http://user:pass@apiv2.metasv.com/x",
        "GET http://user@apiv2.metasv.com/x",
        "GET http://apiv2.metasv.com:0/x",
        "GET ftp://apiv2.metasv.com/x",
        "GET http://apiv2.metasv.com/\u{e9}",
        "GET http://apiv2.metasv.com/x?\u{20ac}",
        "CONNECT other.test",
        "CONNECT user@other.test:443",
    ];
    for line in table {
        let reply = stage.exchange(format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let problem = reply.json();
        assert_eq!((reply.status, &problem["code"]), (400, &"bad_target".into()), "{line}");
        assert!(!problem.to_string().contains("pass"), "{problem}");
    }
    // Some are not even requests.
    for line in ["GET", "GET http://apiv2.metasv.com:65536/x", "GET http:///x", "GET http://[::1/x"]
    {
        let reply = stage.exchange(format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(reply.status, 400, "{line}");
    }
    assert_eq!(stage.origin.connections(), 0);
}

#[test]
fn a_refused_connect_says_its_code_where_clients_look() {
    let stage = Stage::new("");
    let table = [
        ("other.test:443", "", "403 host_not_routed"),
        ("api.sinohope.com:443", "", "403 interception_off"),
        ("api.sinohope.com", "", "400 bad_target"),
        ("api.sinohope.com:80", "Content-Length: 1\r\n", "400 bad_target"),
        ("api.sinohope.com:80", "Host: other.test\r\n", "400 bad_host"),
        (
            "api.sinohope.com:80",
            "Transfer-Encoding: gzip, chunked\r\n",
            "501 transfer_coding_unknown",
        ),
    ];
    for (place, more, line) in table {
        let mut client = stage.client();
        let head = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n");
        client.send(format!("{head}{more}\r\n"));
        let answer = client.await_end();
        let wanted = format!("HTTP/1.1 {line}\r\n");
        assert!(answer.starts_with(wanted.as_bytes()), "{}", String::from_utf8_lossy(&answer));
    }
    // Other requests keep the phrase that everybody knows.
    let mut client = stage.client();
    client.send("GET http://other.test/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert!(client.await_end().starts_with(b"HTTP/1.1 403 Forbidden\r\n"));
}

#[test]
fn programs_show_the_code_of_a_refused_connect() {
    let stage = Stage::new("");
    let proxy = stage.proxy.forward_url();
    let (python, node) = (installed("venv/bin/python"), installed("bin/node"));
    let requests = "import requests; requests.get('https://other.test/')";
    let connect = "const [host, port] = process.argv[1].slice(7).split(':')
        require('http').request({ host, port, method: 'CONNECT', path: 'other.test:443' })
          .on('connect', (answer) => { console.log(answer.statusCode, answer.statusMessage); process.exit() })
          .end()";
    let program = |path: &Path, arguments: &[&str]| {
        let mut command = Command::new(path);
        command.args(arguments);
        command
    };
    let mut java = program(Path::new("java"), &[]);
    let (host, port) = proxy[7..].split_once(':').expect("it has a port");
    java.args([format!("-Dhttps.proxyHost={host}"), format!("-Dhttps.proxyPort={port}")]);
    // The one of Java's two clients that shows more than the number.
    stage.proxy.home().write("Tunnel.java", TUNNEL);
    java.arg(stage.proxy.home().path("Tunnel.java"));
    for mut command in [
        program(Path::new("curl"), &["--disable", "-sv", "-x", proxy, "https://other.test/"]),
        program(&python, &["-c", requests]),
        program(&node, &["-e", connect, proxy]),
        java,
    ] {
        let output = run(command.env("https_proxy", proxy));
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.contains("403 host_not_routed"), "{command:?}: {said}");
    }
}

#[test]
fn methods_that_cannot_be_signed_are_refused_with_those_that_can() {
    let stage = Stage::new("");
    let any = "GET, HEAD, POST, PUT, PATCH, DELETE";
    let table = [
        ("PUT", SINOHOPE, "GET, POST"),
        ("DELETE", SINOHOPE, "GET, POST"),
        ("HEAD", SINOHOPE, "GET, POST"),
        ("FROB", SINOHOPE, "GET, POST"),
        ("TRACE", SINOHOPE, any),
        ("TRACE", METASV, any),
    ];
    for (method, host, allowed) in table {
        let mut client = stage.client();
        client.send(format!("{method} {host}/x HTTP/1.1\r\nHost: h\r\n\r\n"));
        let reply = client.bare_reply();
        assert_eq!((reply.status, reply.values("Allow")), (405, vec![allowed]), "{method} {host}");
    }
    assert_eq!(stage.origin.connections(), 0);
    for method in ["PUT", "DELETE", "PATCH", "FROB"] {
        let request = format!("{method} {METASV}/x HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(stage.exchange(request).status, 200, "{method}");
    }
}

#[test]
fn a_way_back_to_the_proxy_itself_is_seen_behind_every_address() {
    let table: [(&str, &[&str]); 2] = [
        ("127.0.0.1", &["127.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]"]),
        // Every address of this machine leads to a listener on all of them.
        ("0.0.0.0", &["127.0.0.1", "127.0.0.2", "0.0.0.0", "[::ffff:127.0.0.1]"]),
    ];
    let stage = Stage::new("");
    for (listener, addresses) in table {
        let listeners = format!("forward = \"{listener}:0\"\nadmin = \"127.0.0.1:0\"\n");
        let leading_to = |url: &str| {
            let route = config::metasv(url, None).replace("url =", "allow_plaintext = true\nurl =");
            config::listening(&listeners, &[route, config::TOKENS.to_owned()])
        };
        let home = Home::new(&leading_to(&stage.origin.url()));
        home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
        let proxy = Proxy::start_in(home, &[]);
        let port = proxy.forward_url().rsplit(':').next().expect("it has a port");
        let ask = || {
            let head = format!("GET {METASV}/x HTTP/1.1\r\nHost: h\r\n");
            let mut client = Client::connect(&format!("http://127.0.0.1:{port}"));
            client.exchange(head + "Proxy-Authorization: Bearer t0ken\r\n\r\n")
        };
        assert_eq!(ask().status, 200);
        for address in addresses {
            proxy.reload(&leading_to(&format!("http://{address}:{port}")), true);
            let reply = ask();
            let seen = (reply.status, &reply.json()["code"]);
            assert_eq!(seen, (508, &"loop".into()), "{listener} by {address}");
        }
    }
}

#[test]
fn a_provider_that_never_finishes_its_handshake_is_let_go_with_nothing_sent() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("https://{}", silent.local_addr().expect("it is bound"));
    let timeouts = "[timeouts]\nconnect = \"300ms\"\n".to_owned();
    let proxy = Proxy::start(&config::proxy(&[config::metasv(&url, None), timeouts]));
    let reply = Client::connect(proxy.forward_url()).exchange(get(METASV));
    let problem = reply.json();
    assert_eq!((reply.status, &problem["code"]), (504, &"upstream_timeout".into()));
    let remedy = problem["remedy"].as_str().unwrap_or_default();
    assert!(remedy.starts_with("Nothing was sent"), "{problem}");
}

const TUNNEL: &str = "class Tunnel { public static void main(String[] none) throws Exception { \
     new java.net.URL(\"https://other.test/\").openConnection().getInputStream(); } }";

/// Headers that belong to a status.
const HEADERS: &[(&str, &str, &str)] = &[
    ("method_unsignable", "Allow", "GET, POST"),
    ("admin_method_not_allowed", "Allow", "GET, HEAD"),
    ("metrics_unauthenticated", "WWW-Authenticate", "Bearer realm=\"countersign\""),
    ("client_unauthenticated", "Proxy-Authenticate", "Basic realm=\"countersign\""),
    ("not_an_upgrade", "Upgrade", "websocket"),
    ("not_an_upgrade", "Sec-WebSocket-Version", "13"),
    ("too_many_connections", "Retry-After", "1"),
    ("too_many_connections", "Connection", "close"),
    ("too_many_tunnels", "Retry-After", "1"),
    ("too_many_bodies", "Retry-After", "1"),
    ("draining", "Retry-After", "1"),
    ("draining", "Connection", "close"),
];
