//! What else than a file's text may have been signed: its pieces rewritten by the rules that all
//! dialects share, its functions left out or exchanged, one hash more or less.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::eval::Prepared;
use super::function::Call;
use super::pairs::From;
use super::text::{Hole, Part, Source, Text};
use super::value::Kind;
use crate::keys::{Hashing, PublicKey};
use crate::scheme::Preimage;
use crate::scheme::evidence::causes::{keyed, text as causes};
use crate::scheme::evidence::{
    Canon, Facts, Found, Given, Hash, Hypothesis, Of, Piece, ecdsa_digests, near_times,
    pieces_otherwise, rewritten, space,
};

/// Texts inside texts that are looked into.
const DEEPEST: usize = 4;

/// What may have been signed in the place of a value's text.
pub(super) fn hypotheses(
    prepared: &Prepared<'_>,
    value: usize,
    wanted: &Preimage,
    key: &PublicKey,
    unix_ms: Option<u64>,
) -> Vec<Hypothesis> {
    let Some(sign) = prepared.compiled().values[value].kind.sign() else { return Vec::new() };
    let Some(hashing) = hashing(&wanted.hashing, wanted.text.len()) else { return Vec::new() };
    let text = match &sign.hash {
        Some((_, behind)) if sign.text.parts.is_empty() => behind,
        _ => &sign.text,
    };
    let sight = Sight { prepared, unix_ms };
    let (pieces, own) = sight.pieces(text, 0);
    let canon = Canon { pieces, hashing };
    if canon.text() != wanted.text {
        return Vec::new();
    }
    let query = String::from_utf8_lossy(prepared.query()).into_owned();
    let facts = sight.facts(&query);
    let mut all = space(&canon, &facts, Given { own, unix_ms });
    for Found { cause, text } in whole(&wanted.text, &wanted.hashing) {
        all.push(canon.hypothesis(cause, text));
    }
    if key.algorithm().name().starts_with("ecdsa") {
        all.extend(ecdsa_digests(&wanted.text));
    }
    all.extend(unix_ms.into_iter().flat_map(|unix_ms| near_times(&canon, unix_ms)));
    all
}

/// How another text becomes what is signed; none where a secret stands in its middle.
fn hashing(wanted: &Hashing, length: usize) -> Option<Hash> {
    match wanted {
        Hashing::Sha256(_) => Some(Box::new(Hashing::sha256)),
        Hashing::Message => Some(Box::new(|_| Hashing::Message)),
        // The text is a digest itself; others are no digests.
        Hashing::Own(_) => Some(Box::new(|text| match text.try_into() {
            Ok(digest) => Hashing::Own(crate::keys::Digest(digest)),
            Err(_) => Hashing::Message,
        })),
        Hashing::Mac(derivation) => {
            let derivation = derivation.clone();
            Some(Box::new(move |_| Hashing::Mac(derivation.clone())))
        }
        Hashing::Hash(hash, at) => {
            let (hash, front, end) = (*hash, *at == 0, *at == length);
            (front || end).then_some(Box::new(move |text: &[u8]| {
                Hashing::Hash(hash, if front { 0 } else { text.len() })
            }))
        }
    }
}

/// A request as hypotheses are made of it.
struct Sight<'s, 'r> {
    prepared: &'s Prepared<'r>,
    unix_ms: Option<u64>,
}

/// What a file knows of a piece, by its index.
type Own = Vec<(usize, Vec<Found>)>;

impl Sight<'_, '_> {
    fn facts<'f>(&'f self, query: &'f str) -> Facts<'f> {
        let body = self.prepared.body().unwrap_or_default();
        Facts { head: self.prepared.head, query, body, hosts: &[] }
    }

    /// The pieces of a text, and what may stand in their places beside the rules for all.
    fn pieces(&self, text: &Text, depth: usize) -> (Vec<Piece>, Own) {
        let (mut pieces, mut own) = (Vec::new(), Vec::new());
        self.open(text, depth, &mut pieces, &mut own);
        (pieces, own)
    }

    fn open(&self, text: &Text, depth: usize, pieces: &mut Vec<Piece>, own: &mut Own) {
        for part in &text.parts {
            let hole = match part {
                Part::Literal(bytes) => {
                    let name = String::from_utf8_lossy(bytes).into_owned();
                    pieces.push(Piece::new(Of::Literal, name, bytes.clone()));
                    continue;
                }
                Part::Hole(hole) => hole,
            };
            if let Some(inner) = self.prepared.compiled().opened(hole) {
                self.open(inner, depth, pieces, own);
                continue;
            }
            let bytes = self.prepared.hole(hole).map(Cow::into_owned).unwrap_or_default();
            let of = if hole.calls.is_empty() { self.of(&hole.source) } else { Of::Value };
            own.push((pieces.len(), self.found(hole, &bytes, depth)));
            pieces.push(Piece::new(of, self.name(hole), bytes));
        }
    }

    /// What a source is of.
    fn of(&self, source: &Source) -> Of {
        match source {
            Source::Method => Of::Method,
            Source::Host => Of::Host,
            Source::Path => Of::Path,
            Source::Query => Of::Query,
            Source::Target => Of::Target,
            Source::Url => Of::Url,
            Source::Body => Of::Body,
            Source::Public(_) => Of::Key,
            Source::Value(index) => match &self.prepared.compiled().values[*index].kind {
                Kind::Clock(_) => Of::Time,
                Kind::Nonce(_) => Of::Nonce,
                Kind::Pairs(pairs) if pairs.from == [From::Query] => Of::Query,
                Kind::Text(_)
                | Kind::Pairs(_)
                | Kind::Headers(_)
                | Kind::Json(_)
                | Kind::Jwt(_)
                | Kind::Sign(_)
                | Kind::OneOf(_)
                | Kind::Unreadable => Of::Value,
            },
            Source::Scheme
            | Source::Header(_)
            | Source::Member(_)
            | Source::Names(_)
            | Source::Secret(_)
            | Source::Param(_)
            | Source::Unknown => Of::Value,
        }
    }

    /// What a hole is called in a sentence.
    fn name(&self, hole: &Hole) -> String {
        match self.of(&hole.source) {
            Of::Method => "the method".into(),
            Of::Host => "the host".into(),
            Of::Path => "the path".into(),
            Of::Query => "the query".into(),
            Of::Target => "the path and query".into(),
            Of::Url => "the URL".into(),
            Of::Body => "the body".into(),
            Of::Time => "the time stamp".into(),
            Of::Nonce => "the nonce".into(),
            Of::Key => "the public key".into(),
            Of::Literal | Of::Value => format!("{{{}}}", hole.written),
        }
    }

    /// What may stand in the place of a hole with functions, or of a value with texts inside.
    fn found(&self, hole: &Hole, bytes: &[u8], depth: usize) -> Vec<Found> {
        let query = String::from_utf8_lossy(self.prepared.query()).into_owned();
        let facts = self.facts(&query);
        let mut all = Vec::new();
        let source = self.prepared.source(hole).map(Cow::into_owned).unwrap_or_default();
        if !hole.calls.is_empty() {
            all.extend(functions(hole, &source));
            let of = self.of(&hole.source);
            let piece = Piece::new(of, self.name(hole), source.clone());
            if of != Of::Value {
                let others = rewritten(&piece, &facts, self.unix_ms);
                all.extend(others.into_iter().filter_map(|own| applied(&hole.calls, own)));
            }
        }
        let value = hole.source.value().filter(|_| depth < DEEPEST);
        let kind = value.map(|index| &self.prepared.compiled().values[index].kind);
        let texts: Vec<&Text> = match kind {
            Some(Kind::Text(text)) => vec![text],
            Some(Kind::OneOf(texts)) => texts.iter().collect(),
            _ => Vec::new(),
        };
        for text in texts {
            let (pieces, own) = self.pieces(text, depth + 1);
            let given = Given { own, unix_ms: self.unix_ms };
            let others = pieces_otherwise(&pieces, &facts, given);
            all.extend(others.into_iter().filter_map(|own| applied(&hole.calls, own)));
            if let Kind::OneOf(_) = kind.unwrap_or(&Kind::Unreadable)
                && let Ok(text) = self.prepared.fill(text)
            {
                let cause = "another of the texts that may stand there was signed".to_owned();
                all.push(Found::said(&causes::VALUE_SIGNED, text, cause));
            }
        }
        if let Some(Kind::Pairs(_)) = kind {
            all.extend(crate::scheme::evidence::as_written(&query, bytes));
        }
        all.retain(|own| own.text != bytes);
        all
    }
}

/// A rewriting behind the functions of its hole.
fn applied(calls: &[Call], own: Found) -> Option<Found> {
    let mut bytes = own.text;
    for call in calls {
        bytes = call.apply(&bytes).ok()?;
    }
    Some(Found { text: bytes, cause: own.cause })
}

/// The functions of a hole left out, one and all, or exchanged for others.
fn functions(hole: &Hole, source: &[u8]) -> Vec<Found> {
    let run = |calls: &[Call]| {
        let mut bytes = source.to_vec();
        for call in calls {
            bytes = call.apply(&bytes).ok()?;
        }
        Some(bytes)
    };
    let written = &hole.written;
    let is_hash =
        |call: &Call| ["md5", "sha1", "sha256", "sha384", "sha512"].contains(&call.name());
    let mut all = Vec::new();
    for (at, call) in hole.calls.iter().enumerate() {
        let mut without = hole.calls.clone();
        without.remove(at);
        let known = if is_hash(call) {
            &keyed::HASH_ONCE
        } else if call.name().starts_with("percent") {
            &causes::QUERY_ENCODING
        } else {
            &causes::VALUE_SIGNED
        };
        let cause = format!("{{{written}}} was signed without {}", call.name());
        all.extend(run(&without).map(|text| Found::said(known, text, cause)));
        for other in ["hex", "hex_upper", "base64", "md5", "sha1", "sha256", "sha512"] {
            let Ok(instead) = Call::parse(other) else { continue };
            let alike = is_hash(call) == is_hash(&instead);
            let coded = ["hex", "hex_upper", "base64", "base64url"].contains(&call.name());
            if other == call.name() || !alike || !(coded || is_hash(call)) {
                continue;
            }
            let mut calls = hole.calls.clone();
            calls[at] = instead;
            let known = if is_hash(call) { &keyed::HASH_OTHER } else { &causes::VALUE_SIGNED };
            let cause =
                format!("{{{written}}} was signed with {other} in place of {}", call.name());
            all.extend(run(&calls).map(|text| Found::said(known, text, cause)));
        }
    }
    if hole.calls.len() > 1 {
        let hashed = hole.calls.iter().any(is_hash);
        let known = if hashed { &keyed::HASH_ONCE } else { &causes::VALUE_SIGNED };
        let cause = format!("{{{written}}} was signed without its functions");
        all.push(Found::said(known, source.to_vec(), cause));
    }
    for more in ["hex", "base64", "sha256"] {
        let calls: Vec<Call> = hole.calls.iter().cloned().chain(Call::parse(more).ok()).collect();
        let known = if more == "sha256" { &keyed::HASH_TWICE } else { &keyed::HASH_HEX };
        let cause = format!("{{{written}}} was signed with {more} once more behind it");
        all.extend(run(&calls).map(|text| Found::said(known, text, cause)));
    }
    all
}

/// The whole text hashed or encoded once more before a key that hashes itself.
fn whole(text: &[u8], hashing: &Hashing) -> Vec<Found> {
    if !matches!(hashing, Hashing::Message) {
        return Vec::new();
    }
    let once = Sha256::digest(text);
    let hex = base16ct::lower::encode_string(&once);
    let row = |text: Vec<u8>, what: &str| {
        Found::said(
            &keyed::HASH_TWICE,
            text,
            format!("{what} of the text was signed, and not the text"),
        )
    };
    vec![
        row(once.to_vec(), "the SHA-256"),
        row(hex.into_bytes(), "the hex of the SHA-256"),
        row(STANDARD.encode(once).into_bytes(), "the base64 of the SHA-256"),
        row(Sha256::digest(once).to_vec(), "the SHA-256 twice"),
        row(STANDARD.encode(text).into_bytes(), "the base64"),
    ]
}
