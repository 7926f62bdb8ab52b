//! The files in `tests/vectors`, and requests and key material read from them.

use std::fs;

use serde_json::Value;

use super::verify::{Arrived, Ask, PROVIDERS};

/// The vectors of a scheme.
pub(crate) fn load(scheme: &str) -> Value {
    let file = super::root().join(format!("tests/vectors/{scheme}.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

/// Every file of `tests/vectors`, in the order of the providers' names.
pub(crate) fn all() -> Vec<(String, Value)> {
    let directory = super::root().join("tests/vectors");
    let files = fs::read_dir(directory).expect("the vectors have a directory");
    let files = files.map(|file| file.expect("it can be listed").path());
    let json = files.filter(|file| file.extension().is_some_and(|end| end == "json"));
    let mut names: Vec<String> =
        json.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect();
    names.sort_unstable();
    names.into_iter().map(|name| (name.clone(), load(&name))).collect()
}

/// Those whose vectors have the common sections, `sign` and `verify`.
pub(crate) fn walked() -> impl Iterator<Item = (String, Value, &'static Ask)> {
    let row = |(name, vectors): (String, Value)| {
        let row = PROVIDERS.iter().find(|row| row.name == name);
        let row =
            row.unwrap_or_else(|| panic!("PROVIDERS has no row for tests/vectors/{name}.json"));
        Some((name, vectors, row.ask.as_ref()?))
    };
    all().into_iter().filter_map(row)
}

/// The list under `name`.
pub(crate) fn cases<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    vectors[name].as_array().unwrap_or_else(|| panic!("the vectors have no list {name:?}"))
}

/// The string at a JSON pointer.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("there is no string at {pointer} in {value}"))
}

/// The string at the first of these pointers that has one.
pub(crate) fn first<'a>(value: &'a Value, pointers: &[&str]) -> Option<&'a str> {
    pointers.iter().find_map(|pointer| value.pointer(pointer)?.as_str())
}

/// The key of a case: one of the file's by name, or what the case says of it.
pub(crate) fn key_of<'a>(vectors: &'a Value, case: &'a Value) -> &'a Value {
    case["key"].as_str().map_or(case, |name| &vectors["keys"][name])
}

/// The `request` of a case, as its provider would see it arrive unsigned.
pub(crate) fn request(case: &Value) -> Arrived {
    let url = text(case, "/request/url");
    let host_and_target = url.strip_prefix("https://").expect("vectors name https urls");
    let target = host_and_target.find('/').map_or("/", |at| &host_and_target[at..]);
    let headers = case["request"]["headers"].as_object().expect("headers are an object");
    let header = |(name, value): (&String, &Value)| {
        (name.clone(), value.as_str().expect("a header is text").to_owned())
    };
    Arrived {
        method: text(case, "/request/method").to_owned(),
        target: target.to_owned(),
        headers: headers.iter().map(header).collect(),
        body: text(case, "/request/body_utf8").as_bytes().to_vec(),
    }
}

/// Where a case of `verify` has its text.
pub(crate) const TEXT: &[&str] = &["/canonical", "/message"];
/// Where it has its signature.
pub(crate) const SIGNATURE: &[&str] = &["/signature_hex", "/signature_base64"];
