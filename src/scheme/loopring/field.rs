//! One field of a signed body: where it stands, what it may be, and the number it becomes.

use sha3::{Digest as _, Keccak256};

use super::super::SchemeError;
use super::super::json::{self, Object};
use crate::keys::babyjub::Element;

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Its name; a dot leads into the object of the first part's name.
    pub(super) path: &'static str,
    /// What it may be.
    pub(super) kind: Kind,
}

/// What a field may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A decimal number of so many bits: a JSON integer, or a string of digits.
    Bits(u32),
    /// A decimal number below the field's prime.
    Element,
    /// The strings `"true"` and `"false"`.
    BoolText,
    /// JSON's `true` and `false`.
    Bool,
    /// A string of `0x` and hex digits, 160 bits.
    Address,
    /// The same; 0 when it is left out.
    AddressOrZero,
    /// A string of `0x` and hex digits, below the field's prime.
    HexElement,
    /// An [`Self::Address`] that is a hash of `minGas`, `to` and `extraData`: made of them where
    /// it is left out.
    OnChainDataHash,
    /// No field: a number that is hashed at this place.
    Constant(u64),
}

impl Field {
    /// The number this field of `object` becomes. `document` is the text the object stands in.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Body`] that names the field and says what it must be.
    pub(super) fn read(&self, document: &str, object: &Object<'_>) -> Result<Element, SchemeError> {
        if let Kind::Constant(number) = self.kind {
            return Ok(Element::from(number));
        }
        if self.kind == Kind::OnChainDataHash {
            return on_chain_data_hash(document, object);
        }
        let Some(written) = find(document, object, self.path)? else {
            if self.kind == Kind::AddressOrZero {
                return Ok(Element::from(0));
            }
            return Err(missing(self.path));
        };
        self.kind.number(&written).ok_or_else(|| SchemeError::Body {
            what: format!("has a field \"{}\" that must be {}", self.path, self.kind.words()),
            remedy: "Correct the field; nothing was signed or sent.",
        })
    }
}

impl Kind {
    fn number(self, written: &str) -> Option<Element> {
        match self {
            Self::Bits(bits) => narrow(decimal(written)?, bits),
            Self::Element => decimal(written),
            Self::BoolText => truth(written, "\"true\"", "\"false\""),
            Self::Bool => truth(written, "true", "false"),
            Self::Address | Self::AddressOrZero | Self::OnChainDataHash => {
                narrow(hex(written)?, 160)
            }
            Self::HexElement => hex(written),
            Self::Constant(number) => Some(Element::from(number)),
        }
    }

    fn words(self) -> String {
        match self {
            Self::Bits(bits) => {
                format!(
                    "a whole number of at most {bits} bits, as a JSON integer or a string of digits"
                )
            }
            Self::Element | Self::Constant(_) => {
                "a whole number below the field's prime, as a JSON integer or a string of digits"
                    .into()
            }
            Self::BoolText => "the string \"true\" or the string \"false\"".into(),
            Self::Bool => "true or false, not a string".into(),
            Self::Address | Self::AddressOrZero | Self::OnChainDataHash => {
                "a string of 0x and at most 40 hex digits".into()
            }
            Self::HexElement => "a string of 0x and hex digits, below the field's prime".into(),
        }
    }
}

fn missing(path: &str) -> SchemeError {
    SchemeError::Body {
        what: format!("has no field \"{path}\""),
        remedy: "Add the field; all of the message's fields are signed.",
    }
}

/// The value at a path, as it is written.
fn find(document: &str, object: &Object<'_>, path: &str) -> Result<Option<String>, SchemeError> {
    let Some((outer, inner)) = path.split_once('.') else {
        return Ok(object.get(path).map(|member| member.value.to_owned()));
    };
    let Some(member) = object.get(outer) else { return Ok(None) };
    let within = |fault: &str| SchemeError::Body {
        what: format!("has a field \"{outer}\" that {fault}"),
        remedy: "Correct the field; nothing was signed or sent.",
    };
    let nested = Object::at(document, member.at.clone())
        .map_err(|_| within(&format!("is {}, not an object", json::kind(member.value))))?;
    if let Some(name) = nested.repeated() {
        return Err(within(&format!("has the member {name:?} more than once")));
    }
    Ok(nested.get(inner).map(|member| member.value.to_owned()))
}

/// A JSON integer or a string of ASCII digits. Of any length: amounts exceed 64 bits.
fn decimal(written: &str) -> Option<Element> {
    let digits = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let digits = digits.unwrap_or(written);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    match significant.len() {
        0 => Some(Element::from(0)),
        // The prime has 77 digits.
        1..=77 => Element::from_decimal(significant),
        _ => None,
    }
}

/// A string of `0x` and hex digits; zeros in front may be missing.
fn hex(written: &str) -> Option<Element> {
    let digits = written.strip_prefix("\"0x")?.strip_suffix('"')?;
    if digits.is_empty() || digits.len() > 64 {
        return None;
    }
    let bytes = base16ct::mixed::decode_vec(format!("{digits:0>64}")).ok()?;
    Element::from_be_bytes(&bytes.try_into().ok()?)
}

fn narrow(number: Element, bits: u32) -> Option<Element> {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let leading = bytes.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (256 - 8 * zeros - leading <= bits as usize).then_some(number)
}

fn truth(written: &str, yes: &str, no: &str) -> Option<Element> {
    let number = if written == yes { 1 } else { 0 };
    (written == yes || written == no).then(|| Element::from(number))
}

/// The first 20 bytes of keccak256(minGas, 32 bytes; to, 20 bytes; extraData).
fn on_chain_data_hash(document: &str, object: &Object<'_>) -> Result<Element, SchemeError> {
    let given = Field { path: "onChainDataHash", kind: Kind::Address };
    let given = match object.get(given.path) {
        Some(_) => Some(given.read(document, object)?),
        None => None,
    };
    if let Some(given) = given
        && ["minGas", "to"].iter().any(|name| object.get(name).is_none())
    {
        return Ok(given);
    }
    let min_gas = Field { path: "minGas", kind: Kind::Element }.read(document, object)?;
    let to = Field { path: "to", kind: Kind::Address }.read(document, object)?;
    let extra = extra_data(object)?;
    let hash = Keccak256::new()
        .chain_update(min_gas.to_be_bytes())
        .chain_update(&to.to_be_bytes()[12..])
        .chain_update(extra)
        .finalize();
    let mut bytes = [0; 32];
    bytes[12..].copy_from_slice(&hash[..20]);
    let made = Element::from_be_bytes_reduced(&bytes);
    match given {
        // What is signed must be what the rest of the request says.
        Some(given) if given != made => Err(SchemeError::Body {
            what:
                "has a field \"onChainDataHash\" that is not the hash of minGas, to and extraData"
                    .into(),
            remedy: "Leave onChainDataHash out to have it made, or correct it.",
        }),
        _ => Ok(made),
    }
}

/// Bytes in hex, with `0x` before them or without: the provider's own client writes none, its
/// documents do. No bytes when it is left out or empty.
fn extra_data(object: &Object<'_>) -> Result<Vec<u8>, SchemeError> {
    let Some(member) = object.get("extraData") else { return Ok(Vec::new()) };
    let text = member.value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let digits = text.map(|text| text.strip_prefix("0x").unwrap_or(text));
    let bytes = digits.and_then(|hex| base16ct::mixed::decode_vec(hex).ok());
    bytes.ok_or_else(|| SchemeError::Body {
        what: "has a field \"extraData\" that must be a string of pairs of hex digits, with 0x \
               before them or without"
            .into(),
        remedy: "Correct the field; nothing was signed or sent.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: &str = "21888242871839275222246405745257275088548364400416034343698204186575808495617";
    const BELOW: &str =
        "21888242871839275222246405745257275088548364400416034343698204186575808495616";

    fn number(kind: Kind, written: &str) -> Option<String> {
        kind.number(written).map(|element| element.to_decimal())
    }

    #[test]
    fn numbers_are_taken_as_integers_or_digits_up_to_their_bits() {
        let wide = "79228162514264337593543950335";
        for (kind, written, expected) in [
            (Kind::Bits(8), "0", "0"),
            (Kind::Bits(8), "255", "255"),
            (Kind::Bits(8), "\"007\"", "7"),
            (Kind::Bits(6), "63", "63"),
            (Kind::Bits(96), wide, wide),
            (Kind::Bits(96), "20000000000000000000", "20000000000000000000"),
            (Kind::Element, BELOW, BELOW),
            (Kind::BoolText, "\"true\"", "1"),
            (Kind::BoolText, "\"false\"", "0"),
            (Kind::Bool, "true", "1"),
            (Kind::Bool, "false", "0"),
            (Kind::Address, "\"0xfF\"", "255"),
            (Kind::HexElement, "\"0x123\"", "291"),
        ] {
            assert_eq!(number(kind, written).as_deref(), Some(expected), "{kind:?} {written}");
        }
    }

    #[test]
    fn what_the_provider_would_read_otherwise_is_refused() {
        let quoted = format!("\"{P}\"");
        let long = "1".repeat(100_000);
        for (kind, table) in [
            (
                Kind::Bits(8),
                &[
                    "256",
                    "-1",
                    "-0",
                    "+5",
                    "1.0",
                    "1e1",
                    "\"\"",
                    "\" 1\"",
                    "\"1_0\"",
                    "\"0x1\"",
                    "\"1",
                    "null",
                    "true",
                    "[]",
                    "\"\u{0661}\"",
                    "\"\\u0031\"",
                    &long,
                ][..],
            ),
            (Kind::Bits(6), &["64"]),
            (Kind::Bits(96), &["79228162514264337593543950336"]),
            (Kind::Element, &[P, &quoted]),
            (Kind::BoolText, &["true", "false", "\"True\"", "\"1\"", "1", "null", "\"\""]),
            (Kind::Bool, &["\"true\"", "\"false\"", "1", "0", "null"]),
            (
                Kind::Address,
                &[
                    "\"0x\"",
                    "\"ff\"",
                    "255",
                    "\"0xg\"",
                    "\"0X1\"",
                    "\"0x10000000000000000000000000000000000000000\"",
                ],
            ),
            (
                Kind::HexElement,
                &["\"0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001\"", "1"],
            ),
        ] {
            for written in table {
                assert_eq!(number(kind, written), None, "{kind:?} {written:.80}");
            }
        }
    }

    #[test]
    fn the_hash_of_on_chain_data_is_made_checked_or_taken() {
        let of = |body: &str| {
            let object = Object::whole(body).expect("an object");
            on_chain_data_hash(body, &object).map(|element| element.to_decimal())
        };
        let rest = "\"to\":\"0xc0ff3f78529ab90f765406f7234ce0f2b1ed69ee\",\"minGas\":300000";
        let known = "\"onChainDataHash\":\"0x5298e1a63dec1190db83bf8a549708372e45cbe6\"";
        let expected = Ok("471546613311247696715160895111365453989879860198".to_owned());
        assert_eq!(of(&format!("{{{rest}}}")), expected);
        assert_eq!(of(&format!("{{{rest},\"extraData\":\"\",{known}}}")), expected);
        assert_eq!(of(&format!("{{{known}}}")), expected);
        let with = of(&format!("{{{rest},\"extraData\":\"0x00fF\"}}"));
        assert_ne!(with, expected);
        assert_eq!(of(&format!("{{{rest},\"extraData\":\"00fF\"}}")), with);
        for (body, words) in [
            (format!("{{{rest},\"extraData\":\"0x00\",{known}}}"), "is not the hash of"),
            (format!("{{{rest},\"extraData\":\"zz\"}}"), "extraData"),
            (format!("{{{rest},\"extraData\":\"0x0x00\"}}"), "extraData"),
            (format!("{{{rest},\"extraData\":\"0x0\"}}"), "extraData"),
            ("{\"minGas\":0}".to_owned(), "has no field \"to\""),
            ("{\"to\":\"0x1\"}".to_owned(), "has no field \"minGas\""),
            ("{\"onChainDataHash\":1}".to_owned(), "onChainDataHash"),
        ] {
            let why = of(&body).expect_err(&body).to_string();
            assert!(why.contains(words), "{body}: {why}");
        }
    }
}
