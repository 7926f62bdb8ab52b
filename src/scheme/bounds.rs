//! What a signature binds: of each part of a request, whether the signature is good for another
//! request that differs in it.

use std::fmt;

/// Whether a signature is good for another request that differs in one thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Binds {
    /// It is not.
    Bound,
    /// It is where what differs is not what the text reads.
    Partly,
    /// It is.
    Open,
    /// It is itself made by a key.
    Signature,
}

impl Binds {
    /// The word for it, in documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Partly => "in part",
            Self::Open => "no",
            Self::Signature => "made by the key",
        }
    }
}

/// What the signature of one kind of request binds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// Which requests, in words; empty for all.
    pub of: &'static str,
    /// The method.
    pub method: Binds,
    /// The host.
    pub host: Binds,
    /// The path.
    pub path: Binds,
    /// The query.
    pub query: Binds,
    /// The body.
    pub body: Binds,
    /// A time stamp.
    pub time: Binds,
    /// A nonce.
    pub nonce: Binds,
}

impl Bounds {
    /// Of requests that are bound in nothing.
    pub const NOTHING: Self = {
        let open = Binds::Open;
        Self {
            of: "",
            method: open,
            host: open,
            path: open,
            query: open,
            body: open,
            time: open,
            nonce: open,
        }
    };

    /// Each part, by its name.
    pub fn parts(&self) -> [(&'static str, Binds); 7] {
        [
            ("method", self.method),
            ("host", self.host),
            ("path", self.path),
            ("query", self.query),
            ("body", self.body),
            ("time", self.time),
            ("nonce", self.nonce),
        ]
    }
}

/// What is not bound, for the log: `of a GET: method, query in part`.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.of.is_empty() {
            write!(f, "{}: ", self.of)?;
        }
        let mut first = true;
        for (part, how) in self.parts() {
            let how = match how {
                Binds::Open => "",
                Binds::Partly => " in part",
                Binds::Bound | Binds::Signature => continue,
            };
            f.write_str(if std::mem::take(&mut first) { "" } else { ", " })?;
            write!(f, "{part}{how}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;
    use crate::keys::{Algorithm, PrivateKey};
    use crate::moment::{Moment, Nonce};
    use crate::scheme::{Binding, Head, Registry, Signable};

    type Built = (&'static str, Algorithm, &'static [(&'static str, &'static str)]);
    type Asked = (&'static str, &'static str, &'static str);

    /// A row of each built-in scheme that takes no key files, and a request of its kind.
    const ROWS: &[(Built, usize, Asked)] = &[
        (("sinohope", Algorithm::ECDSA_P256, &[]), 0, ("GET", "/a?b=1", "{}")),
        (("sinohope", Algorithm::ECDSA_P256, &[]), 1, ("POST", "/a?b=1", "{}")),
        (("metasv", Algorithm::ECDSA_SECP256K1, &[]), 0, ("POST", "/a?b=1", "{}")),
        (("loopring", Algorithm::EDDSA_BABYJUB, &[]), 0, ("POST", "/a?b=1", "{\"c\":1}")),
        (
            ("loopring", Algorithm::EDDSA_BABYJUB, &[("canonical", "v2")]),
            0,
            ("GET", "/a?b=1", "{}"),
        ),
        (
            ("loopring", Algorithm::EDDSA_BABYJUB, &[("canonical", "v2")]),
            1,
            ("POST", "/a?b=1", "{}"),
        ),
    ];

    /// A row that promised more than the text holds would let another request pass for this one.
    #[test]
    fn what_is_bound_changes_the_text_and_what_is_not_does_not() {
        let mut seen = 0;
        for ((name, algorithm, params), row, (method, target, body)) in ROWS {
            let registry = Registry::built_in();
            let entry = registry.find(name).expect("it is built in");
            let mut binding = Binding { params: entry.defaults(), ..Binding::default() };
            let key = PrivateKey::generate(*algorithm).public_key();
            binding.keys.insert(entry.keys[0].name.to_string(), key);
            for (param, value) in *params {
                binding.params.insert((*param).into(), (*value).into());
            }
            let bound = entry.bind(&binding).expect("it builds");
            let scheme = bound.signing().expect("it signs");
            let bounds = scheme.bounds()[*row];
            let headers: HeaderMap =
                [(http::header::HOST, HeaderValue::from_static("api.x"))].into_iter().collect();
            let method: Method = method.parse().expect("a method");
            let target = target.parse().expect("a target");
            let head = Head { method, host: "api.x".into(), target, headers };
            let moment = Moment { unix_ms: 1_700_000_000_000, nonce: Nonce::Placed(1) };
            let text = |head: &Head, body: &str, moment: &Moment| {
                let body = Bytes::copy_from_slice(body.as_bytes());
                let made = scheme.canonicalise(Signable { head, body: Some(&body) }, moment);
                made.ok().map(|made| made.preimages[0].text.clone())
            };
            let own = text(&head, body, &moment).expect("a text");
            let with = |target: &str| Head { target: target.parse().expect("one"), ..head.clone() };
            let put = Head { method: Method::PUT, ..head.clone() };
            let host = Head { host: "api.y".into(), ..head.clone() };
            let later = Moment { unix_ms: moment.unix_ms + 60_000, ..moment };
            let other = Moment { nonce: Nonce::Placed(2), ..moment };
            for (how, made) in [
                // A method that cannot be signed says nothing.
                (bounds.method, text(&put, body, &moment).or_else(|| Some(own.clone()))),
                (bounds.host, text(&host, body, &moment)),
                (bounds.path, text(&with("/z?b=1"), body, &moment)),
                (bounds.query, text(&with("/a?b=2"), body, &moment)),
                (bounds.body, text(&head, "{\"d\":2}", &moment)),
                (bounds.time, text(&head, body, &later)),
                (bounds.nonce, text(&head, body, &other)),
            ] {
                let made = made.expect("a text");
                assert_eq!(made == own, how == Binds::Open, "{name} {}: {bounds:?}", bounds.of);
                seen += 1;
            }
        }
        assert_eq!(seen, 42);
    }
}
