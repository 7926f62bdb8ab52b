//! Time stamps and nonces against replay: what a request does not determine itself.
//!
//! A provider such as MetaSV takes a ten-digit nonce once in ten minutes. Ten random digits
//! collide (at 100 requests a second about one ten-minute span in six sees a clash), so a nonce
//! is not drawn but *placed*: the millisecond within a window picks a slot, a counter picks the
//! place in the slot, and a keyed permutation of all ten-digit numbers hides the order. Nothing
//! repeats inside the window, with nothing to search; [`crate::nonces`] keeps what makes it so across
//! restarts, clocks that are set back, and the processes of a machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::nonces::{Drawn, Source};
pub use crate::nonces::{NONCES, Part, Replica, WINDOW_MS};
use crate::problem::Problem;

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

impl Moment {
    /// The moment of one request, with the next nonce of a key; none where that has to be
    /// [waited](Self::wait) for. Taken when the request's body is in hand, for a slow upload must not
    /// age the time stamp.
    pub fn of(source: &Source) -> Option<Self> {
        let unix_ms = unix_ms();
        source.draw(unix_ms).map(|drawn| Self::with(unix_ms, drawn))
    }

    /// The same moment by a clock that is so many milliseconds before this machine's. Its nonce stays,
    /// for what keeps nonces apart is the machine's clock.
    pub fn ahead(self, ms: i64) -> Self {
        Self { unix_ms: self.unix_ms.saturating_add_signed(ms), ..self }
    }

    /// The same, at the latest after `limit` and a disk's time; it blocks its thread.
    ///
    /// # Errors
    ///
    /// What keeps the nonces' state from being written.
    pub fn wait(source: &Source, limit: Duration) -> Result<Self, Problem> {
        let drawn = source.wait(unix_ms(), limit)?;
        Ok(Self::with(unix_ms(), drawn))
    }

    fn with(unix_ms: u64, drawn: Drawn) -> Self {
        let nonce = match drawn {
            Drawn::Place(place) => Nonce::Placed(place),
            Drawn::Number(number) => Nonce::Given(number),
        };
        Self { unix_ms, nonce }
    }
}

/// Moments whose nonces nobody keeps: for what has a time stamp alone, or is not sent.
#[derive(Debug)]
pub struct Moments(Source);

impl Moments {
    /// Starts placing after the present millisecond, which a predecessor may have used.
    pub fn new(replica: Replica) -> Self {
        Self(Source::unkept(unix_ms(), replica))
    }

    /// The present one.
    pub fn next(&self) -> Moment {
        Moment::of(&self.0).expect("what is not kept is there at once")
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

/// A time as RFC 3339 has it, in UTC with milliseconds.
pub fn rfc3339(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX);
    // Nothing but a broken clock is past the year 9999.
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let month = u8::from(month);
    let ms = unix_ms % 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
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
    fn the_permutation_is_the_one_that_other_proxies_of_a_key_have() {
        // By hashlib and integers of Python.
        let table = [
            (b"a".as_slice(), 0, 6_235_778_323),
            (b"a".as_slice(), 9_999_999_999, 2_891_024_020),
            (b"countersign".as_slice(), 1_234_567_890, 2_024_491_972),
        ];
        for (seed, place, nonce) in table {
            assert_eq!(Permutation::new(seed).apply(place), nonce, "{place}");
        }
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
}
