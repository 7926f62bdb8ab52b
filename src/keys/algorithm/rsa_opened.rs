//! What stands in an RSA signature, opened with the public key: the digest and its padding, which say
//! of a signature that does not hold whether the key or the text is another. Public numbers only.

use num_bigint::BigUint;
use pkcs8::der::asn1::UintRef;
use pkcs8::der::{self, Decode as _, Reader as _, SliceReader};
use pkcs8::spki::SubjectPublicKeyInfoRef;

/// What a signature holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Opened {
    /// PKCS#1 v1.5 padding (RFC 8017, section 9.2) around a digest.
    Pkcs1 {
        /// The hash function's name.
        hash: &'static str,
        /// The digest.
        digest: Vec<u8>,
    },
    /// PKCS#1 v1.5 padding around bytes that no hash function is named for.
    Bare(Vec<u8>),
    /// It ends as PSS padding does (RFC 8017, section 9.1).
    Pss,
    /// Nothing: another key made it.
    Nothing,
    /// It is not as long as the key's modulus.
    Length,
}

/// The beginnings of a `DigestInfo` (RFC 8017, section 9.2, note 1).
const PREFIXES: &[(&str, &[u8])] = &[
    ("SHA-1", &[0x30, 0x21, 0x30, 9, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0, 4, 0x14]),
    (
        "SHA-256",
        &[0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20],
    ),
    (
        "SHA-384",
        &[0x30, 0x41, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 0x30],
    ),
    (
        "SHA-512",
        &[0x30, 0x51, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 0x40],
    ),
    (
        "MD5",
        &[0x30, 0x20, 0x30, 0x0c, 6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5, 5, 0, 4, 0x10],
    ),
];

/// Opens a signature with the key in a SubjectPublicKeyInfo.
pub(super) fn open(spki: &[u8], signature: &[u8]) -> Option<Opened> {
    let (modulus, exponent) = numbers(spki).ok()?;
    let length = usize::try_from(modulus.bits()).ok()?.div_ceil(8);
    if signature.len() != length {
        return Some(Opened::Length);
    }
    let number = BigUint::from_bytes_be(signature).modpow(&exponent, &modulus);
    let bytes = number.to_bytes_be();
    // The number that follows from PKCS#1 begins with a zero, which it does not have.
    if bytes.len() == length - 1 && bytes[0] == 1 {
        let padded = bytes[1..].iter().take_while(|byte| **byte == 0xff).count();
        let content = bytes.get(1 + padded..).and_then(|rest| rest.strip_prefix(&[0]));
        if let Some(content) = content.filter(|_| padded >= 8) {
            let named = PREFIXES.iter().find_map(|(hash, prefix)| {
                let digest = content.strip_prefix(*prefix)?.to_vec();
                Some(Opened::Pkcs1 { hash, digest })
            });
            return Some(named.unwrap_or_else(|| Opened::Bare(content.to_vec())));
        }
    }
    Some(if bytes.last() == Some(&0xbc) { Opened::Pss } else { Opened::Nothing })
}

fn numbers(spki: &[u8]) -> der::Result<(BigUint, BigUint)> {
    let info = SubjectPublicKeyInfoRef::from_der(spki)?;
    let mut reader = SliceReader::new(info.subject_public_key.raw_bytes())?;
    reader.sequence(|fields| {
        let (modulus, exponent): (UintRef<'_>, UintRef<'_>) = (fields.decode()?, fields.decode()?);
        let number = |uint: UintRef<'_>| BigUint::from_bytes_be(uint.as_bytes());
        Ok((number(modulus), number(exponent)))
    })
}
