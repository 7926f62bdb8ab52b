//! JSON as text, for schemes that sign or change it: what a value looks like decides about a
//! signature, so nothing here goes through numbers or maps. A text is checked once, as a whole;
//! after that, places in it are found by walking its bytes, without recursion.

mod strict;

use std::ops::Range;

use serde_json::value::RawValue;

pub(super) use self::strict::{Value, parse, value};
use super::SchemeError;

/// A whole text that is one JSON value.
///
/// # Errors
///
/// [`SchemeError::Body`] when it is not UTF-8, not JSON, or has something behind the value.
pub(super) fn document(body: &[u8]) -> Result<&str, SchemeError> {
    let text = std::str::from_utf8(body).map_err(|_| unsignable("is not UTF-8".into()))?;
    // Checks numbers as syntax only, so that 1e999 passes; nesting costs it no stack.
    let checked = serde_json::from_str::<&RawValue>(text);
    checked.map_err(|error| unsignable(format!("is not JSON: {error}")))?;
    Ok(text)
}

fn unsignable(what: String) -> SchemeError {
    SchemeError::Body { what, remedy: "Send one JSON object, as UTF-8, and nothing behind it." }
}

/// A JSON object and where its members stand.
#[derive(Debug)]
pub(super) struct Object<'a> {
    /// Its members in the order they are written.
    pub(super) members: Vec<Member<'a>>,
    /// Where a further member would go: behind the last one, or behind the opening brace.
    end: usize,
}

/// One member of an object.
#[derive(Debug)]
pub(super) struct Member<'a> {
    /// Its name, decoded.
    pub(super) name: String,
    /// Its value as it is written.
    pub(super) value: &'a str,
    /// Where the value stands in the document.
    pub(super) at: Range<usize>,
}

impl<'a> Object<'a> {
    /// The object that is the whole of a [`document`].
    ///
    /// # Errors
    ///
    /// When it is another kind of value, or a name cannot be decoded.
    pub(super) fn whole(document: &'a str) -> Result<Self, SchemeError> {
        Self::at(document, 0..document.len())
    }

    /// The object that stands at this place of a [`document`].
    ///
    /// # Errors
    ///
    /// When it is another kind of value, or a name cannot be decoded.
    pub(super) fn at(document: &'a str, at: Range<usize>) -> Result<Self, SchemeError> {
        let mut walk = Walk { text: &document[..at.end], at: at.start };
        walk.space();
        if !walk.take(b'{') {
            return Err(unsignable(format!("is {}, not an object", kind(walk.rest()))));
        }
        let mut object = Self { members: Vec::new(), end: walk.at };
        while let Some(name) = walk.value() {
            let name = &document[name];
            let Some(name) = string(name) else {
                return Err(unsignable(format!("has a name that is not text: {name}")));
            };
            walk.separator();
            let at = walk.value().unwrap_or(walk.at..walk.at);
            object.end = at.end;
            object.members.push(Member { name, value: &document[at.clone()], at });
            walk.separator();
        }
        Ok(object)
    }

    /// The member of this name; the first, where there are several.
    pub(super) fn get(&self, name: &str) -> Option<&Member<'a>> {
        self.members.iter().find(|member| member.name == name)
    }

    /// A name that stands there more than once.
    pub(super) fn repeated(&self) -> Option<&str> {
        let mut names: Vec<_> = self.members.iter().map(|member| member.name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }
}

/// Where the elements of an array stand; none when the value there is no array.
pub(super) fn elements(document: &str, at: Range<usize>) -> Option<Vec<Range<usize>>> {
    let mut walk = Walk { text: &document[..at.end], at: at.start };
    walk.space();
    if !walk.take(b'[') {
        return None;
    }
    let mut found = Vec::new();
    while let Some(at) = walk.value() {
        found.push(at);
        walk.separator();
    }
    Some(found)
}

/// The text of a string as it is written, quotes included; none when it is no string, or stands
/// for half a character.
pub(super) fn string(written: &str) -> Option<String> {
    serde_json::from_str(written).ok()
}

/// Appends a value as it is written, less the white space outside its strings.
pub(super) fn compact(value: &str, out: &mut String) {
    let mut walk = Walk { text: value, at: 0 };
    while walk.at < value.len() {
        let from = walk.at;
        if walk.peek() == Some(b'"') {
            walk.string();
        } else {
            walk.at += walk.rest().find(is_space_or_quote).unwrap_or(value.len() - walk.at);
        }
        out.push_str(&value[from..walk.at]);
        walk.space();
    }
}

/// Appends text as a JSON string: of what may stay as it is, everything does.
pub(super) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// The parts of a value between white space: each a string, or a run of anything else.
pub(super) fn tokens(value: &str) -> impl Iterator<Item = &str> {
    let mut walk = Walk { text: value, at: 0 };
    std::iter::from_fn(move || {
        walk.space();
        let from = walk.at;
        match walk.peek()? {
            b'"' => walk.string(),
            b'{' | b'}' | b'[' | b']' | b',' | b':' => walk.at += 1,
            _ => walk.bare(),
        }
        Some(&value[from..walk.at])
    })
}

/// Changes to a document that leave every byte they do not name where it is.
#[derive(Debug, Default)]
pub(super) struct Splice(Vec<(Range<usize>, String)>);

impl Splice {
    /// Gives an object this member: in place of the value that one of the name has, or behind
    /// the last member. `value` is JSON.
    pub(super) fn set(&mut self, object: &Object<'_>, name: &str, value: &str) {
        if let Some(member) = object.get(name) {
            self.0.push((member.at.clone(), value.to_owned()));
            return;
        }
        let after = object.end..object.end;
        let first = object.members.is_empty() && !self.0.iter().any(|(at, _)| *at == after);
        let comma = if first { "" } else { "," };
        let mut text = String::from(comma);
        quote(name, &mut text);
        text.push(':');
        text.push_str(value);
        self.0.push((after, text));
    }

    /// The document with these changes.
    pub(super) fn apply(mut self, document: &str) -> String {
        // Stable: what goes to the same place keeps its order.
        self.0.sort_by_key(|(at, _)| at.start);
        let mut out = String::with_capacity(document.len() + 320 * self.0.len());
        let mut done = 0;
        for (at, text) in self.0 {
            out.push_str(&document[done..at.start]);
            out.push_str(&text);
            done = at.end;
        }
        out.push_str(&document[done..]);
        out
    }
}

/// A way through text that is known to be JSON.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The comma or colon between two values.
    fn separator(&mut self) {
        self.space();
        let _last = self.take(b',') || self.take(b':');
    }

    /// The next value; none at the end of what contains it.
    fn value(&mut self) -> Option<Range<usize>> {
        self.space();
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.string(),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    // The end of what stands around.
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' => self.at += 1,
                _ => self.bare(),
            }
            if depth == 0 {
                return Some(start..self.at);
            }
            self.space();
        }
    }

    /// A string, to behind its closing quote.
    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => return,
                // What is escaped is one byte of ASCII.
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }

    /// A number or a word.
    fn bare(&mut self) {
        let ends = |c: char| matches!(c, ',' | ':' | ']' | '}' | '{' | '[') || is_space_or_quote(c);
        let rest = self.rest();
        self.at += rest.find(ends).unwrap_or(rest.len()).max(1);
    }
}

fn is_space_or_quote(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '"')
}

/// What a JSON value is, for messages.
pub(super) fn kind(value: &str) -> &'static str {
    match value.bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_are_found_as_they_are_written() {
        let text = " {\"a\" : 1e3 ,\"\\u0062\":[ {\"x\":\"}\\\"\"}, -0 ],\n\"c\":{} } ";
        let object = Object::whole(document(text.as_bytes()).expect("JSON")).expect("an object");
        let found: Vec<_> = object.members.iter().map(|m| (m.name.as_str(), m.value)).collect();
        assert_eq!(found, [("a", "1e3"), ("b", "[ {\"x\":\"}\\\"\"}, -0 ]"), ("c", "{}")]);
        for member in &object.members {
            assert_eq!(&text[member.at.clone()], member.value);
        }
        let places = elements(text, object.members[1].at.clone()).expect("an array");
        let found: Vec<_> = places.into_iter().map(|at| &text[at]).collect();
        assert_eq!(found, ["{\"x\":\"}\\\"\"}", "-0"]);
        assert_eq!(elements(text, object.members[2].at.clone()), None);
    }

    #[test]
    fn what_is_no_object_is_refused_by_its_kind() {
        for (body, words) in [
            ("", "is not JSON"),
            ("{\"a\":1", "is not JSON"),
            ("{} {}", "trailing characters"),
            ("{\"a\":01}", "is not JSON"),
            ("\u{feff}{}", "is not JSON"),
            ("[1]", "is an array, not an object"),
            (" \"{}\"", "is a string, not an object"),
            ("{\"\\ud800\":1}", "has a name that is not text"),
        ] {
            let refused = document(body.as_bytes()).and_then(Object::whole);
            let why = refused.expect_err(body).to_string();
            assert!(why.contains(words), "{body}: {why}");
        }
        assert!(document(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1 << 19), "]".repeat(1 << 19));
        let text = document(deep.as_bytes()).expect("JSON");
        let object = Object::whole(text).expect("an object");
        let mut out = String::new();
        compact(object.members[0].value, &mut out);
        assert_eq!(out.len(), 1 << 20);
    }

    #[test]
    fn members_are_replaced_in_place_or_appended() {
        for (before, after) in [
            ("{}", "{\"h\":1,\"s\":2}"),
            ("{ }", "{\"h\":1,\"s\":2 }"),
            ("{\"a\":0}", "{\"a\":0,\"h\":1,\"s\":2}"),
            ("{\n  \"a\": 0\n}\n", "{\n  \"a\": 0,\"h\":1,\"s\":2\n}\n"),
            ("{\"s\" : [ ] ,\"a\":0}", "{\"s\" : 2 ,\"a\":0,\"h\":1}"),
            ("{\"h\":\"x\",\"s\":null}", "{\"h\":1,\"s\":2}"),
        ] {
            let object = Object::whole(before).expect("an object");
            let mut splice = Splice::default();
            splice.set(&object, "h", "1");
            splice.set(&object, "s", "2");
            assert_eq!(splice.apply(before), after);
        }
    }

    proptest! {
        #[test]
        fn strings_are_written_as_serde_json_writes_them(text in any::<String>()) {
            let mut ours = String::new();
            quote(&text, &mut ours);
            prop_assert_eq!(&ours, &serde_json::to_string(&text).expect("a string"));
            prop_assert_eq!(string(&ours), Some(text));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}\",:\\\\ 0-9a-fnu]{0,24}") {
            let Ok(document) = document(text.as_bytes()) else { return Ok(()) };
            let _any = Object::whole(document);
            let mut out = String::new();
            compact(document, &mut out);
            let joined: String = tokens(document).collect();
            prop_assert_eq!(joined, out);
        }
    }
}
