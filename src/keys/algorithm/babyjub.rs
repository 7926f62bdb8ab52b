//! Loopring's EdDSA over Baby Jubjub; [`crate::keys::babyjub`] has the arithmetic and says what an
//! observer of time learns.
//!
//! A key is a number and nothing else: in decimal or hex, and in the JSON of an account that
//! Loopring exports. PKCS#8 has no name for it.

use std::sync::Arc;

use aws_lc_rs::rand;
use k256::elliptic_curve::bigint::U256;
use pkcs8::SecretDocument;
use zeroize::Zeroizing;

use crate::cost::Cost;
use crate::keys::babyjub::{self, Element, Proof};
use crate::keys::content::{Content, Digest};
use crate::keys::error::SignError;
use crate::keys::formats::{self, FormatError, Found, Members};
use crate::keys::key::Signer;
use crate::keys::key::{Algorithm, Encoded, Form, Kind, Private, PrivateKey, Public, PublicKey};
use crate::keys::kinship::Kinship;
use crate::keys::local::{LocalKey, LocalSigner};
use crate::keys::signature::Signature;

impl Algorithm {
    /// Loopring's EdDSA over Baby Jubjub (`eddsa_babyjub`).
    pub const EDDSA_BABYJUB: Self = Self(&BabyJub);
}

struct BabyJub;

impl Kind for BabyJub {
    fn name(&self) -> &'static str {
        "eddsa_babyjub"
    }

    fn summary(&self) -> &'static str {
        "Loopring's EdDSA over Baby Jubjub with Poseidon; deterministic"
    }

    fn forms(&self) -> &'static str {
        "an account that Loopring exported as JSON; the number in decimal, or in hex after `0x`"
    }

    fn file_extension(&self) -> &'static str {
        "json"
    }

    fn read(&self, found: &Found, asked: bool) -> Option<Result<PrivateKey, FormatError>> {
        let key = match (found.form(), found.word()) {
            (Ok(formats::Form::Json(account)), _) => read_account(account)?,
            // What says that it is another key is one, also in hex.
            (Ok(formats::Form::Ec { .. } | formats::Form::Pkcs8 { .. }), _)
            | (Ok(formats::Form::Pkcs1(_)), _) => return None,
            (_, Some(word)) if asked => read_number(word),
            _ => return None,
        };
        Some(key.map(|key| PrivateKey::new(Algorithm::EDDSA_BABYJUB, key)))
    }

    fn read_public(&self, encoded: Encoded<'_>) -> Option<PublicKey> {
        let Encoded::Point(point) = encoded else { return None };
        let ([x, y], []) = point.as_chunks::<32>() else { return None };
        let (x, y) = (Element::from_be_bytes(x)?, Element::from_be_bytes(y)?);
        babyjub::PublicKey::from_coordinates(x, y).map(public)
    }

    fn generate(&self, _bits: usize) -> PrivateKey {
        let mut number = Zeroizing::new([0; 32]);
        loop {
            rand::fill(&mut number[..]).expect("the system has random numbers");
            // Numbers at or above the group order are drawn again: reducing them would make
            // small keys likelier.
            if let Some(key) = babyjub::PrivateKey::from_be_bytes(&number) {
                return PrivateKey::new(Algorithm::EDDSA_BABYJUB, key);
            }
        }
    }

    /// An element of the field.
    fn probe(&self) -> Content<'static> {
        Content::Digest { digest: &PROBE, sha256_of: None }
    }
}

impl Private for babyjub::PrivateKey {
    fn public_key(&self) -> PublicKey {
        public(Self::public_key(self))
    }

    fn to_pkcs8(&self) -> Result<SecretDocument, FormatError> {
        Err(FormatError::new(
            "is an eddsa_babyjub key, which PKCS#8 has no name for and cannot encrypt",
            "leave it plain, readable by you alone; or keep it in a variable or a secret store",
        ))
    }

    /// An account of the number and its public half alone, which says what it is.
    fn to_text(&self) -> Zeroizing<String> {
        let number = self.to_be_bytes();
        let mut digits = Zeroizing::new([0; 64]);
        let digits = base16ct::lower::encode_str(&number[..], &mut digits[..]);
        let public = Self::public_key(self);
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

    fn signer(&self) -> Result<Arc<dyn Signer>, SignError> {
        Self::warm();
        Ok(LocalSigner::shared(Private::public_key(self), self.clone()))
    }
}

impl LocalKey for babyjub::PrivateKey {
    const SIGNING: Cost = Cost::micros(60);

    fn sign(&self, content: Content<'_>) -> Result<Signature, SignError> {
        let message = element(content)?;
        let proof = Self::sign(self, message);
        let proof = proof.ok_or(SignError::Failed("the system has no random numbers"))?;
        Ok(Signature::BabyJub {
            rx: proof.x.to_be_bytes(),
            ry: proof.y.to_be_bytes(),
            s: proof.s.to_be_bytes(),
        })
    }

    fn relatives(&self) -> Vec<(Kinship, PublicKey)> {
        let reversed = self.reversed();
        let reversed = reversed.map(|key| (Kinship::Reversed, public(Self::public_key(&key))));
        reversed.into_iter().collect()
    }
}

impl Public for babyjub::PublicKey {
    fn spki(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn forms(&self) -> Vec<Form> {
        let (x, y) = (self.x(), self.y());
        vec![
            Form {
                heading: "publicKeyX and publicKeyY, which Loopring wants in decimal",
                members: vec![("x", x.to_decimal()), ("y", y.to_decimal())],
            },
            Form {
                heading: "and in hex (version 3)",
                members: vec![("x_hex", x.to_hex()), ("y_hex", y.to_hex())],
            },
        ]
    }

    fn verifying(&self) -> Cost {
        Cost::micros(300)
    }

    fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool {
        let read = read(content, signature);
        read.is_some_and(|(message, proof)| Self::verifies(self, message, &proof))
    }

    fn verifies_with_rounds(
        &self,
        partial: usize,
        content: Content<'_>,
        signature: &Signature,
    ) -> bool {
        let read = read(content, signature);
        read.is_some_and(|(message, proof)| self.verifies_with(partial, message, &proof))
    }
}

fn read(content: Content<'_>, signature: &Signature) -> Option<(Element, Proof)> {
    let (Ok(message), Signature::BabyJub { rx, ry, s }) = (element(content), signature) else {
        return None;
    };
    let number = Element::from_be_bytes;
    let (x, y, s) = (number(rx)?, number(ry)?, number(s)?);
    Some((message, Proof { x, y, s }))
}

fn public(key: babyjub::PublicKey) -> PublicKey {
    PublicKey::new(Algorithm::EDDSA_BABYJUB, key)
}

/// What is signed: no hash but the scheme's own makes an element of the field.
fn element(content: Content<'_>) -> Result<Element, SignError> {
    match content {
        Content::Digest { digest, .. } => Element::from_be_bytes(&digest.0)
            .ok_or(SignError::Failed("the digest is no element of the curve's field")),
        Content::Message(_) | Content::Mac { .. } | Content::Hash { .. } => {
            Err(SignError::Failed("a Baby Jubjub key signs elements of its field alone"))
        }
    }
}

/// Reads a number, as text without white space at its ends: decimal, or hex with `0x`.
fn read_number(text: &[u8]) -> Result<babyjub::PrivateKey, FormatError> {
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
/// public one, which must belong to it. `None` if there is no private key.
fn read_account(account: &Members) -> Option<Result<babyjub::PrivateKey, FormatError>> {
    let key = match read_number(account.get("privateKey")?.as_bytes()) {
        Ok(key) => key,
        Err(error) => return Some(Err(error)),
    };
    let own = babyjub::PrivateKey::public_key(&key);
    let stated = match (account.get("publicKeyX"), account.get("publicKeyY")) {
        (None, None) => Some(own),
        (x, y) => x.zip(y).and_then(|(x, y)| coordinates(x, y)),
    };
    Some(if stated == Some(own) { Ok(key) } else { Err(FormatError::unbelonging()) })
}

fn coordinates(x: &str, y: &str) -> Option<babyjub::PublicKey> {
    let coordinate = |text: &str| {
        let number = is_number(text).then(|| integer(text)).flatten()?;
        Element::from_be_bytes(&number.to_be_bytes().into())
    };
    babyjub::PublicKey::from_coordinates(coordinate(x)?, coordinate(y)?)
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

/// The order of the curve's group.
const ORDER: &str = "2736030358979909402780800718157159386076813972158567259200215660948447373041";

/// Below the prime of the field.
const PROBE: Digest = Digest(*b"\0countersign self-test\0\0\0\0\0\0\0\0\0\0");
