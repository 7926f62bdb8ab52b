//! `[place]`: where values go in a request, and what cannot be placed.

use http::HeaderName;
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, EXPECT, HOST, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::fields::Fields;
use super::jsons::Item;
use super::text::{Scope, Text};
use crate::document::{Location, Member, Node, quoted};

/// One placement.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) to: To,
    /// The name as it is written.
    pub(super) name: String,
    pub(super) item: Item,
    pub(super) at: Location,
}

impl Place {
    /// Whether it is a field of query or body, or the body.
    pub(super) fn is_field(&self) -> bool {
        !matches!(self.to, To::Header(_))
    }
}

/// Where it goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum To {
    Header(HeaderName),
    Query,
    Form,
    Json,
    Body,
}

/// Headers that are not a scheme's: they frame or route the request, or belong to one connection.
static NOT_OURS: [HeaderName; 13] = [
    HOST,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    CONTENT_ENCODING,
    CONNECTION,
    UPGRADE,
    TE,
    TRAILER,
    EXPECT,
    COOKIE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The placements of a file.
pub(super) fn read(root: &Fields<'_>, scope: &Scope) -> Vec<Place> {
    let Some(place) = root.table("place", "[place]") else { return Vec::new() };
    let mut places = Vec::new();
    let mut of = |name: &'static str, to: &dyn Fn(&Member<'_>) -> Option<(To, Item)>| {
        let table = place.table(name, &format!("[place.{name}]"));
        for member in table.iter().flat_map(Fields::members) {
            if let Some((to, item)) = to(member) {
                let (name, at) = (member.name.clone(), member.name_at);
                places.push(Place { to, name, item, at });
            }
        }
    };
    let text = |node: &Node<'_>| Item::Text(Text::read(node, scope));
    of("headers", &|member| Some((To::Header(header(member)?), text(&member.node))));
    of("query", &|member| Some((To::Query, text(&member.node))));
    of("form", &|member| Some((To::Form, text(&member.node))));
    of("json", &|member| Some((To::Json, Item::read(member.node, false, scope))));
    if let Some(node) = place.get("body") {
        let (to, item) = (To::Body, text(&node));
        places.push(Place { to, name: "body".into(), item, at: node.at });
    }
    place.finish();
    places.sort_by_key(|place| place.at);
    check(&places, &place);
    places
}

/// The names of headers that are taken from requests and not replaced.
pub(super) fn strip(root: &Fields<'_>) -> Vec<HeaderName> {
    let Some(strip) = root.table("strip", "[strip]") else { return Vec::new() };
    let names = strip.list("headers").unwrap_or_default();
    strip.finish();
    let name = |(name, node): &(String, Node<'_>)| ours(name, node, node.at);
    names.iter().filter_map(name).collect()
}

fn header(member: &Member<'_>) -> Option<HeaderName> {
    ours(&member.name, &member.node, member.name_at)
}

/// The header of this name, where a scheme may have it.
fn ours(name: &str, node: &Node<'_>, at: Location) -> Option<HeaderName> {
    let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
        let what = format!("{} is no header's name", quoted(name));
        node.report_at(at, what, "use letters, digits and dashes");
        return None;
    };
    if NOT_OURS.contains(&header) {
        let what = format!("{name} frames or routes the request, and is no scheme's to change");
        node.report_at(at, what, "remove it");
        return None;
    }
    Some(header)
}

/// A body has one owner, and a header one placement.
fn check(places: &[Place], table: &Fields<'_>) {
    let kind = |place: &Place| match place.to {
        To::Header(_) | To::Query => None,
        To::Form => Some("form"),
        To::Json => Some("json"),
        To::Body => Some("body"),
    };
    let mut kinds: Vec<&str> = places.iter().filter_map(kind).collect();
    kinds.dedup();
    if kinds.iter().any(|kind| *kind != kinds[0]) {
        let what = "the body is a form, JSON or a text of the file's own, and not two of them";
        table.report(what, "keep one of place.form, place.json and place.body");
    }
    for (index, place) in places.iter().enumerate() {
        let twice = places[..index].iter().any(|other| match (&place.to, &other.to) {
            (To::Header(one), To::Header(other)) => one == other,
            (To::Query | To::Form, To::Query | To::Form) => place.name == other.name,
            _ => false,
        });
        if twice {
            let what = format!("{} is placed twice", place.name);
            table.report_at(place.at, what, "remove one of them");
        }
    }
}
