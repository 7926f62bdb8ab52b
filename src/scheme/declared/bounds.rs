//! Fixed bounds of a scheme file, held before any request: how much of each there may be, and how
//! often a value may contain the request, so that time and memory are linear in it.
//!
//! Without, values that name one before them twice would double with each, and readers of a file
//! with thousands of values would recurse as deep.

use std::collections::HashMap;

use http::HeaderName;

use super::compiled::Compiled;
use super::fields::Fields;
use super::order::Step;
use super::place::{Place, To};
use super::text::{Part, Source, Text};
use super::value::Kind;

const MAX_VALUES: usize = 64;
const MAX_LITERALS: usize = 16 * 1024;
/// How many times its own length a request may have in one value.
const MAX_GROWTH: u64 = 4096;
/// What JSON makes of a control character: `\u0000`.
const QUOTED: u64 = 6;
/// What a query makes of a byte: `%00`.
const PERCENT: u64 = 3;

/// Whether there are not too many of anything to look at the rest of the file. What is too much is
/// reported.
pub(super) fn few_enough(root: &Fields<'_>) -> bool {
    let members = |name| root.get(name).and_then(|node| node.members()).unwrap_or_default();
    let (place, mut few) = (members("place"), true);
    let places = place.iter().map(|member| ("placements", member.node.members()));
    let names = ["values", "keys", "secrets", "params"];
    for (what, members) in places.chain(names.map(|name| (name, Some(members(name))))) {
        let members = members.unwrap_or_default();
        if let Some(first) = members.get(MAX_VALUES) {
            let count = members.len();
            let what = format!("there are {count} {what}, and {MAX_VALUES} are the most");
            root.report_at(first.name_at, what, "remove some");
            few = false;
        }
    }
    few
}

/// Reports literals that are too long together.
pub(super) fn literals(compiled: &Compiled, root: &Fields<'_>) {
    let literals: usize = compiled.texts().map(Text::literals).sum();
    if literals > MAX_LITERALS {
        let what = format!("its texts have {literals} bytes, and {MAX_LITERALS} are the most");
        root.report(what, "say less");
    }
}

/// Reports values and placements that could contain the request too often. The file has no circle.
/// How often all of them together could is what a request costs.
pub(super) fn growth(compiled: &Compiled, root: &Fields<'_>) -> u64 {
    let mut all = 0_u64;
    let headers = HashMap::new();
    let mut growth = Growth { values: vec![1; compiled.values.len()], headers, sent: 1 };
    for step in &compiled.order.steps {
        let (name, at, found) = match *step {
            Step::Value(index) => {
                let value = &compiled.values[index];
                let found = growth.kind(&value.kind);
                // A signature's text may be long; and what is reported is said once.
                let short = value.kind.sign().is_some() || found > MAX_GROWTH;
                growth.values[index] = if short { 1 } else { found };
                (&value.name, value.at, found)
            }
            Step::Header(index) => {
                let place = &compiled.places[index];
                let found = growth.place(place);
                if let To::Header(name) = &place.to {
                    growth.headers.insert(name.clone(), found);
                }
                (&place.name, place.at, found)
            }
            Step::Sent => {
                for (place, late) in compiled.places.iter().zip(&compiled.order.late) {
                    if place.is_field() && !late {
                        growth.sent = growth.sent.saturating_add(growth.place(place));
                    }
                }
                continue;
            }
        };
        all = all.saturating_add(found);
        if found > MAX_GROWTH {
            let what = format!(
                "{name} could contain the request {found} times, and {MAX_GROWTH} are the most"
            );
            root.report_at(at, what, "use fewer holes and functions, or a hash of it");
        }
    }
    all.saturating_add(growth.sent)
}

/// How often the request, what a route binds and the file's literals can be in what was made so far.
struct Growth {
    values: Vec<u64>,
    /// Headers that the file places.
    headers: HashMap<HeaderName, u64>,
    /// Query and body.
    sent: u64,
}

impl Growth {
    fn kind(&self, kind: &Kind) -> u64 {
        let texts = || kind.texts().into_iter().map(|text| self.text(text));
        let sum = || texts().fold(1, u64::saturating_add);
        match kind {
            Kind::Clock(_) | Kind::Nonce(_) | Kind::Unreadable => 1,
            Kind::Text(_) | Kind::Sign(_) => sum(),
            Kind::OneOf(_) => texts().max().unwrap_or(1),
            Kind::Json(json) => {
                let body = if json.with_body.is_some() { self.sent } else { 0 };
                sum().saturating_add(body).saturating_mul(QUOTED)
            }
            Kind::Jwt(_) => sum().saturating_mul(QUOTED * 2),
            Kind::Pairs(pairs) => {
                let read = self.sent.saturating_mul(pairs.from.len() as u64);
                sum().saturating_add(read).saturating_mul(pairs.growth())
            }
            Kind::Headers(list) => {
                let placed = self.headers.iter().filter(|(name, _)| list.has(name));
                let all = placed.fold(1, |all: u64, (_, own)| all.saturating_add(*own));
                all.saturating_mul(list.growth())
            }
        }
    }

    fn place(&self, place: &Place) -> u64 {
        let texts = place.item.texts();
        let all = texts.iter().map(|text| self.text(text)).fold(1, u64::saturating_add);
        all.saturating_mul(match place.to {
            To::Header(_) | To::Body => 1,
            To::Query | To::Form => PERCENT,
            To::Json => QUOTED,
        })
    }

    fn text(&self, text: &Text) -> u64 {
        let part = |part: &Part| match part {
            Part::Literal(_) => 1,
            Part::Hole(hole) => {
                let source = self.source(&hole.source);
                hole.calls.iter().fold(source, |growth, call| call.growth(growth))
            }
        };
        text.parts.iter().map(part).fold(0, u64::saturating_add)
    }

    fn source(&self, source: &Source) -> u64 {
        match source {
            Source::Query | Source::Target | Source::Url | Source::Body | Source::Member(_) => {
                self.sent
            }
            Source::Header(name) => self.headers.get(name).copied().unwrap_or(1),
            Source::Value(index) | Source::Names(index) => self.values[*index],
            Source::Method
            | Source::Scheme
            | Source::Host
            | Source::Path
            | Source::Secret(_)
            | Source::Param(_)
            | Source::Public(_)
            | Source::Unknown => 1,
        }
    }
}
