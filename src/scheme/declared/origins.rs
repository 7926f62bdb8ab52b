//! The pieces of a canonical string, each with the hole of the file that it came from.

use super::compiled::Compiled;
use super::eval::Prepared;
use super::made::Made;
use super::text::{Part, Source, Text};
use super::value::Kind;
use crate::scheme::Origin;

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
                    out.push(Origin { from: LITERAL.into(), text: bytes.clone(), secret: false });
                }
                Part::Hole(hole) => match self.compiled().opened(hole) {
                    Some(inner) => self.pieces(inner, out)?,
                    None => {
                        let secret = self.compiled().is_secret(&hole.source);
                        let bytes = self.hole(hole)?.into_owned();
                        let text = if secret { Vec::new() } else { bytes };
                        out.push(Origin { from: format!("{{{}}}", hole.written), text, secret });
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

    fn is_secret(&self, source: &Source) -> bool {
        matches!(source, Source::Secret(_))
            || source.value().is_some_and(|value| self.order.secrets[value])
    }
}
