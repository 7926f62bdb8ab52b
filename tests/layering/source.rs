//! The files of `src/` without their tests, and the paths in them that lead to other modules.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A file of the library or the program.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Where it is, from `src/`.
    pub(super) path: String,
    /// What it says, without remarks and tests.
    pub(super) text: String,
    /// Where its paths lead.
    pub(super) imports: Vec<Import>,
}

/// A path to an item of a module.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Import {
    /// The module right below the crate.
    pub(super) module: String,
    /// What is taken from it; `self` for the module.
    pub(super) item: String,
}

impl Source {
    /// The module right below the crate that it belongs to.
    pub(super) fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs")
    }

    fn new(path: &str, whole: &str) -> (Self, Vec<String>) {
        let (text, test_modules) = without_tests(whole);
        let own = if path == "main.rs" { "countersign::" } else { "crate::" };
        let imports = imports(&text, &[own, &"super::".repeat(depth(path))]);
        let below = path.trim_end_matches(".rs");
        let test_files = test_modules.iter().map(|name| format!("{below}/{name}.rs")).collect();
        (Self { path: path.to_owned(), text, imports }, test_files)
    }
}

/// Every file in `src/` that is not a test.
pub(super) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, "", &mut paths);
    let mut sources = Vec::new();
    let mut tests = BTreeSet::new();
    for path in paths {
        let whole = fs::read_to_string(root.join(&path)).expect("a source is text");
        let (source, test_files) = Source::new(&path, &whole);
        sources.push(source);
        tests.extend(test_files);
    }
    sources.retain(|source| !tests.contains(&source.path));
    sources
}

fn walk(dir: &Path, prefix: &str, paths: &mut Vec<String>) {
    for entry in fs::read_dir(dir).expect("src/ can be listed") {
        let entry = entry.expect("src/ can be listed");
        let name = entry.file_name().into_string().expect("a source has a plain name");
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{prefix}{name}/"), paths);
        } else if name.ends_with(".rs") {
            paths.push(format!("{prefix}{name}"));
        }
    }
    paths.sort();
}

/// How many `super::` lead from a file to the crate.
fn depth(path: &str) -> usize {
    path.split('/').count()
}

/// The text without remarks and without what is under `#[cfg(test)]`, and the names of the
/// modules there that have files of their own.
fn without_tests(whole: &str) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut modules = Vec::new();
    let mut lines = whole.lines();
    while let Some(line) = lines.next() {
        let bare = line.trim_start();
        if bare.starts_with("//") {
            continue;
        }
        if bare != "#[cfg(test)]" {
            let code = line.split(" // ").next().unwrap_or_default();
            text.push_str(code);
            text.push('\n');
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - bare.len()]);
        let item = lines.by_ref().find(|line| !line.trim_start().starts_with("#["));
        let item = item.expect("an attribute has an item").trim();
        if let Some(name) = item.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            modules.push(name.to_owned());
        } else if !item.ends_with(';') {
            let closed = lines.by_ref().any(|line| line == end);
            assert!(closed, "what begins with {item:?} has no end");
        }
    }
    (text, modules)
}

/// The paths that begin with one of `starts`, each of which leads to the crate.
fn imports(text: &str, starts: &[&str]) -> Vec<Import> {
    let mut imports = Vec::new();
    for start in starts {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let visibility = text[..at].ends_with("pub(in ");
            if visibility || before.is_some_and(word) {
                continue;
            }
            read(&text[at + start.len()..], &mut imports);
        }
    }
    imports
}

/// Reads what stands behind `crate::`.
fn read(path: &str, imports: &mut Vec<Import>) {
    assert!(!path.starts_with('{'), "write one `use` for each module: {}", line(path));
    let module = ident(path);
    assert!(!module.is_empty(), "this is no module: {}", line(path));
    let add = |item: &str| Import { module: module.to_owned(), item: item.to_owned() };
    let Some(rest) = path[module.len()..].strip_prefix("::") else {
        imports.push(add("self"));
        return;
    };
    let Some(list) = rest.strip_prefix('{') else {
        imports.push(add(ident(rest)));
        return;
    };
    let (mut nested, mut begins) = (0, 0);
    for (at, character) in list.char_indices() {
        let ends = nested == 0 && matches!(character, ',' | '}');
        let item = ident(list[begins..at].trim_start());
        if ends && !item.is_empty() {
            imports.push(add(item));
        }
        match character {
            ',' if nested == 0 => begins = at + 1,
            '}' if nested == 0 => return,
            '{' => nested += 1,
            '}' => nested -= 1,
            _ => {}
        }
    }
    panic!("a list has no end: {}", line(path));
}

fn ident(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

fn line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_wherever_they_stand_but_in_tests_and_remarks() {
        let text = "\
//! Says crate::remark::Doc.
use crate::keys::{Algorithm, Digest as D, sub::{A, B}, self};
pub(in crate::config) fn f() { crate::scheme::find(\"\"); let x = 1; // crate::remark::Late
}
use super::super::route::Route;
use super::sibling::Thing;
use crate::admin;
use crate::moment::{
    Moment,
    Nonce,
};

#[cfg(test)]
use crate::hidden::One;

#[cfg(test)]
mod tests {
    use crate::hidden::Two;
}
#[cfg(test)]
#[path = \"x\"]
mod vectors;
use mycrate::other::X;
fn last() -> crate::secret::Secret {}
";
        let (source, tests) = Source::new("cli/demo.rs", text);
        let found: Vec<String> =
            source.imports.iter().map(|i| format!("{}::{}", i.module, i.item)).collect();
        let expected = [
            "keys::Algorithm",
            "keys::Digest",
            "keys::sub",
            "keys::self",
            "scheme::find",
            "admin::self",
            "moment::Moment",
            "moment::Nonce",
            "secret::Secret",
            "route::Route",
        ];
        assert_eq!(found, expected);
        assert_eq!((source.module(), tests), ("cli", vec!["cli/demo/vectors.rs".to_owned()]));
    }
}
