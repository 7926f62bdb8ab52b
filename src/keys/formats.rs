//! Private keys in the forms people have them, and the one form this program writes.
//!
//! The form is found by looking at the bytes, never at a file's name: PEM, DER, either of them in
//! base64, DER in hex, a bare number in hex, a wallet's WIF; for Baby Jubjub decimal, hex and
//! exported accounts. What is written is always PKCS#8 in PEM, and for Baby Jubjub an account.

mod der;
mod number;
mod pem;
mod text;
mod wrapping;

pub(super) use number::members;
pub(super) use wrapping::plain;
pub(crate) use wrapping::unquoted;

use std::fmt;

use aws_lc_rs::rand;
use pkcs8::{EncodePrivateKey as _, LineEnding};
use zeroize::Zeroizing;

use super::{Algorithm, PublicKey, babyjub, rsa};
use crate::secret::Secret;

/// A private key in memory, on its way into a signer or a file.
pub enum PrivateKey {
    /// On NIST P-256.
    EcdsaP256(p256::SecretKey),
    /// On secp256k1.
    EcdsaSecp256k1(k256::SecretKey),
    /// On Baby Jubjub.
    EddsaBabyJub(babyjub::PrivateKey),
    /// RSA.
    RsaPkcs1Sha256(rsa::PrivateKey),
}

/// Why bytes are not a usable private key. Never contains any of them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}")]
pub struct FormatError {
    /// What is wrong, as the end of a sentence that begins with where the bytes are from.
    pub what: String,
    /// How to mend it: a command where there is one, with FILE for the file's name.
    pub fix: String,
    /// The part the passphrase played. Who knows where it comes from can say so.
    pub(crate) passphrase: PassphraseFault,
}

/// Whether a key failed to open for its passphrase.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PassphraseFault {
    /// Something else is wrong.
    None,
    /// The key is encrypted and no passphrase was given.
    Missing,
    /// The key is encrypted with another one.
    Wrong,
}

impl PrivateKey {
    /// Reads a key in any of the known forms.
    ///
    /// `wanted` says the curve where the form does not (a bare number) and is checked where it
    /// does. The passphrase is looked at only if the key is encrypted.
    ///
    /// # Errors
    ///
    /// One sentence for each thing that is commonly mistaken for a key, and how to mend it.
    pub fn parse(
        bytes: &[u8],
        wanted: Option<Algorithm>,
        passphrase: Option<&Secret>,
    ) -> Result<Self, FormatError> {
        if bytes.len() > MAX_BYTES {
            return Err(FormatError::new(
                format!("is {} bytes, far too long for a private key", bytes.len()),
                "name the file of the key itself",
            ));
        }
        let bytes = plain(bytes)?;
        match find(unquoted(&bytes).unwrap_or(&bytes), wanted)? {
            Found::Der(bytes) => der::read(&bytes, wanted, passphrase),
            Found::Number(number) => match wanted {
                Some(algorithm) => Self::from_scalar(algorithm, &number[..]),
                None => Err(FormatError::new(
                    "is a bare number, which does not say its curve",
                    "name it: algorithm = \"ecdsa_p256\", \"ecdsa_secp256k1\" or \"eddsa_babyjub\" \
                     beside the key in the configuration, --algorithm on the command line",
                )),
            },
            Found::Wif(number) => {
                agree(Algorithm::EcdsaSecp256k1, wanted)?;
                Self::from_scalar(Algorithm::EcdsaSecp256k1, &number[..])
            }
            Found::BabyJub(key) => {
                agree(Algorithm::EddsaBabyJub, wanted)?;
                Ok(Self::EddsaBabyJub(key))
            }
        }
    }

    /// Makes a new key from the random numbers of the TLS library; RSA in its default size.
    pub fn generate(algorithm: Algorithm) -> Self {
        if algorithm == Algorithm::RsaPkcs1Sha256 {
            return Self::generate_rsa(rsa::Size::default());
        }
        let mut number = Zeroizing::new([0; 32]);
        loop {
            rand::fill(&mut number[..]).expect("the system has random numbers");
            // Numbers at or above the group order are drawn again: reducing them would make
            // small keys likelier.
            if let Ok(key) = Self::from_scalar(algorithm, &number[..]) {
                return key;
            }
        }
    }

    /// Makes a new RSA key.
    pub fn generate_rsa(size: rsa::Size) -> Self {
        Self::RsaPkcs1Sha256(rsa::PrivateKey::generate(size))
    }

    /// What the key is for.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::EcdsaP256(_) => Algorithm::EcdsaP256,
            Self::EcdsaSecp256k1(_) => Algorithm::EcdsaSecp256k1,
            Self::EddsaBabyJub(_) => Algorithm::EddsaBabyJub,
            Self::RsaPkcs1Sha256(_) => Algorithm::RsaPkcs1Sha256,
        }
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        match self {
            Self::EcdsaP256(key) => PublicKey::EcdsaP256(key.public_key()),
            Self::EcdsaSecp256k1(key) => PublicKey::EcdsaSecp256k1(key.public_key()),
            Self::EddsaBabyJub(key) => PublicKey::EddsaBabyJub(key.public_key()),
            Self::RsaPkcs1Sha256(key) => PublicKey::RsaPkcs1Sha256(key.public_key().clone()),
        }
    }

    /// The form that files are written in, readable by whoever has it: PKCS#8 in PEM. PKCS#8 has
    /// no name for Baby Jubjub; there it is an account's JSON, with the private key and the public
    /// one in hex.
    pub fn to_text(&self) -> Zeroizing<String> {
        match self {
            Self::EcdsaP256(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::EcdsaSecp256k1(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::EddsaBabyJub(key) => return number::write(key),
            Self::RsaPkcs1Sha256(key) => key.to_pkcs8_pem(LineEnding::LF),
        }
        .expect("a key that was checked has an encoding")
    }

    /// Whether there is a form for this key under a passphrase.
    ///
    /// # Errors
    ///
    /// For Baby Jubjub, which PKCS#8 has no name for.
    pub fn check_encryptable(&self) -> Result<(), FormatError> {
        match self {
            Self::EcdsaP256(_) | Self::EcdsaSecp256k1(_) | Self::RsaPkcs1Sha256(_) => Ok(()),
            Self::EddsaBabyJub(_) => Err(number::not_encrypted()),
        }
    }

    /// PKCS#8 in PEM under a passphrase: PBES2 with scrypt and AES-256-CBC, which OpenSSL reads.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers for the salt, and as [`Self::check_encryptable`].
    pub fn to_encrypted_pem(&self, passphrase: &Secret) -> Result<Zeroizing<String>, FormatError> {
        match self {
            Self::EcdsaP256(key) => key.to_pkcs8_encrypted_pem(passphrase.expose(), LineEnding::LF),
            Self::EcdsaSecp256k1(key) => {
                key.to_pkcs8_encrypted_pem(passphrase.expose(), LineEnding::LF)
            }
            Self::EddsaBabyJub(_) => return Err(number::not_encrypted()),
            Self::RsaPkcs1Sha256(key) => {
                key.to_pkcs8_encrypted_pem(passphrase.expose(), LineEnding::LF)
            }
        }
        .map_err(|_| FormatError::new("could not be encrypted", "try again"))
    }

    /// The key that is this number, big-endian; old writers drop leading zeros.
    fn from_scalar(algorithm: Algorithm, number: &[u8]) -> Result<Self, FormatError> {
        match algorithm {
            Algorithm::EcdsaP256 => p256::SecretKey::from_slice(number).ok().map(Self::EcdsaP256),
            Algorithm::EcdsaSecp256k1 => {
                k256::SecretKey::from_slice(number).ok().map(Self::EcdsaSecp256k1)
            }
            Algorithm::EddsaBabyJub => number
                .try_into()
                .ok()
                .and_then(babyjub::PrivateKey::from_be_bytes)
                .map(Self::EddsaBabyJub),
            Algorithm::RsaPkcs1Sha256 => return Err(one_number()),
        }
        .ok_or_else(|| {
            FormatError::new(
                format!("holds a number that is no {algorithm} key: zero, or not below the order"),
                format!(
                    "make a new key: countersign keys new --algorithm {algorithm} --out NEW.pem"
                ),
            )
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.algorithm())
    }
}

impl FormatError {
    fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), fix: fix.into(), passphrase: PassphraseFault::None }
    }
}

/// The form a key was found in. All of these are key bytes.
enum Found {
    /// PKCS#8, encrypted PKCS#8, SEC 1 or PKCS#1 in DER; or another thing in DER.
    Der(Zeroizing<Vec<u8>>),
    /// 64 hex digits.
    Number(Zeroizing<[u8; 32]>),
    /// A WIF, whose checksum was right.
    Wif(Zeroizing<[u8; 32]>),
    /// An account in JSON; or a number, where that is what is wanted.
    BabyJub(babyjub::PrivateKey),
}

fn find(bytes: &[u8], wanted: Option<Algorithm>) -> Result<Found, FormatError> {
    if bytes.trim_ascii().is_empty() {
        return Err(FormatError::new(
            "is empty",
            "put the private key there, or make one: countersign keys new",
        ));
    }
    if let Some(block) = pem::find(bytes)? {
        return Ok(Found::Der(block));
    }
    let trimmed = bytes.trim_ascii();
    if trimmed.starts_with(b"{") {
        return number::read_account(trimmed).map(Found::BabyJub);
    }
    if bytes.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        return match wanted {
            Some(Algorithm::EddsaBabyJub) => number::read(trimmed).map(Found::BabyJub),
            _ => text::read(trimmed),
        };
    }
    // Trimmed by its own length: the last byte of DER may well look like white space.
    match der::first(bytes) {
        Some((der, rest)) if rest.trim_ascii().is_empty() => {
            Ok(Found::Der(Zeroizing::new(der.to_vec())))
        }
        _ => Err(unknown()),
    }
}

/// Refuses a key whose curve is not the configured one.
fn agree(found: Algorithm, wanted: Option<Algorithm>) -> Result<(), FormatError> {
    match wanted {
        Some(wanted) if wanted != found => Err(FormatError::new(
            format!("is an {found} key where an {wanted} key is asked for"),
            format!("use another key, or ask for algorithm {found}"),
        )),
        _ => Ok(()),
    }
}

/// The sentence for a number where an RSA key is asked for.
fn one_number() -> FormatError {
    FormatError::new(
        "is a single number, and an RSA key is several",
        "give PKCS#1 or PKCS#8 in PEM, DER or hex",
    )
}

/// The sentence for bytes that look like nothing known.
fn unknown() -> FormatError {
    FormatError::new(
        "is not a private key in any form known here",
        "give PKCS#8, SEC 1 or PKCS#1 in PEM, DER, base64 or hex, the number in 64 hex digits, a \
         WIF, or an account exported as JSON",
    )
}

/// More than any key needs, little enough to look at.
const MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
