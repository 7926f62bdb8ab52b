//! Numbers that increase, of a lane that is leased: of so many numbers in a row each lane has one, so that
//! replicas never meet and no request asks another machine.

use std::sync::atomic::{AtomicU64, Ordering};

use super::counter::Unit;

/// How many processes have a lane each.
pub(super) const STRIDE: u64 = 16;

/// Hands out the numbers that leave the lane when divided by the number of lanes, each larger than the last.
///
/// The state is the last nanosecond that a number stood for: a lane goes on behind it in any unit.
#[derive(Debug)]
pub(super) struct Numbers {
    last_ns: AtomicU64,
    lane: u64,
    lanes: u64,
}

/// How many nanoseconds a millisecond has.
const MS: u64 = 1_000_000;

impl Numbers {
    /// Begins behind a millisecond.
    pub(super) fn after_ms(unix_ms: u64, lane: u64, lanes: u64) -> Self {
        let last_ns = unix_ms.saturating_add(1).saturating_mul(MS).saturating_sub(1);
        Self { last_ns: AtomicU64::new(last_ns), lane, lanes }
    }

    /// The same, and behind all numbers of another lane that was had before.
    pub(super) fn and_after(self, before: &Self) -> Self {
        self.last_ns.fetch_max(before.last_ns.load(Ordering::Relaxed), Ordering::Relaxed);
        self
    }

    /// The next number, and the last millisecond that it stands for; none where that is not allowed, and then
    /// none is used up: who is refused often shall not run ahead of the clock.
    pub(super) fn next(
        &self,
        unit: Unit,
        now_ms: u64,
        allow: impl Fn(u64) -> bool,
    ) -> Option<(u64, u64)> {
        let after = |last_ns| self.after(last_ns, unit, now_ms);
        let advance = |last_ns| after(last_ns).map(|(_, end)| end).filter(|end| allow(end / MS));
        let last_ns = self.last_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, advance);
        after(last_ns.ok()?).map(|(number, end)| (number, end / MS))
    }

    /// The last millisecond that the numbers reach.
    pub(super) fn last_ms(&self) -> u64 {
        self.last_ns.load(Ordering::Relaxed) / MS
    }

    /// The number after those that end here, and its own last nanosecond; none where numbers end.
    fn after(&self, last_ns: u64, unit: Unit, now_ms: u64) -> Option<(u64, u64)> {
        let each = unit.ns();
        let least = unit.at(now_ms).max(last_ns / each + 1);
        let number =
            least.checked_add((self.lane + self.lanes - least % self.lanes) % self.lanes)?;
        Some((number, number.checked_add(1)?.checked_mul(each)? - 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const UNITS: [Unit; 4] = [
        Unit { per_ms: 1, ms: 1000 },
        Unit { per_ms: 1, ms: 1 },
        Unit { per_ms: 1000, ms: 1 },
        Unit { per_ms: 1_000_000, ms: 1 },
    ];

    proptest! {
        #[test]
        fn lanes_share_no_number_and_each_ones_increase_whatever_the_clock_does(
            unit in 0..UNITS.len(),
            start in 1_u64 << 30..1 << 41,
            steps in prop::collection::vec((0..STRIDE, -5_000_i64..5_000), 1..500),
        ) {
            let unit = UNITS[unit];
            let lanes: Vec<_> =
                (0..STRIDE).map(|lane| Numbers::after_ms(start, lane, STRIDE)).collect();
            let (mut seen, mut last) = (HashSet::new(), [0; 16]);
            let mut now = start;
            for (lane, step) in steps {
                now = now.saturating_add_signed(step);
                let at = usize::try_from(lane).expect("small");
                let (number, end) = lanes[at].next(unit, now, |_| true).expect("it is allowed");
                prop_assert!(seen.insert(number), "{number} is another lane's");
                prop_assert!(number > last[at] && number >= unit.at(now));
                prop_assert_eq!(number % STRIDE, lane);
                prop_assert!(end > start && unit.at(end) <= number, "{end}");
                prop_assert_eq!(lanes[at].last_ms(), end);
                last[at] = number;
            }
        }

        #[test]
        fn who_begins_behind_another_has_larger_numbers_only(
            units in (0..UNITS.len(), 0..UNITS.len()),
            now in 1_u64 << 30..1 << 41,
            back in 0_u64..10_000,
            burst in 1_usize..50,
        ) {
            let (own, next) = (UNITS[units.0], UNITS[units.1]);
            let one = Numbers::after_ms(now, 0, 1);
            let mut last = 0;
            for _ in 0..burst {
                last = one.next(own, now, |_| true).expect("it is allowed").0;
            }
            let other = Numbers::after_ms(one.last_ms(), 0, 1);
            let (number, _) = other.next(next, now - back, |_| true).expect("it is allowed");
            prop_assert!(number / next.per_ms * next.ms >= last / own.per_ms * own.ms);
            prop_assert!(own != next || number > last, "{number} after {last}");
        }
    }

    #[test]
    fn a_number_that_is_not_allowed_is_not_used_up() {
        let unit = UNITS[1];
        let numbers = Numbers::after_ms(1_000, 3, STRIDE);
        for _ in 0..1_000 {
            assert_eq!(numbers.next(unit, 1_010, |end| end < 1_011), None);
        }
        assert_eq!(numbers.next(unit, 1_010, |end| end <= 1_011), Some((1_011, 1_011)));
        assert_eq!(numbers.next(unit, 1_010, |_| true), Some((1_027, 1_027)));
        // Another lane of this process goes on behind.
        let moved = Numbers::after_ms(1_012, 2, STRIDE).and_after(&numbers);
        assert_eq!(moved.next(unit, 1_013, |_| true), Some((1_042, 1_042)));
        assert_eq!(Numbers::after_ms(u64::MAX, 0, 1).next(unit, 0, |_| true), None);
    }

    #[test]
    fn a_second_is_used_up_to_its_end() {
        let numbers = Numbers::after_ms(5_500, 0, 1);
        assert_eq!(numbers.next(UNITS[0], 5_600, |_| true), Some((6, 6_999)));
        assert_eq!(numbers.last_ms(), 6_999);
    }
}
