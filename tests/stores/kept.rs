//! The stores with a key for each algorithm, made by OpenSSL or by the store, and the public halves in
//! PEM as `NAME.pub`.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::agent::Agent;
use super::held::Keeper;
use super::token::{self, SOFTHSM, Token};
use super::transit::Transit;
use super::trent::{self, Trent};
use crate::support::home::Home;
use crate::support::signer::{Signer, own_grant};

/// A store with the keys in it.
pub(super) struct Kept {
    /// The lines of `[stores.held]`.
    pub(super) table: String,
    pub(super) variables: Vec<(&'static str, String)>,
    /// The entry of the key for an algorithm, or of another, where the store has none for it.
    pub(super) entry: fn(&str) -> String,
    /// The key for MACs.
    pub(super) secret: &'static [u8],
    /// What is behind it; it ends when dropped.
    pub(super) keeper: Option<Box<dyn Keeper>>,
}

/// The name of the key for an algorithm.
pub(super) fn key_of(algorithm: &str) -> &'static str {
    match algorithm.get(..4) {
        _ if algorithm == "ecdsa_secp256k1" => "k256",
        Some("ed25") => "ed25519",
        Some("rsa_") => "rsa",
        Some("hmac") => "mac",
        _ => "p256",
    }
}

const SECRET: &[u8] = b"a secret of an exchange";

/// Runs a command in the home.
fn run(home: &Home, line: &str) {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().expect("a program"));
    let output = command.args(words).current_dir(home.path(".")).output();
    let output = output.expect("it can be run: scripts/setup-tests installs it");
    assert!(output.status.success(), "{line}: {output:?}");
}

/// Puts keys into `keys/`: PKCS#8 in PEM, and a secret.
fn files(home: &Home) {
    for (name, kind) in [
        ("p256", "EC -pkeyopt ec_paramgen_curve:P-256"),
        ("k256", "EC -pkeyopt ec_paramgen_curve:secp256k1"),
        ("ed25519", "ED25519"),
        ("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"),
    ] {
        run(home, &format!("openssl genpkey -out keys/{name} -algorithm {kind}"));
        run(home, &format!("openssl pkey -in keys/{name} -pubout -out {name}.pub"));
    }
    home.write("keys/mac", std::str::from_utf8(SECRET).expect("it is text"));
}

pub(super) fn file(home: &Home) -> Kept {
    files(home);
    Kept {
        table: "kind = \"file\"\ndir = \"keys\"\n".into(),
        variables: vec![],
        entry: |algorithm| key_of(algorithm).into(),
        secret: SECRET,
        keeper: None,
    }
}

pub(super) fn env(home: &Home) -> Kept {
    let files = file(home);
    let read = |name| fs::read_to_string(home.path(name)).expect("it is there");
    Kept {
        table: "kind = \"env\"\nprefix = \"HELD_\"\n".into(),
        variables: vec![
            ("HELD_P256", read("keys/p256")),
            ("HELD_K256", read("keys/k256")),
            ("HELD_ED25519", read("keys/ed25519")),
            ("HELD_RSA", read("keys/rsa")),
            ("HELD_MAC", read("keys/mac")),
        ],
        entry: |algorithm| key_of(algorithm).to_uppercase(),
        ..files
    }
}

pub(super) fn systemd(home: &Home) -> Kept {
    let directory = home.path("keys").display().to_string();
    let variables = vec![("CREDENTIALS_DIRECTORY", directory)];
    Kept { table: "kind = \"systemd\"\n".into(), variables, ..file(home) }
}

pub(super) fn exec(home: &Home) -> Kept {
    let table = "kind = \"exec\"\ncommand = [\"cat\", \"keys/{}\"]\n".into();
    Kept { table, ..file(home) }
}

pub(super) fn ssh_agent(home: &Home) -> Kept {
    let files = file(home);
    // OpenSSH before 9.6 reads no Ed25519 key of OpenSSL's.
    fs::remove_file(home.path("keys/ed25519")).expect("it is there");
    run(home, "ssh-keygen -q -t ed25519 -N  -C ed25519 -f keys/ed25519");
    let public = fs::read_to_string(home.path("keys/ed25519.pub")).expect("it was made");
    let public =
        STANDARD.decode(public.split(' ').nth(1).expect("it is the second")).expect("base64");
    home.write("ed25519.pub", &ed25519(&public[public.len() - 32..]));
    let agent = Agent::start(home, "#!/bin/sh\nexit 1\n");
    for name in ["p256", "ed25519", "rsa"] {
        agent.add(&["-q", &format!("keys/{name}")]);
    }
    Kept {
        table: "kind = \"ssh_agent\"\nsocket = \"agent\"\n".into(),
        // A key of OpenSSL's has its file's name as comment.
        entry: |algorithm| match key_of(algorithm) {
            "ed25519" => "ed25519".into(),
            "rsa" => "keys/rsa".into(),
            _ => "keys/p256".into(),
        },
        keeper: Some(Box::new(agent)),
        ..files
    }
}

/// An Ed25519 key in PEM (RFC 8410, section 4).
fn ed25519(public: &[u8]) -> String {
    let head = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    pem(&[&head[..], public].concat())
}

fn pem(der: &[u8]) -> String {
    let label = "PUBLIC KEY";
    let document = pkcs8::Document::try_from(der).expect("it is DER");
    document.to_pem(label, pkcs8::LineEnding::LF).expect("DER has a form in PEM")
}

pub(super) fn softhsm(home: &Home) -> Kept {
    let files = file(home);
    let token = Token::new(home);
    home.write("proxy.toml", &token::hsm());
    for (algorithm, file, entry) in [
        ("ecdsa_p256", "p256", "p256"),
        ("ecdsa_secp256k1", "k256", "k256"),
        ("ed25519", "ed25519", "ed25519"),
        ("rsa_pkcs1_sha256", "rsa", "rsa"),
        ("hmac_sha1", "mac", "hmac_sha1"),
        ("hmac_sha256", "mac", "hmac_sha256"),
        ("hmac_sha384", "mac", "hmac_sha384"),
        ("hmac_sha512", "mac", "hmac_sha512"),
    ] {
        let file = format!("keys/{file}");
        let place = ["--store", "hsm", "--entry", entry, "--algorithm", algorithm];
        token.done(&[&["import", "--in", &file][..], &place].concat());
    }
    Kept {
        table: token::table(SOFTHSM.as_ref()),
        variables: token.variables().to_vec(),
        entry: |algorithm| match key_of(algorithm) {
            "mac" => algorithm.into(),
            name => name.into(),
        },
        keeper: Some(Box::new(token)),
        ..files
    }
}

pub(super) fn p11_kit(home: &Home) -> Kept {
    let kept = softhsm(home);
    kept.keeper.as_ref().expect("the token").take(false);
    Kept { table: token::table(&token::client()), ..kept }
}

pub(super) fn remote(home: &Home) -> Kept {
    let files = file(home);
    let key = |name: &str| {
        let entry = key_of(name);
        format!("[keys.{name}]\nstore = \"files\"\nentry = \"{entry}\"\nalgorithm = \"{name}\"\n")
    };
    let all = super::algorithms::ALGORITHMS;
    let tables: String = all.iter().map(|name| key(name)).collect();
    let grant = own_grant(&all.join(","));
    let signer = Signer::at_a_socket(home, &grant, &tables);
    Kept {
        table: format!("kind = \"remote\"\nurl = \"{}\"\n", signer.url()),
        entry: str::to_owned,
        keeper: Some(Box::new(signer)),
        ..files
    }
}

pub(super) fn vault(home: &Home) -> Kept {
    let transit = Transit::start();
    for name in ["p256", "ed25519", "rsa"] {
        let public = transit.public(name);
        let public = match name {
            "ed25519" => ed25519(&STANDARD.decode(public).expect("base64")),
            _ => public,
        };
        home.write(&format!("{name}.pub"), &public);
    }
    let address = transit.url();
    Kept {
        table: format!("kind = \"vault\"\naddress = \"{address}\"\ntoken = \"env:HELD_TOKEN\"\n"),
        variables: vec![("HELD_TOKEN", Transit::ROOT.into())],
        entry: |algorithm| match key_of(algorithm) {
            "k256" => "p256".into(),
            "mac" => "hmac".into(),
            name => name.into(),
        },
        secret: Transit::HMAC_KEY,
        keeper: Some(Box::new(transit)),
    }
}

pub(super) fn aws_kms(home: &Home) -> Kept {
    let trent = Trent::start();
    for name in ["p256", "k256", "ed25519", "rsa"] {
        let (_, public) = trent.state.described(name).expect("it is there");
        home.write(&format!("{name}.pub"), &pem(&public));
    }
    Kept {
        table: "kind = \"aws_kms\"\nregion = \"eu-west-1\"\n".into(),
        variables: trent.variables(),
        entry: |algorithm| match algorithm {
            "hmac_sha384" => "mac384".into(),
            "hmac_sha512" => "mac512".into(),
            _ => key_of(algorithm).into(),
        },
        secret: trent::MAC_KEY,
        keeper: Some(Box::new(trent)),
    }
}
