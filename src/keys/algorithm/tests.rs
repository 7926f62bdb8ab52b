//! Every form, every sentence; what other libraries sign.

mod vectors;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::Encode as _;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::Kdf;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::keys::content::{Content, Digest};
use crate::keys::formats::PassphraseFault;
use vectors::*;

const P256: Algorithm = Algorithm::ECDSA_P256;
const K256: Algorithm = Algorithm::ECDSA_SECP256K1;

fn parse(text: impl AsRef<[u8]>) -> Result<PrivateKey, FormatError> {
    PrivateKey::parse(text.as_ref(), None, None)
}

fn spki(key: &PrivateKey) -> String {
    base16ct::lower::encode_string(&key.public_key().spki())
}

fn der(hex: &str) -> Vec<u8> {
    base16ct::mixed::decode_vec(hex).unwrap()
}

/// The contents of the one block.
fn pem(text: &str) -> Vec<u8> {
    pkcs8::Document::from_pem(text).unwrap().1.into_vec()
}

fn sesame() -> Secret {
    Secret::new(b"sesame".to_vec())
}

fn base58check(payload: &[u8]) -> String {
    let checksum = Sha256::digest(Sha256::digest(payload));
    bs58::encode([payload, &checksum[..4]].concat()).into_string()
}

#[test]
fn pkcs8_is_read_as_hex_and_as_der() {
    for (algorithm, hex) in PKCS8 {
        let forms: [Vec<u8>; 5] = [
            hex.as_bytes().to_vec(),
            format!(" 0x{}\r\n", hex.to_uppercase()).into_bytes(),
            [&hex[..60], "\n", &hex[60..]].concat().into_bytes(),
            der(hex),
            [der(hex), b"\n".to_vec()].concat(),
        ];
        for form in forms {
            let key = parse(&form).unwrap();
            assert_eq!(key.algorithm(), *algorithm);
            let expected = if *algorithm == P256 { P256_SPKI } else { K256_SPKI };
            assert_eq!(spki(&key), expected);
        }
    }
    assert_eq!(PKCS8.len(), 6);
}

#[test]
fn a_number_is_a_key_on_the_curve_asked_for() {
    for (algorithm, number, expected) in
        [(P256, P256_NUMBER, P256_SPKI), (K256, K256_NUMBER, K256_SPKI)]
    {
        for text in [number.to_owned(), format!("0x{number}\n"), number.to_uppercase()] {
            let key = PrivateKey::parse(text.as_bytes(), Some(algorithm), None).unwrap();
            assert_eq!(spki(&key), expected);
        }
    }
    let error = parse(P256_NUMBER).unwrap_err();
    assert!(error.what.contains("does not say its curve"), "{error}");
}

#[test]
fn an_encoding_that_is_said_holds_der_or_a_number() {
    let read = |text: String, encoding, wanted| {
        PrivateKey::parse_encoded(text.as_bytes(), encoding, wanted, None)
    };
    let (number, whole) = (der(P256_NUMBER), pem(PKCS8_PEM));
    let key = read(STANDARD.encode(&number), Encoding::Base64, Some(P256)).unwrap();
    assert_eq!(spki(&key), P256_SPKI);
    for (text, encoding) in [
        (STANDARD.encode(&whole), Encoding::Base64),
        (base16ct::lower::encode_string(&whole), Encoding::Hex),
    ] {
        assert_eq!(spki(&read(text, encoding, None).unwrap()), spki(&parse(PKCS8_PEM).unwrap()));
    }
    for (text, encoding, what) in [
        (STANDARD.encode(&number[1..]), Encoding::Base64, "is 31 bytes, and the number"),
        (PKCS8_PEM.to_owned(), Encoding::Base64, "is not in base64"),
        (P256_NUMBER[1..].to_owned(), Encoding::Hex, "is not in hex"),
    ] {
        let error = read(text, encoding, Some(P256)).unwrap_err();
        assert!(error.what.contains(what), "{error}");
    }
}

#[test]
fn wif_is_read_with_and_without_its_suffix() {
    let plain = base58check(&[&[0x80], &der(WIF_NUMBER)[..]].concat());
    for text in [WIF, &plain] {
        let key = parse(text).unwrap();
        let point = base16ct::lower::encode_string(&key.public_key().compressed());
        assert_eq!((key.algorithm(), point.as_str()), (K256, WIF_POINT));
    }
    assert_eq!((WIF.len(), plain.len()), (52, 51));
}

#[test]
fn pem_is_read_as_openssl_and_as_editors_leave_it() {
    let public = pem(PUBLIC_PEM);
    let expected = base16ct::lower::encode_string(&public);
    for text in [
        SEC1_PEM.to_owned(),
        PKCS8_PEM.replace('\n', "\r\n"),
        format!("\u{feff}Schlüssel:\n\n{PKCS8_PEM}\n\n"),
        format!("{PUBLIC_PEM}{PKCS8_PEM}"),
        PKCS8_PEM.lines().map(|line| format!("  {line} \n")).collect(),
    ] {
        assert_eq!(spki(&parse(&text).unwrap()), expected, "{text}");
    }
}

#[test]
fn base64_of_der_and_of_pem_is_read() {
    let expected = spki(&parse(PKCS8_PEM).unwrap());
    let der = pem(PKCS8_PEM);
    for bytes in [&der[..], PKCS8_PEM.as_bytes(), SEC1_PEM.as_bytes()] {
        let text = STANDARD.encode(bytes);
        let wrapped: Vec<_> = text.as_bytes().chunks(76).map(|l| [l, b"\n"].concat()).collect();
        for text in [
            text.trim_end_matches('=').to_owned(),
            text.replace('+', "-").replace('/', "_"),
            String::from_utf8(wrapped.concat()).unwrap(),
            text,
        ] {
            assert_eq!(spki(&parse(&text).unwrap()), expected, "{text}");
        }
    }
    // What is base64 of something else, or of more, is no key.
    for bytes in [&b"correct horse battery staple"[..], &[&der[..], b"\n"].concat(), &der[1..]] {
        let error = parse(STANDARD.encode(bytes)).unwrap_err();
        assert!(error.what.contains("is not a private key in any form"), "{error}");
    }
}

#[test]
fn what_tools_put_around_a_key_is_taken_off() {
    let expected = spki(&parse(PKCS8_PEM).unwrap());
    let escaped = PKCS8_PEM.replace('\n', "\\n");
    for text in [
        escaped.clone(),
        format!("\"{escaped}\"\n"),
        format!("\u{feff}'{PKCS8_PEM}'"),
        PKCS8_PEM.replace('\n', "\\r\\n"),
    ] {
        assert_eq!(spki(&parse(&text).unwrap()), expected, "{text}");
    }
    let number = format!("00{WIF_NUMBER}");
    for text in [number.clone(), format!("'{WIF_NUMBER}'"), format!("\u{feff}0x{number}")] {
        let key = PrivateKey::parse(text.as_bytes(), Some(K256), None).unwrap();
        assert_eq!(base16ct::lower::encode_string(&key.public_key().compressed()), WIF_POINT);
    }
    let utf16: Vec<u8> = "\u{feff}key".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(parse(utf16).unwrap_err().what.contains("UTF-16"));
}

#[test]
fn encrypted_keys_open_with_their_passphrase() {
    let expected = spki(&parse(PKCS8_PEM).unwrap());
    for text in [PBKDF2_PEM, SCRYPT_PEM] {
        let key = PrivateKey::parse(text.as_bytes(), None, Some(&sesame())).unwrap();
        assert_eq!(spki(&key), expected);
        let missing = parse(text).unwrap_err();
        assert_eq!(missing.passphrase, PassphraseFault::Missing);
        let other = Secret::new(b"semase".to_vec());
        let wrong = PrivateKey::parse(text.as_bytes(), None, Some(&other)).unwrap_err();
        assert_eq!(wrong.passphrase, PassphraseFault::Wrong);
    }
}

#[test]
fn weak_encryption_is_named_with_the_command_that_mends_it() {
    for (text, what) in [(SHA1_PEM, "SHA-1"), (DES3_PEM, "too old"), (LEGACY_PEM, "old PEM format")]
    {
        for passphrase in [None, Some(&sesame())] {
            let error = PrivateKey::parse(text.as_bytes(), None, passphrase).unwrap_err();
            assert!(error.what.contains(what), "{error}");
            assert!(
                error.fix.contains("openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256")
            );
        }
    }
}

#[test]
fn absurd_scrypt_costs_are_refused_before_they_are_paid() {
    let der = pem(SCRYPT_PEM);
    for cost in [0, 3, 1 << 20, u64::MAX] {
        let mut info = EncryptedPrivateKeyInfoRef::try_from(&der[..]).unwrap();
        let EncryptionScheme::Pbes2(parameters) = &mut info.encryption_algorithm else { panic!() };
        let Kdf::Scrypt(scrypt) = &mut parameters.kdf else { panic!() };
        assert_eq!(std::mem::replace(&mut scrypt.cost_parameter, cost), 1 << 14);
        let der = info.to_der().unwrap();
        let error = PrivateKey::parse(&der, None, Some(&sesame())).unwrap_err();
        assert_eq!(error.what, "is encrypted with a cost that makes no sense");
    }
}

#[test]
fn the_curve_asked_for_must_be_the_one_found() {
    let wif = base58check(&[&[0x80], &der(WIF_NUMBER)[..]].concat());
    for text in [PKCS8[3].1, PKCS8_PEM, SEC1_PEM, &wif] {
        let error = PrivateKey::parse(text.as_bytes(), Some(P256), None).unwrap_err();
        assert_eq!(error.what, "is an ecdsa_secp256k1 key where an ecdsa_p256 key is asked for");
        assert!(PrivateKey::parse(text.as_bytes(), Some(K256), None).is_ok());
    }
    // The inner curve contradicts the outer one: 2a8648ce3d030107 is P-256.
    let mixed = PKCS8[3].1.replacen(
        "301006072a8648ce3d020106052b8104000a",
        "301306072a8648ce3d020106082a8648ce3d030107",
        1,
    );
    let mixed = mixed.replacen("30818d", "308190", 1);
    let error = parse(&mixed).unwrap_err();
    assert_eq!(error.what, "names two curves, P-256 outside and secp256k1 inside");
}

#[test]
fn numbers_outside_the_group_are_refused() {
    const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    const K256_ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    for (algorithm, order) in [(P256, P256_ORDER), (K256, K256_ORDER)] {
        let below = format!("{}0", &order[..63]);
        assert!(PrivateKey::parse(below.as_bytes(), Some(algorithm), None).is_ok());
        for number in [order, &"f".repeat(64), &"0".repeat(64)] {
            let error = PrivateKey::parse(number.as_bytes(), Some(algorithm), None).unwrap_err();
            assert!(error.what.contains("zero, or not below the order"), "{error}");
        }
    }
    let zero = base58check(&[&[0x80], &[0; 32][..], &[1]].concat());
    assert!(parse(zero).unwrap_err().what.contains("zero"));
    let zeroed = PKCS8[2].1.replace(P256_NUMBER, &"0".repeat(64));
    assert!(parse(zeroed).unwrap_err().what.contains("zero"));
}

#[test]
fn a_public_key_of_another_private_key_is_refused() {
    for (_, hex) in [PKCS8[0], PKCS8[1], PKCS8[3], PKCS8[4]] {
        let number = if hex.contains(P256_NUMBER) { P256_NUMBER } else { K256_NUMBER };
        let error = parse(hex.replace(number, WIF_NUMBER)).unwrap_err();
        assert!(error.what.contains("does not belong"), "{error}");
    }
}

#[test]
fn what_is_no_key_gets_its_own_sentence_without_its_bytes() {
    let testnet = base58check(&[&[0xef], &der(WIF_NUMBER)[..], &[1]].concat());
    let mistyped = WIF.replacen("Zs", "sZ", 1);
    let (_, p256) = PKCS8[0];
    let dotted = p256.replacen("2a8648ce3d030107", "2a8648ce3d030105", 1);
    let openssh =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----";
    let broken = PKCS8_PEM.replace("MIGE", "MI*E");
    let cut = &PKCS8_PEM[..150];
    let (odd, short) = (&P256_NUMBER[..63], &P256_NUMBER[..60]);
    let sign = format!("05{P256_NUMBER}");
    // The last of the object identifier's numbers.
    let x25519 = ED25519_PEM.replace("K2Vw", "K2Vu");
    let many = vec![b'0'; 64 * 1024 + 1];
    let table: &[(&[u8], &str)] = &[
        (b" \r\n", "is empty"),
        (&many, "is 65537 bytes, far too long"),
        (PUBLIC_PEM.as_bytes(), "is a public key"),
        (P256_SPKI.as_bytes(), "is a public key"),
        (WIF_POINT.as_bytes(), "is a public key, in hex"),
        (CERTIFICATE_PEM.as_bytes(), "is a certificate"),
        (openssh.as_bytes(), "is in OpenSSH's own format"),
        (b"ssh-ed25519 AAAA", "is an OpenSSH public key"),
        (b"{\"kty\":\"EC\"}", "is JSON"),
        (P384_PEM.as_bytes(), "kind that does not sign here: P-384"),
        (x25519.as_bytes(), "kind that does not sign here: X25519"),
        (dotted.as_bytes(), "two curves, object identifier 1.2.840.10045.3.1.5 outside"),
        (b"3006020100020105", "is a public key"),
        (b"3009020100020105020103", "is an RSA key of 3 bits, and 2048 to 8192 are accepted"),
        (EXPLICIT_PEM.as_bytes(), "spells its curve out"),
        (testnet.as_bytes(), "is a WIF for a test network"),
        (mistyped.as_bytes(), "a WIF, and its checksum is wrong"),
        (broken.as_bytes(), "has broken base64"),
        (cut.as_bytes(), "begins like PEM and does not end like it"),
        (odd.as_bytes(), "is 63 hex digits where a number has 64"),
        (short.as_bytes(), "is 60 hex digits where a number has 64"),
        (&odd.as_bytes()[..57], "is 57 hex digits, an odd number"),
        (&odd.as_bytes()[..56], "begins like no key"),
        (sign.as_bytes(), "begins like no key"),
        (BABYJUB_NUMBER.as_bytes(), "is a number in decimal"),
        (b"0x1e240", "is 5 hex digits, an odd number"),
        (b"correct horse", "is not a private key in any form"),
        (&[0x30, 0x82, 0x01], "is not a private key in any form"),
        (&[0xff; 32], "is not a private key in any form"),
    ];
    for (bytes, sentence) in table {
        let error = parse(bytes).unwrap_err();
        assert!(error.what.contains(sentence), "{sentence}: {error}");
        let said = format!("{error:?}");
        assert!(!bytes.windows(16).any(|w| said.as_bytes().windows(16).any(|s| s == w)), "{said}");
    }
}

#[test]
fn baby_jubjub_keys_are_numbers() {
    let wanted = Some(Algorithm::EDDSA_BABYJUB);
    let expected = PrivateKey::parse(BABYJUB_NUMBER.as_bytes(), wanted, None).unwrap();
    assert_eq!(member(&expected.public_key(), "x"), BABYJUB_X);
    let hex = "0x2bf7d29ae0293dd8b7538681341934a26ec5c98bd2f8c58e4d67bbede05d1b7";
    for text in [
        format!("{BABYJUB_NUMBER}\n"),
        format!(" 000{BABYJUB_NUMBER}\r\n"),
        hex.to_owned(),
        hex.to_uppercase(),
        format!("0x000{}", &hex[2..]),
    ] {
        let key = PrivateKey::parse(text.as_bytes(), wanted, None).unwrap();
        assert_eq!(key.public_key(), expected.public_key(), "{text}");
    }
    for (number, what) in [
        ("0", "not from 1 to below"),
        ("0x0", "not from 1 to below"),
        (BABYJUB_ORDER, "not from 1 to below 2736030358979909402780800718157159386076813972158567"),
        (&"9".repeat(100), "not from 1 to below"),
        (&format!("0x{}", "f".repeat(64)), "not from 1 to below"),
        ("-5", "is no number"),
        ("+5", "is no number"),
        ("1 2", "is no number"),
        ("1_000", "is no number"),
        ("1e240", "is no number"),
        ("0x", "is no number"),
        ("0x-5", "is no number"),
        ("0x1 2", "is no number"),
        (WIF, "is no number"),
    ] {
        let error = PrivateKey::parse(number.as_bytes(), wanted, None).unwrap_err();
        assert!(error.what.contains(what), "{number}: {error}");
    }
    let error = PrivateKey::parse(PKCS8_PEM.as_bytes(), wanted, None).unwrap_err();
    assert_eq!(error.what, "is an ecdsa_secp256k1 key where an eddsa_babyjub key is asked for");
}

#[test]
fn exported_accounts_say_what_they_are() {
    let public = parse(account(BABYJUB_NUMBER, BABYJUB_X, BABYJUB_Y)).unwrap().public_key();
    assert_eq!(member(&public, "y"), BABYJUB_Y);
    let (x, y) = (member(&public, "x_hex"), member(&public, "y_hex"));
    let bare = format!("{{\"privateKey\": \"{BABYJUB_NUMBER}\"}}");
    for text in [account(BABYJUB_NUMBER, &x, &y), bare] {
        assert_eq!(parse(&text).unwrap().public_key(), public, "{text}");
    }
    let lone = format!("{{\"privateKey\": \"{BABYJUB_NUMBER}\", \"publicKeyX\": \"{BABYJUB_X}\"}}");
    for (text, what) in [
        (account("5", BABYJUB_X, BABYJUB_Y), "public key that does not belong"),
        (account(BABYJUB_NUMBER, BABYJUB_Y, BABYJUB_X), "public key that does not belong"),
        (account(BABYJUB_NUMBER, "x", BABYJUB_Y), "public key that does not belong"),
        (lone, "public key that does not belong"),
        (account(" 5", BABYJUB_X, BABYJUB_Y), "is no number"),
        (account(BABYJUB_ORDER, BABYJUB_X, BABYJUB_Y), "not from 1 to below"),
        ("{\"privateKey\": 5}".into(), "is JSON without a text privateKey"),
        ("{\"privateKey\": \"5\"".into(), "looks like JSON and is damaged"),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(error.what.contains(what), "{text}: {error}");
        assert!(!format!("{error:?}").contains(&BABYJUB_NUMBER[..12]), "{error:?}");
    }
    let good = account(BABYJUB_NUMBER, BABYJUB_X, BABYJUB_Y);
    let error = PrivateKey::parse(good.as_bytes(), Some(P256), None).unwrap_err();
    assert_eq!(error.what, "is an eddsa_babyjub key where an ecdsa_p256 key is asked for");
}

/// One of the forms of a public key.
fn member(key: &PublicKey, name: &str) -> String {
    let mut members = key.forms().into_iter().flat_map(|form| form.members);
    members.find(|(own, _)| *own == name).unwrap().1
}

/// As Loopring's web page exports it.
fn account(private: &str, x: &str, y: &str) -> String {
    format!(
        "{{\"exchangeId\": 2, \"accountId\": 12345, \"apiKey\": \"secret\", \"publicKeyX\": \
         \"{x}\", \"publicKeyY\": \"{y}\", \"privateKey\": \"{private}\"}}"
    )
}

#[test]
fn what_is_written_is_read_again() {
    for algorithm in Algorithm::ALL {
        let key = PrivateKey::generate(*algorithm);
        let plain = PrivateKey::parse(key.to_text().as_bytes(), Some(*algorithm), None).unwrap();
        assert_eq!(plain.public_key(), key.public_key());
        let encrypted = match key.to_encrypted_pem(&sesame()) {
            Ok(encrypted) => encrypted,
            Err(error) => {
                assert!(error.what.contains("cannot encrypt"), "{error}");
                continue;
            }
        };
        assert!(encrypted.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        let opened =
            PrivateKey::parse(encrypted.as_bytes(), Some(*algorithm), Some(&sesame())).unwrap();
        assert_eq!(opened.public_key(), key.public_key());
        assert_ne!(PrivateKey::generate(*algorithm).public_key(), key.public_key());
        assert_eq!(format!("{key:?}"), format!("PrivateKey({algorithm})"));
    }
}

/// Published test keys and what npm's bsv library signs with them.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        "ca19b48a11d317fc3ce51fdbc0161ec5d925a260f9f32fbdc4a52447396a8272",
        "/block/000000000000000007dded8e2a733c654a006520409cdb0d6cdf642a1328c330_1616746489806_8990516823",
        "304502210082e6485acb3c8d940536d808ccecb5f604157b35bf40e0b176f90bb0c5ce590b02205362fb10c7b501a164267034abc044d8f3b54616f616fb6ccf00ad4a73c0e4e0",
    ),
    (
        "8e9d59f5ed894fabaac6e2bad36ab494533f49aaeda457559a8143f8ff842d2c",
        "/xpubs_1700000000000_1234567890",
        "304402207d78f60c388334e6b09057ee993d345db520c3c3794fb9dfb0bce6a257c4183e02202a15338cd57753d2d4b6f8ceed0019a58632cc07a4fb4f26fb0beafdcdb118eb",
    ),
];

#[tokio::test]
async fn secp256k1_signatures_are_those_of_other_libraries() {
    for (number, message, signature) in KNOWN {
        let key = PrivateKey::parse(number.as_bytes(), Some(K256), None);
        let signer = key.unwrap().signer().unwrap();
        let digest = Digest(Sha256::digest(message).into());
        let signed = signer.sign(Content::digest(&digest)).await.unwrap();
        assert_eq!(
            base16ct::lower::encode_string(&signed.to_der().unwrap()),
            *signature,
            "{message}"
        );
    }
}

#[tokio::test]
async fn signatures_verify_and_are_low_where_promised() {
    let mut low = 0;
    for algorithm in Algorithm::ALL {
        let signer = PrivateKey::generate(*algorithm).signer().unwrap();
        assert_eq!(signer.public_key().algorithm(), *algorithm);
        for byte in 0..16 {
            let digest = Digest([byte; 32]);
            let probe = algorithm.probe();
            let content = match probe {
                Content::Digest { .. } => Content::digest(&digest),
                Content::Message(_) | Content::Mac { .. } => Content::Message(&digest.0),
                Content::Hash { hash, .. } => {
                    Content::Hash { hash, before: &digest.0, behind: b"" }
                }
            };
            let signature = signer.sign(content).await.unwrap();
            assert!(signer.public_key().verifies(content, &signature), "{algorithm}");
            assert!(!signer.public_key().verifies(probe, &signature), "{algorithm}");
            if let (true, Signature::Ecdsa { s, .. }) = (*algorithm == K256, signature) {
                assert!(s[0] < 0x80, "{s:02x?}");
                low += 1;
            }
        }
    }
    assert_eq!(low, 16);
}

#[test]
fn a_signer_prints_its_public_key_alone() {
    let key = PrivateKey::parse(KNOWN[0].0.as_bytes(), Some(P256), None);
    let signer = key.unwrap().signer().unwrap();
    assert_eq!(format!("{signer:?}"), format!("LocalSigner({:?})", signer.public_key()));
}
