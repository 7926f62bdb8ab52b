//! What tools leave around a key or a secret: a byte order mark, quotation marks, line feeds
//! written out as `\n`.
//!
//! Taken off where only one thing can be meant. Everything here may be secret, so that copies are
//! made in buffers of their final size, which are wiped.

use zeroize::Zeroizing;

use super::error::FormatError;
use crate::pem::is_pem;

/// The bytes without a byte order mark, and PEM with real line ends.
///
/// # Errors
///
/// For text in UTF-16, which nothing here is in.
pub(in crate::keys) fn plain(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, FormatError> {
    if is_utf16(bytes) {
        return Err(FormatError::new(
            "is text in UTF-16, as PowerShell's > writes it",
            "write it in UTF-8: ... | Out-File -Encoding ascii FILE",
        ));
    }
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    // No backslash is part of PEM, so that one before an n or r is a line end that was escaped.
    let escaped = is_pem(bytes) && bytes.contains(&b'\\');
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'\\', [b'n' | b'r', after @ ..]) if escaped => {
                plain.push(b'\n');
                rest = after;
            }
            _ => plain.push(*first),
        }
    }
    Ok(plain)
}

/// What is between quotation marks of one kind at both ends; `None` if there are none.
pub(crate) fn unquoted(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.trim_ascii() {
        [b'"', inside @ .., b'"'] | [b'\'', inside @ .., b'\''] => Some(inside),
        _ => None,
    }
}

/// Whether it has the mark of UTF-16, and every other byte is zero as in Latin text.
fn is_utf16(bytes: &[u8]) -> bool {
    let zeros = |at: usize| bytes[2..].chunks(2).all(|pair| pair.get(at) == Some(&0));
    match bytes {
        [0xff, 0xfe, _, _, ..] => zeros(1),
        [0xfe, 0xff, _, _, ..] => zeros(0),
        _ => false,
    }
}

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_is_taken_off_and_what_is_inside_stays() {
        let pem = "-----BEGIN X-----\nAAAA\n-----END X-----\n";
        let (escaped, both) = (pem.replace('\n', "\\n"), pem.replace('\n', "\\r\\n"));
        let doubled = pem.replace('\n', "\n\n");
        let table: &[(&[u8], &[u8])] = &[
            (b"\xef\xbb\xbft0ken\n", b"t0ken\n"),
            (b"a\xef\xbb\xbf", b"a\xef\xbb\xbf"),
            (b"a\\nb\\", b"a\\nb\\"),
            (escaped.as_bytes(), pem.as_bytes()),
            (both.as_bytes(), doubled.as_bytes()),
            (&[0xff, 0xfe, 1, 2], &[0xff, 0xfe, 1, 2]),
            (&[0xff, 0xfe, b'a', 0, b'b'], &[0xff, 0xfe, b'a', 0, b'b']),
            (&[0xff, 0xfe], &[0xff, 0xfe]),
        ];
        for (bytes, expected) in table {
            assert_eq!(plain(bytes).unwrap().as_slice(), *expected);
        }
        for text in [&b"\xff\xfea\0b\0"[..], b"\xfe\xff\0a\0b"] {
            assert!(plain(text).unwrap_err().what.contains("UTF-16"));
        }
    }

    #[test]
    fn quotes_count_in_pairs() {
        let table: &[(&str, Option<&str>)] = &[
            ("\"a\"", Some("a")),
            (" 'a b' \n", Some("a b")),
            ("\"\"a\"\"", Some("\"a\"")),
            ("\"\"", Some("")),
            ("\"a'", None),
            ("\"a", None),
            ("\"", None),
            ("a\"", None),
            ("", None),
        ];
        for (text, inside) in table {
            assert_eq!(unquoted(text.as_bytes()), inside.map(str::as_bytes), "{text}");
        }
    }
}
