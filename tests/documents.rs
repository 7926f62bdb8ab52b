//! The documents: configurations in them are accepted, and what they point to is there.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use countersign::config::Config;

#[test]
fn configurations_in_documents_are_accepted() {
    let mut seen = Vec::new();
    for file in documents() {
        let text = read(&file);
        let blocks = blocks(&text, "toml");
        let whole: Vec<_> = blocks.iter().filter(|block| block.contains("[routes")).collect();
        for block in &whole {
            let parsed = Config::parse(block, Path::new("proxy.toml"));
            let errors = parsed.err().map(|errors| errors.to_string());
            assert_eq!(errors, None, "{}:\n{block}", file.display());
        }
        seen.push((name(&file), blocks.len(), whole.len()));
    }
    // All of this document's are whole, so that none escapes.
    assert!(seen.contains(&("docs/deployment.md".to_owned(), 4, 4)), "{seen:?}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let (mut seen, mut broken) = (0, Vec::new());
    for file in documents() {
        let text = without_blocks(&read(&file));
        let beside = file.parent().expect("a file is in a directory");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let to = if path.is_empty() { file.clone() } else { beside.join(path) };
            let found = to.exists() && (heading.is_empty() || headings(&to).contains(heading));
            if !found {
                broken.push(format!("{}: {target}", name(&file)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(seen >= 10, "only {seen} links were found");
}

#[test]
fn files_that_documents_name_exist() {
    let (mut seen, mut missing) = (0, Vec::new());
    for file in documents() {
        let text = without_blocks(&read(&file));
        // Every second piece stands between backticks.
        for code in text.split('`').skip(1).step_by(2) {
            // A command's options stand behind it, sometimes on the next line.
            let path = code.trim_start_matches("./").split_whitespace().next().unwrap_or_default();
            let ours = ["src/", "tests/", "scripts/", "docs/"].iter().any(|d| path.starts_with(d));
            // NAME stands for a file that is to be written.
            if !ours || path.contains("NAME") || path.contains(['*', '<', '{']) {
                continue;
            }
            seen += 1;
            if !root().join(path).exists() {
                missing.push(format!("{}: {code}", name(&file)));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(seen >= 10, "only {seen} files were named");
}

/// The bug: a feature that nobody is told of, or one that is told of and is none.
#[test]
fn every_feature_is_in_the_table_of_features() {
    let manifest = read(&root().join("Cargo.toml"));
    let default = manifest.split("\ndefault = [").nth(1).and_then(|rest| rest.split(']').next());
    let features: Vec<_> =
        default.expect("some are on").split(", ").map(|name| name.trim_matches('"')).collect();
    let document = read(&root().join("docs/deployment.md"));
    let table = document.split("| feature |").nth(1).and_then(|rest| rest.split("\n\n").next());
    let rows = table.expect("there is a table").lines().skip(3);
    let named: Vec<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(named, features);
}

/// Every Markdown file that people read here.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in ["", "deploy", "docs", "docs/operate", "tests/vectors"] {
        for entry in fs::read_dir(root().join(directory)).expect("the directory is there") {
            let path = entry.expect("the directory can be read").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The fenced blocks of a language.
pub(crate) fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let inside: Vec<_> =
            lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
        if info.trim() == language {
            found.push(inside.join("\n"));
        }
    }
    found
}

/// The text between the fenced blocks.
fn without_blocks(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// A document's headings, as links name them.
fn headings(file: &Path) -> HashSet<String> {
    let text = without_blocks(&read(file));
    let titles = text.lines().filter(|line| line.starts_with('#'));
    let plain = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let slug = |title: &str| -> String {
        let title = title.trim_start_matches('#').trim().to_lowercase();
        title.chars().filter(plain).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    titles.map(slug).collect()
}

pub(crate) fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

fn name(file: &Path) -> String {
    file.strip_prefix(root()).expect("it was found below the root").display().to_string()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
