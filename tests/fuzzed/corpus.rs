//! Where corpora come from: the vectors, the scheme files, and the requests in them.

use std::fs;

use serde_json::Value;

use crate::support::root;
use crate::support::vectors::all;

/// The files of a directory, from the project's own.
pub(super) fn files(directory: &str) -> Vec<Vec<u8>> {
    let listed = fs::read_dir(root().join(directory)).expect("it can be listed");
    let mut paths: Vec<_> = listed.map(|file| file.expect("it can be listed").path()).collect();
    paths.sort();
    let files = paths.iter().filter(|path| path.is_file());
    files.map(|path| fs::read(path).expect("it can be read")).collect()
}

/// Every request of the vectors with a URL, as `input::Message` reads them: the name of the file, what
/// the case is, and the text.
pub(super) fn requests() -> Vec<(String, Value, String)> {
    let mut found = Vec::new();
    for (name, vectors) in all() {
        let sections = vectors.as_object().expect("the vectors are an object");
        let cases = sections.values().filter_map(Value::as_array).flatten();
        for case in cases.filter(|case| case["request"]["url"].is_string()) {
            let request = &case["request"];
            let url = request["url"].as_str().expect("it is a string");
            let after = url.split_once("://").map_or(url, |(_, rest)| rest);
            let target = after.find('/').map_or("/", |at| &after[at..]);
            let mut text = format!("{} {target}\n", request["method"].as_str().unwrap_or("GET"));
            for (name, value) in request["headers"].as_object().into_iter().flatten() {
                text.push_str(&format!("{name}: {}\n", value.as_str().unwrap_or_default()));
            }
            let body = request["body_utf8"].as_str().or_else(|| request["body"].as_str());
            text.push_str(&format!("\n{}", body.unwrap_or_default()));
            found.push((name.clone(), case.clone(), text));
        }
    }
    found
}

/// Every string in a value that is at least so long.
pub(super) fn strings(value: &Value, least: usize, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::String(text) if text.len() >= least => found.push(text.clone().into()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, least, found)),
        Value::Object(members) => members.values().for_each(|item| strings(item, least, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
