//! JSON as those who decide about money must read it: strict, bounded, and with one meaning.
//!
//! serde_json keeps the last of two members of one name and turns numbers into floats. Another
//! reader may keep the first, or match names without regard to case, and would act on something
//! that was not looked at here. So a name that stands twice is an error, numbers stay the text
//! they are, and [`Object::get`] refuses a name that others would take for the one it looks for.

use std::borrow::Cow;

/// A value; texts without escapes are borrowed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json<'t> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'t str),
    String(Cow<'t, str>),
    Array(Vec<Self>),
    Object(Object<'t>),
}

/// Members in the order of the text; no two have the same name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Object<'t>(Vec<(Cow<'t, str>, Json<'t>)>);

/// Why a text is not read. To be read after the name of the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum JsonError {
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
pub(super) struct Alike;

/// Bytes of a text. A request with more is none of a node.
pub(super) const LONGEST: usize = 1 << 20;

/// Arrays and objects inside each other.
pub(super) const DEEPEST: usize = 32;

/// Reads a whole text: one value with white space around it.
pub(super) fn parse(text: &str) -> Result<Json<'_>, JsonError> {
    if text.len() > LONGEST {
        return Err(JsonError::TooLong);
    }
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(JsonError::Malformed);
    }
    Ok(value)
}

impl<'t> Object<'t> {
    /// The value of a member; `None` when it is not there or `null`.
    ///
    /// `name` is in lower case. Go, in which nodes and servers are written, takes `Amount` for
    /// `amount`, and so does it with the two letters outside ASCII whose other case is inside.
    pub(super) fn get(&self, name: &str) -> Result<Option<&Json<'t>>, Alike> {
        let mut alike = self.0.iter().filter(|(other, _)| is_alike(other, name));
        match (alike.next(), alike.next()) {
            (None, _) => Ok(None),
            (Some((_, Json::Null)), None) => Ok(None),
            (Some((found, value)), None) if found == name => Ok(Some(value)),
            _ => Err(Alike),
        }
    }

    /// The names of its members.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }
}

fn is_alike(other: &str, name: &str) -> bool {
    let folded = other.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    folded.eq(name.chars())
}

struct Reader<'t> {
    text: &'t str,
    /// A byte in the text, at the border of a character.
    at: usize,
}

impl<'t> Reader<'t> {
    fn value(&mut self, depth: usize) -> Result<Json<'t>, JsonError> {
        self.skip_space();
        match self.peek() {
            Some(b'{' | b'[') if depth == DEEPEST => Err(JsonError::TooDeep),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(JsonError::Malformed),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'t>, JsonError> {
        self.expect(b'{')?;
        let mut members = Vec::new();
        self.skip_space();
        if !self.eats(b'}') {
            loop {
                self.skip_space();
                let name = self.string()?;
                self.skip_space();
                self.expect(b':')?;
                members.push((name, self.value(depth)?));
                self.skip_space();
                if self.eats(b'}') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        let object = Object(members);
        let mut names: Vec<&str> = object.names().collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(JsonError::Twice);
        }
        Ok(Json::Object(object))
    }

    fn array(&mut self, depth: usize) -> Result<Json<'t>, JsonError> {
        self.expect(b'[')?;
        let mut items = Vec::new();
        self.skip_space();
        if self.eats(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_space();
            if self.eats(b']') {
                return Ok(Json::Array(items));
            }
            self.expect(b',')?;
        }
    }

    fn string(&mut self) -> Result<Cow<'t, str>, JsonError> {
        self.expect(b'"')?;
        let start = self.at;
        let mut made = String::new();
        let mut kept = start;
        loop {
            let end = self.at;
            match self.next_byte()? {
                b'"' if made.is_empty() && kept == start => {
                    return Ok(Cow::Borrowed(&self.text[start..end]));
                }
                b'"' => {
                    made.push_str(&self.text[kept..end]);
                    return Ok(Cow::Owned(made));
                }
                b'\\' => {
                    made.push_str(&self.text[kept..end]);
                    made.push(self.escape()?);
                    kept = self.at;
                }
                0..=0x1f => return Err(JsonError::Malformed),
                _ => {}
            }
        }
    }

    /// What a backslash stands for. Half a surrogate pair stands for nothing.
    fn escape(&mut self) -> Result<char, JsonError> {
        Ok(match self.next_byte()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut code = self.four_digits()?;
                if (0xd800..0xdc00).contains(&code) {
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    let low = self.four_digits()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(JsonError::Malformed);
                    }
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                }
                char::from_u32(code).ok_or(JsonError::Malformed)?
            }
            _ => return Err(JsonError::Malformed),
        })
    }

    fn four_digits(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = char::from(self.next_byte()?).to_digit(16);
            code = code << 4 | digit.ok_or(JsonError::Malformed)?;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Json<'t>, JsonError> {
        let start = self.at;
        self.eats(b'-');
        if !self.eats(b'0') {
            self.digits()?;
        }
        if self.eats(b'.') {
            self.digits()?;
        }
        if self.eats(b'e') || self.eats(b'E') {
            let _signed = self.eats(b'+') || self.eats(b'-');
            self.digits()?;
        }
        Ok(Json::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(JsonError::Malformed) } else { Ok(()) }
    }

    fn word(&mut self, word: &str, value: Json<'t>) -> Result<Json<'t>, JsonError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(JsonError::Malformed);
        }
        self.at += word.len();
        Ok(value)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next_byte(&mut self) -> Result<u8, JsonError> {
        let byte = self.peek().ok_or(JsonError::Malformed)?;
        self.at += 1;
        Ok(byte)
    }

    fn eats(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.eats(byte) { Ok(()) } else { Err(JsonError::Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

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
            ("[".repeat(LONGEST), Some(JsonError::TooDeep)),
            (r#"{"a":"#.repeat(100_000), Some(JsonError::TooDeep)),
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
            assert_eq!(parse(text), Err(JsonError::Malformed), "{text}");
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
            let Ok(Json::Object(object)) = parse(text) else { panic!("{text}") };
            assert_eq!(object.get("task_id").map(|value| value.is_some()), found, "{text}");
        }
    }

    /// The same value as serde_json has it; `None` where its floats lose the number.
    fn agrees(ours: &Json<'_>, theirs: &Value) -> bool {
        match (ours, theirs) {
            (Json::Null, Value::Null) => true,
            (Json::Bool(one), Value::Bool(other)) => one == other,
            (Json::String(one), Value::String(other)) => one == other,
            (Json::Number(one), Value::Number(other)) => {
                one.parse::<f64>().ok() == other.to_string().parse::<f64>().ok()
            }
            (Json::Array(one), Value::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(a, b)| agrees(a, b))
            }
            (Json::Object(one), Value::Object(other)) => {
                let same = |(name, value): &(Cow<'_, str>, Json<'_>)| {
                    other.get(name.as_ref()).is_some_and(|theirs| agrees(value, theirs))
                };
                one.0.len() == other.len() && one.0.iter().all(same)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_json_reads(
            text in r#"([\[\]{},:"\\ \n]|"a"|"b"|\\u00e9|\\ud83d|\\ude00|é|0|-1|2\.5|1e3|true|null){0,24}"#,
        ) {
            match (parse(&text), serde_json::from_str::<Value>(&text)) {
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
                value[format!("{text}{index}")] = Value::String(text.clone());
            }
            for written in [value.to_string(), format!("{value:#}")] {
                let ours = parse(&written).map_err(|e| TestCaseError::fail(e.to_string()))?;
                prop_assert!(agrees(&ours, &value), "{}", written);
            }
        }
    }
}
