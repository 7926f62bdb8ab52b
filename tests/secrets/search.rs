//! Looks for a secret in bytes, in every form in which it could have slipped out.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};

/// A secret, and every form of it.
#[derive(Debug)]
pub(crate) struct Canary {
    name: &'static str,
    forms: Vec<(String, Vec<u8>)>,
}

impl Canary {
    /// A secret of at least eight bytes.
    pub(crate) fn new(name: &'static str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 8, "{name} is too short to be told from chance");
        let hex = base16ct::lower::encode_string(bytes);
        let mut forms = vec![
            ("as it is".to_owned(), bytes.to_vec()),
            // What becomes of it where a text is wanted.
            ("as text".to_owned(), String::from_utf8_lossy(bytes).into_owned().into_bytes()),
            ("escaped".to_owned(), bytes.escape_ascii().to_string().into_bytes()),
            ("in hex".to_owned(), hex.clone().into_bytes()),
            ("in HEX".to_owned(), hex.to_uppercase().into_bytes()),
            ("as a number".to_owned(), decimal(bytes).into_bytes()),
            ("as a list of bytes".to_owned(), list(bytes).into_bytes()),
        ];
        for (name, alphabet) in [("base64", alphabet::STANDARD), ("base64url", alphabet::URL_SAFE)]
        {
            let engine = GeneralPurpose::new(&alphabet, NO_PAD);
            for offset in 0..3 {
                let form = format!("in {name} behind {offset} other bytes");
                forms.push((form, inside_base64(&engine, bytes, offset)));
            }
        }
        Self { name, forms }
    }

    /// The first form that is in `text`, and where.
    pub(crate) fn find(&self, text: &[u8]) -> Option<String> {
        self.forms.iter().find_map(|(form, bytes)| {
            let at = text.windows(bytes.len()).position(|window| window == bytes)?;
            Some(format!("{} is there {form}, at byte {at}", self.name))
        })
    }
}

/// The characters of the base64 of `bytes` behind `offset` others that do not depend on what
/// stands around them. So padding does not matter either.
fn inside_base64(engine: &GeneralPurpose, bytes: &[u8], offset: usize) -> Vec<u8> {
    let around = [&[0; 2][..offset], bytes].concat();
    let encoded = engine.encode(&around).into_bytes();
    let first = (offset * 8).div_ceil(6);
    let end = around.len() * 8 / 6;
    encoded[first..end].to_vec()
}

/// The big-endian number in decimal.
fn decimal(bytes: &[u8]) -> String {
    // Least significant digit first.
    let mut digits = vec![0_u32];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit * 256;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    digits.iter().rev().filter_map(|digit| char::from_digit(*digit, 10)).collect()
}

/// As `Debug` writes bytes, without the brackets.
fn list(bytes: &[u8]) -> String {
    bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;

    /// With both characters in which the alphabets differ, at every alignment, and no text.
    const SECRET: &[u8] = &[
        0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 0x00, 0x0d, 0x22, 0xc3, 0xfb, 0xef, 0xbe, 0xff, 0xff,
        0xff, 0x3f,
    ];

    #[test]
    fn every_form_is_found_where_it_is_planted() {
        let mut planted: Vec<(String, Vec<u8>)> = vec![
            ("raw".into(), SECRET.to_vec()),
            ("lossy".into(), String::from_utf8_lossy(SECRET).into_owned().into_bytes()),
            ("hex".into(), base16ct::lower::encode_string(SECRET).into_bytes()),
            ("HEX".into(), base16ct::upper::encode_string(SECRET).into_bytes()),
            ("debug".into(), format!("{SECRET:?}").into_bytes()),
            ("escaped".into(), SECRET.escape_ascii().to_string().into_bytes()),
            ("decimal".into(), b"85729551316847819952030340052982660333375".to_vec()),
        ];
        for before in 0..4 {
            for after in 0..4 {
                let around = [&b"abc"[..before], SECRET, &b"xyz"[..after]].concat();
                for (name, engine) in [
                    ("standard", STANDARD),
                    ("standard, bare", STANDARD_NO_PAD),
                    ("URL-safe", URL_SAFE),
                    ("URL-safe, bare", URL_SAFE_NO_PAD),
                ] {
                    let name = format!("{name}, {before} before and {after} after");
                    planted.push((name, engine.encode(&around).into_bytes()));
                }
            }
        }
        assert_eq!(planted.len(), 7 + 64);
        let canary = Canary::new("the planted one", SECRET);
        for (name, form) in planted {
            let text = [b"first line\nkey=".as_slice(), &form, b"\nlast line"].concat();
            assert!(canary.find(&text).is_some(), "{name}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let canary = Canary::new("the planted one", SECRET);
        let mut other = SECRET.to_vec();
        other[9] ^= 1;
        let near = [
            other.clone(),
            base16ct::lower::encode_string(&other).into_bytes(),
            STANDARD.encode(&other).into_bytes(),
            SECRET[1..].to_vec(),
            Vec::new(),
        ];
        for text in near {
            assert_eq!(canary.find(&text), None);
        }
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for (bytes, expected) in [(&[0][..], "0"), (&[255], "255"), (&[1, 0], "256")] {
            assert_eq!(decimal(bytes), expected);
        }
        assert_eq!(decimal(&[0xff; 16]), u128::MAX.to_string());
    }
}
