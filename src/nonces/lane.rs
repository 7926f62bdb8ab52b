//! Places for one key: from a lane of this process's own where state is kept, which a restart or a
//! clock that is set back does not make repeat.
//!
//! A lane's file says up to which millisecond places may have been used: some seconds ahead, so that
//! a request writes nothing, and a minute ahead on the disk, for when the machine stops.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::directory::Directory;
use super::placer::{LANES, Placer, Replica};
use super::record::{Kept, Record};
use crate::problem::Problem;

/// Where a key's places come from.
#[derive(Debug)]
pub struct Lane {
    placer: Placer,
    /// The first millisecond that needs a reservation; none does where nothing is kept.
    reserved: AtomicU64,
    renews: AtomicBool,
    kept: Option<Mutex<Reservation>>,
}

/// The lane's file, which is locked for as long as it is open.
#[derive(Debug)]
struct Reservation {
    record: Record,
    mark: u64,
    /// The mark that is on the disk.
    synced: u64,
}

/// How far is reserved by writing, in milliseconds. What a killed process has not used of it, its
/// successor passes over.
const WRITTEN: u64 = 4_000;
/// How far is reserved on the disk: passed over when the machine was.
const SYNCED: u64 = 60_000;

impl Lane {
    /// Places that nobody keeps: of the whole share of a replica.
    pub(super) fn unkept(now_ms: u64, replica: Replica) -> Self {
        Self::of(Placer::after_ms(now_ms, replica.share()), None)
    }

    /// Places of a process that has no lane: its part begins at random.
    pub(super) fn at_random(now_ms: u64, replica: Replica) -> Self {
        let mut random = [0; 8];
        // Without it the part begins where it begins for others.
        let _known = aws_lc_rs::rand::fill(&mut random);
        let share = replica.anywhere(u64::from_be_bytes(random));
        Self::of(Placer::after_ms(now_ms, share), None)
    }

    fn of(placer: Placer, kept: Option<Mutex<Reservation>>) -> Self {
        let reserved = AtomicU64::new(if kept.is_some() { 0 } else { u64::MAX });
        Self { placer, reserved, renews: AtomicBool::new(false), kept }
    }

    /// Takes a lane that nobody has, best one that was last used before now; none where all are
    /// taken. `key` begins the names of its files.
    pub(super) fn take(
        directory: &Directory,
        key: &str,
        now_ms: u64,
        replica: Replica,
    ) -> Result<Option<Self>, Problem> {
        let mut ahead: Option<(u64, u64, Record)> = None;
        for lane in 0..LANES {
            let record = Record::open(directory, &format!("{key}.lane-{lane}"))?;
            let begin = || if record.try_keep()? { record.begin().map(Some) } else { Ok(None) };
            let Some(Kept { last, .. }) = begin().map_err(|error| record.failed(&error))? else {
                continue;
            };
            let best = ahead.as_ref().is_none_or(|(other, ..)| last < *other);
            if best {
                ahead = Some((last, lane, record));
            }
            if last <= now_ms {
                break;
            }
        }
        Ok(ahead.map(|(last, lane, record)| {
            let placer = Placer::after_ms(last.max(now_ms), replica.lane(lane));
            Self::of(placer, Some(Mutex::new(Reservation { record, mark: 0, synced: 0 })))
        }))
    }

    /// A place, unless a [reservation](Self::reserve) has to be on the disk first.
    pub(super) fn place(self: &Arc<Self>, now_ms: u64) -> Option<u64> {
        let (place, slot) = self.placer.place(now_ms);
        // Looked at after the place is taken, so that a pause between the two repeats none.
        if slot < self.reserved.load(Ordering::Acquire) {
            return Some(place);
        }
        self.write_ahead(slot).then_some(place)
    }

    /// Reserves further milliseconds by writing them down, where what is on the disk goes that far.
    #[cold]
    fn write_ahead(self: &Arc<Self>, slot: u64) -> bool {
        let Some(mut kept) = self.lock() else { return true };
        if slot < self.reserved.load(Ordering::Acquire) {
            return true;
        }
        let until = slot + WRITTEN;
        if until > kept.synced || kept.write(until).is_err() {
            return false;
        }
        self.reserved.store(until, Ordering::Release);
        let low = until + SYNCED / 2 > kept.synced;
        drop(kept);
        if low && !self.renews.swap(true, Ordering::Relaxed) {
            let own = Arc::clone(self);
            std::thread::spawn(move || {
                // Whoever finds that it failed says so.
                let _said_later = own.reserve(slot);
                own.renews.store(false, Ordering::Relaxed);
            });
        }
        true
    }

    /// Reserves on the disk, from a millisecond on. It waits for the disk.
    pub(super) fn reserve(&self, now_ms: u64) -> Result<(), Problem> {
        let Some(mut kept) = self.lock() else { return Ok(()) };
        let last = self.placer.last_ms().max(now_ms);
        let (mark, record) = (kept.mark.max(last + SYNCED), kept.record.clone());
        kept.mark = mark;
        let written = kept.write(self.reserved.load(Ordering::Acquire).max(last));
        drop(kept);
        written.and_then(|()| record.sync()).map_err(|error| record.failed(&error))?;
        if let Some(mut kept) = self.lock() {
            kept.synced = kept.synced.max(mark);
        }
        Ok(())
    }

    fn lock(&self) -> Option<MutexGuard<'_, Reservation>> {
        Some(self.kept.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Reservation {
    fn write(&mut self, last: u64) -> std::io::Result<()> {
        self.record.write(Kept { last, mark: self.mark })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let used = self.placer.last_ms();
        if let Some(mut kept) = self.lock() {
            // What was reserved and not used is given back; if that fails it is passed over.
            let _given_back = kept.write(used);
        }
    }
}
