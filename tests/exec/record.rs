//! `exec --record`: signed requests as files, and what the commands that take them make of these.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};

use super::run::{Desk, err, out};
use crate::support::client::run;
use crate::support::origin::{Answer, Origin, providers};
use crate::support::stage::{METASV, SINOHOPE};
use crate::support::under_test;

/// A venue whose passphrase goes along, and an upstream for what is sent again.
fn tables(origin: &Origin, other: &Origin) -> String {
    format!(
        "[keys.venue]\nstore = \"files\"\nentry = \"venue.txt\"\nalgorithm = \"hmac_sha256\"\n\
         [secrets.venue_id]\nstore = \"files\"\nentry = \"venue.id\"\n\
         [secrets.venue_passphrase]\nstore = \"files\"\nentry = \"venue.pass\"\n\
         [upstreams.venue]\nurl = \"{}\"\n[upstreams.again]\nurl = \"{}\"\n\
         [routes.venue]\nhost = \"www.okx.com\"\nscheme = \"okx\"\nkeys = {{ signer = \"venue\" }}\n\
         secrets = {{ api_key = \"venue_id\", passphrase = \"venue_passphrase\" }}\n\
         upstream = \"venue\"\n",
        origin.url(),
        other.url(),
    )
}

#[test]
fn a_recorded_request_holds_is_explained_and_can_be_sent_again() {
    let venue = Origin::start(Box::new(|_| Answer::json(401, &json!({ "code": "50113" }))));
    let again = Origin::start(providers());
    let desk = Desk::new(&tables(&venue, &again));
    for (file, secret) in [("txt", SIGNER), ("id", ID), ("pass", PASSPHRASE)] {
        desk.home.write(&format!("keys/venue.{file}"), secret);
    }
    let script = format!(
        "curl -s '{METASV}/a?b=c'; \
         curl -s -d '{{\"n\": 1}}' -H 'content-type: application/json' {SINOHOPE}/v1/x; \
         curl -s -H 'Cookie: mine' http://www.okx.com/api/v5/account/balance; \
         curl -s -d streamed {METASV}/s"
    );
    let output = desk.run(&["--record", "seen", "--", "sh", "-c", &script]);
    assert!(output.status.success(), "{}", err(&output));
    assert!(err(&output).contains("in seen: 4 signed requests\n"), "{}", err(&output));
    let mut names: Vec<_> = fs::read_dir(desk.home.path("seen")).expect("it is there").collect();
    names.sort_by_key(|entry| entry.as_ref().expect("it is there").file_name());
    let files: Vec<String> = names
        .into_iter()
        .map(|entry| format!("seen/{}", entry.expect("it is there").file_name().display()))
        .collect();
    assert_eq!(
        files,
        [
            "seen/0001-metasv.har",
            "seen/0002-sinohope.har",
            "seen/0003-venue.har",
            "seen/0004-metasv.har"
        ]
    );
    let read = |file: &str| fs::read_to_string(desk.home.path(file)).expect("it is there");
    for file in &files {
        let mode = fs::metadata(desk.home.path(file)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
        for secret in [SIGNER, ID, PASSPHRASE, "mine"] {
            assert!(!read(file).contains(secret), "{file}");
        }
    }
    let command = |arguments: &[&str]| {
        let mut command = Command::new(under_test());
        let state = desk.home.path("state");
        run(command.args(arguments).current_dir(desk.home.path(".")).env("XDG_STATE_HOME", state))
    };
    // Each holds, though the venue's secrets are not in its file.
    for file in &files {
        let output = command(&["verify", "--file", file, "--json"]);
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let valid = told["valid"].as_bool().expect("it says so");
        // Of the venue's answer the code is in no record: that it rejected is.
        assert!(valid, "{file}: {told:#}");
    }
    // A wrong signature is said to be one, and shows nothing of what was put in the place of secrets.
    let record = read(&files[2]);
    let (before, rest) = record.split_once("\"ok-access-sign\"").expect("it is signed");
    let (name, rest) = rest.split_once("\"value\": \"").expect("it has a value");
    let other = if rest.starts_with('A') { "B" } else { "A" };
    let wrong = format!("{before}\"ok-access-sign\"{name}\"value\": \"{other}{}", &rest[1..]);
    desk.home.write("wrong.har", &wrong);
    let output = command(&["verify", "--file", "wrong.har"]);
    let said = format!("{}{}", out(&output), err(&output));
    assert!(!output.status.success() && said.contains("cause"), "{said}");
    for secret in [SIGNER, ID, PASSPHRASE] {
        assert!(!said.contains(secret), "{said}");
    }
    // The same canonical string as was signed, without being told when.
    let record: Value = serde_json::from_str(&read(&files[1])).expect("JSON");
    let own = &record["log"]["entries"][0]["_countersign"];
    let canonical = own["signed"]["texts"][0]["canonical"].as_str().expect("a text");
    let explained = command(&["explain", "--file", &files[1]]);
    assert!(out(&explained).contains(&format!("canonical  {canonical}\n")), "{}", out(&explained));
    assert_eq!(own["outcome"], "signed");
    // Sent again, it is signed anew, and the provider's own verifier accepts it.
    let output = command(&["replay", &files[1], "--upstream", "again"]);
    assert!(output.status.success() && out(&output).starts_with("HTTP/1.1 200"), "{output:?}");
    let first = desk.origin.await_arrived(3).remove(1);
    let second = again.await_arrived(1).remove(0);
    assert_eq!((&first.body, &first.target), (&second.body, &second.target));
    assert_ne!(first.once("biz-api-nonce").ok(), second.once("biz-api-nonce").ok());
    // What cannot be sent as it was is not sent.
    for (arguments, says) in [
        (
            ["replay", &files[3], "--upstream", "again"],
            "recorded without its body, which the scheme",
        ),
        (["replay", &files[1], "--upstream", "nowhere"], "name one of these: again, "),
    ] {
        let output = command(&arguments);
        assert!(!output.status.success() && err(&output).contains(says), "{output:?}");
    }
    assert_eq!(again.await_arrived(1).len(), 1);
    // Two records are not mixed.
    let output = desk.run(&["--record", "seen", "--", "true"]);
    assert!(!output.status.success() && err(&output).contains("has files in it"), "{output:?}");
    assert_eq!(desk.left(), [""; 0]);
}

const SIGNER: &str = "venue-secret-4b1d8e2f";
const ID: &str = "venue-id-7c90a1";
const PASSPHRASE: &str = "venue-passphrase-33f1";
