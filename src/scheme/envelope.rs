//! Requests that come *to* the user, sealed: opened on their way in, their answers sealed on their
//! way out.
//!
//! The rule that stands above all: no path may seal an approval that the service, or the rules
//! that stand in for it, did not give for that very request. So what is said
//! ([`Envelope::conclude`]) is decided in one pure place, apart from how it is sealed.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::{Edits, Preimage, SchemeError, Signable, Signatures};
use crate::moment::Moment;

/// Opens a sealed request on its way in, seals the answer on its way out.
pub trait Envelope: fmt::Debug + Send + Sync {
    /// Checks who sealed a request and what it says. Pure: same request, same moment, same answer.
    ///
    /// # Errors
    ///
    /// Why it is not to be believed; the service never hears of it, and [`Self::conclude`] is told.
    fn open(&self, request: Signable<'_>, moment: &Moment) -> Result<Opened, SchemeError>;

    /// How long the service may take, its whole answer included.
    fn deadline(&self) -> Duration;

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
    /// The caller's word for its kind.
    pub kind: String,
}

/// What came of asking.
#[derive(Clone, Copy, Debug)]
pub enum Answered<'a> {
    /// An answer, whole, from the service or from the rules that stand in for it.
    Reply {
        /// Its HTTP status.
        status: u16,
        /// Its body.
        body: &'a Bytes,
    },
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
    /// The word of whoever was asked, where it said one of the two.
    pub said: Option<&'static str>,
    /// One sentence for the log and the audit: what was concluded from what.
    pub reason: String,
}
