//! A query, a form or a JSON object with fields put in: no byte changes but those of the fields.
//!
//! A field that waits for a signature is none of what is signed, and stands in what is sent: in the
//! place of the program's own, where it had written one, and at the end otherwise.

use std::ops::Range;

use super::encode::{percent, unpercent};
use crate::scheme::json::{Object, document, quote};

/// A text that is a list of fields.
#[derive(Clone, Debug)]
pub(super) struct Spliced {
    json: bool,
    /// As it came: fields are pieces of it, so that few of them are copied.
    text: Vec<u8>,
    head: Range<usize>,
    fields: Vec<Field>,
    tail: Range<usize>,
}

#[derive(Clone, Debug)]
struct Field {
    /// Its name, decoded.
    name: Piece,
    /// Everything between the field before it and its value.
    before: Piece,
    value: Content,
}

#[derive(Clone, Debug)]
enum Piece {
    /// A part of the text.
    There(Range<usize>),
    Own(Vec<u8>),
}

#[derive(Clone, Debug)]
enum Content {
    /// As it is written.
    Here(Piece),
    /// That of this place, which is not known yet.
    Late(usize),
}

/// What most fields that are put in have room in.
const ROOM: usize = 160;

impl Piece {
    fn of<'p>(&'p self, text: &'p [u8]) -> &'p [u8] {
        match self {
            Self::There(range) => &text[range.clone()],
            Self::Own(bytes) => bytes,
        }
    }
}

impl Spliced {
    /// The fields of a query, or of a form.
    pub(super) fn form(text: &[u8]) -> Self {
        let mut at = 0;
        let field = |piece: &[u8]| {
            let (start, end) = (at, at + piece.len());
            at = end + 1;
            let middle = piece.iter().position(|byte| *byte == b'=');
            let name = &piece[..middle.unwrap_or(piece.len())];
            let plain = !name.iter().any(|byte| matches!(byte, b'%' | b'+'));
            let own = || Piece::Own(unpercent(name, true));
            let name = if plain { Piece::There(start..start + name.len()) } else { own() };
            let value = start + middle.map_or(piece.len(), |middle| middle + 1);
            // With the & in front of all but the first.
            let before = Piece::There(start.saturating_sub(1)..value);
            Field { name, before, value: Content::Here(Piece::There(value..end)) }
        };
        let pieces = text.split(|byte| *byte == b'&').filter(|_| !text.is_empty());
        let fields = pieces.map(field).collect();
        let tail = text.len()..text.len();
        Self { json: false, text: text.to_vec(), head: 0..0, fields, tail }
    }

    /// The members of a JSON object; an empty text is an empty object.
    ///
    /// # Errors
    ///
    /// When it is no JSON object.
    pub(super) fn json(text: &[u8]) -> Result<Self, String> {
        let text = if text.is_empty() { b"{}" } else { text };
        let document = document(text).map_err(|error| error.to_string())?;
        let object = Object::whole(document).map_err(|error| error.to_string())?;
        let start = document.find('{').map_or(0, |brace| brace + 1);
        let mut at = start;
        let fields = object.members.into_iter().map(|member| {
            let before = Piece::There(at..member.at.start);
            at = member.at.end;
            let (name, value) = (member.name.into_bytes(), Piece::There(member.at));
            Field { name: Piece::Own(name), before, value: Content::Here(value) }
        });
        let fields = fields.collect();
        let (head, tail) = (0..start, at..document.len());
        Ok(Self { json: true, text: document.into(), head, fields, tail })
    }

    /// How often a field of this name stands there.
    pub(super) fn count(&self, name: &str) -> usize {
        self.fields.iter().filter(|field| self.is(field, name)).count()
    }

    fn is(&self, field: &Field, name: &str) -> bool {
        field.name.of(&self.text) == name.as_bytes()
    }

    /// The value of a field as it is written; decoded, where it is no JSON.
    pub(super) fn value(&self, name: &str) -> Option<Vec<u8>> {
        let field = self.fields.iter().find(|field| self.is(field, name))?;
        let Content::Here(value) = &field.value else { return None };
        let value = value.of(&self.text);
        Some(if self.json { value.to_vec() } else { unpercent(value, true) })
    }

    /// Puts a field in: in place of that of the same name, or at the end.
    pub(super) fn set(&mut self, name: &str, value: &[u8]) {
        let value = self.coded(value);
        self.put(name, Content::Here(Piece::Own(value)));
    }

    /// Keeps a field's place until its value is known.
    pub(super) fn keep(&mut self, name: &str, place: usize) {
        self.put(name, Content::Late(place));
    }

    fn put(&mut self, name: &str, value: Content) {
        if let Some(index) = self.fields.iter().position(|field| self.is(field, name)) {
            let field = &mut self.fields[index];
            field.value = value;
            let before = field.before.of(&self.text);
            if !self.json && !before.ends_with(b"=") {
                field.before = Piece::Own([before, b"="].concat());
            }
            return;
        }
        let mut before = Vec::new();
        if !self.fields.is_empty() {
            before.push(if self.json { b',' } else { b'&' });
        }
        if self.json {
            let mut quoted = String::new();
            quote(name, &mut quoted);
            before.extend_from_slice(quoted.as_bytes());
            before.push(b':');
        } else {
            percent(name.as_bytes(), b"", &mut before);
            before.push(b'=');
        }
        let (name, before) = (Piece::Own(name.into()), Piece::Own(before));
        self.fields.push(Field { name, before, value });
    }

    /// A value as it is written here: JSON is JSON already.
    fn coded(&self, value: &[u8]) -> Vec<u8> {
        if self.json {
            return value.to_vec();
        }
        let mut out = Vec::with_capacity(value.len());
        percent(value, b"", &mut out);
        out
    }

    /// Without the fields that wait.
    pub(super) fn signed(&self) -> Vec<u8> {
        let mut out = self.begun();
        let mut first = true;
        let separator = if self.json { b',' } else { b'&' };
        for field in &self.fields {
            let Content::Here(value) = &field.value else { continue };
            let before = field.before.of(&self.text);
            // A comma behind the quote is of the name.
            let mut gap = before.iter().take_while(|byte| **byte != b'"');
            let skip = gap.position(|byte| *byte == separator);
            let skip = skip.filter(|_| std::mem::take(&mut first)).map_or(0, |comma| comma + 1);
            first = false;
            out.extend_from_slice(&before[skip..]);
            out.extend_from_slice(value.of(&self.text));
        }
        out.extend_from_slice(&self.text[self.tail.clone()]);
        out
    }

    /// What stands in front of the fields, with room for them.
    fn begun(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len() + ROOM);
        out.extend_from_slice(&self.text[self.head.clone()]);
        out
    }

    /// With all fields; `late` gives the value of a place.
    pub(super) fn sent<E>(&self, late: impl Fn(usize) -> Result<Vec<u8>, E>) -> Result<Vec<u8>, E> {
        let mut out = self.begun();
        for field in &self.fields {
            out.extend_from_slice(field.before.of(&self.text));
            match &field.value {
                Content::Here(value) => out.extend_from_slice(value.of(&self.text)),
                Content::Late(place) => out.extend_from_slice(&self.coded(&late(*place)?)),
            }
        }
        out.extend_from_slice(&self.text[self.tail.clone()]);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is signed and sent when `t` is put in and `s` waits.
    fn both(mut spliced: Spliced, t: &str, s: &str) -> (String, String) {
        spliced.set("t", t.as_bytes());
        spliced.keep("s", 0);
        let sent: Result<_, ()> = spliced.sent(|_| Ok(s.as_bytes().to_vec()));
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (text(spliced.signed()), text(sent.expect("it is given")))
    }

    #[test]
    fn fields_are_replaced_where_they_stand() {
        for (query, signed, sent) in [
            ("", "t=1", "t=1&s=%2F"),
            ("a=b", "a=b&t=1", "a=b&t=1&s=%2F"),
            ("s=x&a=b", "a=b&t=1", "s=%2F&a=b&t=1"),
            ("a=b&s=x&c", "a=b&c&t=1", "a=b&s=%2F&c&t=1"),
            ("t=9&s", "t=1", "t=1&s=%2F"),
            ("s&%74=9", "%74=1", "s=%2F&%74=1"),
            ("a=%2f&&b=+", "a=%2f&&b=+&t=1", "a=%2f&&b=+&t=1&s=%2F"),
        ] {
            let found = both(Spliced::form(query.as_bytes()), "1", "/");
            assert_eq!(found, (signed.into(), sent.into()), "{query}");
        }
    }

    #[test]
    fn members_are_replaced_where_they_stand() {
        for (body, signed, sent) in [
            ("", r#"{"t":1}"#, r#"{"t":1,"s":2}"#),
            (" { } ", r#" {"t":1 } "#, r#" {"t":1,"s":2 } "#),
            (r#"{"s": 9, "a" : 1e3}"#, r#"{ "a" : 1e3,"t":1}"#, r#"{"s": 2, "a" : 1e3,"t":1}"#),
            (r#"{"a":[1 ], "s":0 }"#, r#"{"a":[1 ],"t":1 }"#, r#"{"a":[1 ], "s":2,"t":1 }"#),
            (r#"{"t":null,"s":""}"#, r#"{"t":1}"#, r#"{"t":1,"s":2}"#),
            (r#"{"a,b":0}"#, r#"{"a,b":0,"t":1}"#, r#"{"a,b":0,"t":1,"s":2}"#),
            (r#"{"s":0 , "a,b":0}"#, r#"{ "a,b":0,"t":1}"#, r#"{"s":2 , "a,b":0,"t":1}"#),
        ] {
            let found = both(Spliced::json(body.as_bytes()).expect(body), "1", "2");
            assert_eq!(found, (signed.into(), sent.into()), "{body}");
        }
        for body in ["[]", "{", "1", "{} {}", "\u{feff}{}"] {
            assert!(Spliced::json(body.as_bytes()).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn nothing_changes_where_nothing_is_put_in(query in "[a-c=&%20+]{0,24}") {
            prop_assert_eq!(Spliced::form(query.as_bytes()).signed(), query.as_bytes());
        }

        #[test]
        fn an_object_changes_in_its_member_alone(
            names in prop::collection::vec("[a-e ]{0,3}", 0..6),
            space in "[ \n\t]{0,2}",
        ) {
            let member = |name: &String| format!("{space}\"{name}\"{space}:{space}[1,{{}}]");
            let members: Vec<String> = names.iter().map(member).collect();
            let body = format!("{{{}{space}}}", members.join(","));
            let mut spliced = Spliced::json(body.as_bytes()).expect("an object");
            prop_assert_eq!(spliced.signed(), body.as_bytes());
            spliced.set("sig", b"7");
            let comma = if names.is_empty() { "" } else { "," };
            let end = format!("{comma}\"sig\":7{space}}}");
            let expected = format!("{}{end}", body.strip_suffix(&format!("{space}}}")).unwrap());
            // White space of an empty object stands before its brace either way.
            if !names.is_empty() {
                prop_assert_eq!(String::from_utf8(spliced.signed()).unwrap(), expected);
            }
        }
    }
}
