//! HAR files (HTTP Archive 1.2), which browsers and intercepting proxies write.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::super::super::har::OWN;
use super::super::super::raw::RawRequest;
use super::super::super::{CliError, Exit};
use super::super::captured::Captured;
use crate::diagnosis::Answer;
use crate::inspect::HIDDEN;

/// Headers that say how a request was carried and stand in HAR files of HTTP/2.
const CARRIED: [&str; 1] = ["content-length"];

pub(super) fn read(text: &[u8]) -> Result<Vec<Captured>, CliError> {
    let wrong = |what: &str| {
        CliError::new(Exit::Usage, format!("the file is JSON and no HAR file: {what}"))
            .fix("export the request as HAR, or write it as raw HTTP/1.1")
    };
    let har: Value = serde_json::from_slice(text).map_err(|_| wrong("it is damaged"))?;
    let entries = har["log"]["entries"].as_array();
    let entries = entries.filter(|entries| !entries.is_empty());
    let entries = entries.ok_or_else(|| wrong("it has no log.entries"))?;
    entries.iter().map(entry).collect()
}

fn entry(entry: &Value) -> Result<Captured, CliError> {
    let request = &entry["request"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = pairs(&request["headers"]);
    let headers = headers.filter(|(name, _)| {
        !name.starts_with(':') && !CARRIED.iter().any(|own| name.eq_ignore_ascii_case(own))
    });
    let lines: Vec<String> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
    let post = &request["postData"];
    let body = match post["encoding"].as_str() {
        Some("base64") => STANDARD.decode(text(&post["text"])).unwrap_or_default(),
        _ => text(&post["text"]).into_bytes(),
    };
    let missing = whole(entry)?;
    let (method, url) = (text(&request["method"]), text(&request["url"]));
    let request = RawRequest::from_parts(&method, &url, &lines, Bytes::from(body))?;
    let moment_ms = entry[OWN]["signed"]["moment_ms"].as_u64();
    let captured = Captured::of((request, Vec::new()));
    Ok(Captured { answer: answer(&entry["response"]), moment_ms, missing, ..captured })
}

/// What a record of ours lacks that only who sends it again needs; an error, if it says nothing without.
fn whole(entry: &Value) -> Result<Option<&'static str>, CliError> {
    let signed = &entry[OWN]["signed"];
    let no_body = entry["request"]["postData"].is_null();
    let lacks = if signed["target"] == HIDDEN {
        "is recorded without its target, which had a secret in it"
    } else if no_body && !signed["body_sha256"].is_null() && signed["body_length"] != 0 {
        "is recorded without its body, which was not held or is longer than 64 KiB"
    } else {
        let streamed = no_body && signed.is_object() && signed["body_length"] != 0;
        return Ok(
            streamed.then_some("is recorded without its body, which the scheme does not read")
        );
    };
    Err(CliError::failed(format!("the request {lacks}"), "capture it where it is sent from"))
}

fn answer(response: &Value) -> Option<Answer> {
    // 0 stands for no answer.
    let status = response["status"].as_u64().filter(|status| *status != 0)?;
    let status = u16::try_from(status).ok()?;
    let date = pairs(&response["headers"]).find(|(name, _)| name.eq_ignore_ascii_case("date"));
    let date_ms = date.and_then(|(_, value)| crate::scheme::instant(&value));
    let body = response["content"]["text"].as_str().unwrap_or_default().as_bytes().to_vec();
    Some(Answer { status, date_ms, body })
}

fn pairs(list: &Value) -> impl Iterator<Item = (String, String)> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|own| {
        Some((own["name"].as_str()?.to_owned(), own["value"].as_str()?.to_owned()))
    })
}
