//! The leases of a process: a lane for each key, asked for together, and placed in for as long as they
//! are good. A key's turn is a lane that there is one of, asked for while a request waits for it.
//!
//! One question in seconds serves all keys and all requests. Whoever asks the store takes a [`Round`]
//! from here and brings back what became of it; a request that has no place meanwhile waits for the next.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::Notify;

use super::counter::Unit;
use super::kinds::{Kind, Lane};
use super::lease::{Answer, Ask, Bounds, Lease, TERMS, Trip, Trust};
use super::placer::Drawn;
use super::turn::Turn;
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
    /// Why the store grants no lease.
    fault: Option<Problem>,
    /// That others have all the lanes of a key. For a turn that is as it should be.
    full: Option<Problem>,
    ends: bool,
}

/// One key's places, numbers, or turn.
#[derive(Debug)]
pub struct LeasedLane {
    /// The key's fingerprint.
    fingerprint: String,
    /// What the store calls it.
    key: String,
    kind: Kind,
    all: Arc<Leases>,
    placing: RwLock<Option<Placing>>,
    turn: Turn,
}

/// A lane and how far its owner may go, which is renewed while others place.
#[derive(Debug)]
struct Placing {
    lane: Lane,
    until: AtomicU64,
    last: AtomicU64,
}

/// What is asked for one key.
#[derive(Clone, Debug)]
pub struct Question {
    /// What the store calls it.
    pub key: String,
    /// How many lanes there are.
    pub lanes: u64,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked of the store at once.
#[derive(Debug)]
pub struct Round {
    /// Who asks: no other process has this name.
    pub owner: String,
    /// What is asked for each key.
    pub questions: Vec<Question>,
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

    /// What a key has of this kind, which is asked for from now on; the same whoever asks.
    pub(super) fn lane(self: &Arc<Self>, fingerprint: &str, kind: Kind) -> Arc<LeasedLane> {
        let key = kind.of(fingerprint);
        let mut table = self.lock();
        if let Some((_, known)) = table.lanes.iter().find(|(_, lane)| lane.key == key) {
            return Arc::clone(known);
        }
        let (all, placing) = (Arc::clone(self), RwLock::default());
        let (fingerprint, turn) = (fingerprint.to_owned(), Turn::default());
        let lane = Arc::new(LeasedLane { fingerprint, key, kind, all, placing, turn });
        table.lanes.push((Lease::default(), Arc::clone(&lane)));
        self.wanted.notify_one();
        lane
    }

    /// The next question, at this time in milliseconds since 1970.
    pub fn begin(&self, now_ms: u64) -> Round {
        let mut table = self.lock();
        table.rounds.0 += 1;
        let (sent, last) = (mono_ms(), table.ends);
        let mut questions = Vec::with_capacity(table.lanes.len());
        for (lease, lane) in &mut table.lanes {
            if last || lane.turn.leaves() {
                // Nothing is placed from now on, so that what is said of the last is so.
                lane.stop();
                lease.give_back(lane.used());
            }
            let idle = lane.kind == Kind::Turn && !lane.turn.waits();
            if lease.held().is_some() || !(last || idle) {
                let ask = lease.ask((sent, now_ms, lane.used()), &TERMS);
                questions.push(Question { key: lane.key.clone(), lanes: lane.kind.lanes(), ask });
            }
        }
        let held_off = table.trust.held_off(sent, &TERMS).map(str::to_owned);
        Round { owner: self.owner.clone(), questions, held_off, last, sent }
    }

    /// How long to wait before the next question, as far as turns want it sooner than others.
    pub fn pause(&self) -> Option<Duration> {
        let table = self.lock();
        let turns = |(lease, lane): &(Lease, Arc<LeasedLane>)| {
            lane.kind == Kind::Turn && (lease.held().is_some() || lane.turn.waits())
        };
        table.lanes.iter().any(turns).then_some(TURNS)
    }

    /// What became of it. Those who wait are told.
    pub fn end(&self, round: &Round, outcome: Result<Reply, Problem>) {
        let mut table = self.lock();
        table.rounds.1 = table.rounds.0;
        let trip = Trip { sent: round.sent, received: mono_ms() };
        let answered = outcome.is_ok();
        table.fault = match outcome {
            Ok(reply) => table.answered(round, &reply, trip),
            Err(problem) => {
                table.trust.unanswered();
                Some(problem)
            }
        };
        for (_, lane) in &table.lanes {
            lane.turn.tell();
            // Where there was no answer it is asked again soon enough.
            if answered && lane.turn.leaves() {
                self.wanted.notify_one();
            }
        }
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
        table.lanes.iter().filter(|(_, lane)| lane.lacks(&table)).count()
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
        table.why()
    }

    /// Looks what has become of this round, or asks for it where it has not begun.
    fn hopes(&self, round: u64) -> Result<(), Problem> {
        let table = self.lock();
        if table.rounds.0 < round {
            self.wanted.notify_one();
        }
        match &table.fault {
            Some(fault) if table.rounds.1 >= round => Err(fault.clone()),
            _ => Ok(()),
        }
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
        for (Question { key, ask, .. }, answer) in round.questions.iter().zip(&reply.answers) {
            let known = self.lanes.iter_mut().find(|(_, lane)| lane.key == *key);
            let (lease, lane) = known.expect("a lane is never removed");
            let begin = lease.told((*ask, *answer), trip, trusted, &TERMS);
            lane.follow(lease, begin);
            lane.turn.want(*answer == Answer::Wanted);
        }
        if !trip.is_prompt(&TERMS) {
            return Some(late(Duration::from_millis(TERMS.late)));
        }
        if reply.young.is_some() {
            return Some(young(self.trust.holds_off(trip.received, &TERMS).unwrap_or_default()));
        }
        let lacks = |(lease, lane): &&(Lease, Arc<LeasedLane>)| {
            lease.held().is_none() && lane.kind != Kind::Turn
        };
        self.full = self.lanes.iter().find(lacks).map(|(_, lane)| full(lane));
        (!trusted).then(unconfirmed)
    }

    /// Why there may be no lease.
    fn why(&self) -> Option<Problem> {
        self.fault.clone().or_else(|| self.full.clone())
    }
}

impl LeasedLane {
    /// A place, or a number of this unit, where the lease allows for it.
    pub(super) fn draw(&self, now_ms: u64, unit: Option<Unit>) -> Option<Drawn> {
        let placing = self.placing.read().unwrap_or_else(PoisonError::into_inner);
        let placing = placing.as_ref()?;
        let allows = |slot| placing.bounds().allow(mono_ms(), slot);
        let (drawn, slot) = placing.lane.draw((now_ms, unit), allows)?;
        // Looked at after the place is taken, so that a pause between the two repeats none.
        allows(slot).then_some(drawn)
    }

    /// The same, once the next round has brought a lease.
    ///
    /// # Errors
    ///
    /// Why it brought none.
    pub(super) fn wait(
        &self,
        (now_ms, unit): (u64, Option<Unit>),
        limit: Duration,
    ) -> Result<Drawn, Problem> {
        if let Some(drawn) = self.draw(now_ms, unit) {
            return Ok(drawn);
        }
        let fault = self.all.settle(limit);
        self.draw(now_ms, unit).ok_or_else(|| fault.unwrap_or_else(|| late(limit)))
    }

    /// The turn, once the process has it and no others that wait for it are before this request.
    ///
    /// # Errors
    ///
    /// Why the store grants nobody a turn.
    pub(super) async fn turn(self: &Arc<Self>) -> Result<Held, Problem> {
        let waits = self.turn.wait();
        let next = self.all.lock().rounds.0 + 1;
        loop {
            if self.turn.begin(|| self.is_good()) {
                return Ok(Held(Arc::clone(self)));
            }
            self.all.hopes(next)?;
            waits.told().await;
        }
    }

    /// Why there is no place now; nothing where there is one, or where there will be one on demand.
    pub(super) fn fault(&self) -> Option<Problem> {
        let table = self.all.lock();
        self.lacks(&table).then(|| table.why().unwrap_or_else(|| late(Duration::ZERO)))
    }

    /// Whether a request that comes now has to wait for the store. A turn is another's at times.
    fn lacks(&self, table: &Table) -> bool {
        !self.is_good() && (self.kind != Kind::Turn || table.fault.is_some())
    }

    fn is_good(&self) -> bool {
        let placing = self.placing.read().unwrap_or_else(PoisonError::into_inner);
        placing.as_ref().is_some_and(|placing| placing.bounds().allow(mono_ms(), 0))
    }

    /// Places as the lease has it, from `begin` on where the lane is new.
    fn follow(&self, lease: &Lease, begin: Option<u64>) {
        let mut placing = self.placing.write().unwrap_or_else(PoisonError::into_inner);
        if let (Some(begin), Some(held)) = (begin, lease.held()) {
            let before = placing.as_ref().map(|placing| &placing.lane);
            let lane = self.kind.lane(begin, held.lane, before);
            *placing = Some(Placing { lane, until: AtomicU64::new(0), last: AtomicU64::new(0) });
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
        placing.as_ref().map_or(0, |placing| placing.lane.last_ms())
    }
}

impl Placing {
    fn bounds(&self) -> Bounds {
        let until = self.until.load(Ordering::Acquire);
        Bounds { until, last: self.last.load(Ordering::Acquire) }
    }
}

/// A key's turn, from when the process has it until this is dropped.
#[derive(Debug)]
pub(super) struct Held(Arc<LeasedLane>);

impl Held {
    /// Whether no other process can have it.
    pub(super) fn is_good(&self) -> bool {
        self.0.is_good()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.turn.end() {
            self.0.all.wanted.notify_one();
        }
    }
}

/// How often is asked while a turn is had or waited for.
const TURNS: Duration = Duration::from_secs(1);

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

fn full(lane: &LeasedLane) -> Problem {
    let what = format!(
        "{} processes sign with the key {}, and have all the lanes there are",
        lane.kind.lanes(),
        lane.fingerprint
    );
    Problem::new(what, "stop some; what was killed keeps its lane for some seconds")
}
