//! Another reading of JSON (RFC 8259), member by member in the order they are written: naive, and it
//! shares nothing with what is tested.

use std::iter::Peekable;
use std::str::CharIndices;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json<'t> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'t str),
    /// What it says, and as it is written, with its quotes.
    Text(String, &'t str),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl<'t> Json<'t> {
    /// Reads a whole text; none where it is no JSON, or nested beyond all measure.
    pub(super) fn read(text: &'t str) -> Option<Self> {
        let mut reader = Reader { text, left: text.char_indices().peekable() };
        let value = reader.value(0)?;
        reader.space();
        reader.left.next().is_none().then_some(value)
    }

    /// The members of an object.
    pub(super) fn members(&self) -> Option<&[(String, Self)]> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The values of the members that a reader in Go takes for this name, which is in lower case.
    pub(super) fn folded(&self, name: &str) -> Vec<&Self> {
        let members = self.members().unwrap_or_default().iter();
        members.filter(|(own, _)| folded(own) == name).map(|(_, value)| value).collect()
    }
}

/// A name in small letters, as Go folds it: two letters outside ASCII count as ones inside.
fn folded(name: &str) -> String {
    let letter = |sign: char| match sign {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        sign => sign.to_ascii_lowercase(),
    };
    name.chars().map(letter).collect()
}

struct Reader<'t> {
    text: &'t str,
    left: Peekable<CharIndices<'t>>,
}

impl<'t> Reader<'t> {
    fn space(&mut self) {
        while self.left.next_if(|(_, sign)| " \t\r\n".contains(*sign)).is_some() {}
    }

    fn at(&mut self) -> usize {
        self.left.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.left.next_if(|(_, sign)| *sign == wanted).map(drop)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        word.chars().try_for_each(|sign| self.take(sign))
    }

    fn value(&mut self, depth: usize) -> Option<Json<'t>> {
        self.space();
        if depth > DEEPEST {
            return None;
        }
        match self.left.peek()?.1 {
            'n' => self.word("null").map(|()| Json::Null),
            't' => self.word("true").map(|()| Json::Bool(true)),
            'f' => self.word("false").map(|()| Json::Bool(false)),
            '"' => self.string().map(|(text, written)| Json::Text(text, written)),
            '[' => self.list('[', ']', |reader| reader.value(depth + 1)).map(Json::List),
            '{' => self
                .list('{', '}', |reader| {
                    reader.space();
                    let (name, _) = reader.string()?;
                    reader.space();
                    reader.take(':')?;
                    Some((name, reader.value(depth + 1)?))
                })
                .map(Json::Object),
            _ => self.number(),
        }
    }

    fn list<T>(
        &mut self,
        open: char,
        close: char,
        item: impl Fn(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.take(open)?;
        self.space();
        let mut items = Vec::new();
        if self.take(close).is_some() {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            self.space();
            if self.take(close).is_some() {
                return Some(items);
            }
            self.take(',')?;
        }
    }

    fn number(&mut self) -> Option<Json<'t>> {
        let start = self.at();
        let _sign = self.take('-');
        let whole = self.digits();
        let first = &self.text[whole.clone()];
        if first.is_empty() || first.len() > 1 && first.starts_with('0') {
            return None;
        }
        if self.take('.').is_some() && self.digits().is_empty() {
            return None;
        }
        if self.left.next_if(|(_, sign)| "eE".contains(*sign)).is_some() {
            let _sign = self.left.next_if(|(_, sign)| "+-".contains(*sign));
            if self.digits().is_empty() {
                return None;
            }
        }
        let end = self.at();
        Some(Json::Number(&self.text[start..end]))
    }

    fn digits(&mut self) -> std::ops::Range<usize> {
        let start = self.at();
        while self.left.next_if(|(_, sign)| sign.is_ascii_digit()).is_some() {}
        start..self.at()
    }

    fn string(&mut self) -> Option<(String, &'t str)> {
        let start = self.at();
        self.take('"')?;
        let mut units: Vec<u16> = Vec::new();
        loop {
            let sign = match self.left.next()?.1 {
                '"' => break,
                '\\' => match self.left.next()?.1 {
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => {
                        let digits = (0..4).map(|_| self.left.next()?.1.to_digit(16));
                        let digits: Option<Vec<u32>> = digits.collect();
                        units.push(
                            digits?.iter().fold(0, |value, digit| value << 4 | *digit as u16),
                        );
                        continue;
                    }
                    sign @ ('"' | '\\' | '/') => sign,
                    _ => return None,
                },
                '\0'..='\u{1f}' => return None,
                sign => sign,
            };
            units.extend_from_slice(sign.encode_utf16(&mut [0; 2]));
        }
        let end = self.at();
        Some((String::from_utf16(&units).ok()?, &self.text[start..end]))
    }
}

const DEEPEST: usize = 120;
