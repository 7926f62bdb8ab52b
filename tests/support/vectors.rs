//! The files in `tests/vectors`, and requests and key material read from them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::verify::Arrived;

/// The vectors of a scheme.
pub(crate) fn load(scheme: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/{scheme}.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()))
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
