//! HAR files (HTTP Archive 1.2), which browsers and intercepting proxies write.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::super::super::raw::RawRequest;
use super::super::super::{CliError, Exit};
use super::super::captured::Captured;
use crate::diagnosis::Answer;

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
    let (method, url) = (text(&request["method"]), text(&request["url"]));
    let request = RawRequest::from_parts(&method, &url, &lines, Bytes::from(body))?;
    Ok(Captured { request, faults: Vec::new(), answer: answer(&entry["response"]) })
}

fn answer(response: &Value) -> Option<Answer> {
    let status = response["status"].as_u64().and_then(|status| u16::try_from(status).ok())?;
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
