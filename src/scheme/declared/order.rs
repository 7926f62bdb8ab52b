//! In which order values and placements are made, and what waits for a signature.
//!
//! Values depend on the values in their holes; a value that reads query, body or a header depends
//! on what the file puts in there. So both are nodes of one graph, which must have no circle.

use http::HeaderName;

use super::place::{Place, To};
use super::text::{Source, Text};
use super::value::{Kind, Value};
use crate::document::Location;

/// What is made, in turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// A value, by index.
    Value(usize),
    /// A header, by the index of its placement.
    Header(usize),
    /// Query and body, with everything that does not wait.
    Sent,
}

/// The order, and what waits.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) steps: Vec<Step>,
    /// Of each value, whether it is made from a signature, or is one.
    pub(super) waits: Vec<bool>,
    /// Of each placement, whether it contains such a value.
    pub(super) late: Vec<bool>,
    /// Of each placement, whether it contains a secret.
    pub(super) secret: Vec<bool>,
    /// Of each value, whether it contains or signs one.
    pub(super) secrets: Vec<bool>,
}

/// Adds a problem: where, what, how to mend it.
pub(super) type Add<'a> = &'a dyn Fn(Location, String, String);

struct Graph<'f> {
    values: &'f [Value],
    places: &'f [Place],
    late: Vec<bool>,
    /// Of each step, whether it is being looked at (1) or done (2).
    marks: Vec<u8>,
    trail: Vec<Step>,
    steps: Vec<Step>,
}

impl Order {
    /// The order of a file's values and placements. Circles are reported.
    pub(super) fn of(values: &[Value], places: &[Place], add: Add<'_>) -> Self {
        let waits = reached(values, |kind| kind.slot().is_some());
        let late =
            places.iter().map(|place| place.item.texts().iter().any(|text| reads(text, &waits)));
        let late: Vec<bool> = late.collect();
        for value in values.iter().filter(|value| value.kind.slot().is_some()) {
            if value.kind.texts().iter().any(|text| reads(text, &waits)) {
                let what = format!("{} signs what is itself signed", value.name);
                add(value.at, what, "sign texts alone; two signatures stand side by side".into());
            }
        }
        let (secrets, secret) = secrecy(values, places);
        let marks = vec![0; values.len() + places.len() + 1];
        let (trail, steps) = (Vec::new(), Vec::new());
        let mut graph = Graph { values, places, late, marks, trail, steps };
        for index in 0..values.len() {
            graph.visit(Step::Value(index), add);
        }
        graph.visit(Step::Sent, add);
        for (index, place) in places.iter().enumerate() {
            if matches!(place.to, To::Header(_)) {
                graph.visit(Step::Header(index), add);
            }
        }
        Self { steps: graph.steps, waits, late: graph.late, secret, secrets }
    }
}

/// Of each value and of each placement, whether a secret is in it. What is read of a request has the
/// secrets that the file places there, so both are looked at until nothing more is found.
fn secrecy(values: &[Value], places: &[Place]) -> (Vec<bool>, Vec<bool>) {
    let mut secret = vec![false; places.len()];
    loop {
        let tells = |text: &Text| text.has_secret() || sees(places, &secret, &parts(text), text);
        let values_of = |kind: &Kind| {
            let listed = |name: &HeaderName| matches!(kind, Kind::Headers(list) if list.has(name));
            kind.texts().iter().any(|text| tells(text))
                || placed_in(places, &secret, &kind.reads(), &listed)
        };
        let secrets = reached(values, values_of);
        // A signature over a secret gives nothing of it away; a token carries what it signs.
        let signed = values.iter().map(|value| value.kind.sign().is_some());
        let open: Vec<bool> =
            secrets.iter().zip(signed).map(|(own, signed)| *own && !signed).collect();
        let texts = places.iter().map(|place| place.item.texts());
        let found: Vec<bool> =
            texts.map(|texts| texts.iter().any(|text| tells(text) || reads(text, &open))).collect();
        if found == secret {
            return (secrets, secret);
        }
        secret = found;
    }
}

/// Whether a text reads a part of the request, or a header, in which a secret is placed.
fn sees(places: &[Place], secret: &[bool], parts: &(bool, bool), text: &Text) -> bool {
    let named = |name: &HeaderName| {
        text.holes().any(|hole| matches!(&hole.source, Source::Header(own) if own == name))
    };
    placed_in(places, secret, parts, &named)
}

/// Whether a secret is placed in the query or body that is read, or in a header that is.
fn placed_in(
    places: &[Place],
    secret: &[bool],
    (query, body): &(bool, bool),
    header: &dyn Fn(&HeaderName) -> bool,
) -> bool {
    let read = |place: &Place| match &place.to {
        To::Header(name) => header(name),
        // A field of the query may stand in a form.
        To::Query | To::Form => *query || *body,
        To::Json | To::Body => *body,
    };
    places.iter().zip(secret).any(|(place, secret)| *secret && read(place))
}

/// Whether a text reads the query, and the body.
fn parts(text: &Text) -> (bool, bool) {
    text.holes().fold((false, false), |(query, body), hole| {
        let source = &hole.source;
        (
            query || matches!(source, Source::Query | Source::Target | Source::Url),
            body || matches!(source, Source::Body | Source::Member(_)),
        )
    })
}

/// Which values fit, or are made from one that does.
fn reached(values: &[Value], fits: impl Fn(&Kind) -> bool) -> Vec<bool> {
    let mut waits: Vec<bool> = values.iter().map(|value| fits(&value.kind)).collect();
    // At most as often as there are values; circles change nothing.
    loop {
        let more = |(index, value): (usize, &Value)| {
            !waits[index] && value.kind.texts().iter().any(|text| reads(text, &waits))
        };
        let found: Vec<usize> =
            values.iter().enumerate().filter(|pair| more(*pair)).map(|(index, _)| index).collect();
        if found.is_empty() {
            return waits;
        }
        for index in found {
            waits[index] = true;
        }
    }
}

fn reads(text: &Text, waits: &[bool]) -> bool {
    text.holes().filter_map(|hole| hole.source.value()).any(|value| waits[value])
}

impl Graph<'_> {
    fn visit(&mut self, step: Step, add: Add<'_>) {
        let mark = self.index(step);
        match self.marks[mark] {
            2 => return,
            1 => {
                let from = self.trail.iter().position(|own| *own == step).unwrap_or_default();
                let names: Vec<String> =
                    self.trail[from..].iter().chain([&step]).map(|step| self.name(*step)).collect();
                let what = format!("{} goes in a circle: {}", names[0], names.join(" needs "));
                let fix = "take one of them from what the program sent, or remove a hole".into();
                add(self.at(step), what, fix);
                return;
            }
            _ => {}
        }
        self.marks[mark] = 1;
        self.trail.push(step);
        for next in self.needs(step) {
            self.visit(next, add);
        }
        self.trail.pop();
        self.marks[mark] = 2;
        self.steps.push(step);
    }

    fn needs(&self, step: Step) -> Vec<Step> {
        let mut needs = Vec::new();
        match step {
            Step::Value(index) => {
                let kind = &self.values[index].kind;
                kind.texts().iter().for_each(|text| self.text(text, &mut needs));
                let (query, body) = kind.reads();
                // What becomes the body is made from the one that the program sent.
                let made = matches!(kind, Kind::Json(_))
                    && self.places.iter().any(|place| place.to == To::Body);
                self.sent(query, body && !made, &mut needs);
                if let Kind::Headers(list) = kind {
                    let placed = self.places.iter().enumerate().filter(|(at, _)| !self.late[*at]);
                    let signed = placed.filter(|(_, place)| match &place.to {
                        To::Header(name) => list.has(name),
                        To::Query | To::Form | To::Json | To::Body => false,
                    });
                    needs.extend(signed.map(|(at, _)| Step::Header(at)));
                }
            }
            Step::Header(index) => {
                let texts = self.places[index].item.texts();
                texts.iter().for_each(|text| self.text(text, &mut needs));
            }
            Step::Sent => {
                for (at, place) in self.places.iter().enumerate() {
                    if !self.late[at] && !matches!(place.to, To::Header(_)) {
                        place.item.texts().iter().for_each(|text| self.text(text, &mut needs));
                    }
                }
            }
        }
        needs
    }

    fn text(&self, text: &Text, needs: &mut Vec<Step>) {
        for hole in text.holes() {
            let source = &hole.source;
            needs.extend(source.value().map(Step::Value));
            let query = matches!(source, Source::Query | Source::Target | Source::Url);
            self.sent(query, matches!(source, Source::Body | Source::Member(_)), needs);
            if let Source::Header(name) = source {
                let placed = |place: &Place| place.to == To::Header(name.clone());
                needs.extend(self.places.iter().position(placed).map(Step::Header));
            }
        }
    }

    /// What is read of query or body comes after everything that is put in there. A field of the
    /// query may stand in a form.
    fn sent(&self, query: bool, body: bool, needs: &mut Vec<Step>) {
        let puts = |(at, place): (usize, &Place)| {
            !self.late[at]
                && match place.to {
                    To::Header(_) => false,
                    To::Query | To::Form => query || body,
                    To::Json | To::Body => body,
                }
        };
        if self.places.iter().enumerate().any(puts) {
            needs.push(Step::Sent);
        }
    }

    fn index(&self, step: Step) -> usize {
        match step {
            Step::Value(index) => index,
            Step::Sent => self.values.len(),
            Step::Header(index) => self.values.len() + 1 + index,
        }
    }

    fn name(&self, step: Step) -> String {
        match step {
            Step::Value(index) => self.values[index].name.clone(),
            Step::Header(index) => self.places[index].name.clone(),
            Step::Sent => "what is sent".into(),
        }
    }

    fn at(&self, step: Step) -> Location {
        let fields = || self.places.iter().find(|place| !matches!(place.to, To::Header(_)));
        match step {
            Step::Value(index) => self.values[index].at,
            Step::Header(index) => self.places[index].at,
            Step::Sent => fields().map_or(Location { line: 1, column: 1 }, |place| place.at),
        }
    }
}
