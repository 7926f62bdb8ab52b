//! The local certificate authority: what it may vouch for, judged by verifiers that are not ours,
//! and the leaves it makes.

mod configured;
mod java;
mod leaves;
mod made;
mod tools;

use countersign::tls::CaCertificate;
use rcgen::{ExtendedKeyUsagePurpose, SanType};

use tools::{Dir, Pair, accepted_by_openssl, accepted_by_webpki, handshake, leaves_of, openssl};

/// Hosts of an authority, a name its key signs, and whether that is worth anything.
const REACH: &[(&[&str], &str, bool)] = &[
    (&["api.x.com"], "api.x.com", true),
    (&["api.x.com"], "a.api.x.com", true),
    (&["api.x.com"], "x.com", false),
    (&["api.x.com"], "notapi.x.com", false),
    (&["api.x.com"], "evil.com", false),
    (&["api.x.com"], "192.0.2.1", false),
    (&["api.x.com"], "2001:db8::1", false),
    (&["*.x.com"], "a.x.com", true),
    (&["*.x.com"], "evil.com", false),
    (&["api.x.com", "y.com"], "y.com", true),
    (&["api.x.com", "192.0.2.1"], "192.0.2.1", true),
    (&["api.x.com", "192.0.2.1"], "192.0.2.2", false),
    (&["api.x.com", "192.0.2.1"], "2001:db8::1", false),
    (&["192.0.2.1"], "192.0.2.1", true),
    (&["192.0.2.1"], "192.0.2.2", false),
    (&["192.0.2.1"], "2001:db8::1", false),
    (&["192.0.2.1"], "evil.com", false),
    (&["2001:db8::1"], "2001:db8::1", true),
    (&["2001:db8::1"], "192.0.2.1", false),
    (&["2001:db8::1"], "2001:db8::2", false),
    (&[], "evil.com", true),
    (&[], "192.0.2.1", true),
];

#[test]
fn a_stolen_key_is_worth_the_routed_hosts_and_no_others() {
    let dir = Dir::new();
    for (hosts, name, expected) in REACH {
        let case = format!("{name} by a CA for {hosts:?}");
        let ca = Pair::for_hosts(hosts);
        let (forged, _) = ca.forge(name, |_| {});
        let found = accepted_by_openssl(&dir, &ca.pem, &forged, name);
        assert_eq!(found.is_ok(), *expected, "openssl: {case}: {found:?}");
        let found = accepted_by_webpki(&ca.pem, &forged, name);
        assert_eq!(found.is_ok(), *expected, "webpki: {case}: {found:?}");
        let certificate = CaCertificate::read(ca.pem.as_bytes()).expect("it is a CA");
        assert_eq!(certificate.permits(name), *expected, "{case}");
        // What we make ourselves is what the verifiers take, and nothing else is made.
        let config = tools::ready(leaves_of(&ca).config_for(name));
        assert_eq!(config.is_ok(), *expected, "{case}: {config:?}");
        if let Ok(config) = config {
            let seen = handshake(&tools::client(&ca.pem), &config, name).expect(&case);
            accepted_by_openssl(&dir, &ca.pem, &seen.chain, name).expect(&case);
        }
    }
    assert!(REACH.iter().filter(|(_, _, expected)| *expected).count() >= 8);
}

#[test]
fn a_stolen_key_signs_for_no_other_use_than_servers() {
    let dir = Dir::new();
    let ca = Pair::for_hosts(&["api.x.com"]);
    let mail = ca.forge("api.x.com", |params| {
        let address = "root@evil.com".to_owned().try_into().expect("it is ASCII");
        params.subject_alt_names = vec![SanType::Rfc822Name(address)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    });
    let program = ca.forge("api.x.com", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let root = dir.write("ca.pem", &ca.pem);
    for (name, purpose, (chain, _)) in
        [("mail", "smimesign", mail), ("program", "sslclient", program)]
    {
        let (leaf, sent) = chain.split_at(1);
        let (leaf, sent) = (tools::to_pem(leaf), tools::to_pem(sent));
        let (leaf, sent) = (dir.write("leaf.pem", &leaf), dir.write("sent.pem", &sent));
        let known = ["verify", "-CAfile", &root, "-untrusted", &sent];
        let output = openssl(&[&known[..], &["-purpose", purpose, &leaf]].concat());
        assert!(output.contains("unsuitable certificate purpose"), "{name}: {output}");
        // The same leaf is good for nothing but its use: without it, the chain holds.
        if name == "program" {
            let output = openssl(&[&known[..], &[&*leaf]].concat());
            assert!(output.ends_with(": OK\n"), "{name}: {output}");
        }
    }
}

#[test]
fn a_stolen_key_makes_no_other_authority() {
    let dir = Dir::new();
    let ca = Pair::for_hosts(&["api.x.com"]);
    let below = ca.authority_below();
    for name in ["api.x.com", "evil.com"] {
        let (chain, _) = below.forge(name, |_| {});
        assert_eq!(chain.len(), 3);
        let found = accepted_by_openssl(&dir, &ca.pem, &chain, name).expect_err("openssl");
        assert!(found.contains("path length constraint exceeded"), "{found}");
        accepted_by_webpki(&ca.pem, &chain, name).expect_err("webpki");
    }
    // The same leaf with the authority's own key is taken, so that it is the length that counts.
    let (chain, _) = ca.forge("api.x.com", |_| {});
    accepted_by_openssl(&dir, &ca.pem, &chain, "api.x.com").expect("openssl");
}
