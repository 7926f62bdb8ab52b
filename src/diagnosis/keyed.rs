//! Which key signed, where no text of the space explains a signature: other keys of the configuration,
//! and, of two requests of one program, the one key that both signatures are of.

use super::budget::{Budget, cost};
use super::inquiry::Inquiry;
use crate::keys::{Kinship, PublicKey};
use crate::scheme::{Cause, KnownCause, Suspect, causes};

/// The cause where no text fits: another key, proved where it is one of the configuration's.
pub(super) fn by_others(
    inquiry: &Inquiry<'_>,
    suspect: &Suspect,
    tried: usize,
    budget: &mut Budget,
) -> Cause {
    let algorithm = suspect.key.algorithm();
    let holds =
        |key: &PublicKey| (inquiry.holds)(key, suspect.wanted.content(), &suspect.signature);
    if let Some((kinship, _)) = inquiry.relatives.iter().find(|(_, key)| holds(key)) {
        let cause = Cause::seen(related(*kinship));
        return cause.proof("the signature over the right text is that of such a key");
    }
    let alike = inquiry.others.iter().filter(|(_, key)| {
        *key != suspect.key && key.algorithm() == algorithm && budget.take(cost(algorithm))
    });
    let alike: Vec<_> = alike.collect();
    if let Some((name, key)) = alike.iter().find(|(_, key)| holds(key)) {
        return Cause::seen(&causes::keyed::KEY_CONFIGURED)
            .said(format!("keys.{name} signed, and not the key of this route"))
            .proof(format!("the signature over the right text is that of {}", key.fingerprint()));
    }
    if let Some(last) = &suspect.last {
        return last.clone();
    }
    let shared = algorithm.is_shared();
    let said = match (shared, suspect.shown_in) {
        (true, _) => "another secret signed than this route's, or a text that was not tried".into(),
        (false, Some(part)) => {
            format!("another private key signed, not that of {part}, or a text that was not tried")
        }
        (false, None) => {
            "another private key signed than this route's, or a text that was not tried".into()
        }
    };
    let cause = Cause::seen(&causes::keyed::KEY_OTHER).said(said).inferred();
    let keys = alike.len() + 1;
    let s = if keys == 1 { "" } else { "s" };
    let proof = format!(
        "{tried} texts and digests with the route's key, {keys} key{s} over the right text: none fits"
    );
    let certain = if shared {
        "compare the secret's fingerprint: countersign keys show"
    } else {
        "give a second request of the same program (--file again): the same key found in both proves it"
    };
    Cause { certain: Some(certain), ..cause.proof(proof) }
}

/// What it is a sign of that such a key signed.
fn related(kinship: Kinship) -> &'static KnownCause {
    match kinship {
        Kinship::Curve => &causes::keyed::CURVE_OTHER,
        Kinship::Reversed => &causes::keyed::KEY_REVERSED,
        Kinship::Decoded => &causes::keyed::SECRET_DECODED,
        Kinship::Encoded => &causes::keyed::SECRET_ENCODED,
        Kinship::Spaced => &causes::keyed::SECRET_SPACE,
        Kinship::Empty => &causes::keyed::SECRET_EMPTY,
        Kinship::Hash => &causes::keyed::MAC_OTHER,
    }
}
