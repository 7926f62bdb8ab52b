//! What a handshake of Infras shows, member by member, and when its token expires.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::{HeaderName, Method, header};
use serde_json::{Map, Value};

use crate::scheme::credential::MAX_TOKEN;
use crate::scheme::evidence::causes::form;
use crate::scheme::evidence::{Cause, Evidence, Limit, Stamp};
use crate::scheme::jwt::{Jwt, Null};
use crate::scheme::{Head, Signable};

/// What the scheme knows of itself.
pub(super) struct Own<'o> {
    pub(super) members: &'o Map<String, Value>,
    pub(super) token_member: Option<&'o str>,
    /// The header of the request, then that of the token.
    pub(super) headers: &'o [HeaderName; 2],
    pub(super) token: &'o [u8],
}

/// What the request shows. Nothing of a token is in it.
pub(super) fn evidence(request: Signable<'_>, own: &Own<'_>) -> Evidence {
    let head = request.head;
    let mut evidence = Evidence::default();
    evidence.faults.extend(upgrade(head));
    let [name, token_name] = own.headers;
    let mut found = None;
    match value(head, name) {
        Err(cause) => evidence.faults.push(cause),
        Ok(text) => match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(members)) => found = Some(members),
            Ok(_) => evidence.faults.push(malformed(name, "is no JSON object")),
            Err(_) => evidence.faults.push(malformed(name, instead(&text))),
        },
    }
    let inside = match (own.token_member, found.as_mut()) {
        (Some(member), Some(found)) => found.shift_remove(member),
        _ => None,
    };
    if let Some(found) = &found {
        members(found, own, &mut evidence);
    }
    match own.token_member {
        None => match value(head, token_name) {
            Err(cause) => evidence.faults.push(cause),
            Ok(text) => token(&text, token_name.as_str(), own, &mut evidence),
        },
        Some(member) => match inside.as_ref().map(Value::as_str) {
            Some(Some(text)) => token(text, member, own, &mut evidence),
            Some(None) => evidence.faults.push(member_cause(member, "is no text")),
            None if found.is_some() => evidence.faults.push(
                Cause::seen(&form::MEMBER_MISSING).said(format!("{name} has no member {member}")),
            ),
            None => {}
        },
    }
    evidence
}

/// What keeps it from being a WebSocket's handshake (RFC 6455, section 4.1).
fn upgrade(head: &Head) -> Option<Cause> {
    let has = |name: HeaderName, word: &str| {
        let values = head.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let mut words = values.flat_map(|value| value.split(','));
        words.any(|own| own.trim().eq_ignore_ascii_case(word))
    };
    let lacks = [
        (head.method != Method::GET, "the method is not GET"),
        (!has(header::UPGRADE, "websocket"), "there is no Upgrade: websocket"),
        (!has(header::CONNECTION, "upgrade"), "there is no Connection: Upgrade"),
        (!head.headers.contains_key(header::SEC_WEBSOCKET_KEY), "there is no Sec-WebSocket-Key"),
        (!has(header::SEC_WEBSOCKET_VERSION, "13"), "there is no Sec-WebSocket-Version: 13"),
    ];
    let (_, what) = lacks.iter().find(|(lacks, _)| *lacks)?;
    let said = format!("the request is no WebSocket handshake: {what}");
    Some(Cause::seen(&form::UPGRADE_MISSING).said(said))
}

/// A header's text, once.
fn value(head: &Head, name: &HeaderName) -> Result<String, Cause> {
    let values: Vec<_> = head.headers.get_all(name).iter().collect();
    match values[..] {
        [] => Err(Cause::seen(&form::PART_MISSING)
            .said(format!("{name} is missing"))
            .fix(format!("send {name}"))),
        [one] => Ok(String::from_utf8_lossy(one.as_bytes()).into_owned()),
        _ => Err(Cause::seen(&form::PART_TWICE)
            .said(format!("{name} is there {} times", values.len()))
            .fix(format!("send {name} once"))),
    }
}

fn malformed(name: &HeaderName, what: &str) -> Cause {
    Cause::seen(&form::PART_FORM).said(format!("{name} {what}")).fix(
        "write a JSON object of strings on one line, such as {\"signtype\":\"gg20\",\"src\":\"0\"}",
    )
}

fn instead(text: &str) -> &'static str {
    match text {
        text if text.trim_start().starts_with("{'") => "is in single quotes, which is no JSON",
        text if text.contains("%7B") || text.contains("%22") => {
            "is percent-encoded, and JSON is wanted"
        }
        text if text.starts_with("ey") => "is in base64 or is the token, and JSON is wanted",
        text if text.contains('=') => "is a form, and JSON is wanted",
        _ => "is no JSON",
    }
}

fn member_cause(member: &str, what: &str) -> Cause {
    Cause::seen(&form::MEMBER_OTHER).said(format!("{member} {what}"))
}

fn members(found: &Map<String, Value>, own: &Own<'_>, evidence: &mut Evidence) {
    let alike = |name: &str| found.keys().find(|other| other.eq_ignore_ascii_case(name));
    for (name, wanted) in own.members {
        let Some(value) = found.get(name) else {
            let other = alike(name).map(|other| format!("; there is {other}")).unwrap_or_default();
            evidence.faults.push(
                Cause::seen(&form::MEMBER_MISSING)
                    .said(format!("{name} is missing{other}"))
                    .fix(format!("add \"{name}\":{wanted}")),
            );
            continue;
        };
        if value != wanted {
            let said = format!("{name} is {value}, and {wanted} is configured");
            evidence.faults.push(Cause::seen(&form::MEMBER_OTHER).said(said));
        }
    }
    let known = |name: &String| own.members.keys().any(|own| own.eq_ignore_ascii_case(name));
    for name in found.keys().filter(|name| !known(name)) {
        evidence.faults.push(
            Cause::seen(&form::MEMBER_SURPLUS)
                .said(format!("there is a member {name:?}, which is not configured")),
        );
    }
}

/// What is wrong with a token, and its times. Of the token itself nothing is said.
fn token(text: &str, part: &str, own: &Own<'_>, evidence: &mut Evidence) {
    let right = verify_slices_are_equal(text.as_bytes(), own.token).is_ok();
    if !right {
        let bare = text.trim().trim_matches('"');
        let bare = bare.strip_prefix("Bearer ").or_else(|| bare.strip_prefix("bearer "));
        let bare = bare.unwrap_or_else(|| text.trim().trim_matches('"'));
        let around = verify_slices_are_equal(bare.as_bytes(), own.token).is_ok();
        let known = if around { &form::PART_FORM } else { &form::TOKEN_OTHER };
        let what = if around && text.to_ascii_lowercase().starts_with("bearer ") {
            "has Bearer in front of the token, and the token alone is wanted"
        } else if around {
            "has something around the token, and the token alone is wanted"
        } else {
            "is not the token that is configured"
        };
        evidence.faults.push(Cause::seen(known).said(format!("{part} {what}")));
    }
    let Ok(token) = Jwt::split(text.as_bytes(), MAX_TOKEN) else { return };
    for (name, limit) in [("exp", Limit::Until), ("nbf", Limit::From)] {
        if let Ok(Some(seconds)) = token.date(name, Null::Absent) {
            let part = format!("the token's {name}");
            evidence.stamps.push(Stamp { part, unix_ms: (seconds * 1000.0) as i128, limit });
        }
    }
}

/// What an `Authorization` with a bearer token shows.
pub(in crate::scheme) fn bearer(head: &Head, configured: &[u8]) -> Evidence {
    let mut evidence = Evidence::default();
    let text = match value(head, &header::AUTHORIZATION) {
        Ok(text) => text,
        Err(cause) => {
            evidence.faults.push(cause.fix("send Authorization: Bearer and the token"));
            return evidence;
        }
    };
    let Some(bare) = text.strip_prefix("Bearer ") else {
        let what = match text.to_ascii_lowercase() {
            text if text.starts_with("bearer") => "is not written as Bearer, a space and the token",
            text if text.starts_with("basic ") => "is Basic, and Bearer is wanted",
            _ => "has no Bearer in front of the token",
        };
        let cause = Cause::seen(&form::PART_FORM).said(format!("Authorization {what}"));
        evidence.faults.push(cause.fix("send Authorization: Bearer and the token"));
        return evidence;
    };
    let (members, headers) = (Map::new(), [header::AUTHORIZATION, header::AUTHORIZATION]);
    let own = Own { members: &members, token_member: None, headers: &headers, token: configured };
    token(bare, "Authorization", &own, &mut evidence);
    evidence
}
