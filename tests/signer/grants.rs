//! What a signer gives to whom, as a raw request sees it, and the file it writes of it.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::proxy::Signal;
use crate::support::signer::{Signer, own_grant, user};
use crate::support::under_test;
use crate::support::wait::{DEADLINE, eventually};

use super::sandbox::ask;

const KEYS: &str = "[keys.sinohope]\nstore = \"files\"\nentry = \"sinohope.pem\"\n\
                    [keys.metasv]\nstore = \"files\"\nentry = \"metasv.hex\"\n\
                    algorithm = \"ecdsa_secp256k1\"\n";

/// A digest of nothing.
const DIGEST: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

pub(crate) fn body(algorithm: &str, route: Option<&str>) -> String {
    json!({ "algorithm": algorithm, "route": route, "digest": DIGEST }).to_string()
}

#[test]
fn a_grant_is_for_a_user_keys_algorithms_and_routes_and_every_use_is_written_down() {
    let home = Home::new("");
    let grants = format!(
        "[grants.own]\nuid = {0}\nkeys = [\"sinohope\"]\nroutes = [\"a\"]\nalgorithms = \
         [\"ecdsa_p256\"]\n[grants.other]\nuid = {1}\nkeys = [\"metasv\"]\n",
        user(),
        user() + 1
    );
    let signer = Signer::at_a_socket(&home, &grants, KEYS);
    let sign = |key: &str, body: &str| ask(&home, "POST", &format!("/v1/keys/{key}/sign"), body);
    let right = body("ecdsa_p256", Some("a"));
    for (key, body, status, code) in [
        ("sinohope", right.clone(), 200, ""),
        ("sinohope", body("ecdsa_p256", Some("b")), 403, "route_not_granted"),
        ("sinohope", body("ecdsa_p256", None), 403, "route_not_granted"),
        ("sinohope", body("ecdsa_secp256k1", Some("a")), 403, "algorithm_not_granted"),
        ("metasv", body("ecdsa_secp256k1", Some("a")), 404, "no_such_key"),
        ("absent", right.clone(), 404, "no_such_key"),
        ("sinohope", "{}".into(), 400, "bad_request"),
        ("sinohope", "x".repeat(2 << 20), 413, "too_long"),
    ] {
        let (found, answer) = sign(key, &body);
        assert_eq!((found, answer["error"].as_str().unwrap_or("")), (status, code), "{answer}");
    }
    let (status, answer) = ask(&home, "GET", "/v1/keys/metasv", "");
    assert_eq!((status, answer["error"].as_str()), (404, Some("no_such_key")));
    let lines = signer.audit();
    let told = |line: &Value| (line["route"].clone(), line["outcome"].clone());
    let told: Vec<_> = lines.iter().map(told).collect();
    let expected = [
        (json!("a"), json!("signed")),
        (json!("b"), json!("route_not_granted")),
        (json!(null), json!("route_not_granted")),
        (json!("a"), json!("algorithm_not_granted")),
    ];
    assert_eq!(told, expected);
    assert_eq!(lines[0]["caller"], format!("uid {}", user()));
    assert_eq!(lines[0]["digest"], "01".repeat(32));
    signer.with(|process| process.finish(DEADLINE));
    let file = home.path("signer-audit.jsonl");
    let verified = Command::new(under_test()).args(["audit", "verify"]).arg(file).output();
    let verified = verified.expect("it can be run");
    assert!(String::from_utf8_lossy(&verified.stdout).starts_with("4 lines, chain whole"));
}

#[test]
fn a_rate_is_kept_and_a_reload_gives_other_keys() {
    let home = Home::new("");
    let grant = own_grant("sinohope");
    let signer = Signer::at_a_socket(&home, &format!("{grant}rate = 2\n"), KEYS);
    let sign = || ask(&home, "POST", "/v1/keys/sinohope/sign", &body("ecdsa_p256", None)).0;
    let statuses: Vec<_> = (0..20).map(|_| sign()).collect();
    assert_eq!(statuses[..2], [200, 200]);
    assert!(statuses.contains(&429), "{statuses:?}");

    let config = std::fs::read_to_string(home.path("signer.toml")).expect("it is there");
    let reload = |text: &str, line: &str| {
        let before = signer.output().matches(line).count();
        home.write("signer.toml", text);
        signer.with(|process| process.signal(Signal::Hangup));
        eventually(line, || signer.output().matches(line).count() > before);
    };
    reload(&config.replace("sinohope.pem", "absent.pem"), ": not reloaded");
    eventually("the old key signs", || sign() == 200);
    reload(
        &config.replace("rate = 2\n", "").replace("[\"sinohope\"]", "[\"metasv\"]"),
        ": reloaded",
    );
    assert_eq!(sign(), 404);
    let body = body("ecdsa_secp256k1", Some("any"));
    assert_eq!(ask(&home, "POST", "/v1/keys/metasv/sign", &body).0, 200);
}

#[test]
fn stores_that_need_what_was_given_up_are_refused() {
    let home = Home::new("");
    let socket = home.path("signer.sock").display().to_string();
    let config = |store: &str, entry: &str| {
        format!(
            "[signer]\nlisten = \"unix:{socket}\"\naudit = \"a.jsonl\"\n{}[stores.held]\n{store}\
             [keys.k]\nstore = \"held\"\nentry = \"{entry}\"\n",
            own_grant("k")
        )
    };
    for (store, what) in [
        ("kind = \"exec\"\ncommand = \"cat\"\n", "runs commands, which the signer's sandbox"),
        ("kind = \"ssh_agent\"\n", "signs elsewhere"),
        ("kind = \"remote\"\nurl = \"unix:/nowhere\"\n", "signs elsewhere"),
    ] {
        home.write("signer.toml", &config(store, "keys/sinohope.pem"));
        let output = Command::new(under_test())
            .args(["signer", "--check", "--config", "signer.toml"])
            .current_dir(home.path("."))
            .output()
            .expect("it can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains(what) && said.contains("signer.toml:"), "{said}");
    }
}
