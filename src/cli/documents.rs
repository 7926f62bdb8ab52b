//! `documents`: the reference documents that are written from this program's tables, as they are
//! in `docs/`.
//!
//! Where a document has prose around its table, the prose is the one in `docs/`: what stands
//! between `<!-- NAME -->` and `<!-- end of NAME -->` is written anew.

use std::io::Write;

use clap::builder::PossibleValuesParser;

use super::keys::algorithms;
use super::{CliError, catalogue, schemes, settings};
use crate::admin::{Access, PAGES, Page};
use crate::metrics::{LABELS, Metrics, Outcome};
use crate::refusal::{Code, Side};
use crate::scheme::{
    Blame, Key, KnownCause, Registry, Rejections, Word, all_causes, keys, vocabulary,
};
use crate::upstream::{SPECIAL, Special};

#[derive(Debug, clap::Args)]
pub(super) struct DocumentsArgs {
    /// The document; the names of all, if left out
    #[arg(value_name = "NAME", value_parser = names())]
    name: Option<String>,
}

/// A document, which is `docs/NAME.md`.
struct Document {
    name: &'static str,
    text: fn() -> String,
}

const DOCUMENTS: &[Document] = &[
    Document { name: "admin", text: pages },
    Document { name: "algorithms", text: algorithms::markdown },
    Document { name: "catalogue", text: listed },
    Document { name: "configuration", text: settings::markdown },
    Document { name: "declared", text: declared },
    Document { name: "diagnosis", text: diagnosis },
    Document { name: "metrics", text: metrics },
    Document { name: "private-networks", text: private_networks },
    Document { name: "refusals", text: refusals },
    Document { name: "rejected", text: rejected },
    Document { name: "schemes", text: schemes::markdown },
    Document { name: "signer", text: settings::signer },
];

pub(super) fn run(args: &DocumentsArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let asked = args.name.as_ref();
    let document =
        DOCUMENTS.iter().find(|document| asked.is_some_and(|name| document.name == name));
    if let Some(document) = document {
        return Ok(out.write_all((document.text)().as_bytes())?);
    }
    for document in DOCUMENTS {
        writeln!(out, "{}", document.name)?;
    }
    Ok(())
}

fn declared() -> String {
    let row = |word: &&'static Word| {
        [format!("`{}`", word.name), word.doc.to_owned(), format!("`{}`", word.example)]
    };
    let text = include_str!("../../docs/declared.md").to_owned();
    let text = vocabulary().iter().fold(text, |text, table| {
        let rows: Vec<_> = table.1.iter().map(row).collect();
        filled(&text, table.0, &rows)
    });
    keys().iter().fold(text, |text, (name, keys)| {
        let rows: Vec<_> = keys.iter().flat_map(key).collect();
        filled(&text, &format!("keys of {name}"), &rows)
    })
}

/// A key, and below it the words that it can be.
fn key(key: &'static Key) -> Vec<[String; 3]> {
    let name = key.word.name;
    let word =
        |word: &Word| [format!("`{name} = \"{}\"`", word.name), word.doc.to_owned(), String::new()];
    let own = [format!("`{name}`"), key.word.doc.to_owned(), format!("`{}`", key.word.example)];
    [own].into_iter().chain((key.words)().into_iter().map(word)).collect()
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(DOCUMENTS.iter().map(|document| document.name))
}

fn pages() -> String {
    let row = |page: &Page| {
        let access = match page.access {
            Access::Open => "everybody",
            Access::Token => {
                "with a token for metrics, and those who could have requests signed; everybody, where there are no tokens"
            }
            Access::Client => "those who could have requests signed",
            Access::Person => "the same; whoever shows no token is asked for one",
        };
        let path = format!("`{}`", page.path);
        [path, page.methods.join(", "), access.into(), page.shows.into()]
    };
    let rows: Vec<_> = PAGES.iter().map(row).collect();
    filled(include_str!("../../docs/admin.md"), "pages", &rows)
}

fn diagnosis() -> String {
    let row =
        |known: &KnownCause| [format!("`{}`", known.code), known.cause.into(), known.fix.into()];
    let rows: Vec<_> = all_causes().map(row).collect();
    filled(include_str!("../../docs/diagnosis.md"), "causes", &rows)
}

fn listed() -> String {
    filled(include_str!("../../docs/catalogue.md"), "catalogue", &catalogue::rows())
}

fn metrics() -> String {
    let mut rows = Vec::new();
    for row in Metrics::default().rows() {
        let labels: Vec<_> = row.labels.iter().map(|label| format!("`{label}`")).collect();
        rows.push([format!("`{}`", row.name), row.kind.into(), labels.join(", "), row.help.into()]);
    }
    let mut labels: Vec<_> =
        LABELS.iter().map(|(name, values)| [format!("`{name}`"), (*values).to_owned()]).collect();
    let outcomes = Outcome::ALL.map(|outcome| format!("`{}`: {}", outcome.name(), outcome.help()));
    labels.push(["`outcome`".to_owned(), outcomes.join("; ")]);
    labels.sort();
    let text = include_str!("../../docs/metrics.md");
    filled(&filled(text, "metrics", &rows), "labels", &labels)
}

fn private_networks() -> String {
    let row = |special: &Special| {
        [format!("`{}`", special.net), special.what.to_owned(), special.source.to_owned()]
    };
    let rows: Vec<_> = SPECIAL.iter().map(row).collect();
    filled(include_str!("../../docs/private-networks.md"), "networks", &rows)
}

fn refusals() -> String {
    let row = |code: Code| {
        let facts = code.facts();
        let status = facts.status.as_u16().to_string();
        let level = if facts.side == Side::Operator { "warn" } else { "info" };
        let name = format!("`{}`", facts.name);
        [name, status, level.into(), facts.title.into(), facts.remedy.into()]
    };
    let rows: Vec<_> = Code::all().map(row).collect();
    filled(include_str!("../../docs/refusals.md"), "codes", &rows)
}

/// What the codes of providers mean: those built in, and of the catalogue those that say so.
fn rejected() -> String {
    let registry = Registry::built_in();
    let own = registry.iter().map(|entry| (entry.name.to_string(), entry.rejections.clone()));
    let all = own.chain(catalogue::rejections());
    let rows: Vec<_> = all.filter(|(_, own)| !own.codes.is_empty()).map(meanings).collect();
    filled(include_str!("../../docs/rejected.md"), "rejections", &rows)
}

fn meanings((name, own): (String, Rejections)) -> [String; 8] {
    let codes = |blame: Blame| {
        let codes = own.codes.iter().filter(|(_, own)| *own == blame);
        codes.map(|(code, _)| format!("`{code}`")).collect::<Vec<_>>().join(", ")
    };
    let window = own.window_ms.map_or_else(String::new, |ms| format!("{} s", ms / 1000));
    let [clock, signature, key, address, permission, nonce] = Blame::ALL.map(codes);
    [format!("`{name}`"), window, clock, signature, key, address, permission, nonce]
}

/// The document with these rows below the heading of its table.
fn filled<const N: usize>(document: &str, name: &str, rows: &[[String; N]]) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let place = document.split_once(&begin).and_then(|(before, rest)| {
        let (table, after) = rest.split_once(&end)?;
        Some((before, table, after))
    });
    let (before, table, after) = place.expect("the document has a place for the table");
    let mut text = format!("{before}{begin}");
    // The names of the columns, and the line below them.
    text.extend(table.split_inclusive('\n').take(2));
    for row in rows {
        // As Markdown has it: `<route>` alone would be taken for HTML.
        let cells = row.join(" | ").replace('<', "&lt;").replace('>', "&gt;");
        text.push_str(&format!("| {cells} |\n"));
    }
    text + &end + after
}
