//! Members of a callback's JSON, and verdicts on those that cannot be read.

use std::borrow::Cow;

use super::super::super::json::{Object, Value};
use super::super::super::{Decision, Verdict};

impl Verdict {
    pub(super) fn approve(rule: &'static str, reason: impl Into<String>) -> Self {
        Self { decision: Decision::Approve, rule, reason: reason.into() }
    }

    pub(super) fn reject(rule: &'static str, reason: impl Into<String>) -> Self {
        Self { decision: Decision::Reject, rule, reason: reason.into() }
    }
}

/// A member, if it is there and not `null`.
pub(super) fn member<'t>(
    rule: &'static str,
    object: &Object<'t>,
    name: &str,
) -> Result<Option<Value<'t>>, Verdict> {
    object.member(name).map_err(|_alike| {
        let reason = format!("a member differs from {name} in case only, and readers differ on it");
        Verdict::reject(rule, reason)
    })
}

/// A member that is a string. An empty one counts as missing: it is what Go has for none.
pub(super) fn text<'t>(
    rule: &'static str,
    object: &Object<'t>,
    name: &str,
) -> Result<Option<Cow<'t, str>>, Verdict> {
    match member(rule, object, name)? {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(_) => Err(Verdict::reject(rule, format!("{name} is not a string"))),
    }
}

/// A value of the request, for a reason: whoever wrote it must not write our log.
pub(super) fn shown(text: &str) -> String {
    if text.chars().count() > SHOWN {
        return format!("a text of {} characters", text.chars().count());
    }
    format!("\"{}\"", text.escape_default())
}

/// Characters of a value that are shown.
const SHOWN: usize = 64;

/// The rule that refuses an `extra_info` that cannot be read.
pub(super) const EXTRA: &str = "request.extra";
