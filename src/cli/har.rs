//! Requests of the proxy as a HAR file (HTTP Archive 1.2), which `verify`, `explain`, `replay` and other
//! programs read.

use serde_json::{Value, json};

use crate::moment::rfc3339;

/// The member with all that is known, in an entry: HAR leaves names with `_` to programs.
pub(super) const OWN: &str = "_countersign";

/// The file of some requests, as the admin listener's `/request` has each.
pub(super) fn har(requests: &[Value]) -> Value {
    let entries: Vec<_> =
        requests.iter().filter(|own| own["signed"].is_object()).map(entry).collect();
    json!({
        "log": {
            "version": "1.2",
            "creator": { "name": "countersign", "version": env!("CARGO_PKG_VERSION") },
            "entries": entries,
        }
    })
}

fn entry(request: &Value) -> Value {
    let signed = &request["signed"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let upstream = text(&signed["upstream"]);
    let scheme = upstream.split_once("://").map_or("https", |(scheme, _)| scheme);
    let target = text(&signed["target"]);
    let url = format!("{scheme}://{}{target}", text(&request["host"]));
    let headers = signed["headers"].as_array().into_iter().flatten();
    let headers: Vec<_> = headers.map(|own| json!({ "name": own[0], "value": own[1] })).collect();
    let kind = headers.iter().find(|own| own["name"] == "content-type");
    let kind = kind.map_or_else(String::new, |own| text(&own["value"]));
    let ms = |us: &Value| us.as_f64().map_or(-1.0, |us| us / 1000.0);
    let mut own = json!({
        "method": request["method"],
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "queryString": query(&target),
        "headersSize": -1,
        "bodySize": signed["body_length"].as_i64().unwrap_or(-1),
    });
    if let Some(body) = body(signed) {
        own["postData"] = body;
        own["postData"]["mimeType"] = kind.into();
        own["postData"]["params"] = json!([]);
    }
    json!({
        "startedDateTime": rfc3339(request["unix_ms"].as_u64().unwrap_or_default()),
        "time": ms(&request["total_us"]).max(0.0),
        "request": own,
        "response": {
            "status": request["status"].as_u64().unwrap_or_default(),
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [],
            "content": { "size": 0, "mimeType": "" },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": { "send": 0, "wait": ms(&request["upstream_us"]).max(0.0), "receive": 0 },
        OWN: request,
    })
}

/// The body, where all of it is held.
fn body(signed: &Value) -> Option<Value> {
    if let Some(encoded) = signed["body_base64"].as_str() {
        return Some(json!({ "text": encoded, "encoding": "base64" }));
    }
    let body = signed["body"].as_str().filter(|body| !body.is_empty())?;
    (signed["body_length"] == body.len()).then(|| json!({ "text": body }))
}

fn query(target: &str) -> Vec<Value> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            json!({ "name": name, "value": value })
        })
        .collect()
}
