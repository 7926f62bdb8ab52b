//! Parts of a request that its signature does not bind: found by changing one after the other and
//! making the canonical strings again. What leaves them as they are could be changed by anybody.
//!
//! So it is true of every scheme, whatever its strings are made of, and says nothing that a list
//! could have forgotten. It costs a canonicalisation for each part, and is for routes that ask.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};

use super::json::{Object, document, elements};
use super::{BodyNeed, Head, Preimage, Scheme, Signable};
use crate::moment::Moment;

/// A part that a request bears and its signature does not bind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UnboundPart {
    /// The method, which is not GET.
    Method,
    /// A field of the query, counted from 1.
    Query(usize),
    /// The body, all of it.
    Body,
    /// A member or a field of the body, or the spaces in one.
    Field(String),
    /// There are too many to look at each.
    Many,
}

impl fmt::Display for UnboundPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("its method, which is not GET"),
            Self::Query(number) => write!(f, "field {number} of its query"),
            Self::Body => f.write_str("its body"),
            Self::Field(name) => write!(f, "{} in its body", name.escape_debug()),
            Self::Many => write!(f, "perhaps one of its fields, which are more than {MOST}"),
        }
    }
}

/// The first part that a request bears and its signature does not bind, if there is one. `texts` are
/// those of the request, and `streams` is whether a body goes with it that is not in hand.
pub fn unbound(
    scheme: &dyn Scheme,
    request: Signable<'_>,
    streams: bool,
    (moment, texts): (&Moment, &[Preimage]),
) -> Option<UnboundPart> {
    Probe { scheme, request, moment, texts }.first(streams)
}

/// How many canonicalisations that takes at most: one for each field, and a few for the rest.
pub fn probes(request: Signable<'_>) -> usize {
    let fields = |text: &[u8]| text.iter().filter(|byte| matches!(byte, b',' | b'&')).count();
    let query = fields(request.head.query().as_bytes());
    let body = request.body.map_or(0, |body| fields(body));
    2 * (query.min(MOST) + body.min(MOST)) + 8
}

struct Probe<'a> {
    scheme: &'a dyn Scheme,
    request: Signable<'a>,
    moment: &'a Moment,
    texts: &'a [Preimage],
}

impl Probe<'_> {
    fn first(&self, streams: bool) -> Option<UnboundPart> {
        self.method().or_else(|| self.query()).or_else(|| self.body(streams))
    }

    /// Whether another request has the same texts. One that cannot be signed has none.
    fn fits(&self, head: &Head, body: Option<&Bytes>) -> bool {
        let made = self.scheme.canonicalise(Signable { head, body }, self.moment);
        made.is_ok_and(|made| {
            let same = |(one, two): (&Preimage, &Preimage)| one.text == two.text;
            made.preimages.len() == self.texts.len()
                && made.preimages.iter().zip(self.texts).all(same)
        })
    }

    fn method(&self) -> Option<UnboundPart> {
        let own = &self.request.head.method;
        let mut others = OTHERS.iter().filter(|method| *method != own);
        let fits = others.any(|method| {
            let head = Head { method: method.clone(), ..self.request.head.clone() };
            self.fits(&head, self.request.body)
        });
        (*own != Method::GET && fits).then_some(UnboundPart::Method)
    }

    fn query(&self) -> Option<UnboundPart> {
        let head = self.request.head;
        for (index, changed) in changed_fields(head.query()).enumerate() {
            if index == MOST {
                return Some(UnboundPart::Many);
            }
            let target = PathAndQuery::try_from(format!("{}?{changed}", head.path()));
            let Ok(target) = target else { continue };
            if self.fits(&Head { target, ..head.clone() }, self.request.body) {
                return Some(UnboundPart::Query(index + 1));
            }
        }
        None
    }

    fn body(&self, streams: bool) -> Option<UnboundPart> {
        let head = self.request.head;
        if self.scheme.body_need(head) == BodyNeed::Nothing {
            let bears = streams || self.request.body.is_some_and(|body| !body.is_empty());
            return bears.then_some(UnboundPart::Body);
        }
        let text = str::from_utf8(self.request.body?).ok()?;
        let fits = |changed: String| self.fits(head, Some(&Bytes::from(changed)));
        let mut leaves = Vec::new();
        if let Ok(document) = document(text.as_bytes()) {
            gather(document, 0..document.len(), "", &mut leaves);
        }
        if leaves.len() > MOST {
            return Some(UnboundPart::Many);
        }
        for (name, at) in &leaves {
            let put = |value: String| [&text[..at.start], &value, &text[at.end..]].concat();
            if other_values(&text[at.clone()]).into_iter().any(|value| fits(put(value))) {
                return Some(UnboundPart::Field(name.clone()));
            }
        }
        if is_form(&head.headers) {
            for (index, changed) in changed_fields(text).enumerate() {
                match index {
                    MOST => return Some(UnboundPart::Many),
                    _ if fits(changed) => {
                        return Some(UnboundPart::Field(format!("field {}", index + 1)));
                    }
                    _ => {}
                }
            }
        }
        let whole = leaves.is_empty() && !text.is_empty() && fits(format!("{text}0"));
        whole.then_some(UnboundPart::Body)
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
}

/// A query or a form with one field changed, of each in turn.
fn changed_fields(text: &str) -> impl Iterator<Item = String> {
    let ends = text.match_indices('&').map(|(at, _)| at).chain([text.len()]);
    ends.filter(|_| !text.is_empty()).map(|end| format!("{}{CHANGE}{}", &text[..end], &text[end..]))
}

/// Where the values are that have none inside them, and what they are called.
fn gather(text: &str, at: Range<usize>, name: &str, leaves: &mut Vec<(String, Range<usize>)>) {
    if leaves.len() > MOST {
        return;
    }
    if let Ok(object) = Object::at(text, at.clone())
        && !object.members.is_empty()
    {
        for member in object.members {
            let name =
                if name.is_empty() { member.name } else { format!("{name}.{}", member.name) };
            gather(text, member.at, &name, leaves);
        }
        return;
    }
    match elements(text, at.clone()) {
        Some(elements) if !elements.is_empty() => {
            for (index, element) in elements.into_iter().enumerate() {
                gather(text, element, &format!("{name}[{index}]"), leaves);
            }
        }
        Some(_) | None => leaves.push((name.to_owned(), at)),
    }
}

/// Values of the same kind that are others.
fn other_values(value: &str) -> Vec<String> {
    match value {
        "true" => vec!["false".into()],
        "false" | "null" => vec!["true".into()],
        _ => match value.strip_suffix('"') {
            Some(text) => {
                let spaces = value.contains(' ').then(|| value.replace(' ', ""));
                [format!("{text}{CHANGE}\"")].into_iter().chain(spaces).collect()
            }
            None => vec![format!("{}{CHANGE}", value.trim_end_matches(['}', ']'])) + ends(value)],
        },
    }
}

/// What an empty list or object ends with.
fn ends(value: &str) -> &str {
    value.get(value.trim_end_matches(['}', ']']).len()..).unwrap_or_default()
}

/// What a value gets behind it: a digit stays one.
const CHANGE: &str = "1";
/// So many fields are looked at.
const MOST: usize = 256;
const OTHERS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
