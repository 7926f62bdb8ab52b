//! The pieces of a canonical string, each with the hole of the file that it came from.

use super::compiled::Compiled;
use super::eval::Prepared;
use super::made::Made;
use super::pairs::From;
use super::text::{Part, Source, Text};
use super::value::Kind;
use crate::scheme::{Origin, Provenance};

impl Prepared<'_> {
    /// The pieces of each text to sign.
    pub(super) fn origins(&self) -> Made<Vec<Vec<Origin>>> {
        let compiled = self.compiled();
        let one = |(value, text): &(usize, Vec<u8>)| {
            if let Some(sign) = compiled.values[*value].kind.sign() {
                let mut pieces = Vec::new();
                self.pieces(&sign.text, &mut pieces)?;
                return Ok(pieces);
            }
            let secret = compiled.order.secrets[*value];
            let parts = text.split(|byte| *byte == b'.').zip(["header", "claims"]);
            let piece = |(part, name): (&[u8], &str)| Origin {
                from: format!("{{{}}}'s {name}", compiled.values[*value].name),
                kind: if secret { Provenance::Secret } else { Provenance::Several },
                text: if secret { Vec::new() } else { part.to_vec() },
                secret,
            };
            Ok(parts.map(piece).collect())
        };
        self.filled.texts.iter().map(one).collect()
    }

    fn pieces(&self, text: &Text, out: &mut Vec<Origin>) -> Made<()> {
        for part in &text.parts {
            match part {
                Part::Literal(bytes) => {
                    out.push(Origin::literal(bytes.clone()));
                }
                Part::Hole(hole) => match self.compiled().opened(hole) {
                    Some(inner) => self.pieces(inner, out)?,
                    None => {
                        let secret = self.compiled().is_secret(&hole.source);
                        let bytes = self.hole(hole)?.into_owned();
                        let text = if secret { Vec::new() } else { bytes };
                        let kind = self.compiled().provenance(&hole.source);
                        let from = format!("{{{}}}", hole.written);
                        out.push(Origin { from, kind, text, secret });
                    }
                },
            }
        }
        Ok(())
    }
}

/// What a piece came from that stands in the file itself.
pub(super) const LITERAL: &str = "literal";

impl Compiled {
    /// The text that stands in the place of a hole, where it names one and changes nothing of it.
    pub(super) fn opened(&self, hole: &super::text::Hole) -> Option<&Text> {
        let kind = &self.values[hole.source.value().filter(|_| hole.calls.is_empty())?].kind;
        if let Kind::Text(text) = kind { Some(text) } else { None }
    }

    /// What of a request or a route a source is.
    fn provenance(&self, source: &Source) -> Provenance {
        match source {
            _ if self.is_secret(source) => Provenance::Secret,
            Source::Method => Provenance::Method,
            Source::Scheme | Source::Host => Provenance::Host,
            Source::Path | Source::Target | Source::Url => Provenance::Path,
            Source::Query => Provenance::Query,
            Source::Body | Source::Member(_) => Provenance::Body,
            Source::Header(_) => Provenance::Header,
            Source::Secret(_) => Provenance::Secret,
            Source::Param(_) => Provenance::Param,
            Source::Public(_) => Provenance::Key,
            Source::Unknown => Provenance::Several,
            Source::Value(value) | Source::Names(value) => self.made_of(&self.values[*value].kind),
        }
    }

    /// The same of a value: what all of it is, where that is one thing.
    fn made_of(&self, kind: &Kind) -> Provenance {
        match kind {
            Kind::Clock(_) => Provenance::Clock,
            Kind::Nonce(_) => Provenance::Nonce,
            Kind::Headers(_) => Provenance::Header,
            Kind::Jwt(_) | Kind::Sign(_) => Provenance::Key,
            Kind::Pairs(pairs) if pairs.from == [From::Query] => Provenance::Query,
            Kind::Pairs(pairs) if !pairs.from.contains(&From::Query) => Provenance::Body,
            Kind::Text(text) => self.one_of(&text.parts),
            Kind::Pairs(_) | Kind::Json(_) | Kind::OneOf(_) | Kind::Unreadable => {
                Provenance::Several
            }
        }
    }

    fn one_of(&self, parts: &[Part]) -> Provenance {
        let holes = parts.iter().filter_map(|part| match part {
            Part::Hole(hole) => Some(self.provenance(&hole.source)),
            Part::Literal(_) => None,
        });
        let mut kinds: Vec<_> = holes.collect();
        kinds.sort_unstable();
        kinds.dedup();
        if let [kind] = kinds[..] { kind } else { Provenance::Several }
    }

    fn is_secret(&self, source: &Source) -> bool {
        matches!(source, Source::Secret(_))
            || source.value().is_some_and(|value| self.order.secrets[value])
    }
}
