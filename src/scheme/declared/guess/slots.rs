//! What a canonical string may be made of: for each part of a request the usual ways to write it,
//! the plainest first.

use sha2::{Digest as _, Sha256};

use super::seen::{Seen, To, What, split};
use super::sight::Sight;
use crate::scheme::declared::function::Call;

/// A part of a canonical string.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A clock or a nonce that stands in the request.
    Time,
    /// Another value of the scheme's.
    Value,
    Method,
    Host,
    /// The path; or all of the target.
    Path,
    Target,
    Query,
    Body,
}

/// One way to write a part.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) kind: Kind,
    /// As the file has it.
    pub(super) hole: String,
    /// What it is in the captured request.
    pub(super) bytes: Vec<u8>,
    /// A value that the file needs for it: its name, and what it is.
    pub(super) value: Option<(&'static str, String)>,
}

/// The ways to write one part; none has the bytes of another.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) choices: Vec<Choice>,
}

impl Slot {
    fn new(kind: Kind, hole: &str, bytes: &[u8]) -> Self {
        let choice = Choice { kind, hole: hole.into(), bytes: bytes.to_vec(), value: None };
        Self { choices: vec![choice] }
    }

    fn or(&mut self, hole: String, bytes: Vec<u8>, value: Option<(&'static str, String)>) {
        if self.choices.iter().all(|choice| choice.bytes != bytes) {
            let kind = self.choices[0].kind;
            self.choices.push(Choice { kind, hole, bytes, value });
        }
    }
}

/// The times and windows of a request, which may be signed themselves; and its identifiers, of
/// which one may be.
pub(super) fn values(seen: &[Seen], signature: usize) -> (Vec<Slot>, Vec<Slot>) {
    let own = |what: fn(&What) -> bool, kind: Kind, most: usize| {
        let found = seen.iter().enumerate();
        let found = found.filter(move |(index, own)| *index != signature && what(&own.what));
        let slot = move |(_, own): (usize, &Seen)| {
            let public = matches!(own.what, What::Public(_));
            let hole = if public { "{signer.public}".into() } else { format!("{{{}}}", own.name) };
            // In a query or a form it is signed with that.
            let kind = if own.to == To::Header { kind } else { Kind::Value };
            Slot::new(kind, &hole, own.text.as_bytes())
        };
        found.map(slot).take(most)
    };
    let time = |what: &What| matches!(what, What::Clock(..) | What::Nonce(_));
    let window = |what: &What| *what == What::Window;
    let id = |what: &What| matches!(what, What::Id | What::Public(_));
    let times = own(time, Kind::Time, 2).chain(own(window, Kind::Value, 1));
    (times.collect(), own(id, Kind::Value, 3).collect())
}

/// `label=value`, as some sign what stands in headers.
pub(super) fn labelled(
    seen: &[Seen],
    signature: usize,
    params: &[(String, String)],
    sight: &Sight,
) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (index, own) in seen.iter().enumerate() {
        let fits = matches!(own.what, What::Clock(..) | What::Nonce(_) | What::Window);
        if index != signature && fits && own.to == To::Header {
            let label = own.label.to_ascii_lowercase();
            let label = label.strip_prefix("x-").unwrap_or(&label);
            let kind = if own.what == What::Window { Kind::Value } else { Kind::Time };
            let bytes = format!("{label}={}", own.text);
            slots.push(Slot::new(kind, &format!("{label}={{{}}}", own.name), bytes.as_bytes()));
        }
    }
    for (name, value) in params {
        let bytes = format!("{name}={value}");
        slots.push(Slot::new(Kind::Value, &format!("{name}={{{name}}}"), bytes.as_bytes()));
    }
    slots.truncate(5);
    let mut fields = Slot::new(Kind::Query, "{query}", sight.query.as_bytes());
    for (sort, encode) in [(true, "percent"), (true, "none"), (false, "none")] {
        let (from, bytes) = sight.pairs(sort, encode, true);
        let value = pairs(from, sort, encode);
        fields.or("{fields}".into(), bytes, Some(("fields", value)));
    }
    // Of an empty query everything is the same; what is written is what takes most.
    if fields.choices.len() == 1 {
        let value = pairs(r#""query", "json""#, true, "percent");
        (fields.choices[0].hole, fields.choices[0].value) =
            ("{fields}".into(), Some(("fields", value)));
    }
    slots.push(fields);
    slots
}

/// Method, target and body, with the path and the query in one part.
pub(super) fn with_target(sight: &Sight) -> Vec<Slot> {
    let target = sight.target();
    let mut slot = Slot::new(Kind::Target, "{target}", target.as_bytes());
    let query = |slot: &mut Slot, before: &str, hole: &str| {
        for (sort, encode) in FORMS {
            let bytes = sight.pairs(*sort, encode, false).1;
            let whole = if bytes.is_empty() { Vec::new() } else { [&b"?"[..], &bytes].concat() };
            let whole = [before.as_bytes(), &whole].concat();
            let value = pairs(r#""query""#, *sort, encode);
            slot.or(format!("{hole}{{fields | prefix:?}}"), whole, Some(("fields", value)));
        }
    };
    query(&mut slot, &sight.path, "{path}");
    slot.or("/api{target}".into(), format!("/api{target}").into(), None);
    slot.or("{url}".into(), format!("https://{}{target}", sight.host).into(), None);
    slot.or("{host}{target}".into(), format!("{}{target}", sight.host).into(), None);
    let first = sight.path[1..].find('/').map(|end| &sight.path[..=end]);
    if let Some(first) = first.filter(|first| !first.contains(['{', '}', '|', '"', '\\'])) {
        slot.or(format!("{{target | after:{first}}}"), target[first.len()..].into(), None);
    }
    slot.or("{target | lower}".into(), target.to_ascii_lowercase().into(), None);
    vec![method(sight), slot]
}

/// The same with path and query apart.
pub(super) fn with_path(sight: &Sight) -> Vec<Slot> {
    let mut path = Slot::new(Kind::Path, "{path}", sight.path.as_bytes());
    path.or("/api{path}".into(), format!("/api{}", sight.path).into(), None);
    let first = sight.path[1..].find('/').map(|end| &sight.path[..=end]);
    if let Some(first) = first.filter(|first| !first.contains(['{', '}', '|', '"', '\\'])) {
        path.or(format!("{{path | after:{first}}}"), sight.path[first.len()..].into(), None);
    }
    let mut query = Slot::new(Kind::Query, "{query}", sight.query.as_bytes());
    for (sort, encode) in FORMS {
        let bytes = sight.pairs(*sort, encode, false).1;
        let value = pairs(r#""query""#, *sort, encode);
        query.or("{fields}".into(), bytes, Some(("fields", value)));
    }
    vec![method(sight), path, query]
}

/// The host.
pub(super) fn host(sight: &Sight) -> Slot {
    Slot::new(Kind::Host, "{host}", sight.host.as_bytes())
}

fn method(sight: &Sight) -> Slot {
    let mut slot = Slot::new(Kind::Method, "{method}", sight.method.as_bytes());
    slot.or("{method | lower}".into(), sight.method.to_ascii_lowercase().into(), None);
    slot
}

/// The body, its hashes, and those with a time before it.
pub(super) fn body(sight: &Sight, seen: &[Seen]) -> Slot {
    let mut slot = Slot::new(Kind::Body, "{body}", &sight.body);
    for calls in BODIES {
        let mut bytes = sight.body.clone();
        for call in calls.split(" | ") {
            let call = Call::parse(call).expect("it is a function");
            bytes = call.apply(&bytes).unwrap_or_default();
        }
        slot.or(format!("{{body | {calls}}}"), bytes, None);
    }
    for own in seen {
        if matches!(own.what, What::Clock(..) | What::Nonce(_)) {
            let said = [own.text.as_bytes(), &sight.body].concat();
            let value = format!("\"{{{}}}{{body}}\"", own.name);
            let hash = Sha256::digest(&said).to_vec();
            slot.or("{said | sha256}".into(), hash, Some(("said", value)));
        }
    }
    if split(&sight.body).count() > 1 && sight.is_form {
        for (sort, encode) in FORMS {
            let bytes = super::sight::pairs(&sight.body, *sort, encode);
            let value = pairs(r#""form""#, *sort, encode);
            slot.or("{form_fields}".into(), bytes, Some(("form_fields", value)));
        }
    }
    slot
}

/// How pairs are sorted and written: by name or as they stand.
const FORMS: &[(bool, &str)] =
    &[(false, "none"), (true, "raw"), (true, "none"), (true, "percent"), (true, "form")];

/// What is signed of bodies besides themselves.
const BODIES: &[&str] = &[
    "sha256 | hex",
    "sha512 | hex",
    "sha256 | base64",
    "md5 | hex",
    "md5 | base64",
    "sha1 | hex",
    "sha384 | hex",
    "sha512 | base64",
    "sha256",
    "base64",
];

/// A value of pairs as a file has it.
fn pairs(from: &str, sort: bool, encode: &str) -> String {
    let sort = if sort { ", sort = \"name\"" } else { "" };
    let encode = if encode == "raw" { String::new() } else { format!(", encode = \"{encode}\"") };
    format!("{{ pairs = [{from}]{sort}{encode} }}")
}
