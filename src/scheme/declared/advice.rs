//! What is doubtful about a file that works: what its signatures do not bind.

use super::compiled::Compiled;
use super::text::{Source, Text};
use super::value::Kind;
use crate::scheme::BindError;

/// What a signature of this file leaves open.
pub(super) fn advise(compiled: &Compiled) -> Vec<BindError> {
    let mut said = Vec::new();
    let mut say = |what: &str, fix: &str| {
        let (field, what, fix) = ("scheme".into(), what.into(), fix.into());
        said.push(BindError { field, what, fix });
    };
    let bound = Bound::of(compiled);
    if !bound.request {
        say(
            "signs nothing of the request, so that a signature fits any other",
            "nothing helps but the provider's own limits: give the key no more rights than needed",
        );
    } else if !bound.path {
        say(
            "does not sign the path, so that a signature fits another one",
            "keep the key's rights small",
        );
    }
    if !bound.time {
        say(
            "signs no time and no nonce, so that a signature is good for as long as the key is",
            "keep the key's rights small, and renew it",
        );
    }
    let hashed = compiled.values.iter().filter_map(|value| value.kind.sign()?.hash.as_ref());
    for (hash, _) in hashed {
        say(
            &format!("hashes the secret with the text, in a MAC's place ({})", hash.name()),
            "use the provider's newer way where it has one; keep the key's rights small",
        );
    }
    let weak = compiled.texts().flat_map(Text::holes).flat_map(|hole| &hole.calls);
    let weak = weak.map(super::function::Call::name).find(|name| ["md5", "sha1"].contains(name));
    if let Some(name) = weak {
        say(&format!("hashes with {name}, which is broken"), "ask the provider for another way");
    }
    said
}

/// What the signed texts are made of.
#[derive(Default)]
struct Bound {
    request: bool,
    path: bool,
    time: bool,
}

impl Bound {
    fn of(compiled: &Compiled) -> Self {
        let mut bound = Self::default();
        let signed = compiled.values.iter().filter(|value| value.kind.slot().is_some());
        let mut open: Vec<usize> = Vec::new();
        let mut seen = vec![false; compiled.values.len()];
        for value in signed {
            bound.kind(&value.kind, &mut open);
        }
        while let Some(index) = open.pop() {
            if !std::mem::replace(&mut seen[index], true) {
                bound.kind(&compiled.values[index].kind, &mut open);
            }
        }
        // What is put into query or body is signed with them.
        let placed = compiled.places.iter().filter(|place| place.is_field());
        let placed = placed.flat_map(|place| place.item.texts()).flat_map(Text::holes);
        let placed = placed.filter_map(|hole| hole.source.value());
        let clocks = placed.filter(|value| {
            matches!(compiled.values[*value].kind, Kind::Clock(_) | Kind::Nonce(_))
        });
        bound.time |= bound.request && clocks.count() > 0;
        bound
    }

    fn kind(&mut self, kind: &Kind, open: &mut Vec<usize>) {
        self.time |= matches!(kind, Kind::Clock(_) | Kind::Nonce(_));
        let (query, body) = kind.reads();
        self.request |= query || body || matches!(kind, Kind::Headers(_));
        for hole in kind.texts().into_iter().flat_map(Text::holes) {
            open.extend(hole.source.value());
            let path = matches!(hole.source, Source::Path | Source::Target | Source::Url);
            self.path |= path;
            let rest = matches!(
                hole.source,
                Source::Query
                    | Source::Body
                    | Source::Member(_)
                    | Source::Method
                    | Source::Header(_)
            );
            self.request |= path || rest;
        }
    }
}
