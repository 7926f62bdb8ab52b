//! Is this request signed as its provider wants it? The same canonical code as for signing,
//! read from the other end: what the request claims, and whether the claim holds.

use std::fmt;

use crate::keys::{Content, PublicKey, Signature};
use crate::moment::{Moment, Nonce};
use crate::scheme::{Preimage, Scheme, SchemeError, Signable};

/// A request whose every signature holds.
#[derive(Clone, Debug)]
pub struct Verified {
    /// When it says it was signed; none where the dialect has no time stamp.
    pub moment: Option<Moment>,
    /// The texts that were signed; empty for a scheme that only inserts a secret.
    pub preimages: Vec<Preimage>,
}

/// The part of a request that does not hold.
#[derive(Clone, Debug)]
pub enum Flaw {
    /// A header is missing or unreadable, or the request cannot be signed at all.
    Unreadable(SchemeError),
    /// It was signed with another key.
    Key {
        /// The fingerprint that the request presents.
        shown: String,
        /// The fingerprint of the route's key.
        expected: String,
    },
    /// The signature is not the key's over this request's canonical text.
    Signature {
        /// What should have been signed.
        preimage: Box<Preimage>,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Key { shown, expected } => {
                write!(f, "the request was signed with {shown}, and the key here is {expected}")
            }
            Self::Signature { .. } => f.write_str(
                "the signature does not belong to this request's canonical text: method, path, \
                 query, body, time stamp or nonce is not what was signed",
            ),
        }
    }
}

/// Verifies a request against the keys of its route.
///
/// # Errors
///
/// The first part that does not hold.
pub fn verify<'k>(
    scheme: &dyn Scheme,
    key_of: impl Fn(&str) -> Option<&'k PublicKey>,
    request: Signable<'_>,
) -> Result<Verified, Flaw> {
    verify_with(scheme, key_of, request, &PublicKey::verifies)
}

/// The same where somebody else says whether a key's signature holds over something: keys that stay
/// in their store may have no public half that could.
///
/// # Errors
///
/// As [`verify`].
pub fn verify_with<'k>(
    scheme: &dyn Scheme,
    key_of: impl Fn(&str) -> Option<&'k PublicKey>,
    request: Signable<'_>,
    holds: &dyn Fn(&PublicKey, Content<'_>, &Signature) -> bool,
) -> Result<Verified, Flaw> {
    let claim = scheme.claim(request).map_err(Flaw::Unreadable)?;
    // A dialect without a time stamp does not look at it.
    let moment = claim.moment.unwrap_or(Moment { unix_ms: 0, nonce: Nonce::Given(0) });
    let preimages = match claim.signed {
        Some(signed) => signed,
        None => scheme.canonicalise(request, &moment).map_err(Flaw::Unreadable)?.preimages,
    };
    for (index, preimage) in preimages.iter().enumerate() {
        let unproven = Flaw::Unreadable(SchemeError::Broken("a signature is missing"));
        let proof = claim.proofs.get(index).filter(|proof| proof.slot == preimage.slot);
        let proof = proof.ok_or(unproven)?;
        let expected = key_of(&preimage.slot);
        if expected.is_some_and(|key| *key != proof.public_key) {
            return Err(Flaw::Key {
                shown: proof.public_key.fingerprint(),
                expected: expected.map(PublicKey::fingerprint).unwrap_or_default(),
            });
        }
        if !holds(&proof.public_key, preimage.content(), &proof.signature) {
            return Err(Flaw::Signature { preimage: Box::new(preimage.clone()) });
        }
    }
    Ok(Verified { moment: claim.moment, preimages })
}
