//! The commands as typed, with a directory, a variable table and no terminal.

use std::ffi::OsString;
use std::fs;

use clap::Parser;
use pkcs8::DecodePublicKey as _;
use tempfile::TempDir;

use super::*;

#[derive(clap::Parser)]
struct CommandLine {
    #[command(flatten)]
    keys: KeysArgs,
}

/// A published test key.
const NUMBER: &str = "ca19b48a11d317fc3ce51fdbc0161ec5d925a260f9f32fbdc4a52447396a8272";
const WIF: &str = "L3zZsu6CbAsAtv8Zmw69q4RgmDCKHSS8cEYUkPwzP2qj7qkQSkuZ";
const POINT: &str = "023ee09c28123004368925965123cb8b2a6ada56a832c8aaf46990c5eb200dbcd7";

fn lookup(name: &str) -> Option<OsString> {
    match name {
        "COUNTERSIGN_PASSPHRASE" => Some("sesame".into()),
        "OTHER" => Some("semase".into()),
        _ => None,
    }
}

/// Runs a command line in which `DIR` stands for the directory.
fn run_in(dir: &TempDir, line: &str, mut stdin: &[u8]) -> Result<String, CliError> {
    let line = line.replace("DIR", &dir.path().display().to_string());
    let words = ["keys"].into_iter().chain(line.split_whitespace());
    let mut out = Vec::new();
    let prompt = |_: &str| Err(io::ErrorKind::NotFound.into());
    let mut session = Session { out: &mut out, stdin: &mut stdin, lookup, prompt: &prompt };
    session.run(CommandLine::try_parse_from(words).unwrap().keys.command)?;
    Ok(String::from_utf8(out).unwrap())
}

fn fingerprint(shown: &str) -> &str {
    shown.lines().find_map(|line| line.strip_prefix("fingerprint  ")).unwrap()
}

#[test]
fn a_new_key_is_shown_alike_from_its_file() {
    for (algorithm, encrypt, begins) in [
        ("ecdsa_p256", "", "-----BEGIN PRIVATE KEY-----"),
        ("ecdsa_secp256k1", "", "-----BEGIN PRIVATE KEY-----"),
        ("ecdsa_p256", "--encrypt", "-----BEGIN ENCRYPTED PRIVATE KEY-----"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let line = format!("new --algorithm {algorithm} {encrypt} --out DIR/a.pem");
        let made = run_in(&dir, &line, b"").unwrap();
        let written = fs::read_to_string(dir.path().join("a.pem")).unwrap();
        assert!(written.starts_with(begins), "{line}");
        let shown = run_in(&dir, "show DIR/a.pem", b"").unwrap();
        assert!(made.ends_with(&shown), "{made}\n{shown}");
        assert_eq!(shown.contains("MetaSV"), algorithm == "ecdsa_secp256k1");
        let error = run_in(&dir, &line, b"").unwrap_err();
        assert!(error.what.ends_with("a.pem exists already"), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join("a.pem")).unwrap(), written);
    }
}

#[test]
fn keys_of_every_form_are_imported() {
    let dir = tempfile::tempdir().unwrap();
    let hex = "import --in - --algorithm ecdsa_secp256k1 --out DIR/hex.pem";
    let shown = [
        run_in(&dir, hex, NUMBER.as_bytes()).unwrap(),
        run_in(&dir, "import --in - --encrypt --out DIR/wif.pem", WIF.as_bytes()).unwrap(),
        run_in(&dir, "import --in DIR/hex.pem --out DIR/pem.pem", b"").unwrap(),
        run_in(&dir, "import --in DIR/wif.pem --out DIR/plain.pem", b"").unwrap(),
        run_in(&dir, "show DIR/plain.pem", b"").unwrap(),
    ];
    for text in &shown {
        assert!(text.contains(POINT), "{text}");
        assert!(!text.contains("PRIVATE") && !text.contains(NUMBER), "{text}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
}

#[test]
fn encrypting_keeps_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let made = run_in(&dir, "new --algorithm ecdsa_p256 --out DIR/a.pem", b"").unwrap();
    let plain = fs::read(dir.path().join("a.pem")).unwrap();
    run_in(&dir, "encrypt DIR/a.pem --out DIR/b.pem", b"").unwrap();
    assert_eq!(fs::read(dir.path().join("a.pem")).unwrap(), plain);
    run_in(&dir, "encrypt DIR/a.pem", b"").unwrap();
    for name in ["a.pem", "b.pem"] {
        let written = fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(written.starts_with("-----BEGIN ENCRYPTED"), "{name}");
        let shown = run_in(&dir, &format!("show DIR/{name}"), b"").unwrap();
        assert_eq!(fingerprint(&shown), fingerprint(&made));
    }
    let again = run_in(&dir, "encrypt DIR/a.pem", b"").unwrap_err();
    assert!(again.what.ends_with("a.pem is encrypted already"), "{again}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn json_has_the_forms_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let json = run_in(&dir, "show - --json", WIF.as_bytes()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["algorithm"], "ecdsa_secp256k1");
    assert_eq!(json["compressed_hex"], POINT);
    assert!(json["spki_hex"].as_str().unwrap().contains(&POINT[2..]));
    let pem = json["spki_pem"].as_str().unwrap();
    let text = run_in(&dir, "show -", WIF.as_bytes()).unwrap();
    assert!(text.ends_with(pem) && text.contains(json["fingerprint"].as_str().unwrap()));
    let read = k256::PublicKey::from_public_key_pem(pem).unwrap();
    assert_eq!(base16ct::lower::encode_string(&read.to_sec1_bytes()), POINT);
}

#[test]
fn errors_name_the_file_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let new = "new --algorithm ecdsa_p256 --encrypt --out DIR/a.pem";
    run_in(&dir, new, b"").unwrap();
    let other_curve = "show DIR/a.pem --algorithm ecdsa_secp256k1";
    for (line, stdin, what, fix) in [
        ("show DIR/no.pem", "", "no.pem cannot be read", "name the file"),
        ("show -", "", "standard input is empty", "put the private key"),
        ("show -", NUMBER, "standard input is a bare number", "name its algorithm"),
        (other_curve, "", "is an ecdsa_p256 key", "use another"),
        ("show DIR/a.pem --passphrase-env OTHER", "", "does not open it", "give the passphrase"),
        ("show DIR/a.pem --passphrase-env NONE", "", "NONE is not set", "set NONE, or"),
        (
            "import --in DIR/a.pem --out DIR/b.pem --passphrase-env NONE",
            "",
            "NONE is not set",
            "set NONE, or",
        ),
        ("import --in DIR/a.pem --out DIR/a.pem", "", "exists already", "choose another name"),
    ] {
        let error = run_in(&dir, line, stdin.as_bytes()).unwrap_err();
        assert!(error.what.contains(what), "{line}: {error}");
        assert!(error.fix.as_ref().unwrap().starts_with(fix), "{line}: {error:?}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
