//! The files of the catalogue, and what is refused of others.

mod bound;
mod built_in;
mod derived;
mod described;
mod forms;
mod generator;
mod leaks;
mod owned;
mod read_back;
mod signatures;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::{CATALOGUE, Compiled};
use crate::keys::{Algorithm, PrivateKey, Signature};
use crate::moment::{Moment, Nonce};
use crate::problem::Problem;
use crate::scheme::{Binding, Head, Signable, Signatures, ToSign};
use crate::secret::{Secret, SecretCell};

fn problems(text: &str) -> Vec<String> {
    let errors = Compiled::load(text).err();
    errors.iter().flatten().map(Problem::in_full).collect()
}

#[test]
fn every_file_of_the_catalogue_loads_and_its_vectors_hold() {
    for (name, text) in CATALOGUE {
        assert_eq!(problems(text), [""; 0], "{name}");
    }
}

#[test]
fn the_catalogue_is_the_directory() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemes");
    let files = fs::read_dir(directory).expect("it can be listed").map(|file| {
        let name = file.expect("it can be listed").file_name().to_string_lossy().into_owned();
        name.strip_suffix(".toml").unwrap_or(&name).to_owned()
    });
    let rows = CATALOGUE.iter().map(|(name, _)| (*name).to_owned());
    assert_eq!(rows.clone().collect::<BTreeSet<_>>(), files.collect::<BTreeSet<_>>());
    assert!(rows.clone().is_sorted(), "rows are by name");
}

/// A file of the catalogue.
fn text_of(name: &str) -> &'static str {
    CATALOGUE.iter().find(|(other, _)| *other == name).expect("it is there").1
}

fn catalogue(name: &str) -> Compiled {
    Compiled::read(text_of(name)).expect("every word is known")
}

/// A change of a file of the catalogue, and what is said of it.
fn changed(from: &str, to: &str) -> String {
    let okx = text_of("okx");
    assert!(okx.contains(from), "{from}");
    problems(&okx.replacen(from, to, 1)).join("\n")
}

#[test]
fn what_is_wrong_has_a_place_and_a_fix() {
    for (from, to, expected) in [
        (
            "{time}{method}{target}{body}",
            "{time}{methd}{target}{body}",
            "14:29: \"methd\" is no source, value, secret or param\n  fix: write method",
        ),
        (
            "{time}{method}{target}{body}",
            "{time}{method}{target | lowr}{body}",
            "14:37: \"lowr\" is not a function\n  fix: write lower",
        ),
        (
            "\"iso_ms\"",
            "\"iso_m\"",
            "13:18: \"iso_m\" is not anything that clock can be\n  fix: write iso",
        ),
        (
            "OK-ACCESS-SIGN = \"{signature}\"",
            "OK-ACCESS-SIGN = \"{signer}\"",
            "20:19: signer is a key, which no text can contain\n  fix: write {signer.public}, or \
             key = \"signer\" in sign, hash or jwt",
        ),
        (
            "OK-ACCESS-SIGN",
            "Content-Length",
            "20:1: Content-Length frames or routes the request, and is no scheme's to change\n  \
             fix: remove it",
        ),
        (
            "as = \"base64\" }",
            "az = \"base64\" }",
            "[values] signature has no \"az\"\n  fix: write as",
        ),
        (
            "algorithms = [\"hmac_sha256\"]",
            "algorithms = [\"hmac_sha256\", \"hash\"]",
            "signature is nothing that a key of hash makes",
        ),
        (
            "signature = { sign = \"{time}{method}{target}{body}\"",
            "signature = { hash = \"sha1\", before = \"{time}{method}{target}{body}\"",
            "signature is nothing that a key of hmac_sha256 makes",
        ),
        (
            "signature = { sign = \"{time}{method}{target}{body}\", key = \"signer\", as = \"base64\" }",
            "signature = { hash = \"sha1\", key = \"signer\" }",
            "nothing but the secret is hashed\n  fix: write before or behind",
        ),
        (
            "time = { clock",
            "time = { klock",
            "13:8: time says nothing of what it is\n  fix: write clock",
        ),
        (
            "texts.signature = \"2025-11-28T13:50:00.123ZGET/api/v5/account/balance?",
            "texts.signature = \"2025-11-28T13:50:00.123ZGET/api/v5/account/balances?",
            "39:19: the text of signature differs at byte 50, which came from {target}: \
             \"/balance?ccy=BTC%2CETH\" and not \"/balances?ccy=BTC%2CETH\"\n  fix: mend the value, \
             or the vector's text",
        ),
        (
            "api_key = \"Sent as OK-ACCESS-KEY.\"",
            "api_key = \"Sent as OK-ACCESS-KEY.\"\nspare = \"Nobody.\"",
            "10:1: nothing uses spare\n  fix: remove it, or place it",
        ),
    ] {
        let found = changed(from, to);
        assert!(found.contains(expected), "{to}\nfound    {found}\nexpected {expected}");
    }
    let circle = changed("time = { clock = \"iso_ms\" }", "time = \"{other}\"\nother = \"{time}\"");
    assert!(circle.contains("time goes in a circle: time needs other needs time"), "{circle}");
}

/// A second evaluation would place the secret that nobody signed.
#[test]
fn what_is_placed_was_signed_although_a_secret_is_renewed_in_between() {
    let text = text_of("okx")
        .replace("{time}{method}{target}{body}", "{api_key}{method}{target}{body}{time}");
    let entry = Compiled::read(&text).expect("every word is known").entry("okx");
    let key = PrivateKey::generate(Algorithm::HMAC_SHA256);
    let (writer, cell) = SecretCell::renewable(Secret::new(b"first".to_vec()));
    let passphrase = SecretCell::fixed(Secret::new(b"p".to_vec()));
    let mut binding = Binding { params: entry.defaults(), ..Binding::default() };
    binding.keys.insert("signer".into(), key.public_key());
    binding.secrets = [("api_key".into(), cell), ("passphrase".into(), passphrase)].into();
    let bound = entry.bind(&binding).expect("the binding is complete");
    let scheme = bound.signing().expect("it signs");
    let (method, target) = (Method::GET, PathAndQuery::from_static("/"));
    let head = Head { method, host: "www.okx.com".into(), target, headers: HeaderMap::new() };
    let body = Bytes::new();
    let request = Signable { head: &head, body: Some(&body) };
    let moment = Moment { unix_ms: 0, nonce: Nonce::Given(1) };
    let ToSign { preimages, rest } = scheme.canonicalise(request, &moment).expect("it has a text");
    assert!(preimages[0].text.starts_with(b"firstGET/"));
    assert!(writer.replace(Secret::new(b"second".to_vec())));
    let mut signatures = Signatures::default();
    signatures.insert("signer", Signature::Octets(vec![0; 32]));
    let edits = scheme.assemble(request, &moment, rest, &signatures).expect("it has places");
    let sent = edits.iter().find(|edit| edit.name == "ok-access-key").expect("it is placed");
    assert_eq!(sent.value, "first");
}

/// A file with these values, and a placement of `{v0}`.
fn with_values(values: &str) -> String {
    format!(
        "format = 1\nsummary = \"\"\nhost = \"a.test\"\n[keys.k]\nalgorithms = [\"hmac_sha256\"]\n\
         [place.headers]\na = \"{{v0}}\"\nb = \"{{s}}\"\n\
         [values]\ns = {{ sign = \"\", key = \"k\", as = \"hex\" }}\n{values}"
    )
}

/// Time and memory that a file takes are bounded before any value is made: each of these would
/// fill the memory, overflow the stack, or take minutes.
#[test]
fn what_would_grow_without_bound_is_refused_at_load() {
    let chain = |count: usize, hole: &str| -> String {
        let value = |at: usize| {
            let next = if at + 1 < count { format!("v{}", at + 1) } else { "body".into() };
            format!("v{at} = '{}'\n", hole.replace("NEXT", &next))
        };
        (0..count).map(value).collect()
    };
    let placed: String = (0..9_000).map(|at| format!("h{at} = ''\n")).collect();
    for (text, expected) in [
        (with_values(&chain(9_000, "{NEXT}")), "there are 9001 values, and 64 are the most"),
        (with_values(&chain(40, "{NEXT}{NEXT}")), "times, and 4096 are the most"),
        (with_values(&chain(40, "{NEXT | hex}")), "times, and 4096 are the most"),
        (
            with_values(&chain(
                1,
                "{NEXT | percent | percent | percent | percent | percent | percent | percent | percent}",
            )),
            "v0 could contain the request 6562 times",
        ),
        (
            with_values(&chain(1, &format!("{{NEXT | swap:a~{}}}", "a".repeat(5_000)))),
            "v0 could contain the request 5001 times",
        ),
        (
            with_values(&format!("v0 = ''\n[place.query]\n{placed}")),
            "there are 9000 placements, and 64 are the most",
        ),
    ] {
        let found = problems(&text).join("\n");
        assert!(found.contains(expected), "{expected}\n{found:.2000}");
    }
    // A hash is short, whatever it is of.
    let hashed = problems(&with_values(&chain(40, "{NEXT}.{NEXT | sha256 | hex}"))).join("\n");
    assert!(!hashed.contains("times"), "{hashed}");
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(
        file in 0..CATALOGUE.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), ".{0,3}"), 1..6),
    ) {
        let mut text = CATALOGUE[file].1.to_owned();
        for (at, piece) in edits {
            let at = text.char_indices().map(|(at, _)| at).nth(at.index(text.chars().count()));
            let at = at.unwrap_or_default();
            let end = text[at..].char_indices().nth(2).map_or(text.len(), |(end, _)| at + end);
            text.replace_range(at..end, &piece);
        }
        let _ = Compiled::load(&text);
    }

    #[test]
    fn no_text_at_all_makes_reading_panic(text in any::<String>()) {
        let _ = Compiled::load(&text);
        let _ = Compiled::load(&format!("format = 1\n[values]\na = '{text}'\n[place.headers]\nb='{{a}}'"));
    }
}
