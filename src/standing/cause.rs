//! The first likely cause of a rejection, of a request whose signature is our own: what can be wrong
//! is the time, the key, the address, a setting, or what stands between.

use super::Offset;
use crate::scheme::Blame;

/// What the provider answered.
#[derive(Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// What its code means, where that is known.
    pub blame: Option<Blame>,
    /// How many were rejected since one was accepted, this one counted.
    pub in_a_row: u64,
}

/// What is known of the route's key.
#[derive(Debug)]
pub struct Facts<'a> {
    /// How far the provider's clock is before this machine's.
    pub offset: Option<Offset>,
    /// Milliseconds from which on that counts.
    pub limit_ms: u64,
    /// The fingerprint.
    pub key: Option<&'a str>,
    /// How many of its requests were accepted.
    pub accepted: u64,
    /// The key before it, and whether that one's requests were accepted.
    pub before: Option<(&'a str, bool)>,
    /// What stands between here and the provider.
    pub between: Option<&'a str>,
    /// The parameters that have alternatives.
    pub params: &'a str,
}

/// The first likely cause.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cause {
    /// What it lies in.
    pub blame: Blame,
    /// Whether the provider itself says so; else it is inferred.
    pub said: bool,
    /// What is so, for people.
    pub what: String,
    /// What to do.
    pub fix: String,
}

impl Cause {
    /// The first likely cause of a rejection.
    pub fn of(answered: &Answered, facts: &Facts<'_>) -> Self {
        let far = facts.offset.filter(|offset| offset.is_beyond(facts.limit_ms));
        match (answered.blame, far) {
            // A time that is off makes some providers say that the signature is wrong.
            (Some(Blame::Clock), _) | (Some(Blame::Signature) | None, Some(_)) => {
                clock(answered.blame.is_some_and(|blame| blame == Blame::Clock), facts.offset)
            }
            (Some(blame @ (Blame::Address | Blame::Permission | Blame::Nonce)), _) => {
                Self::said(blame, "")
            }
            (Some(Blame::Key), _) => Self::said(Blame::Key, &replaced(facts).unwrap_or_default()),
            (Some(Blame::Signature) | None, None) => inferred(answered, facts),
        }
    }

    fn said(blame: Blame, more: &str) -> Self {
        let more = if more.is_empty() { String::new() } else { format!(": {more}") };
        let what = format!("{}{more}", blame.says());
        Self { blame, said: true, what, fix: blame.fix().into() }
    }

    fn inferred(blame: Blame, what: String, fix: impl Into<String>) -> Self {
        Self { blame, said: false, what, fix: fix.into() }
    }
}

fn clock(said: bool, offset: Option<Offset>) -> Cause {
    let (blame, fix) = (Blame::Clock, Blame::Clock.fix().to_owned());
    let what = match offset {
        Some(Offset { ms, within }) => {
            let side = if ms < 0 { "ahead of" } else { "behind" };
            let off = ms.unsigned_abs();
            format!("this machine's clock is {off} ms {side} the provider's (± {within} ms)")
        }
        None => format!("{}; its answers have no Date", blame.says()),
    };
    Cause { blame, said, what, fix }
}

/// The provider says nothing, or that the signature is wrong; and the time is right.
fn inferred(answered: &Answered, facts: &Facts<'_>) -> Cause {
    let key = facts.key.unwrap_or("(none)");
    if facts.accepted == 0 {
        let what = replaced(facts).unwrap_or_else(|| {
            format!("no request with the key {key} was accepted by this provider so far")
        });
        return Cause::inferred(Blame::Key, what, Blame::Key.fix());
    }
    let accepted = format!("{} requests with the key {key} were accepted", facts.accepted);
    if answered.status == 403 && answered.blame.is_none() {
        let what = format!("{accepted}, so that a 403 speaks of the address or of a right");
        return Cause::inferred(Blame::Address, what, Blame::Address.fix());
    }
    let settings = match facts.params {
        "" => String::new(),
        params => format!(", or try another of the settings {params}"),
    };
    let (between, fix) = match facts.between {
        Some(between) => (
            format!("; {between} stands between here and the provider and may have changed it"),
            format!("compare what arrives behind it with countersign explain{settings}"),
        ),
        None => (String::new(), format!("{}{settings}", Blame::Signature.fix())),
    };
    let row = answered.in_a_row;
    let what = format!("{accepted}, the clock is right, and {row} in a row were not{between}");
    Cause::inferred(Blame::Signature, what, fix)
}

fn replaced(facts: &Facts<'_>) -> Option<String> {
    let (before, accepted) = facts.before?;
    let key = facts.key.filter(|_| accepted && facts.accepted == 0)?;
    Some(format!("no request with the key {key} was accepted, those with {before} before it were"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_likely_cause_follows_from_what_is_known() {
        let calm = Facts {
            offset: Some(Offset { ms: 40, within: 20 }),
            limit_ms: 2_500,
            key: Some("K2"),
            accepted: 9,
            before: None,
            between: None,
            params: "remove=space",
        };
        let late = Facts { offset: Some(Offset { ms: 90_000, within: 20 }), ..calm };
        let new = Facts { accepted: 0, before: Some(("K1", true)), ..calm };
        let fresh = Facts { accepted: 0, ..calm };
        let relayed = Facts { between: Some("upstream corp"), ..calm };
        // Status, the provider's blame, the facts → the cause, whether it was said, and words.
        type Case<'a> = (u16, Option<Blame>, &'a Facts<'a>, Blame, bool, &'a str);
        let table: &[Case<'_>] = &[
            (401, None, &late, Blame::Clock, false, "90000 ms behind the provider's (± 20 ms)"),
            (401, Some(Blame::Signature), &late, Blame::Clock, false, "90000 ms behind"),
            (400, Some(Blame::Clock), &calm, Blame::Clock, true, "40 ms behind"),
            (401, Some(Blame::Key), &late, Blame::Key, true, "does not know the key"),
            (401, Some(Blame::Key), &new, Blame::Key, true, "those with K1 before it were"),
            (401, None, &new, Blame::Key, false, "no request with the key K2 was accepted, those"),
            (401, None, &fresh, Blame::Key, false, "no request with the key K2 was accepted by"),
            (403, None, &calm, Blame::Address, false, "a 403 speaks of the address"),
            (403, Some(Blame::Address), &calm, Blame::Address, true, "not on the key's list"),
            (401, None, &calm, Blame::Signature, false, "9 requests with the key K2 were accepted"),
            (401, None, &relayed, Blame::Signature, false, "upstream corp stands between"),
            (403, Some(Blame::Signature), &calm, Blame::Signature, false, "2 in a row were not"),
        ];
        for (status, blame, facts, wanted, said, words) in table {
            let answered = Answered { status: *status, blame: *blame, in_a_row: 2 };
            let found = Cause::of(&answered, facts);
            assert_eq!((found.blame, found.said), (*wanted, *said), "{status} {blame:?}");
            assert!(found.what.contains(words), "{words} in {}", found.what);
        }
    }
}
