//! Header lines and their names, as the clouds sign them.

use http::{HeaderMap, HeaderName};

use super::fields::Fields;
use super::word::{Key, Word, words};
use crate::document::{Node, quoted};

/// Which headers, and how they are written.
#[derive(Debug)]
pub(super) struct HeaderList {
    names: Vec<Pattern>,
    line: String,
    join: String,
    names_join: String,
    missing: Missing,
    sorted: bool,
    collapse: bool,
}

#[derive(Debug)]
enum Pattern {
    Name(HeaderName),
    /// All that begin so.
    Prefix(String),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Missing {
    Skip,
    Empty,
    Refuse,
}

static MISSING: &[(Word, Missing)] = &[
    (Word::new("skip", "A header that is not there is left out.", "skip"), Missing::Skip),
    (Word::new("empty", "It has an empty line.", "empty"), Missing::Empty),
    (Word::new("refuse", "The request is refused.", "refuse"), Missing::Refuse),
];
static SORTS: &[(Word, bool)] = &[
    (Word::new("name", "By name.", "name"), true),
    (Word::new("list", "As they are listed.", "list"), false),
];

/// The keys of its table.
pub(crate) static KEYS: &[Key] = &[
    Key::new("headers", "Names, and beginnings of names with `*`.", "[\"host\", \"x-amz-*\"]"),
    Key::new("line", "A line, of `{name}` and `{value}`.", "\"{name}:{value}\\n\""),
    Key::new("join", "What stands between lines.", "\"\\n\""),
    Key::new("names_join", "What stands between names.", "\";\""),
    Key::new("missing", "What becomes of a header that is not there.", "\"refuse\"")
        .of(|| words(MISSING)),
    Key::new("sort", "The order of the lines.", "\"list\"").of(|| words(SORTS)),
    Key::new("collapse", "Whether several spaces in a value become one.", "true"),
];

impl HeaderList {
    pub(super) fn read(fields: &Fields<'_>, node: Node<'_>) -> Self {
        let names = fields.list("headers").unwrap_or_default();
        let pattern = |(name, node): &(String, Node<'_>)| {
            let (name, prefix) = match name.strip_suffix('*') {
                Some(prefix) => (prefix, true),
                None => (name.as_str(), false),
            };
            let Ok(read) = HeaderName::from_bytes(name.as_bytes()) else {
                let what = format!("{} is no header's name", quoted(name));
                node.report(what, "write a name, or its beginning and *");
                return None;
            };
            Some(if prefix { Pattern::Prefix(read.as_str().into()) } else { Pattern::Name(read) })
        };
        let line = fields.plain("line").unwrap_or_else(|| "{name}:{value}\n".into());
        if !line.contains("{name}") && !line.contains("{value}") {
            node.report(
                "line has neither {name} nor {value}",
                "write line = \"{name}:{value}\\n\"",
            );
        }
        Self {
            names: names.iter().filter_map(pattern).collect(),
            line,
            join: fields.plain("join").unwrap_or_default(),
            names_join: fields.plain("names_join").unwrap_or_else(|| ";".into()),
            missing: fields.row("missing", MISSING).1,
            sorted: fields.row("sort", SORTS).1,
            collapse: fields.flag("collapse"),
        }
    }

    /// How many bytes it can have for one of its headers.
    pub(super) fn growth(&self) -> u64 {
        let copies = self.line.matches("{name}").count() + self.line.matches("{value}").count();
        // A header has four bytes at least, with those around it.
        (copies + (self.line.len() + self.join.len() + self.names_join.len()) / 4 + 1) as u64
    }

    /// Whether a header of this name is one of them.
    pub(super) fn has(&self, name: &HeaderName) -> bool {
        self.names.iter().any(|pattern| pattern.is(name))
    }

    /// Lines and names.
    ///
    /// # Errors
    ///
    /// A header that is not there, where that is refused.
    pub(super) fn write(&self, headers: &HeaderMap) -> Result<(Vec<u8>, Vec<u8>), &'static str> {
        let mut found: Vec<(&str, Vec<u8>)> = Vec::new();
        for pattern in &self.names {
            let before = found.len();
            for name in headers.keys().filter(|name| pattern.is(name)) {
                if !found.iter().any(|(known, _)| *known == name.as_str()) {
                    found.push((name.as_str(), self.value(headers, name)));
                }
            }
            let (Pattern::Name(name), true) = (pattern, found.len() == before) else { continue };
            match self.missing {
                Missing::Skip => {}
                Missing::Empty => found.push((name.as_str(), Vec::new())),
                Missing::Refuse => return Err("lacks a header that the scheme signs"),
            }
        }
        if self.sorted {
            found.sort_by_key(|(name, _)| *name);
        }
        let (mut lines, mut names) = (Vec::new(), Vec::new());
        for (index, (name, value)) in found.iter().enumerate() {
            if index > 0 {
                lines.extend_from_slice(self.join.as_bytes());
                names.extend_from_slice(self.names_join.as_bytes());
            }
            names.extend_from_slice(name.as_bytes());
            for (at, piece) in self.line.split("{value}").enumerate() {
                if at > 0 {
                    lines.extend_from_slice(value);
                }
                lines.extend_from_slice(piece.replace("{name}", name).as_bytes());
            }
        }
        Ok((lines, names))
    }

    /// All values of a name, with commas between them, trimmed.
    fn value(&self, headers: &HeaderMap, name: &HeaderName) -> Vec<u8> {
        let values = headers.get_all(name).iter().map(|value| {
            let value = value.as_bytes().trim_ascii();
            if !self.collapse {
                return value.to_vec();
            }
            let words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
            words.collect::<Vec<_>>().join(&b' ')
        });
        values.collect::<Vec<_>>().join(&b',')
    }
}

impl Pattern {
    fn is(&self, name: &HeaderName) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Prefix(prefix) => name.as_str().starts_with(prefix),
        }
    }
}
