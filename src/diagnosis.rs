//! Why a signature does not hold: hypotheses of a scheme tried until one is a proof.
//!
//! Pure: no network, no clock, no private key. What a key that stays in its store would have signed is
//! asked of the caller. The work is bounded by a count, so that it ends the same everywhere.

mod arrival;
mod budget;
mod inquiry;
mod keyed;
mod search;
mod signed;

use http::header::CONTENT_ENCODING;

use crate::scheme::{BodyNeed, Bound, Cause, Certainty, Evidence, Limit, Signable, causes};
use crate::verification::verify_with;

pub use arrival::{Answer, time_causes};
pub use inquiry::{Holds, Inquiry, Verdict};
pub use signed::{Signed, recovered};

/// Finds the first cause.
pub fn diagnose(inquiry: &Inquiry<'_>) -> Verdict {
    let whole = Signable { head: inquiry.head, body: Some(inquiry.body) };
    let (verified, moment, evidence) = match inquiry.scheme {
        Bound::Scheme(scheme) => {
            let signable = Signable::of(scheme.as_ref(), inquiry.head, inquiry.body);
            let verified = verify_with(scheme.as_ref(), inquiry.key_of, signable, inquiry.holds);
            let moment = scheme.claim(signable).ok().and_then(|claim| claim.moment);
            (verified.map(drop).map_err(|flaw| flaw.to_string()), moment, scheme.evidence(whole))
        }
        Bound::Envelope(envelope) => {
            let believed = envelope.believe(whole).map_err(|error| error.to_string());
            (believed, None, envelope.evidence(whole))
        }
    };
    let Evidence { mut faults, suspects, mut stamps, nonce } = evidence;
    if let Some(window) = inquiry.window_ms.and_then(|window| u32::try_from(window).ok()) {
        for stamp in &mut stamps {
            if let Limit::Signed(own) = &mut stamp.limit {
                *own = Some(window);
            }
        }
    }
    let mut causes = inquiry.faults.clone();
    causes.append(&mut faults);
    let (mut tried, mut signed) = (0, Vec::new());
    if let Err(flaw) = verified {
        causes.extend(encoded(inquiry));
        let seen = causes.len();
        let found = search::search(inquiry, suspects, &mut causes);
        (tried, signed) = (found.tried, found.signed);
        // A fault that is seen is enough; a guess beside it is none.
        if seen > 0 {
            causes.retain(|cause| cause.certainty == Certainty::Proved);
        }
        if causes.is_empty() {
            causes.push(search::unexplained(flaw));
        }
    }
    if let Some(arrived) = inquiry.arrived {
        causes.extend(time_causes(&stamps, arrived));
    }
    Verdict { valid: causes.is_empty(), causes, tried, moment, stamps, nonce, signed }
}

/// A body that is coded is not the one that was signed, where the scheme signs bodies.
fn encoded(inquiry: &Inquiry<'_>) -> Option<Cause> {
    let Bound::Scheme(scheme) = inquiry.scheme else { return None };
    let coding = inquiry.head.headers.get(CONTENT_ENCODING)?.to_str().ok()?;
    let read = scheme.body_need(inquiry.head) == BodyNeed::Whole;
    let coded = read && !inquiry.body.is_empty() && !coding.eq_ignore_ascii_case("identity");
    let said =
        || format!("the body was compressed after it was signed: Content-Encoding is {coding}");
    coded.then(|| Cause::seen(&causes::form::BODY_ENCODED).said(said()))
}
