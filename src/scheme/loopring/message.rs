//! The bodies that carry their own signature: which fields are hashed, in which order, and where
//! hash and signature go.

use std::ops::Range;

use bytes::Bytes;

use super::super::json::{self, Object, Splice};
use super::super::{Preimage, Reread, SchemeError};
use super::field::{Field, Kind};
use super::written;
use crate::cost::Cost;
use crate::keys::babyjub::{Element, poseidon, poseidon_cost};
use crate::keys::{Digest, Hashing, Signature};

/// A kind of message.
#[derive(Debug)]
pub(super) struct Message {
    /// The value of `params.body`.
    pub(super) name: &'static str,
    /// The protocol it belongs to.
    pub(super) protocol: Protocol,
    /// The width of the permutation that hashes it.
    pub(super) width: usize,
    pub(super) fields: &'static [Field],
}

/// The hashes of a body's messages, in the order of its preimages.
pub(super) type Hashes = Vec<Digest>;

/// A version of the provider's protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Protocol {
    /// `hash`, `signatureRx`, `signatureRy` and `signatureS`, decimal.
    V311,
    /// `eddsaSignature`, hex.
    V36,
}

impl Protocol {
    /// The value of `params.protocol`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V311 => "3.1.1",
            Self::V36 => "3.6",
        }
    }
}

/// Every message there is.
pub(super) const MESSAGES: &[Message] = &[
    message("order", Protocol::V311, 14, ORDER_311),
    message("offchain_withdrawal", Protocol::V311, 9, OFFCHAIN_WITHDRAWAL),
    message("internal_transfer", Protocol::V311, 10, INTERNAL_TRANSFER),
    message("order", Protocol::V36, 12, ORDER_36),
    message("withdrawal", Protocol::V36, 10, WITHDRAWAL),
    message("transfer", Protocol::V36, 13, TRANSFER),
    message("account_update", Protocol::V36, 9, ACCOUNT_UPDATE),
];

const fn message(
    name: &'static str,
    protocol: Protocol,
    width: usize,
    fields: &'static [Field],
) -> Message {
    Message { name, protocol, width, fields }
}

const ORDER_311: &[Field] = &[
    bits("exchangeId", 32),
    bits("orderId", 20),
    bits("accountId", 20),
    bits("tokenSId", 8),
    bits("tokenBId", 8),
    bits("amountS", 96),
    bits("amountB", 96),
    field("allOrNone", Kind::BoolText),
    bits("validSince", 32),
    bits("validUntil", 32),
    bits("maxFeeBips", 6),
    field("buy", Kind::BoolText),
    field("label", Kind::Element),
];

const OFFCHAIN_WITHDRAWAL: &[Field] = &[
    bits("exchangeId", 32),
    bits("accountId", 20),
    bits("tokenId", 8),
    bits("amount", 96),
    bits("feeTokenId", 8),
    bits("amountFee", 96),
    field("label", Kind::Element),
    bits("nonce", 32),
];

const INTERNAL_TRANSFER: &[Field] = &[
    bits("exchangeId", 32),
    bits("sender", 20),
    bits("receiver", 20),
    bits("tokenId", 8),
    bits("amount", 96),
    bits("feeTokenId", 8),
    bits("amountFee", 96),
    field("label", Kind::Element),
    bits("nonce", 32),
];

const ORDER_36: &[Field] = &[
    field("exchange", Kind::Address),
    bits("storageId", 32),
    bits("accountId", 32),
    bits("sellToken.tokenId", 16),
    bits("buyToken.tokenId", 16),
    bits("sellToken.volume", 96),
    bits("buyToken.volume", 96),
    bits("validUntil", 32),
    bits("maxFeeBips", 6),
    field("fillAmountBOrS", Kind::Bool),
    field("taker", Kind::AddressOrZero),
];

const WITHDRAWAL: &[Field] = &[
    field("exchange", Kind::Address),
    bits("accountId", 32),
    bits("token.tokenId", 16),
    bits("token.volume", 96),
    bits("maxFee.tokenId", 16),
    bits("maxFee.volume", 96),
    field("onChainDataHash", Kind::OnChainDataHash),
    bits("validUntil", 32),
    bits("storageId", 32),
];

const TRANSFER: &[Field] = &[
    field("exchange", Kind::Address),
    bits("payerId", 32),
    bits("payeeId", 32),
    bits("token.tokenId", 16),
    bits("token.volume", 96),
    bits("maxFee.tokenId", 16),
    bits("maxFee.volume", 96),
    field("payeeAddr", Kind::Address),
    field("(dual author x)", Kind::Constant(0)),
    field("(dual author y)", Kind::Constant(0)),
    bits("validUntil", 32),
    bits("storageId", 32),
];

const ACCOUNT_UPDATE: &[Field] = &[
    field("exchange", Kind::Address),
    bits("accountId", 32),
    bits("maxFee.tokenId", 16),
    bits("maxFee.volume", 96),
    field("publicKey.x", Kind::HexElement),
    field("publicKey.y", Kind::HexElement),
    bits("validUntil", 32),
    bits("nonce", 32),
];

const fn field(path: &'static str, kind: Kind) -> Field {
    Field { path, kind }
}

const fn bits(path: &'static str, bits: u32) -> Field {
    field(path, Kind::Bits(bits))
}

impl Message {
    /// What reading and hashing the messages of a body costs, beside reading it as JSON: each is an
    /// object, and there are no more than a batch may have.
    pub(super) fn cost(&self, body: &[u8]) -> Cost {
        let most = if self.comes_in_batches() { MAX_BATCH } else { 1 };
        let objects = body.iter().filter(|byte| **byte == b'{').count();
        (FIELDS + poseidon_cost(self.width)).times(objects.min(most))
    }

    fn comes_in_batches(&self) -> bool {
        self.name == "order" && self.protocol == Protocol::V311
    }

    /// What is signed: one preimage, or one for each order of a batch. Hash and signature that
    /// stand there already are not looked at.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Body`] that names the field at fault.
    pub(super) fn preimages(&self, body: &Bytes) -> Result<Vec<Preimage>, SchemeError> {
        let document = json::document(body)?;
        let signed = self.signed(document)?;
        signed.iter().map(|object| self.preimage(document, object)).collect()
    }

    /// The same without their hashes.
    ///
    /// # Errors
    ///
    /// Those of [`Self::preimages`].
    pub(super) fn inputs(&self, body: &Bytes) -> Result<Vec<Reread>, SchemeError> {
        let document = json::document(body)?;
        let signed = self.signed(document)?;
        let one = |object: &Object<'_>| {
            let (text, _) = self.read(document, object)?;
            Ok(Reread { text: text.into_bytes(), hashing: None })
        };
        signed.iter().map(one).collect()
    }

    fn preimage(&self, document: &str, object: &Object<'_>) -> Result<Preimage, SchemeError> {
        let (text, digest) = self.hashed(document, object)?;
        Ok(Preimage {
            slot: SLOT.into(),
            text: text.into_bytes(),
            hashing: Hashing::Own(digest),
            secret: false,
        })
    }

    /// The fields as text, and their Poseidon hash.
    fn hashed(&self, document: &str, object: &Object<'_>) -> Result<(String, Digest), SchemeError> {
        let (text, inputs) = self.read(document, object)?;
        Ok((text, Digest(poseidon(self.width, &inputs).to_be_bytes())))
    }

    /// The fields as text, and as they are hashed.
    pub(super) fn read(
        &self,
        document: &str,
        object: &Object<'_>,
    ) -> Result<(String, Vec<Element>), SchemeError> {
        let mut text = String::new();
        let mut inputs = Vec::with_capacity(self.fields.len());
        for field in self.fields {
            let number = field.read(document, object)?;
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("{}={}", field.path, number.to_decimal()));
            inputs.push(number);
        }
        Ok((text, inputs))
    }

    /// The body with a signature for each preimage, and its hash where there is a place for it;
    /// every other byte as it was.
    ///
    /// # Errors
    ///
    /// Those of [`Self::preimages`].
    pub(super) fn seal(
        &self,
        body: &Bytes,
        hashes: &Hashes,
        signatures: &[&Signature],
    ) -> Result<String, SchemeError> {
        let document = json::document(body)?;
        let objects = self.signed(document)?;
        if signatures.len() != objects.len() || hashes.len() != objects.len() {
            return Err(SchemeError::Broken("there is not one signature for each preimage"));
        }
        let mut splice = Splice::default();
        for ((object, hash), signature) in objects.iter().zip(hashes).zip(signatures) {
            match self.protocol {
                Protocol::V311 => {
                    let [rx, ry, s] = written::decimals(signature)?;
                    splice.set(object, "hash", &quoted(&written::decimal(&hash.0)?));
                    splice.set(object, "signatureRx", &quoted(&rx));
                    splice.set(object, "signatureRy", &quoted(&ry));
                    splice.set(object, "signatureS", &quoted(&s));
                }
                Protocol::V36 => {
                    splice.set(object, "eddsaSignature", &quoted(&written::hex(signature)?));
                }
            }
        }
        Ok(splice.apply(document))
    }

    /// The signatures that stand in a body, in the order of its preimages.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Claim`] that names the field at fault.
    pub(super) fn claims(&self, body: &Bytes) -> Result<Vec<Signature>, SchemeError> {
        let document = json::document(body)?;
        let objects = self.signed(document)?;
        objects.iter().map(|object| self.claim(document, object)).collect()
    }

    fn claim(&self, document: &str, object: &Object<'_>) -> Result<Signature, SchemeError> {
        let text = |part| {
            let member = object.get(part).and_then(|member| json::string(member.value));
            member.ok_or(SchemeError::Claim { part, what: "is not in the body, as a string" })
        };
        if self.protocol == Protocol::V36 {
            let bad = SchemeError::Claim {
                part: "eddsaSignature",
                what: "is not 0x and three times 64 lower-case hex digits",
            };
            return written::from_hex(&text("eddsaSignature")?).ok_or(bad);
        }
        let element = |part| {
            let bad = SchemeError::Claim { part, what: "is not a decimal number below the prime" };
            written::from_decimal(&text(part)?).ok_or(bad)
        };
        if element("hash")? != self.hashed(document, object)?.1.0 {
            return Err(SchemeError::Claim { part: "hash", what: "is not the hash of the fields" });
        }
        let (rx, ry) = (element("signatureRx")?, element("signatureRy")?);
        Ok(Signature::BabyJub { rx, ry, s: element("signatureS")? })
    }

    /// The objects that are signed: the whole body, or each of a batch's orders.
    pub(super) fn signed<'a>(&self, document: &'a str) -> Result<Vec<Object<'a>>, SchemeError> {
        let whole = Object::whole(document)?;
        let Some(places) = self.batch(document, &whole) else {
            return Ok(vec![unambiguous(whole)?]);
        };
        // A batch is judged whole, so that the provider never sees half of one.
        let count = places.len();
        if count == 0 || count > MAX_BATCH {
            return Err(SchemeError::Body {
                what: format!("has {count} orders"),
                remedy: "Put between 1 and 128 orders into a batch.",
            });
        }
        unambiguous(whole)?;
        places.into_iter().map(|at| unambiguous(Object::at(document, at)?)).collect()
    }

    fn batch(&self, document: &str, whole: &Object<'_>) -> Option<Vec<Range<usize>>> {
        let orders = whole.get("orders").filter(|_| self.comes_in_batches())?;
        json::elements(document, orders.at.clone())
    }
}

/// An object that says everything once: who reads it otherwise than we do must not find another
/// message in it.
fn unambiguous(object: Object<'_>) -> Result<Object<'_>, SchemeError> {
    match object.repeated() {
        None => Ok(object),
        Some(name) => Err(SchemeError::Body {
            what: format!("has the member {name:?} more than once"),
            remedy: "Write each name once: which value counts is for the provider to guess.",
        }),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// The slot of the key that signs.
pub(super) const SLOT: &str = "eddsa";

/// Reading the fields of a message as numbers: 9 µs were measured.
const FIELDS: Cost = Cost::micros(15);

/// More would keep a thread from other requests: each takes a hash and a signature.
const MAX_BATCH: usize = 128;
