//! Providers' dialects: what is signed, and where the signature goes.
//!
//! A [`Scheme`] is two pure halves around one effect. [`Scheme::canonicalise`] turns the request,
//! exactly as it will leave, into the texts to sign; the pipeline has keys sign them;
//! [`Scheme::assemble`] turns the signatures into [`Edits`]. A scheme never holds a private key: it is built from public keys, secrets it must insert, and parameters. So it is tested without
//! a runtime, network or keys, and `explain` can print what a live configuration would sign.
//!
//! Adding a provider is a file here, a line in [`Registry`]'s table, vectors, and an independent
//! verifier in the tests; CONTRIBUTING.md has the steps.

mod act;
mod bounds;
mod cobo;
mod credential;
mod declared;
mod edits;
mod entry;
mod envelope;
mod error;
mod evidence;
mod infras;
mod json;
mod jwt;
mod loopring;
mod metasv;
mod origin;
mod percent;
mod registry;
mod rejection;
mod reread;
mod sinohope;
mod to_sign;
mod unbound;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use act::{Act, Demo, Way};
pub use bounds::{Binds, Bounds};
use bytes::Bytes;
pub(crate) use declared::{
    CATALOGUE, Captured, Compiled, Key, Known, Word, guess, instant, keys, vocabulary,
};
pub use edits::{Edit, Edits};
pub use entry::{
    Advise, Bound, Build, Entry, Example, KeySlot, Make, ParamDoc, ParamKind, ProviderRefusal,
    PublicForm, SecretSlot, Text,
};
pub use envelope::{Answered, Caller, Conclusion, Decision, Envelope, Opened, Policy, Verdict};
pub use error::{BindError, SchemeError};
pub(crate) use evidence::causes;
pub use evidence::{
    Cause, Certainty, Evidence, Hypothesis, Known as KnownCause, Limit, Stamp, Suspect, Test,
    Texts, all_causes,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method};
pub use origin::{Origin, Provenance};
pub use registry::Registry;
pub use rejection::{Blame, Rejected, Rejections};
pub use reread::{Difference, InUse, Reread};
pub use to_sign::{Rest, ToSign};
pub use unbound::{UnboundPart, probes, unbound};

use crate::cost::Cost;
use crate::keys::{Content, Hashing, PublicKey, Signature};
use crate::moment::Moment;
use crate::nonces::Counting;
use crate::secret::SecretCell;

/// What a route binds to a scheme: public keys, secrets, parameters, each by slot name.
///
/// Parameters are complete: those the route leaves out have their default.
#[derive(Debug, Default)]
pub struct Binding {
    /// The public half of each bound key.
    pub keys: BTreeMap<String, PublicKey>,
    /// Each bound secret, without white space at its ends. It may be another for the next request.
    pub secrets: BTreeMap<String, SecretCell>,
    /// Each parameter as text.
    pub params: BTreeMap<String, String>,
    /// The content of the file that a parameter names, or of its files, each beginning a line.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Binding {
    /// The public key in a required slot.
    ///
    /// # Errors
    ///
    /// Says which slot is empty.
    pub fn key(&self, slot: &str) -> Result<&PublicKey, BindError> {
        self.keys.get(slot).ok_or_else(|| BindError {
            field: format!("keys.{slot}"),
            what: "is missing".into(),
            fix: format!("write keys = {{ {slot} = \"…\" }}"),
        })
    }

    /// The text of a parameter; empty when the scheme has no such parameter.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }
}

/// Names of headers, in the letters that a provider writes them in.
pub type Names = Arc<[Text]>;

/// Signs requests on their way out.
pub trait Scheme: fmt::Debug + Send + Sync {
    /// The headers this scheme sets. A client's own copies are removed first.
    fn owned_headers(&self) -> &[HeaderName];

    /// Names of headers this scheme sets, as the provider documents them, where that is not with
    /// a capital at the beginning of each word. Some providers look at it.
    fn documented_names(&self) -> Option<&Names> {
        None
    }

    /// Whether this request's body must be in hand before it can be signed.
    fn body_need(&self, head: &Head) -> BodyNeed;

    /// Whether only a WebSocket handshake makes sense here; anything else is refused before it
    /// comes to this scheme.
    fn wants_upgrade(&self) -> bool {
        false
    }

    /// Whether the secrets this scheme inserts could be sent at a time, in milliseconds since 1970:
    /// what [`Self::assemble`] would say of them. A route is not ready without, and the others are.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Credential`].
    fn credential(&self, _unix_ms: u64) -> Result<(), SchemeError> {
        Ok(())
    }

    /// When a secret that this scheme inserts is no longer valid, in seconds since 1970, where that
    /// can be told.
    fn expires_s(&self) -> Option<i64> {
        None
    }

    /// Whether the key in a slot is given digests by a rule of the scheme's own, which only a key
    /// that signs digests can sign.
    fn wants_digests(&self, _slot: &str) -> bool {
        false
    }

    /// What the provider wants of its nonces, which the moment of a request brings.
    fn counting(&self) -> Counting {
        Counting::Nothing
    }

    /// What [`Self::canonicalise`] costs of a request, and at most what [`Self::assemble`],
    /// [`Self::reread`] and [`Self::claim`] do. By default, that all of it is read once.
    fn cost(&self, request: Signable<'_>) -> Cost {
        Cost::reading(request.length())
    }

    /// The texts to be signed, of the request with what [`Self::assemble`] puts in. Pure: same request,
    /// same moment, same texts. Headers this scheme owns, and fields in which it places
    /// signatures, are not looked at, so that it works on a request already signed too.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Method`], [`SchemeError::Body`], [`SchemeError::Query`]: the provider defines
    /// no canonical string for the request as it is. [`SchemeError::Broken`]: its body should be in
    /// hand and is not.
    fn canonicalise(&self, request: Signable<'_>, moment: &Moment) -> Result<ToSign, SchemeError>;

    /// The texts again, of the signed request as it leaves. What it shows of time stamp, nonce and
    /// key is read from there, or is held to be what `moment` and `signatures` make.
    ///
    /// # Errors
    ///
    /// As [`Self::canonicalise`]; [`SchemeError::Claim`] or [`SchemeError::Value`] of what it shows.
    fn reread(
        &self,
        request: Signable<'_>,
        moment: &Moment,
        _signatures: &Signatures,
    ) -> Result<Vec<Reread>, SchemeError> {
        Ok(Reread::all(self.canonicalise(request, moment)?.preimages))
    }

    /// The secrets that the two halves would use now, where they use any.
    fn in_use(&self) -> InUse {
        InUse::default()
    }

    /// What its signatures bind, by the kind of request; nothing where none are made.
    fn bounds(&self) -> &[Bounds];

    /// The pieces of those texts, by where each came from; none where the scheme does not say.
    ///
    /// # Errors
    ///
    /// As [`Self::canonicalise`].
    fn origins(&self, _: Signable<'_>, _: &Moment) -> Result<Vec<Vec<Origin>>, SchemeError> {
        Ok(Vec::new())
    }

    /// Turns signatures into edits. Pure. `rest` is that of [`Self::canonicalise`], of the same
    /// request and moment.
    ///
    /// # Errors
    ///
    /// As [`Self::canonicalise`] where a signature goes into the body; [`SchemeError::Credential`] of
    /// a secret that cannot be sent now; [`SchemeError::Broken`] where a signature is missing, or
    /// of another algorithm.
    fn assemble(
        &self,
        request: Signable<'_>,
        moment: &Moment,
        rest: Rest,
        signatures: &Signatures,
    ) -> Result<Edits, SchemeError>;

    /// Reads back what a signed request claims: its moment and its signatures. With
    /// [`Self::canonicalise`] this verifies any request. A scheme that inserts a secret checks
    /// it here.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Claim`]: which part is missing, is there twice, or cannot be read.
    fn claim(&self, request: Signable<'_>) -> Result<Claim, SchemeError>;

    /// What a request shows of how it was signed, for whoever asks why it does not hold: whatever
    /// stands in it, in whatever form, with its body in hand. Pure.
    fn evidence(&self, _request: Signable<'_>) -> Evidence {
        Evidence::default()
    }

    /// Whether the provider's answer must be in hand whole and opened by
    /// [`Self::open_reply`]. Few providers sign their answers.
    fn reply_need(&self) -> BodyNeed {
        BodyNeed::Nothing
    }

    /// Checks a provider's answer and gives what the client is told in its place. Pure.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Reply`]: the client gets none of it.
    fn open_reply(
        &self,
        _request: Signable<'_>,
        _reply: &Bytes,
        _moment: &Moment,
    ) -> Result<Edits, SchemeError> {
        Err(SchemeError::Broken("this scheme opens no answers"))
    }
}

/// Whether a scheme reads the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyNeed {
    /// The body is not signed and streams through.
    Nothing,
    /// The body is signed and must be held whole.
    Whole,
}

/// The head of a request as it will leave.
#[derive(Clone, Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// What is sent as `Host`: the name, and the port where it is not the default one.
    pub host: String,
    /// Path and query, byte for byte as they will be sent.
    pub target: PathAndQuery,
    /// Headers, `Host` among them.
    pub headers: HeaderMap,
}

impl Head {
    /// The raw path, `/` when the client wrote none.
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The raw query, without `?`.
    pub fn query(&self) -> &str {
        self.target.query().unwrap_or_default()
    }

    /// A header as text, if it is there exactly once and is visible ASCII.
    pub fn single(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        values.next().is_none().then(|| value.to_str().ok()).flatten()
    }

    /// A header as a number, if it is there exactly once and has digits only.
    pub fn decimal(&self, name: &str) -> Option<u64> {
        let text = self.single(name)?;
        // `u64::from_str` alone would take a sign.
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    }
}

/// The request as it will leave, before it is signed.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    /// The head.
    pub head: &'a Head,
    /// The body, when [`Scheme::body_need`] asked for it; empty when there is none.
    pub body: Option<&'a Bytes>,
}

impl<'a> Signable<'a> {
    /// How many bytes there are to read: target, headers, and the body that is in hand.
    pub fn length(&self) -> usize {
        let headers = self.head.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
        self.head.target.as_str().len() + headers + self.body.map_or(0, Bytes::len)
    }

    /// What `scheme` is shown of a request that is in hand.
    pub fn of(scheme: &dyn Scheme, head: &'a Head, body: &'a Bytes) -> Self {
        let needed = scheme.body_need(head) == BodyNeed::Whole;
        Self { head, body: needed.then_some(body) }
    }
}

/// One canonical text and the slot whose key signs it.
#[derive(Clone, Debug)]
pub struct Preimage {
    /// The key slot.
    pub slot: Text,
    /// The canonical string, or whatever else the key's algorithm takes for the message.
    pub text: Vec<u8>,
    /// How it becomes what the key signs.
    pub hashing: Hashing,
    /// Whether a secret is in the text, so that nobody is shown it.
    pub secret: bool,
}

impl Preimage {
    /// The text for people.
    pub fn shown(&self) -> Cow<'_, str> {
        if self.secret { "(a secret is in it)".into() } else { String::from_utf8_lossy(&self.text) }
    }

    /// What the slot's key is given.
    pub fn content(&self) -> Content<'_> {
        self.hashing.content(&self.text)
    }
}

/// The signatures over a request's preimages, in their order.
#[derive(Clone, Debug, Default)]
pub struct Signatures(Vec<(Text, Signature)>);

impl Signatures {
    /// Adds the signature of a slot's key.
    pub fn insert(&mut self, slot: impl Into<Text>, signature: Signature) {
        self.0.push((slot.into(), signature));
    }

    /// Every signature of a slot's key, in the order of its preimages.
    pub fn all<'s>(&'s self, slot: &'s str) -> impl Iterator<Item = &'s Signature> {
        self.0.iter().filter(move |(name, _)| *name == slot).map(|(_, signature)| signature)
    }

    /// The first signature of a slot's key.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Broken`] when the pipeline did not ask that slot.
    pub fn get(&self, slot: &str) -> Result<&Signature, SchemeError> {
        let found = self.0.iter().find(|(name, _)| name == slot);
        found.map(|(_, own)| own).ok_or(SchemeError::Broken("a signature is missing"))
    }

    /// The signature of a slot's key in ASN.1 DER.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Broken`] also when the slot's key is not an ECDSA key.
    pub fn ecdsa_der(&self, slot: &str) -> Result<Vec<u8>, SchemeError> {
        self.get(slot)?.to_der().ok_or(SchemeError::Broken("a signature is not ECDSA"))
    }

    /// The signature of a slot's key as octets: of an RSA key, a number as long as its modulus,
    /// big-endian.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Broken`] also when the slot's key makes no octets.
    pub fn octets(&self, slot: &str) -> Result<&[u8], SchemeError> {
        match self.get(slot)? {
            Signature::Octets(signature) => Ok(signature),
            Signature::Ecdsa { .. } | Signature::BabyJub { .. } => {
                Err(SchemeError::Broken("a signature is no string of octets"))
            }
        }
    }
}

/// What a signed request says of itself.
#[derive(Clone, Debug)]
pub struct Claim {
    /// When it says it was signed; none where the dialect has no time stamp.
    pub moment: Option<Moment>,
    /// One for each preimage, in their order; empty when the scheme only inserts a secret.
    pub proofs: Vec<Proof>,
    /// The texts that were signed, where the request carries them itself, as a JWT does: others may
    /// write the same otherwise. None where [`Scheme::canonicalise`] has them.
    pub signed: Option<Vec<Preimage>>,
}

/// A signature found in a request.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The slot it belongs to.
    pub slot: Text,
    /// The public key, as the request presents it; the bound one where the dialect has it known
    /// by other means.
    pub public_key: PublicKey,
    /// The signature itself.
    pub signature: Signature,
}
