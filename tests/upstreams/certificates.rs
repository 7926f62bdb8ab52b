//! Certificates, the provider's and ours: what is wrong with one is said in words, with the
//! remedy that fits.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use p256::pkcs8::{DecodePrivateKey as _, LineEnding};
use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};

use super::{ask, home, metasv, refusal, text, trusting};
use crate::support::authority::{Authority, Issued, serve};
use crate::support::h2_origin::H2Origin;
use crate::support::origin;
use crate::support::proxy::{Proxy, countersign};
use crate::support::wait::{DEADLINE, accepted};

/// A certificate, whose word is for it, and what is said of it.
struct Case {
    issued: Issued,
    trusted: String,
    detail: &'static str,
    remedy: &'static str,
}

fn cases() -> Vec<Case> {
    let authority = Authority::new();
    let case =
        |issued: Issued, detail, remedy| Case { issued, trusted: authority.pem(), detail, remedy };
    let name = &["apiv2.metasv.com"];
    let past = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let future = |params: &mut CertificateParams| params.not_before = date_time_ymd(4000, 1, 1);
    let ca = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    vec![
        case(authority.issue(name, past), "its certificate expired ", "renew"),
        case(authority.issue(name, future), "its certificate is not valid yet", "clock"),
        case(
            authority.issue(&["one.test", "127.0.0.1"], |_| ()),
            "its certificate is for one.test, 127.0.0.1, and not for apiv2.metasv.com",
            "server_name",
        ),
        // Of the same name as the trusted one, as after a private authority was set up again.
        case(
            Authority::new().issue(name, |_| ()),
            "its certificate is from another authority of a trusted one's name",
            "ca in [upstreams.NAME]",
        ),
        Case {
            issued: authority.issue(name, |_| ()),
            trusted: Issued::by_itself(&["root.test"], ca).pem(),
            detail: "from an authority that is not trusted here",
            remedy: "ca in [upstreams.NAME]",
        },
        case(Issued::by_itself(name, |_| ()), "is self-signed", "ca in [upstreams.NAME]"),
        case(Issued::by_itself(name, ca), "is self-signed", "ca in [upstreams.NAME]"),
        case(authority.issue(name, ca), "its certificate is unfit", "replace"),
    ]
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_in_words() {
    let mut seen = 0;
    for Case { issued, trusted, detail, remedy } in cases() {
        let tls = serve(issued, &["h2"], None);
        let origin = H2Origin::start_with(tls, &trusted, origin::metasv("test-a"));
        let proxy = Proxy::start(&metasv(&origin.url(), &trusting(origin.ca())));
        let reply = ask(&proxy, "/x");
        assert_eq!(refusal(&reply), (502, "upstream_tls".to_owned()), "{detail}");
        let problem = reply.json();
        assert!(text(&problem, "detail").contains(detail), "{detail}: {problem}");
        assert!(text(&problem, "detail").contains(&origin.url()), "{problem}");
        assert!(text(&problem, "remedy").contains(remedy), "{remedy}: {problem}");
        assert_eq!((origin.connections(), origin.begun()), (0, 0), "nothing was sent");
        seen += 1;
    }
    assert_eq!(seen, 8);
}

/// As `openssl req -x509` makes it.
fn x509(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
    Issued::by_itself(names, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(params);
    })
}

#[test]
fn a_certificate_that_is_named_itself_is_trusted_in_its_time_and_for_its_names() {
    let name = &["apiv2.metasv.com"];
    let past = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let future = |params: &mut CertificateParams| params.not_before = date_time_ymd(4000, 1, 1);
    let trusted = "";
    let table = [
        (Issued::by_itself(name, |_| ()), trusted),
        (x509(name, |_| ()), trusted),
        (Authority::new().issue(name, |_| ()), trusted),
        (x509(name, past), "its certificate expired "),
        (x509(name, future), "its certificate is not valid yet"),
        (x509(&["one.test"], |_| ()), "its certificate is for one.test, and not for apiv2"),
        (x509(&[], |_| ()), "its certificate is for no name at all"),
    ];
    for (issued, refused) in table {
        let pem = issued.pem();
        let tls = serve(issued, &["h2"], None);
        let origin = H2Origin::start_with(tls, &pem, origin::metasv("test-a"));
        let proxy = Proxy::start(&metasv(&origin.url(), &trusting(origin.ca())));
        let reply = ask(&proxy, "/x");
        if refused == trusted {
            assert_eq!(reply.status, 200, "{}", text(&reply.json(), "detail"));
            continue;
        }
        assert_eq!(refusal(&reply), (502, "upstream_tls".to_owned()), "{refused}");
        assert!(text(&reply.json(), "detail").contains(refused), "{refused}: {}", reply.json());
        assert_eq!(origin.begun(), 0);
    }
}

#[test]
fn another_certificate_of_the_same_name_is_not_the_one_that_is_named() {
    let name = &["apiv2.metasv.com"];
    let (named, shown) = (x509(name, |_| ()), x509(name, |_| ()));
    let tls = serve(shown, &["h2"], None);
    let origin = H2Origin::start_with(tls, &named.pem(), origin::metasv("test-a"));
    let proxy = Proxy::start(&metasv(&origin.url(), &trusting(origin.ca())));
    let reply = ask(&proxy, "/x");
    assert_eq!(refusal(&reply), (502, "upstream_tls".to_owned()));
    assert_eq!(origin.begun(), 0);
}

#[test]
fn a_port_that_does_not_speak_tls_is_said_to() {
    let plain = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("https://{}", plain.local_addr().expect("it is bound"));
    let proxy = Proxy::start(&metasv(&url, ""));
    let answering = thread::spawn(move || {
        let mut socket = accepted(&plain);
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("it listens");
        let _hello = socket.read_to_end(&mut Vec::new());
    });
    let reply = ask(&proxy, "/x");
    answering.join().expect("it does not panic");
    assert_eq!(refusal(&reply), (502, "upstream_tls".to_owned()));
    let detail = text(&reply.json(), "detail");
    assert!(detail.contains("what it answers is not TLS"), "{detail}");
    let remedy = text(&reply.json(), "remedy");
    assert!(remedy.contains("plain HTTP"), "{remedy}");
}

/// A provider that wants certificates of an authority, and that authority.
fn demanding(protocols: &[&str]) -> (H2Origin, Authority) {
    let (own, clients) = (Authority::new(), Authority::new());
    let tls = serve(own.issue(&["apiv2.metasv.com"], |_| ()), protocols, Some(&clients));
    (H2Origin::start_with(tls, &own.pem(), origin::metasv("test-a")), clients)
}

const CLIENT: &str = "client_cert = \"keys/client.pem\"\nclient_key = \"client_key\"\n";

#[test]
fn a_provider_that_wants_a_certificate_gets_the_configured_one() {
    let (origin, clients) = demanding(&["h2"]);
    let ours = clients.issue(&["proxy.test"], |_| ());
    let lines = trusting(origin.ca()) + CLIENT;
    let config = metasv(&origin.url(), &lines);
    let key = ours.key_pem();
    let home = home(&config, &[("client_key", &key)]);
    home.write("keys/client.pem", &ours.pem());
    let mut proxy = Proxy::start_in(home, &[]);
    assert_eq!(ask(&proxy, "/x").status, 200);
    assert_eq!(origin.refused(), 0);
    let secret = key.lines().nth(1).expect("a line of base64");
    assert!(!proxy.finish(DEADLINE).contains(secret));
}

#[test]
fn a_provider_that_wants_another_certificate_has_looked_at_nothing() {
    let (origin, _) = demanding(&["h2"]);
    let without = Proxy::start(&metasv(&origin.url(), &trusting(origin.ca())));
    let stranger = Authority::new().issue(&["proxy.test"], |_| ());
    let lines = trusting(origin.ca()) + CLIENT;
    let home = home(&metasv(&origin.url(), &lines), &[("client_key", &stranger.key_pem())]);
    home.write("keys/client.pem", &stranger.pem());
    let other = Proxy::start_in(home, &[]);
    for (proxy, said) in [(without, "CertificateRequired"), (other, "DecryptError")] {
        let reply = ask(&proxy, "/x");
        let problem = reply.json();
        assert_eq!(refusal(&reply), (502, "upstream_tls".to_owned()), "{problem}");
        assert!(text(&problem, "detail").contains(said), "{problem}");
        assert!(text(&problem, "remedy").contains("client_cert"), "{problem}");
    }
    assert_eq!(origin.begun(), 0);
}

#[test]
fn a_key_that_is_not_the_certificates_stops_the_start() {
    let authority = Authority::new();
    let (one, other) = (authority.issue(&["a.test"], |_| ()), authority.issue(&["a.test"], |_| ()));
    let table = [
        (one.pem(), other.key_pem(), "client_key is not the key of client_cert"),
        (one.pem(), one.pem(), "client_key holds no private key in PEM"),
        (one.pem(), "nonsense".to_owned(), "client_key holds no private key in PEM"),
        (one.key_pem(), one.key_pem(), "holds no CERTIFICATE block in PEM"),
    ];
    for (cert, key, said) in table {
        let home = home(&metasv("https://127.0.0.1:1", CLIENT), &[("client_key", &key)]);
        home.write("keys/client.pem", &cert);
        let path = home.path("proxy.toml");
        let output = countersign(&["check", &path.display().to_string()]);
        let written = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && written.contains(said), "{said}: {written}");
        let secret = other.key_pem();
        let secret = secret.lines().nth(1).expect("a line of base64");
        assert!(!written.contains(secret), "{written}");
    }
}

#[test]
fn the_systems_authorities_are_believed_where_no_ca_is_named() {
    let origin = H2Origin::start(&["apiv2.metasv.com"], origin::metasv("test-a"));
    let unnamed = metasv(&origin.url(), "server_name = \"apiv2.metasv.com\"\n");
    let others = Authority::new();
    let home = home(&unnamed, &[]);
    home.write("others.pem", &others.pem());
    let (ours, theirs) = (origin.ca().display().to_string(), home.path("others.pem"));
    // Where the system's are, as OpenSSL and others are told.
    for (system, status) in [(ours, 200), (theirs.display().to_string(), 502)] {
        let variables = [("SSL_CERT_FILE", system.as_str()), ("SSL_CERT_DIR", "/nonexistent")];
        let proxy = Proxy::start_in(home.clone(), &variables);
        assert_eq!(ask(&proxy, "/x").status, status, "{system}");
    }
    assert_eq!(origin.begun(), 1);
}

#[test]
fn keys_come_in_every_usual_form() {
    let (origin, clients) = demanding(&["h2"]);
    let ours = clients.issue(&["proxy.test"], |_| ());
    // PKCS#8 wraps SEC 1: the inner form is what openssl ecparam writes.
    let pkcs8 = p256::SecretKey::from_pkcs8_pem(&ours.key_pem()).expect("a P-256 key");
    let sec1 = pkcs8.to_sec1_pem(LineEnding::LF).expect("it can be written");
    let home =
        home(&metasv(&origin.url(), &(trusting(origin.ca()) + CLIENT)), &[("client_key", &sec1)]);
    home.write("keys/client.pem", &ours.pem());
    let proxy = Proxy::start_in(home, &[]);
    assert_eq!(ask(&proxy, "/x").status, 200);
}
