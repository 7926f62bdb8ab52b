//! The texts whose hash goes into `X-API-SIG`: sorted entries of query and body, in two
//! historic shapes, and the base string of the published versions.

use http::Method;

use super::super::json::{self, Object};
use super::super::percent;
use super::super::{Head, SchemeError, Signable};

/// How the text is built.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Canonical {
    /// `[{"a":"1"},{"b":2}]`.
    Objects(Duplicates),
    /// `[["a","1"],["b",2]]`, strings as the historic Python programs wrote them.
    Pairs(Duplicates),
    /// `METHOD&url&parameters`.
    Base(Public),
}

/// What becomes of a name that stands in the query and in the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Duplicates {
    /// The provider says nothing about it, so nothing is sent.
    Refuse,
    /// Both are signed, the query's first.
    KeepBoth,
}

/// The scheme and host that are signed, whatever the way to the provider is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Public {
    /// `https://` and the host of the request.
    Host,
    /// This, in lower case and without a slash at its end.
    Base(String),
}

impl Canonical {
    /// Whether the text has the body in it.
    pub(super) fn reads_body(&self, method: &Method) -> bool {
        match self {
            Self::Objects(_) | Self::Pairs(_) => true,
            Self::Base(_) => [Method::POST, Method::PUT].contains(method),
        }
    }

    /// The text.
    ///
    /// # Errors
    ///
    /// When the provider could read the request in more than one way, or not at all.
    pub(super) fn text(&self, request: Signable<'_>) -> Result<String, SchemeError> {
        match self {
            Self::Objects(duplicates) => objects(&entries(request, *duplicates)?),
            Self::Pairs(duplicates) => pairs(&entries(request, *duplicates)?),
            Self::Base(public) => base(request, public),
        }
    }
}

/// A name and its value, as text of the query or as JSON of the body.
struct Entry {
    name: String,
    value: Value,
}

enum Value {
    Text(String),
    Json(String),
}

fn entries(request: Signable<'_>, duplicates: Duplicates) -> Result<Vec<Entry>, SchemeError> {
    let query = unique_pairs(request.head.query())?;
    let query = query.into_iter().map(|(name, value)| Entry { name, value: Value::Text(value) });
    let mut entries: Vec<_> = query.collect();
    let body = request.body.ok_or(SchemeError::Broken("the body was not collected"))?;
    if !body.is_empty() {
        let object = Object::whole(json::document(body)?)?;
        if let Some(name) = object.repeated() {
            return Err(SchemeError::Body {
                what: format!("has the member {name:?} more than once"),
                remedy: "Write each name once: which value counts is for the provider to guess.",
            });
        }
        for member in object.members {
            let value = Value::Json(member.value.to_owned());
            entries.push(Entry { name: member.name, value });
        }
    }
    // Stable, so that the query's entry stays in front of the body's. Bytes of UTF-8 are in the
    // order of code points.
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let twice = entries.windows(2).find(|pair| pair[0].name == pair[1].name);
    match twice {
        Some(pair) if duplicates == Duplicates::Refuse => Err(SchemeError::Query {
            what: format!("has the name {:?}, and so has the body", pair[0].name),
            remedy: "Write it in one of the two places: the provider does not say which counts. \
                     duplicates = \"keep_both\" signs both.",
        }),
        _ => Ok(entries),
    }
}

/// The pairs of a query whose names are all different.
fn unique_pairs(query: &str) -> Result<Vec<(String, String)>, SchemeError> {
    let pairs = percent::pairs(query)?;
    let mut names: Vec<_> = pairs.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(pairs),
        Some(pair) => Err(SchemeError::Query {
            what: format!("has the name {:?} more than once", pair[0]),
            remedy: "Write each name once; the provider takes no lists.",
        }),
    }
}

fn objects(entries: &[Entry]) -> Result<String, SchemeError> {
    let mut text = String::from("[");
    for (index, entry) in entries.iter().enumerate() {
        text.push_str(if index > 0 { ",{" } else { "{" });
        json::quote(&entry.name, &mut text);
        text.push(':');
        match &entry.value {
            Value::Text(value) => json::quote(value, &mut text),
            Value::Json(value) => json::compact(value, &mut text),
        }
        text.push('}');
    }
    text.push(']');
    Ok(text)
}

fn pairs(entries: &[Entry]) -> Result<String, SchemeError> {
    // The historic programs sorted the signature's own name behind all others.
    let (last, first): (Vec<_>, Vec<_>) =
        entries.iter().partition(|entry| entry.name == "signature");
    let mut text = String::from("[");
    for (index, entry) in first.into_iter().chain(last).enumerate() {
        text.push_str(if index > 0 { ",[" } else { "[" });
        ujson_string(&entry.name, &mut text);
        text.push(',');
        match &entry.value {
            Value::Text(value) => ujson_string(value, &mut text),
            Value::Json(value) => ujson_value(value, &mut text)?,
        }
        text.push(']');
    }
    text.push(']');
    Ok(text)
}

/// A value as it looks after Python's `ujson` has read and written it.
fn ujson_value(value: &str, out: &mut String) -> Result<(), SchemeError> {
    for token in json::tokens(value) {
        if token.starts_with('"') {
            let text = json::string(token).ok_or_else(|| SchemeError::Body {
                what: "has a string with half a surrogate pair".into(),
                remedy: "Write whole characters.",
            })?;
            ujson_string(&text, out);
        } else if token.contains(['.', 'e', 'E']) && !matches!(token, "true" | "false") {
            return Err(SchemeError::Body {
                what: format!("has the number {token}, which the form kv_pairs cannot sign"),
                remedy: "Write a whole number, or a string; how ujson writes others depends on \
                         its version.",
            });
        } else {
            // Python has one zero.
            out.push_str(if token == "-0" { "0" } else { token });
        }
    }
    Ok(())
}

/// A string in ASCII, slashes escaped.
fn ujson_string(text: &str, out: &mut String) {
    let mut quoted = String::new();
    json::quote(text, &mut quoted);
    for character in quoted.chars() {
        match character {
            '/' => out.push_str("\\/"),
            ascii if ascii.is_ascii() => out.push(ascii),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
}

fn base(request: Signable<'_>, public: &Public) -> Result<String, SchemeError> {
    let Signable { head, body } = request;
    let parameters = match head.method {
        Method::GET | Method::DELETE => sorted_query(head)?,
        Method::POST | Method::PUT => {
            let body = body.ok_or(SchemeError::Broken("the body was not collected"))?;
            let text = std::str::from_utf8(body).map_err(|_| SchemeError::Body {
                what: "is not UTF-8".into(),
                remedy: "Send the JSON as UTF-8; it is signed as text.",
            })?;
            text.to_owned()
        }
        _ => {
            let method = head.method.to_string();
            return Err(SchemeError::Method {
                method,
                accepted: &["GET", "DELETE", "POST", "PUT"],
            });
        }
    };
    let url = match public {
        Public::Host => format!("https://{}{}", head.host.to_ascii_lowercase(), head.path()),
        Public::Base(base) => format!("{base}{}", head.path()),
    };
    let mut text = format!("{}&", head.method);
    percent::encode(&url, &mut text);
    text.push('&');
    percent::encode(&parameters, &mut text);
    Ok(text)
}

/// Sorted and encoded anew. It is encoded once more with the rest: values come out encoded twice,
/// which is what the provider expects.
fn sorted_query(head: &Head) -> Result<String, SchemeError> {
    let mut pairs = unique_pairs(head.query())?;
    pairs.sort();
    let mut text = String::new();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            text.push('&');
        }
        percent::encode(name, &mut text);
        text.push('=');
        percent::encode(value, &mut text);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn text(canonical: &Canonical, request: &str, body: &str) -> Result<String, SchemeError> {
        let (method, target) = request.split_once(' ').expect("a method and a target");
        let head = Head {
            method: method.parse().expect("a method"),
            host: "API.loopring.io".into(),
            target: target.parse().expect("a target"),
            headers: http::HeaderMap::new(),
        };
        let body = Bytes::copy_from_slice(body.as_bytes());
        canonical.text(Signable { head: &head, body: Some(&body) })
    }

    #[test]
    fn entries_are_sorted_and_values_stay_as_they_are() {
        let objects = Canonical::Objects(Duplicates::Refuse);
        for (request, body, expected) in [
            ("GET /x?b=&&a", "", "[{\"a\":\"\"},{\"b\":\"\"}]"),
            ("POST /x", "{}", "[]"),
            ("POST /x", " { } ", "[]"),
            (
                "POST /x",
                "{\"b\":[ 1.0 , 1E3,-0],\"a\":\" \\/\\u8DEF \"}",
                "[{\"a\":\" \\/\\u8DEF \"},{\"b\":[1.0,1E3,-0]}]",
            ),
            (
                "POST /x",
                "{\"b\":{\"y\": 1, \"x\" :2, \"y\":3}}",
                "[{\"b\":{\"y\":1,\"x\":2,\"y\":3}}]",
            ),
            // A name is compared and written decoded; a value is not.
            (
                "POST /x?b=%22%01%2F",
                "{\"\\u0061\\/\":null}",
                "[{\"a/\":null},{\"b\":\"\\\"\\u0001/\"}]",
            ),
            // Code points, not UTF-16: U+FF01 is before U+1F511.
            (
                "GET /x?%F0%9F%94%91=1&%EF%BC%81=2",
                "",
                "[{\"\u{ff01}\":\"2\"},{\"\u{1f511}\":\"1\"}]",
            ),
        ] {
            assert_eq!(text(&objects, request, body).as_deref(), Ok(expected), "{request} {body}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let objects = Canonical::Objects(Duplicates::Refuse);
        for (request, body, words) in [
            ("GET /x?a=1&%61=2", "", "the query has the name \"a\" more than once"),
            ("POST /x", "{\"a\":1,\"\\u0061\":1}", "the body has the member \"a\" more than once"),
            ("POST /x?a=1", "{\"\\u0061\":1}", "the query has the name \"a\", and so has the body"),
            ("POST /x?a=%f", "{}", "without two hex digits"),
            ("POST /x", "{} 1", "trailing characters"),
            ("POST /x", " ", "is not JSON"),
            ("POST /x", "null", "is null, not an object"),
        ] {
            let why = text(&objects, request, body).expect_err(words).to_string();
            assert!(why.contains(words), "{request} {body}: {why}");
        }
        let both = Canonical::Objects(Duplicates::KeepBoth);
        let kept = text(&both, "POST /x?b=0&a=1", "{\"a\":2}");
        assert_eq!(kept.as_deref(), Ok("[{\"a\":\"1\"},{\"a\":2},{\"b\":\"0\"}]"));
        assert!(text(&both, "POST /x?a=1&a=2", "").is_err());
        assert!(text(&both, "POST /x", "{\"a\":1,\"a\":2}").is_err());
    }

    #[test]
    fn pairs_are_written_as_ujson_writes_them() {
        let pairs = Canonical::Pairs(Duplicates::Refuse);
        for (request, body, expected) in [
            (
                "GET /x?z=1&signature=2&t=%F0%9F%94%91",
                "",
                r#"[["t","\ud83d\udd11"],["z","1"],["signature","2"]]"#,
            ),
            (
                "POST /x",
                r#"{"a": [ -0, 12, true, null, "\/\u8DEF" ]}"#,
                r#"[["a",[0,12,true,null,"\/\u8def"]]]"#,
            ),
        ] {
            assert_eq!(text(&pairs, request, body).as_deref(), Ok(expected), "{request}");
        }
        for number in ["1.0", "1e3", "[{\"x\":1E3}]"] {
            let body = format!("{{\"a\":{number}}}");
            assert!(text(&pairs, "POST /x", &body).is_err(), "{number}");
        }
    }

    #[test]
    fn base_strings_have_a_method_a_url_and_parameters() {
        let host = Canonical::Base(Public::Host);
        for (request, body, expected) in [
            (
                "GET /a%20b?y=%2C&x=a+b",
                "unsigned",
                "GET&https%3A%2F%2Fapi.loopring.io%2Fa%2520b&x%3Da%2520b%26y%3D%252C",
            ),
            ("DELETE /x?", "", "DELETE&https%3A%2F%2Fapi.loopring.io%2Fx&"),
            (
                "PUT /x?unsigned=1",
                "{\"a\": \"é\"}",
                "PUT&https%3A%2F%2Fapi.loopring.io%2Fx&%7B%22a%22%3A%20%22%C3%A9%22%7D",
            ),
        ] {
            assert_eq!(text(&host, request, body).as_deref(), Ok(expected), "{request}");
        }
        let given = Canonical::Base(Public::Base("https://api3.loopring.io".into()));
        let found = text(&given, "GET /x", "");
        assert_eq!(found.as_deref(), Ok("GET&https%3A%2F%2Fapi3.loopring.io%2Fx&"));
        assert!(matches!(text(&host, "PATCH /x", ""), Err(SchemeError::Method { .. })));
        assert!(matches!(text(&host, "GET /x?a=1&a=1", ""), Err(SchemeError::Query { .. })));
    }
}
