//! How signatures are written down: decimal with commas, or hex without.

use super::super::SchemeError;
use crate::keys::Signature;
use crate::keys::babyjub::Element;

/// `Rx,Ry,S`, base 10.
pub(super) fn commas(signature: &Signature) -> Result<String, SchemeError> {
    Ok(decimals(signature)?.join(","))
}

/// Rx, Ry and S, base 10.
pub(super) fn decimals(signature: &Signature) -> Result<[String; 3], SchemeError> {
    let [rx, ry, s] = parts(signature)?;
    Ok([decimal(rx)?, decimal(ry)?, decimal(s)?])
}

/// A big-endian number in base 10.
pub(super) fn decimal(number: &[u8; 32]) -> Result<String, SchemeError> {
    let element = Element::from_be_bytes(number);
    let element = element.ok_or(SchemeError::Broken("a part of a signature is no element"))?;
    Ok(element.to_decimal())
}

/// `0x` and Rx, Ry, S with 64 digits each.
pub(super) fn hex(signature: &Signature) -> Result<String, SchemeError> {
    let mut text = String::from("0x");
    for part in parts(signature)? {
        text.push_str(&base16ct::lower::encode_string(part));
    }
    Ok(text)
}

/// Reads what [`commas`] writes.
pub(super) fn from_commas(text: &str) -> Option<Signature> {
    let mut parts = text.split(',').map(from_decimal);
    let (rx, ry, s) = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(Signature::BabyJub { rx, ry, s })
}

/// Base 10, without a sign or zeros in front, below the prime.
pub(super) fn from_decimal(text: &str) -> Option<[u8; 32]> {
    let plain = (1..=77).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    plain.then(|| Element::from_decimal(text)).flatten().map(|element| element.to_be_bytes())
}

/// Reads what [`hex`] writes.
pub(super) fn from_hex(text: &str) -> Option<Signature> {
    let bytes = base16ct::lower::decode_vec(text.strip_prefix("0x")?).ok()?;
    let bytes: [u8; 96] = bytes.try_into().ok()?;
    let part = |index: usize| <[u8; 32]>::try_from(&bytes[32 * index..][..32]).ok();
    Some(Signature::BabyJub { rx: part(0)?, ry: part(1)?, s: part(2)? })
}

fn parts(signature: &Signature) -> Result<[&[u8; 32]; 3], SchemeError> {
    match signature {
        Signature::BabyJub { rx, ry, s } => Ok([rx, ry, s]),
        Signature::Ecdsa { .. } | Signature::Octets(_) => {
            Err(SchemeError::Broken("the slot signs with another curve"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let signature = Signature::BabyJub { rx: [0x12; 32], ry: [0; 32], s: [0x2f; 32] };
        let decimal = commas(&signature).expect("elements");
        assert!(decimal.contains(",0,"), "{decimal}");
        assert_eq!(from_commas(&decimal).as_ref(), Some(&signature));
        let hex = hex(&signature).expect("elements");
        assert_eq!(hex.len(), 194);
        assert_eq!(from_hex(&hex).as_ref(), Some(&signature));
    }

    #[test]
    fn other_spellings_are_not_read() {
        for text in ["", "1,2", "1,2,3,4", "1, 2,3", "01,2,3", "+1,2,3", "0x1,2,3", ",,", "1,2,"] {
            assert_eq!(from_commas(text), None, "{text}");
        }
        let digits = "0".repeat(192);
        for text in [digits.clone(), format!("0X{digits}"), format!("0x{digits}0"), "0x".into()] {
            assert_eq!(from_hex(&text), None, "{text}");
        }
        assert_eq!(from_hex(&format!("0x{}", "A".repeat(192))), None);
    }
}
