//! A CallbackResponse: what it says, read in the one way there is, or not at all.

use super::super::Decision;
use super::super::json::{self, Object};

/// What an answer says.
#[derive(Debug)]
pub(super) struct Response<'a> {
    object: Object<'a>,
    /// 0 for success.
    pub(super) status: i64,
    /// The request it is for.
    pub(super) id: Option<String>,
    /// What the node may do.
    pub(super) action: Option<Decision>,
}

impl<'a> Response<'a> {
    /// Reads a JSON object. A member that is `null` is not there, nor is an `action` of no
    /// letters: Go writes what is missing like that.
    ///
    /// # Errors
    ///
    /// What is wrong, to be read after the name of the text.
    pub(super) fn read(text: &'a [u8]) -> Result<Self, &'static str> {
        let object = json::document(text).and_then(Object::whole);
        let object = object.map_err(|_| "is not a JSON object in UTF-8")?;
        if !object.is_plain(&["status", "request_id", "action", "error"]) {
            return Err("has a member twice, or two spellings of it");
        }
        let value = |name| {
            let member = object.get(name).map(|member| member.value);
            member.filter(|value| *value != "null")
        };
        let status = match value("status") {
            None => 0,
            Some(written) => status(written).ok_or("has a status that is no whole number")?,
        };
        let id = match value("request_id") {
            None => None,
            Some(id) => Some(json::string(id).ok_or("has a request_id that is no text")?),
        };
        let action = match value("action") {
            None | Some("\"\"") => None,
            Some("\"APPROVE\"") => Some(Decision::Approve),
            Some("\"REJECT\"") => Some(Decision::Reject),
            Some(_) => return Err("has an action that is none of the two words"),
        };
        if value("error").is_some_and(|error| json::string(error).is_none()) {
            return Err("has an error that is no text");
        }
        Ok(Self { object, status, id, action })
    }

    /// The answer to the request of this id: as it was given, less what is `null`, with the status
    /// and the id filled in. One that failed says REJECT.
    pub(super) fn complete(&self, id: &str) -> String {
        let mut written = Written::new(self.status, id);
        let action = if self.status == 0 { self.action } else { Some(Decision::Reject) };
        if let Some(action) = action {
            written.text("action", action.word());
        }
        let filled = ["status", "request_id", "action"];
        let others = self.object.members.iter().filter(|m| !filled.contains(&m.name.as_str()));
        for member in others.filter(|member| member.value != "null") {
            written.json(&member.name, member.value);
        }
        written.end()
    }
}

/// A status: a whole number as a number is written by everybody.
fn status(written: &str) -> Option<i64> {
    let digits = written.strip_prefix('-').unwrap_or(written);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && written != "-0";
    plain.then(|| written.parse().ok()).flatten()
}

/// An answer of one's own.
pub(super) fn own(status: i64, id: &str, action: Option<Decision>, error: Option<&str>) -> String {
    let mut written = Written::new(status, id);
    if let Some(action) = action {
        written.text("action", action.word());
    }
    if let Some(error) = error {
        written.text("error", error);
    }
    written.end()
}

/// A JSON object that grows.
struct Written(String);

impl Written {
    fn new(status: i64, id: &str) -> Self {
        let mut written = Self(format!("{{\"status\":{status}"));
        if !id.is_empty() {
            written.text("request_id", id);
        }
        written
    }

    fn text(&mut self, name: &str, text: &str) {
        let mut value = String::new();
        json::quote(text, &mut value);
        self.json(name, &value);
    }

    fn json(&mut self, name: &str, value: &str) {
        self.0.push(',');
        json::quote(name, &mut self.0);
        self.0.push(':');
        self.0.push_str(value);
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_one_thing_or_nothing() {
        for (text, status, id, action) in [
            ("{}", 0, None, None),
            (r#"{"action":"APPROVE"}"#, 0, None, Some(Decision::Approve)),
            (
                r#"{"status":0,"request_id":"r","action":"REJECT"}"#,
                0,
                Some("r"),
                Some(Decision::Reject),
            ),
            (r#"{"status":30,"action":"APPROVE"}"#, 30, None, Some(Decision::Approve)),
            (r#"{"status":-1}"#, -1, None, None),
            (r#"{"status":null,"request_id":null,"action":null,"error":null}"#, 0, None, None),
            (r#"{"action":"","request_id":""}"#, 0, Some(""), None),
        ] {
            let found = Response::read(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
            let found = (found.status, found.id.as_deref(), found.action);
            assert_eq!(found, (status, id, action), "{text}");
        }
        for text in [
            "",
            "\"APPROVE\"",
            "[{\"action\":\"APPROVE\"}]",
            "\u{feff}{\"action\":\"APPROVE\"}",
            r#"{"action":"APPROVE"} x"#,
            r#"{"action":"approve"}"#,
            r#"{"action":"APPROVE "}"#,
            r#"{"action":"APPROVED"}"#,
            r#"{"action":"WAIT"}"#,
            // Another spelling of the same text: nobody writes it, and not every reader knows it.
            r#"{"action":"\u0041PPROVE"}"#,
            r#"{"action":true}"#,
            r#"{"action":["APPROVE"]}"#,
            r#"{"action":"REJECT","action":"APPROVE"}"#,
            r#"{"action":"REJECT","Action":"APPROVE"}"#,
            r#"{"status":1,"STATUS":0,"action":"APPROVE"}"#,
            r#"{"status":"0","action":"APPROVE"}"#,
            r#"{"status":0.0,"action":"APPROVE"}"#,
            r#"{"status":-0,"action":"APPROVE"}"#,
            r#"{"status":1e999,"action":"APPROVE"}"#,
            r#"{"status":99999999999999999999,"action":"APPROVE"}"#,
            r#"{"status":false,"action":"APPROVE"}"#,
            r#"{"request_id":5,"action":"APPROVE"}"#,
            r#"{"error":{},"action":"APPROVE"}"#,
        ] {
            assert!(Response::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_filled_in_and_nothing_is_lost() {
        for (text, id, complete) in [
            ("{}", "", r#"{"status":0}"#),
            ("{}", "r", r#"{"status":0,"request_id":"r"}"#),
            (
                r#"{ "x" : [1e9, "\u00e9"], "action":"APPROVE", "error":null, "status":null }"#,
                "r\"",
                r#"{"status":0,"request_id":"r\"","action":"APPROVE","x":[1e9, "\u00e9"]}"#,
            ),
            (
                r#"{"status":10,"action":"APPROVE","error":"no"}"#,
                "r",
                r#"{"status":10,"request_id":"r","action":"REJECT","error":"no"}"#,
            ),
        ] {
            let response = Response::read(text.as_bytes()).unwrap();
            assert_eq!(response.complete(id), complete, "{text}");
        }
    }
}
