//! What stands below `[values]`: ten kinds, each a row that reads its own table.

use super::clock::{CLOCKS, Clock};
use super::fields::Fields;
use super::headers::{self, HeaderList};
use super::jsons::{self, Json};
use super::nonce::Nonce;
use super::pairs::{self, From, Pairs};
use super::signing::{self, Jwt, Sign};
use super::text::{Scope, Text};
use super::word::{Key, Row, Word};
use crate::document::{Location, Node};
use crate::scheme::Binds;

/// A named value.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) at: Location,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    Text(Text),
    Clock(ClockValue),
    Nonce(Nonce),
    Pairs(Pairs),
    Headers(HeaderList),
    Json(Json),
    Jwt(Jwt),
    Sign(Sign),
    OneOf(Vec<Text>),
    /// What is wrong with it is reported.
    Unreadable,
}

/// A way to write the request's instant, shifted by some seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockValue {
    pub(super) clock: &'static Clock,
    pub(super) add_ms: i64,
}

/// A kind of value: the key that makes a table one, and what reads it.
#[derive(Debug)]
pub(crate) struct KindRow {
    pub(crate) word: Word,
    /// What may stand in its table; of a token, in the table below it.
    pub(crate) keys: &'static [Key],
    read: fn(&Fields<'_>, Node<'_>, &Scope) -> Kind,
}

impl Row for KindRow {
    fn word(&self) -> &Word {
        &self.word
    }
}

static CLOCK_KEYS: &[Key] = &[
    Key::new("clock", "How it is written.", "\"unix_ms\""),
    Key::new("add", "Shifts it, by up to a day: ms, s, m or h.", "\"60s\""),
];

/// Every kind but text, which is a string.
pub(crate) static KINDS: &[KindRow] = &[
    KindRow {
        word: Word::new(
            "clock",
            "The request's one instant.",
            "{ clock = \"unix_ms\", add = \"60s\" }",
        ),
        keys: CLOCK_KEYS,
        read: clock,
    },
    KindRow {
        word: Word::new("nonce", "A text that no other request has.", "{ nonce = \"uuid\" }"),
        keys: &[],
        read: |fields, node, _| Nonce::read(fields, node).map_or(Kind::Unreadable, Kind::Nonce),
    },
    KindRow {
        word: Word::new(
            "pairs",
            "Names and values of query, form or JSON.",
            "{ pairs = [\"query\"], sort = \"name\" }",
        ),
        keys: pairs::KEYS,
        read: |fields, node, scope| Kind::Pairs(Pairs::read(fields, node, scope)),
    },
    KindRow {
        word: Word::new(
            "headers",
            "Lines of headers, as `.lines`, and their names, as `.names`.",
            "{ headers = [\"host\", \"x-amz-*\"] }",
        ),
        keys: headers::KEYS,
        read: |fields, node, _| Kind::Headers(HeaderList::read(fields, node)),
    },
    KindRow {
        word: Word::new(
            "json",
            "A JSON object of these members, in their order.",
            "{ json = { request = \"{path}\", nonce = { number = \"{nonce}\" } } }",
        ),
        keys: jsons::KEYS,
        read: |fields, node, scope| Kind::Json(Json::read(fields, node, scope)),
    },
    KindRow {
        word: Word::new(
            "jwt",
            "A JSON Web Token. Its alg is the key's.",
            "{ jwt = { key = \"signer\", claims = { sub = \"{key_name}\" } } }",
        ),
        keys: signing::JWT,
        read: |_, node, scope| Jwt::read(node, scope).map_or(Kind::Unreadable, Kind::Jwt),
    },
    KindRow {
        word: Word::new(
            "sign",
            "A signature or MAC of a text.",
            "{ sign = \"{time}{body}\", key = \"signer\", as = \"hex\" }",
        ),
        keys: signing::SIGN,
        read: |fields, node, scope| {
            Sign::read(fields, node, scope).map_or(Kind::Unreadable, Kind::Sign)
        },
    },
    KindRow {
        word: Word::new(
            "hash",
            "A hash of a secret and the texts around it, for providers that know no MAC.",
            "{ hash = \"sha256\", before = \"{time}{body}\", key = \"signer\", as = \"hex\" }",
        ),
        keys: signing::HASH,
        read: |fields, _, scope| {
            Sign::read_hash(fields, scope).map_or(Kind::Unreadable, Kind::Sign)
        },
    },
    KindRow {
        word: Word::new(
            "one_of",
            "The first of these texts that is not empty.",
            "{ one_of = [\"{query}\", \"{body}\"] }",
        ),
        keys: &[],
        read: one_of,
    },
];

impl Value {
    /// Reads a value. What is wrong with it is reported.
    pub(super) fn read(name: &str, node: Node<'_>, scope: &Scope) -> Self {
        let (name, at) = (name.to_owned(), node.at);
        let kind = if node.text().is_some() {
            Kind::Text(Text::read(&node, scope))
        } else {
            Self::table(&name, node, scope)
        };
        Self { name, at, kind }
    }

    fn table(name: &str, node: Node<'_>, scope: &Scope) -> Kind {
        let fields = Fields::of(node, &format!("[values] {name}"));
        let kinds = KINDS.iter();
        let found: Vec<_> =
            kinds.filter_map(|row| Some((row, fields.get(row.word.name)?))).collect();
        let [(row, node)] = found[..] else {
            let names: Vec<&str> = KINDS.iter().map(|row| row.word.name).collect();
            let what = match found.len() {
                0 => format!("{name} says nothing of what it is"),
                _ => format!("{name} is several things at once"),
            };
            let near = fields
                .members()
                .iter()
                .find_map(|member| crate::document::nearest(&member.name, names.iter().copied()));
            let fix = match near {
                Some(near) => format!("write {near}"),
                None => format!("write one of: {}", names.join(", ")),
            };
            fields.report(what, fix);
            return Kind::Unreadable;
        };
        fields.has(if row.word.name == "jwt" { &[] } else { row.keys });
        let kind = (row.read)(&fields, node, scope);
        fields.finish();
        kind
    }

    /// Whether lines and names are read of it, and not itself.
    pub(super) fn is_double(node: &Node<'_>) -> bool {
        let members = node.members().unwrap_or_default();
        members.iter().any(|member| member.name == "headers")
    }
}

fn clock(fields: &Fields<'_>, _: Node<'_>, _: &Scope) -> Kind {
    let clock = fields.row_if_any("clock", CLOCKS);
    let add_ms = fields.get("add").map_or(Some(0), |node| {
        let read = node.text().and_then(seconds);
        if read.is_none() {
            node.report("add is no number of seconds", "write add = \"60s\"");
        }
        read
    });
    match (clock, add_ms) {
        (Some(clock), Some(add_ms)) => Kind::Clock(ClockValue { clock, add_ms }),
        _ => Kind::Unreadable,
    }
}

/// `120s`, `-5s`, `250ms`, `1h`: milliseconds, up to a day.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let ms = digits.parse::<i64>().ok()?.checked_mul(unit)?;
    (ms.abs() <= 86_400_000).then_some(ms)
}

fn one_of(fields: &Fields<'_>, _: Node<'_>, scope: &Scope) -> Kind {
    let texts = fields.list("one_of").unwrap_or_default();
    if texts.len() < 2 {
        fields.report("one_of has nothing to choose from", "write two texts or more");
    }
    Kind::OneOf(texts.iter().map(|(_, node)| Text::read(node, scope)).collect())
}

impl Kind {
    /// The texts that it is made from.
    pub(super) fn texts(&self) -> Vec<&Text> {
        match self {
            Self::Text(text) => vec![text],
            Self::Clock(_) | Self::Nonce(_) | Self::Headers(_) | Self::Unreadable => Vec::new(),
            Self::Pairs(pairs) => pairs.add.iter().map(|(_, text)| text).collect(),
            Self::Json(json) => json.texts(),
            Self::Jwt(jwt) => jwt.texts(),
            Self::Sign(sign) => sign.texts(),
            Self::OneOf(texts) => texts.iter().collect(),
        }
    }

    /// Whether it reads the query, and whether the body, by itself and not by a hole.
    pub(super) fn reads(&self) -> (bool, bool) {
        match self {
            Self::Pairs(pairs) => {
                let body = pairs.from.iter().any(|from| *from != From::Query);
                (pairs.from.contains(&From::Query), body)
            }
            Self::Json(json) => (false, json.with_body.is_some()),
            Self::Text(_)
            | Self::Clock(_)
            | Self::Nonce(_)
            | Self::Headers(_)
            | Self::Jwt(_)
            | Self::Sign(_)
            | Self::OneOf(_)
            | Self::Unreadable => (false, false),
        }
    }

    /// How much of query and of body it binds, by itself and not by a hole; as [`Pairs::binds`].
    pub(super) fn binds(&self, own: &dyn Fn(&str) -> bool) -> (Binds, Binds) {
        let Self::Pairs(pairs) = self else {
            let (query, body) = self.reads();
            return [query, body].map(|read| if read { Binds::Bound } else { Binds::Open }).into();
        };
        pairs.binds(own)
    }

    /// The signature or MAC, where it is one.
    pub(super) fn sign(&self) -> Option<&Sign> {
        if let Self::Sign(sign) = self { Some(sign) } else { None }
    }

    /// The clock, where it is one.
    pub(super) fn clock(&self) -> Option<ClockValue> {
        if let Self::Clock(clock) = self { Some(*clock) } else { None }
    }

    /// The nonce that it is.
    pub(super) fn nonce(&self) -> Option<Nonce> {
        if let Self::Nonce(own) = self { Some(*own) } else { None }
    }

    /// The number that increases, where it is one.
    pub(super) fn counter(&self) -> Option<Nonce> {
        if let Self::Nonce(own @ Nonce::Increasing { .. }) = self { Some(*own) } else { None }
    }

    /// The key slot whose key makes it.
    pub(super) fn slot(&self) -> Option<usize> {
        match self {
            Self::Sign(sign) => Some(sign.slot),
            Self::Jwt(jwt) => Some(jwt.slot),
            Self::Text(_)
            | Self::Clock(_)
            | Self::Nonce(_)
            | Self::Pairs(_)
            | Self::Headers(_)
            | Self::Json(_)
            | Self::OneOf(_)
            | Self::Unreadable => None,
        }
    }
}
