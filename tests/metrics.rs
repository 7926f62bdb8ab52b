//! What is counted: by names and labels of the configuration, never by anything of a request.

use std::collections::{BTreeMap, BTreeSet};

use countersign::metrics::{LABELS, Metrics};

use crate::support::client::{Client, curl};
use crate::support::config::{self, INTERCEPT, PASS};
use crate::support::origin::{Origin, echo};
use crate::support::stage::{METASV, SINOHOPE, Stage, get, intercepting};

#[test]
fn signed_refused_and_passed_requests_are_counted_apart() {
    let other = Origin::start(echo());
    let stage = Stage::new(PASS);
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
        ("countersign_sign_seconds_count{route=\"metasv\",key=\"metasv\"}".to_owned(), 4),
        ("countersign_sign_seconds_count{route=\"sinohope\",key=\"sinohope\"}".to_owned(), 1),
        ("countersign_upstream_seconds_count{route=\"metasv\",key=\"metasv\"}".to_owned(), 3),
        ("countersign_upstream_seconds_count{route=\"-\",key=\"-\"}".to_owned(), 2),
    ];
    for (name, value) in expected {
        stage.proxy.await_metric(&name, value);
    }
}

#[test]
fn what_is_exposed_are_the_rows_of_the_document() {
    let tables = format!("{INTERCEPT}{}", config::cobo_rules("keygen = \"allow\""));
    let (stage, _) = intercepting(&tables);
    // A family without a member is not shown, so each gets one.
    assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
    assert_eq!(stage.exchange(get("http://unrouted.test/x")).status, 403);
    let another_key = "[keys.next]\nstore = \"files\"\nentry = \"metasv.wif\"\n\n\
                       [routes.metasv.next]\nkeys = { signer = \"next\" }\nfrom = \"2020-01-01T00:00:00Z\"\n";
    stage.proxy.reload(&stage.configuration(&format!("{tables}{another_key}")), true);
    assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 401);
    stage.proxy.await_metric("countersign_refusals_total{code=\"host_not_routed\"}", 1);
    let rejected = "countersign_rejections_total{route=\"metasv\",status=\"401\",provider_code=\"-\",cause=\"key\"}";
    stage.proxy.await_metric(rejected, 1);
    let reply = stage.proxy.probe("/metrics");
    let kind = reply.values("Content-Type");
    assert_eq!(kind, ["application/openmetrics-text; version=1.0.0; charset=utf-8"]);
    let text = String::from_utf8(reply.body).expect("metrics are text");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let metrics = Metrics::default();
    let mut shown = BTreeMap::new();
    for row in metrics.rows() {
        let family = row.name.trim_end_matches("_total").trim_end_matches("_info");
        let head = format!("# HELP {family} {}.\n# TYPE {family} {}\n", row.help, row.kind);
        let (_, series) = text.split_once(&head).unwrap_or_else(|| panic!("{head} in\n{text}"));
        let first = series.lines().next().expect("it is followed by its series");
        assert!(first.starts_with(&row.name), "{}: {first}", row.name);
        let labels: Vec<_> = names_of(first).filter(|name| *name != "le").collect();
        assert_eq!(labels, row.labels, "{first}");
        shown.insert(family, row.labels);
    }
    assert_eq!(text.matches("# TYPE ").count(), shown.len(), "{text}");
    let labels: BTreeSet<_> = shown.into_values().flatten().copied().collect();
    let described: BTreeSet<_> = LABELS.iter().map(|(name, _)| *name).chain(["outcome"]).collect();
    assert_eq!(labels, described, "each label has its values in the document");
}

/// The names of a series' labels.
fn names_of(series: &str) -> impl Iterator<Item = &str> {
    let inside = series.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let pairs = inside.map_or("", |(inside, _)| inside).split(',');
    pairs.filter_map(|pair| pair.split_once('=')).map(|(name, _)| name)
}

#[test]
fn what_can_be_told_without_a_request_is_there_from_the_start() {
    let (stage, ca) = intercepting(INTERCEPT);
    let url = format!("{}/metrics", stage.proxy.admin_url());
    let output = curl(["-s", "-i", "-H", "Accept: text/plain", &url]);
    let text = String::from_utf8(output.stdout).expect("metrics are text");
    assert!(text.contains("text/plain; version=0.0.4"), "{text}");
    assert!(text.contains("# TYPE countersign_requests_total counter\n"), "{text}");
    assert!(text.contains("# TYPE countersign_build_info gauge\n"), "{text}");
    assert!(!text.contains("# EOF"), "{text}");
    for zero in [
        "countersign_requests_total{route=\"metasv\",outcome=\"signed\"}",
        "countersign_requests_total{route=\"metasv\",outcome=\"rejected\"}",
        "countersign_requests_total{route=\"-\",outcome=\"refused\"}",
        "countersign_answers_total{route=\"sinohope\",status=\"5xx\"}",
        "countersign_upstream_seconds_count{route=\"metasv\",key=\"metasv\"}",
        "countersign_answers_cut_total{route=\"sinohope\"}",
        "countersign_reloads_total{result=\"failed\"}",
        "countersign_limit_used{limit=\"log\"}",
        "countersign_pooled_connections",
        "countersign_work_waiting",
        "countersign_sign_seconds_count{route=\"metasv\",key=\"metasv\"}",
    ] {
        assert!(text.contains(&format!("\n{zero} 0\n")), "{zero} in {text}");
    }
    let figure = |name: &str| -> i64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse().expect("a number")
    };
    // The vectors' authority lives for years; the process for a moment.
    assert!(figure("countersign_expires_seconds{what=\"ca\",name=\"-\"}") > 86_400);
    assert!((5..500).contains(&figure("countersign_process_open_fds")));
    assert!(figure("countersign_process_resident_memory_bytes") > 1 << 20);
    assert!(figure("countersign_last_reload_timestamp_seconds") > 1_700_000_000);
    assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
    stage.proxy.await_metric("countersign_answers_total{route=\"metasv\",status=\"2xx\"}", 1);
    stage.proxy.await_metric("countersign_pooled_connections", 1);
    // A leaf lives for a week, from when its host is asked for.
    let leaf = "countersign_expires_seconds{what=\"leaf\",name=\"-\"}";
    assert_eq!(stage.proxy.metric(leaf), 0);
    let host = "api.sinohope.com";
    let tunnel = Client::tunnel(stage.proxy.forward_url(), &format!("{host}:443"));
    drop(tunnel.secure(host, &ca).expect("the certificate is right"));
    assert!((6 * 86_400..=7 * 86_400).contains(&stage.proxy.metric(leaf)));
}

/// An answer that ends early is none of those that a client can use, whatever it is counted under.
#[test]
fn answers_that_are_cut_are_counted() {
    let stage = Stage::new("");
    let mut client = stage.client();
    client.send(get(&format!("{METASV}/truncate")));
    drop(client.try_reply());
    stage.proxy.await_metric("countersign_answers_cut_total{route=\"metasv\"}", 1);
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
