//! Private keys in the forms people have them, before it is asked whose they are.
//!
//! The form is found by looking at the bytes, never at a file's name: PEM, DER, either of them in
//! base64, DER in hex, a bare number in hex, a wallet's WIF, JSON. What is inside is then for the
//! algorithms to read.

mod der;
mod encoding;
mod error;
mod form;
mod pem;
mod text;
mod wrapping;

pub use encoding::{Encoding, UnknownEncoding};
pub use error::FormatError;
pub(crate) use error::PassphraseFault;
use error::unknown;
pub(super) use form::{Form, Members};
use pkcs8::{Document, LineEnding};
pub(super) use wrapping::plain;
pub(crate) use wrapping::unquoted;
use zeroize::Zeroizing;

use crate::pem::is_pem;
use crate::secret::Secret;

/// What was found in an entry: one of the forms, or why it is none.
pub(super) struct Found {
    /// All of it, without white space at its ends and a byte order mark.
    pub(super) whole: Zeroizing<Vec<u8>>,
    /// Whether it was decoded, so that each byte of it counts.
    pub(super) exact: bool,
    form: Result<Form, FormatError>,
}

impl Found {
    /// Looks at an entry. The passphrase is looked at only if the key is encrypted.
    ///
    /// # Errors
    ///
    /// For what is no key of any algorithm: nothing, too much, UTF-16, another encoding.
    pub(super) fn new(
        bytes: &[u8],
        encoding: Encoding,
        passphrase: Option<&Secret>,
    ) -> Result<Self, FormatError> {
        if bytes.len() > MAX_BYTES {
            return Err(FormatError::new(
                format!("is {} bytes, far too long for a private key", bytes.len()),
                "name the file of the key itself",
            ));
        }
        let plain = plain(bytes)?;
        let bytes = unquoted(&plain).unwrap_or(&plain);
        if bytes.trim_ascii().is_empty() {
            return Err(FormatError::new(
                "is empty",
                "put the private key there, or make one: countersign keys new",
            ));
        }
        if let Some(whole) = encoding.decode(bytes)? {
            let form = decoded(&whole, passphrase);
            return Ok(Self { whole, exact: true, form });
        }
        let form = form(bytes, passphrase);
        Ok(Self { whole: Zeroizing::new(plain.trim_ascii().to_vec()), exact: false, form })
    }

    pub(super) fn form(&self) -> Result<&Form, &FormatError> {
        self.form.as_ref()
    }

    /// Text that is neither PEM nor JSON, without white space at its ends.
    pub(super) fn word(&self) -> Option<&[u8]> {
        let bytes = unquoted(&self.whole).unwrap_or(&self.whole);
        (!self.exact).then(|| word(bytes)).flatten()
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self.form, Ok(Form::Number(_)))
    }

    /// Why no algorithm reads it.
    pub(super) fn unread(self) -> FormatError {
        let other_key = |oid| {
            FormatError::new(
                format!("is a key of a kind that does not sign here: {}", der::name_of(oid)),
                "use a key for an algorithm that `countersign keys algorithms` lists, or make one: \
                 countersign keys new --algorithm ecdsa_p256 --out NEW.pem",
            )
        };
        match self.form {
            Err(error) => error,
            Ok(Form::Ec { curve: Some(oid), .. } | Form::Pkcs8 { oid, .. }) => other_key(oid),
            Ok(Form::Ec { curve: None, .. }) => FormatError::new(
                "is SEC 1 without the name of its curve",
                "say the algorithm, ecdsa_p256 or ecdsa_secp256k1, beside the key",
            ),
            Ok(Form::Number(_)) => FormatError::new(
                "is a bare number, which does not say its curve",
                "name its algorithm: algorithm = \"ecdsa_secp256k1\", say, beside the key in the \
                 configuration, --algorithm on the command line",
            ),
            Ok(Form::Json(_)) => FormatError::new(
                "is JSON without a text privateKey, and keys in other JSON (JWK, wallet files) are \
                 not read",
                "export the one private key in PEM, hex or WIF",
            ),
            Ok(Form::Pkcs1(_) | Form::Wif(_)) => unknown(),
        }
    }
}

fn word(bytes: &[u8]) -> Option<&[u8]> {
    let is_text = bytes.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    let trimmed = bytes.trim_ascii();
    (is_text && !is_pem(bytes) && !trimmed.starts_with(b"{")).then_some(trimmed)
}

/// The form of bytes that somebody encoded: DER, or a number.
fn decoded(bytes: &[u8], passphrase: Option<&Secret>) -> Result<Form, FormatError> {
    match der::first(bytes) {
        Some((_, [])) if bytes.first() == Some(&0x30) => der::read(bytes, passphrase),
        _ => Ok(Form::Number(Zeroizing::new(bytes.to_vec()))),
    }
}

fn form(bytes: &[u8], passphrase: Option<&Secret>) -> Result<Form, FormatError> {
    if let Some(block) = pem::find(bytes)? {
        return der::read(&block, passphrase);
    }
    let trimmed = bytes.trim_ascii();
    if trimmed.starts_with(b"{") {
        return Members::read(trimmed).map(Form::Json).ok_or_else(|| FormatError::damaged("JSON"));
    }
    if let Some(word) = word(bytes) {
        return text::read(word, passphrase);
    }
    // Trimmed by its own length: the last byte of DER may well look like white space.
    match der::first(bytes) {
        Some((der, rest)) if rest.trim_ascii().is_empty() => der::read(der, passphrase),
        _ => Err(unknown()),
    }
}

/// An SPKI in PEM.
pub(super) fn public_pem(spki: &[u8]) -> String {
    let document = Document::try_from(spki).expect("an encoded key is DER");
    document.to_pem("PUBLIC KEY", LineEnding::LF).expect("DER has a form in PEM")
}

/// More than any key needs, little enough to look at.
const MAX_BYTES: usize = 64 * 1024;
