//! No circle of imports between files, parent and child counted: what two need of each other stands
//! in a third. A path through a module that only passes a name on (`pub use`) leads to where that
//! is from.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, sources};

#[test]
fn files_import_in_one_direction() {
    let files = Files::new(sources());
    let edges: usize = files.edges.iter().map(BTreeSet::len).sum();
    assert!(edges >= 800, "only {edges} imports were seen");
    let circles = files.circles();
    assert!(circles.is_empty(), "{} circles: {circles:#?}", circles.len());
}

#[test]
fn a_circle_is_found_and_a_name_that_is_passed_on_is_none() {
    let source = |path: &str, text: &str| Source {
        path: path.to_owned(),
        text: text.to_owned(),
        imports: Vec::new(),
    };
    let leaf = source("a/leaf.rs", "pub struct X;");
    let child = source("a/child.rs", "use super::{X, Y};\n");
    let names = |text: &str| {
        let parent = source("a.rs", text);
        let files = [parent, leaf.clone(), child.clone()].into();
        Files::new(files).circles()
    };
    assert_eq!(names("mod child;\npub use leaf::X;\nuse child::Z;\n"), [["a.rs", "a/child.rs"]]);
    assert!(names("mod child;\npub use leaf::{X, X as Y};\nuse child::Z;\n").is_empty());
}

/// A path from the crate on.
type Path = Vec<String>;

struct Files {
    names: Vec<String>,
    /// Which files each one uses.
    edges: Vec<BTreeSet<usize>>,
}

impl Files {
    fn new(mut sources: Vec<Source>) -> Self {
        sources.retain(|source| source.path != "main.rs" && source.path != "lib.rs");
        let modules: BTreeMap<Path, usize> =
            sources.iter().enumerate().map(|(at, source)| (module(&source.path), at)).collect();
        let read: Vec<_> = sources.iter().map(|source| Uses::read(source, &modules)).collect();
        let edges = read.iter().enumerate().map(|(own, uses)| {
            let used = uses.paths.iter().filter_map(|path| target(path, &modules, &read, 0));
            used.filter(|used| *used != own).collect()
        });
        let edges = edges.collect();
        Self { names: sources.into_iter().map(|source| source.path).collect(), edges }
    }

    /// Sets of files that lead to each other.
    fn circles(&self) -> Vec<Vec<String>> {
        let reach: Vec<_> = (0..self.names.len()).map(|from| self.reach(from)).collect();
        let together =
            |one: usize, other: usize| reach[one].contains(&other) && reach[other].contains(&one);
        let mut circles = BTreeSet::new();
        for one in 0..self.names.len() {
            let circle: Vec<_> =
                (0..self.names.len()).filter(|other| together(one, *other)).collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        let named = |circle: Vec<usize>| circle.iter().map(|at| self.names[*at].clone()).collect();
        circles.into_iter().map(named).collect()
    }

    fn reach(&self, from: usize) -> BTreeSet<usize> {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(at) = next.pop() {
            next.extend(self.edges[at].iter().copied().filter(|used| seen.insert(*used)));
        }
        seen
    }
}

/// What a file uses, and what it passes on under a name.
struct Uses {
    paths: Vec<Path>,
    passed: BTreeMap<String, Path>,
}

impl Uses {
    fn read(source: &Source, modules: &BTreeMap<Path, usize>) -> Self {
        let own = module(&source.path);
        let mut uses = Self { paths: Vec::new(), passed: BTreeMap::new() };
        let mut rest = String::new();
        for statement in source.text.split_inclusive(';') {
            let Some(at) = statement.rfind("use ").filter(|at| begins_a_use(&statement[..*at]))
            else {
                rest.push_str(statement);
                continue;
            };
            rest.push_str(statement[..at].rsplit_once('\n').map_or("", |(before, _)| before));
            let passes = statement[..at].trim_end().ends_with(['b', ')']);
            for (path, name) in expand(statement[at + 4..].trim_end_matches(';')) {
                let Some(path) = absolute(&path, &own, modules) else { continue };
                match name {
                    Some(name) if passes => drop(uses.passed.insert(name, path)),
                    _ => uses.paths.push(path),
                }
            }
        }
        // Who may see a thing is no use of anybody.
        let seen: String = rest
            .split("pub(in ")
            .enumerate()
            .map(
                |(at, text)| {
                    if at == 0 { text } else { text.split_once(')').map_or("", |(_, t)| t) }
                },
            )
            .collect();
        let words = seen.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        let written = words.filter(|word| word.contains("::"));
        uses.paths.extend(written.filter_map(|path| absolute(path, &own, modules)));
        uses
    }
}

/// Whether what stands before `use ` ends a line, or is a visibility.
fn begins_a_use(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default().trim();
    line.is_empty() || line == "pub" || line.starts_with("pub(") && line.ends_with(')')
}

/// Every path of a `use`, and the name it has from then on.
fn expand(tree: &str) -> Vec<(String, Option<String>)> {
    let tree = tree.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((before, list)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").map_or((&*tree, None), |(p, a)| (p, Some(a)));
        let path = path.trim().trim_end_matches("::self");
        let name = alias.or_else(|| path.rsplit("::").next()).map(str::to_owned);
        return vec![(path.to_owned(), name)];
    };
    let list = list.rsplit_once('}').map_or(list, |(list, _)| list);
    let (mut parts, mut depth, mut begins) = (Vec::new(), 0, 0);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[begins..at]);
                begins = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[begins..]);
    let parts = parts.into_iter().map(str::trim).filter(|part| !part.is_empty());
    parts.flat_map(|part| expand(&format!("{before}{part}"))).collect()
}

fn module(path: &str) -> Path {
    path.trim_end_matches(".rs").split('/').map(str::to_owned).collect()
}

/// A path from the crate on, where it leads into the crate.
fn absolute(path: &str, own: &Path, modules: &BTreeMap<Path, usize>) -> Option<Path> {
    let mut parts = path.split("::").map(str::trim).peekable();
    let mut base = match *parts.peek()? {
        "crate" => Vec::new(),
        "self" | "super" => own.clone(),
        first => {
            let child = [own.as_slice(), &[first.to_owned()]].concat();
            return modules
                .contains_key(&child)
                .then(|| own.iter().cloned().chain(parts.map(str::to_owned)).collect());
        }
    };
    while parts.next_if(|part| matches!(*part, "crate" | "self" | "super")).is_some_and(|part| {
        if part == "super" {
            base.pop();
        }
        true
    }) {}
    Some(base.into_iter().chain(parts.map(str::to_owned)).collect())
}

/// The file that a path leads to.
fn target(
    path: &Path,
    modules: &BTreeMap<Path, usize>,
    uses: &[Uses],
    passed: usize,
) -> Option<usize> {
    let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length]))?;
    let file = modules[&path[..length]];
    let onward = path.get(length).and_then(|name| uses[file].passed.get(name));
    match onward.filter(|onward| *onward != path && passed < 8) {
        Some(onward) => {
            let whole = [onward.as_slice(), &path[length + 1..]].concat();
            target(&whole, modules, uses, passed + 1).or(Some(file))
        }
        None => Some(file),
    }
}
