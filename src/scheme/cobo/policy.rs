//! The policy of callbacks: rules that say whether a key share may be used, without asking
//! anybody. Pure.
//!
//! A TSS node asks before it uses its share: the question is a CallbackRequest in JSON, whose
//! `request_detail` and `extra_info` are JSON texts inside strings. [`Rules::decide`] reads it
//! and answers. What is not expressly allowed is refused; so is what cannot be read, or could
//! be read in two ways.
//!
//! The rules believe the node: they see what it says of a transaction, and do not compute the
//! hash that is signed from it. The fee and what a contract call does are not looked at either,
//! so a ceiling on amounts means little where `CONTRACT_CALL` is allowed.

mod amount;
mod keysign;
mod known;
mod member;
mod rules;
mod table;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use member::{EXTRA, member, shown, text};
use rules::{KeySign, Permission, Rules};
pub(super) use table::read;

use super::super::json::{self, Object, Value};
use super::super::{Opened, Policy, Verdict};

impl Policy for Rules {
    fn judge(&self, opened: &Opened) -> Verdict {
        self.decide(str::from_utf8(&opened.request).unwrap_or_default())
    }
}

impl Rules {
    /// Judges a CallbackRequest, the JSON text inside a token that was verified.
    fn decide(&self, request: &str) -> Verdict {
        self.verdict(request).unwrap_or_else(|refusal| refusal)
    }

    /// The verdict; a refusal on the way there is an error.
    fn verdict(&self, request: &str) -> Result<Verdict, Verdict> {
        let request = object(REQUEST, "the request", request)?;
        let kind = kind(&request)?;
        check_id(&request, kind)?;
        let detail = member_text(&request, "request_detail")?;
        let detail =
            detail.as_deref().map(|text| object(DETAIL, "request_detail", text)).transpose()?;
        let extra = member_text(&request, "extra_info")?;
        let extra = extra.as_deref().map(|text| object(EXTRA, "extra_info", text)).transpose()?;
        let permission = match (kind, &self.keysign) {
            (Kind::Ping, _) => self.ping,
            (Kind::KeyGen, _) => self.keygen,
            (Kind::KeyReshare, _) => self.keyreshare,
            (Kind::KeyShareSign, _) => self.keysharesign,
            (Kind::KeySign, KeySign::Every(permission)) => *permission,
            (Kind::KeySign, KeySign::Limited(limits)) => {
                return keysign::judge(limits, &request, detail.as_ref(), extra.as_ref());
            }
        };
        let rule = kind.name();
        match permission {
            Permission::Allow => {
                Ok(Verdict::approve(rule, format!("every {rule} request is allowed")))
            }
            Permission::Refuse => Err(Verdict::reject(rule, format!("no {rule} is allowed"))),
        }
    }
}

/// `request_type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Ping,
    KeyGen,
    KeySign,
    KeyReshare,
    KeyShareSign,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::KeyGen => "keygen",
            Self::KeySign => "keysign",
            Self::KeyReshare => "keyreshare",
            Self::KeyShareSign => "keysharesign",
        }
    }
}

/// The type of a request. Only where the member is not there at all it means 0: Go leaves out
/// zeros, and does not write `null` for them.
fn kind(request: &Object<'_>) -> Result<Kind, Verdict> {
    let refuse = |reason: String| Err(Verdict::reject("request.type", reason));
    let written = request.names().any(|name| name == "request_type");
    match member(REQUEST, request, "request_type")? {
        None if !written => Ok(Kind::Ping),
        Some(Value::Number("0")) => Ok(Kind::Ping),
        Some(Value::Number("1")) => Ok(Kind::KeyGen),
        Some(Value::Number("2")) => Ok(Kind::KeySign),
        Some(Value::Number("3")) => Ok(Kind::KeyReshare),
        Some(Value::Number("5")) => Ok(Kind::KeyShareSign),
        Some(Value::Number(other)) => {
            refuse(format!("request_type is {}, which is none of 0, 1, 2, 3, 5", shown(other)))
        }
        _ => refuse("request_type is not a number".into()),
    }
}

/// An approval counts for a request_id, so there must be one. A ping may do without.
fn check_id(request: &Object<'_>, kind: Kind) -> Result<(), Verdict> {
    let refuse = |reason: &str| Err(Verdict::reject("request.id", reason));
    match text(REQUEST, request, "request_id")? {
        None if kind == Kind::Ping => Ok(()),
        None => refuse("request_id is missing"),
        Some(id) if id.len() > LONGEST_ID => refuse("request_id is longer than 256 bytes"),
        Some(_) => Ok(()),
    }
}

/// A text that is a JSON object.
fn object<'t>(rule: &'static str, what: &str, text: &'t str) -> Result<Object<'t>, Verdict> {
    match json::parse(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Verdict::reject(rule, format!("{what} is not a JSON object"))),
        Err(error) => Err(Verdict::reject(rule, format!("{what} {error}"))),
    }
}

/// A member of the request that holds a JSON text; `None` without one.
fn member_text<'t>(request: &Object<'t>, name: &str) -> Result<Option<Cow<'t, str>>, Verdict> {
    text(REQUEST, request, name)
}

/// Bytes of a `request_id`.
const LONGEST_ID: usize = 256;

// Rules that refuse what cannot be read.
const REQUEST: &str = "request.unreadable";
const DETAIL: &str = "request.detail";
