//! Bytes as text, and back: the encodings that providers use, each a row.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::word::{Row, Word};

/// An encoding of bytes.
#[derive(Debug)]
pub(crate) struct Encoding {
    pub(crate) word: Word,
    pub(super) write: fn(&[u8]) -> String,
    /// Strict: what `write` would not have written is nothing.
    pub(super) read: fn(&str) -> Option<Vec<u8>>,
}

impl Row for Encoding {
    fn word(&self) -> &Word {
        &self.word
    }
}

/// Every encoding, as functions and behind `as`.
pub(crate) static ENCODINGS: &[Encoding] = &[
    Encoding {
        word: Word::new("hex", "Lower-case hex.", "{body | sha256 | hex}"),
        write: base16ct::lower::encode_string,
        read: |text| base16ct::lower::decode_vec(text).ok(),
    },
    Encoding {
        word: Word::new("hex_upper", "Upper-case hex.", "{body | md5 | hex_upper}"),
        write: base16ct::upper::encode_string,
        read: |text| base16ct::upper::decode_vec(text).ok(),
    },
    Encoding {
        word: Word::new("base64", "Base64 with padding.", "{body | sha256 | base64}"),
        write: |bytes| STANDARD.encode(bytes),
        read: |text| STANDARD.decode(text).ok(),
    },
    Encoding {
        word: Word::new("base64url", "Base64url without padding.", "{body | base64url}"),
        write: |bytes| URL_SAFE_NO_PAD.encode(bytes),
        read: |text| URL_SAFE_NO_PAD.decode(text).ok(),
    },
    Encoding {
        word: Word::new("base64url_pad", "Base64url with padding.", "{body | base64url_pad}"),
        write: |bytes| URL_SAFE.encode(bytes),
        read: |text| URL_SAFE.decode(text).ok(),
    },
    Encoding {
        word: Word::new("base58", "Base58, as Bitcoin has it; up to 512 bytes.", "{id | base58}"),
        write: |bytes| bs58::encode(bytes).into_string(),
        read: |text| bs58::decode(text).into_vec().ok(),
    },
];

/// Percent-encodes all but the bytes that `keep` names and RFC 3986's unreserved ones, in
/// upper-case hex.
pub(in crate::scheme) fn percent(bytes: &[u8], keep: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) || keep.contains(byte);
        if plain {
            out.push(*byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend_from_slice(&[b'%', HEX[high], HEX[low]]);
        }
    }
}

/// As HTML forms are encoded: a space is `+`, and `*-._` stay.
pub(super) fn form(bytes: &[u8], out: &mut Vec<u8>) {
    for part in form_urlencoded::byte_serialize(bytes) {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Decodes percent signs, and `+` where `plus` says so. A percent sign without two hex digits
/// stays.
pub(in crate::scheme) fn unpercent(bytes: &[u8], plus: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, behind @ ..] = rest {
        rest = behind;
        let hex = behind.get(..2).filter(|_| *first == b'%');
        let mut byte = [0];
        match hex.and_then(|hex| base16ct::mixed::decode(hex, &mut byte).ok()) {
            Some(byte) => {
                out.extend_from_slice(byte);
                rest = &behind[2..];
            }
            None if plus && *first == b'+' => out.push(b' '),
            None => out.push(*first),
        }
    }
    out
}
