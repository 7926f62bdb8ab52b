//! The catalogue of declared schemes, for people and for the documentation: what each was verified
//! against.

use std::fmt::Write as _;

use crate::scheme::{CATALOGUE, Compiled, Rejections};

/// A scheme of the catalogue, as it is listed.
struct Listed {
    name: &'static str,
    scheme: Compiled,
}

fn listed() -> impl Iterator<Item = Listed> {
    CATALOGUE.iter().map(|(name, text)| {
        let scheme = Compiled::read(text).unwrap_or_else(|_| unreachable!("a test reads {name}"));
        Listed { name, scheme }
    })
}

/// A paragraph for each.
pub(super) fn plain() -> String {
    let mut text = String::from("From the catalogue, each verified against what is named:\n\n");
    for Listed { name, scheme } in listed() {
        let (summary, host) = (&scheme.summary, &scheme.host);
        let _infallible = writeln!(text, "{name}\n  {summary}\n  host: {host}");
        for (source, count) in scheme.sources() {
            let _infallible = writeln!(text, "  {count} of {source}");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// How the providers of each reject requests.
pub(super) fn rejections() -> impl Iterator<Item = (String, Rejections)> {
    listed().map(|Listed { name, scheme }| (name.to_owned(), scheme.rejections))
}

/// Rows of docs/catalogue.md: name, summary, host, and what its vectors are from.
pub(super) fn rows() -> Vec<[String; 4]> {
    let row = |Listed { name, scheme }: Listed| {
        let from = |(source, count): (&str, usize)| format!("{source} ({count})");
        let sources: Vec<String> = scheme.sources().into_iter().map(from).collect();
        let file = format!("[`{name}`](../schemes/{name}.toml)");
        [file, scheme.summary.clone(), format!("`{}`", scheme.host), sources.join("; ")]
    };
    listed().map(row).collect()
}
