//! Entries whose bytes are written as text: in base64 or hex, by somebody who says so.
//!
//! Where nobody does, a key's form is found by looking at it. A secret that two parties share has
//! no form: whether `c2VjcmV0` is eight characters or `secret` is known to its provider alone.

use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::error::FormatError;

/// How an entry is written.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Encoding {
    /// As it is.
    #[default]
    Text,
    /// In base64 (RFC 4648, section 4), padded or not.
    Base64,
    /// In base64url (RFC 4648, section 5), padded or not.
    Base64Url,
    /// In hex.
    Hex,
}

impl Encoding {
    /// Every encoding, by the name that the configuration has for it.
    pub const ALL: &[(&str, Self)] = &[
        ("text", Self::Text),
        ("base64", Self::Base64),
        ("base64url", Self::Base64Url),
        ("hex", Self::Hex),
    ];

    /// What was written; white space does not count. `None` for [`Self::Text`], which says nothing.
    pub(in crate::keys) fn decode(
        self,
        text: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, FormatError> {
        let name = Self::ALL.iter().find_map(|(name, own)| (*own == self).then_some(*name));
        let name = name.expect("every encoding has a name");
        let mut joined = Zeroizing::new(Vec::with_capacity(text.len()));
        joined.extend(text.iter().filter(|b| !b.is_ascii_whitespace()));
        let mut bytes = Zeroizing::new(vec![0; joined.len()]);
        let length = match self {
            Self::Text => return Ok(None),
            Self::Hex => {
                let digits = joined.strip_prefix(b"0x").unwrap_or(&joined);
                base16ct::mixed::decode(digits, &mut bytes).ok().map(<[u8]>::len)
            }
            Self::Base64 => base64(&STANDARD, &joined, &mut bytes),
            Self::Base64Url => base64(&URL_SAFE, &joined, &mut bytes),
        };
        let Some(length) = length.filter(|length| *length > 0) else {
            return Err(FormatError::new(
                format!("is not in {name}, which its encoding says"),
                "copy it again, or say how it is written: encoding = \"base64\", say",
            ));
        };
        bytes.truncate(length);
        Ok(Some(bytes))
    }
}

fn base64(alphabet: &Alphabet, text: &[u8], bytes: &mut [u8]) -> Option<usize> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, lenient).decode_slice(text, bytes).ok()
}

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Self, UnknownEncoding> {
        let found = Self::ALL.iter().find_map(|(own, value)| (*own == name).then_some(*value));
        found.ok_or(UnknownEncoding)
    }
}

/// The name is not one of [`Encoding::ALL`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not an encoding: use text, base64, base64url or hex")]
pub struct UnknownEncoding;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_decoded_and_nothing_else() {
        let table: &[(Encoding, &str, Option<&[u8]>)] = &[
            (Encoding::Base64, "+/8=\n", Some(&[0xfb, 0xff])),
            (Encoding::Base64, " +/8", Some(&[0xfb, 0xff])),
            (Encoding::Base64, "-_8", None),
            (Encoding::Base64Url, "-_8", Some(&[0xfb, 0xff])),
            (Encoding::Base64Url, "+/8", None),
            (Encoding::Hex, "0xFb ff", Some(&[0xfb, 0xff])),
            (Encoding::Hex, "fbf", None),
            (Encoding::Hex, "zz", None),
            (Encoding::Base64, "", None),
        ];
        for (encoding, text, expected) in table {
            let decoded = encoding.decode(text.as_bytes());
            let decoded = decoded.as_ref().ok().and_then(|bytes| bytes.as_deref());
            assert_eq!(decoded.map(Vec::as_slice), *expected, "{encoding:?} {text}");
        }
        assert_eq!(Encoding::Text.decode(b"a"), Ok(None));
    }
}
