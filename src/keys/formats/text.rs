//! Keys as one word of text: hex of a number or of DER, base64 of DER or of PEM, and WIF.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::error::{FormatError, unknown};
use super::form::Form;
use super::{der, pem};
use crate::pem::is_pem;
use crate::secret::Secret;

/// Reads text without white space at its ends.
pub(super) fn read(text: &[u8], passphrase: Option<&Secret>) -> Result<Form, FormatError> {
    if let Some((_, error)) = NOT_KEYS.iter().find(|(prefix, _)| text.starts_with(prefix)) {
        return Err(FormatError::new(*error, "export the one private key in PEM, hex or WIF"));
    }
    if matches!(text.len(), 51 | 52) && text.iter().all(u8::is_ascii_alphanumeric) {
        return wif(text).map(Form::Wif);
    }
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
    // Tools that write hex like to wrap it.
    let mut joined = Zeroizing::new(Vec::with_capacity(digits.len()));
    joined.extend(digits.iter().filter(|b| !b.is_ascii_whitespace()));
    if !joined.is_empty() && joined.iter().all(u8::is_ascii_hexdigit) {
        return hex(&joined, passphrase);
    }
    base64(&joined, passphrase)
}

/// DER or a whole PEM, with or without padding, in either alphabet. Other base64 is no key for
/// certain: every word is base64.
fn base64(text: &[u8], passphrase: Option<&Secret>) -> Result<Form, FormatError> {
    let alphabet = if text.iter().any(|b| b"-_".contains(b)) { URL_SAFE } else { STANDARD };
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&alphabet, lenient);
    let mut bytes = Zeroizing::new(vec![0; text.len() / 4 * 3 + 3]);
    let length = engine.decode_slice(text, &mut bytes).map_err(|_| unknown())?;
    bytes.truncate(length);
    if is_pem(&bytes) {
        let block = pem::find(&bytes)?.ok_or_else(unknown)?;
        return der::read(&block, passphrase);
    }
    match der::first(&bytes) {
        Some((whole, [])) if whole.first() == Some(&0x30) => der::read(whole, passphrase),
        _ => Err(unknown()),
    }
}

fn hex(digits: &[u8], passphrase: Option<&Secret>) -> Result<Form, FormatError> {
    if NEARLY_A_NUMBER.contains(&digits.len()) {
        // Which of the two it is cannot be known, and the wrong guess is another key.
        let what = format!(
            "is {} hex digits where a number has 64: zeros before it were dropped, or digits lost",
            digits.len()
        );
        let zeros = "0".repeat(64 - digits.len());
        return Err(no_hex(digits, what, &format!("if none was lost, write {zeros} before it")));
    }
    let mut bytes = Zeroizing::new(vec![0; digits.len() / 2]);
    if base16ct::mixed::decode(digits, &mut bytes).is_err() {
        let what = format!("is {} hex digits, an odd number: one is missing", digits.len());
        return Err(no_hex(digits, what, "copy the key again"));
    }
    if bytes.len() == 32 {
        return Ok(Form::Number(bytes));
    }
    // A number whose first bit is set, as signed integers of Java and ASN.1 are written.
    if let [0, number @ ..] = &bytes[..]
        && number.len() == 32
    {
        return Ok(Form::Number(Zeroizing::new(number.to_vec())));
    }
    match (bytes[0], bytes.len()) {
        (0x30, _) => der::read(&bytes, passphrase),
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

/// Hex digits of a number that begins with a few zeros, if these are not written.
const NEARLY_A_NUMBER: std::ops::Range<usize> = 58..64;

const BABYJUB: &str = "say that it is Loopring's: algorithm = \"eddsa_babyjub\" beside the key in \
                       the configuration, --algorithm on the command line";

/// How some texts begin that are kept where keys are kept, and what they are.
const NOT_KEYS: &[(&[u8], &str)] = &[
    (b"ssh-", "is an OpenSSH public key"),
    (b"ecdsa-sha2-", "is an OpenSSH public key"),
    (b"xprv", "is an extended (BIP 32) key, of which many keys are derived"),
    (b"xpub", "is an extended (BIP 32) public key"),
];
