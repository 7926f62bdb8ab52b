//! The lease of a lane, by which processes of several machines never have one place: what is asked of
//! the store that they share, what follows from its answer, and until when a process may place.
//!
//! Pure: times come in and decisions go out, in milliseconds. *Mono* is a monotonic clock of this
//! process, *wall* the system's. A lease is bounded twice. It ends by the monotonic clock before the
//! store gives it to another, with a margin for clock rates. And its record holds the last millisecond
//! that its owner may place in, behind which the next owner begins: so even one who lost the lane
//! without noticing places where nobody else does. Both are looked at **after** a place is taken, so
//! that a pause between the two cannot repeat one.

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

/// How long everything lasts, in milliseconds.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Terms {
    /// A lease, by the store's clock; and how far ahead of the wall clock its owner may place.
    pub lease: u64,
    /// An answer that took longer is not believed.
    pub late: u64,
    /// By how much an owner stops before the lease ends: `late`, and clocks that run at different rates.
    pub margin: u64,
    /// For how long a store that may have forgotten leases grants none: a lease, and by how much clocks of
    /// machines may be apart.
    pub hold_off: u64,
}

/// The terms in use. A lease is renewed at a third of it.
pub const TERMS: Terms = Terms { lease: 12_000, late: 1_000, margin: 2_000, hold_off: 24_000 };

/// What is asked of the store, for one lane of one key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ask {
    /// A lane that nobody has, best one that was last used before now.
    Take {
        /// The wall clock.
        now: u64,
    },
    /// More time.
    Renew {
        /// Which lane.
        held: Held,
        /// The last millisecond to place in from now on.
        last: u64,
        /// Whether a store that has forgotten the lane may be told of it again: the lease is still good.
        valid: bool,
    },
    /// The end of the lease.
    Release {
        /// Which lane.
        held: Held,
        /// The last millisecond that was placed in.
        last: u64,
    },
}

/// What the store has answered.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Answer {
    /// A lane.
    Granted {
        /// Which.
        held: Held,
        /// The millisecond behind which to begin.
        begin: u64,
        /// The last to place in.
        last: u64,
    },
    /// It was renewed, or given back.
    Done,
    /// It was renewed, and others wait for it.
    Wanted,
    /// It is not this owner's any more, or was forgotten; and there is no other.
    Lost,
    /// All lanes are others', or the store is held off.
    None,
}

/// A lane that is leased, and the number that no lease before or after it has.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Held {
    /// Which of the key's lanes.
    pub lane: u64,
    /// The fencing number.
    pub fence: u64,
}

/// When a question was sent and its answer received, by the monotonic clock.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Trip {
    /// Before it was sent.
    pub(super) sent: u64,
    /// After it was received.
    pub(super) received: u64,
}

impl Trip {
    /// Whether an answer is not too old.
    pub(super) fn is_prompt(self, terms: &Terms) -> bool {
        self.received.saturating_sub(self.sent) <= terms.late
    }
}

/// One lane of a key as its owner knows it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Lease {
    held: Option<Held>,
    bounds: Bounds,
    /// The last millisecond that was placed in, where it is being given back.
    back: Option<u64>,
}

/// How far its owner may go.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Bounds {
    /// The monotonic clock has to be before this.
    pub(super) until: u64,
    /// The last millisecond to place in.
    pub(super) last: u64,
}

impl Bounds {
    /// Whether a place that was taken in a millisecond may be used. Asked after it was taken.
    pub(super) fn allow(self, mono: u64, slot: u64) -> bool {
        mono < self.until && slot <= self.last
    }
}

impl Lease {
    /// What is held, whether or not it is still good.
    pub(super) fn held(&self) -> Option<Held> {
        self.held
    }

    /// How far the owner may go.
    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// What to ask for. `used` is the last millisecond that was placed in.
    pub(super) fn ask(&self, (mono, wall, used): (u64, u64, u64), terms: &Terms) -> Ask {
        let Some(held) = self.held else { return Ask::Take { now: wall } };
        if let Some(last) = self.back {
            return Ask::Release { held, last };
        }
        let last = wall.max(used) + terms.lease;
        Ask::Renew { held, last, valid: mono < self.bounds.until }
    }

    /// Gives it back with the next question, and the ones after it until one is answered. Nothing is allowed
    /// from now on, whatever answers still come.
    pub(super) fn give_back(&mut self, used: u64) {
        if self.held.is_some() && self.back.is_none() {
            self.back = Some(used.min(self.bounds.last));
            self.bounds.until = 0;
        }
    }

    /// What follows from an answer, which is `trusted` as [`Trust::extends`] has it. The millisecond to
    /// begin behind, where a lane is new.
    pub(super) fn told(
        &mut self,
        (ask, answer): (Ask, Answer),
        trip: Trip,
        trusted: bool,
        terms: &Terms,
    ) -> Option<u64> {
        // What came late may have been overtaken: a lane that it grants ends by itself.
        if !trip.is_prompt(terms) {
            return None;
        }
        let until = if trusted { trip.sent + terms.lease - terms.margin } else { 0 };
        match (ask, answer) {
            (_, Answer::Granted { held, begin, last }) => {
                *self = Self { held: Some(held), bounds: Bounds { until, last }, back: None };
                return Some(begin);
            }
            (Ask::Renew { held, last, .. }, Answer::Done | Answer::Wanted)
                if self.held == Some(held) =>
            {
                if trusted && self.back.is_none() {
                    self.bounds = Bounds { until: until.max(self.bounds.until), last };
                }
            }
            (Ask::Renew { .. }, Answer::Lost) | (Ask::Release { .. }, _) => *self = Self::default(),
            (_, Answer::None | Answer::Done | Answer::Wanted | Answer::Lost) => {}
        }
        None
    }
}

/// How far the store is believed, for a process and all its leases.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Trust {
    /// The name that a store without a memory was given, and when this process first heard it.
    young: Option<(String, u64)>,
    /// Since when what was written was not confirmed by replicas.
    unconfirmed: Option<u64>,
}

impl Trust {
    /// The store was found to have no memory longer than this name's.
    pub(super) fn young(&mut self, name: &str, trip: Trip) {
        if self.young.as_ref().is_none_or(|(known, _)| known != name) {
            self.young = Some((name.to_owned(), trip.received));
        }
    }

    /// The name of a store that has held off long enough, so that it may grant leases.
    pub(super) fn held_off(&self, mono: u64, terms: &Terms) -> Option<&str> {
        let (name, since) = self.young.as_ref()?;
        (mono >= since + terms.hold_off).then_some(name.as_str())
    }

    /// How long it will still hold off; nothing where it does not.
    pub(super) fn holds_off(&self, mono: u64, terms: &Terms) -> Option<u64> {
        let (_, since) = self.young.as_ref()?;
        Some((since + terms.hold_off).saturating_sub(mono)).filter(|left| *left > 0)
    }

    /// Whether an answer extends leases: replicas have `confirmed` that it is theirs too, or a failover
    /// would by now have been noticed.
    pub(super) fn extends(&mut self, confirmed: bool, trip: Trip, terms: &Terms) -> bool {
        if confirmed {
            self.unconfirmed = None;
            return true;
        }
        let since = *self.unconfirmed.get_or_insert(trip.sent);
        trip.sent >= since + terms.hold_off
    }

    /// No answer came: what was not confirmed has to be waited for again.
    pub(super) fn unanswered(&mut self) {
        self.unconfirmed = None;
    }
}
