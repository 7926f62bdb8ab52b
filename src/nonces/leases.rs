//! The leases of a process: a lane for each key, asked for together, and placed in for as long as they
//! are good.
//!
//! One question in seconds serves all keys and all requests. Whoever asks the store takes a [`Round`]
//! from here and brings back what became of it; a request that has no place meanwhile waits for the next.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::Notify;

use super::lease::{Answer, Ask, Bounds, Lease, TERMS, Trip, Trust};
use super::placer::{LEASED, Placer, leased};
use crate::problem::Problem;

/// All of them.
#[derive(Debug)]
pub struct Leases {
    owner: String,
    table: Mutex<Table>,
    told: Condvar,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Table {
    lanes: Vec<(Lease, Arc<LeasedLane>)>,
    trust: Trust,
    /// How many rounds have begun, and how many have ended.
    rounds: (u64, u64),
    /// Why there may be no lease.
    fault: Option<Problem>,
    ends: bool,
}

/// One key's places.
#[derive(Debug)]
pub struct LeasedLane {
    key: String,
    all: Arc<Leases>,
    placing: RwLock<Option<Placing>>,
}

/// A lane and how far its owner may go, which is renewed while others place.
#[derive(Debug)]
struct Placing {
    placer: Placer,
    until: AtomicU64,
    last: AtomicU64,
}

/// What is asked of the store at once.
#[derive(Debug)]
pub struct Round {
    /// Who asks: no other process has this name.
    pub owner: String,
    /// The fingerprint of a key, and what is asked for it.
    pub questions: Vec<(String, Ask)>,
    /// The store's name, where it has held off long enough.
    pub held_off: Option<String>,
    /// Whether it is the last one.
    pub last: bool,
    sent: u64,
}

impl Round {
    /// When it began, by the monotonic clock.
    pub fn sent(&self) -> u64 {
        self.sent
    }
}

/// What the store has said.
#[derive(Clone, Debug)]
pub struct Reply {
    /// For each question.
    pub answers: Vec<Answer>,
    /// The store's name, where it has no memory of leases.
    pub young: Option<String>,
    /// Whether as many replicas have it as were asked for.
    pub confirmed: bool,
}

impl Leases {
    /// None yet, for an owner whose name is made up.
    ///
    /// # Panics
    ///
    /// When the system has no random numbers: two owners of one name would share their lanes.
    pub fn of_nobody_else() -> Self {
        let mut name = [0; 12];
        aws_lc_rs::rand::fill(&mut name).expect("the system has random numbers");
        let owner = base16ct::lower::encode_string(&name);
        let (table, told, wanted) = (Mutex::default(), Condvar::new(), Notify::new());
        Self { owner, table, told, wanted }
    }

    /// The places of a key, for which a lane is asked for from now on.
    pub(super) fn lane(self: &Arc<Self>, key: &str) -> Arc<LeasedLane> {
        let (all, placing) = (Arc::clone(self), RwLock::default());
        let lane = Arc::new(LeasedLane { key: key.to_owned(), all, placing });
        self.lock().lanes.push((Lease::default(), Arc::clone(&lane)));
        self.wanted.notify_one();
        lane
    }

    /// The next question, at this time in milliseconds since 1970.
    pub fn begin(&self, now_ms: u64) -> Round {
        let mut table = self.lock();
        table.rounds.0 += 1;
        let sent = mono_ms();
        let mut questions = Vec::with_capacity(table.lanes.len());
        for (lease, lane) in &table.lanes {
            let ask = if table.ends {
                // Nothing is placed from now on, so that what is said of the last is so.
                lane.stop();
                lease.release(lane.used())
            } else {
                Some(lease.ask((sent, now_ms, lane.used()), &TERMS))
            };
            questions.extend(ask.map(|ask| (lane.key.clone(), ask)));
        }
        let held_off = table.trust.held_off(sent, &TERMS).map(str::to_owned);
        Round { owner: self.owner.clone(), questions, held_off, last: table.ends, sent }
    }

    /// What became of it. Those who wait are told.
    pub fn end(&self, round: &Round, outcome: Result<Reply, Problem>) {
        let mut table = self.lock();
        table.rounds.1 = table.rounds.0;
        let trip = Trip { sent: round.sent, received: mono_ms() };
        table.fault = match outcome {
            Ok(reply) => table.answered(round, &reply, trip),
            Err(problem) => {
                table.trust.unanswered();
                Some(problem)
            }
        };
        drop(table);
        self.told.notify_all();
    }

    /// Until somebody waits for a lease.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Gives everything back with the next round, which is the last.
    pub fn stop(&self) {
        self.lock().ends = true;
        self.wanted.notify_one();
    }

    /// For how many keys there is no place now.
    pub fn missing(&self) -> usize {
        let table = self.lock();
        table.lanes.iter().filter(|(_, lane)| !lane.is_good()).count()
    }

    /// Waits for a round that has begun after now, at the latest for `limit`; it blocks its thread. Why
    /// there may still be no lease.
    pub fn settle(&self, limit: Duration) -> Option<Problem> {
        let begun = Instant::now();
        let mut table = self.lock();
        let next = table.rounds.0 + 1;
        self.wanted.notify_one();
        while table.rounds.1 < next {
            let left = limit.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Some(late(limit));
            }
            let waited = self.told.wait_timeout(table, left);
            table = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        table.fault.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Takes the answers in; why there may be no lease all the same.
    fn answered(&mut self, round: &Round, reply: &Reply, trip: Trip) -> Option<Problem> {
        if let Some(name) = &reply.young {
            self.trust.young(name, trip);
        }
        let trusted = self.trust.extends(reply.confirmed, trip, &TERMS);
        for ((key, ask), answer) in round.questions.iter().zip(&reply.answers) {
            let known = self.lanes.iter_mut().find(|(_, lane)| lane.key == *key);
            let (lease, lane) = known.expect("a lane is never removed");
            let begin = lease.told((*ask, *answer), trip, trusted, &TERMS);
            lane.follow(lease, begin);
        }
        let full = || {
            let lacks = |(lease, _): &&(Lease, Arc<LeasedLane>)| lease.held().is_none();
            self.lanes.iter().find(lacks).map(|(_, lane)| full(&lane.key))
        };
        if !trip.is_prompt(&TERMS) {
            return Some(late(Duration::from_millis(TERMS.late)));
        }
        if reply.young.is_some() {
            return Some(young(self.trust.holds_off(trip.received, &TERMS).unwrap_or_default()));
        }
        if trusted { full() } else { Some(unconfirmed()) }
    }
}

impl LeasedLane {
    /// A place, where the lease allows for it.
    pub(super) fn place(&self, now_ms: u64) -> Option<u64> {
        let placing = self.placing.read().unwrap_or_else(PoisonError::into_inner);
        let placing = placing.as_ref()?;
        let (place, slot) = placing.placer.place(now_ms);
        // Looked at after the place is taken, so that a pause between the two repeats none.
        placing.bounds().allow(mono_ms(), slot).then_some(place)
    }

    /// A place, once the next round has brought a lease.
    ///
    /// # Errors
    ///
    /// Why it brought none.
    pub(super) fn wait(&self, now_ms: u64, limit: Duration) -> Result<u64, Problem> {
        if let Some(place) = self.place(now_ms) {
            return Ok(place);
        }
        let fault = self.all.settle(limit);
        self.place(now_ms).ok_or_else(|| fault.unwrap_or_else(|| late(limit)))
    }

    /// Why there is no place now; nothing where there is one.
    pub(super) fn fault(&self) -> Option<Problem> {
        let fault = || self.all.lock().fault.clone();
        (!self.is_good()).then(|| fault().unwrap_or_else(|| late(Duration::ZERO)))
    }

    fn is_good(&self) -> bool {
        let placing = self.placing.read().unwrap_or_else(PoisonError::into_inner);
        placing.as_ref().is_some_and(|placing| placing.bounds().allow(mono_ms(), 0))
    }

    /// Places as the lease has it, from `begin` on where the lane is new.
    fn follow(&self, lease: &Lease, begin: Option<u64>) {
        let mut placing = self.placing.write().unwrap_or_else(PoisonError::into_inner);
        if let (Some(begin), Some(held)) = (begin, lease.held()) {
            let placer = Placer::after_ms(begin, leased(held.lane));
            *placing = Some(Placing { placer, until: AtomicU64::new(0), last: AtomicU64::new(0) });
        }
        if let Some(placing) = &*placing {
            let Bounds { until, last } = lease.bounds();
            placing.last.store(last, Ordering::Release);
            placing.until.store(until, Ordering::Release);
        }
    }

    fn stop(&self) {
        // Nobody has the lock for reading then, and so is between a place and its look.
        let placing = self.placing.write().unwrap_or_else(PoisonError::into_inner);
        placing.iter().for_each(|placing| placing.until.store(0, Ordering::Release));
    }

    /// The last millisecond that was placed in.
    fn used(&self) -> u64 {
        let placing = self.placing.read().unwrap_or_else(PoisonError::into_inner);
        placing.as_ref().map_or(0, |placing| placing.placer.last_ms())
    }
}

impl Placing {
    fn bounds(&self) -> Bounds {
        let until = self.until.load(Ordering::Acquire);
        Bounds { until, last: self.last.load(Ordering::Acquire) }
    }
}

/// Milliseconds since the machine's start, by a clock that nobody sets and that goes on while the
/// machine sleeps.
fn mono_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let part = |number: i64| u64::try_from(number).unwrap_or_default();
    part(now.tv_sec) * 1000 + part(now.tv_nsec) / 1_000_000
}

const LOOK: &str = "see that shared.redis can be reached; it is asked again at once";

fn late(limit: Duration) -> Problem {
    Problem::new(format!("no lease of nonces came within {limit:?}"), LOOK)
}

fn young(left_ms: u64) -> Problem {
    let what = format!(
        "shared.redis has no memory of leases, as when it is new or was emptied: it grants none for \
         another {} s, until those that it gave before have ended",
        left_ms.div_ceil(1000)
    );
    Problem::new(what, "wait; and let it keep what it has (appendonly yes)")
}

fn unconfirmed() -> Problem {
    let what = "fewer replicas than shared.replicas have confirmed the lease of nonces";
    Problem::new(what, "see that the replicas of shared.redis follow it")
}

fn full(key: &str) -> Problem {
    let what =
        format!("{LEASED} processes sign with the key {key}, and have all the lanes there are");
    Problem::new(what, "stop some; what was killed keeps its lane for some seconds")
}
