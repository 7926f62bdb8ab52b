//! Nonces as they arrive: of several processes with one key, after a kill, with the clock set back,
//! and where no state can be kept.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::declared::route;
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Answer, Origin, echo};
use crate::support::process::refused_start;
use crate::support::proxy::{Proxy, Signal, countersign};
use crate::support::stage::{METASV, get, post};
use crate::support::under_test;
use crate::support::verify::Arrived;

const KEY: &str =
    "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";

/// MetaSV, whose nonces repeat in no ten minutes, and Kraken, whose nonces increase; `ordered` is a
/// line of the latter's route.
pub(crate) fn home(origin: &Origin, tables: &str, ordered: &str) -> Home {
    let kraken = route("kraken", "hmac_sha512", &["api_key"], &origin.url());
    let kraken = kraken.replace("scheme = \"kraken\"", &format!("scheme = \"kraken\"\n{ordered}"));
    let secret = "[secrets.api_key]\nstore = \"files\"\nentry = \"api_key\"\n";
    let metasv = config::metasv(&origin.url(), None);
    let home = Home::new(&config::proxy(&[tables.into(), secret.into(), kraken, metasv]));
    home.write("kraken.toml", include_str!("../schemes/kraken.toml"));
    home.write("keys/kraken.secret", KEY);
    home.write("keys/api_key", "the-api-key");
    home
}

/// A proxy whose state is in this directory.
fn start(home: Home, state: &Path) -> Proxy {
    Proxy::start_in(home, &[("XDG_STATE_HOME", &state.to_string_lossy())])
}

/// Whose clock is so many seconds late.
fn start_late(home: Home, state: &Path, seconds: f64) -> Proxy {
    let library = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .map(|machine| format!("/usr/lib/{machine}/faketime/libfaketimeMT.so.1"));
    let library = library.iter().find(|path| Path::new(path).exists());
    let library = library.expect("libfaketime is installed: scripts/setup-tests");
    let variables = [
        ("XDG_STATE_HOME", &*state.to_string_lossy()),
        ("LD_PRELOAD", library),
        ("FAKETIME", &format!("-{seconds:.3}s")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    Proxy::start_in(home, &variables)
}

const METASV_GET: fn() -> String = || get(&format!("{METASV}/x"));
pub(crate) const KRAKEN_POST: fn() -> String =
    || post("http://kraken.test/0/private/X", "a=1").replace("\r\n\r\n", FORM);
const FORM: &str = "\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n";

/// Sends so many requests on so many connections to each proxy at once; all are answered 200.
fn send(proxies: &[&Proxy], request: fn() -> String, connections: usize, each: usize) {
    thread::scope(|scope| {
        for url in proxies.iter().flat_map(|proxy| vec![proxy.forward_url(); connections]) {
            scope.spawn(move || {
                let mut client = Client::connect(url);
                for _ in 0..each {
                    client.send(request());
                    let reply = client.reply();
                    assert_eq!(reply.status, 200, "{reply:?}");
                }
            });
        }
    });
}

fn metasv_nonces(arrived: &[Arrived]) -> Vec<u64> {
    let nonces = arrived.iter().filter_map(|request| request.once("MetaSV-Nonce").ok());
    nonces.map(|nonce| nonce.parse().expect("a number")).collect()
}

pub(crate) fn kraken_nonces(arrived: &[Arrived]) -> Vec<u64> {
    let bodies = arrived.iter().filter_map(|request| std::str::from_utf8(&request.body).ok());
    let nonces = bodies.filter_map(|body| body.split('&').find_map(|f| f.strip_prefix("nonce=")));
    nonces.map(|nonce| nonce.parse().expect("a number")).collect()
}

fn unique(nonces: &[u64]) -> usize {
    nonces.iter().collect::<HashSet<_>>().len()
}

#[test]
fn two_proxies_with_one_key_repeat_no_nonce() {
    let origin = Origin::start(echo());
    let state = tempfile::tempdir().expect("a directory");
    let one = start(home(&origin, "", ""), state.path());
    let other = start(home(&origin, "", ""), state.path());
    send(&[&one, &other], METASV_GET, 2, 750);
    let metasv = metasv_nonces(&origin.arrived());
    assert_eq!((metasv.len(), unique(&metasv)), (3_000, 3_000));
    send(&[&one, &other], KRAKEN_POST, 2, 250);
    let kraken = kraken_nonces(&origin.arrived());
    assert_eq!((kraken.len(), unique(&kraken)), (1_000, 1_000));
    assert_eq!(one.metric("countersign_nonces_unkept"), 0);
}

#[test]
fn state_files_are_their_owners_and_hold_numbers_alone() {
    let origin = Origin::start(echo());
    let home = home(&origin, "", "");
    let proxy = start(home.clone(), &home.path("kept"));
    send(&[&proxy], METASV_GET, 1, 3);
    send(&[&proxy], KRAKEN_POST, 1, 3);
    let directory = home.path("kept/countersign");
    let mode = |path: &Path| fs::metadata(path).expect("it was made").permissions().mode() & 0o7777;
    assert_eq!(mode(&directory), 0o700);
    let ready = proxy.probe("/readyz").json();
    let keys = ready["self_tested_keys"].as_array().expect("a list").iter();
    let prints: Vec<_> = keys.map(|key| key["fingerprint"].as_str().unwrap_or_default()).collect();
    let mut named = 0;
    for file in fs::read_dir(&directory).expect("it was made") {
        let path = file.expect("it is listed").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        let print = name.split('.').next().unwrap_or_default().replace('_', "/");
        let own = |shown: &&&str| shown.replace(':', "-") == print;
        assert!(prints.iter().any(|shown| own(&shown)), "{name} of {prints:?}");
        named += 1;
        // Two numbers, and the system's name for its own start.
        let text = fs::read_to_string(&path).expect("it is text");
        let number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let boot = |word: &str| {
            word.len() == 36 && word.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
        };
        assert!(text.split_whitespace().all(|word| number(word) || boot(word)), "{name}: {text:?}");
        assert!(text.split_whitespace().count() >= 2, "{name}: {text:?}");
    }
    assert_eq!(named, 2);
}

#[test]
fn ordered_requests_of_two_proxies_arrive_with_nonces_that_increase() {
    let origin = Origin::start(echo());
    let state = tempfile::tempdir().expect("a directory");
    let one = start(home(&origin, "", "ordered = true"), state.path());
    let other = start(home(&origin, "", "ordered = true"), state.path());
    send(&[&one, &other], KRAKEN_POST, 3, 60);
    let nonces = kraken_nonces(&origin.arrived());
    assert_eq!(nonces.len(), 360);
    assert!(nonces.is_sorted_by(|one, next| one < next), "{nonces:?}");
}

#[test]
fn a_kill_and_a_clock_set_back_repeat_nothing_and_nothing_goes_back() {
    let origin = Origin::start(echo());
    let state = tempfile::tempdir().expect("a directory");
    let started = Instant::now();
    let first = start(home(&origin, "", ""), state.path());
    send(&[&first], METASV_GET, 2, 300);
    send(&[&first], KRAKEN_POST, 1, 50);
    first.signal(Signal::Kill);
    // Its successor lives through the same seconds, and the next begins an hour earlier.
    for (late, requests) in [(None, 300), (Some(3_600.0), 20)] {
        let late = late.unwrap_or_else(|| started.elapsed().as_secs_f64());
        let next = start_late(home(&origin, "", ""), state.path(), late);
        send(&[&next], METASV_GET, 2, requests);
        send(&[&next], KRAKEN_POST, 1, 50);
        next.signal(Signal::Kill);
    }
    let (metasv, kraken) = (metasv_nonces(&origin.arrived()), kraken_nonces(&origin.arrived()));
    assert_eq!((metasv.len(), unique(&metasv)), (1_240, 1_240));
    assert_eq!(kraken.len(), 150);
    assert!(kraken.is_sorted_by(|one, next| one < next), "{kraken:?}");
    let times = origin.arrived();
    let times: Vec<u64> = times
        .iter()
        .filter_map(|request| request.once("MetaSV-Timestamp").ok()?.parse().ok())
        .collect();
    assert!(times[1_239] + 3_000_000 < times[0], "the clock was not set back: {times:?}");
}

#[test]
fn where_no_state_can_be_kept_requests_go_on_and_it_is_said_once() {
    let origin = Origin::start(echo());
    let nowhere = [("XDG_STATE_HOME", ""), ("HOME", ""), ("STATE_DIRECTORY", "")];
    for (tables, said) in [
        ("", "neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME is set"),
        ("[nonces]\nstate = \"kraken.toml/x\"\n", "kraken.toml/x cannot be made"),
        ("[nonces]\nstate = \"/proc/none\"\n", "/proc/none cannot be made"),
    ] {
        let proxy = Proxy::start_in(home(&origin, tables, "ordered = true"), &nowhere);
        send(&[&proxy], METASV_GET, 1, 5);
        send(&[&proxy], KRAKEN_POST, 1, 5);
        assert_eq!(proxy.metric("countersign_nonces_unkept"), 2, "{tables}");
        proxy.await_output(said);
        let output = proxy.output();
        assert_eq!(output.matches("nonces begin with the clock or at random").count(), 1);
    }
    assert_eq!(unique(&kraken_nonces(&origin.arrived())), 15);
}

#[test]
fn a_named_state_that_others_may_write_stops_the_start() {
    let origin = Origin::start(echo());
    let home = home(&origin, "[nonces]\nstate = \"open\"\n", "");
    std::fs::create_dir(home.path("open")).expect("a directory");
    let status = Command::new("chmod").args(["0777"]).arg(home.path("open")).status();
    assert!(status.expect("chmod runs").success());
    let (code, output) = refused_start(&home);
    assert_eq!(code, Some(78), "{output}");
    let path = home.path("proxy.toml").display().to_string();
    let check = countersign(&["check", &path]);
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    for output in [&output, &said] {
        assert!(output.contains("nonces.state: ") && output.contains("chmod o-w"), "{output}");
    }
}

#[test]
fn those_who_send_nothing_keep_nothing_and_say_what_order_needs() {
    let origin = Origin::start(echo());
    for (ordered, warnings) in [("", 1), ("ordered = true", 0)] {
        let home = home(&origin, "[nonces]\nstate = \"state\"\n", ordered);
        let path = home.path("proxy.toml").display().to_string();
        let url = "http://kraken.test/0/private/X";
        let form = "Content-Type: application/x-www-form-urlencoded";
        let explain =
            ["explain", &path, "--method", "POST", "--url", url, "--header", form, "--body", "a=1"];
        for arguments in [&["check", &path][..], &["check", "--without-keys", &path], &explain] {
            let output = countersign(arguments);
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let expected = if arguments[0] == "check" { warnings } else { 0 };
            assert_eq!(said.matches("nonce window").count(), expected, "{arguments:?}: {said}");
        }
        assert!(!home.path("state").exists());
    }
}

#[test]
fn ordered_needs_a_key() {
    let origin = Origin::start(echo());
    let home = home(&origin, "", "");
    let token = "[secrets.token]\nstore = \"files\"\nentry = \"api_key\"\n[routes.token]\n\
                 host = \"token.test\"\nscheme = \"metasv\"\nsecrets = { token = \"token\" }\n\
                 ordered = true\n";
    let text = std::fs::read_to_string(home.path("proxy.toml")).expect("it is there");
    home.write("proxy.toml", &format!("{text}{token}"));
    let output = countersign(&["check", &home.path("proxy.toml").display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("routes.token: ordered is true, and no key of it signs"), "{said}");
}

#[test]
fn whose_turn_does_not_come_is_refused_and_sends_nothing() {
    let held = Answer::Held(Box::new(Answer::json(200, &serde_json::json!({}))));
    let origin = Origin::start(Box::new(move |_| held.clone()));
    let state = tempfile::tempdir().expect("a directory");
    let slow = start(home(&origin, "", "ordered = true"), state.path());
    let hasty = "[timeouts]\nresponse_head = \"200ms\"\n";
    let hasty = start(home(&origin, hasty, "ordered = true"), state.path());
    let mut first = Client::connect(slow.forward_url());
    first.send(KRAKEN_POST());
    origin.await_arrived(1);
    let refused = Client::connect(hasty.forward_url()).exchange(KRAKEN_POST());
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("turn_timeout")));
    assert_eq!(refused.values("Retry-After"), ["1"]);
    assert_eq!(origin.arrived().len(), 1);
    origin.release();
    assert_eq!(first.reply().status, 200);
    assert_eq!(Client::connect(hasty.forward_url()).exchange(KRAKEN_POST()).status, 200);
}

#[test]
fn exec_keeps_what_run_keeps() {
    let origin = Origin::start(echo());
    let home = home(&origin, "", "");
    let state = home.path("kept");
    for _ in 0..2 {
        let mut exec = Command::new(under_test());
        exec.args(["exec", "--config", "proxy.toml", "--", "curl", "--fail", "--silent"]);
        exec.args(["--data", "a=1", "http://kraken.test/0/private/X"]);
        exec.current_dir(home.path(".")).env("XDG_STATE_HOME", &state);
        let output = exec.output().expect("the binary runs");
        assert!(output.status.success(), "{output:?}");
    }
    let names = std::fs::read_dir(state.join("countersign")).expect("it was made");
    let names = names.map(|file| file.expect("a file").file_name().into_string().expect("text"));
    let names: Vec<_> = names.collect();
    let ends = |end: &str| names.iter().any(|name| name.ends_with(end));
    assert!(ends(".ms") && ends(".lane-0") && names.len() == 2, "{names:?}");
    let nonces = kraken_nonces(&origin.arrived());
    assert!(nonces.len() == 2 && nonces[0] < nonces[1], "{nonces:?}");
}
