//! The conformance test, held against this program's signer and against one in Python that shares no
//! code with it; and a signer that breaks the interface, which must not pass.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output};

use crate::support::home::Home;
use crate::support::signer::{Signer, own_grant};
use crate::support::under_test;
use crate::support::vectors::{load, text};
use crate::support::wait::eventually;

fn conform(url: &str, keys: &[&str], more: &[&str]) -> Output {
    let mut command = Command::new(under_test());
    command.args(["signer", "--conform", url]).args(more);
    for key in keys {
        command.args(["--key", key]);
    }
    command.output().expect("it can be run")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn our_signer_conforms_at_a_socket_and_in_tls() {
    let home = Home::new("");
    home.write("keys/mac.txt", "a secret of an exchange");
    home.write("keys/ed.pem", ED25519);
    let key = |name: &str, entry: &str, algorithm: &str| {
        format!(
            "[keys.{name}]\nstore = \"files\"\nentry = \"{entry}\"\nalgorithm = \"{algorithm}\"\n"
        )
    };
    let keys = [
        ("sinohope", "sinohope.pem", "ecdsa_p256"),
        ("metasv", "metasv.hex", "ecdsa_secp256k1"),
        ("loopring", "loopring.txt", "eddsa_babyjub"),
        ("rsa", "cobo-server.pem", "rsa_pkcs1_sha256"),
        ("ed", "ed.pem", "ed25519"),
        ("mac", "mac.txt", "hmac_sha512"),
    ];
    let tables: String = keys.iter().map(|(name, entry, kind)| key(name, entry, kind)).collect();
    let names: Vec<_> = keys.iter().map(|(name, ..)| *name).collect();
    let grant = own_grant(&names.join(","));
    let signer = Signer::at_a_socket(&home, &format!("{grant}routes = [\"a\"]\n"), &tables);
    let output = conform(&signer.url(), &names, &["--route", "a"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).ends_with(" cases, the signer conforms\n"), "{}", said(&output));
    assert!(said(&output).matches("ok ").count() >= 50, "{}", said(&output));
    // Without the route that was granted it signs the self-tests alone.
    let output = conform(&signer.url(), &["sinohope"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("ok      sinohope ecdsa_p256: the self-test"));
    assert!(said(&output).contains("FAILED  sinohope ecdsa_p256: a digest: "), "{}", said(&output));

    let home = Home::new("");
    let signer = Signer::in_mutual_tls(&home, &key("sinohope", "sinohope.pem", "ecdsa_p256"));
    let file = |name: &str| home.path(name).display().to_string();
    let (ca, cert, own) = (file("tls-ca.pem"), file("tls-proxy.pem"), file("tls-proxy-key.pem"));
    let files = ["--ca", &ca, "--cert", &cert, "--key-file", &own];
    let output = conform(&signer.url(), &["sinohope"], &files);
    assert!(output.status.success(), "{}", said(&output));
    // The signer's own certificate is of the right authority, and of no grant.
    let (cert, own) = (file("tls-signer.pem"), file("tls-signer-key.pem"));
    let files = ["--ca", &ca, "--cert", &cert, "--key-file", &own];
    let output = conform(&signer.url(), &["sinohope"], &files);
    assert!(said(&output).contains("describes itself"), "{}", said(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn another_signer_conforms_and_one_that_signs_wrongly_does_not() {
    let home = Home::new("");
    let number = text(&load("metasv"), "/keys/test-a/private_key_hex").to_owned();
    let keys = ["p=ecdsa_p256", "k=ecdsa_secp256k1"].map(|key| format!("{key}:{number}"));
    let keys = [&keys[..], &["m=hmac_sha256:00ff7365637265740a".to_owned()]].concat();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signer/reference.py");
    let reference = fs::read_to_string(reference).expect("it is there");
    let wrong = reference.replacen("r * key", "r * key + 1", 1);
    assert_ne!(wrong, reference);
    for (name, program, good) in [("right", reference, true), ("wrong", wrong, false)] {
        home.write(name, &program);
        let _python = Python::start(&home, name, &keys);
        let url = format!("unix:{}.sock", home.path(name).display());
        let output = conform(&url, &["p", "k", "m"], &[]);
        assert_eq!(output.status.success(), good, "{name}: {}", said(&output));
        let fault = "FAILED  k ecdsa_secp256k1: a digest: the signature does not verify";
        // The wrong one is refused by its self-test already.
        let opens = said(&output).contains("FAILED  k ecdsa_secp256k1: ");
        assert_eq!(said(&output).contains(fault) || opens, !good, "{}", said(&output));
        assert!(said(&output).contains("ok      m hmac_sha256: a derivation, base64"));
    }
}

/// A running script; it ends when dropped.
pub(crate) struct Python(Child);

impl Python {
    pub(crate) fn start(home: &Home, name: &str, keys: &[String]) -> Self {
        let socket = home.path(format!("{name}.sock"));
        let mut command = Command::new("python3");
        command.arg(home.path(name)).arg(&socket).args(keys);
        let child = command.spawn().expect("python3 can be run");
        let running = Self(child);
        eventually("it listens", || UnixStream::connect(&socket).is_ok());
        running
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Of RFC 8410, section 10.3.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
