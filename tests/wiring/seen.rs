//! Settings that no capability's own tests look at.

use std::process::Command;

use serde_json::Value;

use crate::support::client::Client;
use crate::support::config::{self, INTERCEPT};
use crate::support::doors::Doors;
use crate::support::home::Home;
use crate::support::proxy::{Proxy, countersign};
use crate::support::stage::{METASV, SINOHOPE, Stage, get, intercepting};
use crate::support::under_test;
use crate::support::wait::DEADLINE;

/// Whether the leaf that is shown for a host is still good in so many seconds, as openssl finds it.
fn good_in(doors: &Doors, seconds: u32) -> bool {
    let proxy = doors.proxy.forward_url().trim_start_matches("http://");
    let script = format!(
        "openssl s_client -proxy {proxy} -connect apiv2.metasv.com:443 </dev/null 2>/dev/null \
         | openssl x509 -noout -checkend {seconds}"
    );
    let output = Command::new("sh").args(["-c", &script]).output().expect("sh can be run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with("Certificate will"), "{output:?}");
    output.status.success()
}

#[test]
fn a_leaf_lives_as_long_as_is_written() {
    let lifetime = |written: &str| INTERCEPT.replace("ca_cert", &format!("{written}ca_cert"));
    for (written, good, expired) in
        [("leaf_lifetime = \"2h\"\n", 7_000, 7_300), ("", 7 * 86_400 - 600, 7 * 86_400 + 60)]
    {
        let doors = Doors::intercepting(&lifetime(written));
        assert!(good_in(&doors, good) && !good_in(&doors, expired), "{written:?}");
    }
}

#[test]
fn as_many_leaves_are_kept_as_is_written() {
    for (written, minted) in [("leaf_cache = 1\n", 4), ("", 2)] {
        let (stage, ca) = intercepting(&INTERCEPT.replace("ca_cert", &format!("{written}ca_cert")));
        for host in ["apiv2.metasv.com", "api.sinohope.com"].repeat(2) {
            let tunnel = Client::tunnel(stage.proxy.forward_url(), &format!("{host}:443"));
            drop(tunnel.secure(host, &ca).expect("the certificate is right"));
        }
        assert_eq!(stage.proxy.metric("countersign_leaves_minted_total"), minted, "{written:?}");
    }
}

#[test]
fn the_log_has_the_level_and_the_form_that_are_written() {
    let written = |tables: &str| {
        let mut stage = Stage::new(tables);
        assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
        stage.proxy.finish(DEADLINE)
    };
    let text = written("");
    assert!(text.contains("countersign::request: signed id="), "{text}");
    let quiet = written("[log]\nlevel = \"warn\"\n");
    assert!(!quiet.contains("countersign::request"), "{quiet}");
    let json = written("[log]\nformat = \"json\"\n");
    let lines = json.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_request = |line: &Value| line["target"] == "countersign::request";
    let line = lines.into_iter().find(of_request).unwrap_or_else(|| panic!("{json}"));
    let fields = if line["fields"].is_object() { &line["fields"] } else { &line };
    assert_eq!((&fields["route"], &fields["status"]), (&"metasv".into(), &200.into()), "{line}");
}

#[test]
fn a_stores_passphrase_is_in_the_variable_that_is_written() {
    let stage = Stage::new("");
    let text = config::proxy(&[config::sinohope(&stage.origin.url(), None)]);
    let named = "dir = \"keys\"\npassphrase_env = \"SESAME\"";
    let home = Home::new(&text.replace("dir = \"keys\"", named));
    let mut command = Command::new(under_test());
    command.args(["keys", "encrypt", "--passphrase-env", "SESAME", "keys/sinohope.pem"]);
    let output = command.current_dir(home.path(".")).env("SESAME", "open").output();
    let output = output.expect("it can be run");
    assert!(output.status.success(), "{output:?}");
    let key = std::fs::read_to_string(home.path("keys/sinohope.pem")).expect("it is there");
    assert!(key.starts_with("-----BEGIN ENCRYPTED"), "{key}");
    let proxy = Proxy::start_in(home, &[("SESAME", "open")]);
    let reply = Client::connect(proxy.forward_url()).exchange(get(&format!("{SINOHOPE}/x")));
    assert_eq!(reply.status, 200);
}

#[test]
fn a_key_is_decoded_as_is_written() {
    let key = |name: &str, line: &str| {
        format!(
            "[keys.{name}]\nstore = \"files\"\nentry = \"{name}\"\nalgorithm = \"hmac_sha256\"\n{line}"
        )
    };
    let sinohope = config::sinohope("http://127.0.0.1:9", None);
    let tables = [sinohope, key("plain", ""), key("coded", "encoding = \"hex\"\n"), key("raw", "")];
    let home = Home::new(&config::proxy(&tables));
    // The secret, and how it is written elsewhere.
    for (name, text) in [
        ("plain", "the secret"),
        ("coded", "74686520736563726574"),
        ("raw", "74686520736563726574"),
    ] {
        home.write(&format!("keys/{name}"), text);
    }
    let output = countersign(&["check", &home.path("proxy.toml").display().to_string()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let print = |name: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}: ")));
        line.and_then(|line| line.split([' ', ',']).nth(1))
            .unwrap_or_else(|| panic!("{name}: {said}"))
    };
    assert_eq!(print("coded"), print("plain"));
    assert_ne!(print("raw"), print("plain"));
}
