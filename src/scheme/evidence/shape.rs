//! A canonical string in its pieces: what each is of, so that rules that are the same for all dialects
//! can rewrite one of them.

use super::types::{Cause, Hypothesis, Known, Test};
use crate::keys::Hashing;
use crate::scheme::Head;

/// What a piece of a canonical string is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::scheme) enum Of {
    Method,
    Host,
    Path,
    Query,
    /// Path and query.
    Target,
    /// Scheme, host and path, and what else belongs to it.
    Url,
    Body,
    Time,
    Nonce,
    /// A public key.
    Key,
    /// A fixed text.
    Literal,
    /// Anything else.
    Value,
}

/// A piece.
#[derive(Clone, Debug)]
pub(in crate::scheme) struct Piece {
    pub(in crate::scheme) of: Of,
    /// What it is called, for people.
    pub(in crate::scheme) name: String,
    pub(in crate::scheme) text: Vec<u8>,
}

impl Piece {
    pub(in crate::scheme) fn new(
        of: Of,
        name: impl Into<String>,
        text: impl Into<Vec<u8>>,
    ) -> Self {
        Self { of, name: name.into(), text: text.into() }
    }

    pub(in crate::scheme) fn literal(text: &str) -> Self {
        Self::new(Of::Literal, text, text)
    }
}

/// How a text becomes what is signed.
pub(in crate::scheme) type Hash = Box<dyn Fn(&[u8]) -> Hashing>;

/// The pieces of a canonical string, and how it becomes what is signed.
pub(in crate::scheme) struct Canon {
    pub(in crate::scheme) pieces: Vec<Piece>,
    pub(in crate::scheme) hashing: Hash,
}

impl Canon {
    /// The whole text.
    pub(in crate::scheme) fn text(&self) -> Vec<u8> {
        join(&self.pieces)
    }

    /// The text with another one in the place of a piece.
    pub(in crate::scheme) fn with(&self, index: usize, text: &[u8]) -> Vec<u8> {
        with(&self.pieces, index, text)
    }

    /// A hypothesis over a text.
    pub(in crate::scheme) fn hypothesis(&self, cause: Cause, text: Vec<u8>) -> Hypothesis {
        let hashing = (self.hashing)(&text);
        Hypothesis { cause, test: Test::Text { text, hashing } }
    }
}

/// Pieces one behind the other, with another text in the place of one.
pub(in crate::scheme) fn with(pieces: &[Piece], index: usize, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        out.extend_from_slice(if at == index { text } else { &piece.text });
    }
    out
}

/// Pieces one behind the other.
pub(in crate::scheme) fn join(pieces: &[Piece]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| piece.text.iter().copied()).collect()
}

/// What hypotheses are made of, beside the pieces.
#[derive(Clone, Copy, Debug)]
pub(in crate::scheme) struct Facts<'f> {
    pub(in crate::scheme) head: &'f Head,
    /// The query as it is signed, without what only carries the signature.
    pub(in crate::scheme) query: &'f str,
    pub(in crate::scheme) body: &'f [u8],
    /// Other hosts that the provider is known by.
    pub(in crate::scheme) hosts: &'f [&'static str],
}

/// A rule that rewrites pieces of a kind.
pub(in crate::scheme) struct Rewrite {
    pub(in crate::scheme) of: Of,
    pub(in crate::scheme) make: fn(&Facts<'_>, &[u8]) -> Vec<Found>,
}

/// What a rule makes of a piece, and what that would be a sign of.
#[derive(Clone, Debug)]
pub(in crate::scheme) struct Found {
    pub(in crate::scheme) cause: Cause,
    pub(in crate::scheme) text: Vec<u8>,
}

impl Found {
    pub(in crate::scheme) fn new(known: &'static Known, text: impl Into<Vec<u8>>) -> Self {
        Self { cause: Cause::seen(known), text: text.into() }
    }

    /// With a sentence that says more than the row's.
    pub(in crate::scheme) fn said(
        known: &'static Known,
        text: impl Into<Vec<u8>>,
        cause: String,
    ) -> Self {
        Self { cause: Cause::seen(known).said(cause), text: text.into() }
    }
}
