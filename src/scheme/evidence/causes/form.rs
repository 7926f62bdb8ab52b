//! Causes: how a request is written: what is wrong whatever was signed.

use super::super::types::{Known, known};

pub(crate) static PART_MISSING: Known =
    known("part_missing", "something that the scheme needs is not in the request", "send it");
pub(crate) static PART_TWICE: Known = known(
    "part_twice",
    "something that must be there once is there more than once",
    "send it once: a second copy is often a proxy's, or a default of the HTTP library",
);
pub(crate) static PART_MISNAMED: Known = known(
    "part_misnamed",
    "a header has another name than the scheme's",
    "use the name that the provider documents",
);
pub(crate) static PART_FORM: Known = known(
    "part_form",
    "a value is not written in the form that the scheme has for it",
    "write it in the form that the provider documents",
);
pub(crate) static SIGNATURE_ENCODING: Known = known(
    "signature_encoding",
    "the signature's bytes are written in another encoding than the scheme's",
    "encode the same bytes as the provider documents",
);
pub(crate) static SIGNATURE_FORM: Known = known(
    "signature_form",
    "the signature's numbers are packed in another form than the scheme's",
    "pack r and s as the provider documents",
);
pub(crate) static SIGNATURE_CUT: Known = known(
    "signature_cut",
    "the signature is too short, too long or damaged",
    "look for a buffer or a column that cuts it; sign again",
);
pub(crate) static KEY_FORM: Known = known(
    "key_form",
    "the public key is written in another form than the scheme's",
    "write it as `countersign keys show` prints it for the provider",
);
pub(crate) static KEY_CURVE_NAMED: Known = known(
    "key_curve_named",
    "the public key names another curve than the one its point is on",
    "write it with the object identifier of its own curve",
);
pub(crate) static TIME_SECONDS: Known = known(
    "time_seconds",
    "the time stamp is in seconds, and milliseconds are wanted",
    "multiply by 1000: Date.now(), int(time.time() * 1000), System.currentTimeMillis()",
);
pub(crate) static TIME_UNIT: Known = known(
    "time_unit",
    "the time stamp is in another unit than the scheme's",
    "send it in the unit that the provider documents",
);
pub(crate) static TIME_FORM: Known = known(
    "time_form",
    "the time stamp is not the whole number that the scheme has",
    "send digits alone: no fraction, no quotation marks, no date",
);
pub(crate) static METHOD_UNSIGNABLE: Known = known(
    "method_unsignable",
    "the scheme has no signature for this method",
    "use a method that the provider signs",
);
pub(crate) static BODY_ENCODED: Known = known(
    "body_encoded",
    "the body was compressed or coded after it was signed",
    "send it without Content-Encoding",
);
pub(crate) static BODY_LENGTH: Known = known(
    "body_length",
    "Content-Length is not the number of the body's bytes",
    "count bytes of the encoded body, not characters of the text; let the HTTP library write the header",
);
pub(crate) static BODY_FORM: Known =
    known("body_form", "the body is not what the scheme signs", "send what the provider documents");
pub(crate) static UNSIGNABLE: Known = known(
    "unsignable",
    "the scheme has no canonical string for this request",
    "send what the provider documents",
);
pub(crate) static UPGRADE_MISSING: Known = known(
    "upgrade_missing",
    "the request is no WebSocket handshake, and the scheme is of one",
    "open it with a WebSocket client: Connection: Upgrade, Upgrade: websocket, version and key",
);
pub(crate) static TOKEN_OTHER: Known = known(
    "token_other",
    "the token is not the configured one",
    "send the token that is configured here, or configure the one that is sent",
);
pub(crate) static MEMBER_MISSING: Known =
    known("member_missing", "a member is missing", "add it, with the configured value");
pub(crate) static MEMBER_OTHER: Known = known(
    "member_other",
    "a member has another value than the configured one",
    "send the configured value, or configure the one that is sent",
);
pub(crate) static MEMBER_SURPLUS: Known = known(
    "member_surplus",
    "there is a member that is not configured",
    "leave it out, or configure it",
);
pub(crate) static UNEXPLAINED: Known = known(
    "unexplained",
    "the request does not hold, and nothing that was tried says why",
    "hold it against `countersign explain` of the same request",
);

/// All of them.
pub(super) static ALL: &[&Known] = &[
    &PART_MISSING,
    &PART_TWICE,
    &PART_MISNAMED,
    &PART_FORM,
    &SIGNATURE_ENCODING,
    &SIGNATURE_FORM,
    &SIGNATURE_CUT,
    &KEY_FORM,
    &KEY_CURVE_NAMED,
    &TIME_SECONDS,
    &TIME_UNIT,
    &TIME_FORM,
    &METHOD_UNSIGNABLE,
    &BODY_ENCODED,
    &BODY_LENGTH,
    &BODY_FORM,
    &UNSIGNABLE,
    &UPGRADE_MISSING,
    &TOKEN_OTHER,
    &MEMBER_MISSING,
    &MEMBER_OTHER,
    &MEMBER_SURPLUS,
    &UNEXPLAINED,
];
