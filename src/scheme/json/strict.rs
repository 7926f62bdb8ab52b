//! JSON as those who decide about money must read it: strict, bounded, and with one meaning.
//!
//! serde_json keeps the last of two members of one name and turns numbers into floats. Another
//! reader may keep the first, or match names without regard to case, and would act on something
//! that was not looked at here. So a name that stands twice is an error, numbers stay the text
//! they are, and [`Object::member`] refuses a name that others would take for the one it looks for.

use std::borrow::Cow;
use std::ops::Range;

use super::{Object, document, elements, string};

/// A value; texts without escapes are borrowed, what is inside an array is read when it is asked.
#[derive(Debug)]
pub(in crate::scheme) enum Value<'t> {
    Null,
    Bool,
    /// As it is written.
    Number(&'t str),
    String(Cow<'t, str>),
    Array(Vec<&'t str>),
    Object(Object<'t>),
}

/// Why a text is not read. To be read after the name of the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(in crate::scheme) enum JsonError {
    #[error("is longer than {LONGEST} bytes")]
    TooLong,
    #[error("is nested deeper than {DEEPEST} levels")]
    TooDeep,
    #[error("has two members of one name, and readers differ in which of them counts")]
    Twice,
    #[error("is not JSON")]
    Malformed,
}

/// A member's name that differs from the one asked for in case only, or stands beside it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::scheme) struct Alike;

/// Bytes of a text. A request with more is none of a node.
const LONGEST: usize = 1 << 20;

/// Arrays and objects inside each other.
const DEEPEST: usize = 32;

/// Reads a whole text: one value with white space around it.
///
/// # Errors
///
/// What readers could differ on, anywhere in it, or that it is no JSON at all.
pub(in crate::scheme) fn parse(text: &str) -> Result<Value<'_>, JsonError> {
    if text.len() > LONGEST {
        return Err(JsonError::TooLong);
    }
    let text = document(text.as_bytes()).map_err(|_| JsonError::Malformed)?;
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    check(text, 0..text.len(), 0)?;
    value(text)
}

/// Looks for what has two meanings, in every value of a text.
fn check(text: &str, at: Range<usize>, depth: usize) -> Result<(), JsonError> {
    match text.as_bytes()[at.start] {
        b'{' | b'[' if depth == DEEPEST => Err(JsonError::TooDeep),
        b'{' => {
            let object = Object::at(text, at).map_err(|_| JsonError::Malformed)?;
            if object.repeated().is_some() {
                return Err(JsonError::Twice);
            }
            object.members.iter().try_for_each(|member| check(text, member.at.clone(), depth + 1))
        }
        b'[' => {
            let items = elements(text, at).unwrap_or_default();
            items.into_iter().try_for_each(|item| check(text, item, depth + 1))
        }
        // Half a surrogate pair stands for nothing.
        b'"' => string(&text[at]).map(drop).ok_or(JsonError::Malformed),
        _ => Ok(()),
    }
}

/// A value inside a text that was parsed.
///
/// # Errors
///
/// None for such a text.
pub(in crate::scheme) fn value(written: &str) -> Result<Value<'_>, JsonError> {
    Ok(match written.as_bytes().first() {
        Some(b'{') => Value::Object(Object::whole(written).map_err(|_| JsonError::Malformed)?),
        Some(b'[') => {
            let items = elements(written, 0..written.len()).unwrap_or_default();
            Value::Array(items.into_iter().map(|at| &written[at]).collect())
        }
        Some(b'"') if !written.contains('\\') => {
            Value::String(Cow::Borrowed(written.trim_matches('"')))
        }
        Some(b'"') => Value::String(Cow::Owned(string(written).ok_or(JsonError::Malformed)?)),
        Some(b't' | b'f') => Value::Bool,
        Some(b'n') => Value::Null,
        _ => Value::Number(written),
    })
}

impl<'t> Object<'t> {
    /// The value of a member of an object that was parsed; `None` when it is not there or `null`.
    ///
    /// # Errors
    ///
    /// When another reader could take another member for it.
    pub(in crate::scheme) fn member(&self, name: &str) -> Result<Option<Value<'t>>, Alike> {
        let mut alike = self.members.iter().filter(|member| is_alike(&member.name, name));
        match (alike.next(), alike.next()) {
            (None, _) => Ok(None),
            (Some(found), None) if found.value == "null" => Ok(None),
            (Some(found), None) if found.name == name => {
                value(found.value).map(Some).map_err(|_| Alike)
            }
            _ => Err(Alike),
        }
    }

    /// The names of its members.
    pub(in crate::scheme) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.name.as_str())
    }

    /// Whether it can be read in one way only: no name stands twice, and none is another spelling
    /// of one of these.
    pub(in crate::scheme) fn is_plain(&self, names: &[&str]) -> bool {
        let twin = |found: &str| names.iter().any(|name| found != *name && is_alike(found, name));
        self.repeated().is_none() && !self.names().any(twin)
    }
}

/// Whether Go, in which nodes and servers are written, takes this name for one in lower case: it
/// also knows the two letters outside ASCII whose other case is inside.
fn is_alike(found: &str, name: &str) -> bool {
    let folded = found.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    folded.eq(name.chars())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Theirs;

    use super::*;

    #[test]
    fn what_others_might_read_otherwise_is_not_read() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        let long = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        let table = [
            (r#"{"a":1,"b":{"a":2}}"#.to_owned(), None),
            (r#"{"a":1,"a":1}"#.into(), Some(JsonError::Twice)),
            (r#"[{"x":{"a":1,"b":2,"\u0061":3}}]"#.into(), Some(JsonError::Twice)),
            (deep(DEEPEST), None),
            (deep(DEEPEST + 1), Some(JsonError::TooDeep)),
            ("[".repeat(LONGEST), Some(JsonError::Malformed)),
            (r#"{"a":"#.repeat(100_000), Some(JsonError::Malformed)),
            (long(LONGEST), None),
            (long(LONGEST + 1), Some(JsonError::TooLong)),
            (r#""\ud83d\ude00""#.into(), None),
            (r#""\ud83d""#.into(), Some(JsonError::Malformed)),
            (r#""\ud83d\u0041""#.into(), Some(JsonError::Malformed)),
            (r#""\ude00""#.into(), Some(JsonError::Malformed)),
        ];
        for (text, error) in table {
            assert_eq!(parse(&text).err(), error, "{}", &text[..text.len().min(60)]);
        }
        let malformed = [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "01",
            "-",
            "1.",
            ".5",
            "+1",
            "1e",
            "0x1",
            "NaN",
            "Infinity",
            "tru",
            "null null",
            "1 2",
            "[1 2]",
            "\"\n\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"a",
            "\u{feff}1",
            "\u{a0}1",
            "/* */1",
            "{\"a\"}",
            "{1:2}",
            "\"\\u+123\"",
            "[\"é\\u00e\"]",
        ];
        for text in malformed {
            assert_eq!(parse(text).err(), Some(JsonError::Malformed), "{text}");
        }
    }

    #[test]
    fn a_member_is_found_by_its_exact_name_or_not_at_all() {
        let table = [
            (r#"{"task_id":1}"#, Ok(true)),
            (r#"{"task_id":null}"#, Ok(false)),
            (r#"{"task":1,"task_ids":2}"#, Ok(false)),
            (r#"{"Task_ID":1}"#, Err(Alike)),
            (r#"{"task_id":1,"TASK_ID":2}"#, Err(Alike)),
            (r#"{"task_id":null,"TASK_ID":2}"#, Err(Alike)),
            // The long s and the sign for kelvin.
            ("{\"ta\u{17f}k_id\":1}", Err(Alike)),
            ("{\"tas\u{212a}_id\":1}", Err(Alike)),
            // Cyrillic: nobody takes it for the Latin letter.
            ("{\"t\u{430}sk_id\":1}", Ok(false)),
        ];
        for (text, found) in table {
            let Ok(Value::Object(object)) = parse(text) else { panic!("{text}") };
            assert_eq!(object.member("task_id").map(|value| value.is_some()), found, "{text}");
        }
    }

    #[test]
    fn what_go_would_read_otherwise_is_not_plain() {
        for (text, plain) in [
            (r#"{"action":1,"other":2,"OTHER":3}"#, true),
            ("{\"a\u{441}tion\":1}", true),
            (r#"{"action":1,"action":1}"#, false),
            (r#"{"action":1,"\u0061ction":1}"#, false),
            (r#"{"action":1,"Action":1}"#, false),
            (r#"{"ACTION":1}"#, false),
            ("{\"\u{17f}tatus\":1}", false),
            ("{\"ta\u{17f}\u{212a}\":1}", false),
        ] {
            let object = Object::whole(text).unwrap();
            assert_eq!(object.is_plain(&["action", "status", "task"]), plain, "{text}");
        }
    }

    /// The same value as serde_json has it.
    fn agrees(ours: &Value<'_>, theirs: &Theirs) -> bool {
        let inside =
            |written: &str, theirs: &Theirs| value(written).is_ok_and(|ours| agrees(&ours, theirs));
        match (ours, theirs) {
            (Value::Null, Theirs::Null) | (Value::Bool, Theirs::Bool(_)) => true,
            (Value::String(one), Theirs::String(other)) => one == other,
            (Value::Number(one), Theirs::Number(other)) => {
                one.parse::<f64>().ok() == other.to_string().parse::<f64>().ok()
            }
            (Value::Array(one), Theirs::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(a, b)| inside(a, b))
            }
            (Value::Object(one), Theirs::Object(other)) => {
                one.members.len() == other.len()
                    && one.members.iter().all(|member| {
                        other.get(&member.name).is_some_and(|theirs| inside(member.value, theirs))
                    })
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_json_reads(
            text in r#"([\[\]{},:"\\ \n]|"a"|"b"|\\u00e9|\\ud83d|\\ude00|é|0|-1|2\.5|1e3|true|null){0,24}"#,
        ) {
            match (parse(&text), serde_json::from_str::<Theirs>(&text)) {
                (Ok(ours), Ok(theirs)) => prop_assert!(agrees(&ours, &theirs), "{}", text),
                // A number that no float holds is a number all the same.
                (Ok(_), Err(error)) => {
                    let range = error.to_string().starts_with("number out of range");
                    prop_assert!(range, "{}: {}", text, error);
                }
                (Err(error), Ok(_)) => prop_assert_eq!(error, JsonError::Twice),
                (Err(_), Err(_)) => {}
            }
        }

        #[test]
        fn what_serde_json_writes_is_read(
            texts in prop::collection::vec(any::<String>(), 0..8),
            numbers in prop::collection::vec(any::<f64>(), 0..4),
        ) {
            let mut value = serde_json::json!({ "numbers": numbers, "list": texts.clone() });
            for (index, text) in texts.iter().enumerate() {
                value[format!("{text}{index}")] = Theirs::String(text.clone());
            }
            for written in [value.to_string(), format!("{value:#}")] {
                let ours = parse(&written).map_err(|e| TestCaseError::fail(e.to_string()))?;
                prop_assert!(agrees(&ours, &value), "{}", written);
            }
        }
    }
}
