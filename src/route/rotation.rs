//! Key rotation: a route's next key takes over at a time, or by a share of the requests that ends by
//! itself where the provider rejects the new key and not the old one.
//!
//! Nobody is told by a provider which key it minds, so the answers to the two are compared. A request
//! is never repeated with the other key: the provider may have acted on it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tracing::warn;

use crate::config::Turns;
use crate::moment::unix_ms;

/// What the two halves of a rotating route share.
#[derive(Debug)]
pub struct Rotation {
    route: Arc<str>,
    turns: Turns,
    state: Mutex<State>,
    /// 1 once the old key signs alone again.
    fallen_back: Gauge,
}

#[derive(Debug, Default)]
struct State {
    /// How much of the next request is the new key's, in parts of [`ALL`].
    due: u32,
    own: Answers,
    next: Answers,
    fallen_back: bool,
}

/// A key's answers since they were last compared.
#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    accepted: u32,
    rejected: u32,
}

impl Answers {
    fn all(self) -> u32 {
        self.accepted + self.rejected
    }
}

/// Which of a rotating route's two keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The old one.
    Own,
    /// The one that takes over.
    Next,
}

/// All requests, where a share is in parts of it.
const ALL: u32 = 10_000;

/// So many rejections are looked into, and the answers of so many requests are compared at most.
const SUSPICIOUS: u32 = 5;
const COMPARED: u32 = 20;

impl Rotation {
    /// A rotation that begins. `fallen_back` is set while the old key signs alone again.
    pub fn new(route: Arc<str>, turns: Turns, fallen_back: Gauge) -> Self {
        fallen_back.set(0);
        Self { route, turns, state: Mutex::default(), fallen_back }
    }

    /// Whose the next request is, at a time in milliseconds since 1970.
    fn pick(&self, now: u64) -> Side {
        if now < self.turns.from {
            return Side::Own;
        }
        let mut state = self.state();
        if state.fallen_back {
            return Side::Own;
        }
        if now >= self.turns.until {
            return Side::Next;
        }
        // Rejected, and nobody knows yet whether the old key would be.
        if state.next.rejected >= SUSPICIOUS && state.own.all() == 0 {
            return Side::Own;
        }
        state.due += self.turns.share;
        if state.due < ALL {
            return Side::Own;
        }
        state.due -= ALL;
        Side::Next
    }

    /// Whether a key may sign at a time.
    fn signs(&self, side: Side, now: u64) -> bool {
        let fallen_back = self.state().fallen_back;
        match side {
            Side::Own => now < self.turns.until || fallen_back,
            Side::Next => now >= self.turns.from && !fallen_back,
        }
    }

    /// Takes note of an answer; says whether the new key is given up because of it.
    fn answered(&self, side: Side, rejected: bool, now: u64) -> bool {
        let mut state = self.state();
        if state.fallen_back || !(self.turns.from..self.turns.until).contains(&now) {
            return false;
        }
        let answers = if side == Side::Own { &mut state.own } else { &mut state.next };
        *(if rejected { &mut answers.rejected } else { &mut answers.accepted }) += 1;
        let (own, next) = (state.own, state.next);
        // More than twice as often as the old one.
        let worse = u64::from(next.rejected) * u64::from(own.all())
            > 2 * u64::from(own.rejected) * u64::from(next.all());
        if next.rejected >= SUSPICIOUS && own.accepted > 0 && worse {
            state.fallen_back = true;
            self.fallen_back.set(1);
            return true;
        }
        let both = next.rejected >= SUSPICIOUS && own.all() > 0;
        // Without an answer to the old key there is nothing to compare.
        if both || (next.all() >= COMPARED && next.rejected < SUSPICIOUS) {
            (state.own, state.next) = Default::default();
        }
        false
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the two halves of a rotating route.
pub struct Turn {
    rotation: Arc<Rotation>,
    side: Side,
    /// The fingerprint of the key that is the new one's or the old one's.
    key: Arc<str>,
    accepted: Counter,
    rejected: Counter,
}

impl Turn {
    /// A half, with the fingerprint of its key and what counts its answers.
    pub fn new(
        rotation: &Arc<Rotation>,
        side: Side,
        key: Arc<str>,
        [accepted, rejected]: [Counter; 2],
    ) -> Self {
        Self { rotation: Arc::clone(rotation), side, key, accepted, rejected }
    }

    /// The fingerprint of its key.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// Whether the next request is the new key's.
    pub(super) fn is_over(&self) -> bool {
        self.rotation.pick(unix_ms()) == Side::Next
    }

    /// Whether its key may sign at a time, in milliseconds since 1970.
    pub(super) fn signs(&self, unix_ms: u64) -> bool {
        self.rotation.signs(self.side, unix_ms)
    }

    /// Takes note of the provider's answer to a request that its key signed.
    pub fn answered(&self, rejected: bool) {
        (if rejected { &self.rejected } else { &self.accepted }).inc();
        if self.rotation.answered(self.side, rejected, unix_ms()) {
            let route = &*self.rotation.route;
            warn!(
                route,
                "the provider rejects the next key and not the old one, which signs alone again \
                 until a reload: correct [routes.{route}.next], or the key at the provider"
            );
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turn({:?} {})", self.side, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(from: u64, until: u64, share: u32) -> Rotation {
        Rotation::new("r".into(), Turns { from, until, share }, Gauge::default())
    }

    #[test]
    fn the_new_key_signs_its_share_between_two_times_and_all_afterwards() {
        let rotation = rotation(10, 20, 500);
        let signed = |now| (0..1_000).filter(|_| rotation.pick(now) == Side::Next).count();
        assert_eq!([signed(9), signed(10), signed(19), signed(20)], [0, 50, 50, 1_000]);
        let signs = |now| [rotation.signs(Side::Own, now), rotation.signs(Side::Next, now)];
        assert_eq!([signs(9), signs(10), signs(20)], [[true, false], [true, true], [false, true]]);
    }

    /// Plays requests until the new key is given up; says how many it signed by then.
    fn played(share: u32, own_rejects: u32, next_rejects: u32) -> Option<u32> {
        let rotation = rotation(0, u64::MAX, share);
        let mut signed = [0, 0];
        for _ in 0..20_000 {
            let side = rotation.pick(1);
            let (at, of_ten) = if side == Side::Own { (0, own_rejects) } else { (1, next_rejects) };
            signed[at] += 1;
            if rotation.answered(side, signed[at] % 10 < of_ten, 1) {
                assert_eq!(rotation.pick(u64::MAX), Side::Own);
                return Some(signed[1]);
            }
        }
        None
    }

    #[test]
    fn a_key_is_given_up_where_it_is_rejected_and_the_old_one_is_not() {
        for (share, own, next, given_up) in [
            // In tenths: every signature, most of them, half.
            (500, 0, 10, Some(5)),
            (9_900, 0, 10, Some(5)),
            (500, 1, 8, Some(5)),
            (500, 0, 5, Some(10)),
            // Nor is it worse than the old one, or seldom rejected.
            (500, 0, 0, None),
            (500, 10, 10, None),
            (9_900, 10, 10, None),
            (500, 0, 2, None),
            (500, 3, 4, None),
        ] {
            let found = played(share, own, next);
            assert_eq!(found, given_up, "share {share}, rejected {own} and {next} of ten");
        }
    }
}
