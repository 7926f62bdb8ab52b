//! What a running proxy holds of its last requests, and who is told: `countersign why` and the pages
//! it asks.

use std::slice::from_ref;

use serde_json::{Value, json};

use crate::access::users::nobody;
use crate::support::client::{Client, run};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::{Proxy, countersign};
use crate::support::stage::{METASV, get, post};

const KEEP: &str = "[inspect]\nkeep = 2\n";

fn origin(status: u16) -> Origin {
    Origin::start(Box::new(move |_| Answer::json(status, &json!({ "code": 7 }))))
}

/// What the command writes, of a proxy that listens where its configuration left it open.
pub(crate) fn why(proxy: &Proxy, arguments: &[&str]) -> (bool, String) {
    told(proxy, "why", arguments)
}

fn told(proxy: &Proxy, command: &str, arguments: &[&str]) -> (bool, String) {
    let home = proxy.home();
    let written = std::fs::read_to_string(home.path("proxy.toml")).expect("it is there");
    let admin = format!("admin = \"{}\"", proxy.admin_url().trim_start_matches("http://"));
    home.write("found.toml", &written.replace("admin = \"127.0.0.1:0\"", &admin));
    let path = home.path("found.toml").display().to_string();
    let output = countersign(&[&[command, "--config", &path], arguments].concat());
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).expect("text"))
}

fn page(proxy: &Proxy, path: &str) -> Value {
    serde_json::from_slice(&proxy.probe(path).body).expect("JSON")
}

#[test]
fn the_last_requests_are_told_with_what_was_signed() {
    let origin = origin(401);
    let own = config::metasv(&origin.url(), None);
    let proxy = Proxy::start(&config::proxy(&[own, KEEP.to_owned()]));
    let mut client = Client::connect(proxy.forward_url());
    for path in ["/a?b=c", "/d", "/e?f=g%20h"] {
        let head = format!("GET {METASV}{path} HTTP/1.1\r\nHost: apiv2.metasv.com\r\n");
        let own = "Cookie: mine\r\nX-Api-Key: mine\r\nAccept: text/plain\r\n\r\n";
        assert_eq!(client.exchange(format!("{head}{own}")).status, 401);
    }
    proxy.await_line("the provider rejected the request", 2);
    let all = page(&proxy, "/requests");
    let paths: Vec<_> = all.as_array().expect("a list").iter().map(|one| &one["path"]).collect();
    assert_eq!(paths, ["/e", "/d"], "the oldest has made room");
    let id = all[0]["id"].as_str().expect("an id");
    let (done, said) = why(&proxy, &[id, "--json"]);
    assert!(done, "{said}");
    let told: Value = serde_json::from_str(&said).expect("JSON");
    // As it arrived at the provider.
    let arrived = origin.await_arrived(3).pop().expect("three came");
    let once = |name| arrived.once(name).expect("it is signed");
    let canonical = format!("/e_{}_{}", once("metasv-timestamp"), once("metasv-nonce"));
    assert_eq!(told["signed"]["texts"][0]["canonical"], canonical);
    assert_eq!(told["signed"]["target"], "/e?f=g%20h");
    assert_eq!(told["signed"]["moment_ms"].to_string(), once("metasv-timestamp"));
    assert_eq!(told["rejection"]["cause"], "key");
    let headers = told["signed"]["headers"].as_array().expect("a list");
    let has = |name: &str, value: &str, set: bool| headers.contains(&json!([name, value, set]));
    assert!(has("metasv-signature", once("metasv-signature"), true), "{said}");
    assert!(has("accept", "text/plain", false), "{said}");
    assert!(has("cookie", "(secret)", false) && has("x-api-key", "(secret)", false), "{said}");
    // For people; the latest, where none is named.
    let (done, said) = why(&proxy, &[]);
    let lines = [
        format!("request    {id}: GET apiv2.metasv.com/e, route metasv"),
        "outcome    rejected, status 401".to_owned(),
        format!("canonical  {canonical}"),
        "code       7".to_owned(),
    ];
    assert!(done && lines.iter().all(|line| said.contains(line)), "{said}");
    assert!(said.contains("cause      no request with the key SHA256:"), "{said}");
    let (done, said) = why(&proxy, &["no-such-id"]);
    assert!(!done && said.contains("no request no-such-id is held"), "{said}");
}

#[test]
fn doctor_names_the_clock_first() {
    let origin = Origin::start(Box::new(|_| {
        let mut answer = Answer::json(200, &json!({}));
        if let Answer::Whole { headers, .. } = &mut answer {
            headers.push(("Date".into(), "Thu, 01 Jan 2026 00:00:00 GMT".into()));
        }
        answer
    }));
    let proxy = Proxy::start(&config::proxy(&[config::metasv(&origin.url(), None)]));
    Client::connect(proxy.forward_url()).exchange(get(&format!("{METASV}/x")));
    let (_, said) = told(&proxy, "doctor", &["--runtime", "curl"]);
    let first = said.lines().next().expect("a line");
    assert!(first.starts_with("clock            metasv: the provider's is "), "{said}");
    let remedy = " s behind this machine's; set it by NTP, or write clock = \"provider\" below \
                  [routes.metasv]";
    assert!(first.ends_with(remedy), "{said}");
    assert!(said.contains("\ncurl "), "{said}");
}

#[test]
fn without_a_setting_only_rejections_are_held_and_not_what_was_signed() {
    let (refusing, accepting) = (origin(401), origin(200));
    let own = config::metasv(&refusing.url(), None);
    let other = config::sinohope(&accepting.url(), None);
    let proxy = Proxy::start(&config::proxy(&[own, other]));
    let mut client = Client::connect(proxy.forward_url());
    assert_eq!(client.exchange(get("http://api.sinohope.com/v1/x")).status, 200);
    assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 401);
    proxy.await_line("the provider rejected the request", 0);
    let all = page(&proxy, "/requests");
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    assert_eq!((&all[0]["route"], &all[0]["status"]), (&json!("metasv"), &json!(401)));
    let (done, said) = why(&proxy, &[]);
    assert!(done && said.contains("canonical  not held; with keep = 200"), "{said}");
}

#[test]
fn bodies_are_held_where_the_configuration_says_so() {
    let origin = origin(200);
    let own = config::sinohope(&origin.url(), None);
    let body = "{\"a\": 1}";
    for (line, held) in [("", Value::Null), ("bodies = true\n", json!(body))] {
        let proxy = Proxy::start(&config::proxy(&[own.clone(), format!("{KEEP}{line}")]));
        let request = post("http://api.sinohope.com/v1/x", body);
        assert_eq!(Client::connect(proxy.forward_url()).exchange(request).status, 200);
        let id = page(&proxy, "/requests")[0]["id"].as_str().expect("an id").to_owned();
        let told = page(&proxy, &format!("/request?id={id}"));
        assert_eq!((&told["signed"]["body"], &told["signed"]["body_length"]), (&held, &json!(8)));
        // sha256sum's.
        let sum = "f9d86028c6e0d64e225186f96acb69338b2c59764df79162107f5c4bb34d1310";
        assert_eq!(told["signed"]["body_sha256"], sum);
    }
}

#[test]
fn what_is_held_is_for_those_who_could_have_requests_signed() {
    let origin = origin(401);
    let own = config::metasv(&origin.url(), None);
    let proxy = Proxy::start(&config::proxy(from_ref(&own)));
    let statuses = |path: &str| {
        let url = format!("{}{path}", proxy.admin_url());
        let mut command = nobody();
        command.args(["curl", "--disable", "-s", "-o", "/dev/null", "-w", "%{http_code}", &url]);
        let theirs = String::from_utf8(run(&mut command).stdout).expect("text");
        (theirs, proxy.probe(path).status)
    };
    for path in ["/requests", "/request?id=x"] {
        let (theirs, ours) = statuses(path);
        assert_eq!(theirs, "403", "{path}");
        assert!([200, 404].contains(&ours), "{path}");
    }
    // With tokens, by a token.
    let home = Home::new(&config::proxy(&[own, config::TOKENS.to_owned()]));
    home.write(config::TOKENS_FILE, &config::client_tokens(&[("bot", "let-me-in")]));
    let proxy = Proxy::start_in(home, &[]);
    assert_eq!(proxy.probe("/requests").status, 407);
    let (done, said) = why(&proxy, &["x", "--token", "bot:let-me-in"]);
    assert!(!done && said.contains("no request x is held"), "{said}");
    let (done, said) = why(&proxy, &["x", "--token", "bot:wrong"]);
    assert!(!done && said.contains("407"), "{said}");
}
