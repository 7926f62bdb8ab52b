//! Entries whose bytes are written as text, by somebody who says so: in base64 or hex; or as the text
//! that a provider issues and makes a key of.
//!
//! Where nobody does, a key's form is found by looking at it. A secret that two parties share has
//! no form: whether `c2VjcmV0` is eight characters or `secret` is known to its provider alone.

use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::{Digest as _, Md5};
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
    /// As text, whose ASCII letters count as capitals: the key is not what was issued from here on.
    Upper,
    /// As text, whose MD5 in lower-case hex is the key.
    Md5Hex,
    /// As text, which is the key once it is percent-encoded (RFC 5849, section 3.6).
    Percent,
    /// As text, whose base64 is the key.
    Base64Of,
}

impl Encoding {
    /// Every encoding, by the name that the configuration has for it.
    pub const ALL: &[(&str, Self)] = &[
        ("text", Self::Text),
        ("base64", Self::Base64),
        ("base64url", Self::Base64Url),
        ("hex", Self::Hex),
        ("upper", Self::Upper),
        ("md5_hex", Self::Md5Hex),
        ("percent", Self::Percent),
        ("base64_of", Self::Base64Of),
    ];

    /// What was written; white space does not count. `None` for [`Self::Text`], which says nothing.
    pub(in crate::keys) fn decode(
        self,
        text: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, FormatError> {
        if let Some(made) = self.made(text.trim_ascii()) {
            return Ok(Some(made));
        }
        let name = Self::ALL.iter().find_map(|(name, own)| (*own == self).then_some(*name));
        let name = name.expect("every encoding has a name");
        let mut joined = Zeroizing::new(Vec::with_capacity(text.len()));
        joined.extend(text.iter().filter(|b| !b.is_ascii_whitespace()));
        let mut bytes = Zeroizing::new(vec![0; joined.len()]);
        let length = match self {
            Self::Text | Self::Upper | Self::Md5Hex | Self::Percent | Self::Base64Of => {
                return Ok(None);
            }
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

impl Encoding {
    /// The key that a text becomes, where it is made from the text and not written in it.
    fn made(self, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        // Room for all of it from the start: what grows leaves copies behind.
        let mut key = Zeroizing::new(Vec::with_capacity(text.len() * 3 + 32));
        match self {
            Self::Upper => key.extend(text.iter().map(u8::to_ascii_uppercase)),
            Self::Md5Hex => {
                let digest = Zeroizing::new(<[u8; 16]>::from(Md5::digest(text)));
                key.resize(32, 0);
                base16ct::lower::encode(&digest[..], &mut key).ok()?;
            }
            Self::Percent => {
                for byte in text {
                    let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
                    let digit = |half: u8| b"0123456789ABCDEF"[usize::from(half)];
                    let coded = [b'%', digit(byte >> 4), digit(byte & 15)];
                    key.extend_from_slice(if plain { std::slice::from_ref(byte) } else { &coded });
                }
            }
            Self::Base64Of => {
                key.resize(text.len().div_ceil(3) * 4, 0);
                base64::engine::general_purpose::STANDARD.encode_slice(text, &mut key).ok()?;
            }
            Self::Text | Self::Base64 | Self::Base64Url | Self::Hex => return None,
        }
        Some(key)
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
#[error(
    "is not an encoding: use text, base64, base64url, hex, upper, md5_hex, percent or base64_of"
)]
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

    /// Expected texts are of `md5sum`, of Python's `urllib.parse.quote` and of `base64`.
    #[test]
    fn what_is_issued_becomes_what_the_provider_makes_of_it() {
        for (encoding, expected) in [
            (Encoding::Upper, "A/B ~=Z"),
            (Encoding::Md5Hex, "1ac739282db1f0645b3fa6e0a88d5095"),
            (Encoding::Percent, "a%2Fb%20~%3DZ"),
            (Encoding::Base64Of, "YS9iIH49Wg=="),
        ] {
            let made = encoding.decode(b"\ta/b ~=Z\n").unwrap().unwrap();
            assert_eq!(str::from_utf8(&made).unwrap(), expected, "{encoding:?}");
        }
    }
}
