//! Chromium itself, on pages that try whatever a page can.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::alone::alone;
use crate::support::doors::Doors;
use crate::support::origin::{Answer, Origin};
use crate::support::wait::eventually;

/// What a page does to have something fetched; `{}` is the URL.
const TRIALS: [(&str, &str); 14] = [
    ("img", "<img src='{}'>"),
    ("script", "<script src='{}'></script>"),
    ("style", "<link rel=stylesheet href='{}'>"),
    ("frame", "<iframe src='{}'></iframe>"),
    ("object", "<object data='{}'></object>"),
    ("video", "<video src='{}' autoplay></video>"),
    ("prefetch", "<link rel=prefetch href='{}'>"),
    (
        "form",
        "<form action='{}' target=none></form><iframe name=none></iframe><script>document.forms[0].submit()</script>",
    ),
    ("fetch", "<script>fetch('{}', {mode: 'no-cors'}).catch(() => 0)</script>"),
    (
        "bare",
        "<script>fetch('{}', {mode: 'no-cors', referrerPolicy: 'no-referrer'}).catch(() => 0)</script>",
    ),
    (
        "mute",
        "<script>fetch('{}', {mode: 'no-cors', headers: {'Accept-Language': ''}}).catch(() => 0)</script>",
    ),
    ("cors", "<script>fetch('{}').catch(() => 0)</script>"),
    (
        "post",
        "<script>fetch('{}', {mode: 'no-cors', method: 'POST', body: 'x'}).catch(() => 0)</script>",
    ),
    ("beacon", "<script>navigator.sendBeacon('{}', 'x')</script>"),
];

/// Where a page can send them: the proxy's setting, plain and in TLS, and the gateway, by an address
/// and by a name, for which browsers say less.
const WAYS: [&str; 4] = ["http", "https", "loopback", "named"];

#[test]
fn no_page_in_chromium_has_a_request_signed() {
    let name = "browser::chromium::no_page_in_chromium_has_a_request_signed";
    alone(name, &[], || {
        let access =
            "[access]\norigins = [\"http://wallet.example\"]\nhosts = [\"gateway.example\"]\n";
        let doors = Doors::new("", access);
        let gateway = doors.proxy.gateway_url().to_owned();
        let mut expected = BTreeSet::new();
        for policy in ["referrer", "no-referrer"] {
            for way in WAYS {
                expected.extend(TRIALS.map(|(trial, _)| format!("/{policy}/{way}/{trial}")));
            }
            expected.insert(format!("/{policy}/http/socket"));
        }
        let pages = Origin::start(Box::new(move |asked| page(&asked.target, &gateway)));
        let _chromium = Chromium::start(&doors, &pages);
        let mut missing = expected.clone();
        eventually("Chromium asks for the page", || pages.begun() > 0);
        while !missing.is_empty() {
            let before = missing.len();
            eventually(&format!("refusals of {missing:?}"), || {
                let written = doors.proxy.output();
                let refused = written.lines().filter(|line| line.contains("cross_site"));
                let paths = refused.flat_map(|line| line.split([' ', '"']).filter_map(path_of));
                let seen: BTreeSet<_> = paths.collect();
                missing.retain(|path| !seen.contains(path));
                missing.len() < before
            });
        }
        // That of an allowed origin, from the same browser, is.
        eventually("the wallet's request is signed", || !doors.origin.arrived().is_empty());
        let arrived = doors.origin.arrived();
        let targets: Vec<_> = arrived.iter().map(|one| one.target.as_str()).collect();
        assert_eq!((targets, expected.len()), (vec!["/wallet"], 114));
    });
}

/// The path in a line of the log, which may stand behind `path=`.
fn path_of(word: &str) -> Option<String> {
    let word = word.trim_start_matches("path=");
    word.starts_with('/').then(|| word.to_owned())
}

/// The pages: a first one with a frame for each of the others, which do what they can. What is refused
/// is logged to twenty lines a second, so that the attempts take turns: a page has those of one policy
/// and one way, and is followed by the next.
fn page(target: &str, gateway: &str) -> Answer {
    let body = match (target, target.strip_prefix("/turn/").map(str::parse)) {
        ("/", _) => {
            let frame = |url: &&str| format!("<iframe src='{url}'></iframe>");
            ["http://evil.example/turn/0", WALLET].iter().map(frame).collect()
        }
        ("/wallet", _) => {
            "<script>fetch('http://apiv2.metasv.com/wallet').catch(() => 0)</script>".to_owned()
        }
        (_, Some(Ok(turn))) => attempts(turn, gateway),
        _ => String::new(),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}");
    Answer::Raw(format!("{head}\r\n\r\n{body}").into())
}

const WALLET: &str = "http://wallet.example/wallet";

fn attempts(turn: usize, gateway: &str) -> String {
    let turns = 2 * WAYS.len();
    let (policy, way) =
        (["referrer", "no-referrer"][turn / WAYS.len() % 2], WAYS[turn % WAYS.len()]);
    let meta = if policy == "referrer" { "unsafe-url" } else { "no-referrer" };
    let next = (turn + 1) % turns;
    let mut page = format!(
        "<meta name=referrer content={meta}><meta http-equiv=refresh content='3; url=/turn/{next}'>"
    );
    let base = match way {
        "http" | "https" => format!("{way}://apiv2.metasv.com"),
        "loopback" => format!("{gateway}/metasv"),
        _ => "http://gateway.example/metasv".to_owned(),
    };
    for (trial, html) in TRIALS {
        let html = html.replace("{}", &format!("{base}/{policy}/{way}/{trial}"));
        // Each form is the first of a document of its own.
        let html =
            if trial == "form" { format!("<iframe srcdoc=\"{html}\"></iframe>") } else { html };
        page.push_str(&html);
    }
    let socket = format!("ws://apiv2.metasv.com/{policy}/http/socket");
    let socket = if way == "http" { format!("new WebSocket('{socket}')") } else { String::new() };
    page + &format!("<script>{socket}</script>")
}

/// The browser, with all of its processes; killed when dropped.
struct Chromium {
    child: Child,
    _profile: TempDir,
}

impl Chromium {
    fn start(doors: &Doors, pages: &Origin) -> Self {
        let profile = TempDir::new().expect("a directory can be made");
        let at = |url: &str| url.trim_start_matches("http://").to_owned();
        let (pages, gateway) = (at(&pages.url()), at(doors.proxy.gateway_url()));
        let rules = format!(
            "--host-resolver-rules=MAP evil.example:80 {pages}, MAP wallet.example:80 {pages}, \
             MAP gateway.example:80 {gateway}"
        );
        let mut command = Command::new("chromium");
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // Of the authority; whom it trusts is nothing to the guard.
            "--ignore-certificate-errors",
            "--remote-debugging-port=0",
            "--proxy-bypass-list=evil.example;wallet.example;gateway.example",
        ]);
        command.arg(format!("--proxy-server={}", doors.proxy.forward_url())).arg(rules);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.env("HOME", profile.path()).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.arg("http://evil.example/").spawn();
        let child = child
            .unwrap_or_else(|why| panic!("cannot run chromium ({why}): run scripts/setup-tests"));
        Self { child, _profile: profile }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        // Fails only where all have ended already.
        let _ended = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _reaped = self.child.wait();
    }
}
