//! A captured request taken apart: which of its values are clocks, nonces, identifiers and
//! signatures, by what they look like and what they are called.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::captured::Captured;
use crate::keys::PublicKey;
use crate::scheme::declared::clock::CLOCKS;
use crate::scheme::declared::encode::unpercent;
use crate::scheme::declared::slot::PUBLICS;

/// Where a value stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum To {
    Header,
    Query,
    Form,
}

/// A header or a field, as literals and values.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) to: To,
    pub(super) name: String,
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Literal(String),
    /// A value, by index.
    Value(usize),
}

/// A value of the request.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// What a file calls it.
    pub(super) name: String,
    /// The header, field or part of a header that it is in.
    pub(super) label: String,
    pub(super) to: To,
    pub(super) text: String,
    pub(super) what: What,
}

/// What a value is taken for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum What {
    /// A clock, by its word, and what is added to it.
    Clock(&'static str, Option<String>),
    /// A nonce, by its form.
    Nonce(String),
    /// An identifier, which is a secret of the file.
    Id,
    /// A small setting, as a window of milliseconds: a param.
    Window,
    /// The public key, in this form.
    Public(&'static str),
    /// Something that is the same in each request.
    Fixed,
}

/// Headers that are any request's. `Date` is not among them: some sign it.
const USUAL: &[&str] = &[
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "origin",
    "pragma",
    "referer",
    "transfer-encoding",
];

/// What numbers are called that are clocks.
const TIMES: &[&str] = &["time", "stamp", "ts", "date", "nonce", "expir", "exp"];

/// The fields of the scheme and their values.
pub(super) fn take(
    captured: &Captured,
    keys: &[PublicKey],
    at: Option<u64>,
) -> (Vec<Field>, Vec<Seen>) {
    let (mut fields, mut seen) = (Vec::new(), Vec::new());
    let mut add = |to, name: &str, pieces: Vec<Piece>| {
        let parts = pieces.into_iter().map(|piece| match piece {
            Piece::Literal(text) => Part::Literal(text),
            Piece::Value(label, text) => {
                let what = what(&label, &text, keys, at);
                let id = named(&label, &seen);
                seen.push(Seen { name: id, label, to, text, what });
                Part::Value(seen.len() - 1)
            }
        });
        let parts = parts.collect();
        fields.push(Field { to, name: name.to_owned(), parts });
    };
    for (name, value) in &captured.head.headers {
        let (name, value) = (name.as_str(), value.to_str().unwrap_or_default());
        if !USUAL.contains(&name) && !value.is_empty() {
            add(To::Header, name, pieces(name, value));
        }
    }
    for (to, text) in [(To::Query, captured.head.query().as_bytes()), (To::Form, captured.form())] {
        for (name, value) in split(text) {
            if is_scheme_field(&name, &value) {
                add(to, &name, vec![Piece::Value(name.clone(), value)]);
            }
        }
    }
    second_clocks(&mut seen);
    (fields, seen)
}

enum Piece {
    Literal(String),
    /// A name and what it is.
    Value(String, String),
}

/// A header as one value, as a word and a value, or as a list of `name=value`.
fn pieces(name: &str, value: &str) -> Vec<Piece> {
    let (word, rest) = match value.split_once(' ') {
        Some((word, rest)) if !word.contains(['=', ',', ':']) => (format!("{word} "), rest),
        _ => (String::new(), value),
    };
    let parts: Vec<&str> = rest.split_inclusive([',', ';']).collect();
    let pair = |part: &str| {
        let end = part.len() - part.trim_end_matches([',', ';']).len();
        let (body, tail) = part.split_at(part.len() - end);
        let start = body.len() - body.trim_start().len();
        let (own, value) = body[start..].split_once('=')?;
        let plain = own.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let quote = if quoted.is_some() { "\"" } else { "" };
        let before = format!("{}{own}={quote}", &body[..start]);
        let value = quoted.unwrap_or(value);
        let whole = plain && !own.is_empty() && !value.contains('=') || quoted.is_some();
        whole.then(|| (before, own.to_owned(), value.to_owned(), format!("{quote}{tail}")))
    };
    let pairs: Option<Vec<_>> = parts.iter().map(|part| pair(part)).collect();
    let mut out = Vec::new();
    let mut literal = word.clone();
    if let Some(pairs) = pairs.filter(|pairs| pairs.len() > 1) {
        for (before, own, value, after) in pairs {
            literal.push_str(&before);
            out.push(Piece::Literal(std::mem::replace(&mut literal, after)));
            out.push(Piece::Value(own, value));
        }
        out.push(Piece::Literal(literal));
    } else if ["bearer ", "hmac ", "token "].contains(&&*word.to_ascii_lowercase()) {
        out.extend([Piece::Literal(word), Piece::Value(name.into(), rest.into())]);
    } else {
        out.push(Piece::Value(name.into(), value.into()));
    }
    out.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    out
}

/// Names and values of a query or a form, decoded.
pub(super) fn split(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    let decoded = |part: &[u8]| String::from_utf8_lossy(&unpercent(part, true)).into_owned();
    text.split(|byte| *byte == b'&').filter(|part| !part.is_empty()).map(move |part| {
        let middle = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
        (decoded(&part[..middle]), decoded(part.get(middle + 1..).unwrap_or_default()))
    })
}

/// Whether a field of a query or a form is the scheme's, by its name: what else stands there is the
/// program's.
fn is_scheme_field(name: &str, value: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let time = ["timestamp", "nonce", "ts", "time", "expires"].contains(&&*lower);
    let key = ["apikey", "api_key", "access_key", "accesskeyid", "accesskey"].contains(&&*lower);
    is_signature(&lower) || key || (time && (clock(value).is_some() || lower == "nonce"))
}

pub(super) fn is_signature(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    ["sign", "sig", "hmac", "mac"].iter().any(|word| label.contains(word))
        && !label.contains("method")
        && !label.contains("version")
}

fn what(label: &str, text: &str, keys: &[PublicKey], at: Option<u64>) -> What {
    let lower = label.to_ascii_lowercase();
    let public = |key: &PublicKey| {
        let found = PUBLICS.iter().find(|(_, write)| write(key) == text);
        found.map(|(word, _)| word.name)
    };
    if let Some(form) = keys.iter().filter(|key| !key.algorithm().is_shared()).find_map(public) {
        return What::Public(form);
    }
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let nonce = ["nonce", "uuid", "jti", "salt"].iter().any(|word| lower.contains(word));
    let timed = TIMES.iter().any(|word| lower.contains(word));
    match clock(text).filter(|_| timed || !digits) {
        Some(word) if nonce && digits => return What::Nonce(format!("increasing{}", unit(word))),
        Some(word) if lower.contains("expir") || lower == "exp" => {
            return What::Clock(word, Some(later(text, word, at)));
        }
        Some(word) => return What::Clock(word, None),
        None => {}
    }
    if nonce && let Some(form) = nonce_form(text) {
        return What::Nonce(form);
    }
    if digits && text.len() <= 7 && (lower.contains("window") || lower.contains("recv")) {
        return What::Window;
    }
    let flag = ["true", "false"].contains(&text);
    if flag || digits && text.len() <= 4 { What::Fixed } else { What::Id }
}

/// The clock that writes such a text, in this century.
pub(super) fn clock(text: &str) -> Option<&'static str> {
    let found = CLOCKS.iter().find(|row| {
        let number = text.bytes().all(|byte| byte.is_ascii_digit());
        let long = match row.word.name {
            "unix" => number && text.len() == 10,
            "unix_ms" => number && text.len() == 13,
            "unix_us" => number && text.len() == 16,
            "unix_ns" => number && text.len() == 19,
            "date" | "date_basic" => false,
            _ => !number,
        };
        long && row.read(text).is_some_and(|unix_ms| unix_ms > 1_000_000_000_000)
    });
    found.map(|row| row.word.name)
}

fn unit(clock: &str) -> &str {
    match clock {
        "unix" => "_s",
        other => other.strip_prefix("unix").unwrap_or_default(),
    }
}

/// How much later than the request a clock is; a minute, where nobody knows.
fn later(text: &str, word: &str, at: Option<u64>) -> String {
    let row = CLOCKS.iter().find(|row| row.word.name == word);
    let unix_ms = row.and_then(|row| row.read(text));
    let later = unix_ms.zip(at).and_then(|(unix_ms, at)| (unix_ms + 999).checked_sub(at));
    format!("{}s", later.map_or(60, |ms| ms / 1000))
}

/// The form of a nonce that such a text is one of.
pub(super) fn nonce_form(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let all = |fits: fn(&u8) -> bool| bytes.iter().all(fits);
    if bytes.len() == 36 && text.matches('-').count() == 4 {
        return Some("uuid".into());
    }
    if !(8..=64).contains(&bytes.len()) {
        return None;
    }
    let form = if all(u8::is_ascii_digit) {
        "digits"
    } else if all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)) {
        "hex"
    } else if all(u8::is_ascii_alphanumeric) {
        "alnum"
    } else {
        return None;
    };
    Some(format!("{form}{}", bytes.len()))
}

/// A number called nonce beside a clock need not increase.
fn second_clocks(seen: &mut [Seen]) {
    if seen.iter().any(|own| matches!(own.what, What::Clock(..))) {
        for own in seen {
            if matches!(&own.what, What::Nonce(form) if form.starts_with("increasing")) {
                own.what = What::Nonce(format!("digits{}", own.text.len()));
            }
        }
    }
}

/// A name for a value: that of its header or field, and one that no other has.
fn named(label: &str, seen: &[Seen]) -> String {
    const TAKEN: &[&str] = &[
        "signer",
        "signature",
        "text",
        "fields",
        "said",
        "method",
        "scheme",
        "host",
        "path",
        "query",
        "target",
        "url",
        "body",
    ];
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let mut name: String = label.chars().map(plain).collect();
    if let Some(rest) = name.strip_prefix("x_") {
        name = rest.to_owned();
    }
    while TAKEN.contains(&&*name) || seen.iter().any(|own| own.name == name) {
        name.push_str("_sent");
    }
    name
}

/// A compact JSON Web Token's parts, where a text is one.
pub(super) fn token(text: &str) -> Option<(serde_json::Value, serde_json::Value, Vec<u8>)> {
    let mut parts = text.split('.');
    let mut next = || URL_SAFE_NO_PAD.decode(parts.next()?).ok();
    let (header, claims, signature) = (next()?, next()?, next()?);
    let json = |bytes: Vec<u8>| serde_json::from_slice(&bytes).ok();
    Some((json(header)?, json(claims)?, signature))
}
