//! Queries and percent-encoding, for schemes that sign what a query means and not how it is
//! written.

use super::SchemeError;

/// The pairs of a raw query, decoded, in the order they are written: `+` is a space, empty pieces
/// are left out, a piece without `=` has an empty value.
///
/// # Errors
///
/// [`SchemeError::Query`] for an escape that is none, or one that is not UTF-8.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>, SchemeError> {
    let pieces = query.split('&').filter(|piece| !piece.is_empty());
    let pair = |piece: &str| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        Ok((decode(name)?, decode(value)?))
    };
    pieces.map(pair).collect()
}

fn decode(text: &str) -> Result<String, SchemeError> {
    // The text itself is not shown: who knows what a query carries.
    let bad = |what: &str| SchemeError::Query {
        what: what.into(),
        remedy: "Percent-encode names and values as UTF-8; a percent sign itself is %25.",
    };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let (byte, next) = match (first, behind) {
            (b'%', [high, low, next @ ..]) => {
                let byte = base16ct::mixed::decode_vec([*high, *low]).ok();
                let byte = byte.and_then(|byte| byte.first().copied());
                (byte.ok_or_else(|| bad(ALONE))?, next)
            }
            (b'%', _) => return Err(bad(ALONE)),
            (b'+', next) => (b' ', next),
            (byte, next) => (*byte, next),
        };
        out.push(byte);
        rest = next;
    }
    String::from_utf8(out).map_err(|_| bad("has escapes that are not UTF-8"))
}

const ALONE: &str = "has a percent sign without two hex digits behind it";

/// Appends text percent-encoded, upper-case hex, with only RFC 3986's unreserved characters as
/// they are.
pub(super) fn encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn queries_are_split_and_decoded() {
        for (query, expected) in [
            ("", &[][..]),
            ("&&", &[]),
            ("a=1&b=2", &[("a", "1"), ("b", "2")]),
            ("a&=&b=c=d", &[("a", ""), ("", ""), ("b", "c=d")]),
            ("a+b=c%2Bd%20e", &[("a b", "c+d e")]),
            ("%E8%B7%af=%00", &[("路", "\0")]),
            ("a=1&a=2", &[("a", "1"), ("a", "2")]),
        ] {
            let found = pairs(query).expect("it can be decoded");
            let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(found, expected, "{query}");
        }
    }

    #[test]
    fn escapes_that_are_none_are_refused() {
        for query in ["a=%", "a=%4", "%zz", "a=%+1", "a=%ff", "%C3=1", "a=%ED%A0%80"] {
            assert!(matches!(pairs(query), Err(SchemeError::Query { .. })), "{query}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in any::<String>()) {
            let mut encoded = String::new();
            encode(&text, &mut encoded);
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(decode(&encoded).expect("ours"), text);
        }
    }
}
