//! What programs sign in place of a query: every combination of order, repeated names, encoding and
//! separators, nearest to the wanted one first.

use super::causes::text as causes;
use super::coding::{decode, encode, escapes_lower};
use super::shape::Found;
use super::types::{Cause, Known};

/// How names or values are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::scheme) enum Coding {
    /// As an HTML form.
    Form,
    /// RFC 3986: all but unreserved characters.
    Percent,
    /// As JavaScript's `encodeURIComponent`.
    Component,
    /// As a form, with lower-case hex digits.
    FormLower,
    /// As RFC 3986, with lower-case hex digits.
    PercentLower,
    /// RFC 3986, with slashes as they are: Python's `quote`.
    Slashes,
    /// Decoded, `+` as a space.
    Plain,
    /// Decoded, `+` as it is.
    PlainPlus,
    /// RFC 3986, `+` taken for itself: `%2B`.
    PlusKept,
    /// As it is sent.
    Raw,
    /// As it is sent, encoded once more.
    Twice,
}

/// In which order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::scheme) enum Order {
    Sent,
    Name,
    /// By name and value as they are written.
    Written,
    /// By name without regard to case.
    Caseless,
    Descending,
}

/// Which of a name that stands more than once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Repeat {
    First,
    All,
    Last,
    Commas,
}

/// A way to write a query.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::scheme) struct Query {
    order: Order,
    repeat: Repeat,
    names: Coding,
    values: Coding,
    /// Between pairs, and between name and value.
    join: (&'static str, &'static str),
    skip_empty: bool,
}

impl Query {
    /// Sorted by name, the first of each, written so.
    pub(in crate::scheme) const fn sorted(names: Coding, values: Coding) -> Self {
        let (order, repeat) = (Order::Name, Repeat::First);
        Self { order, repeat, names, values, join: ("&", "="), skip_empty: false }
    }

    /// A query written so.
    pub(in crate::scheme) fn write_text(&self, query: &str) -> String {
        String::from_utf8_lossy(&self.write(query)).into_owned()
    }

    /// As it is sent.
    const SENT: Self = Self {
        order: Order::Sent,
        repeat: Repeat::All,
        names: Coding::Raw,
        values: Coding::Raw,
        join: ("&", "="),
        skip_empty: false,
    };

    fn write(&self, query: &str) -> Vec<u8> {
        let pieces = query.split('&').filter(|piece| !piece.is_empty());
        let mut pairs: Vec<(Vec<u8>, &str, &str)> = pieces
            .map(|piece| {
                let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
                (decode(name.as_bytes(), true), name, value)
            })
            .filter(|(_, _, value)| !(self.skip_empty && value.is_empty()))
            .collect();
        match self.order {
            Order::Sent | Order::Written => {}
            Order::Name => pairs.sort_by(|a, b| a.0.cmp(&b.0)),
            Order::Caseless => pairs.sort_by_key(|pair| pair.0.to_ascii_lowercase()),
            Order::Descending => pairs.sort_by(|a, b| b.0.cmp(&a.0)),
        }
        let mut written: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> = pairs
            .iter()
            .map(|(key, name, value)| {
                (key.clone(), self.names.write(name), self.values.write(value))
            })
            .collect();
        self.once(&mut written);
        if self.order == Order::Written {
            written.sort_by(|a, b| (&a.1, &a.2).cmp(&(&b.1, &b.2)));
        }
        let (join, between) = (self.join.0.as_bytes(), self.join.1.as_bytes());
        let pairs: Vec<Vec<u8>> =
            written.iter().map(|(_, name, value)| [name, between, value].concat()).collect();
        pairs.join(join)
    }

    /// Of each name what is taken.
    fn once(&self, pairs: &mut Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>) {
        let mut kept: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> = Vec::new();
        for pair in pairs.drain(..) {
            let other = kept.iter_mut().find(|other| other.0 == pair.0);
            match (self.repeat, other) {
                (Repeat::All, _) | (_, None) => kept.push(pair),
                (Repeat::First, Some(_)) => {}
                (Repeat::Last, Some(other)) => other.2 = pair.2,
                (Repeat::Commas, Some(other)) => other.2 = [&other.2[..], b",", &pair.2].concat(),
            }
        }
        *pairs = kept;
    }

    /// In how many ways it differs from another, and the cause of the first.
    fn against(&self, home: &Self) -> (usize, &'static Known) {
        let differs = [
            (self.order != home.order, self.order_cause()),
            (self.names != home.names || self.values != home.values, self.coding_cause(home)),
            (self.repeat != home.repeat, &causes::QUERY_REPEATED),
            (self.join != home.join, &causes::QUERY_JOINED),
            (self.skip_empty != home.skip_empty, &causes::QUERY_EMPTY),
        ];
        let count = differs.iter().filter(|(differs, _)| *differs).count();
        let extra = usize::from(self.names != self.values && self.names != home.names);
        if *self == Self::SENT {
            return (2, &causes::QUERY_AS_SENT);
        }
        let first = differs.iter().find(|(differs, _)| *differs).map(|(_, known)| *known);
        (count + extra, first.unwrap_or(&causes::QUERY_ENCODING))
    }

    fn order_cause(&self) -> &'static Known {
        if self.order == Order::Sent { &causes::QUERY_UNSORTED } else { &causes::QUERY_SORTED }
    }

    fn coding_cause(&self, home: &Self) -> &'static Known {
        let plain = |coding| matches!(coding, Coding::Plain | Coding::PlainPlus);
        match self.values {
            coding if plain(coding) && plain(home.values) => &causes::QUERY_ENCODING,
            coding if plain(coding) => &causes::QUERY_DECODED,
            Coding::FormLower | Coding::PercentLower => &causes::QUERY_LOWERCASE,
            Coding::Twice => &causes::QUERY_TWICE,
            Coding::Form
            | Coding::Percent
            | Coding::Component
            | Coding::Slashes
            | Coding::Plain
            | Coding::PlainPlus
            | Coding::PlusKept
            | Coding::Raw => &causes::QUERY_ENCODING,
        }
    }

    /// A sentence where the row's says too little.
    fn words(&self, home: &Self) -> Option<String> {
        let mut said = Vec::new();
        if self.order != home.order {
            said.push(match self.order {
                Order::Sent => "the query's names were not sorted before signing",
                Order::Name => "the query's names were sorted before signing",
                Order::Written => "the query was sorted by its written pairs",
                Order::Caseless => "the query's names were sorted without regard to case",
                Order::Descending => "the query's names were sorted in descending order",
            });
        }
        if self.values != home.values || self.names != home.names {
            said.push(self.values.words());
        }
        if self.repeat != home.repeat {
            said.push(match self.repeat {
                Repeat::First => "of a repeated name the first was signed",
                Repeat::All => "of a repeated name all were signed",
                Repeat::Last => "of a repeated name the last was signed",
                Repeat::Commas => "the values of a repeated name were joined with commas",
            });
        }
        if self.skip_empty != home.skip_empty {
            said.push("pairs without a value were left out");
        }
        (!said.is_empty() && self.join == home.join).then(|| said.join(", and "))
    }
}

impl Coding {
    fn write(self, written: &str) -> Vec<u8> {
        let raw = written.as_bytes();
        let plain = decode(raw, true);
        let form = |plain: &[u8]| -> Vec<u8> {
            form_urlencoded::byte_serialize(plain).collect::<String>().into_bytes()
        };
        match self {
            Self::Form => form(&plain),
            Self::Percent => encode(&plain, b""),
            Self::Component => encode(&plain, b"!'()*"),
            Self::FormLower => escapes_lower(&form(&plain)),
            Self::PercentLower => escapes_lower(&encode(&plain, b"")),
            Self::Slashes => encode(&plain, b"/"),
            Self::Plain => plain,
            Self::PlainPlus => decode(raw, false),
            Self::PlusKept => encode(&decode(raw, false), b""),
            Self::Raw => raw.to_vec(),
            Self::Twice => encode(raw, b""),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Form => "the query was signed as a form has it: a space as +, ~ as %7E",
            Self::Percent => "the query was signed as RFC 3986 has it: a space as %20, * as %2A",
            Self::Component => {
                "the query was signed as encodeURIComponent has it: a space as %20, !'()* as they are"
            }
            Self::FormLower | Self::PercentLower => {
                "the query's escapes were signed with lower-case hex digits"
            }
            Self::Slashes => "the query was signed with its slashes as they are",
            Self::Plain => "the query was signed decoded",
            Self::PlainPlus => "the query was signed decoded, with + as it is",
            Self::PlusKept => "the query's + was signed as %2B, and it is sent as a space",
            Self::Raw => "the query was signed in the encoding that it is sent in",
            Self::Twice => "the query was encoded once more before it was signed",
        }
    }
}

const CODINGS: [Coding; 11] = [
    Coding::Form,
    Coding::Percent,
    Coding::Plain,
    Coding::Component,
    Coding::FormLower,
    Coding::PercentLower,
    Coding::Slashes,
    Coding::PlainPlus,
    Coding::PlusKept,
    Coding::Raw,
    Coding::Twice,
];
const JOINS: [(&str, &str); 6] =
    [("&", "="), ("", ""), ("", "="), (",", "="), ("\n", "="), ("&", "")];

/// Every way to write a query, nearest to `home` first, each text once. `home` itself is not among
/// them.
pub(in crate::scheme) fn queries(query: &str, home: Query) -> Vec<Found> {
    let mut ways = Vec::new();
    for order in [Order::Name, Order::Sent, Order::Written, Order::Caseless, Order::Descending] {
        for repeat in [Repeat::First, Repeat::All, Repeat::Last, Repeat::Commas] {
            for coding in CODINGS {
                for join in JOINS {
                    let way = Query {
                        order,
                        repeat,
                        names: coding,
                        values: coding,
                        join,
                        skip_empty: false,
                    };
                    ways.push(way);
                    ways.push(Query { names: home.names, ..way });
                    ways.push(Query { names: Coding::Plain, ..way });
                }
            }
        }
    }
    ways.push(Query { skip_empty: true, ..home });
    let mut ranked: Vec<_> = ways.iter().map(|way| (way.against(&home), way)).collect();
    ranked.retain(|((distance, _), _)| (1..3).contains(distance));
    ranked.sort_by_key(|((distance, _), _)| *distance);
    let mut seen = std::collections::HashSet::from([home.write(query)]);
    let mut found = Vec::new();
    for ((_, known), way) in ranked {
        let text = way.write(query);
        if seen.insert(text.clone()) {
            let mut cause = Cause::seen(known);
            if known.code != causes::QUERY_AS_SENT.code
                && let Some(words) = way.words(&home)
            {
                cause = cause.said(words);
            }
            found.push(Found { cause, text });
        }
    }
    found.extend(shorter(query, &home).into_iter().filter(|found| seen.insert(found.text.clone())));
    found.extend(
        others(query, &home.write(query))
            .into_iter()
            .filter(|found| seen.insert(found.text.clone())),
    );
    found
}

/// The same where the scheme makes `wanted` of the query in one of the ways.
pub(in crate::scheme) fn as_written(query: &str, wanted: &[u8]) -> Vec<Found> {
    let mut homes = vec![Query::SENT];
    for order in [Order::Sent, Order::Name, Order::Written] {
        for coding in CODINGS {
            for repeat in [Repeat::All, Repeat::First] {
                homes.push(Query { order, repeat, names: coding, values: coding, ..Query::SENT });
            }
        }
    }
    let home = homes.into_iter().find(|home| home.write(query) == wanted);
    queries(query, home.unwrap_or(Query::SENT))
}

/// The query without one of its pairs.
fn shorter(query: &str, home: &Query) -> Vec<Found> {
    let pieces: Vec<&str> = query.split('&').collect();
    let without = |at: usize| {
        let rest = pieces.iter().enumerate().filter(|(other, _)| *other != at);
        rest.map(|(_, piece)| *piece).collect::<Vec<_>>().join("&")
    };
    let one = |(at, piece): (usize, &&str)| {
        let name = piece.split('=').next().unwrap_or_default();
        let name = String::from_utf8_lossy(&decode(name.as_bytes(), true)).into_owned();
        let cause = format!("{name} was left out of the query that was signed");
        Found::said(&causes::QUERY_MISSING, home.write(&without(at)), cause)
    };
    pieces.iter().enumerate().take(64).map(one).collect()
}

fn others(query: &str, written: &[u8]) -> Vec<Found> {
    let text = query.as_bytes();
    let mut all = vec![
        Found::new(&causes::QUERY_MISSING, Vec::new()),
        Found::new(&causes::QUERY_AS_SENT, text),
    ];
    for text in [written, text] {
        all.push(Found::new(&causes::QUERY_MARK, [b"?", text].concat()));
        all.push(Found::new(&causes::QUERY_TWICE, encode(text, b"")));
        all.push(Found::new(&causes::QUERY_JOINED, [text, b"&"].concat()));
        all.push(Found::new(&causes::TEXT_CASE, text.to_ascii_lowercase()));
    }
    all
}
