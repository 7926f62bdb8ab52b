//! Causes: when a request arrived, and what that makes of it.

use super::super::types::{Known, known};

pub(crate) static CLOCK_BEHIND: Known = known(
    "clock_behind",
    "the request was too old when it arrived: the program's clock is behind, or the request waited",
    "set the clock (NTP), and sign just before sending",
);
pub(crate) static CLOCK_AHEAD: Known = known(
    "clock_ahead",
    "the request came from the future: the program's clock is ahead",
    "set the clock (NTP)",
);
pub(crate) static EXPIRED: Known = known(
    "expired",
    "it had expired when it arrived",
    "make or fetch a new one; look at the clock",
);
pub(crate) static NOT_YET: Known =
    known("not_yet", "it was not good yet when it arrived", "set the clock (NTP), or wait");
pub(crate) static NONCE_REPEATED: Known = known(
    "nonce_repeated",
    "the nonce is that of an earlier request",
    "use each nonce once; a retry needs a new one, and a new signature",
);
pub(crate) static ANSWER_CODE: Known = known(
    "answer_code",
    "the provider's answer names the cause",
    "see the provider's documentation of that code",
);

/// All of them.
pub(super) static ALL: &[&Known] =
    &[&CLOCK_BEHIND, &CLOCK_AHEAD, &EXPIRED, &NOT_YET, &NONCE_REPEATED, &ANSWER_CODE];
