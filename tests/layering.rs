//! Who may know whom: every path from one module of `src/` to another against a table, so that
//! data keeps going forward and no layer learns of the one above it. Tests beside the code may
//! use what they like.

mod circles;
mod source;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use source::{Source, sources};
use table::{LAYERS, Layer, PURE, STATUS_CODES};

#[test]
fn modules_know_only_those_that_the_table_lets_them_know() {
    let mut imports = 0;
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    let mut wrong = Vec::new();
    for source in library() {
        let from = source.module().to_owned();
        let layer = find(&from);
        for import in &source.imports {
            if import.module == from {
                continue;
            }
            imports += 1;
            seen.insert((from.clone(), import.module.clone()));
            let link = layer.and_then(|layer| layer.may.iter().find(|l| l.of == import.module));
            let allowed = link.is_some_and(|link| link.has(&import.item))
                || layer.is_some_and(Layer::is_free);
            if !allowed || find(&import.module).is_none() {
                let (path, of, item) = (&source.path, &import.module, &import.item);
                wrong.push(format!("{path}: {from} may not know {of}::{item}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(imports >= 250, "only {imports} imports were seen");
    let granted = LAYERS
        .iter()
        .flat_map(|layer| layer.may.iter().map(|link| (layer.name.to_owned(), link.of.to_owned())));
    let unused: Vec<_> = granted.filter(|link| !seen.contains(link)).collect();
    assert!(unused.is_empty(), "nobody uses these any more, so take them out: {unused:?}");
}

#[test]
fn every_module_is_in_the_table_and_the_table_has_no_others() {
    let modules: BTreeSet<String> =
        library().iter().map(|source| source.module().to_owned()).collect();
    let known: BTreeSet<String> = LAYERS.iter().map(|layer| layer.name.to_owned()).collect();
    assert_eq!(modules, known);
    assert_eq!(known.len(), LAYERS.len(), "a module is in the table twice");
    assert!(LAYERS.iter().all(|layer| layer.why.len() > 20));
}

#[test]
fn the_table_goes_one_way() {
    let rank: BTreeMap<&str, usize> =
        LAYERS.iter().enumerate().map(|(rank, layer)| (layer.name, rank)).collect();
    let mut upward = Vec::new();
    for (own, layer) in LAYERS.iter().enumerate() {
        for link in layer.may {
            if rank[link.of] >= own {
                upward.push((layer.name, link.of));
            }
        }
    }
    assert_eq!(upward, []);
}

#[test]
fn what_is_pure_waits_for_nothing() {
    let mut seen = 0;
    for source in library().iter().filter(|source| PURE.contains(&source.module())) {
        for word in ["hyper::", "tokio::", "std::time::Instant", "SystemTime", "async fn"] {
            assert!(!source.text.contains(word), "{}: {word}", source.path);
        }
        seen += 1;
    }
    assert!(seen >= 30, "only {seen} files were seen");
}

#[test]
fn status_codes_are_decided_in_one_place() {
    let mut found = BTreeSet::new();
    for source in library() {
        for word in ["StatusCode", "status_mut", "from_u16", "Response::builder"] {
            if source.text.contains(word) {
                found.insert(source.path.clone());
            }
        }
    }
    let allowed = STATUS_CODES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(found, allowed);
}

#[test]
fn the_program_is_the_command_line_and_nothing_else() {
    let all = sources();
    let main = all.iter().find(|source| source.path == "main.rs").expect("there is a main.rs");
    let known: Vec<&str> = main.imports.iter().map(|import| import.module.as_str()).collect();
    assert_eq!(known, ["cli"]);
}

/// Everything but the two roots.
fn library() -> Vec<Source> {
    let mut sources = sources();
    sources.retain(|source| source.path != "main.rs" && source.path != "lib.rs");
    assert!(sources.len() >= 60, "only {} files were seen", sources.len());
    sources
}

fn find(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}
