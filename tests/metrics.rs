//! What is counted: by names and labels of the configuration, never by anything of a request.

use std::collections::BTreeSet;

use crate::support::client::Client;
use crate::support::origin::{Origin, echo};
use crate::support::stage::{METASV, SINOHOPE, Stage, get};

#[test]
fn signed_refused_and_passed_requests_are_counted_apart() {
    let other = Origin::start(echo());
    let stage = Stage::new("[access]\nunrouted = \"pass\"\n");
    let ask = |url: &str| stage.exchange(get(url)).status;
    for _ in 0..3 {
        assert_eq!(ask(&format!("{METASV}/x")), 200);
    }
    assert_eq!(ask(&format!("{SINOHOPE}/x")), 200);
    assert_eq!(ask(&format!("{METASV}/drop")), 502);
    assert_eq!(ask(&format!("{}/x", other.url())), 200);
    assert_eq!(ask(&format!("{}/x", other.url())), 200);
    assert_eq!(ask("http://api.sinohope.com:8080/x"), 403);
    let requests = |route: &str, outcome: &str| {
        format!("countersign_requests_total{{route=\"{route}\",outcome=\"{outcome}\"}}")
    };
    let expected = [
        (requests("metasv", "signed"), 3),
        (requests("sinohope", "signed"), 1),
        (requests("metasv", "refused"), 1),
        (requests("-", "passed"), 2),
        (requests("-", "refused"), 1),
        (requests("metasv", "passed"), 0),
        (requests("-", "signed"), 0),
        ("countersign_refusals_total{code=\"upstream_closed\"}".to_owned(), 1),
        ("countersign_refusals_total{code=\"host_not_routed\"}".to_owned(), 1),
        ("countersign_sign_seconds_count{key=\"metasv\"}".to_owned(), 4),
        ("countersign_sign_seconds_count{key=\"sinohope\"}".to_owned(), 1),
        ("countersign_upstream_seconds_count{route=\"metasv\"}".to_owned(), 3),
        ("countersign_upstream_seconds_count{route=\"-\"}".to_owned(), 2),
    ];
    for (name, value) in expected {
        stage.proxy.await_metric(&name, value);
    }
}

#[test]
fn every_metric_has_a_name_a_kind_and_a_line_of_help() {
    let stage = Stage::new("");
    // A family without a member is not shown.
    assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
    assert_eq!(stage.exchange(get("http://unrouted.test/x")).status, 403);
    stage.proxy.reload(&stage.configuration(""), true);
    stage.proxy.await_metric("countersign_refusals_total{code=\"host_not_routed\"}", 1);
    let reply = stage.proxy.probe("/metrics");
    let kind = reply.values("Content-Type");
    assert_eq!(kind, ["application/openmetrics-text; version=1.0.0; charset=utf-8"]);
    let text = String::from_utf8(reply.body).expect("metrics are text");
    for (name, kind) in [
        ("build", "info"),
        ("requests", "counter"),
        ("requests_open", "gauge"),
        ("refusals", "counter"),
        ("sign_seconds", "histogram"),
        ("upstream_seconds", "histogram"),
        ("reloads", "counter"),
        ("connections", "gauge"),
        ("tunnels", "gauge"),
        ("leaves_minted", "counter"),
    ] {
        assert!(text.contains(&format!("# TYPE countersign_{name} {kind}\n")), "{name}: {text}");
        assert!(text.contains(&format!("# HELP countersign_{name} ")), "{name}: {text}");
    }
    let version = format!("countersign_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    // The document has these, each by the name it is shown under, and no others.
    let shown: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        })
        .collect();
    let document = include_str!("../docs/deployment.md");
    let (_, document) = document.split_once("## Metrics and the log").expect("it has that part");
    let named = document.split('`').filter(|code| code.starts_with("countersign_"));
    assert_eq!(named.map(str::to_owned).collect::<BTreeSet<_>>(), shown);
}

#[test]
fn nothing_of_a_request_becomes_a_label() {
    let stage = Stage::new("");
    let canary = "canary";
    let requests = |number: usize| {
        [
            format!("{canary} {METASV}/x HTTP/1.1\r\nHost: h\r\n\r\n"),
            format!("GET {METASV}/{canary}{number} HTTP/1.1\r\nHost: h\r\n\r\n"),
            format!("GET {METASV}/x?{canary}={number} HTTP/1.1\r\nHost: {canary}\r\n\r\n"),
            format!("GET http://{canary}{number}.test/x HTTP/1.1\r\nHost: h\r\n\r\n"),
            format!("CONNECT {canary}{number}.test:443 HTTP/1.1\r\nHost: h\r\n\r\n"),
            format!("GET {METASV}/x HTTP/1.1\r\nHost: h\r\n{canary}{number}: {canary}\r\n\r\n"),
        ]
    };
    let host = stage.proxy.gateway_url().trim_start_matches("http://");
    let send = |number: usize| {
        for request in requests(number) {
            assert!(stage.exchange(request).status > 0);
        }
        let request = format!("GET /{canary}{number}/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(Client::connect(stage.proxy.gateway_url()).exchange(request).status, 404);
    };
    let total = "countersign_requests_total{route=\"-\",outcome=\"refused\"}";
    let names = || {
        let text = String::from_utf8(stage.proxy.probe("/metrics").body).expect("metrics are text");
        let name = |line: &str| line.rsplit_once(' ').map(|(name, _)| name.to_owned());
        text.lines().filter_map(name).collect::<Vec<_>>()
    };
    send(0);
    stage.proxy.await_metric(total, 3);
    let before = names();
    for number in 1..=5 {
        send(number);
    }
    stage.proxy.await_metric(total, 18);
    assert_eq!(names(), before, "other requests make no other series");
    assert!(before.iter().all(|name| !name.contains(canary)), "{before:?}");
}
