//! A provider rejects what the proxy signed: the log says why, most likely; and time stamps can go
//! by the provider's clock.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::config;
use crate::support::origin::{Answer, Handler, Origin};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, get};
use crate::why::why;

/// What a provider answers next, and how many seconds its clock is before ours.
#[derive(Clone)]
struct Provider {
    answer: Arc<Mutex<Answer>>,
    ahead: Arc<AtomicI64>,
}

impl Provider {
    fn new() -> (Self, Origin) {
        let own = Self { answer: Arc::new(Mutex::new(ok())), ahead: Arc::default() };
        let shown = own.clone();
        let handler: Handler = Box::new(move |_| {
            let answer = shown.answer.lock().expect("nobody panics with it").clone();
            dated(answer, shown.ahead.load(Ordering::Relaxed))
        });
        (own, Origin::start(handler))
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().expect("nobody panics with it") = answer;
    }
}

fn ok() -> Answer {
    Answer::json(200, &json!({}))
}

/// With a Date so many seconds from now.
fn dated(mut answer: Answer, ahead: i64) -> Answer {
    if let Answer::Whole { headers, .. } = &mut answer {
        headers.push(("Date".into(), httpdate::fmt_http_date(there(ahead))));
    }
    answer
}

#[expect(clippy::disallowed_methods, reason = "the provider has a clock of its own")]
fn there(ahead: i64) -> SystemTime {
    let (now, by) = (SystemTime::now(), Duration::from_secs(ahead.unsigned_abs()));
    if ahead < 0 { now - by } else { now + by }
}

fn ask(proxy: &Proxy, requests: usize) {
    let mut client = Client::connect(proxy.forward_url());
    (0..requests).for_each(|_| drop(client.exchange(get(&format!("{METASV}/x?a=1")))));
}

const REJECTED: &str = "the provider rejected the request";

fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) =
        line.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("{name}: {line}"));
    rest.trim_start_matches('"').split(['"', ' ']).next().expect("there is a value")
}

/// The log's line of a rejection; `why` and the page say the same.
fn explained(proxy: &Proxy, number: usize) -> String {
    let line = proxy.await_line(REJECTED, number);
    let (done, said) = why(proxy, &["--json"]);
    let told: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{done} {said}"));
    let page = proxy.probe(&format!("/show?id={}", told["id"].as_str().expect("an id")));
    let told = &told["rejection"];
    let page = String::from_utf8_lossy(&page.body).into_owned();
    for part in ["Why it was rejected", told["cause"].as_str().expect("a cause")] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for name in ["cause", "certainty", "fingerprint", "clock_offset_ms"] {
        let said = told[name].to_string();
        assert_eq!(said.trim_matches('"'), field(&line, name), "{name}: {line}");
    }
    line
}

#[test]
fn the_log_names_the_first_likely_cause() {
    let (provider, origin) = Provider::new();
    let own = config::metasv(&origin.url(), None);
    let proxy = Proxy::start(&config::proxy(std::slice::from_ref(&own)));
    let denied = Answer::json(401, &json!({ "code": 4010, "message": "no" }));
    // Nothing was accepted yet.
    provider.answers(denied.clone());
    ask(&proxy, 1);
    let line = explained(&proxy, 0);
    assert_eq!(field(&line, "cause"), "key", "{line}");
    assert!(line.contains(" WARN ") && line.contains("provider_code=\"4010\""), "{line}");
    assert!(field(&line, "fingerprint").starts_with("SHA256:"), "{line}");
    let ours: i64 = field(&line, "clock_offset_ms").parse().expect("a number");
    assert!(ours.abs() < 2_000, "{line}");
    // Accepted, and then not: a query that something behind us alters, say.
    provider.answers(ok());
    ask(&proxy, 2);
    provider.answers(denied.clone());
    ask(&proxy, 1);
    let line = explained(&proxy, 1);
    assert_eq!((field(&line, "cause"), field(&line, "certainty")), ("signature", "inferred"));
    assert!(line.contains("upstreams.metasv_origin stands between"), "{line}");
    // A 403 without a word.
    provider.answers(Answer::json(403, &json!({})));
    ask(&proxy, 1);
    assert_eq!(field(&explained(&proxy, 2), "cause"), "address");
    // The clocks part.
    provider.ahead.store(90, Ordering::Relaxed);
    provider.answers(ok());
    ask(&proxy, 4);
    proxy.await_output("this machine's clock and the provider's are more than");
    provider.answers(denied.clone());
    ask(&proxy, 1);
    let line = explained(&proxy, 3);
    assert_eq!(field(&line, "cause"), "clock", "{line}");
    let apart: i64 = field(&line, "clock_offset_ms").parse().expect("a number");
    assert!((88_900..=91_100).contains(&apart), "{line}");
    provider.ahead.store(0, Ordering::Relaxed);
    provider.answers(ok());
    ask(&proxy, 4);
    proxy.await_output("the clocks agree again");
    // Another key, which the provider does not know.
    let other = own.replace("metasv.hex", "metasv.wif");
    proxy.reload(&config::proxy(&[other]), true);
    provider.answers(denied);
    ask(&proxy, 1);
    let line = explained(&proxy, 4);
    assert_eq!(field(&line, "cause"), "key", "{line}");
    assert!(line.contains("before it were"), "{line}");
    // The code is none of those that the scheme knows.
    for (status, code, cause, count) in [
        (401, "other", "key", 2),
        (401, "other", "signature", 1),
        (403, "-", "address", 1),
        (401, "other", "clock", 1),
    ] {
        let labels = format!(
            "route=\"metasv\",status=\"{status}\",provider_code=\"{code}\",cause=\"{cause}\""
        );
        proxy.await_metric(&format!("countersign_rejections_total{{{labels}}}"), count);
    }
    let outcome = "countersign_requests_total{route=\"metasv\",outcome=\"rejected\"}";
    proxy.await_metric(outcome, 5);
    proxy.await_line(": rejected", 4);
}

#[test]
fn a_code_that_the_scheme_knows_is_a_rejection_and_others_are_none() {
    let (provider, origin) = Provider::new();
    let proxy = Proxy::start(&config::proxy(&[config::sinohope(&origin.url(), None)]));
    let body = |code: u64| json!({ "code": code, "msg": "x", "success": false }).to_string();
    let coded = |text: String| {
        let headers = vec![("Content-Encoding".to_owned(), "br".to_owned())];
        Answer::Whole { status: 401, headers, body: text.into_bytes() }
    };
    let long = format!("{{\"code\":1008,\"msg\":\"{}\"}}", "x".repeat(5_000));
    let pieces = |text: String| text.into_bytes().chunks(9).map(<[u8]>::to_vec).collect();
    // What is answered → the cause in the log, or nothing.
    let table: [(Answer, Option<&str>); 7] = [
        (Answer::json(200, &json!({ "code": 1008, "data": null })), Some("address")),
        (Answer::json(200, &json!({ "code": 1006 })), None),
        (Answer::Chunked { pieces: pieces(body(1002)), trailers: Vec::new() }, Some("nonce")),
        (Answer::json(400, &json!({ "code": 1004 })), Some("key")),
        (Answer::json(400, &json!({ "code": 9 })), None),
        // What cannot be read is judged by its status alone.
        (coded(body(1008)), Some("signature")),
        (Answer::Whole { status: 200, headers: Vec::new(), body: long.into_bytes() }, None),
    ];
    let mut client = Client::connect(proxy.forward_url());
    let mut rejected = 0;
    for (number, (answer, cause)) in table.into_iter().enumerate() {
        provider.answers(answer);
        let reply = client.exchange(get(&format!("http://api.sinohope.com/v1/x?n={number}")));
        assert!(!reply.body.is_empty() && reply.status >= 200);
        if let Some(cause) = cause {
            let line = proxy.await_line(REJECTED, rejected);
            assert_eq!(field(&line, "cause"), cause, "{line}");
            rejected += 1;
        }
    }
    let requests =
        |outcome| format!("countersign_requests_total{{route=\"sinohope\",outcome=\"{outcome}\"}}");
    proxy.await_metric(&requests("signed"), 3);
    proxy.await_metric(&requests("rejected"), 4);
    for (status, code, cause) in [(200, "1008", "address"), (400, "1004", "key")] {
        let labels = format!(
            "route=\"sinohope\",status=\"{status}\",provider_code=\"{code}\",cause=\"{cause}\""
        );
        proxy.await_metric(&format!("countersign_rejections_total{{{labels}}}"), 1);
    }
}

/// Accepts time stamps within 30 s of its own clock, which is ahead by so many seconds.
fn strict(ahead: Arc<AtomicI64>, probes: Arc<AtomicUsize>) -> Handler {
    Box::new(move |request| {
        let ahead = ahead.load(Ordering::Relaxed);
        if request.method == "HEAD" {
            probes.fetch_add(1, Ordering::Relaxed);
            let signed = !request.values("MetaSV-Timestamp").is_empty();
            return dated(Answer::json(if signed { 500 } else { 404 }, &json!({})), ahead);
        }
        let stamp = request.values("MetaSV-Timestamp").first().copied().expect("it is signed");
        let stamp: i64 = stamp.parse().expect("milliseconds");
        let own =
            there(ahead).duration_since(SystemTime::UNIX_EPOCH).expect("it is later").as_millis();
        let off = stamp - i64::try_from(own).expect("it is small");
        let status = if off.abs() <= 30_000 { 200 } else { 401 };
        dated(Answer::json(status, &json!({ "off": off })), ahead)
    })
}

#[test]
fn time_stamps_go_by_the_providers_clock_where_the_route_says_so() {
    let ahead = Arc::new(AtomicI64::new(90));
    let probes = Arc::new(AtomicUsize::new(0));
    let origin = Origin::start(strict(Arc::clone(&ahead), Arc::clone(&probes)));
    let own = config::metasv(&origin.url(), None);
    let proxy = Proxy::start(&config::proxy(std::slice::from_ref(&own)));
    let statuses = |requests: usize| {
        let mut client = Client::connect(proxy.forward_url());
        let mut one = || client.exchange(get(&format!("{METASV}/x"))).status;
        (0..requests).map(|_| one()).collect::<Vec<_>>()
    };
    assert_eq!(statuses(2), [401, 401]);
    let by_provider =
        own.replace("scheme = \"metasv\"", "scheme = \"metasv\"\nclock = \"provider\"");
    proxy.reload(&config::proxy(std::slice::from_ref(&by_provider)), true);
    // What was heard before the reload is known.
    assert_eq!(statuses(3), [200; 3]);
    assert_eq!(probes.load(Ordering::Relaxed), 0);
    // One that was never heard of is asked first, once, without a signature.
    let fresh = Proxy::start(&config::proxy(&[by_provider]));
    let mut client = Client::connect(fresh.forward_url());
    let replies: Vec<_> = (0..3).map(|_| client.exchange(get(&format!("{METASV}/x")))).collect();
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert_eq!(probes.load(Ordering::Relaxed), 1);
    // A Date that is an hour off is nobody's clock: time stamps go by this machine's again.
    ahead.store(3_600, Ordering::Relaxed);
    let replies: Vec<_> = (0..5).map(|_| client.exchange(get(&format!("{METASV}/x")))).collect();
    let last = replies.last().expect("there are some").json();
    let off = last["off"].as_i64().expect("a number");
    assert!((off + 3_600_000).abs() < 2_000, "{last}");
}
