//! Time stamps and nonces against replay: what a request does not determine itself.
//!
//! A provider such as MetaSV takes a ten-digit nonce once in ten minutes. Ten random digits
//! collide (at 100 requests a second about one ten-minute span in six sees a clash), so a nonce
//! is not drawn but *placed*: the millisecond within a window picks a slot, a counter picks the
//! place in the slot, and a keyed permutation of all ten-digit numbers hides the order. Nothing
//! repeats inside the window, also across a restart, with nothing stored and nothing to search.
//!
//! The one gap: a clock that is set back *and* a restart after it. Nothing short of a file could
//! close it, and a clock that runs backwards by minutes breaks the time stamps first.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

/// How many nonces there are: ten decimal digits.
pub const NONCES: u64 = 10_000_000_000;

/// Nothing repeats within this many milliseconds. Longer than the ten minutes a provider
/// remembers, so that clocks and networks may be some minutes late.
pub const WINDOW_MS: u64 = 1_000_000;

/// How many nonces one millisecond has.
const SLOT: u64 = NONCES / WINDOW_MS;

/// Everything about a signed request that the request itself does not determine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// Milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// The source of this request's nonce.
    pub nonce: Nonce,
}

/// Where a request's nonce comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Nonce {
    /// The nonce itself: read from a signed request, or given on the command line.
    Given(u64),
    /// A place below [`NONCES`] that a key's [`Permutation`] turns into a nonce.
    Placed(u64),
}

impl Nonce {
    /// The nonce, below [`NONCES`], for the key that `permutation` belongs to.
    pub fn under(self, permutation: &Permutation) -> u64 {
        match self {
            Self::Given(nonce) => nonce,
            Self::Placed(place) => permutation.apply(place),
        }
    }
}

/// The only source of time on a request's way. One for the process, across reloads: a second
/// one would place its nonces in the same slots.
#[derive(Debug)]
pub struct Moments(Placer);

impl Moments {
    /// Starts placing after the present millisecond, which a predecessor may have used.
    pub fn new(replica: Replica) -> Self {
        Self(Placer::starting(unix_ms(), replica))
    }

    /// The moment of one request. Taken when its body is in hand, for a slow upload must not
    /// age the time stamp.
    pub fn next(&self) -> Moment {
        let unix_ms = unix_ms();
        Moment { unix_ms, nonce: Nonce::Placed(self.0.place(unix_ms)) }
    }
}

/// This process's share of every millisecond's nonces, written `"2/4"`: the second of four
/// proxies that sign with the same key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Replica {
    index: u64,
    count: u64,
}

impl Replica {
    /// The whole slot: one proxy alone.
    pub const ALONE: Self = Self { index: 0, count: 1 };

    /// The first place of this replica's share of a slot, and the first after it.
    fn share(self) -> (u64, u64) {
        (self.index * SLOT / self.count, (self.index + 1) * SLOT / self.count)
    }
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

impl FromStr for Replica {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("\"{text}\" is not a replica, such as \"2/4\" (1 to 100 in all)");
        let (index, count) = text.split_once('/').ok_or_else(expected)?;
        let index: u64 = index.parse().map_err(|_| expected())?;
        let count: u64 = count.parse().map_err(|_| expected())?;
        if index == 0 || index > count || count > 100 {
            return Err(expected());
        }
        Ok(Self { index: index - 1, count })
    }
}

/// Hands out places, each once in a window.
///
/// The state is one word, `millisecond * SLOT_SPAN + place in the slot`, moved forward by
/// compare-and-swap. It never moves back, so a clock that does reuses no slot; a slot that is
/// full goes on in the next millisecond.
#[derive(Debug)]
struct Placer {
    last: AtomicU64,
    first: u64,
    end: u64,
}

/// More than a slot has places, so that millisecond and place share one word.
const SLOT_SPAN: u64 = 1 << 16;

impl Placer {
    fn starting(now_ms: u64, replica: Replica) -> Self {
        let (first, end) = replica.share();
        // As if the present slot were used up: a predecessor may have.
        Self { last: AtomicU64::new(now_ms * SLOT_SPAN + end - 1), first, end }
    }

    fn place(&self, now_ms: u64) -> u64 {
        let advance = |last: u64| Some(self.after(last, now_ms));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, advance);
        let last = last.expect("advance always gives a value");
        let current = self.after(last, now_ms);
        (current / SLOT_SPAN % WINDOW_MS) * SLOT + current % SLOT_SPAN
    }

    fn after(&self, last: u64, now_ms: u64) -> u64 {
        let (slot, place) = (last / SLOT_SPAN, last % SLOT_SPAN);
        if now_ms > slot {
            now_ms * SLOT_SPAN + self.first
        } else if place + 1 < self.end {
            last + 1
        } else {
            (slot + 1) * SLOT_SPAN + self.first
        }
    }
}

/// A keyed permutation of `0..NONCES`: a Feistel network on two halves of five decimal digits,
/// which needs no rejection. It hides order, it is not encryption.
#[derive(Clone, Debug)]
pub struct Permutation {
    rounds: [Sha256; 4],
}

impl Permutation {
    /// The permutation that belongs to `seed`, for instance a public key: all replicas of a key
    /// permute alike, different keys do not.
    pub fn new(seed: &[u8]) -> Self {
        let round = |number: u8| Sha256::new().chain_update([number]).chain_update(seed);
        Self { rounds: [round(0), round(1), round(2), round(3)] }
    }

    /// Where `place` goes; both are below [`NONCES`].
    pub fn apply(&self, place: u64) -> u64 {
        const HALF: u64 = 100_000;
        let (mut left, mut right) = (place / HALF % HALF, place % HALF);
        for round in &self.rounds {
            let mixed = round.clone().chain_update(right.to_be_bytes()).finalize();
            let mixed = mixed.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            (left, right) = (right, (left + mixed % HALF) % HALF);
        }
        left * HALF + right
    }
}

/// Milliseconds since the Unix epoch, by the system's clock.
pub fn unix_ms() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}

/// The time since the Unix epoch, by the system's clock.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the clock")]
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// Runs a placer over a scripted clock and returns the places with the slot's millisecond.
    fn places(placer: &Placer, clock: &[u64]) -> Vec<u64> {
        clock.iter().map(|now| placer.place(*now)).collect()
    }

    proptest! {
        #[test]
        fn no_place_repeats_in_a_window_whatever_the_clock_does(
            start in 0_u64..1 << 40,
            steps in prop::collection::vec(-50_i64..500, 1..2_000),
        ) {
            let placer = Placer::starting(start, Replica::ALONE);
            let mut now = i64::try_from(start).expect("below 2^40");
            let clock: Vec<u64> = steps.iter().map(|step| {
                now = (now + step).max(0);
                u64::try_from(now).expect("not negative")
            }).collect();
            // 2 000 steps of at most half a second span at most one window.
            let seen: HashSet<u64> = places(&placer, &clock).into_iter().collect();
            prop_assert_eq!(seen.len(), clock.len());
            prop_assert!(seen.iter().all(|place| *place < NONCES));
        }

        #[test]
        fn no_place_repeats_across_a_restart(start in 0_u64..1 << 40, burst in 1_usize..3_000) {
            let clock = vec![start + 1; burst];
            let mut seen: HashSet<u64> =
                places(&Placer::starting(start, Replica::ALONE), &clock).into_iter().collect();
            let restarted = Placer::starting(start + 1, Replica::ALONE);
            seen.extend(places(&restarted, &clock));
            prop_assert_eq!(seen.len(), 2 * burst);
        }

        #[test]
        fn no_place_repeats_across_replicas(start in 0_u64..1 << 40, count in 1_u64..=100) {
            let clock = vec![start + 1; 50];
            let mut seen = HashSet::new();
            for index in 1..=count {
                let replica: Replica = format!("{index}/{count}").parse().expect("a replica");
                seen.extend(places(&Placer::starting(start, replica), &clock));
            }
            prop_assert_eq!(seen.len(), 50 * usize::try_from(count).expect("small"));
        }

        #[test]
        fn the_permutation_is_one_to_one(
            seed in prop::collection::vec(any::<u8>(), 0..40),
            places in prop::collection::hash_set(0..NONCES, 2..300),
        ) {
            let permutation = Permutation::new(&seed);
            let images: HashSet<u64> = places.iter().map(|p| permutation.apply(*p)).collect();
            prop_assert_eq!(images.len(), places.len());
            prop_assert!(images.iter().all(|nonce| *nonce < NONCES));
        }
    }

    #[test]
    fn a_full_slot_goes_on_in_the_next_millisecond() {
        let placer = Placer::starting(5, Replica::ALONE);
        let count = usize::try_from(SLOT).expect("small") + 10;
        let seen: HashSet<u64> = places(&placer, &vec![6; count]).into_iter().collect();
        assert_eq!(seen.len(), count);
        // The clock reaches the borrowed millisecond: still nothing twice.
        assert!(!seen.contains(&placer.place(7)));
    }

    #[test]
    fn threads_never_get_the_same_place() {
        let moments = Moments::new(Replica::ALONE);
        let mut all = HashSet::new();
        std::thread::scope(|scope| {
            let draw = || (0..20_000).map(|_| moments.next().nonce).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(draw)).collect();
            for thread in threads {
                for nonce in thread.join().expect("no panic") {
                    assert!(matches!(nonce, Nonce::Placed(p) if all.insert(p)), "{nonce:?}");
                }
            }
        });
        assert_eq!(all.len(), 80_000);
    }

    #[test]
    fn neighbours_do_not_look_like_neighbours_and_keys_differ() {
        let a = Permutation::new(b"a");
        let b = Permutation::new(b"b");
        assert_ne!(a.apply(7), b.apply(7));
        assert_ne!(a.apply(7) + 1, a.apply(8));
        assert_eq!(Nonce::Given(42).under(&a), 42);
        assert_eq!(Nonce::Placed(7).under(&a), a.apply(7));
    }

    #[test]
    fn replicas_are_written_index_of_count() {
        assert_eq!("1/1".parse(), Ok(Replica::ALONE));
        for bad in ["", "0/4", "5/4", "1", "1/101", "a/b"] {
            assert!(bad.parse::<Replica>().is_err(), "{bad}");
        }
    }
}
