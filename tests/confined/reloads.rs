//! A reload that needs what was given up: it says so, and changes nothing.

use super::{sign, stage};
use crate::support::config;
use crate::support::home::Home;
use crate::support::proxy::Proxy;
use crate::support::wait::DEADLINE;

#[test]
fn what_is_outside_takes_a_restart_and_changes_nothing() {
    let (_origin, config) = stage("");
    let outside = Home::new("");
    let place = outside.path("keys").display().to_string();
    let rules = config::cobo_rules("keygen = \"allow\"\n");
    let audit = rules.replace("audit.jsonl", &outside.path("audit.jsonl").display().to_string());
    let library = "[stores.hsm]\nkind = \"pkcs11\"\nmodule = \"/usr/lib/none.so\"\n\
                   [keys.other]\nstore = \"hsm\"\nentry = \"x\"\n";
    let mut proxy = Proxy::start(&config);
    for (changed, named) in [
        (config.replace("dir = \"keys\"", &format!("dir = {place:?}")), place.as_str()),
        (format!("{config}{audit}"), &place.replace("/keys", "")),
        // It is read there, and was not to be written.
        (format!("{config}{rules}"), "."),
        (format!("{config}{library}"), "a store of kind \"pkcs11\" was not there"),
    ] {
        let before = proxy.output().len();
        proxy.reload(&changed, false);
        let said = proxy.output().split_off(before);
        let what = format!("{named} is outside of what this process has kept");
        assert!(said.contains(&what) || said.contains(named), "{what}: {said}");
        assert!(said.contains("restart countersign"), "{said}");
        sign(&proxy);
    }
    assert!(!outside.path("audit.jsonl").exists());
    proxy.reload(&config, true);
    proxy.reload(&config.replacen("127.0.0.1:0", "127.0.0.1:1", 1), true);
    assert!(proxy.finish(DEADLINE).contains("that takes a restart, not a reload"));
}

#[test]
fn a_reload_makes_and_finds_what_is_inside() {
    let rules = config::cobo_rules("keygen = \"allow\"\n");
    let (_origin, config) = stage(&rules);
    let mut proxy = Proxy::start(&config);
    let audit = proxy.home().path("audit.jsonl");
    std::fs::rename(&audit, proxy.home().path("old.jsonl")).expect("it was made");
    // A key of its directory, a file beside, and the first route with nonces.
    let more = config::metasv("http://127.0.0.1:9", None);
    proxy.reload(&format!("{config}{more}"), true);
    assert!(audit.exists(), "the file of decisions is made anew where it was");
    let state = std::fs::read_dir(proxy.home().path("state/countersign")).expect("it was made");
    assert!(state.count() > 0);
    let said = proxy.finish(DEADLINE);
    assert!(!said.contains("WARN"), "{said}");
}
