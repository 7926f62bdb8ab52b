//! No scheme file can make any output contain a key's bytes, whoever wrote it.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

use super::bound::{Bound, request};
use super::forms::found;
use super::generator::{Generator, Made};
use crate::moment::{Moment, Nonce};
use crate::problem::Problem;
use crate::scheme::declared::advice::advise;
use crate::scheme::declared::compiled::Compiled;
use crate::scheme::{Edits, Head, Scheme as _, Signable, ToSign};

/// Everything that was put out for a file.
#[derive(Default)]
struct Outputs {
    texts: Vec<(&'static str, Vec<u8>)>,
    signed: bool,
}

impl Outputs {
    fn add(&mut self, what: &'static str, text: impl Into<Vec<u8>>) {
        self.texts.push((what, text.into()));
    }

    fn problems(&mut self, what: &'static str, problems: &[Problem]) {
        let all: Vec<String> = problems.iter().map(Problem::in_full).collect();
        self.add(what, format!("{}\n{problems:?}", all.join("\n")));
    }

    /// What a request with these keys shows on its way out, and read back.
    fn request(&mut self, bound: &Bound, head: &Head, body: &Bytes) {
        let scheme = &bound.scheme;
        let moment = Moment { unix_ms: 1_764_337_800_123, nonce: Nonce::Given(1_764_337_800_123) };
        let request = Signable { head, body: Some(body) };
        let ToSign { preimages, rest } = match scheme.canonicalise(request, &moment) {
            Ok(made) => made,
            Err(error) => return self.add("a refusal", format!("{error} {error:?}")),
        };
        for preimage in &preimages {
            self.add("a canonical string", preimage.text.clone());
            self.add("a canonical string, shown", format!("{} {preimage:?}", preimage.shown()));
        }
        let Some(signatures) = bound.sign(&preimages) else { return };
        match scheme.assemble(request, &moment, rest, &signatures) {
            Ok(edits) => self.edits(bound, edits, request),
            Err(error) => self.add("a refusal", format!("{error} {error:?}")),
        }
    }

    fn edits(&mut self, bound: &Bound, edits: Edits, request: Signable<'_>) {
        self.signed = true;
        self.add("edits", format!("{edits:?}"));
        let (mut head, body) = (request.head.clone(), request.body.cloned());
        let body = edits.apply_to(&mut head).or(body).unwrap_or_default();
        self.add("a target", head.target.as_str());
        for (name, value) in &head.headers {
            self.add("a header", [name.as_str().as_bytes(), b": ", value.as_bytes()].concat());
        }
        self.add("a body", body.to_vec());
        match bound.scheme.claim(Signable { head: &head, body: Some(&body) }) {
            Ok(claim) => self.add("a claim", format!("{claim:?}")),
            Err(error) => self.add("a claim's refusal", format!("{error} {error:?}")),
        }
    }
}

/// Reads a file, runs its vector and signs requests with its keys. Whether it could be used is said.
fn put_out(text: &str) -> (bool, Outputs) {
    let mut outputs = Outputs::default();
    let compiled = match Compiled::read(text) {
        Ok(compiled) => Arc::new(compiled),
        Err(problems) => {
            outputs.problems("what is wrong with the file", &problems);
            return (false, outputs);
        }
    };
    // What it expects is wrong, so that it says what it found.
    outputs.problems("what is wrong with the vector", &compiled.try_vectors());
    let advice: Vec<String> = advise(&compiled).iter().map(|own| format!("{own:?}")).collect();
    outputs.add("advice", advice.join("\n"));
    outputs.add("the demo", format!("{:?}", compiled.played("made")));
    let vector = &compiled.vectors[0];
    let bound = Bound::of(&compiled, vector);
    outputs.add("the scheme", format!("{:?}", bound.scheme));
    let (head, body) = request(&compiled, vector);
    outputs.request(&bound, &head, &body);
    let mut form = head.clone();
    let kind = "application/x-www-form-urlencoded".parse().expect("a value");
    form.headers.insert(http::header::CONTENT_TYPE, kind);
    outputs.request(&bound, &form, &Bytes::from_static(b"a=1&f=x&b=2"));
    outputs.request(&bound, &head, &Bytes::from_static(b"\xff\0[]"));
    (true, outputs)
}

/// A source that is a key, a message that quotes one, a `Debug` that prints one: each would be found
/// in some output of some file.
#[test]
fn no_file_makes_any_output_contain_a_key() {
    #[derive(Debug, Default)]
    struct Seen {
        used: u32,
        signed: u32,
        refused_for_keys: u32,
        bytes: usize,
    }
    let seen = RefCell::new(Seen::default());
    let config = ProptestConfig {
        rng_seed: RngSeed::Fixed(12),
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    };
    let tape = prop::collection::vec(any::<u8>(), 0..240);
    let ran = TestRunner::new(config).run(&tape, |tape| {
        let Made { text, named } = Generator::file(&tape);
        let (used, outputs) = put_out(&text);
        let mut seen = seen.borrow_mut();
        for (what, output) in &outputs.texts {
            let key = found(output);
            let shown = String::from_utf8_lossy(output);
            prop_assert!(key.is_none(), "{what} has {}: {shown}\n{text}", key.unwrap_or_default());
            seen.bytes += output.len();
        }
        prop_assert!(!(used && named > 0), "a text names a key, and the file is used\n{text}");
        seen.used += u32::from(used);
        seen.signed += u32::from(outputs.signed);
        seen.refused_for_keys += u32::from(named > 0);
        Ok(())
    });
    let seen = seen.into_inner();
    assert!(ran.is_ok(), "{}", ran.err().map(|error| error.to_string()).unwrap_or_default());
    assert!(seen.used >= CASES / 4 && seen.signed >= CASES / 12, "{seen:?}");
    assert!(seen.refused_for_keys >= CASES / 5 && seen.bytes > 1_000_000, "{seen:?}");
}

const CASES: u32 = 600;
