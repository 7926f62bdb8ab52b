//! Who may use which key, for what, and how often.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::signer::{Grant, Peer};
use crate::keys::Algorithm;

/// Who asks, as the system or a certificate says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Caller {
    /// The user of the process at the other end of a Unix socket.
    User(u32),
    /// The DNS names of a certificate.
    Certificate(Vec<String>),
}

impl Caller {
    fn is(&self, peer: &Peer) -> bool {
        match (self, peer) {
            (Self::User(own), Peer::User(uid)) => own == uid,
            (Self::Certificate(names), Peer::Certificate(name)) => names.contains(name),
            (Self::User(_), Peer::Certificate(_)) | (Self::Certificate(_), Peer::User(_)) => false,
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(uid) => write!(f, "uid {uid}"),
            Self::Certificate(names) => write!(f, "certificate {}", names.join(", ")),
        }
    }
}

/// What a request wants to do with a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use<'a> {
    pub(super) key: &'a str,
    pub(super) algorithm: Algorithm,
    /// The route that is named.
    pub(super) route: Option<&'a str>,
    /// Whether what is to be signed is the algorithm's self-test, which no route's request is.
    pub(super) probe: bool,
}

/// Why a request may not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Denied {
    /// The caller has no grant of the key: whether there is such a key is nothing to it.
    NoKey,
    /// Its grants are for other algorithms.
    Algorithm,
    /// Its grants are for other routes.
    Route,
    /// It has done so too often within a second.
    Rate,
}

/// Every grant, with what was used of it.
#[derive(Debug)]
pub(super) struct Grants(Vec<(Grant, BTreeMap<String, Rate>)>);

impl Grants {
    pub(super) fn new<'g>(grants: impl IntoIterator<Item = &'g Grant>) -> Self {
        let live = grants.into_iter().map(|grant| {
            let rates = grant
                .rate
                .iter()
                .flat_map(|rate| grant.keys.iter().map(|key| (key.clone(), Rate::new(*rate))));
            (grant.clone(), rates.collect())
        });
        Self(live.collect())
    }

    /// Whether a caller may do anything with a key.
    pub(super) fn know(&self, caller: &Caller, key: &str) -> bool {
        self.of(caller, key).next().is_some()
    }

    /// Takes one use of a grant that allows it.
    ///
    /// # Errors
    ///
    /// What is nearest to being allowed says why not.
    pub(super) fn take(&self, caller: &Caller, wanted: Use<'_>) -> Result<(), Denied> {
        let mut denied = Denied::NoKey;
        for (grant, rates) in self.of(caller, wanted.key) {
            let algorithm = |list: &Vec<_>| list.contains(&wanted.algorithm);
            if !grant.algorithms.as_ref().is_none_or(algorithm) {
                denied = at_least(denied, Denied::Algorithm);
                continue;
            }
            let named = |list: &Vec<String>| list.iter().any(|own| wanted.route == Some(own));
            if !wanted.probe && !grant.routes.as_ref().is_none_or(named) {
                denied = at_least(denied, Denied::Route);
                continue;
            }
            if rates.get(wanted.key).is_none_or(|rate| rate.take(Instant::now())) {
                return Ok(());
            }
            denied = Denied::Rate;
        }
        Err(denied)
    }

    fn of<'a>(
        &'a self,
        caller: &'a Caller,
        key: &'a str,
    ) -> impl Iterator<Item = &'a (Grant, BTreeMap<String, Rate>)> {
        let names = move |grant: &Grant| grant.keys.iter().any(|own| own == key);
        self.0.iter().filter(move |(grant, _)| caller.is(&grant.peer) && names(grant))
    }
}

/// The later of two reasons, in the order in which they are looked for.
fn at_least(before: Denied, now: Denied) -> Denied {
    if before == Denied::NoKey || now == Denied::Route { now } else { before }
}

/// So many a second, and as many at once (the generic cell rate algorithm of ATM).
#[derive(Debug)]
struct Rate {
    interval: Duration,
    /// When the next would be, if they came evenly.
    next: Mutex<Option<Instant>>,
}

impl Rate {
    fn new(rate: u32) -> Self {
        Self { interval: Duration::from_secs(1) / rate, next: Mutex::default() }
    }

    fn take(&self, now: Instant) -> bool {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.map_or(now, |next| next.max(now));
        if due + self.interval > now + Duration::from_secs(1) {
            return false;
        }
        *next = Some(due + self.interval);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(routes: Option<&[&str]>, algorithms: Option<Vec<Algorithm>>) -> Grant {
        let routes = routes.map(|list| list.iter().map(|route| (*route).to_owned()).collect());
        Grant { peer: Peer::User(7), keys: vec!["k".into()], algorithms, routes, rate: None }
    }

    #[test]
    fn a_use_needs_one_grant_that_gives_all_of_it() {
        let (es, ed) = (Algorithm::ECDSA_P256, Algorithm::ED25519);
        let grants = [grant(Some(&["a"]), None), grant(None, Some(vec![ed]))];
        let grants = Grants::new(&grants);
        let wanted = |key, algorithm, route, probe| Use { key, algorithm, route, probe };
        for (uid, wanted, expected) in [
            (7, wanted("k", es, Some("a"), false), Ok(())),
            (7, wanted("k", ed, Some("b"), false), Ok(())),
            (7, wanted("k", es, Some("b"), false), Err(Denied::Route)),
            (7, wanted("k", es, None, false), Err(Denied::Route)),
            (7, wanted("k", es, None, true), Ok(())),
            (7, wanted("x", es, Some("a"), false), Err(Denied::NoKey)),
            (8, wanted("k", es, Some("a"), true), Err(Denied::NoKey)),
        ] {
            assert_eq!(grants.take(&Caller::User(uid), wanted), expected, "{uid} {wanted:?}");
        }
        let only = Grants::new(&[grant(None, Some(vec![ed]))]);
        let denied = only.take(&Caller::User(7), wanted("k", es, None, true));
        assert_eq!(denied, Err(Denied::Algorithm));
    }

    #[test]
    fn a_rate_is_a_burst_and_then_even() {
        let (rate, start) = (Rate::new(10), Instant::now());
        let taken = |at: u64| {
            let now = start + Duration::from_millis(at);
            (0..100).filter(|_| rate.take(now)).count()
        };
        assert_eq!((taken(0), taken(99), taken(100), taken(300)), (10, 0, 1, 2));
        assert_eq!(taken(10_000), 10, "what was not used is not saved");
    }
}
