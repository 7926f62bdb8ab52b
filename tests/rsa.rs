//! RSA keys as OpenSSL and a provider's vectors have them: read in every form, and signing what
//! OpenSSL signs.

use std::fs;
use std::path::Path;
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use countersign::keys::{
    Algorithm, Content, Digest, PrivateKey, PublicKey, PublicPemFault, Signature,
};
use countersign::secret::Secret;
use tempfile::TempDir;

use crate::support::vectors::{load, text};

#[tokio::test]
async fn keys_of_openssl_sign_what_openssl_signs() {
    let dir = directory();
    let mut signed = 0;
    for bits in [2048, 4096] {
        run(
            dir.path(),
            &format!(
                "openssl genrsa -traditional -out pkcs1.pem {bits}
                 openssl pkcs8 -topk8 -nocrypt -in pkcs1.pem -out pkcs8.pem
                 openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -passout pass:sesame \
                     -in pkcs1.pem -out pbkdf2.pem
                 openssl pkcs8 -topk8 -scrypt -passout pass:sesame -in pkcs1.pem -out scrypt.pem
                 openssl rsa -traditional -in pkcs1.pem -outform DER -out pkcs1.der
                 openssl pkcs8 -topk8 -nocrypt -in pkcs1.pem -outform DER -out pkcs8.der
                 od -An -v -tx1 pkcs1.der > pkcs1.hex
                 od -An -v -tx1 pkcs8.der > pkcs8.hex
                 openssl rsa -in pkcs1.pem -pubout -out public.pem
                 openssl rsa -in pkcs1.pem -RSAPublicKey_out -out public1.pem
                 printf 'what is signed' > message
                 openssl dgst -sha256 -sign pkcs1.pem -out theirs message"
            ),
        );
        let public = read(dir.path(), "public.pem");
        let public = PublicKey::from_pem(&public).expect("it is a public key");
        assert_eq!(PublicKey::from_pem(&read(dir.path(), "public1.pem")), Ok(public.clone()));
        assert_eq!(public.bits(), Some(bits));
        let hash = digest(&SHA256, b"what is signed");
        let hash = Digest(hash.as_ref().try_into().expect("it is SHA-256"));
        for form in FORMS {
            let sesame = Secret::new(b"sesame".to_vec());
            let wanted = Some(Algorithm::RSA_PKCS1_SHA256);
            let key = PrivateKey::parse(&read(dir.path(), form), wanted, Some(&sesame));
            let key = key.unwrap_or_else(|why| panic!("{form}: {why}"));
            assert_eq!(key.public_key(), public, "{form}");
            let signer = key.signer().expect("it signs");
            let signature = signer.sign(Content::digest(&hash)).await.expect("it signs");
            assert!(public.verifies(Content::digest(&hash), &signature), "{form}");
            assert!(!public.verifies(Content::digest(&Digest([1; 32])), &signature), "{form}");
            let Signature::Octets(ours) = signature else { panic!("{signature:?}") };
            assert_eq!(ours, read(dir.path(), "theirs"), "{form}");
            fs::write(dir.path().join("ours"), ours).expect("a file can be written");
            let verify = "openssl dgst -sha256 -verify public.pem -signature ours message";
            run(dir.path(), verify);
            signed += 1;
        }
        let key = PrivateKey::parse(&read(dir.path(), "pkcs8.pem"), None, None).expect("a key");
        let locked = key.to_encrypted_pem(&Secret::new(b"sesame".to_vec())).expect("it encrypts");
        fs::write(dir.path().join("plain"), key.to_text().as_bytes()).expect("it is written");
        fs::write(dir.path().join("locked"), locked.as_bytes()).expect("it is written");
        run(
            dir.path(),
            "openssl rsa -in plain -pubout | cmp - public.pem
             openssl rsa -in locked -passin pass:sesame -pubout | cmp - public.pem",
        );
    }
    assert_eq!(signed, 2 * FORMS.len());
}

#[tokio::test]
async fn every_padding_and_hash_is_what_openssl_takes() {
    let dir = directory();
    run(
        dir.path(),
        "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem
         openssl pkey -in key.pem -pubout -out public.pem
         openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.pem
         printf 'what is signed' > message",
    );
    let message = b"what is signed";
    for (algorithm, hash, padding) in [
        (Algorithm::RSA_PKCS1_SHA256, "sha256", "pkcs1"),
        (Algorithm::RSA_PKCS1_SHA512, "sha512", "pkcs1"),
        (Algorithm::RSA_PSS_SHA256, "sha256", "pss -sigopt rsa_pss_saltlen:digest"),
        (Algorithm::RSA_PSS_SHA512, "sha512", "pss -sigopt rsa_pss_saltlen:digest"),
    ] {
        let options = format!("-{hash} -sigopt rsa_padding_mode:{padding}");
        let key = PrivateKey::parse(&read(dir.path(), "key.pem"), Some(algorithm), None);
        let signer = key.expect("it is a key").signer().expect("it signs");
        let public = signer.public_key();
        let content = Content::Message(message);
        let Ok(Signature::Octets(ours)) = signer.sign(content).await else { panic!("{options}") };
        fs::write(dir.path().join("ours"), ours).expect("a file can be written");
        run(
            dir.path(),
            &format!(
                "openssl dgst {options} -verify public.pem -signature ours message
                 openssl dgst {options} -sign key.pem -out theirs message"
            ),
        );
        let theirs = Signature::Octets(read(dir.path(), "theirs"));
        assert!(public.verifies(content, &theirs), "{options}");
        assert!(!public.verifies(Content::Message(b"other"), &theirs), "{options}");
        // A digest is signed by the keys of its own hash alone.
        let hashing = countersign::keys::Hashing::sha256(message);
        let signed = signer.sign(hashing.content(message)).await;
        assert_eq!(signed.is_ok(), hash == "sha256", "{options}");
        let alone = PrivateKey::parse(&read(dir.path(), "pss.pem"), Some(algorithm), None);
        assert_eq!(alone.is_ok(), padding.starts_with("pss"), "{options}");
    }
    let alone = PrivateKey::parse(&read(dir.path(), "pss.pem"), None, None).expect("it is a key");
    assert_eq!(alone.algorithm(), Algorithm::RSA_PSS_SHA256);
}

#[test]
fn what_is_no_key_to_sign_with_says_why() {
    let dir = directory();
    run(
        dir.path(),
        "openssl genrsa -traditional -out small.pem 1024
         openssl pkcs8 -topk8 -nocrypt -in small.pem -out small8.pem
         openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2047 -out almost.pem
         openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.pem
         openssl genrsa -traditional -primes 3 -out three.pem 2048
         openssl genrsa -traditional -out whole.pem 2048
         openssl rsa -traditional -aes128 -passout pass:sesame -in whole.pem -out legacy.pem
         openssl rsa -in whole.pem -pubout -out public.pem
         openssl rsa -in whole.pem -RSAPublicKey_out -out public1.pem
         openssl rsa -in small.pem -pubout -out smallpub.pem
         openssl pkey -in pss.pem -pubout -out psspub.pem
         openssl rsa -in whole.pem -traditional -outform DER -out whole.der
         head -c 600 whole.der > cut.der
         od -An -v -tx1 cut.der > cut.hex",
    );
    let new_key = "make a new key: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096";
    let table = [
        ("small.pem", "is an RSA key of 1024 bits, and 2048 to 8192 are accepted", new_key),
        ("small8.pem", "is an RSA key of 1024 bits, and 2048 to 8192 are accepted", new_key),
        ("almost.pem", "is an RSA key of 2047 bits", new_key),
        ("three.pem", "is an RSA key of more than two primes", new_key),
        ("legacy.pem", "is encrypted in OpenSSL's old PEM format", "encrypt it again: openssl"),
        ("public.pem", "is a public key", "give the private key"),
        ("public1.pem", "is a public key", "give the private key"),
        ("cut.hex", "is not a private key in any form", "give PKCS#8, SEC 1 or PKCS#1"),
    ];
    for (name, what, fix) in table {
        let error = PrivateKey::parse(&read(dir.path(), name), None, None).expect_err(name);
        assert!(error.what.starts_with(what), "{name}: {error}");
        assert!(error.fix.starts_with(fix), "{name}: {}", error.fix);
    }
    let wanted = Some(Algorithm::ECDSA_P256);
    let error = PrivateKey::parse(&read(dir.path(), "whole.pem"), wanted, None).expect_err("curve");
    assert_eq!(error.what, "is an rsa_pkcs1_sha256 key where an ecdsa_p256 key is asked for");
    let wanted = Some(Algorithm::RSA_PKCS1_SHA256);
    let error = PrivateKey::parse(&read(dir.path(), "pss.pem"), wanted, None).expect_err("PSS");
    assert!(error.what.starts_with("is an RSA key for PSS signatures alone (id-RSASSA-PSS)"));
    let error = PrivateKey::parse(&[b'1'; 64], wanted, None).expect_err("a number");
    assert_eq!(error.what, "is a single number, and an RSA key is several");
    for (name, fault) in [
        ("smallpub.pem", PublicPemFault::Kind),
        ("psspub.pem", PublicPemFault::Kind),
        ("whole.pem", PublicPemFault::Private),
        ("message", PublicPemFault::NotPem),
    ] {
        fs::write(dir.path().join("message"), "no PEM").expect("a file can be written");
        assert_eq!(PublicKey::from_pem(&read(dir.path(), name)), Err(fault), "{name}");
    }
}

#[test]
fn numbers_that_do_not_belong_together_are_no_key() {
    let cobo = load("cobo");
    let pem = text(&cobo, "/keys/tss_node/private_pkcs1_pem");
    let lines: Vec<&str> = pem.lines().collect();
    let mut refused = 0;
    // A digit of each line but those of the label, the version and the modulus' length.
    for line in 2..lines.len() - 2 {
        let mut lines = lines.clone();
        let other = if lines[line].as_bytes()[9] == b'A' { "B" } else { "A" };
        let changed = [&lines[line][..9], other, &lines[line][10..]].concat();
        lines[line] = &changed;
        let error = PrivateKey::parse(lines.join("\n").as_bytes(), None, None).expect_err("damage");
        let fitting = error.what.contains("damaged") || error.what.contains("not a private key");
        assert!(fitting, "line {line}: {error}");
        refused += 1;
    }
    assert!(refused > 20, "only {refused} lines were tried");
}

#[test]
fn the_vectors_keys_are_read_in_all_their_forms() {
    let cobo = load("cobo");
    for name in ["tss_node", "callback_server"] {
        let at = |form: &str| text(&cobo, &format!("/keys/{name}/{form}_pem")).as_bytes();
        let keys = [at("private_pkcs1"), at("private_pkcs8")]
            .map(|pem| PrivateKey::parse(pem, None, None).expect("it is a key").public_key());
        let public = [at("public_spki"), at("public_pkcs1")]
            .map(|pem| PublicKey::from_pem(pem).expect("it is a key"));
        assert_eq!(keys, public);
        assert_eq!(keys[0], keys[1]);
        assert_eq!(PublicKey::from_spki(&keys[0].spki()).as_ref(), Some(&keys[0]));
        assert!(keys[0].fingerprint().starts_with("SHA256:"));
    }
}

const FORMS: &[&str] = &[
    "pkcs1.pem",
    "pkcs8.pem",
    "pbkdf2.pem",
    "scrypt.pem",
    "pkcs1.der",
    "pkcs8.der",
    "pkcs1.hex",
    "pkcs8.hex",
];

fn directory() -> TempDir {
    TempDir::new().expect("a directory can be made")
}

fn read(dir: &Path, name: &str) -> Vec<u8> {
    fs::read(dir.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// Runs a shell script in a directory, which must succeed.
fn run(dir: &Path, script: &str) {
    let output = Command::new("sh").args(["-ec", script]).current_dir(dir).output();
    let output = output.expect("there is a shell");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}
