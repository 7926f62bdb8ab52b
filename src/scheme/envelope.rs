//! Requests that come *to* the user, sealed: opened on their way in, their answers sealed on their
//! way out.
//!
//! The rule that stands above all: no path may seal an approval that the service, or the policy
//! that stands in for it, did not give for that very request. So what is said
//! ([`Envelope::conclude`]) is decided in one pure place, apart from how it is sealed.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use bytes::Bytes;

use super::{Claim, Edits, Evidence, Preimage, SchemeError, Signable, Signatures};
use crate::cost::Cost;
use crate::moment::Moment;

/// Opens a sealed request on its way in, seals the answer on its way out.
pub trait Envelope: fmt::Debug + Send + Sync {
    /// What [`Self::open`] costs of a body of so many bytes, and at most what concluding, sealing or
    /// reading back an answer of as many does.
    fn cost(&self, length: usize) -> Cost;

    /// Checks who sealed a request and what it says. Pure: same request, same moment, same answer.
    ///
    /// # Errors
    ///
    /// Why it is not to be believed; the service never hears of it, and [`Self::conclude`] is told.
    fn open(&self, request: Signable<'_>, moment: &Moment) -> Result<Opened, SchemeError>;

    /// The same without an opinion on the time.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], but for times.
    fn believe(&self, request: Signable<'_>) -> Result<(), SchemeError>;

    /// As [`Scheme::evidence`](super::Scheme::evidence), of a request that comes in.
    fn evidence(&self, request: Signable<'_>) -> Evidence;

    /// How long the service may take, its whole answer included.
    fn deadline(&self) -> Duration;

    /// Whose requests are believed. A caller belongs to one route.
    fn callers(&self) -> Vec<Caller>;

    /// How long an answer is remembered: at least as long as the request it was for could be
    /// repeated.
    fn remembered(&self) -> Duration;

    /// What is to be said, once and for all. Pure.
    fn conclude(&self, opened: Result<&Opened, &SchemeError>, answer: &Answered<'_>) -> Conclusion;

    /// The texts to be signed. Pure.
    ///
    /// # Errors
    ///
    /// A broken invariant: every conclusion can be sealed.
    fn canonicalise(
        &self,
        conclusion: &Conclusion,
        moment: &Moment,
    ) -> Result<Vec<Preimage>, SchemeError>;

    /// The answer, sealed: its headers and its body. Pure.
    ///
    /// # Errors
    ///
    /// A broken invariant: every conclusion can be sealed.
    fn assemble(
        &self,
        conclusion: &Conclusion,
        moment: &Moment,
        signatures: &Signatures,
    ) -> Result<Edits, SchemeError>;

    /// A text that the key which seals answers is to sign, so that nobody else can have written it. The
    /// text must be one that can be taken for no answer. Pure.
    fn vouched(&self, text: Vec<u8>) -> Preimage;

    /// Reads back an answer's body as it leaves, which must say what was concluded. Pure.
    ///
    /// # Errors
    ///
    /// A broken invariant: the body is what [`Self::assemble`] made of the same conclusion.
    fn claim(&self, conclusion: &Conclusion, body: &Bytes) -> Result<Claim, SchemeError>;
}

/// Rules that say of an opened request what a service would be asked. Each kind of request has
/// rules of its own; `[routes.NAME.decide]` is their table.
pub trait Policy: fmt::Debug + Send + Sync {
    /// Judges a request. Pure: same request, same verdict.
    fn judge(&self, opened: &Opened) -> Verdict;
}

/// Two that read the same are the same.
impl Hash for dyn Policy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        format!("{self:?}").hash(state);
    }
}

/// The two things that can be said to a sealed request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// What is asked may be done.
    Approve,
    /// It may not.
    Reject,
}

impl Decision {
    /// The word for it, in the log, in the audit, and to those who ask.
    pub fn word(self) -> &'static str {
        match self {
            Self::Approve => "APPROVE",
            Self::Reject => "REJECT",
        }
    }
}

/// What a policy says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// The answer.
    pub decision: Decision,
    /// The name of the rule that decided: `keysign.amount`. Names do not change.
    pub rule: &'static str,
    /// Why, in a sentence: values of the request are short and escaped in it.
    pub reason: String,
}

/// A request that was opened and believed.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What the service is sent.
    pub request: Bytes,
    /// The service's `Content-Type`.
    pub content_type: &'static str,
    /// The caller's name for it.
    pub id: String,
    /// The caller's number for its kind.
    pub kind: u64,
}

/// Who may have sealed a request that is believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The fingerprint of its public key.
    pub key: String,
    /// What its requests must say of who made them; nothing where they may say anything.
    pub issuer: Option<String>,
}

impl Caller {
    /// Whether one request could be believed to be of both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let apart = self.issuer.is_some() && other.issuer.is_some() && self.issuer != other.issuer;
        self.key == other.key && !apart
    }
}

/// What came of asking.
#[derive(Clone, Copy, Debug)]
pub enum Answered<'a> {
    /// An answer of the service, whole.
    Reply {
        /// Its HTTP status.
        status: u16,
        /// Its body.
        body: &'a Bytes,
    },
    /// What the policy says, in place of a service.
    Verdict(&'a Verdict),
    /// None that could be used: a sentence without anything of the service's.
    Nothing(&'a str),
    /// Nobody was asked.
    Unasked,
}

/// What is to be sealed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conclusion {
    /// The text that is sealed.
    pub package: Bytes,
    /// Whether it approves. Everything else refuses or is none of both.
    pub approves: bool,
    /// The decision of whoever was asked, where it made one of the two.
    pub said: Option<Decision>,
    /// One sentence for the log and the audit: what was concluded from what.
    pub reason: String,
}
