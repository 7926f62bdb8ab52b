//! Keys and secrets as people have them: what editors, shells, container tools and other programs
//! leave around them, through the built program.

use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use countersign::keys::Algorithm;

use crate::support::config;
use crate::support::home::Home;
use crate::support::under_test;
use crate::support::vectors::{load, text};

#[test]
fn keys_are_read_in_the_forms_people_have_them_in() {
    let home = Home::new("");
    let pem = std::fs::read_to_string(home.path("keys/sinohope.pem")).expect("the key is there");
    let number = text(&load("metasv"), "/keys/test-a/private_key_hex").to_owned();
    let der = STANDARD.decode(pem.lines().filter(|l| !l.starts_with('-')).collect::<String>());
    let der = der.expect("PEM is base64");
    let escaped = pem.replace('\n', "\\n");
    let expected = [fingerprint(&home, &pem, None), fingerprint(&home, &number, K256)];
    let forms = [
        ("quoted PEM with \\n", format!("\"{escaped}\""), None),
        ("PEM with \\n", escaped, None),
        ("PEM after a byte order mark, in single quotes", format!("\u{feff}'{pem}'"), None),
        ("base64 of DER", STANDARD.encode(&der), None),
        ("base64url of DER", URL_SAFE_NO_PAD.encode(&der), None),
        ("base64 of PEM", STANDARD.encode(&pem), None),
        ("quoted base64 of PEM", format!("\"{}\"\n", STANDARD.encode(&pem)), None),
        ("a number with its sign", format!("00{number}"), K256),
        ("a quoted number", format!("'{number}'"), K256),
        ("a number after a byte order mark", format!("\u{feff}{number}"), K256),
    ];
    for (name, form, algorithm) in &forms {
        let expected = &expected[usize::from(algorithm.is_some())];
        assert_eq!(fingerprint(&home, form, *algorithm), *expected, "{name} in a file");
        let output = check(&home, form, *algorithm);
        assert!(output.status.success(), "{name} in a variable: {}", said(&output));
    }
}

#[test]
fn forms_that_may_mean_two_things_are_named_in_one_sentence() {
    let home = Home::new("");
    let vectors = load("metasv");
    let number = text(&vectors, "/keys/test-a/private_key_hex");
    let utf16: Vec<u8> =
        format!("\u{feff}{number}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (form, sentence) in [
        (&number.as_bytes()[..62], "is 62 hex digits where a number has 64"),
        (&number.as_bytes()[1..], "is 63 hex digits where a number has 64"),
        (&utf16, "is text in UTF-16, as PowerShell's > writes it"),
    ] {
        let output = show(&home, form, K256);
        let said = said(&output);
        assert_eq!((output.status.code(), said.contains(sentence)), (Some(1), true), "{said}");
        assert!(!said.contains(&number[8..24]), "{said}");
    }
}

#[test]
fn secrets_lose_what_a_tool_put_around_them_or_it_is_said() {
    // A token is what it is only without quotes: `Tokens::parse` refuses any other character.
    let line = format!("app:{}", "5a".repeat(32));
    for (name, value, fine) in [
        ("plain", line.clone(), true),
        ("in quotes", format!("\"{line}\""), true),
        ("after a byte order mark", format!("\u{feff}{line}"), true),
        ("with one quotation mark", format!("{line}\""), false),
    ] {
        let tokens = "[stores.v]\nkind = \"env\"\n[secrets.t]\nstore = \"v\"\nentry = \"T\"\n\
                      [access]\ntokens = \"t\"\n";
        let metasv = config::metasv("http://127.0.0.1:1", None);
        let home = Home::new(&config::proxy(&[metasv, tokens.to_owned()]));
        let output = run(&home, &["check", "proxy.toml"], &value);
        assert_eq!(output.status.success(), fine, "{name}: {}", said(&output));
        assert_eq!(said(&output).contains("access.tokens"), !fine, "{name}: {}", said(&output));
    }
    let home = Home::new(
        "[listen]\nforward = \"127.0.0.1:0\"\n[stores.f]\nkind = \"file\"\ndir = \"keys\"\n\
         [secrets.bearer]\nstore = \"f\"\nentry = \"t\"\n[routes.r]\nhost = \"apiv2.metasv.com\"\n\
         scheme = \"metasv\"\nsecrets = { token = \"bearer\" }\n",
    );
    home.write("keys/t", "\"t0ken-of-metasv\"");
    let output = run(&home, &["check", "proxy.toml"], "");
    assert!(said(&output).contains("secrets.bearer is in quotation marks"), "{}", said(&output));
    assert!(!said(&output).contains("t0ken"), "{}", said(&output));
}

#[test]
fn openssl_reads_new_keys_and_finds_the_same_public_half() {
    let mut read = 0;
    for algorithm in Algorithm::ALL {
        // RSA keys have a test of their own.
        if algorithm.file_extension() != "pem" || !algorithm.sizes().is_empty() {
            continue;
        }
        let home = Home::new("");
        let made = run(&home, &["keys", "new", "--algorithm", algorithm.name(), "--out", "k"], "");
        assert!(made.status.success(), "{}", said(&made));
        let mut openssl = Command::new("openssl");
        openssl.args(["pkey", "-in", "k", "-pubout"]).current_dir(home.path("."));
        let theirs = said(&openssl.output().expect("openssl runs"));
        assert!(said(&made).ends_with(&theirs), "{algorithm}: {theirs}\n{}", said(&made));
        read += 1;
    }
    assert!(read >= 3, "{read}");
}

#[test]
fn a_mac_key_shows_a_fingerprint_and_nothing_of_its_secret() {
    let metasv = config::metasv("http://127.0.0.1:1", None);
    let home = Home::new("");
    let mut shown = Vec::new();
    for (secret, encoding) in
        [("\u{feff}s3cret+/s3cret\n", "text"), ("czNjcmV0Ky9zM2NyZXQ=", "base64")]
    {
        home.write("form", secret);
        let options = ["--algorithm", "hmac_sha512", "--encoding", encoding];
        shown.push(run(&home, &[&["keys", "show", "form"], &options[..]].concat(), ""));
        let imported = [&["keys", "import", "--in", "form", "--out", encoding], &options[..]];
        assert!(run(&home, &imported.concat(), "").status.success());
        shown.push(run(&home, &["keys", "show", encoding], ""));
        let key = format!(
            "[stores.v]\nkind = \"env\"\n[keys.mac]\nstore = \"v\"\nentry = \"T\"\n\
             algorithm = \"hmac_sha512\"\nencoding = \"{encoding}\"\n"
        );
        home.write("proxy.toml", &config::proxy(&[metasv.clone(), key]));
        let output = run(&home, &["check", "proxy.toml"], &format!("'{}'", secret.trim()));
        assert!(output.status.success(), "{}", said(&output));
        assert!(!said(&output).contains("s3cret") && !said(&output).contains("czNj"));
    }
    let texts: Vec<String> = shown.iter().map(said).collect();
    assert!(texts[0].starts_with("algorithm    hmac_sha512\nfingerprint  MAC:"), "{}", texts[0]);
    assert_eq!(texts, vec![texts[0].clone(); 4]);
}

/// What `keys show` says of a key in a file.
fn fingerprint(home: &Home, form: &str, algorithm: Option<&str>) -> String {
    let output = show(home, form.as_bytes(), algorithm);
    let shown = said(&output);
    let line = shown.lines().find(|line| line.starts_with("fingerprint"));
    line.map_or_else(|| shown.clone(), str::to_owned)
}

fn show(home: &Home, form: &[u8], algorithm: Option<&str>) -> Output {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(home.path("form"));
    file.and_then(|mut file| std::io::Write::write_all(&mut file, form))
        .expect("it can be written");
    let mut arguments = vec!["keys", "show", "form"];
    arguments.extend(algorithm.iter().flat_map(|name| ["--algorithm", name]));
    run(home, &arguments, "")
}

/// What `check` says of a key in a variable.
fn check(home: &Home, form: &str, algorithm: Option<&str>) -> Output {
    let algorithm = algorithm.map(|name| format!("algorithm = \"{name}\"\n")).unwrap_or_default();
    home.write(
        "proxy.toml",
        &format!(
            "[listen]\nforward = \"127.0.0.1:0\"\n[stores.v]\nkind = \"env\"\n[keys.k]\n\
             store = \"v\"\nentry = \"T\"\n{algorithm}[routes.r]\nhost = \"api.sinohope.com\"\n\
             scheme = \"sinohope\"\nkeys = {{ signer = \"k\" }}\n"
        ),
    );
    run(home, &["check", "proxy.toml"], form)
}

/// Runs the program with one variable that an `env` store can read.
fn run(home: &Home, arguments: &[&str], value: &str) -> Output {
    let mut command = Command::new(under_test());
    command.args(arguments).current_dir(home.path(".")).env_clear();
    command.env("COUNTERSIGN_T", value).output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

const K256: Option<&str> = Some("ecdsa_secp256k1");
