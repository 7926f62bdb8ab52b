//! What work costs, estimated before it is begun: so work finds its thread by how long it will take,
//! and not by how many bytes a request has.
//!
//! Estimates are times on one core of the machine of bench/results, and about half more than what
//! was measured there: that a thread is changed for nothing costs 5 to 20 µs, and a worker that is
//! kept lets every other request wait. They stand beside what they are of: a scheme says what its
//! texts cost, an algorithm what a signature does.

use std::ops::Add;

/// An estimated time of one core.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Cost {
    nanoseconds: u64,
}

impl Cost {
    /// Less than is worth counting.
    pub const NOTHING: Self = Self { nanoseconds: 0 };

    /// So many microseconds.
    pub const fn micros(micros: u64) -> Self {
        Self { nanoseconds: micros.saturating_mul(1_000) }
    }

    /// So many bytes through SHA-2, a MAC, or another copy: 0.8 to 1.4 ns for each were measured.
    pub const fn hashing(bytes: usize) -> Self {
        Self { nanoseconds: (bytes as u64).saturating_mul(2) }
    }

    /// So many bytes that are read as JSON, a form or a token, written anew, and hashed.
    pub const fn reading(bytes: usize) -> Self {
        Self { nanoseconds: (bytes as u64).saturating_mul(10) }
    }

    /// As often as that.
    #[must_use]
    pub const fn times(self, count: usize) -> Self {
        Self { nanoseconds: self.nanoseconds.saturating_mul(count as u64) }
    }

    /// How often it goes into a longer one.
    pub const fn within(self, longer: Self) -> u64 {
        match longer.nanoseconds.checked_div(self.nanoseconds) {
            Some(count) => count,
            None => u64::MAX,
        }
    }

    /// Whether a worker that serves requests must not do it in one go.
    pub fn is_long(self) -> bool {
        self > LONGEST
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { nanoseconds: self.nanoseconds.saturating_add(other.nanoseconds) }
    }
}

/// The slowest signature that a worker makes or verifies, with its texts; 64 KiB of a body that is
/// hashed as it is.
const LONGEST: Cost = Cost::micros(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_add_up_and_do_not_wrap() {
        assert_eq!(Cost::micros(3) + Cost::micros(4), Cost::micros(7));
        assert_eq!(Cost::micros(3).times(4), Cost::micros(12));
        assert_eq!(Cost::hashing(500), Cost::micros(1));
        assert_eq!(Cost::micros(70_000).within(Cost::micros(2_000_000)), 28);
        assert_eq!(Cost::NOTHING.within(Cost::micros(1)), u64::MAX);
        let all = Cost::micros(u64::MAX).times(2) + Cost::reading(usize::MAX);
        assert_eq!((all, all.is_long()), (Cost { nanoseconds: u64::MAX }, true));
        assert!(!Cost::micros(200).is_long() && Cost::micros(201).is_long());
    }
}
