//! `docs/promises.md`: every sentence of SECURITY.md and README.md stands in it, with tests that are
//! there, or with the reason why it promises nothing.

use std::collections::BTreeSet;

use crate::documents::{read, root};
use crate::support::cited;

#[test]
fn every_test_that_holds_a_promise_is_there() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for (section, quote, cell) in rows().iter().filter(|(section, ..)| section.ends_with(".md")) {
        let tests: Vec<_> = cell.split("<br>").map(named).collect();
        assert!(tests.iter().all(|name| !name.is_empty()), "{section}: {quote}: {cell}");
        wrong.extend(tests.iter().filter_map(|name| cited::test(name).err()));
        seen += tests.len();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen >= 200, "only {seen} tests were named");
}

#[test]
fn a_test_that_is_not_there_is_missed() {
    for (name, there) in [
        ("promises::a_test_that_is_not_there_is_missed", true),
        ("countersign::secret::tests::a_secret_prints_nothing_of_itself", true),
        ("countersign::nonces::tests::a_turn_is_one_of_all_processes", true),
        ("cli::check: a good configuration", true),
        ("cli::check: no configuration", false),
        ("promises::rows", false),
        ("promises::nothing", false),
        ("nothing::a_test_that_is_not_there_is_missed", false),
    ] {
        assert_eq!(cited::test(name).is_ok(), there, "{name}: {:?}", cited::test(name));
    }
}

#[test]
fn every_sentence_of_both_documents_is_quoted_and_no_other() {
    let rows = rows();
    let mut unused: BTreeSet<&str> = rows.iter().map(|(_, quote, _)| quote.as_str()).collect();
    assert_eq!(unused.len(), rows.len(), "a quote stands twice");
    let mut left = Vec::new();
    for document in ["SECURITY.md", "README.md"] {
        let blocks = blocks(&read(&root().join(document)));
        assert!(blocks.len() >= 25, "{document}: {} blocks", blocks.len());
        for (heading, block) in blocks {
            let mut open = vec![true; block.len()];
            let own = |section: &str| !section.ends_with(".md") || section == document;
            for (_, quote, _) in rows.iter().filter(|(section, ..)| own(section)) {
                let found = block.find(quote.as_str()).map(|at| at..at + quote.len());
                let found = found.or_else(|| (*quote == heading).then_some(0..block.len()));
                let Some(found) = found else { continue };
                open[found].fill(false);
                unused.remove(quote.as_str());
            }
            let rest = block.char_indices().filter(|(at, _)| open[*at]).map(|(_, sign)| sign);
            let rest: String = rest.collect();
            if rest.contains(char::is_alphanumeric) {
                left.push(format!("{document}: {rest}"));
            }
        }
    }
    assert!(left.is_empty(), "of these docs/promises.md says nothing: {left:#?}");
    assert!(unused.is_empty(), "these stand in neither document: {unused:#?}");
}

/// Section, quote and the other cell of each row.
fn rows() -> Vec<(String, String, String)> {
    let (text, mut section, mut rows) = (read(&root().join("docs/promises.md")), "", Vec::new());
    for line in text.lines() {
        section = line.strip_prefix("## ").unwrap_or(section);
        let row = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        let Some((quote, cell)) = row.and_then(|row| row.split_once(" | ")) else { continue };
        if !["promise", "words"].contains(&quote) {
            rows.push((section.to_owned(), quote.replace("\\|", "|"), cell.to_owned()));
        }
    }
    assert!(rows.len() >= 140, "only {} rows", rows.len());
    rows
}

/// A test, and the case of it that follows.
fn named(cell: &str) -> String {
    let (name, case) = cell.trim_start_matches('`').split_once('`').unwrap_or_default();
    format!("{name}{case}")
}

/// The paragraphs and items of a document in one line each, without the places that links lead to,
/// below their headings; without tables and fenced blocks.
fn blocks(text: &str) -> Vec<(String, String)> {
    let (mut blocks, mut heading, mut fenced) = (Vec::new(), String::new(), false);
    let mut begins = true;
    for line in text.lines() {
        let words = without_links(line.trim());
        let fence = words.starts_with("```");
        fenced ^= fence;
        if fenced || fence || words.is_empty() || words.starts_with(['|', '#']) {
            if words.starts_with('#') && !fenced {
                heading = words;
            }
            begins = true;
            continue;
        }
        let item = line.strip_prefix("- ").is_some();
        let words = if item { words[2..].to_owned() } else { words };
        match blocks.last_mut() {
            Some((_, block)) if !begins && !item => *block = format!("{block} {words}"),
            _ => blocks.push((heading.clone(), words)),
        }
        begins = false;
    }
    blocks
}

/// `[text](place)` is `text`.
fn without_links(line: &str) -> String {
    let mut parts = line.split("](");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let at = text.rfind('[').expect("a link begins on its own line");
        text.remove(at);
        text.push_str(part.split_once(')').expect("a link ends on its own line").1);
    }
    text
}
