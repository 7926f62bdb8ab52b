//! Functions in a hole, `{body | sha512 | hex}`: each a row, each of bytes to bytes.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::encode::{ENCODINGS, form, percent, unpercent};
use super::word::{Row, Word, Wrong};
use crate::document::choose;

/// A function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) word: Word,
    pub(super) takes: Takes,
    apply: fn(&[u8], &Argument) -> Outcome,
}

impl Row for Function {
    fn word(&self) -> &Word {
        &self.word
    }
}

/// What stands behind a function's colon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Takes {
    Nothing,
    Text,
    Number,
    /// Two texts with `~` between them.
    Pair,
}

/// An argument as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Argument {
    text: Vec<u8>,
    with: Vec<u8>,
    number: usize,
}

/// The bytes; or why there are none, to be read after what the hole names.
pub(super) type Outcome = Result<Vec<u8>, &'static str>;

/// A function with its argument.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) function: Called,
    argument: Argument,
}

/// What is called: a function, or an encoding as one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Called {
    Function(&'static Function),
    Encoding(&'static super::encode::Encoding),
}

const fn row(word: Word, takes: Takes, apply: fn(&[u8], &Argument) -> Outcome) -> Function {
    Function { word, takes, apply }
}

/// Every function but the encodings.
pub(crate) static FUNCTIONS: &[Function] = &[
    row(
        Word::new("lower", "ASCII letters in lower case.", "{host | lower}"),
        Takes::Nothing,
        |b, _| Ok(b.to_ascii_lowercase()),
    ),
    row(
        Word::new("upper", "ASCII letters in upper case.", "{symbol | upper}"),
        Takes::Nothing,
        |b, _| Ok(b.to_ascii_uppercase()),
    ),
    row(
        Word::new("md5", "MD5, 16 bytes; for providers that know no other.", "{body | md5 | hex}"),
        Takes::Nothing,
        hash::<Md5>,
    ),
    row(
        Word::new(
            "sha1",
            "SHA-1, 20 bytes; for providers that know no other.",
            "{body | sha1 | hex}",
        ),
        Takes::Nothing,
        hash::<Sha1>,
    ),
    row(
        Word::new("sha256", "SHA-256, 32 bytes.", "{body | sha256 | hex}"),
        Takes::Nothing,
        hash::<Sha256>,
    ),
    row(
        Word::new("sha384", "SHA-384, 48 bytes.", "{body | sha384 | hex}"),
        Takes::Nothing,
        hash::<Sha384>,
    ),
    row(
        Word::new("sha512", "SHA-512, 64 bytes.", "{body | sha512 | hex}"),
        Takes::Nothing,
        hash::<Sha512>,
    ),
    row(
        Word::new(
            "percent",
            "Percent-encoded, but for RFC 3986's unreserved characters.",
            "{url | percent}",
        ),
        Takes::Nothing,
        |b, _| Ok(coded(b, |b, out| percent(b, b"", out))),
    ),
    row(
        Word::new(
            "percent_form",
            "Encoded as in HTML forms: a space is +.",
            "{text | percent_form}",
        ),
        Takes::Nothing,
        |b, _| Ok(coded(b, form)),
    ),
    row(
        Word::new(
            "percent_decode",
            "Percent signs and their two hex digits decoded; + stays.",
            "{query | percent_decode}",
        ),
        Takes::Nothing,
        |b, _| Ok(unpercent(b, false)),
    ),
    row(
        Word::new(
            "path_encode",
            "Percent-encoded once more, but for slashes.",
            "{path | path_encode}",
        ),
        Takes::Nothing,
        |b, _| Ok(coded(b, |b, out| percent(b, b"/", out))),
    ),
    row(
        Word::new("unhex", "Hex decoded, of either case.", "{param | unhex}"),
        Takes::Nothing,
        |b, _| base16ct::mixed::decode_vec(b).map_err(|_| "is not hex"),
    ),
    row(
        Word::new("unbase64", "Base64 with padding decoded.", "{param | unbase64}"),
        Takes::Nothing,
        |b, _| {
            let text = str::from_utf8(b).ok();
            text.and_then(|text| (base64_row().read)(text)).ok_or("is not base64")
        },
    ),
    row(
        Word::new(
            "after",
            "What stands behind this beginning; refused where it begins otherwise.",
            "{path | after:/derivatives}",
        ),
        Takes::Text,
        |b, a| {
            b.strip_prefix(&a.text[..])
                .map(<[u8]>::to_vec)
                .ok_or("does not begin as the scheme has it")
        },
    ),
    row(
        Word::new("prefix", "This text before it, where there is something.", "{query | prefix:?}"),
        Takes::Text,
        |b, a| Ok(if b.is_empty() { Vec::new() } else { [&a.text, b].concat() }),
    ),
    row(
        Word::new(
            "begins_with",
            "This text before it, where it does not begin so.",
            "{path | begins_with:/}",
        ),
        Takes::Text,
        |b, a| Ok(if b.starts_with(&a.text) { b.to_vec() } else { [&a.text, b].concat() }),
    ),
    row(
        Word::new(
            "ends_with",
            "This text behind it, where it does not end so.",
            "{path | ends_with:/}",
        ),
        Takes::Text,
        |b, a| Ok(if b.ends_with(&a.text) { b.to_vec() } else { [b, &a.text].concat() }),
    ),
    row(
        Word::new("first", "The first so many bytes.", "{body | first:131072}"),
        Takes::Number,
        |b, a| Ok(b[..b.len().min(a.number)].to_vec()),
    ),
    row(Word::new("swap", "Each A replaced by B.", "{text | swap:+~%20}"), Takes::Pair, |b, a| {
        Ok(swap(b, &a.text, &a.with))
    }),
    row(
        Word::new("without", "Without these characters.", "{body | without: }"),
        Takes::Text,
        |b, a| Ok(b.iter().copied().filter(|byte| !a.text.contains(byte)).collect()),
    ),
    row(
        Word::new("trim", "Without ASCII white space at its ends.", "{header.x-note | trim}"),
        Takes::Nothing,
        |b, _| Ok(b.trim_ascii().to_vec()),
    ),
    row(
        Word::new(
            "if_any",
            "Nothing stays nothing: what follows is left out where there is none.",
            "{body | if_any | sha256 | hex}",
        ),
        Takes::Nothing,
        |b, _| Ok(b.to_vec()),
    ),
    row(
        Word::new(
            "blank_is_empty",
            "Nothing, where there is but ASCII white space.",
            "{body | blank_is_empty}",
        ),
        Takes::Nothing,
        |b, _| {
            // As Java and Go see it: a vertical tab is none.
            let blank = b.iter().all(u8::is_ascii_whitespace);
            Ok(if blank { Vec::new() } else { b.to_vec() })
        },
    ),
];

impl Call {
    /// Reads `name` or `name:argument`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and the nearest function that there is.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let (name, behind) = match text.split_once(':') {
            Some((name, behind)) => (name, Some(behind)),
            None => (text, None),
        };
        let function = FUNCTIONS.iter().find(|row| row.word.name == name).map(Called::Function);
        let encoding = ENCODINGS.iter().find(|row| row.word.name == name).map(Called::Encoding);
        let Some(function) = function.or(encoding) else {
            let names: Vec<&str> = names().collect();
            let what = format!("{} is not a function", crate::document::quoted(name));
            return Err((what, choose(name, &names)));
        };
        let takes = match function {
            Called::Function(function) => function.takes,
            Called::Encoding(_) => Takes::Nothing,
        };
        let example = function.word().example;
        let wrong = |what: &str| (format!("{name} {what}"), format!("write it as in {example}"));
        let mut argument = Argument::default();
        match (takes, behind) {
            (Takes::Nothing, None) => {}
            (Takes::Nothing, Some(_)) => return Err(wrong("takes no argument")),
            (_, None | Some("")) => return Err(wrong("needs an argument behind a colon")),
            (Takes::Text, Some(text)) => argument.text = text.into(),
            (Takes::Number, Some(text)) => {
                argument.number = text.parse().map_err(|_| wrong("needs a whole number"))?;
            }
            (Takes::Pair, Some(text)) => {
                let pair = text.split_once('~').filter(|(from, _)| !from.is_empty());
                let (from, with) = pair.ok_or_else(|| wrong("needs two texts with ~ between"))?;
                (argument.text, argument.with) = (from.into(), with.into());
            }
        }
        Ok(Self { function, argument })
    }

    /// Its value for these bytes.
    ///
    /// # Errors
    ///
    /// Why it has none.
    pub(super) fn apply(&self, bytes: &[u8]) -> Outcome {
        match self.function {
            Called::Function(function) => (function.apply)(bytes, &self.argument),
            Called::Encoding(row) if row.word.name == "base58" && bytes.len() > 512 => {
                Err("is too long for base58, whose time is the square of the length")
            }
            Called::Encoding(row) => Ok((row.write)(bytes).into_bytes()),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.function.word().name
    }

    /// How often something can be in its value that is `growth` times in its bytes.
    pub(super) fn growth(&self, growth: u64) -> u64 {
        let (from, with) = (self.argument.text.len() as u64, self.argument.with.len() as u64);
        match (self.function, self.name()) {
            (_, "md5" | "sha1" | "sha256" | "sha384" | "sha512") => 1,
            (_, "percent" | "percent_form" | "path_encode") => growth.saturating_mul(3),
            (_, "swap") => growth.saturating_mul(with.div_ceil(from.max(1)).max(1)),
            (Called::Function(_), _) if from > 0 => growth.saturating_add(1),
            (Called::Function(_), _) => growth,
            (Called::Encoding(_), _) => growth.saturating_mul(2),
        }
    }

    /// How many bytes of the file it holds.
    pub(super) fn literal(&self) -> usize {
        self.argument.text.len() + self.argument.with.len()
    }
}

impl Called {
    fn word(self) -> &'static Word {
        match self {
            Self::Function(function) => &function.word,
            Self::Encoding(encoding) => &encoding.word,
        }
    }
}

/// The names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let encodings = ENCODINGS.iter().map(|row| row.word.name);
    FUNCTIONS.iter().map(|row| row.word.name).chain(encodings)
}

fn base64_row() -> &'static super::encode::Encoding {
    ENCODINGS.iter().find(|row| row.word.name == "base64").expect("it is a row")
}

fn hash<H: Digest>(bytes: &[u8], _: &Argument) -> Outcome {
    Ok(H::digest(bytes).to_vec())
}

fn coded(bytes: &[u8], code: fn(&[u8], &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 4);
    code(bytes, &mut out);
    out
}

/// Each `from` replaced by `with`. Both are short, so that the time is that of the bytes.
fn swap(mut bytes: &[u8], from: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    while let [first, rest @ ..] = bytes {
        if let Some(behind) = bytes.strip_prefix(from) {
            out.extend_from_slice(with);
            bytes = behind;
        } else {
            out.push(*first);
            bytes = rest;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_do_what_they_say() {
        for (call, from, to) in [
            ("lower", "aB", "ab"),
            ("upper", "aB", "AB"),
            ("percent", "a b/ü~", "a%20b%2F%C3%BC~"),
            ("percent_form", "a b*", "a+b*"),
            ("percent_decode", "a%20b+%2", "a b+%2"),
            ("path_encode", "/a%20b", "/a%2520b"),
            ("unhex", "6Ab0", "j\u{b0}"),
            ("after:/x", "/x/y", "/y"),
            ("prefix:?", "", ""),
            ("prefix:?", "a", "?a"),
            ("begins_with:/", "/a", "/a"),
            ("ends_with:/", "/a", "/a/"),
            ("first:2", "abc", "ab"),
            ("first:9", "abc", "abc"),
            ("swap:ab~c", "abab", "cc"),
            ("swap:a~", "aba", "b"),
            ("without: \n", "a b\nc", "abc"),
            ("trim", " a ", "a"),
            ("blank_is_empty", " \n", ""),
            ("hex", "j", "6a"),
            ("base58", "hello", "Cn8eVZg"),
            ("base64url", "??>", "Pz8-"),
        ] {
            let found = Call::parse(call).expect(call).apply(from.as_bytes()).expect(call);
            let found: String = match str::from_utf8(&found) {
                Ok(text) => text.to_owned(),
                Err(_) => found.iter().map(|byte| char::from(*byte)).collect(),
            };
            assert_eq!(found, to, "{call}");
        }
    }

    #[test]
    fn hashes_are_those_of_the_standards() {
        for (call, expected) in [
            ("md5", "900150983cd24fb0d6963f7d28e17f72"),
            ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            let found = Call::parse(call).unwrap().apply(b"abc").unwrap();
            assert_eq!(base16ct::lower::encode_string(&found), expected, "{call}");
        }
    }

    #[test]
    fn what_is_no_call_says_what_was_meant() {
        for (call, what, fix) in [
            ("sha265", "\"sha265\" is not a function", "write sha256"),
            ("hex:1", "hex takes no argument", "write it as in {body | sha256 | hex}"),
            (
                "first",
                "first needs an argument behind a colon",
                "write it as in {body | first:131072}",
            ),
            ("swap:a", "swap needs two texts with ~ between", "write it as in {text | swap:+~%20}"),
        ] {
            let (found, meant) = Call::parse(call).expect_err(call);
            assert_eq!((found.as_str(), meant.as_str()), (what, fix));
        }
    }

    #[test]
    fn what_cannot_be_applied_says_why() {
        for (call, from) in [("after:/x", "/y"), ("unhex", "zz"), ("unbase64", "a")] {
            assert!(Call::parse(call).unwrap().apply(from.as_bytes()).is_err(), "{call}");
        }
        assert!(Call::parse("base58").unwrap().apply(&[1; 513]).is_err());
    }
}
