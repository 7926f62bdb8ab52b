//! Values that a key makes: signatures and MACs, hashes with a secret inside, and tokens. Their `key` is the only place where a file can name one.

use super::encode::{ENCODINGS, Encoding};
use super::fields::Fields;
use super::jsons::Json;
use super::text::{Scope, Text};
use super::word::{Key, Word, words};
use crate::document::{Node, choose};
use crate::keys::{Algorithm, Hash, Written};

/// A signature or MAC of a text; or its hash, with a secret inside.
#[derive(Debug)]
pub(super) struct Sign {
    /// Of a hash, what stands before the secret.
    pub(super) text: Text,
    /// Of a hash, which, and what stands behind the secret.
    pub(super) hash: Option<(Hash, Text)>,
    pub(super) slot: usize,
    /// How it is written; as bytes where there is none.
    pub(super) encoding: Option<&'static Encoding>,
    /// Whether an ECDSA signature is r and s, 64 bytes, and not DER.
    pub(super) raw: bool,
    /// Whether an ECDSA signature has the smaller of the two values of s that verify.
    pub(super) low_s: bool,
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

static HASHES: &[(Word, Hash)] = &[
    (Word::new("md5", "MD5, which is broken.", "md5"), Hash::Md5),
    (Word::new("sha1", "SHA-1, which is broken.", "sha1"), Hash::Sha1),
    (Word::new("sha256", "SHA-256.", "sha256"), Hash::Sha256),
];

static TEXT_IS: &[(Word, bool)] = &[
    (Word::new("hash", "The algorithm hashes the text.", "hash"), false),
    (Word::new("none", "The text is the digest, 32 bytes.", "none"), true),
];

/// The keys of `sign`.
pub(crate) static SIGN: &[Key] = &[
    Key::new("sign", "The text.", "\"{time}{method}{target}{body}\""),
    Key::new("key", "The slot whose key signs.", "\"signer\""),
    Key::new("as", "One of the encodings; bytes where it is left out.", "\"hex\""),
    Key::new("form", "How an ECDSA signature is written.", "\"raw\"").of(|| words(FORMS)),
    Key::new("low_s", "Whether ECDSA's s is the smaller of the two that verify.", "true"),
    Key::new("digest", "What the text is.", "\"none\"").of(|| words(TEXT_IS)),
    Key::new("derive", "How a MAC's key is made of the slot's.", "{ over = [\"{date}\"] }"),
    Key::new("suffix", "What stands behind a MAC's secret in its key.", "\"&{token_secret}\""),
];

/// The keys of `derive`.
pub(crate) static DERIVE: &[Key] = &[
    Key::new("prefix", "What stands before the secret.", "\"AWS4\""),
    Key::new(
        "over",
        "What is authenticated in turn, each with the result before it.",
        "[\"{date}\", \"aws4_request\"]",
    ),
    Key::new("as", "How a result is written to be the next key.", "\"base64\"")
        .of(|| words(DERIVED)),
];

/// The keys of `hash`.
pub(crate) static HASH: &[Key] = &[
    Key::new("hash", "With what.", "\"sha256\"").of(|| words(HASHES)),
    Key::new("before", "What stands before the secret.", "\"{method}{target}{body}\""),
    Key::new("behind", "What stands behind it.", "\"+{body}+{time}\""),
    Key::new("key", "The slot of the secret; its algorithm is `hash`.", "\"signer\""),
    Key::new("as", "One of the encodings; bytes where it is left out.", "\"hex\""),
];

/// The keys of `jwt`.
pub(crate) static JWT: &[Key] = &[
    Key::new("key", "The slot whose key signs.", "\"signer\""),
    Key::new("header", "Members of the header beside `alg` and `typ`.", "{ kid = \"{key_name}\" }"),
    Key::new("claims", "The claims.", "{ sub = \"{key_name}\", exp = { number = \"{end}\" } }"),
    Key::new("omit_empty", "Whether members that are empty texts are left out.", "true"),
];

impl Sign {
    pub(super) fn read(fields: &Fields<'_>, node: Node<'_>, scope: &Scope) -> Option<Self> {
        let text = Text::read(&node, scope);
        let derive = fields.table("derive", "derive").map(|table| {
            table.has(DERIVE);
            let over = table.list("over").unwrap_or_default();
            let prefix = table.get("prefix").map(|node| Text::read(&node, scope));
            let written = table.row("as", DERIVED).1;
            table.finish();
            let over = over.iter().map(|(_, node)| Text::read(node, scope)).collect();
            Derive { prefix: prefix.unwrap_or_default(), over, written }
        });
        let (raw, low_s) = (fields.row("form", FORMS).1, fields.flag("low_s"));
        let digest = fields.row("digest", TEXT_IS).1;
        let suffix = fields.get("suffix").map(|node| Text::read(&node, scope));
        let encoding = encoding(fields);
        let slot = slot(fields, scope)?;
        let hash = None;
        Some(Self { text, hash, slot, encoding, raw, low_s, digest, derive, suffix })
    }

    /// Reads a hash with a secret inside.
    pub(super) fn read_hash(fields: &Fields<'_>, scope: &Scope) -> Option<Self> {
        let hash = fields.row("hash", HASHES).1;
        let [before, behind] = ["before", "behind"].map(|name| fields.get(name));
        if before.is_none() && behind.is_none() {
            fields.report("nothing but the secret is hashed", "write before or behind");
        }
        let text = |node: Option<Node<'_>>| node.map(|node| Text::read(&node, scope));
        let (text, behind) = (text(before).unwrap_or_default(), text(behind).unwrap_or_default());
        let encoding = encoding(fields);
        let (raw, low_s, digest, derive, suffix) = (false, false, false, None, None);
        let (slot, hash) = (slot(fields, scope)?, Some((hash, behind)));
        Some(Self { text, hash, slot, encoding, raw, low_s, digest, derive, suffix })
    }

    /// Whether a slot of this algorithm can make it.
    pub(super) fn is_of(&self, algorithm: Algorithm) -> bool {
        self.hash.is_some() == (algorithm == Algorithm::HASH)
    }

    pub(super) fn texts(&self) -> Vec<&Text> {
        let derive = self.derive.iter();
        let derive = derive.flat_map(|derive| derive.over.iter().chain([&derive.prefix]));
        let behind = self.hash.iter().map(|(_, behind)| behind);
        [&self.text].into_iter().chain(behind).chain(derive).chain(&self.suffix).collect()
    }
}

impl Jwt {
    pub(super) fn read(node: Node<'_>, scope: &Scope) -> Option<Self> {
        let fields = Fields::of(node, "jwt").with(JWT);
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
