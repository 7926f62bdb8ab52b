//! Causes: what else was signed in place of the body.

use super::super::types::{Known, known};

pub(crate) static BODY_REMADE: Known = known(
    "body_remade",
    "the body was written anew between signing and sending",
    "make the body's bytes once, sign them, send the same bytes: data=, not json=",
);
pub(crate) static BODY_ORDER: Known = known(
    "body_order",
    "the body was signed with its members in another order than it is sent in",
    "make the body's bytes once, sign them, send the same bytes",
);
pub(crate) static BODY_SPACES: Known = known(
    "body_spaces",
    "the body was signed with other white space than it is sent with",
    "make the body's bytes once, sign them, send the same bytes",
);
pub(crate) static BODY_ESCAPES: Known = known(
    "body_escapes",
    "the body was signed with other escapes in its strings than it is sent with",
    "make the body's bytes once, sign them, send the same bytes",
);
pub(crate) static BODY_NUMBERS: Known = known(
    "body_numbers",
    "the body was signed with numbers written otherwise than they are sent",
    "make the body's bytes once, sign them, send the same bytes; keep amounts in strings",
);
pub(crate) static BODY_REMOVED: Known = known(
    "body_removed",
    "other white space was taken out of the body before signing than this route does",
    "set the route's remove to what the program does, or change the program",
);
pub(crate) static BODY_PRINTED: Known = known(
    "body_printed",
    "a program's own print of the body was signed, which is no JSON",
    "sign the JSON text that is sent: json.dumps, JSON.stringify, ObjectMapper",
);
pub(crate) static BODY_FORM_SIGNED: Known = known(
    "body_form_signed",
    "the body's members were signed as a query string",
    "sign the body as it is sent",
);
pub(crate) static BODY_EMPTY: Known = known(
    "body_empty",
    "an empty body was signed as {}, null or \"\", or one like that as nothing",
    "sign the bytes that are sent",
);
pub(crate) static BODY_MISSING: Known =
    known("body_missing", "the body was not signed", "sign the body too");
pub(crate) static BODY_ADDED: Known = known(
    "body_added",
    "the body was signed, which the scheme does not sign there",
    "leave the body out of the canonical string",
);
pub(crate) static BODY_QUERY: Known =
    known("body_query", "the query was signed in place of the body", "sign the body");
pub(crate) static QUERY_BODY: Known =
    known("query_body", "a body or {} was signed in place of the query", "sign the query");
pub(crate) static BODY_HASHED: Known = known(
    "body_hashed",
    "the body was hashed or encoded before it was signed, otherwise than the scheme has it",
    "sign the body as the scheme has it",
);
pub(crate) static BODY_NEWLINE: Known = known(
    "body_newline",
    "the body was signed with another line end at its end, or other line ends",
    "sign the bytes that are sent",
);
pub(crate) static BODY_STRING: Known = known(
    "body_string",
    "the body was turned into a JSON string before it was signed",
    "sign the JSON itself: dump once",
);
pub(crate) static BODY_CUT: Known =
    known("body_cut", "a beginning of the body was signed", "sign the whole body");

/// All of them.
pub(super) static ALL: &[&Known] = &[
    &BODY_REMADE,
    &BODY_ORDER,
    &BODY_SPACES,
    &BODY_ESCAPES,
    &BODY_NUMBERS,
    &BODY_REMOVED,
    &BODY_PRINTED,
    &BODY_FORM_SIGNED,
    &BODY_EMPTY,
    &BODY_MISSING,
    &BODY_ADDED,
    &BODY_QUERY,
    &QUERY_BODY,
    &BODY_HASHED,
    &BODY_NEWLINE,
    &BODY_STRING,
    &BODY_CUT,
];
