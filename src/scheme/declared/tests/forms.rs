//! Looks for keys in what is put out: in every form that two encodings, hashes or turns after one
//! another can give them, and for any twelve bytes of one.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256, Sha512};

use crate::scheme::declared::encode::percent;

/// A secret that is text, and what a text in hex or base64 stands for.
pub(super) const TEXT: &str = "Kq7ZrWx2mVb9sLtY4cNhJpD6gFa8eRuT3oXi5wQy";
pub(super) const SCALAR: &str = "01c5f7a93b6e2d8c4f10a7b5e9d3c8f2640b1e7d9a5c3f8e2b6d4a0f7c1e9b35";

const WINDOW: usize = 12;

/// What is one step away from some bytes.
fn steps(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut steps: Vec<(String, Vec<u8>)> = vec![
        ("lower".into(), bytes.to_ascii_lowercase()),
        ("upper".into(), bytes.to_ascii_uppercase()),
        ("reversed".into(), bytes.iter().rev().copied().collect()),
        ("hex".into(), base16ct::lower::encode_string(bytes).into_bytes()),
        ("HEX".into(), base16ct::upper::encode_string(bytes).into_bytes()),
        ("base58".into(), bs58::encode(bytes).into_vec()),
        ("MD5".into(), md5::Md5::digest(bytes).to_vec()),
        ("SHA-1".into(), sha1::Sha1::digest(bytes).to_vec()),
        ("SHA-256".into(), Sha256::digest(bytes).to_vec()),
        ("SHA-512".into(), Sha512::digest(bytes).to_vec()),
        ("escaped".into(), bytes.escape_ascii().to_string().into_bytes()),
        ("as text".into(), String::from_utf8_lossy(bytes).into_owned().into_bytes()),
    ];
    let mut escaped = Vec::new();
    percent(bytes, b"", &mut escaped);
    steps.push(("percent".into(), escaped));
    for (name, engine) in [("base64", STANDARD_NO_PAD), ("base64url", URL_SAFE_NO_PAD)] {
        // At each alignment, without the characters that depend on what stands around.
        for before in 0..3 {
            let around = [&[0; 2][..before], bytes].concat();
            let written = engine.encode(&around).into_bytes();
            let end = around.len() * 8 / 6;
            steps.push((
                format!("{name} at {before}"),
                written[(before * 8).div_ceil(6)..end].into(),
            ));
        }
    }
    steps
}

/// Every window of every form, and which form it is of.
static WINDOWS: LazyLock<HashMap<[u8; WINDOW], String>> = LazyLock::new(|| {
    let mut windows = HashMap::new();
    let mut add = |name: &str, form: &[u8]| {
        for window in form.windows(WINDOW) {
            let window: [u8; WINDOW] = window.try_into().expect("so many bytes");
            // A few characters again and again are found by chance: those that are no text, say.
            if window.iter().collect::<HashSet<_>>().len() < WINDOW / 2 {
                continue;
            }
            windows.entry(window).or_insert_with(|| name.to_owned());
        }
    };
    let scalar = base16ct::lower::decode_vec(SCALAR).expect("hex");
    for (key, bytes) in [("the text", TEXT.as_bytes()), ("the scalar", &scalar)] {
        add(key, bytes);
        for (one, form) in steps(bytes) {
            add(&format!("{key}, {one}"), &form);
            for (other, form) in steps(&form) {
                add(&format!("{key}, {one}, {other}"), &form);
            }
        }
    }
    windows
});

static LISTS: LazyLock<[String; 2]> = LazyLock::new(|| {
    let scalar = base16ct::lower::decode_vec(SCALAR).expect("hex");
    let list = |bytes: &[u8]| format!("{:?}", &bytes[..WINDOW]).trim_end_matches(']').to_owned();
    [list(TEXT.as_bytes()), list(&scalar)]
});

/// The form of a key that is in a text.
pub(super) fn found(text: &[u8]) -> Option<&'static str> {
    let mut windows = text.windows(WINDOW);
    let form = windows.find_map(|window| WINDOWS.get(window)).map(String::as_str);
    // As `Debug` writes bytes: twelve characters of that are three bytes, and chance.
    let list = LISTS.iter().any(|list| text.windows(list.len()).any(|own| own == list.as_bytes()));
    form.or_else(|| list.then_some("a list of bytes"))
}

#[test]
fn every_form_is_found_and_nothing_else() {
    let scalar = base16ct::lower::decode_vec(SCALAR).expect("hex");
    for bytes in [TEXT.as_bytes(), &scalar] {
        for (one, form) in steps(bytes) {
            for (other, form) in steps(&form).into_iter().filter(|(_, form)| form.len() >= 12) {
                let text = [b"{\"key\": \"", &form[..], b"\"}"].concat();
                assert!(found(&text).is_some(), "{one}, {other}");
            }
        }
    }
    assert!(WINDOWS.len() > 15_000, "{}", WINDOWS.len());
    assert!(found(format!("{:?}", TEXT.as_bytes()).as_bytes()).is_some());
    for text in [&TEXT[1..12], &SCALAR[2..12], "a text without any key, of some length"] {
        assert_eq!(found(text.as_bytes()), None);
    }
}
