//! Names and values: those of a query, a form or a JSON object, chosen, sorted and written anew.

use std::borrow::Cow;

use super::encode::{form, percent, unpercent};
use super::fields::Fields;
use super::text::{Scope, Text};
use super::word::{Key, Word, words};
use crate::document::{Member, Node, choose, quoted};
use crate::scheme::Binds;
use crate::scheme::json::{Object, elements, string};

/// What is made of names and values.
#[derive(Debug)]
pub(super) struct Pairs {
    pub(super) from: Vec<From>,
    pub(super) add: Vec<(String, Text)>,
    only: Vec<String>,
    except: Vec<String>,
    sort: Option<Sort>,
    encode: Encode,
    join: String,
    between: String,
    skip_empty: bool,
    repeat: Repeat,
    lower: bool,
    pub(super) nested: Nested,
}

/// Where pairs are taken from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum From {
    Query,
    Form,
    Json,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sort {
    Name,
    Encoded,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encode {
    Raw,
    None,
    Percent,
    Form,
    FormValues,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Repeat {
    Keep,
    Refuse,
    First,
}

/// What a JSON member's value is where it is no text or number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nested {
    Refuse,
    Json,
    Flat,
}

const fn word<T>(name: &'static str, doc: &'static str, value: T) -> (Word, T) {
    (Word::new(name, doc, name), value)
}

static SOURCES: &[(Word, From)] = &[
    word("query", "The query's pairs.", From::Query),
    word("form", "The pairs of a form in the body; none of another body.", From::Form),
    word("json", "The members of a JSON object in the body; none of an empty one.", From::Json),
];
static SORTS: &[(Word, Sort)] = &[
    word("name", "By the decoded name; those of one name as they stand.", Sort::Name),
    word("encoded", "By name and value as they are written here.", Sort::Encoded),
];
static ENCODES: &[(Word, Encode)] = &[
    word("raw", "As they stand in the request.", Encode::Raw),
    word("none", "Decoded.", Encode::None),
    word("percent", "Decoded, and percent-encoded anew.", Encode::Percent),
    word("form", "Decoded, and encoded anew as in HTML forms.", Encode::Form),
    word("form_values", "The same of values; names decoded.", Encode::FormValues),
];
static REPEATS: &[(Word, Repeat)] = &[
    word("keep", "A name may stand several times.", Repeat::Keep),
    word("refuse", "A name that stands twice is refused.", Repeat::Refuse),
    word("first", "Of each name the first is taken.", Repeat::First),
];
static EMPTIES: &[(Word, bool)] = &[
    word("keep", "Pairs without a value are taken.", false),
    word("skip", "Pairs without a value are left out.", true),
];
static NAMES: &[(Word, bool)] =
    &[word("keep", "Names as they are.", false), word("lower", "Names in lower case.", true)];
static NESTS: &[(Word, Nested)] = &[
    word("refuse", "A JSON member that is a list or an object is refused.", Nested::Refuse),
    word("json", "It is its JSON, as it is written.", Nested::Json),
    word("flat", "Its names and values run together, sorted by name.", Nested::Flat),
];

/// The keys of its table.
pub(crate) static KEYS: &[Key] = &[
    Key::new("pairs", "Where they are from, in this order.", "[\"query\", \"form\"]")
        .of(|| words(SOURCES)),
    Key::new("add", "Further names, with texts.", "{ nonce = \"{nonce}\" }"),
    Key::new("only", "None but these names.", "[\"amount\", \"market\"]"),
    Key::new("except", "All but these names.", "[\"signature\"]"),
    Key::new("sort", "Their order; as they stand where it is left out.", "\"name\"")
        .of(|| words(SORTS)),
    Key::new("encode", "How names and values are written.", "\"percent\"").of(|| words(ENCODES)),
    Key::new("join", "What stands between pairs.", "\"&\""),
    Key::new("between", "What stands between name and value.", "\"=\""),
    Key::new("empty", "What becomes of a pair without a value.", "\"skip\"").of(|| words(EMPTIES)),
    Key::new("repeat", "What becomes of a name that stands twice.", "\"refuse\"")
        .of(|| words(REPEATS)),
    Key::new("names", "How names are taken.", "\"lower\"").of(|| words(NAMES)),
    Key::new("nested", "What a JSON member is that is no text or number.", "\"json\"")
        .of(|| words(NESTS)),
];

/// Name and value, decoded where they are not to be written raw.
pub(super) type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl Pairs {
    pub(super) fn read(fields: &Fields<'_>, node: Node<'_>, scope: &Scope) -> Self {
        let from = fields.list("pairs").unwrap_or_default();
        if from.is_empty() {
            node.report("pairs come from nowhere", "write pairs = [\"query\"]");
        }
        let one = |(name, node): &(String, Node<'_>)| {
            let found = SOURCES.iter().find(|(word, _)| word.name == name);
            if found.is_none() {
                let names: Vec<&str> = SOURCES.iter().map(|(word, _)| word.name).collect();
                let what = format!("pairs cannot come from {}", quoted(name));
                node.report(what, choose(name, &names));
            }
            found.map(|(_, from)| *from)
        };
        let from = from.iter().filter_map(one).collect();
        let add = fields.table("add", "add");
        let added = |member: &Member<'_>| (member.name.clone(), Text::read(&member.node, scope));
        let add = add.map(|add| add.members().iter().map(added).collect()).unwrap_or_default();
        let names = |name| {
            let names = fields.list(name).unwrap_or_default();
            names.into_iter().map(|(name, _)| name).collect()
        };
        Self {
            from,
            add,
            only: names("only"),
            except: names("except"),
            sort: fields.row_if_any("sort", SORTS).map(|row| row.1),
            encode: fields.row("encode", ENCODES).1,
            join: fields.plain("join").unwrap_or_else(|| "&".into()),
            between: fields.plain("between").unwrap_or_else(|| "=".into()),
            skip_empty: fields.row("empty", EMPTIES).1,
            repeat: fields.row("repeat", REPEATS).1,
            lower: fields.row("names", NAMES).1,
            nested: fields.row("nested", NESTS).1,
        }
    }

    /// How much of query and of body it binds, where `own` are names that the file puts in.
    pub(super) fn binds(&self, own: &dyn Fn(&str) -> bool) -> (Binds, Binds) {
        let all = self.only.is_empty() && self.except.iter().all(|name| own(name));
        let all = all && !self.skip_empty;
        let all = all && self.repeat != Repeat::First && !self.lower;
        let of = |from: From, whole: bool| match self.from.contains(&from) {
            true if all && whole => Binds::Bound,
            true => Binds::Partly,
            false => Binds::Open,
        };
        // Of a form, for another body is none.
        let json = of(From::Json, true);
        let body = if json == Binds::Open { of(From::Form, false) } else { json };
        (of(From::Query, true), body)
    }

    /// How many bytes it can have for one of its names and values: each pair has two at least.
    pub(super) fn growth(&self) -> u64 {
        3 + (self.join.len() + self.between.len()) as u64
    }

    /// Whether names and values are wanted as they stand.
    fn is_raw(&self) -> bool {
        self.encode == Encode::Raw
    }

    /// The pairs of a query or a form, as this value wants them.
    pub(super) fn split<'a>(&self, text: &'a [u8]) -> impl Iterator<Item = Pair<'a>> {
        let raw = self.is_raw();
        let pieces = text.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty());
        pieces.map(move |piece| {
            let middle = piece.iter().position(|byte| *byte == b'=');
            let (name, value) = match middle {
                Some(middle) => (&piece[..middle], &piece[middle + 1..]),
                None => (piece, &b""[..]),
            };
            if raw {
                return (name.into(), value.into());
            }
            (unpercent(name, true).into(), unpercent(value, true).into())
        })
    }

    /// Writes the pairs.
    ///
    /// # Errors
    ///
    /// A name that stands twice, where that is refused.
    pub(super) fn write(&self, mut pairs: Vec<Pair<'_>>) -> Result<Vec<u8>, &'static str> {
        let named = |name: &[u8], names: &[String]| names.iter().any(|n| n.as_bytes() == name);
        pairs.retain(|(name, value)| {
            let chosen = self.only.is_empty() || named(name, &self.only);
            chosen && !named(name, &self.except) && !(self.skip_empty && value.is_empty())
        });
        if self.lower {
            for (name, _) in &mut pairs {
                *name = name.to_ascii_lowercase().into();
            }
        }
        if self.repeat != Repeat::Keep {
            let mut seen = std::collections::HashSet::new();
            let all = pairs.len();
            pairs.retain(|(name, _)| seen.insert(name.clone()));
            if self.repeat == Repeat::Refuse && pairs.len() < all {
                return Err("has a name twice, which the scheme has no text for");
            }
        }
        if self.sort == Some(Sort::Name) {
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        let mut written: Vec<(Vec<u8>, Vec<u8>)> = pairs
            .iter()
            .map(|(name, value)| (self.coded(name, false), self.coded(value, true)))
            .collect();
        if self.sort == Some(Sort::Encoded) {
            written.sort();
        }
        let mut out = Vec::new();
        for (index, (name, value)) in written.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(self.join.as_bytes());
            }
            out.extend_from_slice(name);
            out.extend_from_slice(self.between.as_bytes());
            out.extend_from_slice(value);
        }
        Ok(out)
    }

    fn coded(&self, bytes: &[u8], value: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        match self.encode {
            Encode::Percent => percent(bytes, b"", &mut out),
            Encode::Form => form(bytes, &mut out),
            Encode::FormValues if value => form(bytes, &mut out),
            Encode::Raw | Encode::None | Encode::FormValues => out.extend_from_slice(bytes),
        }
        out
    }
}

/// A JSON value as a pair has it: a string's text, a number or a word as it is written.
pub(super) fn plain(value: &str, nested: Nested) -> Option<String> {
    let inner = value.starts_with(['{', '[']);
    match (inner, nested) {
        (false, _) => Some(string(value).unwrap_or_else(|| value.to_owned())),
        (true, Nested::Refuse) => None,
        (true, Nested::Json) => Some(value.to_owned()),
        (true, Nested::Flat) => flat(value, 0),
    }
}

/// Levels of JSON that are run together.
const MAX_DEPTH: usize = 8;

/// Names and values run together, objects sorted by name.
fn flat(value: &str, depth: usize) -> Option<String> {
    if depth > MAX_DEPTH {
        return None;
    }
    let one = |value: &str| {
        let inner = value.starts_with(['{', '[']);
        if inner { flat(value, depth + 1) } else { plain(value, Nested::Refuse) }
    };
    if let Some(items) = elements(value, 0..value.len()) {
        return items.into_iter().map(|item| one(&value[item])).collect();
    }
    let mut object = Object::whole(value).ok()?;
    object.members.sort_by(|a, b| a.name.cmp(&b.name));
    object.members.iter().map(|m| Some(format!("{}{}", m.name, one(m.value)?))).collect()
}
