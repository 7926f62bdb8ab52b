//! A scheme file described: its canonical strings part by part, and what its signatures bind.

use super::compiled::Compiled;
use super::jsons::Item;
use super::origins::LITERAL;
use super::place::{Place, To};
use super::text::{Part, Source, Text};
use super::value::Kind;

/// A value that a key makes.
#[derive(Debug)]
pub(crate) struct Signed {
    /// Its name in the file.
    pub(crate) name: String,
    /// The key slot.
    pub(crate) slot: String,
    /// The parts of its canonical string: as they are written, and what they are.
    pub(crate) parts: Vec<(String, String)>,
}

/// Whether a signature is good for another request that differs in one thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Binds {
    /// It is not.
    Bound,
    /// It is where what differs is not what the text reads.
    Partly,
    /// It is.
    Open,
    /// It is itself made by a key.
    Signature,
}

impl Compiled {
    /// The values that keys make, in the order of the file.
    pub(crate) fn signed(&self) -> Vec<Signed> {
        let signed = self.values.iter().filter_map(|value| Some((value, value.kind.slot()?)));
        let one = |(value, slot): (&super::value::Value, usize)| {
            let mut parts = Vec::new();
            match value.kind.sign() {
                Some(sign) => self.parts(&sign.text, &mut parts),
                None => value.kind.texts().iter().for_each(|text| self.parts(text, &mut parts)),
            }
            let (name, slot) = (value.name.clone(), self.slots[slot].name.clone());
            Signed { name, slot, parts }
        };
        signed.map(one).collect()
    }

    fn parts(&self, text: &Text, out: &mut Vec<(String, String)>) {
        for part in &text.parts {
            match part {
                Part::Literal(bytes) => {
                    out.push((format!("{:?}", String::from_utf8_lossy(bytes)), LITERAL.into()));
                }
                Part::Hole(hole) => match self.opened(hole) {
                    Some(inner) => self.parts(inner, out),
                    None => out.push((format!("{{{}}}", hole.written), self.said(&hole.source))),
                },
            }
        }
    }

    /// What a source is, in words.
    fn said(&self, source: &Source) -> String {
        match source {
            Source::Value(value) | Source::Names(value) => {
                let value = &self.values[*value];
                match &value.kind {
                    Kind::Clock(own) => format!("the time, as {}", own.clock.word.name),
                    Kind::Nonce(_) => "a nonce".into(),
                    Kind::Pairs(_) => "pairs of the request".into(),
                    Kind::Headers(_) => "headers of the request".into(),
                    Kind::Json(_) => "JSON of the file's own".into(),
                    Kind::Text(_) | Kind::OneOf(_) => "a text of the file".into(),
                    Kind::Jwt(_) | Kind::Sign(_) | Kind::Unreadable => "made by a key".into(),
                }
            }
            Source::Secret(index) => format!("a secret: {}", self.secrets[*index].doc),
            Source::Param(_) => "a param of the route".into(),
            Source::Public(index) => format!("the public key of {}", self.slots[*index].name),
            Source::Header(name) => format!("the request's header {name}"),
            Source::Member(name) => format!("{name} of the JSON body"),
            Source::Method | Source::Scheme | Source::Host | Source::Path | Source::Query => {
                "the request".into()
            }
            Source::Target | Source::Url | Source::Body => "the request".into(),
            Source::Unknown => String::new(),
        }
    }

    /// What of a request its signatures bind, and whether they do, placements last.
    pub(crate) fn bound(&self) -> Vec<(String, Binds)> {
        let reached = Reached::of(self);
        let yes = |bound: bool| if bound { Binds::Bound } else { Binds::Open };
        let has =
            |sources: &[Source]| sources.iter().any(|source| reached.sources.contains(&source));
        let path = has(&[Source::Path, Source::Target, Source::Url]);
        let query = has(&[Source::Query, Source::Target, Source::Url]) || reached.query;
        let body = has(&[Source::Body]) || reached.body;
        let member = reached.sources.iter().any(|own| matches!(own, Source::Member(_)));
        let body = if member && !body { Binds::Partly } else { yes(body) };
        let fields = |place: &Place| match place.to {
            To::Query => yes(query),
            To::Form | To::Json | To::Body => body,
            To::Header(_) => Binds::Open,
        };
        let shown = |fits: fn(&Kind) -> bool| {
            let signed = reached.values.iter().any(|value| fits(&self.values[*value].kind));
            let mut places = self.places.iter().filter(|place| fields(place) == Binds::Bound);
            let placed = places.any(|place| {
                let values = holes(&place.item).filter_map(Source::value);
                values.into_iter().any(|value| fits(&self.values[value].kind))
            });
            yes(signed || placed)
        };
        let mut rows = vec![
            ("method".to_owned(), yes(has(&[Source::Method]))),
            ("host".to_owned(), yes(has(&[Source::Host, Source::Url]))),
            ("path".to_owned(), yes(path)),
            ("query".to_owned(), yes(query)),
            ("body".to_owned(), body),
            ("time".to_owned(), shown(|kind| kind.clock().is_some())),
            ("nonce".to_owned(), shown(|kind| matches!(kind, Kind::Nonce(_)))),
        ];
        if reached.values.iter().any(|value| matches!(self.values[*value].kind, Kind::Headers(_))) {
            rows.push(("headers that are listed".to_owned(), Binds::Bound));
        }
        for place in &self.places {
            let how = self.placed(place, &reached, fields(place));
            rows.push((format!("{} {}", place.to.kind(), place.name), how));
        }
        rows
    }

    fn placed(&self, place: &Place, reached: &Reached<'_>, field: Binds) -> Binds {
        let made = |source: &Source| source.value().is_some_and(|value| self.order.waits[value]);
        if holes(&place.item).any(made) {
            return Binds::Signature;
        }
        let named = matches!(&place.to, To::Header(name)
            if reached.sources.contains(&&Source::Header(name.clone())));
        let mut all = holes(&place.item).peekable();
        let some = all.peek().is_some();
        if named || some && all.all(|source| reached.sources.contains(&source)) {
            return Binds::Bound;
        }
        field
    }
}

impl To {
    fn kind(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Query => "query field",
            Self::Form => "form field",
            Self::Json => "member",
            Self::Body => "place",
        }
    }
}

fn holes(item: &Item) -> impl Iterator<Item = &Source> {
    item.texts().into_iter().flat_map(Text::holes).map(|hole| &hole.source)
}

/// What can be reached from the texts that are signed.
struct Reached<'c> {
    sources: Vec<&'c Source>,
    values: Vec<usize>,
    query: bool,
    body: bool,
}

impl<'c> Reached<'c> {
    fn of(compiled: &'c Compiled) -> Self {
        let mut reached =
            Self { sources: Vec::new(), values: Vec::new(), query: false, body: false };
        let signed = compiled.values.iter().filter(|value| value.kind.slot().is_some());
        for value in signed {
            reached.kind(&value.kind);
        }
        let mut next = 0;
        while let Some(value) = reached.values.get(next).copied() {
            reached.kind(&compiled.values[value].kind);
            next += 1;
        }
        reached
    }

    fn kind(&mut self, kind: &'c Kind) {
        let (query, body) = kind.reads();
        self.query |= query;
        self.body |= body;
        for hole in kind.texts().into_iter().flat_map(Text::holes) {
            self.sources.push(&hole.source);
            if let Some(value) = hole.source.value().filter(|own| !self.values.contains(own)) {
                self.values.push(value);
            }
        }
    }
}
