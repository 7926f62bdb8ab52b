//! A CallbackRequest: what the gateway has to know of it. The rest is between node and service.

use super::super::SchemeError;
use super::super::json::{self, Object, Splice};
use super::PING;

/// A request that can be answered.
#[derive(Debug)]
pub(super) struct Request {
    /// The JSON, `request_type` filled in.
    pub(super) text: String,
    /// `request_id`; empty where a ping has none.
    pub(super) id: String,
    /// `request_type`.
    pub(super) kind: u64,
}

impl Request {
    /// Reads a JSON object: it has a `request_id`, unless it is a ping, and a `request_type`,
    /// unless that is 0, which Go leaves out.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Package`], with the id where that much could be read.
    pub(super) fn read(package: &[u8]) -> Result<Self, SchemeError> {
        let bad = |what, id| SchemeError::Package { what, id };
        let object = json::document(package).and_then(|text| Ok((text, Object::whole(text)?)));
        let Ok((text, object)) = object else {
            return Err(bad("is not a JSON object in UTF-8", None));
        };
        if !object.is_plain(&["request_id", "request_type", "request_detail", "extra_info"]) {
            return Err(bad("has a member twice, or two spellings of it", None));
        }
        let id = match object.get("request_id").map(|member| member.value) {
            None | Some("null") => String::new(),
            Some(value) => json::string(value)
                .filter(|id| id.len() <= LONGEST_ID)
                .ok_or_else(|| bad("has a request_id that is not a string of 256 bytes", None))?,
        };
        let known = Some(id.clone()).filter(|id| !id.is_empty());
        let kind = match object.get("request_type").map(|member| member.value) {
            None => PING,
            Some(value) => number(value)
                .ok_or_else(|| bad("has a request_type that is no whole number", known.clone()))?,
        };
        if known.is_none() && kind != PING {
            return Err(bad("has no request_id, for which an answer would be good", None));
        }
        let mut splice = Splice::default();
        if object.get("request_type").is_none() {
            splice.set(&object, "request_type", "0");
        }
        Ok(Self { text: splice.apply(text), id, kind })
    }
}

/// A number as it is written: digits without a sign, a point or an exponent.
fn number(value: &str) -> Option<u64> {
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten()
}

/// Bytes of a `request_id`.
const LONGEST_ID: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_reach_the_service_as_they_were() {
        for (text, sent, id, kind) in [
            (r#"{"request_id":"r","request_type":2}"#, None, "r", 2),
            (r#"{ "x" : 1e999, "request_type":7,"request_id":"\u0072" }"#, None, "r", 7),
            (r#"{"request_id":"r"}"#, Some(r#"{"request_id":"r","request_type":0}"#), "r", 0),
            ("{ }", Some("{\"request_type\":0 }"), "", 0),
            (r#"{"request_type":0,"request_id":null}"#, None, "", 0),
            (r#"{"request_type":0,"request_id":""}"#, None, "", 0),
            (r#"{"request_type":0,"a":{"b":1,"b":2}}"#, None, "", 0),
        ] {
            let request = Request::read(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(request.text, sent.unwrap_or(text));
            assert_eq!((request.id.as_str(), request.kind), (id, kind), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_answered_is_refused_with_its_id_where_it_has_one() {
        for (text, id) in [
            ("", None),
            ("[]", None),
            ("\u{feff}{}", None),
            ("{} {}", None),
            (r#"{"request_id":"a","request_id":"b"}"#, None),
            (r#"{"request_id":"a","Request_ID":"b"}"#, None),
            (r#"{"request_id":"a","REQUEST_TYPE":2}"#, None),
            (r#"{"request_id":5}"#, None),
            (r#"{"request_id":"\ud800"}"#, None),
            (r#"{"request_type":2}"#, None),
            (r#"{"request_id":"","request_type":2}"#, None),
            (r#"{"request_id":"a","request_type":null}"#, Some("a")),
            (r#"{"request_id":"a","request_type":"2"}"#, Some("a")),
            (r#"{"request_id":"a","request_type":2.0}"#, Some("a")),
            (r#"{"request_id":"a","request_type":-0}"#, Some("a")),
            (r#"{"request_id":"a","request_type":18446744073709551616}"#, Some("a")),
        ] {
            let Err(SchemeError::Package { id: found, .. }) = Request::read(text.as_bytes()) else {
                panic!("{text}")
            };
            assert_eq!(found.as_deref(), id, "{text}");
        }
        assert!(Request::read(b"{\"a\":\"\xff\"}").is_err());
    }
}
