//! The log when nobody reads it: lines of what was sent are never lost, nothing is sent that would
//! have none, and a flood of refusals takes nothing from either.

mod json;
mod levels;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, echo};
use crate::support::proxy::{Proxy, Signal};
use crate::support::stage::{METASV, get};
use crate::support::under_test;
use crate::support::wait::DEADLINE;
use crate::wiring::deadlines::later;

/// A proxy whose standard error is a pipe that is read when the test wants it.
struct Unread {
    origin: Origin,
    proxy: Proxy,
    pipe: File,
}

impl Unread {
    fn start(tables: &str) -> Self {
        let origin = Origin::start(echo());
        let tables = [config::metasv(&origin.url(), None), tables.to_owned()];
        let home = Home::new(&config::proxy(&tables));
        let fifo = home.path("log");
        let made = Command::new("mkfifo").arg(&fifo).status().expect("mkfifo can be run");
        assert!(made.success(), "{}", fifo.display());
        // Whoever opens one end waits for the other.
        let opened = opened(&fifo);
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 2>log"]).arg(under_test());
        let proxy = Proxy::start_by(command, home, &[]);
        let pipe = opened.recv_timeout(DEADLINE).expect("the pipe is opened");
        Self { origin, proxy, pipe }
    }

    fn client(&self) -> Client {
        Client::connect(self.proxy.forward_url())
    }

    /// Stops the proxy and reads everything it has written.
    fn finish(self) -> (Origin, String) {
        let Self { origin, mut proxy, mut pipe } = self;
        let reader = thread::spawn(move || {
            let mut written = String::new();
            pipe.read_to_string(&mut written).expect("the log is text");
            written
        });
        proxy.signal(Signal::Interrupt);
        assert!(proxy.wait_exit(DEADLINE).success());
        (origin, reader.join().expect("the reader read"))
    }
}

fn opened(fifo: &Path) -> Receiver<File> {
    let (sender, receiver) = channel();
    let fifo = fifo.to_owned();
    thread::spawn(move || sender.send(File::open(fifo).expect("the pipe can be opened")));
    receiver
}

/// The lines of requests that were signed, whatever came of them.
fn signed(written: &str) -> Vec<&str> {
    let of_request = |line: &&str| line.contains("countersign::request: ");
    written.lines().filter(of_request).filter(|line| line.contains("sign_us=")).collect()
}

fn number(line: &str, field: &str) -> usize {
    let (_, value) = line.split_once(&format!(" {field}=")).expect("the line has the field");
    value.split(' ').next().and_then(|value| value.parse().ok()).expect("it is a number")
}

/// Where lines of refusals take the place of others, a client that is refused hides what another
/// has had signed.
#[test]
fn a_flood_of_refusals_takes_no_line_from_a_signed_request() {
    let stalled = Unread::start("");
    let long = "x".repeat(16_000);
    let flood = |count: usize, path: &str| {
        let mut client = stalled.client();
        for _ in 0..count {
            let reply = client.exchange(get(&format!("http://unrouted.test/{path}")));
            assert_eq!(reply.status, 403);
        }
    };
    // More than the log holds, were these written whole and one by one; and what is left of it.
    flood(300, &long);
    flood(100, "x");
    for number in 0..50 {
        let reply = stalled.client().exchange(get(&format!("{METASV}/{number}?{long}")));
        assert_eq!(reply.status, 200);
    }
    let reply = stalled.client().exchange(get(&format!("{METASV}/{long}")));
    assert_eq!(reply.status, 200);
    let (origin, written) = stalled.finish();
    assert_eq!(origin.arrived().len(), 51);
    let lines = signed(&written);
    assert_eq!(lines.len(), 51, "{}", lines.join("\n"));
    for number in 0..50 {
        let path = format!(" path=/{number} ");
        assert_eq!(lines.iter().filter(|line| line.contains(&path)).count(), 1, "{number}");
    }
    let cut = format!(" path=/{}… ", "x".repeat(255));
    assert_eq!(lines.iter().filter(|line| line.contains(&cut)).count(), 1);
    // Each refusal has its line or is counted in another.
    let refused: Vec<_> =
        written.lines().filter(|line| line.contains("code=\"host_not_routed\"")).collect();
    let (counts, own): (Vec<_>, Vec<_>) =
        refused.into_iter().partition(|line| line.contains(" count="));
    let counted: usize = counts.iter().map(|line| number(line, "count")).sum();
    assert_eq!(own.len() + counted, 400, "{}", counts.join("\n"));
    assert!(!counts.is_empty() && own.iter().all(|line| line.len() < 700), "{}", own.join("\n"));
}

/// Where the queue has no end, memory has; where it ends and requests are signed all the same, lines
/// are lost.
#[test]
fn a_log_that_nobody_reads_stops_signing_and_no_request_that_was_sent_is_missing_in_it() {
    let stalled = Unread::start("[timeouts]\nlog = \"50ms\"\n");
    let path = "x".repeat(256);
    let (mut client, mut sent) = (stalled.client(), 0);
    let refused = loop {
        let reply = client.exchange(get(&format!("{METASV}/{path}")));
        if reply.status != 200 {
            break reply;
        }
        sent += 1;
        assert!(sent < 10_000, "nothing stops it");
    };
    assert!(sent > 1_000, "only {sent} fitted");
    let problem = refused.json();
    assert_eq!((refused.status, &problem["code"]), (503, &"log_stalled".into()), "{problem}");
    assert_eq!(refused.values("Retry-After"), ["1"]);
    assert_eq!(stalled.origin.arrived().len(), sent, "what is refused is not sent");
    // Those that are not signed need no line that is certain.
    assert_eq!(stalled.client().exchange(get("http://unrouted.test/")).status, 403);
    // One that waits is sent when somebody reads.
    stalled.proxy.home().write("proxy.toml", &patient(&stalled));
    stalled.proxy.signal(Signal::Hangup);
    stalled.proxy.await_metric("countersign_reloads_total{result=\"ok\"}", 1);
    client.send(get(&format!("{METASV}/late")));
    stalled.proxy.await_metric("countersign_requests_open", 1);
    // Longer than by itself.
    later(6);
    assert_eq!(stalled.origin.arrived().len(), sent, "it waits");
    let waiting = thread::spawn(move || client.reply().status);
    let (origin, written) = {
        let Unread { origin, proxy, mut pipe } = stalled;
        // More than the queue holds beyond what is certain.
        let mut first = vec![0; 512 << 10];
        pipe.read_exact(&mut first).expect("there is so much");
        assert_eq!(waiting.join().expect("the client read"), 200);
        let (origin, rest) = Unread { origin, proxy, pipe }.finish();
        (origin, String::from_utf8_lossy(&first).into_owned() + &rest)
    };
    assert_eq!(origin.arrived().len(), sent + 1);
    assert_eq!(signed(&written).len(), sent + 1);
    assert!(written.contains("code=\"log_stalled\""));
}

/// The configuration with more patience.
fn patient(stalled: &Unread) -> String {
    let tables =
        [config::metasv(&stalled.origin.url(), None), "[timeouts]\nlog = \"10m\"\n".into()];
    config::proxy(&tables)
}

/// Where a reader that is gone is taken for one that has read.
#[test]
fn a_reader_that_leaves_and_another_that_comes_miss_no_line() {
    let Unread { origin, proxy, pipe } = Unread::start("");
    let mut client = Client::connect(proxy.forward_url());
    assert_eq!(client.exchange(get(&format!("{METASV}/1"))).status, 200);
    drop(pipe);
    // The log is written some milliseconds later: to nobody, for most of these.
    for number in 2..=200 {
        assert_eq!(client.exchange(get(&format!("{METASV}/{number}"))).status, 200);
    }
    let opened = opened(&proxy.home().path("log"));
    let pipe = opened.recv_timeout(DEADLINE).expect("the proxy has it open");
    let (_, written) = Unread { origin, proxy, pipe }.finish();
    for number in 2..=200 {
        let path = format!(" path=/{number} ");
        let lines = signed(&written).into_iter().filter(|line| line.contains(&path));
        assert_eq!(lines.count(), 1, "{number} in {written}");
    }
}

/// What SECURITY.md says of a line: nothing else of a request is in one.
#[test]
fn a_line_says_this_of_a_request_and_no_more() {
    let origin = Origin::start(echo());
    let home = Home::new(&config::proxy(&[
        config::metasv(&origin.url(), None),
        config::TOKENS.to_owned(),
    ]));
    home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken-canary")]));
    let mut proxy = Proxy::start_in(home, &[]);
    let path = format!("/{}", "p".repeat(300));
    let ask = |path: &str| {
        let request = format!(
            "POST {METASV}{path}?query-canary=1 HTTP/1.1\r\nHost: h\r\nX-Field: header-canary\r\n\
             Countersign-Token: t0ken-canary\r\nContent-Length: 11\r\n\r\nbody-canary"
        );
        Client::connect(proxy.forward_url()).exchange(request).status
    };
    assert_eq!((ask(&path), ask("/x")), (200, 200));
    let unknown = format!("{METASV}/y").replace("apiv2", "unrouted");
    assert_eq!(Client::connect(proxy.forward_url()).exchange(get(&unknown)).status, 407);
    let fields = |line: &str| -> Vec<String> {
        let (_, fields) = line.split_once(": ").expect("it has a message");
        let names = fields.split(' ').filter_map(|field| field.split_once('='));
        names.map(|(name, _)| name.to_owned()).collect()
    };
    let sent = "id peer client route method host path status bytes sign_us upstream_us total_us";
    let sent: Vec<_> = sent.split(' ').collect();
    for (number, shown) in [(0, &path[..256]), (1, "/x")] {
        let line = proxy.await_line("countersign::request: signed", number);
        assert_eq!(
            fields(line.split_once("countersign::request").expect("it has").1),
            sent,
            "{line}"
        );
        for field in ["peer=127.0.0.1 ", "client=\"app\" ", "route=\"metasv\" ", "method=POST "] {
            assert!(line.contains(field), "{field} in {line}");
        }
        assert!(line.contains(&format!(" path={shown} ")) || line.contains(shown), "{line}");
        assert!(!line.contains(&"p".repeat(257)), "{line}");
    }
    let line = proxy.await_line("countersign::request: refused", 0);
    let refused = "id peer route method host path status code detail bytes total_us";
    let refused: Vec<_> = refused.split(' ').collect();
    assert_eq!(
        fields(line.split_once("countersign::request").expect("it has").1),
        refused,
        "{line}"
    );
    let written = proxy.finish(DEADLINE);
    for secret in ["t0ken-canary", "query-canary", "header-canary", "body-canary"] {
        assert!(!written.contains(secret), "{secret}: {written}");
    }
}
