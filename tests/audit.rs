//! The audit of signatures: what is sent stands in the file before, what came of it after, and what
//! cannot be written is not sent where that is asked for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cobo::{Party, ask};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Answer, Handler, Origin};
use crate::support::process::refused_start;
use crate::support::proxy::{Proxy, Signal, countersign};
use crate::support::stage::{METASV, get};
use crate::support::vectors::{load, text};
use crate::support::verify::{Clock, MetaSv};
use crate::support::wait::{DEADLINE, eventually};

/// A proxy that signs for MetaSV and writes it down.
fn configuration(origin: &str, file: &Path, required: bool) -> String {
    let audit = format!("[audit]\nfile = \"{}\"\nrequired = {required}\n", file.display());
    config::proxy(&[config::metasv(origin, None), audit])
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("there is a file");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn of_event(path: &Path, event: &str) -> Vec<Value> {
    let mut lines = lines(path);
    lines.retain(|line| line["event"] == event);
    lines
}

/// `audit verify`: whether it succeeded, and what it said.
fn verified(path: &Path, more: &[&str]) -> (bool, String) {
    let output = countersign(&[&["audit", "verify", &path.to_string_lossy()], more].concat());
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

/// The digest of what each request had signed, and the last line of the file when it arrived.
type Seen = Arc<Mutex<Vec<(String, Value)>>>;

/// An origin that verifies, and looks into the file when a request arrives.
fn looking(path: PathBuf, seen: Seen) -> Handler {
    let vectors = load("metasv");
    let key = text(&vectors, "/keys/test-a/public_key_compressed_hex").to_owned();
    let provider = MetaSv::signature(&key, Clock::Running);
    Box::new(move |request| {
        if request.path() == "/drop" {
            return Answer::HangUp;
        }
        if request.path() == "/held" {
            return Answer::Held(Box::new(Answer::json(200, &json!({}))));
        }
        let accepted = provider.check(request).expect("it is signed");
        let last = of_event(&path, "sending").pop().expect("it was written down before");
        seen.lock().expect("nobody panicked").push((sha256(&accepted.canonical), last));
        Answer::json(200, &json!({}))
    })
}

fn sha256(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A home, the path of its audit, and an origin that looks into it.
fn scene() -> (Home, PathBuf, Origin, Seen) {
    let home = Home::new("");
    let path = home.path("signatures.jsonl");
    let seen = Seen::default();
    let origin = Origin::start(looking(path.clone(), Arc::clone(&seen)));
    home.write("proxy.toml", &configuration(&origin.url(), &path, true));
    (home, path, origin, seen)
}

#[test]
fn what_is_sent_stands_in_the_file_before_and_what_came_of_it_after() {
    let (home, path, _origin, seen) = scene();
    let mut proxy = Proxy::start_in(home, &[]);
    for number in 0..3 {
        let reply =
            Client::connect(proxy.forward_url()).exchange(get(&format!("{METASV}/{number}")));
        assert_eq!(reply.status, 200);
    }
    assert_eq!(
        Client::connect(proxy.forward_url()).exchange(get(&format!("{METASV}/drop"))).status,
        502
    );
    // What is refused before it is signed is nothing here.
    assert_eq!(
        Client::connect(proxy.forward_url()).exchange(get("http://unrouted.test/")).status,
        403
    );
    let written = proxy.finish(DEADLINE);
    let seen = seen.lock().expect("nobody panicked");
    assert_eq!(seen.len(), 3);
    let fingerprint = written.lines().find_map(|line| line.split_once("ecdsa_secp256k1 "));
    let (_, fingerprint) = fingerprint.expect("the start says it");
    for (digest, line) in seen.iter() {
        let signature = json!([{ "key": "metasv", "fingerprint": fingerprint, "digest": digest }]);
        assert_eq!(line["signatures"], signature);
        assert_eq!((&line["route"], &line["peer"]), (&json!("metasv"), &json!("127.0.0.1")));
        assert!(line["client"].is_null() && line["time"].is_string(), "{line}");
        let id = line["id"].as_str().expect("an id");
        let logged = written.lines().find(|line| line.contains(&format!("id={id} ")));
        assert!(logged.is_some_and(|line| line.contains(": signed ")), "{id} in {written}");
        let over: Vec<_> =
            of_event(&path, "outcome").into_iter().filter(|line| line["id"] == id).collect();
        let [over] = &over[..] else { panic!("{over:?}") };
        assert_eq!((&over["outcome"], &over["status"]), (&json!("signed"), &json!(200)), "{over}");
    }
    assert_eq!((of_event(&path, "sending").len(), of_event(&path, "outcome").len()), (4, 4));
    let dropped = of_event(&path, "outcome").into_iter().find(|line| line["status"] == 502);
    let dropped = dropped.expect("the one that had no answer");
    let (refused, code) = (&dropped["outcome"], &dropped["code"]);
    assert_eq!((refused, code), (&json!("refused"), &json!("upstream_closed")));
    let (whole, said) = verified(&path, &[]);
    assert!(whole && said.starts_with("8 lines, chain whole") && !said.contains("note"), "{said}");
}

/// The head that the log has last of a file.
fn head(written: &str) -> String {
    let line = written.lines().rfind(|line| line.contains("head of the audit"));
    let (_, last) = line.and_then(|line| line.split_once(" last=")).expect("a head is logged");
    last.trim_matches('"').to_owned()
}

#[test]
fn a_file_that_was_cut_lacks_the_head_that_the_log_has() {
    let (home, path, _origin, _) = scene();
    let mut proxy = Proxy::start_in(home.clone(), &[]);
    proxy.await_output("head of the audit");
    let start = head(&proxy.output());
    assert_eq!(start, "0".repeat(64));
    assert_eq!(Client::connect(proxy.forward_url()).exchange(get(METASV)).status, 200);
    let last = head(&proxy.finish(DEADLINE));
    let (whole, said) = verified(&path, &["--head", &last]);
    assert!(whole && said.contains(&last), "{said}");
    let whole = fs::read_to_string(&path).expect("text");
    let (first, _) = whole.split_once('\n').expect("two lines");
    fs::write(&path, format!("{first}\n")).expect("a file");
    assert!(verified(&path, &[]).0, "what is left is a chain");
    let (found, said) = verified(&path, &["--head", &last]);
    assert!(!found && said.contains(&format!("no line has the hash {last}")), "{said}");
    // The next start says another head than the last end did.
    let proxy = Proxy::start_in(home, &[]);
    proxy.await_output("head of the audit");
    assert_ne!(head(&proxy.output()), last);
}

#[test]
fn what_cannot_be_written_is_not_sent_where_that_is_required() {
    let (home, path, origin, _) = scene();
    let proxy = Proxy::start_in(home, &[]);
    let ask = || Client::connect(proxy.forward_url()).exchange(get(METASV));
    assert_eq!(ask().status, 200);
    eventually("the outcome is written", || lines(&path).len() == 2);
    fs::remove_file(&path).expect("it is there");
    let refused = ask();
    let problem = refused.json();
    assert_eq!((refused.status, &problem["code"]), (503, &"audit_failed".into()), "{problem}");
    assert!(!problem.to_string().contains("signatures.jsonl"), "{problem}");
    assert_eq!(origin.arrived().len(), 1, "nothing was sent");
    proxy.await_output("not audited, so not sent: ");
    eventually("failures are counted", || proxy.metric("countersign_audit_failures_total") >= 1);
    assert_eq!(proxy.metric("countersign_audit_lines_total"), 2);
    // A reload goes on in a new file, with the chain.
    proxy.reload(&configuration(&origin.url(), &path, true), true);
    assert_eq!(ask().status, 200);
    eventually("the outcome is written", || lines(&path).len() == 2);
    assert_eq!(lines(&path)[0]["seq"], 3);
}

#[test]
fn what_cannot_be_written_is_sent_and_counted_where_nothing_is_required() {
    let (home, path, origin, _) = scene();
    home.write("proxy.toml", &configuration(&origin.url(), &path, false));
    let proxy = Proxy::start_in(home, &[]);
    let ask =
        || Client::connect(proxy.forward_url()).exchange(get(&format!("{METASV}/drop"))).status;
    assert_eq!(ask(), 502);
    eventually("both lines are written", || lines(&path).len() == 2);
    fs::remove_file(&path).expect("it is there");
    assert_eq!(ask(), 502);
    assert_eq!(origin.arrived().len(), 2, "it was sent");
    proxy.await_metric("countersign_audit_failures_total", 2);
    proxy.await_output("not audited: ");
}

#[test]
fn a_request_that_the_end_of_the_process_cut_off_has_an_entry_that_says_so() {
    let (home, path, origin, _) = scene();
    let proxy = Proxy::start_in(home.clone(), &[]);
    let mut client = Client::connect(proxy.forward_url());
    client.send(get(&format!("{METASV}/held")));
    origin.await_arrived(1);
    proxy.signal(Signal::Kill);
    drop(proxy);
    let [line] = &lines(&path)[..] else { panic!("one line") };
    let id = line["id"].as_str().expect("an id").to_owned();
    let note = format!("note: 1 request may have been sent, without an outcome: {id}\n");
    assert!(verified(&path, &[]).1.ends_with(&note), "{:?}", verified(&path, &[]));
    origin.release();
    // The next process goes on with the chain, and nobody says of the first what he does not know.
    let mut proxy = Proxy::start_in(home, &[]);
    assert_eq!(Client::connect(proxy.forward_url()).exchange(get(METASV)).status, 200);
    proxy.finish(DEADLINE);
    assert_eq!(lines(&path).len(), 3);
    assert!(verified(&path, &[]).1.ends_with(&note), "{:?}", verified(&path, &[]));
}

#[test]
fn an_answer_that_is_signed_is_written_down_too() {
    let home = Home::new("");
    let audit = "[audit]\nfile = \"signatures.jsonl\"\nrequired = true\n".to_owned();
    home.write("proxy.toml", &config::proxy(&[config::cobo_rules("keygen = \"allow\""), audit]));
    let proxy = Proxy::start_in(home, &[]);
    let package = r#"{"request_id":"k-1","request_type":1,"request_detail":"{}"}"#;
    let asked =
        || ask(proxy.gateway_url(), &format!("TSS_JWT_MSG={}", Party::node().seal(package)));
    assert_eq!(asked().status, 200);
    let path = proxy.home().path("signatures.jsonl");
    let sending = of_event(&path, "sending");
    assert_eq!((sending.len(), &sending[0]["route"]), (1, &json!("cobo")));
    assert_eq!(sending[0]["signatures"][0]["key"], "cobo_server");
    fs::remove_file(&path).expect("it is there");
    assert_eq!((asked().status, asked().json()["code"].clone()), (503, json!("audit_failed")));
}

/// Where a link is followed, whoever may write in the directory chooses which file of the proxy's user
/// is written to.
#[test]
fn no_audit_file_is_opened_through_a_symbolic_link() {
    let rules = config::cobo_rules("keygen = \"allow\"");
    let (metasv, audit) = (
        config::metasv("http://127.0.0.1:9", None),
        "[audit]\nfile = \"audit.jsonl\"\n".to_owned(),
    );
    for (place, tables) in [("decide:", &[rules][..]), ("audit:", &[metasv, audit][..])] {
        let home = Home::new(&config::proxy(tables));
        home.write("victim", "");
        symlink(home.path("victim"), home.path("audit.jsonl")).expect("a link");
        let (code, said) = refused_start(&home);
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains(place) && said.contains("is a symbolic link"), "{said}");
    }
}
