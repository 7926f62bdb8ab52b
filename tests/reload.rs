//! SIGHUP: another configuration takes the place of the first while requests are under way, and a
//! bad one changes nothing.

mod load;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::client::Client;
use crate::support::config;
use crate::support::origin::{Handler, Origin, verifying};
use crate::support::proxy::{Proxy, Signal};
use crate::support::stage::{METASV, Stage, get};
use crate::support::vectors::{load, text};
use crate::support::verify::{Clock, MetaSv};
use crate::support::wait::{DEADLINE, eventually};

#[test]
fn keys_change_under_load_and_no_request_is_lost() {
    let accepted = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let origin = Origin::start(either_key(Arc::clone(&accepted)));
    let first = config::proxy(&[config::metasv(&origin.url(), None)]);
    let second = first.replace("metasv.hex", "metasv.wif");
    let proxy = Proxy::start(&first);
    let (url, over) = (proxy.forward_url().to_owned(), AtomicBool::new(false));
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::connect(&url);
                while !over.load(Ordering::Relaxed) {
                    let reply = client.exchange(get(&format!("{METASV}/x")));
                    if reply.status != 200 {
                        failures.lock().expect("no client panicked").push(reply.json());
                        return;
                    }
                }
            });
        }
        let reloads = || {
            for turn in 1..=10 {
                let new = turn % 2;
                let seen = accepted[new].load(Ordering::Relaxed);
                proxy.reload(if new == 1 { &second } else { &first }, true);
                eventually("the other key signs", || {
                    accepted[new].load(Ordering::Relaxed) > seen + 3
                });
            }
        };
        // The clients must end also when this fails.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(reloads));
        over.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|why| std::panic::resume_unwind(why));
    });
    let failures = failures.into_inner().expect("no client panicked");
    assert!(failures.is_empty(), "{failures:?}");
    // The tenth turn was back to the first key.
    let before = accepted[1].load(Ordering::Relaxed);
    let mut client = Client::connect(proxy.forward_url());
    assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 200);
    assert_eq!(accepted[1].load(Ordering::Relaxed), before, "the second key is out of use");
    assert_eq!(proxy.metric("countersign_reloads_total{result=\"ok\"}"), 10);
}

/// MetaSV with both keys of the vectors registered; counts what each has signed.
fn either_key(accepted: Arc<[AtomicUsize; 2]>) -> Handler {
    let vectors = load("metasv");
    let key =
        |name: &str| text(&vectors, &format!("/keys/{name}/public_key_compressed_hex")).to_owned();
    let verifiers =
        [key("test-a"), key("test-b")].map(|key| MetaSv::signature(&key, Clock::Running));
    verifying(move |request| {
        let first = verifiers[0].check(request);
        let (at, result) = match first {
            Ok(found) => (0, Ok(found)),
            Err(_) => (1, verifiers[1].check(request)),
        };
        if result.is_ok() {
            accepted[at].fetch_add(1, Ordering::Relaxed);
        }
        result
    })
}

#[test]
fn routes_come_and_go_with_a_reload() {
    let stage = Stage::new("");
    let mut client = stage.client();
    let url = "http://other.test/x";
    assert_eq!(client.exchange(get(url)).status, 403);
    let route = "[routes.other]\nhost = \"other.test\"\nscheme = \"metasv\"\n\
                 keys = { signer = \"metasv\" }\nupstream = \"metasv_origin\"\n";
    stage.proxy.reload(&stage.configuration(route), true);
    // Requests of a connection that is open already take the new one, too.
    assert_eq!(client.exchange(get(url)).status, 200);
    stage.proxy.reload(&stage.configuration(""), true);
    assert_eq!(client.exchange(get(url)).status, 403);
    assert_eq!(stage.origin.arrived().len(), 1);
}

#[test]
fn a_bad_configuration_changes_nothing_and_says_why() {
    let stage = Stage::new("");
    let good = stage.configuration("");
    let table = [
        (good.replace("sinohope.pem", "missing.pem"), "missing.pem"),
        (good.replace("scheme = \"metasv\"", "scheme = \"metasvv\""), "metasvv"),
        (format!("{good}\n[nonsense]\n"), "nonsense"),
        (good.replace("host = \"apiv2.metasv.com\"", "host = 7"), "host"),
        ("[listen".to_owned(), "proxy.toml:1"),
    ];
    let mut client = stage.client();
    for (number, (bad, named)) in table.iter().enumerate() {
        let before = stage.proxy.output().len();
        stage.proxy.reload(bad, false);
        let said = stage.proxy.output()[before..].to_owned();
        assert!(said.contains("ERROR") && said.contains(named), "{named}: {said}");
        assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 200, "{named}");
        let failed = stage.proxy.metric("countersign_reloads_total{result=\"failed\"}");
        assert_eq!(failed, number as u64 + 1);
        assert_eq!(stage.proxy.probe("/readyz").status, 200);
    }
    stage.proxy.reload(&good, true);
    assert_eq!(stage.proxy.metric("countersign_reloads_total{result=\"ok\"}"), 1);
}

/// Where the tables alone are compared, a key that was replaced under its name is "nothing".
#[test]
fn a_reload_names_what_has_changed_also_in_files() {
    let stage = Stage::new("");
    let said = |number: usize| stage.proxy.await_line(": reloaded", number);
    stage.proxy.reload(&stage.configuration("[limits]\nsigned_body = \"2KiB\"\n"), true);
    assert!(said(0).contains("changed=\"limits\""), "{}", said(0));
    let home = stage.proxy.home();
    std::fs::copy(home.path("keys/metasv.wif"), home.path("keys/metasv.hex")).expect("it is there");
    stage.proxy.reload(&stage.configuration("[limits]\nsigned_body = \"2KiB\"\n"), true);
    assert!(said(1).contains("changed=\"keys.metasv (another key)\""), "{}", said(1));
    stage.proxy.reload(&stage.configuration("[limits]\nsigned_body = \"2KiB\"\n"), true);
    assert!(said(2).contains("changed=\"nothing\""), "{}", said(2));
}

#[test]
fn upstream_connections_live_through_a_reload_that_leaves_them_alone() {
    let stage = Stage::new("");
    let mut client = stage.client();
    let mut ask = || assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 200);
    ask();
    assert_eq!(stage.origin.connections(), 1);
    // Another limit is another configuration, and the same way to the provider.
    stage.proxy.reload(&stage.configuration("[limits]\nsigned_body = \"2KiB\"\n"), true);
    ask();
    assert_eq!(stage.origin.connections(), 1);
    // Another deadline for connections makes them others; those of before are closed.
    stage.proxy.reload(&stage.configuration("[timeouts]\nconnect = \"7s\"\n"), true);
    ask();
    assert_eq!(stage.origin.connections(), 2);
    eventually("the first connection is closed", || stage.origin.open() == 1);
}

#[test]
fn what_takes_a_restart_is_named_by_a_reload_that_changes_it() {
    let stage = Stage::new("");
    let plain = stage.configuration("");
    let changed = [
        ("listen.forward", plain.replace("forward = \"127.0.0.1:0\"", "forward = \"127.0.0.1:1\"")),
        ("listen.gateway", plain.replace("gateway = \"127.0.0.1:0\"\n", "")),
        ("listen.admin", plain.replace("admin = \"127.0.0.1:0\"", "admin = \"127.0.0.1:1\"")),
        ("nonces.replica", stage.configuration("[nonces]\nreplica = \"2/2\"\n")),
        ("nonces.state", stage.configuration("[nonces]\nstate = \"elsewhere\"\n")),
        // The table changes as one.
        ("shared.redis", stage.configuration("[shared]\nredis = \"redis://127.0.0.1:1/0\"\n")),
        ("limits.connections", stage.configuration("[limits]\nconnections = 7\n")),
        ("limits.tunnels", stage.configuration("[limits]\ntunnels = 7\n")),
        ("process.sandbox", stage.configuration("[process]\nsandbox = \"off\"\n")),
        ("process.lock_memory", stage.configuration("[process]\nlock_memory = true\n")),
        ("process.runtime", stage.configuration("[process]\nruntime = \"work_stealing\"\n")),
        ("process.read", stage.configuration("[process]\nread = [\"elsewhere\"]\n")),
        ("process.write", stage.configuration("[process]\nwrite = [\"elsewhere\"]\n")),
        ("log.format", stage.configuration("[log]\nformat = \"json\"\n")),
    ];
    let warnings = || stage.proxy.output().matches("takes a restart").count();
    for (number, (name, config)) in changed.iter().enumerate() {
        stage.proxy.reload(config, true);
        assert_eq!(warnings(), number + 1, "{config}");
        assert!(stage.proxy.output().contains(&format!("{name} has changed")), "{name}");
    }
    // The document names these and no others.
    let document = include_str!("../docs/configuration.md");
    let mut named = BTreeSet::new();
    let mut table = "";
    for line in document.lines() {
        let cells: Vec<&str> = line.split(" | ").collect();
        match line.strip_prefix("## [").and_then(|rest| rest.strip_suffix(']')) {
            Some(title) => table = title,
            None if cells.get(3) == Some(&"restart") => {
                let setting = cells[0].trim_matches(['|', ' ', '`']);
                let setting = if table == "shared" { "redis" } else { setting };
                named.insert(format!("{table}.{setting}"));
            }
            None => {}
        }
    }
    assert_eq!(named, changed.iter().map(|(name, _)| (*name).to_owned()).collect());
    let host = stage.proxy.gateway_url().trim_start_matches("http://");
    let request = format!("GET /metasv/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
    assert_eq!(Client::connect(stage.proxy.gateway_url()).exchange(request).status, 200);
    // What is as it was at the start needs no warning.
    stage.proxy.reload(&plain, true);
    assert_eq!(warnings(), changed.len());
}

#[test]
fn readiness_lists_the_keys_and_routes_that_are_live() {
    let stage = Stage::new("");
    let listed = |member: &str| {
        let state = stage.proxy.probe("/readyz").json();
        state[member].as_array().expect("it is a list").clone()
    };
    let names = |keys: Vec<serde_json::Value>| -> Vec<String> {
        keys.iter().map(|key| key["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(names(listed("self_tested_keys")), ["metasv", "sinohope"]);
    let digest = || stage.proxy.probe("/readyz").json()["configuration"].clone();
    let (before, was) = (listed("self_tested_keys")[0]["fingerprint"].clone(), digest());
    assert!(before.as_str().is_some_and(|print| print.starts_with("SHA256:")), "{before}");
    let other = stage.configuration("").replace("metasv.hex", "metasv.wif");
    stage.proxy.reload(&other, true);
    assert_ne!(listed("self_tested_keys")[0]["fingerprint"], before);
    assert_ne!(digest(), was);
    // What takes a restart is not in use, so it is not in what is said to be.
    stage.proxy.reload(&stage.configuration("[nonces]\nreplica = \"2/2\"\n"), true);
    assert_eq!(digest(), was);
    assert_eq!(listed("routes"), ["metasv", "sinohope"]);
}

#[test]
fn a_request_under_way_keeps_the_configuration_it_began_with() {
    let stage = Stage::new("");
    let mut client = stage.client();
    client.send(get(&format!("{METASV}/held")));
    stage.origin.await_arrived(1);
    let gone = config::proxy(&[config::sinohope(&stage.origin.url(), None)]);
    stage.proxy.reload(&gone, true);
    assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 403);
    stage.origin.release();
    assert_eq!(client.reply().status, 200);
}

#[test]
fn a_hangup_while_stopping_does_no_harm() {
    let mut stage = Stage::new("");
    let mut client = stage.client();
    client.send(get(&format!("{METASV}/held")));
    stage.origin.await_arrived(1);
    stage.proxy.signal(Signal::Terminate);
    stage.proxy.await_output("stopping");
    stage.proxy.signal(Signal::Hangup);
    stage.origin.release();
    assert_eq!(client.reply().status, 200);
    drop(client);
    assert!(stage.proxy.wait_exit(DEADLINE).success());
}
