//! Authorities that others made, and those that are none; clients that are not rustls.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use countersign::moment::unix_ms;
use countersign::secret::Secret;
use countersign::tls::{Authority, CaCertificate, LeafCache, LeafSettings};
use prometheus_client::metrics::counter::Counter;
use rcgen::{BasicConstraints, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{ServerConfig, ServerConnection};

use super::tools::{
    Dir, Pair, SETTINGS, accepted_by_openssl, accepted_by_webpki, authority_params, client,
    handshake, leaves_of, ready,
};
use crate::support::wait::accepted;

/// How OpenSSL makes a key, and in which form it is written.
const KEYS: &[(&str, &str)] = &[
    ("RSA, PKCS#8", "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out k"),
    ("RSA, PKCS#1", "openssl genrsa -traditional -out k 2048"),
    ("P-256, SEC 1 after its curve", "openssl ecparam -name prime256v1 -genkey -out k"),
    ("P-384, PKCS#8", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out k"),
];

#[test]
fn authorities_made_with_openssl_work_with_and_without_one_above() {
    for (name, make) in KEYS {
        let dir = Dir::new();
        dir.run(&format!(
            "{make}
             openssl req -x509 -new -key k -subj '/C=CH/O=Example Inc/CN=Own CA' -days 30 \
               -addext keyUsage=critical,keyCertSign -out root.pem
             openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root2.key \
               -x509 -days 30 -addext keyUsage=critical,keyCertSign \
               -subj '/CN=Root/emailAddress=ca@example.com' -out root2.pem
             printf 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n' > x
             printf 'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' >> x
             openssl req -new -key k -subj '/O=Example Inc/CN=Between' -out csr
             openssl x509 -req -in csr -CA root2.pem -CAkey root2.key -CAcreateserial -days 20 \
               -extfile x -out between.pem"
        ));
        let (own, above) = (dir.read("root.pem"), dir.read("root2.pem"));
        let between = dir.read("between.pem");
        for (file, trusted, sent) in [
            (own.clone(), &own, 1),
            (between.clone(), &above, 2),
            (format!("{between}{above}"), &above, 2),
        ] {
            let case = format!("{name}, {sent} certificates sent");
            let certificate = CaCertificate::read(file.as_bytes()).expect(&case);
            assert_eq!(certificate.unlimited(), Some("every host"));
            let key = Secret::new(dir.read("k").into_bytes());
            let authority = Authority::new(certificate, &key).expect(&case);
            let leaves = LeafCache::new(authority, SETTINGS, unix_ms, Counter::default());
            let leaves = leaves.expect(&case);
            for host in ["api.example.com", "127.0.0.1"] {
                let config = ready(leaves.config_for(host)).expect(&case);
                let seen = handshake(&client(trusted), &config, host).expect(&case);
                assert_eq!(seen.chain.len(), sent, "{case}");
                accepted_by_webpki(trusted, &seen.chain, host).expect(&case);
                accepted_by_openssl(&dir, trusted, &seen.chain, host).expect(&case);
                let said = s_client(&dir, trusted, &config, host);
                assert!(said.contains("Verify return code: 0 (ok)"), "{case}: {said}");
            }
        }
    }
}

#[test]
fn python_at_its_strictest_accepts_our_leaf() {
    let hosts = ["api.example.com", "127.0.0.1"];
    let (ca, dir) = (Pair::for_hosts(&hosts), Dir::new());
    let leaves = leaves_of(&ca);
    let root = dir.write("ca.pem", &ca.pem);
    let connect = "import socket, ssl, sys\n\
                   context = ssl.create_default_context(cafile=sys.argv[1])\n\
                   context.verify_flags |= ssl.VERIFY_X509_STRICT\n\
                   raw = socket.create_connection(('127.0.0.1', int(sys.argv[2])), 30)\n\
                   with context.wrap_socket(raw, server_hostname=sys.argv[3]) as tls:\n\
                   \x20   print(tls.version(), tls.getpeercert()['subjectAltName'])\n";
    for (host, expected) in hosts.iter().zip([
        "TLSv1.3 (('DNS', 'api.example.com'),)\n",
        "TLSv1.3 (('IP Address', '127.0.0.1'),)\n",
    ]) {
        let config = ready(leaves.config_for(host)).expect(host);
        let port = serve_once(&config);
        let output = Command::new("python3")
            .args(["-c", connect, &root, &port.to_string(), host])
            .output()
            .expect("python3 is there");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(said, expected);
    }
}

#[test]
fn what_cannot_be_an_authority_says_why_and_what_to_do() {
    let good = Pair::for_hosts(&["x.com"]);
    let (leaf, other) = (made(|params| params.is_ca = IsCa::NoCa), Pair::for_hosts(&["x.com"]));
    let mute = made(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let old = made(|params| params.not_after = rcgen::date_time_ymd(2020, 2, 1));
    let young = made(|params| params.not_before = rcgen::date_time_ymd(3020, 2, 1));
    let pem = |pem: &Pair| pem.pem.clone();
    let cases = [
        ("", "holds no CERTIFICATE block in PEM".to_owned()),
        (&good.key.replace(good.issuing(), ""), "holds no CERTIFICATE block in PEM".to_owned()),
        (&good.pem[..200], "holds PEM that is cut short or mistyped".to_owned()),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "holds a certificate that cannot be read".to_owned(),
        ),
        (&pem(&leaf), "holds the certificate of CN=made, which is no CA (basicConstraints)".into()),
        (&pem(&mute), "holds the certificate of CN=made, whose keyUsage lacks keyCertSign".into()),
        (
            &format!("{}{}", good.pem, leaf.pem),
            "holds the certificate of CN=made, which is no CA (basicConstraints)".into(),
        ),
        (&pem(&old), "expired on 2020-02-01".to_owned()),
        (&pem(&young), "is not valid before 3020-02-01".to_owned()),
    ];
    for (file, expected) in cases {
        let read = CaCertificate::read(file.as_bytes());
        let found = read.and_then(|ca| ca.check_time(unix_ms()).map(|()| ca));
        let found = found.expect_err(&expected);
        assert_eq!(found.what, expected);
        assert!(!found.fix.is_empty());
    }
    let unordered = format!("{}{}", good.pem, made(|_| {}).pem);
    let found = CaCertificate::read(unordered.as_bytes()).expect_err("two strangers");
    assert!(found.what.contains("has the certificate of CN=made after that of"), "{found}");
    let keys = [
        (other.key.clone(), "has the certificate of CN=countersign local intermediate CA "),
        (other.key.replace(other.issuing(), ""), "is not the key of the certificate of "),
        (good.pem.clone(), "holds no private key in PEM"),
        (good.key.replace("PRIVATE", "ENCRYPTED PRIVATE"), "is encrypted, and a CA's key is"),
        (KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key").serialize_pem(), "is not the"),
        (secp256k1(), "holds a key that cannot sign certificates"),
    ];
    for (key, expected) in keys {
        let certificate = CaCertificate::read(good.pem.as_bytes()).expect("it is a CA");
        let found = Authority::new(certificate, &Secret::new(key.clone().into_bytes()));
        let found = found.expect_err(expected);
        assert!(found.what.starts_with(expected), "{found}");
        assert!(!format!("{found:?}").contains(&key[40..80]), "{found:?}");
    }
}

#[test]
fn a_subject_that_cannot_be_repeated_is_refused_instead_of_mangled() {
    let dir = Dir::new();
    let key = "openssl ecparam -name prime256v1 -genkey -noout -out k";
    for (subject, works) in [
        ("/CN=One/O=Two/OU=Three/L=Zürich", true),
        ("/DC=com/CN=One", true),
        ("/DC=com/DC=example/CN=Two", false),
        ("/OU=One/OU=Two", false),
        ("/CN=One+O=Two", false),
    ] {
        dir.run(&format!(
            "{key}; openssl req -x509 -new -utf8 -multivalue-rdn -key k -subj '{subject}' -out c"
        ));
        let certificate = CaCertificate::read(dir.read("c").as_bytes()).expect(subject);
        let made = Authority::new(certificate, &Secret::new(dir.read("k").into_bytes()));
        match (works, made) {
            (true, Ok(authority)) => {
                let settings = LeafSettings { cache: 1, ..SETTINGS };
                let leaves = LeafCache::new(authority, settings, unix_ms, Counter::default());
                let config = ready(leaves.expect("a key").config_for("x.com")).expect(subject);
                handshake(&client(&dir.read("c")), &config, "x.com").expect(subject);
            }
            (false, Err(error)) => {
                assert!(error.what.contains("cannot be repeated in others"), "{error}");
            }
            (_, found) => panic!("{subject}: {found:?}"),
        }
    }
}

/// An authority of rcgen's, changed.
fn made(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Pair {
    let mut params = authority_params("made");
    params.distinguished_name.push(DnType::CommonName, "made");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    change(&mut params);
    let key = KeyPair::generate().expect("a key can be made");
    Pair { pem: params.self_signed(&key).expect("it can sign").pem(), key: key.serialize_pem() }
}

fn secp256k1() -> String {
    use countersign::keys::{Algorithm, PrivateKey};
    PrivateKey::generate(Algorithm::ECDSA_SECP256K1).to_text().to_string()
}

/// What `openssl s_client` says of a server.
fn s_client(dir: &Dir, root: &str, config: &Arc<ServerConfig>, host: &str) -> String {
    let (root, port) = (dir.write("trusted.pem", root), serve_once(config));
    let address = format!("127.0.0.1:{port}");
    let by = if host.starts_with("127.") { "-verify_ip" } else { "-verify_hostname" };
    let mut arguments = vec!["s_client", "-connect", &address, "-CAfile", &root, by, host];
    arguments.push("-verify_return_error");
    let output = Command::new("openssl").args(arguments).stdin(Stdio::null()).output();
    let output = output.expect("openssl is there");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// A server for one connection; its port.
pub(super) fn serve_once(config: &Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let mut tls = ServerConnection::new(Arc::clone(config)).expect("the settings are right");
    thread::spawn(move || {
        let mut socket = accepted(&listener);
        // Ends when the client does, whatever it made of us.
        while tls.complete_io(&mut socket).is_ok_and(|(read, _)| read > 0) {}
    });
    port
}
