//! `[rejects]`: how the provider rejects a request, for the log and for those who look for a reason.

use super::fields::Fields;
use super::value::seconds;
use super::word::{Key, Word, find, words};
use crate::document::Member;
use crate::scheme::{Blame, Rejections};

/// What a code can mean.
static BLAMES: &[(Word, Blame)] = &[
    (Word::new("clock", "The time stamp is outside the window.", "clock"), Blame::Clock),
    (Word::new("signature", "The signature does not verify.", "signature"), Blame::Signature),
    (Word::new("key", "The key is not known.", "key"), Blame::Key),
    (Word::new("address", "The address is not on the key's list.", "address"), Blame::Address),
    (Word::new("permission", "The key may not do this.", "permission"), Blame::Permission),
    (Word::new("nonce", "The nonce was used, or is too low.", "nonce"), Blame::Nonce),
];

/// The keys of its table.
pub(crate) static KEYS: &[Key] = &[
    Key::new(
        "statuses",
        "Statuses that can be a rejection, beside 400, 401 and 403: 200 of a provider that answers \
         everything so.",
        "[200]",
    ),
    Key::new("member", "Where its JSON has the code; `code`, where it is left out.", "\"error.0\""),
    Key::new("codes", "Its codes, and what each means.", "{ \"-1021\" = \"clock\" }")
        .of(|| words(BLAMES)),
    Key::new("window", "How far a time stamp may be from its clock: ms, s, m or h.", "\"30s\""),
];

/// Reads the table; a file without one has the usual statuses.
pub(super) fn read(root: &Fields<'_>) -> Rejections {
    let usual = Rejections::default();
    let Some(fields) = root.table("rejects", "[rejects]").map(|fields| fields.with(KEYS)) else {
        return usual;
    };
    let codes = fields.table("codes", "codes");
    let codes = codes.iter().flat_map(Fields::members).filter_map(code).collect();
    let member = fields.plain("member").map_or(usual.member, Into::into);
    let window = fields.get("window").and_then(|node| {
        let read = node.text().and_then(seconds).and_then(|ms| u64::try_from(ms).ok());
        if read.is_none() {
            node.report("window is no number of seconds", "write window = \"30s\"");
        }
        read
    });
    let rejections = Rejections { statuses: statuses(&fields), member, codes, window_ms: window };
    fields.finish();
    rejections
}

fn statuses(fields: &Fields<'_>) -> Vec<u16> {
    let Some(node) = fields.get("statuses") else { return Vec::new() };
    let read: Option<Vec<u16>> = node.items().and_then(|items| {
        let status = |number| u16::try_from(number).ok().filter(|own| (200..600).contains(own));
        items.iter().map(|item| item.integer().and_then(status)).collect()
    });
    if read.is_none() {
        node.report("statuses is no list of HTTP statuses", "write statuses = [200]");
    }
    read.unwrap_or_default()
}

fn code(member: &Member<'_>) -> Option<(crate::scheme::Text, Blame)> {
    let name = member.node.text().unwrap_or_default();
    let row = find(BLAMES, name, "anything that a code can mean");
    let row = row.map_err(|(what, fix)| member.node.report(what, fix)).ok()?;
    Some((member.name.clone().into(), row.1))
}
