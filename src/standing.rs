//! How a route's key stands with its provider: what was accepted and rejected, how far the
//! provider's clock is from this machine's, and so why a request was rejected, most likely.

mod cause;
mod clock;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;

pub use cause::{Answered, Cause, Facts};
pub use clock::{Offset, ServerClock};

use crate::moment::{since_epoch, unix_ms};
use crate::scheme::Rejected;

/// One key of a route.
#[derive(Debug)]
pub struct Standing {
    about: About,
    /// When it was taken into use, in milliseconds since 1970.
    since_ms: u64,
    /// The key of the same route before it, and whether that one's requests were accepted.
    before: Option<(Arc<str>, bool)>,
    clock: Arc<ServerClock>,
    accepted: AtomicU64,
    /// Those that were rejected since one was accepted.
    rejected: AtomicU64,
    /// Whether the log says that the clocks are far apart.
    told: AtomicBool,
    /// When the provider was asked for its time, by those who wait for that.
    asked: tokio::sync::Mutex<Option<Instant>>,
}

/// What is known of a route before its first request.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The route's name.
    pub route: Arc<str>,
    /// The fingerprint of its first key; nothing where it has none.
    pub key: Option<Arc<str>>,
    /// Where its requests go: routes with one provider have one clock.
    pub provider: String,
    /// Milliseconds that a time stamp may be from the provider's clock, where that is documented.
    pub window_ms: Option<u64>,
    /// What stands between here and the provider, as the configuration has it.
    pub between: Option<String>,
    /// Whether time stamps are by the provider's clock.
    pub corrects: bool,
    /// Where the offset of the clocks is shown, in seconds.
    pub shown: Gauge<f64, AtomicU64>,
    /// The parameters that have alternatives, as `name=value` with spaces between.
    pub params: String,
}

/// Every key of every route that somebody uses, across reloads.
#[derive(Clone, Debug, Default)]
pub struct Standings(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    keys: HashMap<Arc<str>, Vec<Weak<Standing>>>,
    clocks: HashMap<String, Weak<ServerClock>>,
    /// How many of both there were when those that nobody uses were last let go.
    swept: usize,
}

impl Known {
    /// Lets go what nobody uses, once there is twice as much as last time: with each of many routes it
    /// would take the square of them.
    fn sweep(&mut self) {
        if self.keys.len() + self.clocks.len() < 2 * self.swept {
            return;
        }
        self.clocks.retain(|_, clock| clock.strong_count() > 0);
        self.keys.retain(|_, keys| {
            keys.retain(|key| key.strong_count() > 0);
            !keys.is_empty()
        });
        self.swept = self.keys.len() + self.clocks.len();
    }
}

impl Standings {
    /// The standing of a route's key: the one there was, if nothing about it has changed.
    pub fn of(&self, about: About) -> Arc<Standing> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.sweep();
        let clock = known.clocks.get(&about.provider).and_then(Weak::upgrade);
        let clock = clock.unwrap_or_else(|| Arc::new(ServerClock::new(Instant::now())));
        known.clocks.insert(about.provider.clone(), Arc::downgrade(&clock));
        let keys = known.keys.entry(Arc::clone(&about.route)).or_default();
        keys.retain(|key| key.strong_count() > 0);
        let live: Vec<_> = keys.iter().filter_map(Weak::upgrade).collect();
        if let Some(same) = live.iter().find(|one| one.about.is_same(&about)) {
            return Arc::clone(same);
        }
        let same_key = live.iter().find(|one| one.about.key == about.key);
        let before = live.iter().rev().find(|one| one.about.key != about.key);
        let before = before.and_then(|one| Some((one.about.key.clone()?, one.has_accepted())));
        let standing = Arc::new(Standing {
            since_ms: same_key.map_or_else(unix_ms, |one| one.since_ms),
            accepted: AtomicU64::new(
                same_key.map_or(0, |one| one.accepted.load(Ordering::Relaxed)),
            ),
            rejected: AtomicU64::new(0),
            told: AtomicBool::new(false),
            asked: tokio::sync::Mutex::default(),
            before,
            clock,
            about,
        });
        keys.push(Arc::downgrade(&standing));
        standing
    }
}

impl About {
    fn is_same(&self, other: &Self) -> bool {
        let own = |about: &Self| {
            let Self { key, provider, window_ms, between, params, corrects, .. } = about;
            (key.clone(), provider.clone(), *window_ms, between.clone(), params.clone(), *corrects)
        };
        own(self) == own(other)
    }
}

impl Standing {
    /// An answer came, with this `Date`, to a request that was sent and whose head was received at
    /// these moments.
    pub fn heard(&self, date: &str, trip: (Instant, Instant)) {
        if !self.clock.learn(date, trip) {
            return;
        }
        let Some(offset) = self.offset() else { return };
        self.about.shown.set(offset.ms as f64 / 1000.0);
        let (far, limit) = (offset.is_beyond(self.threshold_ms()), self.threshold_ms());
        if far == self.told.swap(far, Ordering::Relaxed) {
            return;
        }
        let route = &*self.about.route;
        if far {
            tracing::warn!(
                route,
                clock_offset_ms = offset.ms,
                within_ms = offset.within,
                "this machine's clock and the provider's are more than {limit} ms apart: set it by \
                 NTP, or write clock = \"provider\" on the route"
            );
        } else {
            tracing::info!(route, clock_offset_ms = offset.ms, "the clocks agree again");
        }
    }

    /// How far the provider's clock is before this machine's, once it is known.
    pub fn offset(&self) -> Option<Offset> {
        let unix_us = i64::try_from(since_epoch().as_micros()).unwrap_or(i64::MAX);
        self.clock.offset((Instant::now(), unix_us))
    }

    /// Whether time stamps are by the provider's clock, of which nothing is known yet.
    pub fn lacks_time(&self) -> bool {
        self.about.corrects && self.offset().is_none()
    }

    /// Has the provider asked for its time, by one request alone and not again soon.
    pub async fn ask(&self, ask: impl Future<Output = ()>) {
        let mut asked = self.asked.lock().await;
        let recently = asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN);
        if recently || !self.lacks_time() {
            return;
        }
        ask.await;
        *asked = Some(Instant::now());
    }

    /// How many milliseconds a time stamp is put before this machine's clock. A provider whose `Date`
    /// is further away than clocks are is not believed.
    pub fn correction_ms(&self) -> i64 {
        let offset = self.about.corrects.then(|| self.offset()).flatten();
        offset.filter(|offset| !offset.is_beyond(MOST_MS)).map_or(0, |offset| offset.ms)
    }

    /// A request was accepted.
    pub fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.rejected.store(0, Ordering::Relaxed);
    }

    /// A request was rejected: the first likely cause, with what it is drawn from.
    pub fn rejected(&self, status: u16, rejected: &Rejected) -> Cause {
        let in_a_row = self.rejected.fetch_add(1, Ordering::Relaxed) + 1;
        let offset = self.offset();
        Cause::of(
            &Answered { status, blame: rejected.blame, in_a_row },
            &Facts {
                offset,
                limit_ms: self.threshold_ms(),
                key: self.about.key.as_deref(),
                accepted: self.accepted.load(Ordering::Relaxed),
                before: self.before.as_ref().map(|(key, accepted)| (&**key, *accepted)),
                between: self.about.between.as_deref(),
                params: &self.about.params,
            },
        )
    }

    /// The fingerprint of the key.
    pub fn key(&self) -> Option<&Arc<str>> {
        self.about.key.as_ref()
    }

    /// How long the key has been in use, in seconds.
    pub fn in_use_s(&self) -> u64 {
        unix_ms().saturating_sub(self.since_ms) / 1000
    }

    /// The parameters that have alternatives.
    pub fn params(&self) -> &str {
        &self.about.params
    }

    fn has_accepted(&self) -> bool {
        self.accepted.load(Ordering::Relaxed) > 0
    }

    /// Milliseconds from which on an offset is worth a word: half the window, so that it is said
    /// before requests are rejected.
    fn threshold_ms(&self) -> u64 {
        self.about.window_ms.map_or(DOUBTFUL_MS, |window| window / 2)
    }
}

impl Offset {
    /// Whether it is certainly more, one way or the other.
    pub fn is_beyond(self, limit_ms: u64) -> bool {
        i128::from(self.ms).abs() - i128::from(self.within) > i128::from(limit_ms)
    }
}

/// The furthest that time stamps are put from this machine's clock.
pub const MOST_MS: u64 = 600_000;
/// A provider that did not tell the time is left alone for so long.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// Where no window is documented: half of the shortest that is common.
const DOUBTFUL_MS: u64 = 2_500;

#[cfg(test)]
mod tests {
    use super::*;

    fn about(route: &str, key: &str) -> About {
        About { route: route.into(), key: Some(key.into()), ..About::default() }
    }

    #[test]
    fn a_key_keeps_its_standing_across_reloads_and_the_next_knows_of_it() {
        let standings = Standings::default();
        let first = standings.of(about("a", "K1"));
        assert!(Arc::ptr_eq(&first, &standings.of(about("a", "K1"))));
        assert!(!Arc::ptr_eq(&first, &standings.of(about("b", "K1"))));
        first.accepted();
        let next = standings.of(about("a", "K2"));
        assert_eq!(next.before, Some(("K1".into(), true)));
        let moved = standings.of(About { params: "remove=none".into(), ..about("a", "K1") });
        assert!(moved.has_accepted(), "a setting changes nothing about the key");
        drop((first, next, moved));
        assert_eq!(standings.of(about("a", "K3")).before, None, "nobody uses the others");
    }
}
