//! Values that a key makes: signatures and MACs, and tokens. These two tables, and `derive` in the first, are the only places where a file can name a key.

use super::encode::{ENCODINGS, Encoding};
use super::fields::Fields;
use super::jsons::Json;
use super::text::{Scope, Text};
use super::word::Word;
use crate::document::{Node, choose};
use crate::keys::Written;

/// A signature or MAC of a text.
#[derive(Debug)]
pub(super) struct Sign {
    pub(super) text: Text,
    pub(super) slot: usize,
    /// How it is written; as bytes where there is none.
    pub(super) encoding: Option<&'static Encoding>,
    /// Whether an ECDSA signature is r and s, 64 bytes, and not DER.
    pub(super) raw: bool,
    /// Whether the text is the digest, 32 bytes.
    pub(super) digest: bool,
    pub(super) derive: Option<Derive>,
    /// What stands behind the secret.
    pub(super) suffix: Option<Text>,
}

/// How a MAC's key is derived from the slot's.
#[derive(Debug)]
pub(super) struct Derive {
    pub(super) prefix: Text,
    pub(super) over: Vec<Text>,
    pub(super) written: Written,
}

/// A JSON Web Token (RFC 7519), signed.
#[derive(Debug)]
pub(super) struct Jwt {
    pub(super) slot: usize,
    pub(super) header: Option<Json>,
    pub(super) claims: Json,
}

static FORMS: &[(Word, bool)] = &[
    (Word::new("der", "ASN.1 DER, for ECDSA alone.", "der"), false),
    (Word::new("raw", "r and s, 32 bytes each, for ECDSA alone.", "raw"), true),
];

static DERIVED: &[(Word, Written)] = &[
    (Word::new("raw", "Bytes.", "raw"), Written::Raw),
    (Word::new("base64", "Base64 with padding.", "base64"), Written::Base64),
    (Word::new("hex", "Lower-case hex.", "hex"), Written::Hex),
];

static TEXT_IS: &[(Word, bool)] = &[
    (Word::new("hash", "The algorithm hashes the text.", "hash"), false),
    (Word::new("none", "The text is the digest, 32 bytes.", "none"), true),
];

impl Sign {
    pub(super) fn read(fields: &Fields<'_>, node: Node<'_>, scope: &Scope) -> Option<Self> {
        let text = Text::read(&node, scope);
        let derive = fields.table("derive", "derive").map(|table| {
            let over = table.list("over").unwrap_or_default();
            let prefix = table.get("prefix").map(|node| Text::read(&node, scope));
            let written = table.row("as", DERIVED).1;
            table.finish();
            let over = over.iter().map(|(_, node)| Text::read(node, scope)).collect();
            Derive { prefix: prefix.unwrap_or_default(), over, written }
        });
        let raw = fields.row("form", FORMS).1;
        let digest = fields.row("digest", TEXT_IS).1;
        let suffix = fields.get("suffix").map(|node| Text::read(&node, scope));
        let encoding = encoding(fields);
        let slot = slot(fields, scope)?;
        Some(Self { text, slot, encoding, raw, digest, derive, suffix })
    }

    pub(super) fn texts(&self) -> Vec<&Text> {
        let derive = self.derive.iter();
        let derive = derive.flat_map(|derive| derive.over.iter().chain([&derive.prefix]));
        [&self.text].into_iter().chain(derive).chain(&self.suffix).collect()
    }
}

impl Jwt {
    pub(super) fn read(node: Node<'_>, scope: &Scope) -> Option<Self> {
        let fields = Fields::of(node, "jwt");
        let omit = fields.flag("omit_empty");
        let header = fields.get("header").map(|node| Json::members(node, omit, scope));
        let claims = fields.require("claims", "{ sub = \"{key_name}\" }");
        let slot = slot(&fields, scope);
        fields.finish();
        Some(Self { slot: slot?, header, claims: Json::members(claims?, omit, scope) })
    }

    pub(super) fn texts(&self) -> Vec<&Text> {
        let header = self.header.iter().flat_map(Json::texts);
        header.chain(self.claims.texts()).collect()
    }
}

/// The key slot behind `key`.
fn slot(fields: &Fields<'_>, scope: &Scope) -> Option<usize> {
    let node = fields.require("key", "\"signer\"")?;
    let name = node.text().unwrap_or_default();
    let found = scope.slots.iter().position(|slot| slot == name);
    if found.is_none() {
        let names: Vec<&str> = scope.slots.iter().map(String::as_str).collect();
        let what = format!("there is no [keys.{}]", name.escape_debug());
        node.report(what, choose(name, &names));
    }
    found
}

/// The encoding behind `as`, and bytes as they are where there is none.
fn encoding(fields: &Fields<'_>) -> Option<&'static Encoding> {
    fields.row_if_any("as", ENCODINGS)
}
