//! A scheme file described: its canonical strings part by part, and what its signatures bind.

use http::HeaderName;
use http::header::HOST;

use super::compiled::Compiled;
use super::jsons::Item;
use super::origins::LITERAL;
use super::place::{Place, To};
use super::text::{Part, Source, Text};
use super::value::Kind;
use crate::scheme::{Binds, Bounds};

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
        let (reached, bounds) = (Reached::of(self), self.bound_parts());
        let mut rows: Vec<_> =
            bounds.parts().into_iter().map(|(part, how)| (part.to_owned(), how)).collect();
        if reached.values.iter().any(|value| matches!(self.values[*value].kind, Kind::Headers(_))) {
            rows.push(("headers that are listed".to_owned(), Binds::Bound));
        }
        for place in &self.places {
            let how = self.placed(place, &reached, bounds.of_place(place));
            rows.push((format!("{} {}", place.to.kind(), place.name), how));
        }
        rows
    }

    /// What its signatures bind of each part of a request; nothing where it makes none.
    pub(super) fn bounds(&self) -> Vec<Bounds> {
        let signs = self.values.iter().any(|value| value.kind.slot().is_some());
        if signs { vec![self.bound_parts()] } else { Vec::new() }
    }

    fn bound_parts(&self) -> Bounds {
        let reached = Reached::of(self);
        let yes = |bound: bool| if bound { Binds::Bound } else { Binds::Open };
        let has =
            |sources: &[Source]| sources.iter().any(|source| reached.sources.contains(&source));
        let path = has(&[Source::Path, Source::Target, Source::Url]);
        let mut bounds = Bounds {
            of: "",
            method: yes(has(&[Source::Method])),
            host: yes(has(&[Source::Host, Source::Url]) || reached.has_header(self, &HOST)),
            path: yes(path),
            query: reached.query,
            body: reached.body,
            ..Bounds::NOTHING
        };
        let shown = |fits: fn(&Kind) -> bool| {
            let signed = reached.values.iter().any(|value| fits(&self.values[*value].kind));
            let mut places =
                self.places.iter().filter(|place| bounds.of_place(place) != Binds::Open);
            let placed = places.any(|place| {
                let values = holes(&place.item).filter_map(Source::value);
                values.into_iter().any(|value| fits(&self.values[value].kind))
            });
            yes(signed || placed)
        };
        let time = shown(|kind| kind.clock().is_some());
        let nonce = shown(|kind| matches!(kind, Kind::Nonce(_)));
        (bounds.time, bounds.nonce) = (time, nonce);
        bounds
    }

    /// Whether its signatures bind headers of the request.
    pub(super) fn binds_headers(&self) -> bool {
        let reached = Reached::of(self);
        let listed = |value: &usize| matches!(self.values[*value].kind, Kind::Headers(_));
        reached.values.iter().any(listed)
            || reached.sources.iter().any(|source| matches!(source, Source::Header(_)))
    }

    fn placed(&self, place: &Place, reached: &Reached<'_>, field: Binds) -> Binds {
        let made = |source: &Source| source.value().is_some_and(|value| self.order.waits[value]);
        if holes(&place.item).any(made) {
            return Binds::Signature;
        }
        let named = matches!(&place.to, To::Header(name) if reached.has_header(self, name));
        let mut all = holes(&place.item).peekable();
        let some = all.peek().is_some();
        if named || some && all.all(|source| reached.sources.contains(&source)) {
            return Binds::Bound;
        }
        field
    }
}

impl Bounds {
    /// The part that a place is in.
    fn of_place(&self, place: &Place) -> Binds {
        match place.to {
            To::Query => self.query,
            To::Form | To::Json | To::Body => self.body,
            To::Header(_) => Binds::Open,
        }
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
    query: Binds,
    body: Binds,
}

impl<'c> Reached<'c> {
    fn of(compiled: &'c Compiled) -> Self {
        let (query, body) = (Binds::Open, Binds::Open);
        let mut reached = Self { sources: Vec::new(), values: Vec::new(), query, body };
        let signed = compiled.values.iter().filter(|value| value.kind.slot().is_some());
        for value in signed {
            reached.kind(compiled, &value.kind);
        }
        let (mut next, mut headers) = (0, Vec::new());
        loop {
            while let Some(value) = reached.values.get(next).copied() {
                reached.kind(compiled, &compiled.values[value].kind);
                next += 1;
            }
            // What a header is made of that is signed itself.
            let signed = compiled.places.iter().enumerate().find(|(index, place)| {
                !headers.contains(index)
                    && matches!(&place.to, To::Header(name) if reached.has_header(compiled, name))
            });
            let Some((index, place)) = signed else { return reached };
            headers.push(index);
            for text in place.item.texts() {
                reached.text(text, Binds::Bound);
            }
        }
    }

    fn has_header(&self, compiled: &Compiled, name: &HeaderName) -> bool {
        let listed = |value: &usize| matches!(&compiled.values[*value].kind, Kind::Headers(list) if list.has(name));
        self.sources.contains(&&Source::Header(name.clone())) || self.values.iter().any(listed)
    }

    fn kind(&mut self, compiled: &'c Compiled, kind: &'c Kind) {
        let fields = || compiled.places.iter().filter(|place| place.is_field());
        let own = |name: &str| fields().any(|place| place.name == name);
        let (query, body) = kind.binds(&own);
        raise(&mut self.query, query);
        raise(&mut self.body, body);
        for (index, text) in kind.texts().into_iter().enumerate() {
            // A text that is taken where others are empty is not always one.
            let first = index == 0 || !matches!(kind, Kind::OneOf(_));
            self.text(text, if first { Binds::Bound } else { Binds::Partly });
        }
    }

    fn text(&mut self, text: &'c Text, read: Binds) {
        for hole in text.holes() {
            self.sources.push(&hole.source);
            let source = &hole.source;
            if matches!(source, Source::Query | Source::Target | Source::Url) {
                raise(&mut self.query, read);
            } else if *source == Source::Body {
                raise(&mut self.body, read);
            } else if matches!(source, Source::Member(_)) {
                raise(&mut self.body, Binds::Partly);
            }
            if let Some(value) = hole.source.value().filter(|own| !self.values.contains(own)) {
                self.values.push(value);
            }
        }
    }
}

/// The more of the two.
fn raise(own: &mut Binds, other: Binds) {
    let more = match (*own, other) {
        (Binds::Open, other) => other,
        (Binds::Partly, Binds::Bound) => Binds::Bound,
        (own, _) => own,
    };
    *own = more;
}
