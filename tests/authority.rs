//! The local certificate authority: what it may vouch for, judged by verifiers that are not ours,
//! and the leaves it makes.

mod configured;
mod leaves;
mod made;
mod tools;

use countersign::tls::CaCertificate;
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, SanType,
};

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
        let forged = forge(&ca, name, |_| {});
        let found = accepted_by_openssl(&dir, &ca.pem, std::slice::from_ref(&forged), name);
        assert_eq!(found.is_ok(), *expected, "openssl: {case}: {found:?}");
        let found = accepted_by_webpki(&ca.pem, std::slice::from_ref(&forged), name);
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
    let mail = forge(&ca, "api.x.com", |params| {
        let address = "root@evil.com".to_owned().try_into().expect("it is ASCII");
        params.subject_alt_names = vec![SanType::Rfc822Name(address)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    });
    let program = forge(&ca, "api.x.com", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let root = dir.write("ca.pem", &ca.pem);
    for (name, purpose, leaf) in [("mail", "smimesign", mail), ("program", "sslclient", program)] {
        let leaf = dir.write("leaf.pem", &tools::to_pem(std::slice::from_ref(&leaf)));
        let output = openssl(&["verify", "-purpose", purpose, "-CAfile", &root, &leaf]);
        assert!(output.contains("unsuitable certificate purpose"), "{name}: {output}");
        // The same leaf is good for nothing but its use: without it, the chain holds.
        if name == "program" {
            let output = openssl(&["verify", "-CAfile", &root, &leaf]);
            assert!(output.ends_with(": OK\n"), "{name}: {output}");
        }
    }
}

#[test]
fn a_stolen_key_makes_no_other_authority() {
    let dir = Dir::new();
    let ca = Pair::for_hosts(&["api.x.com"]);
    let below = KeyPair::generate().expect("a key can be made");
    let mut params = tools::authority_params("below");
    params.use_authority_key_identifier_extension = true;
    let stolen = KeyPair::from_pem(&ca.key).expect("it is a key");
    let issuer = Issuer::from_ca_cert_pem(&ca.pem, stolen).expect("it is a CA");
    let between = params.signed_by(&below, &issuer).expect("it can be signed");
    let below = Pair { pem: between.pem(), key: below.serialize_pem() };
    let chain = |name: &str| [forge(&below, name, |_| {}), between.der().clone()];
    let within = chain("api.x.com");
    let found = accepted_by_openssl(&dir, &ca.pem, &within, "api.x.com").expect_err("openssl");
    assert!(found.contains("path length constraint exceeded"), "{found}");
    // webpki takes no notice of a root's path length; the constraints hold all the same.
    accepted_by_webpki(&ca.pem, &within, "api.x.com").expect("the chain itself is right");
    accepted_by_webpki(&ca.pem, &chain("evil.com"), "evil.com").expect_err("webpki");
}

/// A leaf that countersign would not make, signed with the authority's key.
fn forge(
    ca: &Pair,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> rustls::pki_types::CertificateDer<'static> {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("it is a name");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "thief");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = time::OffsetDateTime::from_unix_timestamp(tools::now_s()).expect("a time");
    params.not_after = params.not_before + time::Duration::days(1);
    change(&mut params);
    let stolen = KeyPair::from_pem(&ca.key).expect("it is a key");
    let issuer = Issuer::from_ca_cert_pem(&ca.pem, stolen).expect("it is a CA");
    let key = KeyPair::generate().expect("a key can be made");
    params.signed_by(&key, &issuer).expect("it can be signed").der().clone()
}
