//! Causes: tokens that carry a request.

use super::super::types::{Known, known};

pub(crate) static TOKEN_MISSING: Known = known(
    "token_missing",
    "there is no token where it should be",
    "send it where the scheme has it",
);
pub(crate) static TOKEN_PLACE: Known = known(
    "token_place",
    "the token is in another place than the scheme's",
    "send it where the scheme has it",
);
pub(crate) static TOKEN_FORM: Known = known(
    "token_form",
    "the token is no JWT in compact form",
    "send three parts in base64url without padding, with dots between them",
);
pub(crate) static TOKEN_ALG: Known = known(
    "token_alg",
    "the token's alg is not the one that is wanted",
    "sign with the algorithm that the provider takes",
);
pub(crate) static TOKEN_CHANGED: Known = known(
    "token_changed",
    "the token was changed after it was signed",
    "sign the token that is sent",
);
pub(crate) static TOKEN_TIMES: Known = known(
    "token_times",
    "a time of the token is missing, or no number of seconds",
    "write exp, iat and nbf in seconds since 1970",
);
pub(crate) static TOKEN_ISSUER: Known = known(
    "token_issuer",
    "the token was signed with another key than its issuer's",
    "sign with the key whose public half the other side knows",
);
pub(crate) static TOKEN_SIDE: Known = known(
    "token_side",
    "the token was signed with the other side's key",
    "node and server have a key each: sign with one's own",
);
pub(crate) static PACKAGE_PLACE: Known = known(
    "package_place",
    "the request stands in another place of the token",
    "put it where the route's payload has it",
);
pub(crate) static PACKAGE_ENCODING: Known = known(
    "package_encoding",
    "the request in the token is in another encoding than standard base64",
    "encode package_data in standard base64 with padding",
);
pub(crate) static PACKAGE_FORM: Known = known(
    "package_form",
    "what the token carries is no request",
    "put the CallbackRequest's JSON in",
);

/// All of them.
pub(super) static ALL: &[&Known] = &[
    &TOKEN_MISSING,
    &TOKEN_PLACE,
    &TOKEN_FORM,
    &TOKEN_ALG,
    &TOKEN_CHANGED,
    &TOKEN_TIMES,
    &TOKEN_ISSUER,
    &TOKEN_SIDE,
    &PACKAGE_PLACE,
    &PACKAGE_ENCODING,
    &PACKAGE_FORM,
];
