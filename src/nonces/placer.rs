//! Places for nonces that a provider takes once: each is given once in a window, whatever the clock
//! does.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many nonces there are: ten decimal digits.
pub const NONCES: u64 = 10_000_000_000;

/// Nothing repeats within this many milliseconds. Longer than the ten minutes a provider
/// remembers, so that clocks and networks may be some minutes late.
pub const WINDOW_MS: u64 = 1_000_000;

/// How many nonces one millisecond has.
const SLOT: u64 = NONCES / WINDOW_MS;

/// How many processes of a machine have a part of a share each, by which they never meet.
pub(super) const LANES: u64 = 16;
/// Into how many parts a share is divided: what lanes leave is for those that have none.
const PARTS: u64 = 20;

/// How many processes have a lane each, where lanes are leased.
pub(super) const LEASED: u64 = 100;

/// The part of a slot that a leased lane is.
pub(super) fn leased(lane: u64) -> Share {
    (lane * SLOT / LEASED, (lane + 1) * SLOT / LEASED)
}

/// What a source gives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drawn {
    /// A place below [`NONCES`].
    Place(u64),
    /// A number.
    Number(u64),
}

/// This process's share of every millisecond's nonces, written `"2/4"`: the second of four
/// proxies that sign with the same key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Replica {
    index: u64,
    count: u64,
}

impl Default for Replica {
    fn default() -> Self {
        Self::ALONE
    }
}

/// Places in a millisecond: the first, and the first after them.
pub(super) type Share = (u64, u64);

impl Replica {
    /// The whole slot: one proxy alone.
    pub const ALONE: Self = Self { index: 0, count: 1 };

    /// This replica's share of a slot.
    pub(super) fn share(self) -> Share {
        (self.index * SLOT / self.count, (self.index + 1) * SLOT / self.count)
    }

    /// The part of the share that a lane has.
    pub(super) fn lane(self, lane: u64) -> Share {
        self.parts(lane, lane + 1)
    }

    /// The part of the share for a process that has no lane: it begins where `random` says, as others
    /// may have the same part.
    pub(super) fn anywhere(self, random: u64) -> Share {
        let (first, end) = self.parts(LANES, PARTS);
        (first + random % (end - first).div_ceil(2), end)
    }

    fn parts(self, from: u64, to: u64) -> Share {
        let (first, end) = self.share();
        let border = |part| first + (end - first) * part / PARTS;
        (border(from), border(to))
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
pub(super) struct Placer {
    last: AtomicU64,
    first: u64,
    end: u64,
}

/// More than a slot has places, so that millisecond and place share one word.
const SLOT_SPAN: u64 = 1 << 16;

impl Placer {
    /// Begins after a millisecond, as if it were used up: a predecessor may have.
    pub(super) fn after_ms(unix_ms: u64, (first, end): Share) -> Self {
        Self { last: AtomicU64::new(unix_ms * SLOT_SPAN + end - 1), first, end }
    }

    /// A place below [`NONCES`], and the millisecond it is taken from.
    pub(super) fn place(&self, now_ms: u64) -> (u64, u64) {
        let advance = |last: u64| Some(self.after(last, now_ms));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, advance);
        let last = last.expect("advance always gives a value");
        let current = self.after(last, now_ms);
        let slot = current / SLOT_SPAN;
        ((slot % WINDOW_MS) * SLOT + current % SLOT_SPAN, slot)
    }

    /// The millisecond of the last place.
    pub(super) fn last_ms(&self) -> u64 {
        self.last.load(Ordering::Relaxed) / SLOT_SPAN
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn alone(start: u64) -> Placer {
        Placer::after_ms(start, Replica::ALONE.share())
    }

    /// Runs a placer over a scripted clock and returns the places.
    fn places(placer: &Placer, clock: &[u64]) -> Vec<u64> {
        clock.iter().map(|now| placer.place(*now).0).collect()
    }

    proptest! {
        #[test]
        fn no_place_repeats_in_a_window_whatever_the_clock_does(
            start in 0_u64..1 << 40,
            steps in prop::collection::vec(-50_i64..500, 1..2_000),
        ) {
            let placer = alone(start);
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
            let mut seen: HashSet<u64> = places(&alone(start), &clock).into_iter().collect();
            seen.extend(places(&alone(start + 1), &clock));
            prop_assert_eq!(seen.len(), 2 * burst);
        }

        #[test]
        fn no_place_repeats_across_replicas_and_their_lanes(
            start in 0_u64..1 << 40,
            count in 1_u64..=100,
            random: u64,
        ) {
            let mut seen = HashSet::new();
            let mut drawn = 0;
            for index in 1..=count {
                let replica: Replica = format!("{index}/{count}").parse().expect("a replica");
                let lanes = (0..LANES).map(|lane| replica.lane(lane));
                for share in lanes.chain([replica.anywhere(random)]) {
                    prop_assert!(share.0 < share.1, "a part has no place");
                    let clock = vec![start + 1; usize::try_from(share.1 - share.0).expect("small")];
                    drawn += clock.len();
                    seen.extend(places(&Placer::after_ms(start, share), &clock));
                }
            }
            prop_assert_eq!(seen.len(), drawn);
        }
    }

    #[test]
    fn a_full_slot_goes_on_in_the_next_millisecond() {
        let placer = alone(5);
        let count = usize::try_from(SLOT).expect("small") + 10;
        let seen: HashSet<u64> = places(&placer, &vec![6; count]).into_iter().collect();
        assert_eq!(seen.len(), count);
        // The clock reaches the borrowed millisecond: still nothing twice.
        assert!(!seen.contains(&placer.place(7).0));
    }

    #[test]
    fn replicas_are_written_index_of_count() {
        assert_eq!("1/1".parse(), Ok(Replica::ALONE));
        for bad in ["", "0/4", "5/4", "1", "1/101", "a/b"] {
            assert!(bad.parse::<Replica>().is_err(), "{bad}");
        }
    }
}
