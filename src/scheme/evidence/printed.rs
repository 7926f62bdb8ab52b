//! A JSON text as languages print the value that was made of it, which some programs sign.

use super::json_forms::Json;

/// The prints, each with the language.
pub(super) fn prints(value: &Json) -> Vec<(&'static str, String)> {
    let rows: [(&'static str, &Language); 5] = [
        ("Python's str() of a dictionary", &PYTHON),
        ("Java's toString() of a map", &JAVA),
        ("Ruby's inspect of a hash", &RUBY),
        ("Ruby's inspect of a hash", &RUBY_SPACED),
        ("Go's %v of a map", &GO),
    ];
    let mut all: Vec<_> = rows
        .iter()
        .map(|(name, language)| {
            let mut out = String::new();
            language.write(value, &mut out);
            (*name, out)
        })
        .collect();
    all.push(("JavaScript's String() of an object", "[object Object]".into()));
    all.push(("PHP's string of an array", "Array".into()));
    all
}

/// How a language prints maps and lists.
struct Language {
    map: (&'static str, &'static str),
    comma: &'static str,
    arrow: &'static str,
    /// What texts stand in: single quotes, double ones, none.
    quote: &'static str,
    words: [&'static str; 3],
    sorted: bool,
}

const PYTHON: Language = Language {
    map: ("{", "}"),
    comma: ", ",
    arrow: ": ",
    quote: "'",
    words: ["True", "False", "None"],
    sorted: false,
};
const JAVA: Language = Language {
    map: ("{", "}"),
    comma: ", ",
    arrow: "=",
    quote: "",
    words: ["true", "false", "null"],
    sorted: false,
};
const RUBY: Language = Language {
    map: ("{", "}"),
    comma: ", ",
    arrow: "=>",
    quote: "\"",
    words: ["true", "false", "nil"],
    sorted: false,
};
const RUBY_SPACED: Language = Language { arrow: " => ", ..RUBY };
const GO: Language = Language {
    map: ("map[", "]"),
    comma: " ",
    arrow: ":",
    quote: "",
    words: ["true", "false", "<nil>"],
    sorted: true,
};

impl Language {
    fn write(&self, value: &Json, out: &mut String) {
        match value {
            Json::Bare(written) => {
                let words = ["true", "false", "null"].iter().position(|word| word == written);
                out.push_str(words.map_or(written, |at| self.words[at]));
            }
            Json::Text { text, .. } => self.text(text, out),
            Json::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { self.comma } else { "" });
                    self.write(item, out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                if self.sorted {
                    members.sort_by(|a, b| a.0.cmp(&b.0));
                }
                out.push_str(self.map.0);
                for (index, (name, item)) in members.into_iter().enumerate() {
                    out.push_str(if index > 0 { self.comma } else { "" });
                    self.text(name, out);
                    out.push_str(self.arrow);
                    self.write(item, out);
                }
                out.push_str(self.map.1);
            }
        }
    }

    fn text(&self, text: &str, out: &mut String) {
        // Python takes the other marks where a text has an apostrophe.
        let quote = if self.quote == "'" && text.contains('\'') { "\"" } else { self.quote };
        out.push_str(quote);
        out.push_str(text);
        out.push_str(quote);
    }
}
