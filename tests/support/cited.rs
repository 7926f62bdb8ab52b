//! Tests that documents and tables name: each is there, and is a test.

use std::fs;
use std::path::{Path, PathBuf};

/// Checks a name as `cargo test` has it: `module::test` of this program, `countersign::module::test`
/// beside the code, and `cli::file: case` of a case in `tests/cli`.
///
/// # Errors
///
/// What is not there.
pub(crate) fn test(name: &str) -> Result<(), String> {
    let (path, case) = name.split_once(": ").unwrap_or((name, ""));
    let names: Vec<&str> = path.split("::").collect();
    let [modules @ .., function] = &names[..] else { return Err(format!("{name} is no path")) };
    let file = file(modules).ok_or_else(|| format!("{name}: there is no such module"))?;
    let text = fs::read_to_string(&file).expect("a file that is there can be read");
    if !is_test(&text, function) {
        return Err(format!("{name}: {} has no test of this name", file.display()));
    }
    let cases = if case.is_empty() { String::new() } else { cases(function) };
    let named = format!("name = {case:?}\n");
    if case.is_empty() || cases.contains(&named) {
        return Ok(());
    }
    Err(format!("{name}: there is no such case"))
}

/// The file of a module, or of the module that it stands in.
fn file(modules: &[&str]) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (root, modules) = match modules {
        ["countersign", rest @ ..] => (root.join("src"), rest),
        _ => (root.join("tests"), modules),
    };
    let own = root.join(modules.join("/")).with_extension("rs");
    let around = modules.strip_suffix(&["tests"]);
    let around = around.map(|modules| root.join(modules.join("/")).with_extension("rs"));
    [Some(own), around].into_iter().flatten().find(|path| path.is_file())
}

/// Whether a function of this name has the attribute above it.
fn is_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let begins = format!("fn {function}(");
    let at = lines
        .iter()
        .position(|line| line.strip_prefix("async ").unwrap_or(line).starts_with(&begins));
    let above = lines[..at.unwrap_or_default()].iter().rev();
    let mut above = above.take_while(|line| line.starts_with("#["));
    above.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

fn cases(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli").join(file);
    fs::read_to_string(path.with_extension("toml")).unwrap_or_default()
}
