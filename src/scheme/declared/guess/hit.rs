//! From a hit to texts with holes: what a captured request leaves open, because its query or its
//! body is empty, is filled as most providers have it.

use super::search::Hit;
use super::sight::Sight;
use super::slots::{Choice, Kind};

/// A canonical string as a file has it.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// Values of the file, the signature last, each as it stands behind `NAME =`.
    pub(super) values: Vec<(String, String)>,
    /// What was assumed, for people.
    pub(super) assumed: Vec<&'static str>,
}

const BODY: &str = "no captured request has a body: it is taken to be signed, last";
const QUERY: &str = "no captured request has a query: it is taken to be signed, behind the path";

/// The canonical strings that a hit may stand for, the likeliest first.
pub(super) fn texts(hit: &Hit, sight: &Sight, sign: &Signing<'_>) -> Vec<Text> {
    let has = |kinds: &[Kind]| hit.parts.iter().any(|part| kinds.contains(&part.kind));
    let open = hit.separator.is_empty();
    let body = open && sight.body.is_empty() && !has(&[Kind::Body]);
    let query = open && sight.query.is_empty() && !has(&[Kind::Query]);
    let mut all = Vec::new();
    let mut parts = hit.parts.clone();
    let mut assumed = Vec::new();
    if query && !has(&[Kind::Target, Kind::Path]) {
        let before = parts.iter().position(|part| part.kind == Kind::Body);
        parts.insert(before.unwrap_or(parts.len()), plain(Kind::Query, "{query}"));
        assumed.push(QUERY);
    } else if query && has(&[Kind::Target]) {
        assumed.push(QUERY);
    }
    if body {
        let mut at = parts.len();
        let end = plain(Kind::Body, "{body}");
        assumed.push(BODY);
        loop {
            let mut with = parts.clone();
            with.insert(at, end.clone());
            all.push(sign.text(&with, hit, assumed.clone()));
            if at == 0 {
                break;
            }
            at -= 1;
        }
        assumed.pop();
    }
    all.push(sign.text(&parts, hit, assumed));
    if parts.len() > hit.parts.len() {
        all.push(sign.text(&hit.parts, hit, Vec::new()));
    }
    all
}

fn plain(kind: Kind, hole: &str) -> Choice {
    Choice { kind, hole: hole.into(), bytes: Vec::new(), value: None }
}

/// How the signature itself is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signing<'a> {
    pub(super) encoding: &'a str,
    /// Whether an ECDSA signature is r and s.
    pub(super) raw: bool,
}

impl Signing<'_> {
    fn text(&self, parts: &[Choice], hit: &Hit, assumed: Vec<&'static str>) -> Text {
        let mut values: Vec<(String, String)> = Vec::new();
        let mut text = String::new();
        for (index, part) in parts.iter().enumerate() {
            if let Some((name, value)) = &part.value {
                values.push(((*name).to_owned(), value.clone()));
            }
            // A list of pairs that may be empty brings its separator itself.
            let pairs = hit.separator == "&" && part.hole == "{fields}" && index > 0;
            text.push_str(if index > 0 && !pairs { hit.separator } else { "" });
            text.push_str(if pairs { "{fields | prefix:&}" } else { &part.hole });
        }
        text.push_str(if hit.trailing { hit.separator } else { "" });
        values.dedup();
        let mut signed = super::draft::quoted(&text);
        if hit.separator == "\n" || !hit.whole.is_empty() {
            let lines = hit.separator == "\n";
            let value = if lines { format!("\"\"\"\n{text}\"\"\"") } else { signed };
            values.push(("text".into(), value));
            let calls = if hit.whole.is_empty() { "" } else { " | " };
            signed = format!("\"{{text{calls}{}}}\"", hit.whole);
        }
        let raw = if self.raw { ", form = \"raw\"" } else { "" };
        let sign =
            format!("{{ sign = {signed}, key = \"signer\", as = \"{}\"{raw} }}", self.encoding);
        values.push(("signature".into(), sign));
        Text { values, assumed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is right for the captured request alone would sign the next one wrongly.
    #[test]
    fn what_a_captured_request_leaves_open_is_filled_and_said() {
        let sight = Sight {
            method: "GET".into(),
            host: String::new(),
            path: "/".into(),
            query: String::new(),
            body: Vec::new(),
            is_form: false,
        };
        let signing = Signing { encoding: "hex", raw: false };
        let (method, target) = (plain(Kind::Method, "{method}"), plain(Kind::Target, "{target}"));
        let (path, body) = (plain(Kind::Path, "{path}"), plain(Kind::Body, "{body}"));
        let everywhere = &["{m}{t}{b}", "{m}{b}{t}", "{b}{m}{t}", "{m}{t}"];
        for (parts, separator, expected, assumed) in [
            (vec![method.clone(), target.clone()], "", &everywhere[..], &[QUERY, BODY][..]),
            (vec![method.clone(), target, body.clone()], "", &["{m}{t}{b}"], &[QUERY]),
            (vec![method.clone(), path, body.clone()], "", &["{m}{p}{b}"], &[]),
            (vec![method.clone(), body], "", &["{m}{q}{b}", "{m}{b}"], &[QUERY]),
            (vec![method.clone()], ",", &["{m}"], &[]),
        ] {
            let hit = Hit { parts, separator, trailing: false, whole: "", key: 0 };
            let found = texts(&hit, &sight, &signing);
            let of = |text: &Text| text.values[0].1.clone();
            let wanted = expected.iter().map(|text| {
                let names = ["method", "target", "path", "query", "body"];
                names.iter().fold((*text).to_owned(), |text, name| {
                    text.replace(&format!("{{{}}}", &name[..1]), &format!("{{{name}}}"))
                })
            });
            let wanted: Vec<_> = wanted.collect();
            let said: Vec<_> = found.iter().map(of).collect();
            assert_eq!(said.len(), wanted.len(), "{said:?} {wanted:?}");
            for (said, wanted) in said.iter().zip(&wanted) {
                assert!(said.contains(&format!("sign = \"{wanted}\"")), "{said} {wanted}");
            }
            assert_eq!(found[0].assumed, assumed);
        }
    }
}
