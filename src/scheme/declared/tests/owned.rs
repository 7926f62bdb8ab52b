//! What is signed does not depend on what the scheme owns: a program's own copies of its headers, and
//! what stands in the fields it replaces, are as if they were not there.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::value::RawValue;

use super::bound::{Bound, request};
use crate::moment::{Moment, Nonce};
use crate::scheme::declared::CATALOGUE;
use crate::scheme::declared::compiled::Compiled;
use crate::scheme::declared::place::{Place, To};
use crate::scheme::{Head, Scheme as _, Signable};

/// What a program might have in its own header, and in a field.
#[derive(Clone, Debug)]
struct Own {
    headers: Vec<(Index, String)>,
    fields: Vec<String>,
}

fn own() -> impl Strategy<Value = Own> {
    let headers = prop::collection::vec((any::<Index>(), "[ -~]{0,20}"), 0..6);
    (headers, prop::collection::vec("[a-zA-Z0-9%+.*-]{0,16}", 4))
        .prop_map(|(headers, fields)| Own { headers, fields })
}

/// A name's value in a query or form is another; whether it stood there.
fn refill(text: &str, name: &str, value: &str) -> Option<String> {
    let mut found = false;
    let piece = |piece: &str| match piece.split_once('=') {
        Some((own, _)) if own == name => {
            found = true;
            format!("{own}={value}")
        }
        _ => piece.to_owned(),
    };
    let text = text.split('&').map(piece).collect::<Vec<_>>().join("&");
    found.then_some(text)
}

/// A member's value in a JSON object is another; whether it stood there.
fn remember(body: &str, name: &str, value: &str) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(body).ok()?;
    let written = members.get(name)?.get();
    let at = written.as_ptr().addr() - body.as_ptr().addr();
    Some(format!("{}\"{value}\"{}", &body[..at], &body[at + written.len()..]))
}

impl Own {
    /// The request with all of this in it; how many fields are other ones.
    fn put(
        &self,
        compiled: &Compiled,
        owned: &[http::HeaderName],
        head: &mut Head,
        body: &mut Bytes,
    ) -> usize {
        for name in owned {
            head.headers.remove(name);
        }
        for (name, value) in self.headers.iter().filter(|_| !owned.is_empty()) {
            let name = name.get(owned).clone();
            head.headers.append(name, HeaderValue::from_str(value).expect("visible ASCII"));
        }
        let fields = compiled.places.iter().filter(|place| place.is_field());
        fields
            .zip(self.fields.iter().cycle())
            .filter(|(place, value)| field(place, value, head, body))
            .count()
    }
}

fn field(place: &Place, value: &str, head: &mut Head, body: &mut Bytes) -> bool {
    let text = String::from_utf8(body.to_vec()).expect("the vectors are text");
    let changed = match place.to {
        To::Json => remember(&text, &place.name, value),
        To::Query | To::Form => {
            if let Some(query) = refill(head.query(), &place.name, value) {
                head.target = format!("{}?{query}", head.path()).parse().expect("a target");
                return true;
            }
            refill(&text, &place.name, value)
        }
        To::Header(_) | To::Body => None,
    };
    let found = changed.is_some();
    if let Some(changed) = changed {
        *body = changed.into();
    }
    found
}

fn texts(bound: &Bound, head: &Head, body: &Bytes) -> Vec<(String, Vec<u8>)> {
    let moment = Moment { unix_ms: 1_764_337_800_123, nonce: Nonce::Given(1_764_337_800_123) };
    let texts = bound.scheme.canonicalise(Signable { head, body: Some(body) }, &moment);
    let texts = texts.expect("the vector is signed").preimages.into_iter();
    texts.map(|preimage| (format!("{:?}", preimage.hashing), preimage.text)).collect()
}

/// A header list that sees the program's own copy, a placeholder that is signed: both would show.
#[test]
fn canonical_strings_do_not_depend_on_what_a_scheme_owns() {
    let (requests, fields) = (Cell::new(0), Cell::new(0));
    for (file, text) in CATALOGUE {
        let compiled = Arc::new(Compiled::read(text).expect(file));
        let signed = compiled.vectors.iter().filter(|vector| vector.expect.refused.is_none());
        for vector in signed {
            let bound = Bound::of(&compiled, vector);
            let (head, body) = request(&compiled, vector);
            let expected = texts(&bound, &head, &body);
            let config = ProptestConfig {
                rng_seed: RngSeed::Fixed(12),
                failure_persistence: None,
                ..ProptestConfig::with_cases(12)
            };
            let ran = TestRunner::new(config).run(&own(), |own| {
                let (mut head, mut body) = (head.clone(), body.clone());
                fields.set(
                    fields.get()
                        + own.put(&compiled, bound.scheme.owned_headers(), &mut head, &mut body),
                );
                prop_assert_eq!(texts(&bound, &head, &body), &expected[..]);
                requests.set(requests.get() + 1);
                Ok(())
            });
            assert!(ran.is_ok(), "{file}: {}", ran.expect_err("it failed"));
        }
    }
    assert!(requests.get() >= 1_000, "{} requests", requests.get());
    assert!(fields.get() >= 200, "{} fields", fields.get());
}
