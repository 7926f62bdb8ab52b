//! Causes: what else was hashed of a message with fields.

use super::super::types::{Known, known};

pub(crate) static FIELD_SCALED: Known = known(
    "field_scaled",
    "a number was hashed in another unit than it is sent in",
    "hash the number that is sent",
);
pub(crate) static FIELD_FLOAT: Known = known(
    "field_float",
    "a number went through a float before it was hashed, which rounds it",
    "keep numbers as integers or strings all the way",
);
pub(crate) static FIELD_CHANGED: Known = known(
    "field_changed",
    "a field was hashed with another value than it is sent with",
    "hash the value that is sent",
);
pub(crate) static FIELD_FLAG: Known =
    known("field_flag", "a flag was hashed as its opposite", "hash the flag that is sent");
pub(crate) static FIELD_MISSING: Known = known(
    "field_missing",
    "a field was left out of the hash",
    "hash all fields, in the order of the protocol",
);
pub(crate) static FIELDS_SWAPPED: Known = known(
    "fields_swapped",
    "two fields were exchanged in the hash",
    "hash them in the order of the protocol",
);
pub(crate) static FIELDS_ORDER: Known = known(
    "fields_order",
    "the fields were hashed in another order",
    "hash them in the order of the protocol, not in that of JSON or of the alphabet",
);
pub(crate) static POSEIDON: Known = known(
    "poseidon",
    "the fields were hashed with another Poseidon",
    "use the width and the rounds of the provider's own code",
);
pub(crate) static HASH_STALE: Known = known(
    "hash_stale",
    "the hash in the body is not that of its fields",
    "hash the fields that are sent",
);

/// All of them.
pub(super) static ALL: &[&Known] = &[
    &FIELD_SCALED,
    &FIELD_FLOAT,
    &FIELD_CHANGED,
    &FIELD_FLAG,
    &FIELD_MISSING,
    &FIELDS_SWAPPED,
    &FIELDS_ORDER,
    &POSEIDON,
    &HASH_STALE,
];
