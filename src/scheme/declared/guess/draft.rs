//! A scheme file as it is written from what was found, without vectors.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::seen::{Field, Part, Seen, To, What};

/// What a file is written from.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) host: String,
    pub(super) algorithm: &'static str,
    /// How the secret is read, where that is not as text.
    pub(super) secret: &'static str,
    pub(super) fields: Vec<Field>,
    pub(super) seen: Vec<Seen>,
    /// The value that is the signature or token, and what the file has for it.
    pub(super) signed: (usize, &'static str),
    /// Params that whoever captured the request knows.
    pub(super) params: Vec<String>,
    /// Values besides clocks and nonces, each as it stands behind `NAME =`.
    pub(super) values: Vec<(String, String)>,
    /// Secrets and clocks that are in a token.
    pub(super) inner: Vec<Seen>,
}

impl Draft {
    /// What is read of the values of a field, as texts with holes have it.
    fn hole(&self, index: usize) -> String {
        let seen = &self.seen[index];
        if index == self.signed.0 {
            return format!("{{{}}}", self.signed.1);
        }
        match &seen.what {
            What::Public(_) => "{signer.public}".into(),
            What::Fixed => braces(&seen.text),
            What::Clock(..) | What::Nonce(_) | What::Id | What::Window => {
                format!("{{{}}}", seen.name)
            }
        }
    }

    /// Values of the request and of tokens that the file has names for.
    pub(super) fn named(&self) -> impl Iterator<Item = &Seen> {
        let seen = self.seen.iter().enumerate();
        let seen = seen.filter(|(index, _)| *index != self.signed.0).map(|(_, seen)| seen);
        seen.chain(&self.inner)
    }

    /// The names of secrets, with what they were in the captured request.
    pub(super) fn secrets(&self) -> BTreeMap<&str, &Seen> {
        let ids = self.named().filter(|seen| seen.what == What::Id);
        ids.map(|seen| (seen.name.as_str(), seen)).collect()
    }

    /// The whole file but its vectors.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let host = quoted(&self.host);
        let _infallible = write!(
            out,
            "format = 1\nsummary = {}\nhost = {host}\n\n[keys.signer]\nalgorithms = [\"{}\"]\n",
            quoted(&format!("{}: {}, found from a captured request", self.host, self.algorithm)),
            self.algorithm,
        );
        if self.secret != "text" {
            let _infallible = writeln!(out, "secret = \"{}\"", self.secret);
        }
        let public = self
            .named()
            .find_map(|seen| if let What::Public(form) = seen.what { Some(form) } else { None });
        if let Some(form) = public {
            let _infallible = writeln!(out, "public = \"{form}\"");
        }
        self.tables(&mut out);
        out
    }

    fn tables(&self, out: &mut String) {
        let mut table = |title: &str, rows: &[(String, String)]| {
            if rows.is_empty() {
                return;
            }
            let _infallible = writeln!(out, "\n[{title}]");
            for (name, value) in rows {
                let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
                let name = if plain { name.clone() } else { quoted(name) };
                let _infallible = writeln!(out, "{name} = {value}");
            }
        };
        let sent = |seen: &Seen| (seen.name.clone(), quoted(&format!("Sent as {}.", seen.label)));
        table("secrets", &self.secrets().values().map(|seen| sent(seen)).collect::<Vec<_>>());
        let windows = self.named().filter(|seen| seen.what == What::Window);
        let window =
            |seen: &Seen| (seen.name.clone(), format!("{{ default = {} }}", quoted(&seen.text)));
        let known = self.params.iter().map(|name| (name.clone(), "{}".to_owned()));
        table("params", &windows.map(window).chain(known).collect::<Vec<_>>());
        let made = self.named().filter_map(|seen| {
            let value = match &seen.what {
                What::Clock(word, None) => format!("{{ clock = \"{word}\" }}"),
                What::Clock(word, Some(add)) => {
                    format!("{{ clock = \"{word}\", add = \"{add}\" }}")
                }
                What::Nonce(form) => format!("{{ nonce = \"{form}\" }}"),
                What::Id | What::Window | What::Public(_) | What::Fixed => return None,
            };
            Some((seen.name.clone(), value))
        });
        let (tokens, values): (Vec<_>, Vec<_>) =
            self.values.iter().cloned().partition(|(name, _)| name == "token");
        table("values", &made.chain(values).collect::<Vec<_>>());
        for (_, token) in tokens {
            let _infallible = write!(out, "\n[values.token.jwt]\n{token}");
        }
        for (to, title) in [(To::Header, "headers"), (To::Query, "query"), (To::Form, "form")] {
            let fields = self.fields.iter().filter(|field| field.to == to);
            let row = |field: &Field| {
                let part = |part: &Part| match part {
                    Part::Literal(text) => braces(text),
                    Part::Value(index) => self.hole(*index),
                };
                let text: String = field.parts.iter().map(part).collect();
                (field.name.clone(), quoted(&text))
            };
            let title = format!("place.{title}");
            let rows: Vec<_> = fields.map(row).collect();
            if !rows.is_empty() {
                let _infallible = writeln!(out, "\n[{title}]");
            }
            for (name, value) in rows {
                let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
                let name = if plain { name } else { quoted(&name) };
                let _infallible = writeln!(out, "{name} = {value}");
            }
        }
    }
}

/// A text in TOML: literal where it can be, so that what is in it is seen as it is.
pub(super) fn quoted(text: &str) -> String {
    if text.contains('"') && !text.contains(['\'', '\n']) && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

/// A text whose braces stand for themselves.
pub(super) fn braces(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}
