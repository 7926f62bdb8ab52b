//! Private keys in the forms people have them, before it is asked whose they are.
//!
//! The form is found by looking at the bytes, never at a file's name: PEM, DER, either of them in
//! base64, DER in hex, a bare number in hex, a wallet's WIF, JSON. What is inside is then for the
//! algorithms to read.

mod der;
mod encoding;
mod pem;
mod text;
mod wrapping;

pub use encoding::{Encoding, UnknownEncoding};
use pkcs8::{Document, LineEnding, ObjectIdentifier};
use serde_json::Value;
pub(super) use wrapping::plain;
pub(crate) use wrapping::unquoted;
use zeroize::Zeroizing;

use crate::secret::Secret;

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

impl FormatError {
    pub(super) fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), fix: fix.into(), passphrase: PassphraseFault::None }
    }

    pub(super) fn damaged(form: &str) -> Self {
        let what = format!("looks like {form} and is damaged");
        Self::new(what, "copy or export the key again")
    }

    pub(super) fn unbelonging() -> Self {
        Self::new(
            "holds a public key that does not belong to the private key beside it",
            "export the key again from where it is from",
        )
    }
}

/// What was found in an entry: one of the forms, or why it is none.
pub(super) struct Found {
    /// All of it, without white space at its ends and a byte order mark.
    pub(super) whole: Zeroizing<Vec<u8>>,
    /// Whether it was decoded, so that each byte of it counts.
    pub(super) exact: bool,
    form: Result<Form, FormatError>,
}

/// A form that a key was found in. All of these are key bytes.
pub(super) enum Form {
    /// An `ECPrivateKey` (RFC 5915), alone or in PKCS#8.
    Ec {
        /// The curve, where one is named.
        curve: Option<ObjectIdentifier>,
        number: Zeroizing<Vec<u8>>,
        /// Points that stand beside it and should be its public half.
        public: Vec<Vec<u8>>,
    },
    /// Another key in PKCS#8 (RFC 5958).
    Pkcs8 {
        oid: ObjectIdentifier,
        key: Zeroizing<Vec<u8>>,
        /// The public half beside it, if there is one.
        public: Option<Vec<u8>>,
    },
    /// An `RSAPrivateKey` (RFC 8017, appendix A.1.2).
    Pkcs1(Zeroizing<Vec<u8>>),
    /// A bare number: 64 hex digits, or bytes that were encoded.
    Number(Zeroizing<Vec<u8>>),
    /// A wallet's WIF, whose checksum was right.
    Wif(Zeroizing<[u8; 32]>),
    /// A JSON object.
    Json(Members),
}

/// The members of a JSON object that are text. They may be secrets, and are wiped.
pub(super) struct Members(Vec<(String, Zeroizing<String>)>);

impl Members {
    /// `None` if the bytes are no JSON object.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let Ok(Value::Object(members)) = serde_json::from_slice(json) else { return None };
        let text = |(name, value)| match value {
            Value::String(text) => Some((name, Zeroizing::new(text))),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        };
        Some(Self(members.into_iter().filter_map(text).collect()))
    }

    /// The text of a member.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(found, text)| (found == name).then_some(text.as_str()))
    }
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
    (is_text && !pem::is_pem(bytes) && !trimmed.starts_with(b"{")).then_some(trimmed)
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

/// The sentence for bytes that look like nothing known.
fn unknown() -> FormatError {
    FormatError::new(
        "is not a private key in any form known here",
        "give PKCS#8, SEC 1 or PKCS#1 in PEM, DER, base64 or hex, the number in 64 hex digits, a \
         WIF, or an account exported as JSON",
    )
}

/// An SPKI in PEM.
pub(super) fn public_pem(spki: &[u8]) -> String {
    let document = Document::try_from(spki).expect("an encoded key is DER");
    document.to_pem("PUBLIC KEY", LineEnding::LF).expect("DER has a form in PEM")
}

/// More than any key needs, little enough to look at.
const MAX_BYTES: usize = 64 * 1024;
