//! Keys that are a number and nothing else: Baby Jubjub's.

use zeroize::Zeroizing;

use super::FormatError;
use crate::keys::babyjub;

/// The number in hex on a line of its own.
pub(super) fn write(key: &babyjub::PrivateKey) -> Zeroizing<String> {
    let number = key.to_be_bytes();
    let mut digits = Zeroizing::new([0; 64]);
    let digits =
        base16ct::lower::encode_str(&number[..], &mut digits[..]).expect("32 bytes are 64 digits");
    // Room for all of it from the start: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(67));
    text.push_str("0x");
    text.push_str(digits);
    text.push('\n');
    text
}

/// Why such a key cannot be put under a passphrase.
pub(super) fn not_encrypted() -> FormatError {
    FormatError::new(
        "is an eddsa_babyjub key, which PKCS#8 has no name for and cannot encrypt",
        "leave it plain, readable by you alone; or keep it in a variable or a secret store",
    )
}
