//! Every algorithm of every store: a key signs a request there, and OpenSSL verifies what arrives; what
//! a store cannot do is refused. The rows are a table of docs/keys.md.

use std::fs;
use std::process::{Command, Output};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::kept::{self, Kept};
use super::refused;
use crate::declared::route;
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, echo};
use crate::support::proxy::Proxy;
use crate::support::stage::post;

/// What a store is to do.
struct Row {
    store: &'static str,
    /// What it is here.
    tried: &'static str,
    make: fn(&Home) -> Kept,
    /// The algorithms that it does not have, beside Baby Jubjub's.
    refuses: &'static [&'static str],
    /// What is tried of Baby Jubjub.
    babyjub: &'static str,
    /// The longest message that an Ed25519 key signs, and what is said of a longer one.
    longest: Option<(usize, &'static str)>,
}

const MEMORY: Row = Row {
    store: "env",
    tried: "itself",
    make: kept::env,
    refuses: &[],
    babyjub: "as `file`",
    longest: None,
};

const TOKEN: Row = Row {
    store: "pkcs11",
    tried: "SoftHSM in the proxy's process",
    make: kept::softhsm,
    babyjub: REFUSED,
    ..MEMORY
};

const REFUSED: &str = "refused";

const ROWS: &[Row] = &[
    MEMORY,
    Row { store: "file", make: kept::file, babyjub: "yes", ..MEMORY },
    Row { store: "systemd", tried: "a directory", make: kept::systemd, ..MEMORY },
    Row { store: "exec", tried: "`cat`", make: kept::exec, ..MEMORY },
    Row {
        store: "ssh_agent",
        tried: "OpenSSH's agent",
        make: kept::ssh_agent,
        refuses: &[
            "ecdsa_secp256k1",
            "rsa_pss_sha256",
            "rsa_pss_sha512",
            "hmac_sha1",
            "hmac_sha256",
            "hmac_sha384",
            "hmac_sha512",
        ],
        babyjub: REFUSED,
        longest: Some((255 * 1024, "no messages of more than 255 KiB")),
    },
    TOKEN,
    Row {
        tried: "SoftHSM behind `p11-kit server`",
        make: kept::p11_kit,
        refuses: &["ed25519"],
        ..TOKEN
    },
    Row {
        store: "remote",
        tried: "`countersign signer` at a socket",
        make: kept::remote,
        babyjub: "conformance alone",
        longest: Some((1024 * 1024, "no messages of more than 1 MiB")),
        ..MEMORY
    },
    Row {
        store: "vault",
        tried: "a stand-in",
        make: kept::vault,
        refuses: &["ecdsa_secp256k1", "hmac_sha1"],
        babyjub: REFUSED,
        longest: Some((16 * 1024 * 1024, "longer than the key's service takes")),
    },
    Row {
        store: "aws_kms",
        tried: "a stand-in",
        make: kept::aws_kms,
        refuses: &["hmac_sha1"],
        babyjub: REFUSED,
        longest: Some((4096, "longer than the key's service takes")),
    },
];

pub(super) const ALGORITHMS: [&str; 11] = [
    "ecdsa_p256",
    "ecdsa_secp256k1",
    "ed25519",
    "rsa_pkcs1_sha256",
    "rsa_pkcs1_sha512",
    "rsa_pss_sha256",
    "rsa_pss_sha512",
    "hmac_sha1",
    "hmac_sha256",
    "hmac_sha384",
    "hmac_sha512",
];

#[test]
fn keys_in_memory_sign() {
    ROWS[..4].iter().for_each(signs);
}

#[test]
fn keys_of_an_agent_sign() {
    signs(&ROWS[4]);
}

#[test]
fn keys_in_a_token_sign() {
    ROWS[5..7].iter().for_each(signs);
}

#[test]
fn keys_of_a_signer_sign() {
    signs(&ROWS[7]);
}

#[test]
fn keys_of_a_vault_sign() {
    signs(&ROWS[8]);
}

#[test]
fn keys_of_a_kms_sign() {
    signs(&ROWS[9]);
}

/// Room for the longest message, and more time than a store takes where much else runs.
const LIMITS: &str = "[limits]\nsigned_body = \"20MiB\"\n[timeouts]\nsign = \"60s\"\n";

fn signs(row: &Row) {
    let home = Home::new("");
    let kept = (row.make)(&home);
    let variables: Vec<_> = kept.variables.iter().map(|(name, is)| (*name, is.as_str())).collect();
    let origin = Origin::start(echo());
    let able: Vec<_> = ALGORITHMS.into_iter().filter(|one| !row.refuses.contains(one)).collect();
    let config = |algorithms: &[&str]| {
        let tables = format!("[stores.held]\n{}{LIMITS}", kept.table);
        let routes = algorithms.iter().map(|one| {
            home.write(&format!("{one}.toml"), &scheme(one));
            let route = route(one, one, &[], &origin.url()).replacen("\"files\"", "\"held\"", 1);
            let entry = format!("{:?}", (kept.entry)(one));
            route.replacen(&format!("\"{one}.secret\""), &entry, 1)
        });
        home.write("proxy.toml", &config::proxy(&[tables, routes.collect()]));
    };
    config(&able);
    let asked = || kept.keeper.as_ref().and_then(|keeper| keeper.asked());
    let before = asked();
    let proxy = Proxy::start_in(home.clone(), &variables);
    // A MAC's key has no public half: it is known by a MAC, which the self-test repeats.
    let macs = able.iter().filter(|one| one.starts_with("hmac")).count();
    assert_eq!(asked(), before.map(|before| before + able.len() + macs), "{}", row.store);
    let ask = |algorithm: &str, body: &str| {
        let request = post(&format!("http://{algorithm}.test/x?a=1"), body);
        let reply = Client::connect(proxy.forward_url()).exchange(request);
        (reply.status, String::from_utf8_lossy(&reply.body).into_owned())
    };
    for algorithm in &able {
        let (status, said) = ask(algorithm, "{}");
        assert_eq!(status, 200, "{} {algorithm}: {said}", row.store);
        arrived_signed(&home, &origin, algorithm, "{}", kept.secret);
    }
    if let Some((longest, what)) = row.longest {
        let body = "x".repeat(longest - "POST/x?a=1".len());
        assert_eq!(ask("ed25519", &body).0, 200, "{} at most", row.store);
        arrived_signed(&home, &origin, "ed25519", &body, kept.secret);
        let (status, said) = ask("ed25519", &format!("{body}x"));
        assert_eq!(status, 503, "{}: {said}", row.store);
        assert!(said.contains("signer_unavailable") && said.contains(what), "{said}");
    }
    let all = able.len() + usize::from(row.longest.is_some());
    assert_eq!(origin.arrived().len(), all, "what was not signed was not sent");
    drop(proxy);
    let mut unable = row.refuses.to_vec();
    unable.extend((row.babyjub == REFUSED).then_some("eddsa_babyjub"));
    if unable.is_empty() {
        return;
    }
    config(&["ecdsa_p256"]);
    let mut text = fs::read_to_string(home.path("proxy.toml")).expect("it was written");
    for one in &unable {
        let entry = (kept.entry)(one);
        text.push_str(&format!(
            "[keys.{one}]\nstore = \"held\"\nentry = \"{entry}\"\nalgorithm = \"{one}\"\n"
        ));
    }
    home.write("proxy.toml", &text);
    let said = refused(&home, &variables);
    for algorithm in &unable {
        assert!(said.contains(&format!("keys.{algorithm}: ")), "{}: {said}", row.store);
    }
    assert!(said.matches("\n  fix: ").count() >= unable.len(), "{}: {said}", row.store);
}

/// A scheme that signs a whole request by an algorithm. Its vector says only that it can be used.
fn scheme(algorithm: &str) -> String {
    static KEYS: LazyLock<Home> = LazyLock::new(|| {
        let home = Home::new("");
        kept::file(&home);
        home
    });
    let key = KEYS.path("keys").join(kept::key_of(algorithm));
    let key = fs::read_to_string(key).expect("it is there");
    let der = if algorithm.starts_with("ecdsa") { ", form = \"der\"" } else { "" };
    format!(
        "format = 1\nsummary = \"All of a request\"\nhost = \"{algorithm}.test\"\n\
         [keys.signer]\nalgorithms = [\"{algorithm}\"]\n\
         [values]\nsignature = {{ sign = \"{{method}}{{target}}{{body}}\", key = \"signer\", \
         as = \"base64\"{der} }}\n[place.headers]\nX-Signature = \"{{signature}}\"\n\
         [[vectors]]\nsource = \"this test\"\nnow = \"2026-01-01T00:00:00Z\"\n\
         keys.signer = '''\n{key}'''\n\
         request = {{ method = \"POST\", target = \"/x?a=1\", body = \"{{}}\" }}\n\
         expect.target = \"/x?a=1\"\n"
    )
}

/// What arrived last is signed, by OpenSSL's opinion.
fn arrived_signed(home: &Home, origin: &Origin, algorithm: &str, body: &str, secret: &[u8]) {
    let got = origin.arrived().pop().expect("it arrived");
    assert_eq!((got.body.as_slice(), got.target.as_str()), (body.as_bytes(), "/x?a=1"));
    let signature = STANDARD.decode(got.once("x-signature").expect("once")).expect("base64");
    let text = format!("POST/x?a=1{body}");
    assert!(holds(home, algorithm, &text, &signature, secret), "{algorithm}: {signature:02x?}");
    let other = format!("{text}.");
    assert!(!holds(home, algorithm, &other, &signature, secret), "{algorithm}: of any text");
}

fn holds(home: &Home, algorithm: &str, text: &str, signature: &[u8], secret: &[u8]) -> bool {
    home.write("text", text);
    fs::write(home.path("signature"), signature).expect("it can be written");
    let hash = match algorithm.rsplit_once("sha") {
        Some((_, bits)) => format!("-sha{bits}"),
        None => "-sha256".into(),
    };
    let public = format!("{}.pub", kept::key_of(algorithm));
    let openssl = |arguments: &[&str]| -> Output {
        let mut command = Command::new("openssl");
        let command = command.args(arguments).current_dir(home.path("."));
        command.output().expect("openssl can be run: scripts/setup-tests installs it")
    };
    if algorithm.starts_with("hmac") {
        let key = format!("hexkey:{}", base16ct::lower::encode_string(secret));
        let made = openssl(&["dgst", &hash, "-mac", "HMAC", "-macopt", &key, "-binary", "text"]);
        assert!(made.status.success(), "{made:?}");
        return made.stdout == signature;
    }
    let file = ["-signature", "signature", "text"];
    let verify = ["dgst", hash.as_str(), "-verify", &public];
    let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
    let whole = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", &public, "-in", "text"];
    let verified = match algorithm {
        "ed25519" => openssl(&[&whole[..], &["-sigfile", "signature"]].concat()),
        _ if algorithm.starts_with("rsa_pss") => openssl(&[&verify[..], &pss, &file].concat()),
        _ => openssl(&[&verify[..], &file].concat()),
    };
    verified.status.success()
}

#[test]
fn the_documents_table_is_of_these_rows() {
    let groups = ["ecdsa_p256", "ecdsa_secp256k1", "ed25519", "rsa_pkcs1", "rsa_pss", "hmac"];
    let mut table = String::from(
        "| store | tried with | P-256 | secp256k1 | Ed25519 | RSA PKCS#1 | RSA-PSS | HMAC | Baby \
         Jubjub |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in ROWS {
        let cell = |group: &&str| {
            let of = ALGORITHMS.iter().filter(|one| one.starts_with(group));
            let (no, yes): (Vec<&str>, Vec<&str>) = of.partition(|one| row.refuses.contains(one));
            match (no.is_empty(), yes.is_empty()) {
                (true, _) => "yes".to_owned(),
                (_, true) => REFUSED.to_owned(),
                _ => format!("yes; {} {REFUSED}", no.join(", ").replace("hmac_sha1", "SHA-1")),
            }
        };
        let cells: Vec<_> = groups.iter().map(cell).collect();
        let (store, tried, babyjub) = (row.store, row.tried, row.babyjub);
        let cells = cells.join(" | ");
        table.push_str(&format!("| `{store}` | {tried} | {cells} | {babyjub} |\n"));
    }
    let document = include_str!("../../docs/keys.md");
    assert!(document.contains(&table), "docs/keys.md has not this table:\n{table}");
}
