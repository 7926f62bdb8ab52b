//! Keys as one word of text: hex of a number or of DER, and WIF.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{FormatError, Found, unknown};

/// Reads text without white space at its ends.
pub(super) fn read(text: &[u8]) -> Result<Found, FormatError> {
    if let Some((_, error)) = NOT_KEYS.iter().find(|(prefix, _)| text.starts_with(prefix)) {
        return Err(FormatError::new(*error, "export the one private key in PEM, hex or WIF"));
    }
    if matches!(text.len(), 51 | 52) && text.iter().all(u8::is_ascii_alphanumeric) {
        return wif(text).map(Found::Wif);
    }
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
    // Tools that write hex like to wrap it.
    let mut joined = Zeroizing::new(Vec::with_capacity(digits.len()));
    joined.extend(digits.iter().filter(|b| !b.is_ascii_whitespace()));
    if joined.is_empty() || !joined.iter().all(u8::is_ascii_hexdigit) {
        return Err(unknown());
    }
    hex(&joined)
}

fn hex(digits: &[u8]) -> Result<Found, FormatError> {
    let mut bytes = Zeroizing::new(vec![0; digits.len() / 2]);
    if base16ct::mixed::decode(digits, &mut bytes).is_err() {
        let what = format!("is {} hex digits, an odd number: one is missing", digits.len());
        return Err(no_hex(digits, what, "copy the key again"));
    }
    if let Ok(number) = <[u8; 32]>::try_from(&bytes[..]) {
        return Ok(Found::Number(Zeroizing::new(number)));
    }
    match (bytes[0], bytes.len()) {
        (0x30, _) => Ok(Found::Der(bytes)),
        (0x02 | 0x03, 33) | (0x04, 65) => {
            Err(FormatError::new("is a public key, in hex", "give the private key it belongs to"))
        }
        _ => {
            let what = format!("is {} hex digits and begins like no key", digits.len());
            let fix = "a bare number has 64 digits; PKCS#8 in hex begins with 30";
            Err(no_hex(digits, what, fix))
        }
    }
}

/// The error for digits that are no key in hex, and may be Baby Jubjub's: in decimal, or in hex
/// without leading zeros.
fn no_hex(digits: &[u8], what: String, fix: &str) -> FormatError {
    match digits.iter().all(u8::is_ascii_digit) {
        true => FormatError::new("is a number in decimal", BABYJUB),
        false => FormatError::new(what, format!("{fix}; or {BABYJUB}")),
    }
}

/// Base58 of: 0x80, the number, 0x01 if the wallet uses the compressed public key, and the first
/// four bytes of the double SHA-256 of all that.
fn wif(text: &[u8]) -> Result<Zeroizing<[u8; 32]>, FormatError> {
    let mistyped =
        || FormatError::new("looks like a WIF, and its checksum is wrong", "copy the key again");
    let mut bytes = Zeroizing::new([0; 52]);
    let length = bs58::decode(text).onto(&mut bytes[..]).map_err(|_| mistyped())?;
    let (payload, checksum) = bytes[..length].split_last_chunk::<4>().ok_or_else(mistyped)?;
    if Sha256::digest(Sha256::digest(payload))[..4] != checksum[..] {
        return Err(mistyped());
    }
    match payload {
        [0x80, number @ .., 0x01] if number.len() == 32 => Ok(fixed(number)),
        [0x80, number @ ..] if number.len() == 32 => Ok(fixed(number)),
        [0xef, ..] => Err(FormatError::new(
            "is a WIF for a test network",
            "export the key for the main network, or as 64 hex digits",
        )),
        _ => Err(FormatError::new(
            "is base58 with a right checksum, but no WIF",
            "export the private key as WIF, which begins with 5, K or L",
        )),
    }
}

fn fixed(number: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    out.copy_from_slice(number);
    out
}

const BABYJUB: &str = "say that it is Loopring's: algorithm = \"eddsa_babyjub\" beside the key in \
                       the configuration, --algorithm on the command line";

/// How some texts begin that are kept where keys are kept, and what they are.
const NOT_KEYS: &[(&[u8], &str)] = &[
    (b"ssh-", "is an OpenSSH public key"),
    (b"ecdsa-sha2-", "is an OpenSSH public key"),
    (b"xprv", "is an extended (BIP 32) key, of which many keys are derived"),
    (b"xpub", "is an extended (BIP 32) public key"),
];
