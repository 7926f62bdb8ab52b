//! `[intercept]`: what a snapshot makes of it, and what lives through a reload.

use std::sync::Arc;

use countersign::config::{Config, Problem};
use countersign::snapshot::{Snapshot, Surroundings};

use super::tools::{Pair, client, handshake, ready};
use crate::support::config;
use crate::support::home::Home;

const INTERCEPT: &str = r#"
[intercept]
ca_cert = "ca.pem"
ca_key = "intercept_ca"

[secrets.intercept_ca]
store = "files"
entry = "ca-key.pem"
"#;
const HOSTS: [&str; 2] = ["api.sinohope.com", "apiv2.metasv.com"];

#[test]
fn leaves_live_through_a_reload_that_leaves_them_alone() {
    let home = Home::new("");
    let surroundings = Surroundings::default();
    put(&home, &Pair::for_hosts(&HOSTS));
    let minted = || surroundings.metrics.leaves_minted().get();
    let build = |more: &str, previous: Option<&Snapshot>| {
        let config = parse(&home, more);
        let built = ready(Snapshot::build(&config, &surroundings, previous));
        let built = built.unwrap_or_else(|errors| panic!("{errors}"));
        let leaves = built.leaves.clone().expect("there is [intercept]");
        ready(leaves.config_for("api.sinohope.com")).expect("it is permitted");
        (built, leaves)
    };
    let (first, leaves) = build("", None);
    assert_eq!(minted(), 1);
    let (second, same) = build("[limits]\nconnections = 7\n", Some(&first));
    assert!(Arc::ptr_eq(&leaves, &same));
    assert_eq!(minted(), 1, "the leaf is still known");
    let (third, shorter) = build("[intercept]leaf_lifetime = \"1d\"\n", Some(&second));
    assert!(!Arc::ptr_eq(&leaves, &shorter));
    put(&home, &Pair::for_hosts(&HOSTS));
    let (_, other) = build("[intercept]leaf_lifetime = \"1d\"\n", Some(&third));
    assert!(!Arc::ptr_eq(&shorter, &other));
    assert_eq!(minted(), 3);
    assert!(first.warnings.is_empty());
}

#[test]
fn a_routed_host_out_of_reach_is_an_error_at_the_host() {
    let home = Home::new("");
    put(&home, &Pair::for_hosts(&["api.sinohope.com"]));
    let path = home.path("ca.pem").display().to_string();
    let errors = errors(&home, "");
    assert_eq!(errors.len(), 1, "{errors:?}");
    let expected = format!("routes.metasv: the CA in {path} may not vouch for apiv2.metasv.com\n");
    assert!(errors[0].contains(&expected), "{errors:?}");
    assert!(errors[0].contains("countersign ca new"), "{errors:?}");
    let text = config_text("");
    let line = text.lines().position(|line| line == "host = \"apiv2.metasv.com\"");
    let place = format!("{}:8: ", line.expect("it is there") + 1);
    assert!(errors[0].starts_with(&place), "{place} {errors:?}");
    // A subdomain for every wildcard, an address without its brackets.
    put(&home, &Pair::for_hosts(&["api.sinohope.com", "metasv.com", "2001:db8::1"]));
    for (host, count) in
        [("*.metasv.com", 0), ("[2001:db8::1]:8443", 0), ("*.com", 1), ("[2001:db8::2]", 1)]
    {
        let config = config_text("").replace("apiv2.metasv.com", host);
        assert_eq!(errors_of(&home, &config).len(), count, "{host}");
    }
}

#[test]
fn an_authority_that_cannot_be_used_says_where_and_how_to_fix_it() {
    let home = Home::new("");
    let path = home.path("ca.pem").display().to_string();
    let check = |expected: &str| {
        let errors = errors(&home, "");
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(expected), "{expected}: {errors:?}");
    };
    let (ca, other) = (Pair::for_hosts(&HOSTS), Pair::for_hosts(&HOSTS));
    put(&home, &ca);
    home.write("ca.pem", "nothing");
    check(&format!("intercept.ca_cert: {path} holds no CERTIFICATE block in PEM\n"));
    std::fs::remove_file(home.path("ca.pem")).expect("it is there");
    check(&format!("intercept.ca_cert: {path}: No such file"));
    // Made on the same day, and for the same hosts: only the keys differ.
    put(&home, &Pair { pem: ca.pem.clone(), key: other.key });
    check("intercept.ca_key: the secret \"intercept_ca\" has the certificate of CN=countersign ");
    check(", which CN=countersign local root CA ");
    // Its certificate was left behind.
    let bare = ca.key.replace(ca.issuing(), "");
    put(&home, &Pair { pem: ca.pem, key: bare });
    check("intercept.ca_key: the secret \"intercept_ca\" is not the key of the certificate of ");
}

#[test]
fn a_root_whose_key_is_kept_works_and_says_what_a_thief_could_do() {
    let home = Home::new("");
    let ca = Pair::kept_root("com");
    put(&home, &ca);
    let built = ready(Snapshot::build(&parse(&home, ""), &Surroundings::default(), None));
    let built = built.unwrap_or_else(|errors| panic!("{errors}"));
    let said: Vec<_> = built.warnings.iter().map(Problem::in_full).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("can pose as every host there is to Java"), "{said:?}");
    assert!(said[0].contains("run `countersign ca new`, and have clients trust"), "{said:?}");
    let leaves = built.leaves.expect("there is [intercept]");
    let config = ready(leaves.config_for("api.sinohope.com")).expect("it is permitted");
    let seen = handshake(&client(&ca.pem), &config, "api.sinohope.com").expect("it is accepted");
    assert_eq!(seen.chain.len(), 1);
    // A chain in ca_cert, and a key with nothing beside it, is another matter.
    let new = Pair::for_hosts(&HOSTS);
    let bare = new.key.replace(new.issuing(), "");
    put(&home, &Pair { pem: [new.issuing(), &new.pem].concat(), key: bare });
    let built = ready(Snapshot::build(&parse(&home, ""), &Surroundings::default(), None));
    assert!(built.unwrap_or_else(|errors| panic!("{errors}")).warnings.is_empty());
}

#[test]
fn an_authority_without_constraints_is_a_warning() {
    let home = Home::new("");
    put(&home, &Pair::for_hosts(&[]));
    let config = parse(&home, "");
    let built = ready(Snapshot::build(&config, &Surroundings::default(), None));
    let built = built.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(built.warnings.len(), 1);
    let warning = &built.warnings[0];
    assert!(warning.what.contains("may vouch for every host, so"), "{warning}");
    assert!(warning.at.is_some() && warning.fix.contains("ca new"), "{warning}");
}

fn put(home: &Home, ca: &Pair) {
    home.write("ca.pem", &ca.pem);
    home.write("keys/ca-key.pem", &ca.key);
}

/// Two routes and `[intercept]`; `[intercept]` in `more` puts lines into that table.
fn config_text(more: &str) -> String {
    let tables =
        [config::sinohope("http://127.0.0.1:1", None), config::metasv("http://127.0.0.1:1", None)];
    let (inside, more) = match more.strip_prefix("[intercept]") {
        Some(inside) => (inside, ""),
        None => ("", more),
    };
    let intercept = INTERCEPT.replace("[secrets", &format!("{inside}\n[secrets"));
    format!("{}{intercept}{more}", config::proxy(&tables))
}

fn parse(home: &Home, more: &str) -> Config {
    let config = Config::parse(&config_text(more), &home.path("proxy.toml"));
    config.unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(home: &Home, more: &str) -> Vec<String> {
    errors_of(home, &config_text(more))
}

fn errors_of(home: &Home, text: &str) -> Vec<String> {
    let config = Config::parse(text, &home.path("proxy.toml"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let built = ready(Snapshot::build(&config, &Surroundings::default(), None));
    let errors = built.err().map(|errors| errors.errors).unwrap_or_default();
    errors.iter().map(Problem::in_full).collect()
}
