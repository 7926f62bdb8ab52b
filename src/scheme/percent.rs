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

/// A raw query or form with this pair at its end, in place of every other of the name. The other
/// pieces stay as they are written.
///
/// # Errors
///
/// As [`pairs`].
pub(super) fn set(query: &str, name: &str, value: &str) -> Result<String, SchemeError> {
    let mut out = String::with_capacity(query.len() + name.len() + value.len() + 2);
    for piece in query.split('&').filter(|_| !query.is_empty()) {
        if decode(piece.split_once('=').unwrap_or((piece, "")).0)? != name {
            out.push_str(piece);
            out.push('&');
        }
    }
    encode(name, &mut out);
    out.push('=');
    encode(value, &mut out);
    Ok(out)
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
    fn a_pair_is_set_at_the_end_and_the_others_are_kept_to_the_byte() {
        for (query, expected) in [
            ("", "t=a%26b"),
            ("x=%7e&&y", "x=%7e&&y&t=a%26b"),
            ("t=1&x=t&%74=2", "x=t&t=a%26b"),
            ("t", "t=a%26b"),
        ] {
            assert_eq!(set(query, "t", "a&b").expect("it can be read"), expected, "{query}");
        }
        assert!(matches!(set("%zz=1", "t", ""), Err(SchemeError::Query { .. })));
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
