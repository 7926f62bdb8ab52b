//! A provider's clock, learnt from the `Date` of its answers (RFC 9110, section 6.6.1).
//!
//! A `Date` has whole seconds, but each answer leaves an interval in which the provider's clock must
//! have been, and the intervals of many answers have little in common. They are held against the
//! monotonic clock, so that a leap of this machine's own clock is seen with the next answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// A provider's clock as it is known.
#[derive(Debug)]
pub struct ServerClock {
    base: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Interval>,
    /// When it was narrowed or confirmed last.
    at: Duration,
    /// The last `Date` that was read.
    last: String,
    /// What answers said that do not go with it, and how many there were in a row.
    other: Option<(Interval, u32)>,
}

/// What the provider's clock showed at `base`, in microseconds since 1970: somewhere in here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Interval {
    from: i64,
    until: i64,
}

/// How far a provider's clock is before this machine's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Offset {
    /// Milliseconds; negative where the provider's is behind.
    pub ms: i64,
    /// Half the interval that is left, in milliseconds.
    pub within: i64,
}

impl ServerClock {
    /// Nothing is known yet.
    pub fn new(base: Instant) -> Self {
        Self { base, state: Mutex::default() }
    }

    /// An answer to a request that was sent at `sent`, and whose head was there at `received`, has
    /// this `Date`. Says whether it was read: what is none says nothing.
    pub fn learn(&self, date: &str, (sent, received): (Instant, Instant)) -> bool {
        if received.duration_since(sent) > LONGEST_TRIP || self.is_settled(date, received) {
            return false;
        }
        let Ok(read) = httpdate::parse_http_date(date) else { return false };
        let read = read.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        date.clone_into(&mut self.state().last);
        self.narrow(read, (sent, received));
        true
    }

    fn narrow(&self, date: u64, (sent, received): (Instant, Instant)) {
        let since = |at: Instant| micros(at.saturating_duration_since(self.base));
        let date = i64::try_from(date).unwrap_or_default().saturating_mul(SECOND);
        let new = Interval {
            from: date.saturating_sub(since(received)),
            until: date.saturating_add(SECOND).saturating_sub(since(sent)),
        };
        let now = received.saturating_duration_since(self.base);
        let mut state = self.state();
        let known = state.known.map(|known| known.widened(now.saturating_sub(state.at)));
        let Some(both) = known.map_or(Some(new), |known| known.meet(new)) else {
            return state.doubt(new, now);
        };
        (state.known, state.at, state.other) = (Some(both), now, None);
    }

    /// The offset, at a moment by both clocks of this machine; nothing before the first answer.
    pub fn offset(&self, (now, unix_us): (Instant, i64)) -> Option<Offset> {
        let since = now.saturating_duration_since(self.base);
        let state = self.state();
        let known = state.known?.widened(since.saturating_sub(state.at));
        let (from, until) = (known.from + micros(since), known.until + micros(since));
        let ms = (from + (until - from) / 2 - unix_us) / 1000;
        Some(Offset { ms, within: (until - from) / 2000 })
    }

    /// Whether another answer with the same `Date` as the last would tell little. Most are not read.
    fn is_settled(&self, date: &str, now: Instant) -> bool {
        let state = self.state();
        if state.last != date {
            return false;
        }
        let fresh = now.saturating_duration_since(self.base).saturating_sub(state.at) < FRESH;
        fresh && state.other.is_none() && state.known.is_some_and(|k| k.until - k.from < NARROW)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One answer that does not go with the others may be from a cache or from another machine;
    /// several in a row are right.
    fn doubt(&mut self, new: Interval, now: Duration) {
        let before = self.other.and_then(|(other, count)| Some((other.meet(new)?, count + 1)));
        let (other, count) = before.unwrap_or((new, 1));
        if count < BELIEVED {
            self.other = Some((other, count));
            return;
        }
        (self.known, self.at, self.other) = (Some(other), now, None);
    }
}

impl Interval {
    fn meet(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), until: self.until.min(other.until) };
        (both.from < both.until).then_some(both)
    }

    /// The same after so long, in which two clocks drift apart.
    fn widened(self, after: Duration) -> Self {
        let drift = micros(after) / DRIFT;
        Self { from: self.from - drift, until: self.until + drift }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

const SECOND: i64 = 1_000_000;
/// One part in so many: worse than the quartz of any computer.
const DRIFT: i64 = 10_000;
/// An answer that took longer says nothing about a clock.
const LONGEST_TRIP: Duration = Duration::from_secs(10);
/// So many answers in a row that agree with one another are believed against those before them.
const BELIEVED: u32 = 3;
/// An interval in microseconds below which answers are not looked at, for as long as [`FRESH`].
const NARROW: i64 = 40_000;
const FRESH: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const TRUE_UNIX_US: i64 = 1_700_000_000_000_000;

    /// A provider whose clock is so far before ours, in milliseconds.
    struct Provider {
        base: Instant,
        ahead: i64,
        clock: ServerClock,
    }

    impl Provider {
        fn new(ahead: i64) -> Self {
            let base = Instant::now();
            Self { base, ahead, clock: ServerClock::new(base) }
        }

        /// It answers so many milliseconds after the start, with a round trip of so many.
        fn answers(&self, at: u64, trip: u64) {
            let sent = self.base + Duration::from_millis(at);
            let received = sent + Duration::from_millis(trip);
            let there = TRUE_UNIX_US / 1000 + self.ahead + i64::try_from(at + trip / 2).unwrap();
            let there = Duration::from_millis(u64::try_from(there).unwrap());
            let date = httpdate::fmt_http_date(UNIX_EPOCH + there);
            self.clock.learn(&date, (sent, received));
        }

        fn offset(&self, at: u64) -> Offset {
            let unix_us = TRUE_UNIX_US + i64::try_from(at).unwrap() * 1000;
            let now = self.base + Duration::from_millis(at);
            self.clock.offset((now, unix_us)).expect("there were answers")
        }
    }

    #[test]
    fn a_hundred_answers_tell_the_offset_within_fifty_milliseconds() {
        for ahead in [-90_000, -1, 0, 700, 90_000, 3_600_500] {
            let provider = Provider::new(ahead);
            for answer in 0..100 {
                provider.answers(answer * 137, 2);
            }
            let found = provider.offset(14_000);
            assert!((found.ms - ahead).abs() <= 50 && found.within <= 50, "{ahead}: {found:?}");
        }
    }

    #[test]
    fn one_answer_tells_it_within_a_second_and_one_that_took_long_tells_nothing() {
        let provider = Provider::new(90_250);
        provider.answers(100, 11_000);
        assert_eq!(provider.clock.offset((provider.base, TRUE_UNIX_US)), None);
        provider.answers(100, 30);
        let found = provider.offset(200);
        assert!((found.ms - 90_250).abs() <= 515 && found.within <= 516, "{found:?}");
    }

    #[test]
    fn one_answer_of_another_clock_changes_nothing_and_three_do() {
        let provider = Provider::new(0);
        (0..50).for_each(|answer| provider.answers(answer * 137, 2));
        let liar = Provider { ahead: 60_000, ..provider };
        liar.answers(7_000, 2);
        liar.answers(7_100, 2);
        assert!(liar.offset(7_200).ms.abs() <= 50);
        liar.answers(7_200, 2);
        assert!((liar.offset(7_300).ms - 60_000).abs() <= 1_000);
    }

    #[test]
    fn a_settled_clock_reads_another_second_and_not_the_same_again() {
        let provider = Provider::new(0);
        let at = |ms| provider.base + Duration::from_millis(ms);
        let last = || provider.clock.state().last.clone();
        assert!(!provider.clock.is_settled(&last(), at(0)));
        (0..100).for_each(|answer| provider.answers(answer * 137, 2));
        assert!(provider.clock.is_settled(&last(), at(13_600)));
        assert!(!provider.clock.is_settled("Sun, 06 Nov 1994 08:49:37 GMT", at(13_600)));
        assert!(!provider.clock.is_settled(&last(), at(15_000)));
    }
}
