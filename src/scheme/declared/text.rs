//! Texts with holes: `"{time}{method}{body | sha256 | hex}"`. A hole names a source and functions
//! of it; braces double to stand for themselves. A text is parsed once, at load.

use http::HeaderName;

use super::function::Call;
use super::word::{Word, find};
use crate::document::{Location, Node, choose};

/// A text, parsed.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    pub(super) parts: Vec<Part>,
}

/// A piece of a text.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Literal(Vec<u8>),
    Hole(Hole),
}

/// A hole.
#[derive(Clone, Debug)]
pub(super) struct Hole {
    /// As it is written, without braces.
    pub(super) written: String,
    pub(super) at: Location,
    pub(super) source: Source,
    pub(super) calls: Vec<Call>,
}

/// Where a hole's bytes come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Source {
    Method,
    Scheme,
    Host,
    Path,
    Query,
    Target,
    Url,
    Body,
    /// A header, which must be there once.
    Header(HeaderName),
    /// A member of the JSON object that is the body.
    Member(String),
    /// A value of the file, by index.
    Value(usize),
    /// The names of a value that has lines and names.
    Names(usize),
    /// A secret, by index.
    Secret(usize),
    /// A parameter, by index.
    Param(usize),
    /// The public key in a slot, by index.
    Public(usize),
    /// What is wrong is reported.
    Unknown,
}

/// Every source that all files have.
pub(crate) static SOURCES: &[Word] = &[
    Word::new("method", "The method, as it is sent.", "{method}"),
    Word::new("scheme", "https, or http.", "{scheme}"),
    Word::new("host", "The Host header: name, and port where it is not the usual one.", "{host}"),
    Word::new("path", "The path, byte for byte as it is sent.", "{path}"),
    Word::new("query", "The query as it is sent, without ?.", "{query}"),
    Word::new("target", "Path, and ? and query where there is one.", "{target}"),
    Word::new("url", "Scheme, ://, host and target.", "{url}"),
    Word::new("body", "The body as it is sent.", "{body}"),
    Word::new("header.NAME", "A header's value; it must be there once.", "{header.content-type}"),
    Word::new(
        "body.MEMBER",
        "A member of a JSON body: a string's text, anything else as written.",
        "{body.id}",
    ),
];

/// The names that a file's texts know.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) values: Vec<String>,
    /// Values that have lines and names.
    pub(super) doubles: Vec<bool>,
    pub(super) secrets: Vec<String>,
    pub(super) params: Vec<String>,
    pub(super) slots: Vec<String>,
}

/// Functions in one hole.
const MAX_CALLS: usize = 16;

impl Text {
    /// Reads a text. What is wrong with it is reported.
    pub(super) fn read(node: &Node<'_>, scope: &Scope) -> Self {
        match node.text() {
            Some(text) => Self::parse(text, node, scope),
            None => {
                let what = format!("is {}, and must be a text", node.kind());
                node.report(what, "write it in quotation marks: \"{time}{method}{path}\"");
                Self::default()
            }
        }
    }

    fn parse(text: &str, node: &Node<'_>, scope: &Scope) -> Self {
        let (mut parts, mut literal, mut at) = (Vec::new(), String::new(), 0);
        while let Some(found) = text[at..].find(['{', '}']) {
            let brace = at + found;
            literal.push_str(&text[at..brace]);
            let double = text[brace..].starts_with("{{") || text[brace..].starts_with("}}");
            if double {
                literal.push_str(&text[brace..=brace]);
                at = brace + 2;
                continue;
            }
            let place = node.inside(brace);
            let end = text[brace..].find('}').filter(|_| text[brace..].starts_with('{'));
            let Some(end) = end else {
                let what = format!("{} stands alone", &text[brace..=brace]);
                node.report_at(place, what, "write it twice where it stands for itself");
                return Self::default();
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal).into_bytes()));
            }
            parts.push(Part::Hole(Hole::parse(&text[brace + 1..brace + end], place, node, scope)));
            at = brace + end + 1;
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into_bytes()));
        }
        Self { parts }
    }

    pub(super) fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole(hole) => Some(hole),
            Part::Literal(_) => None,
        })
    }

    /// Whether a secret is in it.
    pub(super) fn has_secret(&self) -> bool {
        self.holes().any(|hole| matches!(hole.source, Source::Secret(_)))
    }

    /// How many bytes of literals it holds.
    pub(super) fn literals(&self) -> usize {
        let part = |part: &Part| match part {
            Part::Literal(bytes) => bytes.len(),
            Part::Hole(hole) => hole.calls.iter().map(Call::literal).sum(),
        };
        self.parts.iter().map(part).sum()
    }
}

impl Source {
    /// The value that it is, or is part of.
    pub(super) fn value(&self) -> Option<usize> {
        if let Self::Value(value) | Self::Names(value) = self { Some(*value) } else { None }
    }
}

impl Hole {
    fn parse(written: &str, at: Location, node: &Node<'_>, scope: &Scope) -> Self {
        let mut pieces = written.split('|');
        let first = pieces.next().unwrap_or_default().trim();
        let source = source(first, scope).unwrap_or_else(|(what, fix)| {
            node.report_at(at, what, fix);
            Source::Unknown
        });
        let pieces: Vec<&str> = pieces.collect();
        if pieces.len() > MAX_CALLS {
            let what = format!("{} functions stand in one hole", pieces.len());
            node.report_at(at, what, format!("use at most {MAX_CALLS}; name a value in between"));
        }
        let last = pieces.len().saturating_sub(1);
        let call = |(index, piece): (usize, &&str)| {
            // One space on either side of a bar is none of an argument.
            let piece = piece.strip_prefix(' ').unwrap_or(piece);
            let inner = piece.strip_suffix(' ').filter(|_| index < last);
            let call = Call::parse(inner.unwrap_or(piece));
            call.map_err(|(what, fix)| node.report_at(at, what, fix)).ok()
        };
        let calls = pieces.iter().enumerate().filter_map(call).collect();
        Self { written: written.trim().to_owned(), at, source, calls }
    }
}

fn source(name: &str, scope: &Scope) -> Result<Source, (String, String)> {
    let index = |names: &[String], name: &str| names.iter().position(|known| known == name);
    if let Some(header) = name.strip_prefix("header.") {
        let header = HeaderName::from_bytes(header.as_bytes());
        return header.map(Source::Header).map_err(|_| {
            (format!("{name} is not a header's name"), "write {header.content-type}".into())
        });
    }
    if let Some(member) = name.strip_prefix("body.").filter(|member| !member.is_empty()) {
        return Ok(Source::Member(member.to_owned()));
    }
    if let Some((owner, field)) = name.split_once('.') {
        let value = index(&scope.values, owner).filter(|value| scope.doubles[*value]);
        let slot = index(&scope.slots, owner);
        return match (value, slot, field) {
            (Some(value), _, "lines") => Ok(Source::Value(value)),
            (Some(value), _, "names") => Ok(Source::Names(value)),
            (None, Some(slot), "public") => Ok(Source::Public(slot)),
            (Some(_), ..) => {
                Err((format!("{owner} has no {field}"), choose(field, &["lines", "names"])))
            }
            (None, Some(_), _) => Err((
                format!("a key has no {field}"),
                format!(
                    "write {{{owner}.public}}; a key itself can be in sign, hash and jwt alone"
                ),
            )),
            (None, None, _) => Err(unknown(name, scope)),
        };
    }
    if let Some(value) = index(&scope.values, name) {
        if scope.doubles[value] {
            return Err((
                format!("{name} has lines and names"),
                format!("write {{{name}.lines}} or {{{name}.names}}"),
            ));
        }
        return Ok(Source::Value(value));
    }
    if index(&scope.slots, name).is_some() {
        return Err((
            format!("{name} is a key, which no text can contain"),
            format!("write {{{name}.public}}, or key = \"{name}\" in sign, hash or jwt"),
        ));
    }
    let secret = index(&scope.secrets, name).map(Source::Secret);
    let param = index(&scope.params, name).map(Source::Param);
    if let Some(found) = secret.or(param) {
        return Ok(found);
    }
    find(SOURCES, name, "a source").map_err(|_| unknown(name, scope)).map(|row| match row.name {
        "method" => Source::Method,
        "scheme" => Source::Scheme,
        "host" => Source::Host,
        "path" => Source::Path,
        "query" => Source::Query,
        "target" => Source::Target,
        "url" => Source::Url,
        "body" => Source::Body,
        _ => Source::Unknown,
    })
}

fn unknown(name: &str, scope: &Scope) -> (String, String) {
    let own = [&scope.values, &scope.secrets, &scope.params];
    let own = own.into_iter().flatten().map(String::as_str);
    let names: Vec<&str> = own.chain(SOURCES.iter().map(|row| row.name)).collect();
    let what = format!("{} is no source, value, secret or param", crate::document::quoted(name));
    (what, choose(name, &names))
}
