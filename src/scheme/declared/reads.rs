//! Which parts of a request a scheme file reads: found at its load, asked with each request.

use super::place::Place;
use super::text::{Source, Text};
use super::value::Value;

/// Which parts of a request are read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reads {
    pub(super) query: bool,
    pub(super) body: bool,
}

impl Reads {
    /// What texts and pairs read of requests.
    pub(super) fn of(values: &[Value], places: &[Place]) -> Self {
        let mut reads = Self::default();
        for hole in texts(values, places).flat_map(Text::holes) {
            let source = &hole.source;
            reads.query |= matches!(source, Source::Query | Source::Target | Source::Url);
            reads.body |= matches!(source, Source::Body | Source::Member(_));
        }
        for value in values {
            let (query, body) = value.kind.reads();
            reads.query |= query;
            reads.body |= body;
        }
        reads
    }
}

/// Every text of a file: values' and placements'.
pub(super) fn texts<'a>(
    values: &'a [Value],
    places: &'a [Place],
) -> impl Iterator<Item = &'a Text> {
    let values = values.iter().flat_map(|value| value.kind.texts());
    values.chain(places.iter().flat_map(|place| place.item.texts()))
}
