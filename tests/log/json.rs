//! `format = "json"`: whatever `run` writes, on either output, is an object a line.

use serde_json::Value;

use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::process::refused_start;
use crate::support::proxy::{Proxy, Signal};
use crate::support::stage::{METASV, Stage, get};
use crate::support::wait::DEADLINE;

const JSON: &str = "[log]\nformat = \"json\"\n";

/// The lines as objects, each of which says when, how much it matters, and what.
fn objects(written: &str) -> Vec<Value> {
    let object = |line: &str| {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        for member in ["timestamp", "level", "message"] {
            assert!(
                object[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member}: {line}"
            );
        }
        object
    };
    written.lines().map(object).collect()
}

/// One line of text among a thousand objects stops a collector that reads JSON.
#[test]
fn everything_that_a_run_writes_is_an_object_a_line() {
    let mut stage = Stage::new(JSON);
    let warned = stage.configuration(&format!("{JSON}[process]\nsandbox = \"off\"\n"));
    assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
    assert_eq!(stage.exchange(get("http://unrouted.test/x")).status, 403);
    assert_eq!(Client::connect(stage.proxy.forward_url()).exchange("nonsense\r\n\r\n").status, 400);
    stage.proxy.home().write("proxy.toml", "[listen");
    stage.proxy.signal(Signal::Hangup);
    stage.proxy.await_metric("countersign_reloads_total{result=\"failed\"}", 1);
    stage.proxy.home().write("proxy.toml", &warned);
    stage.proxy.signal(Signal::Hangup);
    stage.proxy.await_metric("countersign_reloads_total{result=\"ok\"}", 1);
    let all = objects(&stage.proxy.finish(DEADLINE));
    let said = |message: &str| all.iter().filter(|object| object["message"] == message).count();
    let counts =
        ["starting", "listening", "route", "key", "ready", "signed", "reloaded", "drained"];
    let counts = counts.map(|message| (message, said(message)));
    let wanted = [1, 3, 2, 2, 1, 1, 1, 1];
    assert_eq!(counts.map(|(_, count)| count), wanted, "{counts:?}");
    let key = all.iter().find(|object| object["message"] == "key").expect("it was counted");
    assert!(key["fingerprint"].as_str().is_some_and(|print| print.starts_with("SHA256:")), "{key}");
    let restart = |object: &&Value| {
        object["level"] == "WARN"
            && object["message"]
                .as_str()
                .is_some_and(|said| said.starts_with("process.sandbox has changed"))
    };
    assert_eq!(all.iter().filter(restart).count(), 1);
}

#[test]
fn a_start_that_fails_says_why_in_an_object() {
    let holder = Proxy::start(&config::proxy(&[config::metasv("http://127.0.0.1:9", None)]));
    let taken = holder.forward_url().trim_start_matches("http://");
    let listeners = config::LISTENERS.replacen("127.0.0.1:0", taken, 1);
    let metasv = config::metasv("http://127.0.0.1:9", None);
    let table = [
        (config::listening(&listeners, &[metasv.clone(), JSON.into()]), 1, "listen.forward"),
        (config::proxy(&[metasv.replace("metasv.hex", "no.hex"), JSON.into()]), 78, "no.hex"),
        (config::proxy(&[metasv, JSON.into(), "[nonsense]\n".into()]), 78, "nonsense"),
    ];
    for (text, code, named) in table {
        let (exit, written) = refused_start(&Home::new(&text));
        assert_eq!(exit, Some(code), "{written}");
        let all = objects(&written);
        let error = all.iter().find(|object| object["level"] == "ERROR");
        let error = error.unwrap_or_else(|| panic!("{written}"));
        assert!(error["message"].as_str().is_some_and(|said| said.contains(named)), "{written}");
    }
}
