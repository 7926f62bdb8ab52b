//! What a file's signatures bind is derived from its texts, and found again by changing requests.

use std::sync::Arc;

use http::Method;
use http::uri::PathAndQuery;

use super::super::{CATALOGUE, Compiled};
use super::bound::{Bound, request};
use crate::moment::{Moment, Nonce};
use crate::nonces::Counting;
use crate::scheme::{Binds, Bounds, Head, Scheme, Signable};

#[test]
fn what_is_derived_to_be_bound_is_what_changes_the_texts() {
    let (mut bound, mut open) = (0, 0);
    for (name, text) in CATALOGUE {
        let compiled = Arc::new(Compiled::read(text).expect("it is of the catalogue"));
        let bounds: Bounds = compiled.bounds()[0];
        let vectors = compiled.vectors.iter().filter(|vector| vector.expect.refused.is_none());
        for vector in vectors {
            let scheme = Bound::of(&compiled, vector).scheme;
            let (mut head, body) = request(&compiled, vector);
            for owned in scheme.owned_headers() {
                head.headers.remove(owned);
            }
            let nonce = match scheme.counting() {
                Counting::Increasing(unit) => Nonce::Given(unit.at(vector.now)),
                Counting::Nothing | Counting::Once => Nonce::Placed(7),
            };
            let moment = Moment { unix_ms: vector.now, nonce };
            let texts = |head: &Head, moment: &Moment| {
                let made = scheme.canonicalise(Signable { head, body: Some(&body) }, moment);
                made.ok().map(|made| {
                    made.preimages.into_iter().map(|preimage| preimage.text).collect::<Vec<_>>()
                })
            };
            let own = texts(&head, &moment);
            assert!(own.is_some(), "{name}");
            let path = format!("{}x", head.path());
            let target = |text: String| PathAndQuery::try_from(text).expect("a target");
            let query = format!("{}?{}", head.path(), head.query());
            let later = Moment { unix_ms: moment.unix_ms + 3_600_000, ..moment };
            let method = Method::from_bytes(b"PROPFIND").expect("a method");
            for (part, how, made) in [
                ("method", bounds.method, texts(&Head { method, ..head.clone() }, &moment)),
                (
                    "path",
                    bounds.path,
                    texts(
                        &Head {
                            target: target(query.replacen(head.path(), &path, 1)),
                            ..head.clone()
                        },
                        &moment,
                    ),
                ),
                (
                    "query",
                    bounds.query,
                    texts(
                        &Head { target: target(format!("{query}&zz=1")), ..head.clone() },
                        &moment,
                    ),
                ),
                ("time", bounds.time, texts(&head, &later)),
            ] {
                // A time may be in the nonce, and an upper bound of a nonce in the time.
                let timed = part == "time" && bounds.nonce == Binds::Bound;
                match how {
                    Binds::Bound => {
                        assert_ne!(made, own, "{name}: {part} is said to be bound");
                        bound += 1;
                    }
                    Binds::Open if !timed => {
                        assert_eq!(made, own, "{name}: {part} is said to be open");
                        open += 1;
                    }
                    Binds::Open | Binds::Partly | Binds::Signature => {}
                }
            }
        }
    }
    assert!(bound > 200 && open > 30, "{bound} bound, {open} open");
}
