//! Baby Jubjub keys, which are a number and nothing else: in decimal or hex, and in the JSON of
//! an account that Loopring exports.

use k256::elliptic_curve::bigint::U256;
use serde_json::Value;
use zeroize::Zeroizing;

use super::FormatError;
use crate::keys::babyjub::{self, Element, PublicKey};

/// Reads a number, as text without white space at its ends: decimal, or hex with `0x`.
pub(super) fn read(text: &[u8]) -> Result<babyjub::PrivateKey, FormatError> {
    let text = std::str::from_utf8(text).ok().filter(|text| is_number(text));
    let text = text.ok_or_else(|| {
        FormatError::new(
            "is no number in decimal, or in hex after 0x, as eddsa_babyjub keys are",
            "write the digits alone, without sign, spaces or separators",
        )
    })?;
    integer(text).and_then(babyjub::PrivateKey::from_integer).ok_or_else(out_of_range)
}

/// Reads an exported account: the private key, and if they are there the coordinates of the
/// public one, which must belong to it.
pub(super) fn read_account(json: &[u8]) -> Result<babyjub::PrivateKey, FormatError> {
    let members = members(json).ok_or_else(|| {
        FormatError::new("looks like JSON and is damaged", "copy or export the key again")
    })?;
    let member = |name: &str| {
        members.iter().find_map(|(found, text)| (found == name).then_some(text.as_str()))
    };
    let Some(private) = member("privateKey") else {
        return Err(FormatError::new(
            "is JSON without a text privateKey, and keys in other JSON (JWK, wallet files) are \
             not read",
            "export the one private key in PEM, hex or WIF",
        ));
    };
    let key = read(private.as_bytes())?;
    let public = match (member("publicKeyX"), member("publicKeyY")) {
        (None, None) => key.public_key(),
        (x, y) => x.zip(y).and_then(|(x, y)| public(x, y)).ok_or_else(unbelonging)?,
    };
    if public != key.public_key() {
        return Err(unbelonging());
    }
    Ok(key)
}

/// The members of a JSON object that are text. They may be secrets, and are wiped.
pub(in crate::keys) fn members(json: &[u8]) -> Option<Vec<(String, Zeroizing<String>)>> {
    let Ok(Value::Object(members)) = serde_json::from_slice(json) else { return None };
    let text = |(name, value)| match value {
        Value::String(text) => Some((name, Zeroizing::new(text))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    };
    Some(members.into_iter().filter_map(text).collect())
}

/// An account of the number and its public half alone, which says what it is.
pub(super) fn write(key: &babyjub::PrivateKey) -> Zeroizing<String> {
    let number = key.to_be_bytes();
    let mut digits = Zeroizing::new([0; 64]);
    let digits = base16ct::lower::encode_str(&number[..], &mut digits[..]);
    let public = key.public_key();
    let (x, y) = (public.x().to_hex(), public.y().to_hex());
    // Room for all of it from the start: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(512));
    for part in [
        "{\n  \"privateKey\": \"0x",
        digits.expect("32 bytes are 64 digits"),
        "\",\n  \"publicKeyX\": \"",
        &x,
        "\",\n  \"publicKeyY\": \"",
        &y,
        "\"\n}\n",
    ] {
        text.push_str(part);
    }
    text
}

/// Why such a key cannot be put under a passphrase.
pub(super) fn not_encrypted() -> FormatError {
    FormatError::new(
        "is an eddsa_babyjub key, which PKCS#8 has no name for and cannot encrypt",
        "leave it plain, readable by you alone; or keep it in a variable or a secret store",
    )
}

fn public(x: &str, y: &str) -> Option<PublicKey> {
    let coordinate = |text: &str| {
        let number = is_number(text).then(|| integer(text)).flatten()?;
        Element::from_be_bytes(&number.to_be_bytes().into())
    };
    PublicKey::from_coordinates(coordinate(x)?, coordinate(y)?)
}

fn is_number(text: &str) -> bool {
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => !digits.is_empty() && hex(digits),
        None => !text.is_empty() && decimal,
    }
}

/// A number that [`is_number`], if it has no more than 256 bits.
fn integer(text: &str) -> Option<Zeroizing<U256>> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        _ => (text, 10),
    };
    U256::from_str_radix_vartime(digits, radix).ok().map(Zeroizing::new)
}

fn out_of_range() -> FormatError {
    FormatError::new(
        format!("holds a number that is no eddsa_babyjub key: it is not from 1 to below {ORDER}"),
        "export the account again, or make a new key: countersign keys new --algorithm \
         eddsa_babyjub --out NEW.json",
    )
}

fn unbelonging() -> FormatError {
    FormatError::new(
        "holds a public key that does not belong to the private key beside it",
        "export the account again from where it is from",
    )
}

/// The order of the curve's group.
const ORDER: &str = "2736030358979909402780800718157159386076813972158567259200215660948447373041";
