//! What is asked of a diagnosis, and what it says.

use bytes::Bytes;

use super::signed::Signed;
use crate::keys::{Content, Kinship, PublicKey, Signature};
use crate::moment::Moment;
use crate::scheme::{Bound, Cause, Head, Stamp};

/// Says whether a key's signature holds over something.
pub type Holds<'a> = dyn Fn(&PublicKey, Content<'_>, &Signature) -> bool + 'a;

/// A request, and what it is held against.
#[expect(missing_debug_implementations, reason = "it has closures")]
pub struct Inquiry<'a> {
    /// Its scheme, bound to its route's keys.
    pub scheme: &'a Bound,
    /// Its head.
    pub head: &'a Head,
    /// Its body.
    pub body: &'a Bytes,
    /// The public key in a slot.
    pub key_of: &'a dyn Fn(&str) -> Option<&'a PublicKey>,
    /// Whether a key's signature holds over something. For most keys [`PublicKey::verifies`] says so.
    pub holds: &'a Holds<'a>,
    /// Other keys that may have signed, by their names.
    pub others: &'a [(String, PublicKey)],
    /// Keys that a program may have in the place of the route's by mistake, and which.
    pub relatives: &'a [(Kinship, PublicKey)],
    /// When it arrived at the provider, in milliseconds since 1970, where that is known.
    pub arrived: Option<u64>,
    /// How far a time stamp may be from its clock, in milliseconds, where the provider says so.
    pub window_ms: Option<u64>,
    /// What is wrong with how it was captured or framed.
    pub faults: Vec<Cause>,
}

/// What a diagnosis says.
#[derive(Debug)]
pub struct Verdict {
    /// Whether the request holds.
    pub valid: bool,
    /// Why it does not, the first cause first; none where it does.
    pub causes: Vec<Cause>,
    /// How many hypotheses were tried.
    pub tried: usize,
    /// When it says that it was signed; none where the dialect has no time stamp.
    pub moment: Option<Moment>,
    /// The times that it shows.
    pub stamps: Vec<Stamp>,
    /// The number that no two requests share, where there is one.
    pub nonce: Option<String>,
    /// What a signature that nothing explains is of, for a second request of the same program.
    pub signed: Vec<Signed>,
}
