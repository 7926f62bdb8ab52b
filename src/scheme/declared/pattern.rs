//! Placements read backwards: a text with holes is a pattern, whose holes are what a request says
//! of itself. A file is held to placements that can be read before any request is.

use std::collections::BTreeMap;

use super::compiled::Compiled;
use super::encode::{ENCODINGS, unpercent};
use super::function::Call;
use super::jsons::{Item, Json};
use super::text::{Hole, Part, Source, Text};
use super::value::Kind;
use crate::secret::Secret;

/// A placement's text as a pattern.
#[derive(Debug)]
pub(super) enum Piece<'c> {
    /// Bytes that must stand there.
    Literal(Vec<u8>),
    /// What a route binds: it must stand there too.
    Bound(&'c Hole),
    /// A value that is read, behind functions that are undone.
    Value(usize, &'c [Call]),
    /// Something that is made anew and compared.
    Made,
}

/// Clocks, nonces, signatures and tokens as a request shows them, by value.
pub(super) type Shown = BTreeMap<usize, Vec<u8>>;

impl Compiled {
    /// A text as a pattern: values that are texts are opened in their place.
    pub(super) fn pattern<'c>(&'c self, text: &'c Text) -> Vec<Piece<'c>> {
        let mut pieces = Vec::new();
        self.open(text, 0, &mut pieces);
        // Where nothing is read, it does not matter where one ends and the next begins.
        pieces.dedup_by(|one, other| matches!((one, other), (Piece::Made, Piece::Made)));
        pieces
    }

    fn open<'c>(&'c self, text: &'c Text, depth: usize, pieces: &mut Vec<Piece<'c>>) {
        for part in &text.parts {
            let hole = match part {
                Part::Literal(bytes) => {
                    pieces.push(Piece::Literal(bytes.clone()));
                    continue;
                }
                Part::Hole(hole) => hole,
            };
            if matches!(hole.source, Source::Secret(_) | Source::Param(_) | Source::Public(_)) {
                pieces.push(Piece::Bound(hole));
                continue;
            }
            let value = if let Source::Value(index) = hole.source { Some(index) } else { None };
            match value.map(|index| (index, &self.values[index].kind)) {
                Some((_, Kind::Text(inner))) if hole.calls.is_empty() && depth < 64 => {
                    self.open(inner, depth + 1, pieces);
                }
                Some((index, kind)) if kind.is_shown() && hole.calls.iter().all(is_undone) => {
                    pieces.push(Piece::Value(index, &hole.calls));
                }
                // Two that are made anew are one that is.
                _ if matches!(pieces.last(), Some(Piece::Made)) => {}
                _ => pieces.push(Piece::Made),
            }
        }
    }

    /// What a placement's text, as it was sent, shows of values. `bound` gives the bytes of holes
    /// that a route fills.
    pub(super) fn shown(
        &self,
        text: &Text,
        sent: &[u8],
        bound: &dyn Fn(&Hole) -> Option<Secret>,
        shown: &mut Shown,
    ) -> Option<()> {
        let pieces = self.pattern(text);
        let mut rest = sent;
        for (index, piece) in pieces.iter().enumerate() {
            let fixed = |piece: &Piece<'_>| match piece {
                Piece::Literal(bytes) => Some(Secret::new(bytes.clone())),
                Piece::Bound(hole) => bound(hole),
                Piece::Value(..) | Piece::Made => None,
            };
            match piece {
                Piece::Literal(_) | Piece::Bound(_) => {
                    rest = rest.strip_prefix(fixed(piece)?.expose())?;
                }
                Piece::Value(..) | Piece::Made => {
                    let next = pieces.get(index + 1).and_then(fixed);
                    let end = match &next {
                        Some(next) => find(rest, next.expose())?,
                        None => rest.len(),
                    };
                    let (found, behind) = rest.split_at(end);
                    if let Piece::Value(value, calls) = piece {
                        self.undo(*value, calls, found, bound, shown)?;
                    }
                    rest = behind;
                }
            }
        }
        rest.is_empty().then_some(())
    }

    fn undo(
        &self,
        value: usize,
        calls: &[Call],
        found: &[u8],
        bound: &dyn Fn(&Hole) -> Option<Secret>,
        shown: &mut Shown,
    ) -> Option<()> {
        let mut bytes = found.to_vec();
        for call in calls.iter().rev() {
            bytes = undone(call.name(), &bytes)?;
        }
        match &self.values[value].kind {
            Kind::Text(text) => self.shown(text, &bytes, bound, shown)?,
            Kind::Json(json) => {
                let read: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
                self.members(json, &read, bound, shown)?;
            }
            Kind::Jwt(jwt) => {
                let mut parts = bytes.split(|byte| *byte == b'.');
                let (header, claims) = (parts.next()?, parts.next()?);
                if parts.next().is_none() || parts.next().is_some() {
                    return None;
                }
                let read = |part| serde_json::from_slice(&undone("base64url", part)?).ok();
                if let Some(json) = &jwt.header {
                    self.members(json, &read(header)?, bound, shown)?;
                }
                self.members(&jwt.claims, &read(claims)?, bound, shown)?;
            }
            Kind::Clock(_)
            | Kind::Nonce(_)
            | Kind::Sign(_)
            | Kind::Pairs(_)
            | Kind::Headers(_)
            | Kind::OneOf(_)
            | Kind::Unreadable => {}
        }
        // The same value may be shown twice, and must be the same.
        let known = shown.entry(value).or_insert_with(|| bytes.clone());
        (*known == bytes).then_some(())
    }

    /// What a JSON object shows.
    fn members(
        &self,
        json: &Json,
        read: &serde_json::Value,
        bound: &dyn Fn(&Hole) -> Option<Secret>,
        shown: &mut Shown,
    ) -> Option<()> {
        for (name, item) in &json.members {
            let Some(found) = read.get(name) else {
                // It was left out; what is made anew is compared with the whole.
                if json.omit_empty { continue } else { return None }
            };
            self.item(item, found, bound, shown)?;
        }
        Some(())
    }

    /// What a JSON value shows.
    pub(super) fn item(
        &self,
        item: &Item,
        read: &serde_json::Value,
        bound: &dyn Fn(&Hole) -> Option<Secret>,
        shown: &mut Shown,
    ) -> Option<()> {
        match item {
            Item::Text(text) => self.shown(text, read.as_str()?.as_bytes(), bound, shown),
            Item::Number(text) => {
                let number = read.as_number()?.to_string();
                self.shown(text, number.as_bytes(), bound, shown)
            }
            Item::Fixed(_) => Some(()),
            Item::List(items) => {
                let read = read.as_array().filter(|read| read.len() == items.len())?;
                items
                    .iter()
                    .zip(read)
                    .try_for_each(|(item, read)| self.item(item, read, bound, shown).ok_or(()))
                    .ok()
            }
            Item::Object(json) => self.members(json, read, bound, shown),
        }
    }
}

impl Kind {
    /// Whether a request shows it where it is placed.
    fn is_shown(&self) -> bool {
        match self {
            Self::Clock(_)
            | Self::Nonce(_)
            | Self::Sign(_)
            | Self::Jwt(_)
            | Self::Json(_)
            | Self::Text(_) => true,
            Self::Pairs(_) | Self::Headers(_) | Self::OneOf(_) | Self::Unreadable => false,
        }
    }
}

/// Whether what a function made can be turned back.
fn is_undone(call: &Call) -> bool {
    ["percent", "percent_form"].contains(&call.name())
        || ENCODINGS.iter().any(|row| row.word.name == call.name())
}

fn undone(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    if let "percent" | "percent_form" = name {
        return Some(unpercent(bytes, name == "percent_form"));
    }
    let row = ENCODINGS.iter().find(|row| row.word.name == name)?;
    (row.read)(str::from_utf8(bytes).ok()?)
}

/// Where a piece first stands in a text.
fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    if piece.is_empty() {
        return None;
    }
    text.windows(piece.len()).position(|window| window == piece)
}
