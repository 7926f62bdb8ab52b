//! Loopring: Poseidon EdDSA on Baby Jubjub, over a request or over the fields of its body.
//!
//! A route signs one of two things. With `canonical`, a text made of the request goes through
//! SHA-256, and the signature goes into `X-API-SIG`. With `body`, the fields of an order or of
//! another message go through Poseidon, and the signature goes into the body, which else stays
//! as it is to the byte. The provider knows the public key by the account: no request carries it.
//! There is no time stamp and no nonce either; equal requests have equal signatures.

mod advice;
mod bounds;
mod canonical;
mod evidence;
mod field;
mod fields;
mod message;
mod notes;
mod numeric;
mod played;
mod written;

use std::sync::{Arc, LazyLock};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::{HeaderName, Uri};
use sha2::{Digest as _, Sha256};

use self::bounds::{BASE_BODY, BASE_QUERY, KV, MESSAGE};
use self::canonical::{Canonical, Duplicates, Public};
use self::message::{Hashes, MESSAGES, Message, SLOT};
use super::credential::CredentialFault;
use super::entry::texts;
use super::{
    BindError, Binding, BodyNeed, Bounds, Build, Claim, Edits, Entry, Evidence, Head, InUse,
    KeySlot, Names, ParamDoc, Preimage, Proof, ProviderRefusal, PublicForm, Rejections, Reread,
    Rest, Scheme, SchemeError, SecretSlot, Signable, Signatures, ToSign,
};
use crate::cost::Cost;
use crate::keys::babyjub::{self, Element};
use crate::keys::{Algorithm, Digest, Encoding, Hashing, PublicKey};
use crate::moment::Moment;
use crate::secret::{Secret, SecretCell};

pub(super) fn entry() -> Entry {
    Entry {
        name: "loopring".into(),
        summary: "X-API-SIG or signed bodies: Poseidon EdDSA on Baby Jubjub; and X-API-KEY".into(),
        host: "api.loopring.io".into(),
        protocol: "http",
        keys: vec![KeySlot {
            name: SLOT.into(),
            algorithms: vec![Algorithm::EDDSA_BABYJUB],
            encoding: Encoding::Text,
            required: false,
            doc: "The account's key. Needed unless canonical and body are both none.".into(),
        }],
        secrets: vec![SecretSlot {
            name: "api_key".into(),
            file: "loopring.api_key".into(),
            required: false,
            doc: "Sent as X-API-KEY. The request that fetches it goes without.".into(),
        }],
        params: vec![
            ParamDoc::one_of(
                "canonical",
                "kv_objects",
                &["kv_objects", "kv_pairs", "v2", "v3", "none"],
                "The text that X-API-SIG signs: v2 and v3 are what servers of these versions \
                  take, the kv forms are those of drafts.",
            ),
            ParamDoc::one_of(
                "body",
                "none",
                &[
                    "none",
                    "order",
                    "offchain_withdrawal",
                    "internal_transfer",
                    "withdrawal",
                    "transfer",
                    "account_update",
                ],
                "The message a body is; its signature goes into it. Needs canonical none.",
            ),
            ParamDoc::one_of(
                "protocol",
                "3.1.1",
                &["3.1.1", "3.6"],
                "The protocol of that message: API v2 has 3.1.1, API v3 has 3.6.",
            ),
            ParamDoc::one_of(
                "duplicates",
                "refuse",
                &["refuse", "keep_both"],
                "What a kv form does with a name that is in the query and in the body.",
            ),
            ParamDoc::text(
                "base",
                "host",
                "What v2 and v3 sign in front of the path: host is https:// and the request's \
                  own, else a URL without a path.",
            ),
        ],
        public_form: Some(PublicForm {
            name: "publicKeyX and publicKeyY, decimal",
            write: public_decimal,
        }),
        refusal: Some(ProviderRefusal {
            status: 401,
            body: r#"{"resultInfo":{"code":100000,"message":"invalid signature: {reason}"}}"#
                .into(),
        }),
        rejections: Rejections::new(&[], "resultInfo.code", &[]),
        notes: texts(notes::NOTES),
        binds: vec![KV, BASE_QUERY, BASE_BODY, MESSAGE],
        advise: Arc::new(advice::advise),
        example: notes::example(),
        demo: played::demo(),
        policy: None,
        build: Build::Scheme(Arc::new(build)),
    }
}

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const API_SIG: HeaderName = HeaderName::from_static("x-api-sig");
/// As in the provider's documents.
static DOCUMENTED: LazyLock<Names> =
    LazyLock::new(|| super::entry::texts(&["X-API-KEY", "X-API-SIG"]).into());
static BOTH: [HeaderName; 2] = [API_KEY, API_SIG];

/// What the header's signature is hashed with; see [`Signing::widths`].
const SIGNATURE_WIDTH: usize = 6;

fn build(binding: &Binding) -> Result<Arc<dyn Scheme>, BindError> {
    let signing = signing(binding)?;
    let api_key = binding.secrets.get("api_key").cloned();
    let key = match &signing {
        Signing::Nothing if api_key.is_none() => {
            return Err(BindError {
                field: "params.canonical".into(),
                what: "is \"none\", and so is body, and no secrets.api_key is bound: the route \
                       does nothing"
                    .into(),
                fix: "choose what to sign, or write secrets = { api_key = \"…\" }".into(),
            });
        }
        Signing::Nothing => None,
        Signing::Header { .. } | Signing::Body(_) => Some(binding.key(SLOT)?.clone()),
    };
    for width in signing.widths() {
        babyjub::warm(width);
    }
    Ok(Arc::new(Loopring { signing, key, api_key }))
}

fn signing(binding: &Binding) -> Result<Signing, BindError> {
    let canonical = canonical(binding)?;
    let (body, protocol) = (binding.param("body"), binding.param("protocol"));
    if !["3.1.1", "3.6"].contains(&protocol) {
        return Err(entry().param("protocol").refused(protocol));
    }
    if body == "none" {
        return Ok(
            canonical.map_or(Signing::Nothing, |(text, form)| Signing::Header { text, form })
        );
    }
    let of_name: Vec<_> = MESSAGES.iter().filter(|message| message.name == body).collect();
    let Some(other) = of_name.first() else {
        return Err(entry().param("body").refused(body));
    };
    if canonical.is_some() {
        return Err(BindError {
            field: "params.body".into(),
            what: format!(
                "is \"{body}\" while canonical is \"{}\": one of the two signatures would have \
                 to sign the other",
                binding.param("canonical")
            ),
            fix: "write canonical = \"none\" beside it".into(),
        });
    }
    let message = of_name.iter().find(|message| message.protocol.name() == protocol);
    let message = message.ok_or_else(|| BindError {
        field: "params.body".into(),
        what: format!("is \"{body}\", which protocol {protocol} does not have"),
        fix: format!("write protocol = \"{}\" beside it", other.protocol.name()),
    })?;
    Ok(Signing::Body(message))
}

fn canonical(binding: &Binding) -> Result<Option<(Canonical, Form)>, BindError> {
    let duplicates = match binding.param("duplicates") {
        "refuse" => Duplicates::Refuse,
        "keep_both" => Duplicates::KeepBoth,
        other => return Err(entry().param("duplicates").refused(other)),
    };
    let base = base(binding.param("base"))?;
    match binding.param("canonical") {
        "kv_objects" => Ok(Some((Canonical::Objects(duplicates), Form::Decimal))),
        "kv_pairs" => Ok(Some((Canonical::Pairs(duplicates), Form::Decimal))),
        "v2" => Ok(Some((Canonical::Base(base), Form::Decimal))),
        "v3" => Ok(Some((Canonical::Base(base), Form::Hex))),
        "none" => Ok(None),
        other => Err(entry().param("canonical").refused(other)),
    }
}

fn base(text: &str) -> Result<Public, BindError> {
    if text == "host" {
        return Ok(Public::Host);
    }
    let url: Option<Uri> = text.parse().ok();
    let plain = url.filter(|url| {
        let web = matches!(url.scheme_str(), Some("https" | "http"));
        let host = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        web && host && url.path() == "/" && url.query().is_none() && !text.contains('#')
    });
    match plain {
        Some(_) => Ok(Public::Base(text.trim_end_matches('/').to_ascii_lowercase())),
        None => Err(BindError {
            field: "params.base".into(),
            what: format!("is \"{text}\", which is no URL of a host"),
            fix: "write it as https://api3.loopring.io, or leave it out".into(),
        }),
    }
}

/// The API key of this moment, where it can be a header's value.
fn usable(key: &SecretCell) -> Result<Arc<Secret>, SchemeError> {
    let key = key.current();
    let bytes = key.expose();
    if !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic) {
        return Ok(key);
    }
    let what = "is empty, or has white space or bytes outside ASCII in it";
    Err(CredentialFault::lasting(what, "store the API key alone, as the provider shows it")
        .of("api_key"))
}

fn public_decimal(key: &PublicKey) -> String {
    // The slot takes no other keys, and these are two coordinates.
    let spki = key.spki();
    let coordinates = spki.as_chunks::<32>().0.iter().filter_map(Element::from_be_bytes);
    coordinates.map(Element::to_decimal).collect::<Vec<_>>().join(",")
}

#[derive(Debug)]
struct Loopring {
    signing: Signing,
    /// There is one where something is signed.
    key: Option<PublicKey>,
    api_key: Option<SecretCell>,
}

/// What a route signs, and where the signature goes.
#[derive(Debug)]
enum Signing {
    /// A text made of the request; into `X-API-SIG`.
    Header { text: Canonical, form: Form },
    /// The fields of the body; into the body.
    Body(&'static Message),
    /// Only the API key goes with the request.
    Nothing,
}

/// How `X-API-SIG` is written.
#[derive(Clone, Copy, Debug)]
enum Form {
    Decimal,
    Hex,
}

impl Signing {
    /// The permutations it needs, the signature's own among them.
    fn widths(&self) -> Vec<usize> {
        match self {
            Self::Header { .. } => vec![SIGNATURE_WIDTH],
            Self::Body(message) => vec![SIGNATURE_WIDTH, message.width],
            Self::Nothing => Vec::new(),
        }
    }
}

impl Scheme for Loopring {
    fn owned_headers(&self) -> &[HeaderName] {
        // What this route does not set is the program's own to set.
        let signs = matches!(self.signing, Signing::Header { .. });
        match (self.api_key.is_some(), signs) {
            (true, true) => &BOTH,
            (true, false) => &BOTH[..1],
            (false, true) => &BOTH[1..],
            (false, false) => &[],
        }
    }

    fn wants_digests(&self, _slot: &str) -> bool {
        true
    }

    fn documented_names(&self) -> Option<&Names> {
        Some(&DOCUMENTED)
    }

    fn bounds(&self) -> &[Bounds] {
        match &self.signing {
            Signing::Header { text: Canonical::Base(_), .. } => &[BASE_QUERY, BASE_BODY],
            Signing::Header { .. } => &[KV],
            Signing::Body(_) => &[MESSAGE],
            Signing::Nothing => &[],
        }
    }

    fn body_need(&self, head: &Head) -> BodyNeed {
        let whole = match &self.signing {
            Signing::Header { text, .. } => text.reads_body(&head.method),
            Signing::Body(_) => true,
            Signing::Nothing => false,
        };
        if whole { BodyNeed::Whole } else { BodyNeed::Nothing }
    }

    fn credential(&self, _: u64) -> Result<(), SchemeError> {
        self.api_key.as_ref().map_or(Ok(()), |key| usable(key).map(drop))
    }

    fn cost(&self, request: Signable<'_>) -> Cost {
        let read = Cost::reading(request.length());
        match (&self.signing, request.body) {
            (Signing::Body(message), Some(body)) => read + message.cost(body),
            (Signing::Header { .. } | Signing::Body(_) | Signing::Nothing, _) => read,
        }
    }

    fn canonicalise(&self, request: Signable<'_>, _: &Moment) -> Result<ToSign, SchemeError> {
        match &self.signing {
            Signing::Header { text, .. } => {
                let text = text.text(request)?.into_bytes();
                let hash: [u8; 32] = Sha256::digest(&text).into();
                // The provider reads the hash as a number of the field.
                let digest = Digest(Element::from_be_bytes_reduced(&hash).to_be_bytes());
                Ok(vec![Preimage {
                    slot: SLOT.into(),
                    text,
                    hashing: Hashing::Own(digest),
                    secret: false,
                }]
                .into())
            }
            Signing::Body(message) => {
                let preimages = message.preimages(body(request)?)?;
                let hashes = preimages.iter().filter_map(|own| own.hashing.digest().copied());
                // They are placed too, and cost more than all the rest.
                let hashes: Hashes = hashes.collect();
                Ok(ToSign::with(preimages, hashes))
            }
            Signing::Nothing => Ok(ToSign::default()),
        }
    }

    fn reread(
        &self,
        request: Signable<'_>,
        moment: &Moment,
        _: &Signatures,
    ) -> Result<Vec<Reread>, SchemeError> {
        // Poseidon costs more than all the rest: what goes into it is compared.
        if let Signing::Body(message) = &self.signing {
            return message.inputs(body(request)?);
        }
        Ok(Reread::all(self.canonicalise(request, moment)?.preimages))
    }

    fn in_use(&self) -> InUse {
        InUse::of(self.api_key.iter().map(SecretCell::current).collect())
    }

    fn assemble(
        &self,
        request: Signable<'_>,
        _: &Moment,
        rest: Rest,
        signatures: &Signatures,
    ) -> Result<Edits, SchemeError> {
        let mut edits = Edits::default();
        if let Some(key) = &self.api_key {
            edits = edits.set_secret(API_KEY, &*usable(key)?)?;
        }
        match &self.signing {
            Signing::Header { form, .. } => {
                let signature = signatures.get(SLOT)?;
                let value = match form {
                    Form::Decimal => written::commas(signature)?,
                    Form::Hex => written::hex(signature)?,
                };
                edits.set(API_SIG, value.as_bytes())
            }
            Signing::Body(message) => {
                let signatures: Vec<_> = signatures.all(SLOT).collect();
                let hashes: Hashes = rest.take()?;
                Ok(edits.body(message.seal(body(request)?, &hashes, &signatures)?))
            }
            Signing::Nothing => Ok(edits),
        }
    }

    fn claim(&self, request: Signable<'_>) -> Result<Claim, SchemeError> {
        if let Some(key) = &self.api_key {
            let mut values = request.head.headers.get_all(API_KEY).iter();
            let (value, second) = (values.next(), values.next());
            let key = key.current();
            let right =
                value.is_some_and(|v| verify_slices_are_equal(v.as_bytes(), key.expose()).is_ok());
            if !right || second.is_some() {
                let what = "is not the configured API key, exactly once";
                return Err(SchemeError::Claim { part: "X-API-KEY", what });
            }
        }
        let found = match &self.signing {
            Signing::Header { form, .. } => {
                let value = request.head.single("X-API-SIG");
                let (signature, what) = match form {
                    Form::Decimal => (
                        value.and_then(written::from_commas),
                        "is not there exactly once as three decimal numbers with commas",
                    ),
                    Form::Hex => (
                        value.and_then(written::from_hex),
                        "is not there exactly once as 0x and 192 lower-case hex digits",
                    ),
                };
                vec![signature.ok_or(SchemeError::Claim { part: "X-API-SIG", what })?]
            }
            Signing::Body(message) => message.claims(body(request)?)?,
            Signing::Nothing => Vec::new(),
        };
        let proofs = found.into_iter().filter_map(|signature| {
            let public_key = self.key.clone()?;
            Some(Proof { slot: SLOT.into(), public_key, signature })
        });
        Ok(Claim { moment: None, proofs: proofs.collect(), signed: None })
    }

    fn evidence(&self, request: Signable<'_>) -> Evidence {
        let mut evidence = Evidence::default();
        if let Some(key) = &self.api_key {
            evidence.faults.extend(evidence::api_key(request, &key.current()));
        }
        let Some(key) = &self.key else { return evidence };
        match &self.signing {
            Signing::Header { text, form } => {
                let hex = matches!(form, Form::Hex);
                evidence::header(
                    request,
                    &evidence::Own { canonical: text, hex, key },
                    &mut evidence,
                );
            }
            Signing::Body(message) => {
                let body = request.body.cloned().unwrap_or_default();
                fields::body(message, &body, key, &mut evidence);
            }
            Signing::Nothing => {}
        }
        evidence
    }
}

fn body<'a>(request: Signable<'a>) -> Result<&'a bytes::Bytes, SchemeError> {
    request.body.ok_or(SchemeError::Broken("the body was not collected"))
}
