//! What a file may not say although every word of it is known: values nobody uses, slots nothing
//! signs with, keys in places, and vectors that leave something untried.

use super::compiled::Compiled;
use super::fields::Fields;
use super::made::ALGS;
use super::order::Step;
use super::place::To;
use super::text::{Source, Text};
use crate::document::Location;

/// Reports what is wrong with the whole.
pub(super) fn check(compiled: &Compiled, root: &Fields<'_>) {
    let add = |at, what: String, fix: &str| root.report_at(at, what, fix);
    let used = compiled.used();
    for (index, value) in compiled.values.iter().enumerate() {
        if !used.values[index] {
            add(value.at, format!("nothing uses {}", value.name), "remove it, or place it");
        }
    }
    for (index, slot) in compiled.slots.iter().enumerate() {
        if !used.slots[index] {
            let what = format!("nothing is signed with {}", slot.name);
            add(slot.at, what, "remove the slot, or name it as key of a value that is placed");
        }
    }
    for (index, secret) in compiled.secrets.iter().enumerate() {
        if !used.secrets[index] {
            add(secret.at, format!("nothing uses {}", secret.name), "remove it, or place it");
        }
    }
    for (index, param) in compiled.params.iter().enumerate() {
        if !used.params[index] {
            add(
                param.at,
                format!("nothing uses {}", param.name),
                "remove it, or name it in a hole",
            );
        }
    }
    late_headers(compiled, root);
    late_body(compiled, root);
    fitting(compiled, root);
    if compiled.places.is_empty() {
        root.report("nothing is placed, so nothing would be signed", "write [place.headers]");
    }
}

/// A key of each algorithm of a slot must be able to make what the slot is named for.
fn fitting(compiled: &Compiled, root: &Fields<'_>) {
    for value in &compiled.values {
        let Some(slot) = value.kind.slot().map(|slot| &compiled.slots[slot]) else { continue };
        for algorithm in &slot.algorithms {
            let fits = match value.kind.sign() {
                Some(sign) => sign.is_of(*algorithm),
                None => ALGS.iter().any(|(name, _)| *name == algorithm.name()),
            };
            if !fits {
                let what = format!("{} is nothing that a key of {algorithm} makes", value.name);
                let fix =
                    "hash is for a value with hash and for no other; a token has no hmac_sha1";
                root.report_at(value.at, what, fix);
            }
        }
    }
}

/// A body that waits for a signature has nothing of a body that could be signed.
fn late_body(compiled: &Compiled, root: &Fields<'_>) {
    let mut places = compiled.places.iter().zip(&compiled.order.late);
    let late = places.find(|(place, late)| **late && place.to == To::Body);
    if let (Some((place, _)), true) = (late, compiled.reads.body) {
        let what = "the body waits for the signature, and a text reads it";
        root.report_at(place.at, what, "take what is signed from somewhere else");
    }
}

/// A header that waits for a signature cannot be part of what is signed.
fn late_headers(compiled: &Compiled, root: &Fields<'_>) {
    for value in &compiled.values {
        for hole in value.kind.texts().into_iter().flat_map(Text::holes) {
            let Source::Header(name) = &hole.source else { continue };
            let mut places = compiled.places.iter().zip(&compiled.order.late);
            let own = |(place, late): &(&super::place::Place, &bool)| {
                **late && place.to == To::Header(name.clone())
            };
            if places.any(|pair| own(&pair)) {
                let what = format!("{{{}}} waits for the signature", hole.written);
                root.report_at(hole.at, what, "take what is signed from somewhere else");
            }
        }
    }
}

/// What is read and no vector tries: where, what, how to mend it.
pub(super) fn untried(compiled: &Compiled) -> Vec<(Location, String, String)> {
    let vectors = &compiled.vectors;
    let Some(first) = vectors.first() else {
        let what = "there is no vector, so nobody knows whether the file is right".into();
        let fix = "write [[vectors]] with source, now, keys, request and expect".into();
        return vec![(Location { line: 1, column: 1 }, what, fix)];
    };
    let reads = compiled.reads;
    let body = vectors.iter().any(|vector| !vector.request.body.is_empty());
    let query = vectors.iter().any(|vector| vector.request.target.contains('?'));
    let untried = [("body", reads.body && !body), ("query", reads.query && !query)];
    let missing = untried.iter().filter(|(_, missing)| *missing).map(|(part, _)| {
        let what = format!("the {part} is read, and no vector's request has one");
        let fix = "add one, made by the provider's own code or an independent one".into();
        (first.at, what, fix)
    });
    missing.collect()
}

/// What of the file is used, by index.
struct Used {
    values: Vec<bool>,
    slots: Vec<bool>,
    secrets: Vec<bool>,
    params: Vec<bool>,
}

impl Compiled {
    /// Whatever can be reached from the placements.
    fn used(&self) -> Used {
        let mut used = Used {
            values: vec![false; self.values.len()],
            slots: vec![false; self.slots.len()],
            secrets: vec![false; self.secrets.len()],
            params: vec![false; self.params.len()],
        };
        for place in &self.places {
            place.item.texts().into_iter().for_each(|text| used.text(text));
        }
        // From the last step to the first: who is needed comes before who needs it.
        for step in self.order.steps.iter().rev() {
            let Step::Value(index) = *step else { continue };
            if used.values[index] {
                let kind = &self.values[index].kind;
                kind.texts().into_iter().for_each(|text| used.text(text));
                if let Some(slot) = kind.slot() {
                    used.slots[slot] = true;
                }
            }
        }
        used
    }
}

impl Used {
    fn text(&mut self, text: &Text) {
        for hole in text.holes() {
            if let Some(index) = hole.source.value() {
                self.values[index] = true;
            }
            let (list, index) = match hole.source {
                Source::Secret(index) => (&mut self.secrets, index),
                Source::Param(index) => (&mut self.params, index),
                Source::Public(index) => (&mut self.slots, index),
                Source::Method
                | Source::Scheme
                | Source::Host
                | Source::Path
                | Source::Query
                | Source::Target
                | Source::Url
                | Source::Body
                | Source::Header(_)
                | Source::Member(_)
                | Source::Value(_)
                | Source::Names(_)
                | Source::Unknown => continue,
            };
            list[index] = true;
        }
    }
}
