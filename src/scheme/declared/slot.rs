//! `[keys]`: the slots of a scheme file, and how their keys are read and shown.

use super::fields::Fields;
use super::word::Word;
use crate::document::{Location, Member, Node, choose, quoted};
use crate::keys::{Algorithm, Encoding, PublicKey};

/// A place for a key.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) at: Location,
    pub(super) doc: String,
    /// What may be bound here; there is one at least.
    pub(super) algorithms: Vec<Algorithm>,
    /// How the secret is written that the provider issues.
    pub(super) secret: Encoding,
    /// How the public key is written where a text wants it.
    pub(super) public: PublicForm,
}

/// A way to write a public key.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicForm {
    pub(super) name: &'static str,
    pub(super) write: Write,
}

pub(crate) static SECRETS: &[(Word, Encoding)] = &[
    (Word::new("text", "As it is.", "text"), Encoding::Text),
    (Word::new("base64", "Base64.", "base64"), Encoding::Base64),
    (Word::new("base64url", "Base64url.", "base64url"), Encoding::Base64Url),
    (Word::new("hex", "Hex.", "hex"), Encoding::Hex),
    (Word::new("upper", "Its letters as capitals (Coinone).", "upper"), Encoding::Upper),
    (Word::new("md5_hex", "Its MD5 in hex (BTCBOX).", "md5_hex"), Encoding::Md5Hex),
    (Word::new("percent", "Percent-encoded (OAuth 1.0a).", "percent"), Encoding::Percent),
    (Word::new("base64_of", "Its base64 (ApeX).", "base64_of"), Encoding::Base64Of),
];

/// Writes a public key.
type Write = fn(&PublicKey) -> String;

/// Ways to write a public key.
pub(crate) static PUBLICS: &[(Word, Write)] = &[
    (
        Word::new(
            "hex",
            "Its bytes in hex: of Ed25519 32, of the curves a compressed point.",
            "hex",
        ),
        hex,
    ),
    (Word::new("base64", "The same bytes in base64.", "base64"), |key| base64(&key.compressed())),
    (Word::new("compressed", "The compressed point in hex.", "compressed"), hex),
    (Word::new("spki", "The SubjectPublicKeyInfo in hex.", "spki"), |key| {
        base16ct::lower::encode_string(&key.spki())
    }),
];

impl Slot {
    pub(super) fn read_all(root: &Fields<'_>) -> Vec<Self> {
        let table = root.table("keys", "[keys]");
        table.iter().flat_map(Fields::members).map(Self::read).collect()
    }

    fn read(member: &Member<'_>) -> Self {
        let fields = Fields::of(member.node, &format!("[keys.{}]", member.name));
        let algorithms = fields.list("algorithms").unwrap_or_default();
        let algorithms: Vec<Algorithm> = algorithms.iter().filter_map(algorithm).collect();
        if algorithms.is_empty() {
            let what = format!("[keys.{}] has no algorithm", member.name);
            fields.report(what, "write algorithms = [\"hmac_sha256\"]");
        }
        let secret = fields.row("secret", SECRETS).1;
        let public = fields.row("public", PUBLICS);
        let public = PublicForm { name: public.0.name, write: public.1 };
        let doc = fields.plain("doc").unwrap_or_else(|| "The key that signs.".into());
        fields.finish();
        let (name, at) = (member.name.clone(), member.name_at);
        Self { name, at, doc, algorithms, secret, public }
    }
}

fn algorithm((name, node): &(String, Node<'_>)) -> Option<Algorithm> {
    let found = name.parse().ok();
    if found.is_none() {
        let names: Vec<&str> = Algorithm::ALL.iter().map(|row| row.name()).collect();
        node.report(format!("{} is not an algorithm", quoted(name)), choose(name, &names));
    }
    found
}

fn hex(key: &PublicKey) -> String {
    base16ct::lower::encode_string(&key.compressed())
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
