//! What lanes are leased for: how many there are of a kind, what the store calls them, and what is drawn from
//! one.

use super::counter::Unit;
use super::numbers::{Numbers, STRIDE};
use super::placer::{Drawn, LEASED, Placer, leased};

/// What a lane is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Places, each taken once.
    Places,
    /// Numbers that increase.
    Numbers(Unit),
    /// The turn: one process at a time sends for the key, and has all its numbers.
    Turn,
}

impl Kind {
    /// How many processes have a lane each.
    pub(super) fn lanes(self) -> u64 {
        match self {
            Self::Places => LEASED,
            Self::Numbers(_) => STRIDE,
            Self::Turn => 1,
        }
    }

    /// A lane from behind this millisecond on, and behind what this process had before.
    pub(super) fn lane(self, begin: u64, lane: u64, before: Option<&Lane>) -> Lane {
        if self == Self::Places {
            return Lane::Places(Placer::after_ms(begin, leased(lane)));
        }
        let numbers = Numbers::after_ms(begin, lane, self.lanes());
        Lane::Numbers(match before {
            Some(Lane::Numbers(before)) => numbers.and_after(before),
            Some(Lane::Places(_)) | None => numbers,
        })
    }

    /// What the store calls a key's lanes.
    pub(super) fn of(self, fingerprint: &str) -> String {
        match self {
            Self::Places => fingerprint.to_owned(),
            Self::Numbers(unit) => format!("{fingerprint}.{}", unit.name()),
            Self::Turn => format!("{fingerprint}.turn"),
        }
    }
}

/// A lane as its owner draws from it.
#[derive(Debug)]
pub(super) enum Lane {
    Places(Placer),
    Numbers(Numbers),
}

impl Lane {
    /// The next place, or the next number of this unit, and the last millisecond that it is of. No number is
    /// used up that is not allowed.
    pub(super) fn draw(
        &self,
        (now_ms, unit): (u64, Option<Unit>),
        allows: impl Fn(u64) -> bool,
    ) -> Option<(Drawn, u64)> {
        match self {
            Self::Places(placer) => {
                let (place, slot) = placer.place(now_ms);
                Some((Drawn::Place(place), slot))
            }
            Self::Numbers(numbers) => {
                let (number, end) = numbers.next(unit?, now_ms, allows)?;
                Some((Drawn::Number(number), end))
            }
        }
    }

    /// The last millisecond that was drawn from.
    pub(super) fn last_ms(&self) -> u64 {
        match self {
            Self::Places(placer) => placer.last_ms(),
            Self::Numbers(numbers) => numbers.last_ms(),
        }
    }
}
