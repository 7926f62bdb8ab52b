//! What is sealed for a callback approves if and only if the service said so, by another reading of its
//! answer; and whoever reads what is sealed, in whatever way, reads the same.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use countersign::keys::Signature;
use countersign::scheme::{Answered, Conclusion, Head, Opened, Signatures};
use http::{HeaderMap, Method};
use serde_json::Value;

use super::input::Input;
use super::json::Json;
use super::jwt::{ENVELOPES, NOW};
use super::{Target, corpus};
use crate::support::vectors::load;

pub(super) const TARGET: Target = Target {
    name: "conclusions",
    run,
    seeds,
    words: &[
        "\"action\":\"APPROVE\"",
        "\"action\":\"REJECT\"",
        "\"Action\":",
        "\"a\\u0063tion\":",
        "\"\\u0041PPROVE\"",
        "\"status\":0",
        "\"status\":-0",
        "\"\u{17f}tatus\":1",
        "0.0",
        "1e0",
        "null",
        "\"request_id\":\"r\"",
        "\"error\":",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\u{feff}",
        " ",
        "\0",
        "true",
        "\\ud800",
    ],
    tries: 20_000,
};

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let vectors = load("cobo");
    for response in vectors["responses"].as_array().expect("a list") {
        let body = response["app_answers"]["body"].as_str().unwrap_or_default();
        seeds.push(format!("\0\u{2}req-keysign\n{body}").into_bytes());
    }
    for body in [
        r#"{"action":"APPROVE"}"#,
        r#"{"status":0,"request_id":"r","action":"APPROVE","error":null}"#,
        r#"{"status":30,"action":"APPROVE"}"#,
        r#"{"action":"REJECT","Action":"APPROVE"}"#,
        r#"{"request_id":"x","action":"APPROVE"}"#,
        r#" { "x" : [ 1e9 , {"action":"APPROVE"} ] , "action" : "" } "#,
        "{}",
    ] {
        seeds.push(format!("\0\u{2}r\n{body}").into_bytes());
        seeds.push(format!("\u{4}\0\n{body}").into_bytes());
    }
    let mut texts = Vec::new();
    corpus::strings(&vectors["responses"], 10, &mut texts);
    seeds.extend(texts.into_iter().map(|text| [b"\0\x01r\n", &text[..]].concat()));
    seeds
}

const STATUSES: [u16; 8] = [200, 200, 201, 299, 199, 300, 403, 500];

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let status = *input.choice(&STATUSES);
    let way = input.byte();
    let kind = u64::from(way % 4);
    let Some(id) = input.text() else { return };
    // A request that was opened has a name, unless it is a ping.
    if id.len() > 256 || (id.is_empty() && kind != 0) {
        return;
    }
    let body = Bytes::copy_from_slice(input.0);
    let content_type = "application/json";
    let opened =
        Opened { request: Bytes::from_static(b"{}"), content_type, id: id.to_owned(), kind };
    let envelope = &ENVELOPES[usize::from(way & 64 != 0)];
    let (expected, answer) = match way & 128 {
        0 => (approved(status, &body, id), Answered::Reply { status, body: &body }),
        _ => (Some(false), Answered::Nothing(str::from_utf8(&body).unwrap_or_default())),
    };
    let conclusion = envelope.conclude(Ok(&opened), &answer);
    if let Some(expected) = expected {
        assert_eq!(conclusion.approves, expected, "{conclusion:?}");
    }
    assert_eq!(
        conclusion,
        envelope.conclude(Ok(&opened), &answer),
        "it was concluded otherwise before"
    );
    assert!(conclusion.package.len() < 512 + 8 * bytes.len(), "{} bytes", conclusion.package.len());
    read_back(&conclusion, id);
    sealed(&conclusion, way & 64 != 0);
}

/// Whether the service approved, in words that nobody reads otherwise; none where it did, beside a name
/// outside ASCII, which may be taken for a spelling of another.
fn approved(status: u16, body: &[u8], id: &str) -> Option<bool> {
    let Some(answer) = str::from_utf8(body).ok().and_then(Json::read) else { return Some(false) };
    let Some(members) = answer.members() else { return Some(false) };
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let twice = names.windows(2).any(|pair| pair[0] == pair[1]);
    let known = ["status", "request_id", "action", "error"];
    let spelt = names
        .iter()
        .any(|name| !known.contains(name) && known.contains(&&*name.to_ascii_lowercase()));
    if twice || spelt {
        return Some(false);
    }
    let one = |name: &str| answer.folded(name).first().copied().cloned().unwrap_or(Json::Null);
    let own = match one("request_id") {
        Json::Null => true,
        Json::Text(text, _) => text == id,
        Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => false,
    };
    let success = matches!(one("status"), Json::Null | Json::Number("0"));
    let says = matches!(one("action"), Json::Text(_, "\"APPROVE\""));
    let error = matches!(one("error"), Json::Null | Json::Text(..));
    let approved = (200..300).contains(&status) && own && success && says && error;
    (!approved || names.iter().all(|name| name.is_ascii())).then_some(approved)
}

/// Asserts that readers who keep the first, the last, or a differently spelt member agree.
fn read_back(conclusion: &Conclusion, id: &str) {
    let package = str::from_utf8(&conclusion.package).expect("a package is text");
    let last: Value = serde_json::from_str(package).expect("a package is JSON");
    let says = last["status"] == 0 && last["action"] == "APPROVE";
    assert_eq!(says, conclusion.approves, "{package}");
    let Some(read) = Json::read(package) else {
        // Deeper than the other reading goes.
        return assert!(package.len() > 120, "{package}");
    };
    for name in ["status", "request_id", "action", "error"] {
        assert!(read.folded(name).len() <= 1, "{name} is there in two spellings: {package}");
    }
    let named = last.get("request_id").map(|named| named.as_str().expect("a name is text"));
    assert_eq!(named, Some(id).filter(|id| !id.is_empty()), "{package}");
}

/// Asserts that what is sealed is what was concluded.
fn sealed(conclusion: &Conclusion, flat: bool) {
    let envelope = &ENVELOPES[usize::from(flat)];
    let mut signatures = Signatures::default();
    signatures.insert("signer", Signature::Octets(vec![1; 256]));
    let edits =
        envelope.assemble(conclusion, &NOW, &signatures).expect("every conclusion can be sealed");
    let target = "/".parse().expect("a target");
    let mut head =
        Head { method: Method::POST, host: String::new(), target, headers: HeaderMap::new() };
    let body = edits.apply_to(&mut head).expect("an answer has a body");
    let claim =
        envelope.claim(conclusion, &body).unwrap_or_else(|error| panic!("{error}: {conclusion:?}"));
    let texts = envelope.canonicalise(conclusion, &NOW).expect("every conclusion can be sealed");
    let signed = claim.signed.expect("a token carries its text");
    assert_eq!(signed[0].text, texts[0].text);
    if flat {
        return;
    }
    let token = str::from_utf8(&body).expect("a token is text");
    let payload = token.split('.').nth(1).expect("a token has parts");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("it is base64url");
    let claims: Value = serde_json::from_slice(&payload).expect("it is JSON");
    let package = STANDARD.decode(claims["package_data"].as_str().expect("a claim"));
    assert_eq!(package.expect("it is base64"), conclusion.package);
}
