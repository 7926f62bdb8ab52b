//! Numbers that increase for a key, whoever of a machine draws them.
//!
//! Every number is taken under a lock on the key's file: were they reserved in blocks, the block of
//! one process would lie below what another has sent, and a provider that wants each above the last
//! would refuse it. The lock is held for a read and a write of one line and nothing else; the disk is
//! waited for once in half a minute, by a thread of its own where requests keep coming.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use super::directory::Directory;
use super::record::{Kept, Record};
use crate::problem::Problem;

/// What numbers count: so many in a millisecond (the first), or one in so many milliseconds.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Unit {
    /// How many there are in a millisecond.
    pub per_ms: u64,
    /// How many milliseconds have one.
    pub ms: u64,
}

impl Unit {
    /// The number of an instant.
    pub fn at(self, unix_ms: u64) -> u64 {
        (unix_ms / self.ms).saturating_mul(self.per_ms)
    }

    /// How many nanoseconds a number stands for.
    pub(super) fn ns(self) -> u64 {
        (self.ms.saturating_mul(1_000_000) / self.per_ms).max(1)
    }

    /// Ends the name of its file, and of its lanes.
    pub(super) fn name(self) -> String {
        match self {
            Self { per_ms: 1, ms: 1000 } => "s".into(),
            Self { per_ms: 1, ms: 1 } => "ms".into(),
            Self { per_ms: 1000, ms: 1 } => "us".into(),
            Self { per_ms: 1_000_000, ms: 1 } => "ns".into(),
            Self { per_ms, ms } => format!("{per_ms}-{ms}"),
        }
    }

    /// How far is reserved on the disk: half a minute, and a thousand numbers at least.
    fn ahead(self) -> u64 {
        self.at(30_000).max(1000)
    }
}

/// Where a key's numbers come from.
#[derive(Debug)]
pub struct Counter {
    unit: Unit,
    renews: AtomicBool,
    own: Mutex<Own>,
}

#[derive(Debug)]
struct Own {
    /// The last of this process.
    last: u64,
    kept: Option<Record>,
    /// The mark that is on the disk.
    synced: u64,
}

/// Why there is no number now.
enum Delay {
    /// Others draw.
    Busy,
    /// The mark has to be moved first.
    Low,
    Failed(io::Error),
}

impl From<io::Error> for Delay {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// How often a lock is asked for at once: some ten microseconds.
const TRIES: u32 = 64;
/// How long somebody waits who may, between two tries.
const PAUSE: Duration = Duration::from_micros(500);

impl Counter {
    /// Numbers that begin with the clock, and that nobody keeps.
    pub(super) fn unkept(unit: Unit) -> Self {
        Self::of(unit, None)
    }

    /// Numbers of the key whose files' names begin like this.
    pub(super) fn open(directory: &Directory, key: &str, unit: Unit) -> Result<Self, Problem> {
        let record = Record::open(directory, &format!("{key}.{}", unit.name()))?;
        let begun = soon(|| record.try_lock()).and_then(|locked| match locked {
            Some(_locked) => record.begin(),
            None => record.read(),
        });
        begun.map_err(|error| record.failed(&error))?;
        Ok(Self::of(unit, Some(record)))
    }

    /// Reserves on the disk, so that the first request does not wait for it.
    pub(super) fn prepare(&self, now_ms: u64) -> Result<(), Problem> {
        match self.renew(self.unit.at(now_ms)) {
            Err(Delay::Failed(error)) => Err(self.failed(&error)),
            Ok(()) | Err(Delay::Busy | Delay::Low) => Ok(()),
        }
    }

    fn of(unit: Unit, kept: Option<Record>) -> Self {
        let own = Mutex::new(Own { last: 0, kept, synced: 0 });
        Self { unit, renews: AtomicBool::new(false), own }
    }

    /// The next number, that of the clock or one more than the last, if it can be had in some ten
    /// microseconds.
    pub(super) fn next(self: &Arc<Self>, now_ms: u64) -> Option<u64> {
        let (number, low) = self.attempt(now_ms).ok()?;
        if low && !self.renews.swap(true, Ordering::Relaxed) {
            let own = Arc::clone(self);
            std::thread::spawn(move || {
                // Whoever finds that it failed says so.
                let _said_later = own.renew(number);
                own.renews.store(false, Ordering::Relaxed);
            });
        }
        Some(number)
    }

    /// The next number, at the latest after `limit`; it waits for others and for the disk.
    pub(super) fn wait(&self, now_ms: u64, limit: Duration) -> Result<u64, Problem> {
        let started = Instant::now();
        loop {
            let delay = match self.attempt(now_ms) {
                Ok((number, _)) => return Ok(number),
                Err(Delay::Low) => self.renew(self.unit.at(now_ms)).err(),
                Err(delay) => Some(delay),
            };
            match delay {
                Some(Delay::Failed(error)) => return Err(self.failed(&error)),
                _ if started.elapsed() > limit => return Err(self.busy(limit)),
                Some(_) => std::thread::sleep(PAUSE),
                None => {}
            }
        }
    }

    /// A number, and whether the mark is near.
    fn attempt(&self, now_ms: u64) -> Result<(u64, bool), Delay> {
        let wanted = self.unit.at(now_ms);
        let mut own = soon(|| Ok(self.lock()))?.ok_or(Delay::Busy)?;
        let Own { last, kept, synced } = &mut *own;
        let Some(record) = kept else {
            *last = wanted.max(*last + 1);
            return Ok((*last, false));
        };
        let _locked = soon(|| record.try_lock())?.ok_or(Delay::Busy)?;
        let found = record.read()?;
        let number = wanted.max(found.last.max(*last) + 1);
        if number > *synced {
            return Err(Delay::Low);
        }
        // Another process may have moved the mark, and none moves it back.
        record.write(Kept { last: number, mark: found.mark.max(*synced) })?;
        *last = number;
        Ok((number, number + self.unit.ahead() / 2 > *synced))
    }

    /// Moves the mark, from this number or the last, and waits for the disk. The locks are not held
    /// meanwhile.
    fn renew(&self, number: u64) -> Result<(), Delay> {
        let own = soon(|| Ok(self.lock()))?.ok_or(Delay::Busy)?;
        let Some(record) = own.kept.clone() else { return Ok(()) };
        let locked = soon(|| record.try_lock())?.ok_or(Delay::Busy)?;
        let Kept { last, mark } = record.read()?;
        let mark = mark.max(number.max(last) + self.unit.ahead());
        record.write(Kept { last, mark })?;
        drop(locked);
        drop(own);
        record.sync()?;
        let mut own = self.own.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        own.synced = own.synced.max(mark);
        Ok(())
    }

    fn lock(&self) -> Option<MutexGuard<'_, Own>> {
        match self.own.try_lock() {
            Ok(own) => Some(own),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn failed(&self, error: &io::Error) -> Problem {
        let own = self.own.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let problem = own.kept.as_ref().map(|record| record.failed(error));
        problem.unwrap_or_else(|| Problem::new(error.to_string(), ""))
    }

    fn busy(&self, limit: Duration) -> Problem {
        let error = format!("somebody else has had it for {limit:?}");
        self.failed(&io::Error::new(io::ErrorKind::TimedOut, error))
    }
}

/// Asks for a lock a few times, as whoever has it lets go in microseconds.
fn soon<T>(mut ask: impl FnMut() -> io::Result<Option<T>>) -> io::Result<Option<T>> {
    for tried in 0..TRIES {
        if let Some(locked) = ask()? {
            return Ok(Some(locked));
        }
        if tried < TRIES / 4 {
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
    Ok(None)
}
