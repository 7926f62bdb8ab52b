//! Leaves: what is in one, how long it is used, and how many are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign::moment::unix_ms;
use countersign::tls::{LeafCache, LeafSettings, MintError};
use prometheus_client::metrics::counter::Counter;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, HandshakeKind};
use tokio::sync::Barrier;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::X509Certificate;

use super::tools::{Pair, SETTINGS, client, client_of, handshake, leaves_of, now_s, ready};

#[test]
fn a_leaf_is_for_one_host_and_a_server() {
    let ca = Pair::for_hosts(&["x.com", "192.0.2.1", "2001:db8::1"]);
    let long = format!("{}.x.com", "a".repeat(60));
    let leaves = leaves_of(&ca);
    let root = pem_to_der(&ca.pem);
    let (_, root) = x509_parser::parse_x509_certificate(&root).expect("a certificate");
    let issuing = pem_to_der(ca.issuing());
    let (_, own) = x509_parser::parse_x509_certificate(&issuing).expect("a certificate");
    assert_eq!(authority_key(&own), subject_key(&root));
    let mut serials = Vec::new();
    for (host, common_name) in [
        ("x.com", Some("x.com")),
        ("a.x.com", Some("a.x.com")),
        (&long, None),
        ("192.0.2.1", None),
        ("2001:db8::1", None),
    ] {
        let config = ready(leaves.config_for(host)).expect(host);
        let seen = handshake(&client(&ca.pem), &config, host).expect(host);
        assert_eq!(seen.alpn.as_deref(), Some(&b"h2"[..]));
        assert_eq!(seen.chain.len(), 2, "a client has the root already");
        assert_eq!(seen.chain[1].as_ref(), issuing, "{host}");
        let (_, leaf) = x509_parser::parse_x509_certificate(&seen.chain[0]).expect(host);
        assert_eq!(names(&leaf), [host]);
        let cn = leaf.subject().iter_common_name().next().map(|cn| cn.as_str().expect("a text"));
        assert_eq!(cn, common_name);
        assert!(leaf.subject().iter().next().is_some(), "{host}: the subject is not empty");
        assert_eq!(authority_key(&leaf), subject_key(&own), "{host}");
        assert!(authority_key(&leaf).is_some());
        assert_ne!(leaf.public_key().raw, own.public_key().raw);
        let usage = leaf.key_usage().expect("once").expect("it is there").value;
        assert_eq!(usage.flags, 1, "digitalSignature alone");
        let extended = leaf.extended_key_usage().expect("once").expect("it is there").value;
        assert!(extended.server_auth && !extended.any && !extended.client_auth);
        let (from, to) = (leaf.validity().not_before.timestamp(), leaf.validity().not_after);
        assert!((now_s() - 3_700..=now_s() - 3_600).contains(&from), "{host}: {from}");
        assert!((from + 7 * 86_400 + 3_600 - to.timestamp()).abs() <= 1);
        serials.push(leaf.raw_serial().to_vec());
    }
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 5);
    assert!(serials.iter().all(|serial| serial.len() == 16 && serial[0] < 0x80));
}

#[test]
fn the_authority_outlives_its_leaves() {
    let ca = Pair::for_days(&["x.com"], 2);
    let config = ready(leaves_of(&ca).config_for("x.com")).expect("a leaf");
    let seen = handshake(&client(&ca.pem), &config, "x.com").expect("it is accepted");
    let end = |der: &[u8]| {
        let (_, parsed) = x509_parser::parse_x509_certificate(der).expect("a certificate");
        parsed.validity().not_after.timestamp()
    };
    assert_eq!(end(&seen.chain[0]), end(&pem_to_der(&ca.pem)));
}

#[test]
fn what_is_no_host_or_not_permitted_has_no_leaf() {
    let ca = Pair::for_hosts(&["x.com"]);
    let minted = Counter::default();
    let leaves = LeafCache::new(ca.authority(), SETTINGS, unix_ms, minted.clone()).expect("a key");
    let long = "a.".repeat(200);
    for host in ["", "a b", "*", "x.com:443", "[::1]", "x.com\n", &long, ".."] {
        let found = ready(leaves.config_for(host)).expect_err(host);
        assert!(matches!(found, MintError::NoHost(_)), "{host:?}: {found}");
    }
    for host in ["y.com", "192.0.2.1", "::1"] {
        let found = ready(leaves.config_for(host)).expect_err(host);
        assert_eq!(found, MintError::Outside(host.to_owned()));
    }
    assert_eq!(minted.get(), 0);
    assert!(format!("{leaves:?}").ends_with(", 0 hosts)"), "failures are not kept: {leaves:?}");
}

#[test]
fn two_hundred_tasks_on_fifty_cold_hosts_make_fifty_leaves() {
    let ca = Pair::for_hosts(&["x.com"]);
    let minted = Counter::default();
    let leaves = LeafCache::new(ca.authority(), SETTINGS, unix_ms, minted.clone()).expect("a key");
    let (leaves, start) = (Arc::new(leaves), Arc::new(Barrier::new(200)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build();
    let configs = runtime.expect("a runtime can be made").block_on(async {
        let ask = |number: usize| {
            let (leaves, start) = (Arc::clone(&leaves), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                leaves.config_for(&format!("h{}.x.com", number % 50)).await.expect("a leaf")
            })
        };
        let tasks: Vec<_> = (0..200).map(ask).collect();
        let mut configs = Vec::new();
        for task in tasks {
            configs.push(task.await.expect("it does not panic"));
        }
        configs
    });
    assert_eq!(minted.get(), 50);
    for (number, config) in configs.iter().enumerate() {
        assert!(Arc::ptr_eq(config, &configs[number % 50]), "{number}");
    }
}

#[test]
fn a_leaf_is_renewed_at_half_its_life() {
    static NOW: AtomicU64 = AtomicU64::new(0);
    const HOUR: u64 = 3_600_000;
    let ca = Pair::for_days(&["x.com"], 10);
    let start = unix_ms();
    NOW.store(start, Ordering::Relaxed);
    let (minted, clock) = (Counter::default(), || NOW.load(Ordering::Relaxed));
    let leaves = LeafCache::new(ca.authority(), SETTINGS, clock, minted.clone()).expect("a key");
    // Hours since the start, and how many leaves there have been by then.
    for (hours, expected) in [
        (0, 1),
        (1, 1),
        (83, 1),
        (84, 2),
        // The authority had 156 hours left then, so that the leaf is used for 78.
        (161, 2),
        (162, 3),
        (200, 3),
        (201, 4),
        // A leaf is valid since an hour before it was made. A clock that is set back further
        // would have it refused.
        (200, 4),
        (199, 5),
        (200, 5),
    ] {
        NOW.store(start + hours * HOUR, Ordering::Relaxed);
        ready(leaves.config_for("x.com")).expect("a leaf");
        assert_eq!(minted.get(), expected, "after {hours} hours");
    }
    NOW.store(start + 241 * HOUR, Ordering::Relaxed);
    let found = ready(leaves.config_for("x.com")).expect_err("the authority has expired");
    assert!(matches!(&found, MintError::Invalid(why) if why.starts_with("expired on ")), "{found}");
}

#[test]
fn the_host_not_asked_for_the_longest_is_forgotten() {
    let ca = Pair::for_hosts(&["x.com"]);
    let (minted, settings) = (Counter::default(), LeafSettings { cache: 3, ..SETTINGS });
    let leaves = LeafCache::new(ca.authority(), settings, unix_ms, minted.clone()).expect("a key");
    for (host, expected) in
        [("a", 1), ("b", 2), ("c", 3), ("a", 3), ("d", 4), ("a", 4), ("c", 4), ("b", 5), ("d", 6)]
    {
        ready(leaves.config_for(&format!("{host}.x.com"))).expect(host);
        assert_eq!(minted.get(), expected, "{host}");
    }
    // However a name is written, it is the same host.
    for host in ["D.x.com", "d.X.com."] {
        ready(leaves.config_for(host)).expect(host);
    }
    assert_eq!(minted.get(), 6);
    assert!(format!("{leaves:?}").ends_with(", 3 hosts)"), "{leaves:?}");
}

#[test]
fn a_session_is_resumed_with_its_own_host_and_no_other() {
    let ca = Pair::for_hosts(&["x.com"]);
    let leaves = leaves_of(&ca);
    let config = |host: &str| ready(leaves.config_for(host)).expect(host);
    for version in [&TLS12, &TLS13] {
        let client = client_of(&ca.pem, &[version]);
        let kinds = [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)];
        for kind in kinds {
            let seen = handshake(&client, &config("a.x.com"), "a.x.com").expect("it is accepted");
            assert_eq!(seen.kind, kind, "{version:?}");
        }
        // The client takes b for a, ticket and all: b has to show its certificate, which fails.
        let found = handshake(&client, &config("b.x.com"), "a.x.com").expect_err("another host");
        assert!(matches!(found, rustls::Error::InvalidCertificate(_)), "{version:?}: {found}");
    }
}

#[test]
fn a_client_that_names_the_slow_suites_first_gets_a_quick_one() {
    let ca = Pair::for_hosts(&["x.com"]);
    let config = ready(leaves_of(&ca).config_for("x.com")).expect("a leaf");
    for (version, quick) in [
        (&TLS12, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        (&TLS13, CipherSuite::TLS13_AES_128_GCM_SHA256),
    ] {
        let client = client_of(&ca.pem, &[version]);
        let named = client.crypto_provider().cipher_suites.iter().map(|suite| suite.suite());
        let first = named.into_iter().find(|suite| format!("{suite:?}").contains("AES"));
        assert_ne!(first, Some(quick), "or else this shows nothing");
        let seen = handshake(&client, &config, "x.com").expect("it is accepted");
        assert_eq!(seen.suite, Some(quick), "{version:?}");
    }
}

/// Its names, as text.
fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let names = leaf.subject_alternative_name().expect("once").expect("it is there").value;
    let text = |name: &GeneralName<'_>| {
        if let GeneralName::DNSName(name) = name {
            return (*name).to_owned();
        }
        let GeneralName::IPAddress(bytes) = name else { panic!("{name:?}") };
        let v6 = || <[u8; 16]>::try_from(*bytes).expect("an address").into();
        let address: std::net::IpAddr =
            <[u8; 4]>::try_from(*bytes).map_or_else(|_| v6(), Into::into);
        address.to_string()
    };
    names.general_names.iter().map(text).collect()
}

fn authority_key(leaf: &X509Certificate<'_>) -> Option<Vec<u8>> {
    leaf.iter_extensions().find_map(|extension| {
        let parsed = extension.parsed_extension();
        let ParsedExtension::AuthorityKeyIdentifier(aki) = parsed else { return None };
        aki.key_identifier.as_ref().map(|id| id.0.to_vec())
    })
}

fn subject_key(ca: &X509Certificate<'_>) -> Option<Vec<u8>> {
    ca.iter_extensions().find_map(|extension| {
        let parsed = extension.parsed_extension();
        let ParsedExtension::SubjectKeyIdentifier(id) = parsed else { return None };
        Some(id.0.to_vec())
    })
}

fn pem_to_der(pem: &str) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    let der = rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes());
    der.expect("a certificate").to_vec()
}
