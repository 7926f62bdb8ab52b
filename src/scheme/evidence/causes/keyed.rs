//! Causes: what else it was signed with: digests, curves, keys.

use super::super::types::{Known, known};

pub(crate) static HASH_TWICE: Known = known(
    "hash_twice",
    "the text was hashed twice: once by the program, once more by the library that signs",
    "give the library the text, or tell it that it is given a digest",
);
pub(crate) static HASH_HEX: Known = known(
    "hash_hex",
    "the hex of the text's hash was signed, as a text of its own",
    "give the library the text, or the digest as bytes",
);
pub(crate) static HASH_NONE: Known =
    known("hash_none", "the text was signed without being hashed", "hash it with SHA-256 first");
pub(crate) static HASH_OTHER: Known =
    known("hash_other", "the text was hashed with another function", "hash it with the scheme's");
pub(crate) static HASH_REVERSED: Known = known(
    "hash_reversed",
    "the digest's bytes were reversed before it was signed",
    "sign the digest as it is: big-endian",
);
pub(crate) static HASH_PREFIX: Known = known(
    "hash_prefix",
    "the text was signed as a wallet's message, with a prefix in front",
    "sign the text itself, not by a wallet's signMessage",
);
pub(crate) static HASH_ONCE: Known = known(
    "hash_once",
    "the text was hashed once less than the scheme has it",
    "hash it as often as the scheme has it",
);
pub(crate) static CURVE_OTHER: Known = known(
    "curve_other",
    "the key's number was used on another curve",
    "sign on the curve of the key: the library's default is often another",
);
pub(crate) static KEY_REVERSED: Known = known(
    "key_reversed",
    "the private key's bytes were read in reverse",
    "read the number big-endian, or as the provider writes it",
);
pub(crate) static KEY_CONFIGURED: Known = known(
    "key_configured",
    "another key of this configuration signed",
    "sign with this route's key",
);
pub(crate) static KEY_SHOWN: Known = known(
    "key_shown",
    "the request presents another key than this route's",
    "send and use this route's key, or configure the one that is sent",
);
pub(crate) static KEY_UNSHOWN: Known = known(
    "key_unshown",
    "this route's key signed, and the request presents another one",
    "send the public half of the key that signs",
);
pub(crate) static KEY_OTHER: Known = known(
    "key_other",
    "another private key signed than the one whose public half is expected",
    "sign with the key whose public half is registered",
);
pub(crate) static SECRET_DECODED: Known = known(
    "secret_decoded",
    "the secret was used decoded, and the scheme uses its text",
    "use the secret's text as the key",
);
pub(crate) static SECRET_ENCODED: Known = known(
    "secret_encoded",
    "the secret's text was used, and the scheme uses what it decodes to",
    "decode the secret before it is the key",
);
pub(crate) static SECRET_SPACE: Known = known(
    "secret_space",
    "the secret was used with a line end behind it",
    "take the line end off: files and variables often have one",
);
pub(crate) static SECRET_EMPTY: Known =
    known("secret_empty", "an empty secret was used", "look whether the program finds its secret");
pub(crate) static MAC_OTHER: Known =
    known("mac_other", "the MAC was made with another hash function", "use the scheme's");
pub(crate) static PADDING_OTHER: Known = known(
    "padding_other",
    "the RSA signature has another padding than the scheme's",
    "sign with the scheme's padding",
);
pub(crate) static VARIANT: Known = known(
    "variant",
    "the signature was made by another variant of the algorithm",
    "use the provider's own variant",
);
pub(crate) static REDUCED: Known = known(
    "reduced",
    "the hash was reduced modulo another number",
    "reduce it modulo the field's prime, or as the provider's own code does",
);
pub(crate) static PARTS_ORDER: Known = known(
    "parts_order",
    "the signature's numbers stand in another order",
    "write them in the order that the scheme has",
);

/// All of them.
pub(super) static ALL: &[&Known] = &[
    &HASH_TWICE,
    &HASH_HEX,
    &HASH_NONE,
    &HASH_OTHER,
    &HASH_REVERSED,
    &HASH_PREFIX,
    &HASH_ONCE,
    &CURVE_OTHER,
    &KEY_REVERSED,
    &KEY_CONFIGURED,
    &KEY_SHOWN,
    &KEY_UNSHOWN,
    &KEY_OTHER,
    &SECRET_DECODED,
    &SECRET_ENCODED,
    &SECRET_SPACE,
    &SECRET_EMPTY,
    &MAC_OTHER,
    &PADDING_OTHER,
    &VARIANT,
    &REDUCED,
    &PARTS_ORDER,
];
