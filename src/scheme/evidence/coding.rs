//! Percent-encoding as programs do it.

use crate::scheme::declared::{percent, unpercent};

/// Percent signs and their two hex digits decoded.
pub(super) fn decode(bytes: &[u8], plus: bool) -> Vec<u8> {
    unpercent(bytes, plus)
}

/// Percent-encoded but for RFC 3986's unreserved characters and these.
pub(super) fn encode(bytes: &[u8], keep: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    percent(bytes, keep, &mut out);
    out
}

/// The same with the hex digits of escapes in lower case.
pub(super) fn escapes_lower(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in 0..bytes.len().saturating_sub(2) {
        if bytes[at] == b'%' && bytes[at + 1..at + 3].iter().all(u8::is_ascii_hexdigit) {
            out[at + 1..at + 3].make_ascii_lowercase();
        }
    }
    out
}
