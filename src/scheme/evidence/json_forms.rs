//! A JSON text written anew in every usual way: order of members, white space, escapes, numbers.

use super::causes::content as causes;
use super::shape::Found;
use super::types::Cause;
use super::types::Known;
use crate::scheme::json::{self, Object};

/// A value, numbers and words as they are written.
#[derive(Clone, Debug)]
pub(in crate::scheme) enum Json {
    Bare(String),
    Text { text: String, written: String },
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// Reads a text; none where it is no JSON, is nested deeper than 32 levels, or says something
    /// twice.
    pub(in crate::scheme) fn read(body: &[u8]) -> Option<Self> {
        let text = str::from_utf8(body).ok()?;
        json::parse(text).ok()?;
        Self::of(text.trim())
    }

    fn of(written: &str) -> Option<Self> {
        match written.as_bytes().first()? {
            b'"' => Some(Self::Text { text: json::string(written)?, written: written.to_owned() }),
            b'[' => {
                let items = json::elements(written, 0..written.len())?;
                items
                    .into_iter()
                    .map(|at| Self::of(&written[at]))
                    .collect::<Option<_>>()
                    .map(Self::List)
            }
            b'{' => {
                let object = Object::whole(written).ok()?;
                let member = |member: &json::Member<'_>| {
                    Some((member.name.clone(), Self::of(member.value)?))
                };
                object.members.iter().map(member).collect::<Option<_>>().map(Self::Object)
            }
            _ => Some(Self::Bare(written.to_owned())),
        }
    }

    /// Its members, where it is an object.
    pub(in crate::scheme) fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// A text as it reads, anything else as it is written.
    pub(in crate::scheme) fn plain(&self) -> String {
        match self {
            Self::Bare(written) => written.clone(),
            Self::Text { text, .. } => text.clone(),
            Self::List(_) | Self::Object(_) => COMPACT.write(self),
        }
    }
}

/// A way to write JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Style {
    sorted: bool,
    spaces: Spaces,
    escapes: Escapes,
    numbers: Numbers,
    /// Members that are null or empty left out.
    skip: Skip,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Skip {
    None,
    Null,
    Empty,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Spaces {
    Compact,
    /// `, ` and `: `, as Python's json.dumps.
    Python,
    /// A space behind the colon alone.
    Colon,
    /// A space behind the comma alone.
    Comma,
    Indent(&'static str),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Escapes {
    /// As it is sent.
    Sent,
    /// What may stay as it is does.
    Raw,
    /// ASCII alone.
    Ascii,
    /// The same in capitals.
    AsciiUpper,
    /// `\/`.
    Slashes,
    /// ASCII and `\/`, as PHP.
    Php,
    /// `<`, `>` and `&`, as Go.
    Html,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Numbers {
    Sent,
    /// 1.0 as 1, 1.50 as 1.5, 1e3 as 1000: JavaScript.
    Short,
    /// As floats: 1 as 1.0.
    Floats,
    /// Through a float of 64 bits.
    Rounded,
    /// As strings.
    Quoted,
    /// Strings of digits as numbers.
    Unquoted,
}

const COMPACT: Style = Style {
    sorted: false,
    spaces: Spaces::Compact,
    escapes: Escapes::Sent,
    numbers: Numbers::Sent,
    skip: Skip::None,
};
const SPACES: [Spaces; 7] = [
    Spaces::Compact,
    Spaces::Python,
    Spaces::Indent("  "),
    Spaces::Indent("    "),
    Spaces::Indent("\t"),
    Spaces::Colon,
    Spaces::Comma,
];
const ESCAPES: [Escapes; 7] = [
    Escapes::Sent,
    Escapes::Raw,
    Escapes::Ascii,
    Escapes::AsciiUpper,
    Escapes::Slashes,
    Escapes::Php,
    Escapes::Html,
];
const NUMBERS: [Numbers; 6] = [
    Numbers::Sent,
    Numbers::Short,
    Numbers::Floats,
    Numbers::Rounded,
    Numbers::Quoted,
    Numbers::Unquoted,
];

/// The text written anew in every way, those that differ in one thing first.
pub(in crate::scheme) fn forms(read: &Json) -> Vec<Found> {
    let mut ways: Vec<(usize, Style)> = Vec::new();
    for sorted in [false, true] {
        for spaces in SPACES {
            for escapes in ESCAPES {
                for numbers in NUMBERS {
                    for skip in [Skip::None, Skip::Null, Skip::Empty] {
                        let way = Style { sorted, spaces, escapes, numbers, skip };
                        let count = way.distance();
                        // Languages have spaces, order and escapes of their own together.
                        let usual = numbers == Numbers::Short && skip == Skip::None;
                        ways.extend((count < 3 || usual).then_some((count, way)));
                    }
                }
            }
        }
    }
    ways.sort_by_key(|(count, _)| *count);
    let found = |(count, way): &(usize, Style)| {
        let known = if *count > 1 { &causes::BODY_REMADE } else { way.cause() };
        let mut cause = Cause::seen(known);
        let words = way.words();
        if !words.is_empty() {
            cause = cause.said(format!("the body was signed {words}"));
        }
        Found { cause, text: way.write(read).into_bytes() }
    };
    ways.iter().map(found).collect()
}

impl Style {
    /// In how many ways it is not the text as it is sent, white space aside.
    fn distance(&self) -> usize {
        let differs = [
            self.sorted,
            self.escapes != Escapes::Sent,
            self.numbers != Numbers::Sent,
            self.skip != Skip::None,
        ];
        differs.iter().filter(|differs| **differs).count()
    }

    fn cause(&self) -> &'static Known {
        if self.sorted {
            &causes::BODY_ORDER
        } else if self.escapes != Escapes::Sent {
            &causes::BODY_ESCAPES
        } else if self.numbers != Numbers::Sent {
            &causes::BODY_NUMBERS
        } else if self.skip != Skip::None {
            &causes::BODY_REMADE
        } else {
            &causes::BODY_SPACES
        }
    }

    fn words(&self) -> String {
        let mut said = Vec::new();
        if self.sorted {
            said.push("with its members sorted by name");
        }
        said.extend(match self.escapes {
            Escapes::Sent => None,
            Escapes::Raw => Some("without escapes in its strings"),
            Escapes::Ascii | Escapes::AsciiUpper => {
                Some("with \\u escapes in place of characters outside ASCII")
            }
            Escapes::Slashes => Some("with slashes escaped as \\/"),
            Escapes::Php => Some("with \\u escapes and slashes as \\/, as PHP writes them"),
            Escapes::Html => Some("with <, > and & as escapes, as Go writes them"),
        });
        said.extend(match self.numbers {
            Numbers::Sent => None,
            Numbers::Short => Some("with numbers in their shortest form: 1.0 as 1"),
            Numbers::Floats => Some("with whole numbers as floats: 1 as 1.0"),
            Numbers::Rounded => Some("with numbers rounded to floats"),
            Numbers::Quoted => Some("with its numbers as strings"),
            Numbers::Unquoted => Some("with strings of digits as numbers"),
        });
        said.extend(match self.skip {
            Skip::None => None,
            Skip::Null => Some("without its members that are null"),
            Skip::Empty => Some("without its members that are null or empty"),
        });
        if said.is_empty() {
            said.push(match self.spaces {
                Spaces::Compact => "without white space between its parts",
                Spaces::Python => "with spaces behind commas and colons, as Python's json.dumps",
                Spaces::Colon => "with a space behind its colons",
                Spaces::Comma => "with a space behind its commas",
                Spaces::Indent(_) => "indented over several lines",
            });
        }
        said.join(", and ")
    }

    fn write(&self, value: &Json) -> String {
        let mut out = String::new();
        self.value(value, 0, &mut out);
        out
    }

    fn value(&self, value: &Json, depth: usize, out: &mut String) {
        match value {
            Json::Bare(written) => out.push_str(&self.bare(written)),
            Json::Text { text, .. } if self.numbers == Numbers::Unquoted && is_digits(text) => {
                out.push_str(text);
            }
            Json::Text { text, written } => self.text(text, written, out),
            Json::List(items) => {
                let items: Vec<_> = items.iter().map(|item| (None, item)).collect();
                self.within(('[', ']'), &items, depth, out);
            }
            Json::Object(members) => {
                let mut items: Vec<(Option<&str>, &Json)> =
                    members.iter().map(|(name, value)| (Some(name.as_str()), value)).collect();
                items.retain(|(_, value)| !self.skip.leaves_out(value));
                if self.sorted {
                    items.sort_by_key(|(name, _)| *name);
                }
                self.within(('{', '}'), &items, depth, out);
            }
        }
    }

    fn within(
        &self,
        (open, close): (char, char),
        items: &[(Option<&str>, &Json)],
        depth: usize,
        out: &mut String,
    ) {
        let (comma, colon, line) = match self.spaces {
            Spaces::Compact => (",", ":", None),
            Spaces::Python => (", ", ": ", None),
            Spaces::Colon => (",", ": ", None),
            Spaces::Comma => (", ", ":", None),
            Spaces::Indent(indent) => (",", ": ", Some(indent)),
        };
        let line = line.filter(|_| !items.is_empty());
        let new_line = |out: &mut String, depth: usize| {
            if let Some(indent) = line {
                out.push('\n');
                out.push_str(&indent.repeat(depth));
            }
        };
        out.push(open);
        for (index, (name, value)) in items.iter().enumerate() {
            if index > 0 {
                out.push_str(comma);
            }
            new_line(out, depth + 1);
            if let Some(name) = name {
                let mut written = String::new();
                json::quote(name, &mut written);
                self.text(name, &written, out);
                out.push_str(colon);
            }
            self.value(value, depth + 1, out);
        }
        new_line(out, depth);
        out.push(close);
    }

    fn text(&self, text: &str, written: &str, out: &mut String) {
        if self.escapes == Escapes::Sent {
            out.push_str(written);
            return;
        }
        let mut quoted = String::new();
        json::quote(text, &mut quoted);
        let ascii = matches!(self.escapes, Escapes::Ascii | Escapes::AsciiUpper | Escapes::Php);
        let slashes = matches!(self.escapes, Escapes::Slashes | Escapes::Php);
        for character in quoted.chars() {
            match character {
                '/' if slashes => out.push_str("\\/"),
                '<' | '>' | '&' if self.escapes == Escapes::Html => {
                    out.push_str(&format!("\\u{:04x}", u32::from(character)));
                }
                other if ascii && !other.is_ascii() => {
                    for unit in other.encode_utf16(&mut [0; 2]) {
                        out.push_str(&match self.escapes == Escapes::AsciiUpper {
                            true => format!("\\u{unit:04X}"),
                            false => format!("\\u{unit:04x}"),
                        });
                    }
                }
                other => out.push(other),
            }
        }
    }

    fn bare(&self, written: &str) -> String {
        let number: Option<f64> = written.parse().ok().filter(|_| is_number(written));
        let whole = written.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        match (self.numbers, number) {
            (Numbers::Short, Some(_)) if !whole => short(written),
            (Numbers::Floats, Some(number)) => format!("{number:?}"),
            (Numbers::Rounded, Some(number)) if whole => format!("{number}"),
            (Numbers::Quoted, Some(_)) => format!("\"{written}\""),
            (
                Numbers::Sent
                | Numbers::Short
                | Numbers::Floats
                | Numbers::Rounded
                | Numbers::Quoted
                | Numbers::Unquoted,
                _,
            ) => written.to_owned(),
        }
    }
}

impl Skip {
    fn leaves_out(self, value: &Json) -> bool {
        let null = matches!(value, Json::Bare(written) if written == "null");
        let empty = matches!(value, Json::Text { text, .. } if text.is_empty());
        match self {
            Self::None => false,
            Self::Null => null,
            Self::Empty => null || empty,
        }
    }
}

fn is_number(written: &str) -> bool {
    written.starts_with(|first: char| first.is_ascii_digit() || first == '-')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.len() < 40 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number as JavaScript writes it.
fn short(written: &str) -> String {
    if !written.contains(['e', 'E']) {
        return written.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    written.parse::<f64>().map_or_else(|_| written.to_owned(), |number| number.to_string())
}
