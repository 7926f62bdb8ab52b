//! Keys that are made in a token or put into one: the same as elsewhere, once, and not to be taken out.

use std::process::Command;

use super::algorithms::ALGORITHMS;
use super::check;
use super::token::{PIN, SOFTHSM, Token, borrowed, hsm};
use crate::support::config;
use crate::support::home::Home;

/// The line of a key's fingerprint.
fn fingerprint(shown: &str) -> String {
    let line = shown.lines().find(|line| line.starts_with("fingerprint"));
    line.unwrap_or_else(|| panic!("{shown}")).to_owned()
}

/// A file with a key; secrets are shorter than every hash.
fn file(home: &Home, token: &Token, algorithm: &str) -> String {
    if algorithm.starts_with("hmac") {
        home.write("secret", "shorter");
        return "secret".into();
    }
    let bits: &[&str] = if algorithm.starts_with("rsa") { &["--bits", "2048"] } else { &[] };
    token.done(&[&["new", "--algorithm", algorithm, "--out", algorithm][..], bits].concat());
    algorithm.into()
}

#[test]
fn keys_go_into_a_token_once_and_are_the_same_there() {
    let route = config::sinohope("http://127.0.0.1:9", None);
    let table = |name| {
        format!("[keys.{name}]\nstore = \"hsm\"\nentry = \"{name}\"\nalgorithm = \"{name}\"\n")
    };
    let home = Home::new(&config::proxy(&[hsm(), route, ALGORITHMS.map(table).concat()]));
    let token = Token::new(&home);
    for algorithm in ALGORITHMS {
        let file = file(&home, &token, algorithm);
        let here = fingerprint(&token.done(&["show", &file, "--algorithm", algorithm]));
        let place = ["--store", "hsm", "--entry", algorithm, "--algorithm", algorithm];
        let import = [&["import", "--in", &file][..], &place].concat();
        // Of a MAC's key it is a MAC, so that the padded secret makes those of the one in the file.
        assert_eq!(fingerprint(&token.done(&import)), here);
        let there = ["show", "--store", "hsm", algorithm, "--algorithm", algorithm];
        assert_eq!(fingerprint(&token.done(&there)), here);
        let again = token.keys(&import);
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        assert!(!again.status.success() && said.contains("is there already"), "{said}");
    }
    let said = check(&home, &borrowed(&token.variables()));
    let all = ALGORITHMS.len() + 1;
    assert_eq!(said.matches("signs and verifies").count(), all, "with Sinohope's: {said}");
}

#[test]
fn keys_in_a_token_only_sign_and_are_not_to_be_taken_out() {
    let home = Home::new(&hsm());
    let token = Token::new(&home);
    home.write("secret", "shorter");
    let place = |entry, algorithm| ["--store", "hsm", "--entry", entry, "--algorithm", algorithm];
    token.done(&[&["new"][..], &place("made", "rsa_pss_sha256")].concat());
    token.done(&["new", "--algorithm", "ed25519", "--out", "new.pem"]);
    token.done(&[&["import", "--in", "new.pem"][..], &place("put", "ed25519")].concat());
    token.done(&[&["import", "--in", "secret"][..], &place("secret", "hmac_sha512")].concat());
    let mut opensc = Command::new("pkcs11-tool");
    opensc.args(["--module", SOFTHSM, "--token-label", "trading", "--login", "--pin", PIN, "-O"]);
    let listed = opensc.envs(token.variables()).output().expect("setup-tests installs it");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    // OpenSC knows of no secret that it signs.
    for (object, label, usage, access) in [
        ("Private", "made", "sign", "sensitive, always sensitive, never extractable, local"),
        ("Private", "put", "sign", "sensitive"),
        ("Secret", "secret", "verify", "sensitive"),
    ] {
        let lines: Vec<_> = listed.lines().map(str::trim).collect();
        let named = [format!("label:      {label}")];
        let at = lines.windows(2).position(|two| two[0].starts_with(object) && two[1..] == named);
        let at = at.unwrap_or_else(|| panic!("{label} is not in {listed}"));
        let expected = [format!("Usage:      {usage}"), format!("Access:     {access}")];
        assert_eq!(lines[at + 3..at + 5], expected, "{label}");
    }
    for (algorithm, what) in [
        ("hmac_sha256", "that nobody else ever knows"),
        ("eddsa_babyjub", "of a kind that tokens do not have"),
    ] {
        let refused = token.keys(&[&["new"][..], &place("new", algorithm)].concat());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains(what), "{said}");
    }
}
