//! The search: each signature that does not hold against its hypotheses, then against other keys.

use std::collections::HashSet;

use super::budget::{Budget, cost};
use super::inquiry::Inquiry;
use super::keyed::by_others;
use super::signed::Signed;
use crate::keys::{Hashing, PublicKey};
use crate::scheme::{Cause, Hypothesis, Suspect, Test, Texts, causes};

/// What a search found beside causes.
pub(super) struct Found {
    pub(super) tried: usize,
    pub(super) signed: Vec<Signed>,
}

/// Tries hypotheses until one holds, and adds the cause.
pub(super) fn search(
    inquiry: &Inquiry<'_>,
    suspects: Vec<Suspect>,
    causes: &mut Vec<Cause>,
) -> Found {
    let mut found = Found { tried: 0, signed: Vec::new() };
    let mut budget = Budget::full();
    for suspect in suspects {
        let bound = (inquiry.key_of)(&suspect.slot);
        let Suspect { key, signature, wanted, shown_in, .. } = &suspect;
        let other = bound.filter(|bound| *bound != key);
        let holds = |key: &PublicKey| (inquiry.holds)(key, wanted.content(), signature);
        if holds(key) {
            causes.extend(other.map(|bound| presented(inquiry, key, bound, *shown_in)));
            continue;
        }
        let signed = Signed::of(&suspect);
        let mut trial = Trial { inquiry, budget: &mut budget, seen: HashSet::new(), tried: 0 };
        let cause = trial.run(Box::new(suspect), other);
        found.tried += trial.tried;
        match cause {
            Ok(cause) => causes.push(cause),
            Err(suspect) => {
                causes.push(by_others(inquiry, &suspect, found.tried, &mut budget));
                found.signed.extend(signed);
            }
        }
    }
    found
}

/// The signature holds, and not for the key of this route.
fn presented(
    inquiry: &Inquiry<'_>,
    key: &PublicKey,
    bound: &PublicKey,
    shown_in: Option<&'static str>,
) -> Cause {
    let name = inquiry.others.iter().find(|(_, other)| other == key).map(|(name, _)| name);
    let known = name.map_or(String::new(), |name| format!(" (keys.{name})"));
    let part = shown_in.unwrap_or("the request");
    Cause::seen(&causes::keyed::KEY_SHOWN)
        .said(format!("{part} presents another key than this route's, and that one signed{known}"))
        .proof(format!("signed with {}, this route has {}", key.fingerprint(), bound.fingerprint()))
}

/// Hypotheses of one signature.
struct Trial<'t, 'a> {
    inquiry: &'t Inquiry<'a>,
    budget: &'t mut Budget,
    seen: HashSet<Vec<u8>>,
    tried: usize,
}

impl Trial<'_, '_> {
    /// The cause that is proved; the suspect again where there is none.
    fn run(
        &mut self,
        mut suspect: Box<Suspect>,
        other: Option<&PublicKey>,
    ) -> Result<Cause, Box<Suspect>> {
        let hypotheses = std::mem::take(&mut suspect.hypotheses);
        self.seen.insert(mark(&suspect.wanted.text, &suspect.wanted.hashing));
        let cost = cost(suspect.key.algorithm());
        for Hypothesis { cause, test } in hypotheses {
            if let Some(signed) = self.holds(&suspect, other, &test, cost) {
                let wanted = suspect.wanted;
                let texts = signed
                    .filter(|signed| !wanted.secret && *signed != wanted.text)
                    .map(|signed| Box::new(Texts { signed, wanted: wanted.text }));
                return Ok(Cause { texts: texts.or(cause.texts), ..cause });
            }
        }
        Err(suspect)
    }

    /// Whether a hypothesis holds: the text that was signed, where it is one.
    fn holds(
        &mut self,
        suspect: &Suspect,
        other: Option<&PublicKey>,
        test: &Test,
        cost: u32,
    ) -> Option<Option<Vec<u8>>> {
        match test {
            Test::Text { text, hashing } => {
                if !self.seen.insert(mark(text, hashing)) || !self.budget.take(cost) {
                    return None;
                }
                self.tried += 1;
                let content = || hashing.content(text);
                let keys = [Some(&suspect.key), other].into_iter().flatten();
                let mut keys =
                    keys.map(|key| (self.inquiry.holds)(key, content(), &suspect.signature));
                keys.any(|holds| holds).then(|| Some(text.clone()))
            }
            Test::Own(cost, mine) => {
                if !self.budget.take(*cost) {
                    return None;
                }
                self.tried += 1;
                mine().then_some(None)
            }
        }
    }
}

/// What tells one test from another.
fn mark(text: &[u8], hashing: &Hashing) -> Vec<u8> {
    match hashing {
        Hashing::Sha256(digest) | Hashing::Own(digest) => [b"digest", &digest.0[..]].concat(),
        Hashing::Message => [b"message", text].concat(),
        Hashing::Mac(derivation) => format!("mac{derivation:?}")
            .into_bytes()
            .into_iter()
            .chain(text.iter().copied())
            .collect(),
        Hashing::Hash(hash, at) => [hash.name().as_bytes(), &at.to_be_bytes(), text].concat(),
    }
}

/// What is said where nothing says more.
pub(super) fn unexplained(flaw: String) -> Cause {
    Cause::seen(&causes::form::UNEXPLAINED).said(flaw).inferred()
}
