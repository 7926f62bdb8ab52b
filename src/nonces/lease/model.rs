//! Every way in which three processes, a store and a network can meet over one lane: which of them
//! takes the next step is tried in every order, with two pauses of any length in any place, questions
//! that come to the store after everybody has given them up, a lane that is given back and asked for again,
//! a store that forgets everything, and a wall clock that is set back. One lane of one place in each
//! millisecond, and clocks of few ticks.
//!
//! The processes run the code of [`super`]; store and network are written here from what they promise.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher as _};

use super::*;

const SMALL: Terms = Terms { lease: 3, late: 1, margin: 1, hold_off: 5 };
const PROCESSES: usize = 3;
/// Behind zero, so that a clock can be set back.
const EPOCH: u64 = 2;

/// What is explored.
#[derive(Clone, Copy)]
struct Scope {
    processes: usize,
    ticks: u64,
    pauses: u8,
    /// Whether the store forgets everything, once.
    forgets: bool,
    /// Whether a process's clock is set back by one, once.
    set_back: bool,
    /// How many questions or answers are late.
    delays: u8,
    /// How many times a lane is given back, whenever.
    returns: u8,
    /// How many requests there are: two of them make a place that is used twice.
    requests: u8,
    terms: Terms,
    /// The mistake: looked at before the place is taken, not after.
    before: bool,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Step {
    Idle,
    /// A place was taken, in this millisecond.
    Taken(u64),
    /// The mistake: the lease was looked at, and no place was taken yet.
    Looked,
}

/// A question under way.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Call {
    sent: u64,
    ask: Ask,
    held_off: Option<u8>,
    answer: Option<(Answer, Option<u8>)>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Process {
    lease: Lease,
    trust: Trust,
    /// The last millisecond that was placed in.
    placed: u64,
    step: Step,
    call: Option<Call>,
    next_call: u64,
    paused: bool,
    behind: u64,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Lane {
    owner: usize,
    fence: u64,
    until: u64,
    last: u64,
}

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Store {
    lane: Option<Lane>,
    fence: u64,
    /// A name, and whether it was held off.
    epoch: Option<(u8, bool)>,
    named: u8,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct World {
    time: u64,
    processes: [Process; PROCESSES],
    store: Store,
    /// A bit for each millisecond that somebody used the place of.
    used: u64,
    /// Questions that were given up, on their way.
    ghosts: Vec<(usize, Call)>,
    pauses: u8,
    forgets: bool,
    set_back: bool,
    delays: u8,
    returns: u8,
    requests: u8,
}

impl Store {
    /// What the script does, at a time.
    fn run(&mut self, owner: usize, call: &Call, time: u64, terms: &Terms) -> Answer {
        if self.epoch.is_none() {
            self.named += 1;
            self.epoch = Some((self.named, false));
        }
        let (name, old) = self.epoch.as_mut().expect("it was made");
        *old |= call.held_off == Some(*name);
        let young = !*old;
        let is = |lane: &Lane, held: Held| lane.owner == owner && lane.fence == held.fence;
        match (call.ask, &mut self.lane) {
            (Ask::Renew { held, last, .. }, Some(lane)) if is(lane, held) => {
                (lane.until, lane.last) = (time + terms.lease, lane.last.max(last));
                Answer::Done
            }
            (Ask::Renew { held, last, valid: true }, None) if young => {
                let (fence, until) = (held.fence, time + terms.lease);
                self.fence = self.fence.max(fence);
                self.lane = Some(Lane { owner, fence, until, last });
                Answer::Done
            }
            (Ask::Release { held, last }, Some(lane)) if is(lane, held) => {
                (lane.until, lane.last, lane.owner) = (0, last, PROCESSES);
                Answer::Done
            }
            // Whoever has lost a lane may have another at once.
            (Ask::Renew { last, .. }, _) => {
                let taken = self.take((owner, last - terms.lease), (young, time), terms);
                if taken == Answer::None { Answer::Lost } else { taken }
            }
            (Ask::Release { .. }, _) => Answer::Lost,
            (Ask::Take { now }, _) => self.take((owner, now), (young, time), terms),
        }
    }

    fn take(
        &mut self,
        (owner, now): (usize, u64),
        (young, time): (bool, u64),
        terms: &Terms,
    ) -> Answer {
        if young || self.lane.as_ref().is_some_and(|lane| lane.until > time) {
            return Answer::None;
        }
        let begin = self.lane.as_ref().map_or(now, |lane| lane.last.max(now));
        self.fence += 1;
        let (fence, last, until) = (self.fence, begin + terms.lease, time + terms.lease);
        self.lane = Some(Lane { owner, fence, until, last });
        Answer::Granted { held: Held { lane: 0, fence }, begin, last }
    }

    fn young(&self) -> Option<u8> {
        self.epoch.filter(|(_, old)| !old).map(|(name, _)| name)
    }
}

impl World {
    fn new(scope: &Scope) -> Self {
        let process = Process {
            lease: Lease::default(),
            trust: Trust::default(),
            placed: 0,
            step: Step::Idle,
            call: None,
            next_call: 0,
            paused: false,
            behind: 0,
        };
        Self {
            time: EPOCH,
            processes: [(); PROCESSES].map(|()| process.clone()),
            store: Store { epoch: Some((0, true)), ..Store::default() },
            used: 0,
            ghosts: Vec::new(),
            pauses: scope.pauses,
            forgets: scope.forgets,
            set_back: scope.set_back,
            delays: scope.delays,
            returns: scope.returns,
            requests: scope.requests,
        }
    }

    /// Every world that one step leads to; an error where two have used one place.
    fn next(&self, scope: &Scope) -> Result<Vec<Self>, String> {
        let mut found = Vec::new();
        for at in 0..scope.processes {
            if self.processes[at].paused {
                found.push(self.with(|world| world.processes[at].paused = false));
                continue;
            }
            let process = &self.processes[at];
            let between = process.step != Step::Idle || process.call.is_some();
            if self.pauses > 0 && between {
                found.push(self.with(|world| {
                    (world.processes[at].paused, world.pauses) = (true, world.pauses - 1);
                }));
            }
            found.extend(self.place(at, scope)?);
            found.extend(self.give_back(at));
            found.extend(self.talk(at, scope));
        }
        self.surroundings(scope, &mut found);
        Ok(found)
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut next = self.clone();
        change(&mut next);
        next
    }

    /// A request takes its next step.
    fn place(&self, at: usize, scope: &Scope) -> Result<Option<Self>, String> {
        let process = &self.processes[at];
        let slot = (self.time - process.behind).max(process.placed + 1);
        let allows = |slot| process.lease.bounds().allow(self.time, slot);
        let goes = |step| {
            self.with(|world| {
                world.processes[at].step = step;
                if let Step::Taken(slot) = step {
                    world.processes[at].placed = slot;
                }
                world.requests -= u8::from(process.step == Step::Idle);
            })
        };
        Ok(match process.step {
            Step::Idle if self.requests == 0 || process.lease.held().is_none() => None,
            Step::Idle if !scope.before => Some(goes(Step::Taken(slot))),
            Step::Idle => allows(slot).then(|| goes(Step::Looked)),
            Step::Taken(slot) if !allows(slot) => Some(goes(Step::Idle)),
            Step::Taken(_) | Step::Looked => {
                let slot = if let Step::Taken(taken) = process.step { taken } else { slot };
                if self.used & 1 << slot != 0 {
                    return Err(format!("process {at} uses {slot} again: {self:#?}"));
                }
                let mut next = goes(Step::Idle);
                next.used |= 1 << slot;
                next.processes[at].placed = process.placed.max(slot);
                Some(next)
            }
        })
    }

    /// A process stops and gives its lane back with its next question, which it asks at once.
    fn give_back(&self, at: usize) -> Option<Self> {
        let process = &self.processes[at];
        (self.returns > 0 && process.lease.held().is_some()).then(|| {
            self.with(|world| {
                let process = &mut world.processes[at];
                process.lease.give_back(process.placed);
                (process.next_call, world.returns) = (world.time, world.returns - 1);
            })
        })
    }

    /// A process asks the store, or does not; an answer comes at once, or question or answer are late.
    fn talk(&self, at: usize, scope: &Scope) -> Vec<Self> {
        let (process, terms) = (&self.processes[at], &scope.terms);
        match &process.call {
            None if self.time < process.next_call => Vec::new(),
            None => {
                let times = (self.time, self.time - process.behind, process.placed);
                let held_off = process.trust.held_off(self.time, terms);
                let call = Call {
                    sent: self.time,
                    ask: process.lease.ask(times, terms),
                    held_off: held_off.map(|name| name.parse().expect("it was a number")),
                    answer: None,
                };
                let sent = self.with(|world| world.processes[at].call = Some(call));
                let answered = sent.asked(at, terms);
                let mut found = vec![answered.heard(at, terms)];
                if self.delays > 0 {
                    let late = [sent, answered].map(|world| world.with(|world| world.delays -= 1));
                    found.extend(late);
                }
                found
            }
            Some(Call { answer: None, .. }) => vec![self.asked(at, terms)],
            Some(_) => vec![self.heard(at, terms)],
        }
    }

    /// A question comes to the store.
    fn asked(&self, at: usize, terms: &Terms) -> Self {
        self.with(|world| {
            let call = world.processes[at].call.as_mut().expect("it was sent");
            let answer = world.store.run(at, call, world.time, terms);
            call.answer = Some((answer, world.store.young()));
        })
    }

    /// Its answer comes back.
    fn heard(&self, at: usize, terms: &Terms) -> Self {
        self.with(|world| {
            let process = &mut world.processes[at];
            let call = process.call.take().expect("it was sent");
            let (answer, young) = call.answer.expect("it was answered");
            let trip = Trip { sent: call.sent, received: world.time };
            if let Some(name) = young {
                process.trust.young(&name.to_string(), trip);
            }
            if let Some(begin) = process.lease.told((call.ask, answer), trip, true, terms) {
                (process.placed, process.step) = (begin, Step::Idle);
            }
            process.next_call = world.time + 1 + u64::from(process.lease.held().is_some());
        })
    }

    /// Time, and what else befalls everybody.
    fn surroundings(&self, scope: &Scope, found: &mut Vec<Self>) {
        let busy = |process: &Process| !process.paused && process.step != Step::Idle;
        if self.time < EPOCH + scope.ticks && !self.processes.iter().any(busy) {
            found.push(self.with(|world| {
                world.time += 1;
                for (at, process) in world.processes.iter_mut().enumerate() {
                    let late = |call: &mut Call| call.sent + scope.terms.late < world.time;
                    // Nobody waits for it any more, and it may come to the store all the same.
                    let given_up = process.call.take_if(late);
                    world.ghosts.extend(given_up.filter(|c| c.answer.is_none()).map(|c| (at, c)));
                }
            }));
        }
        if self.forgets {
            found.push(self.with(|world| {
                let named = world.store.named;
                (world.store, world.forgets) = (Store { named, ..Store::default() }, false);
            }));
        }
        for at in (0..scope.processes).filter(|_| self.set_back) {
            found.push(self.with(|world| {
                (world.processes[at].behind, world.set_back) = (1, false);
            }));
        }
        if !self.ghosts.is_empty() {
            found.push(self.with(|world| {
                let (at, call) = world.ghosts.remove(0);
                world.store.run(at, &call, world.time, &scope.terms);
            }));
        }
    }
}

impl World {
    /// What it is, whichever of the processes is called the first.
    fn identity(&self) -> u64 {
        let of = |at: usize, process: &Process| {
            let owns = self.store.lane.as_ref().is_some_and(|lane| lane.owner == at);
            let own = |(of, call): &(usize, Call)| (*of == at).then(|| call.clone());
            hash(&(process, owns, self.ghosts.iter().filter_map(own).collect::<Vec<_>>()))
        };
        let mut processes: Vec<_> =
            self.processes.iter().enumerate().map(|(at, process)| of(at, process)).collect();
        processes.sort_unstable();
        let Store { lane, fence, epoch, named } = &self.store;
        let lane = lane.as_ref().map(|lane| (lane.fence, lane.until, lane.last));
        let left =
            (self.pauses, self.forgets, self.set_back, self.delays, self.returns, self.requests);
        hash(&(self.time, processes, (lane, fence, epoch, named), self.used, left))
    }
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Goes through all worlds; how many there are, or how two came to use one place.
fn explore(scope: &Scope) -> Result<usize, String> {
    let mut known = HashSet::new();
    let mut left = vec![World::new(scope)];
    while let Some(world) = left.pop() {
        left.extend(world.next(scope)?.into_iter().filter(|next| known.insert(next.identity())));
    }
    Ok(known.len())
}

/// Three, of which two pauses are made, wherever they hurt most.
const PAUSES: Scope = Scope {
    processes: 3,
    ticks: 5,
    pauses: 2,
    forgets: false,
    set_back: false,
    delays: 0,
    returns: 0,
    requests: 2,
    terms: SMALL,
    before: false,
};

/// Two, whose store forgets everything, and whose clocks are not alike.
const FORGETS: Scope =
    Scope { processes: 2, ticks: 6, pauses: 0, forgets: true, set_back: true, ..PAUSES };
/// Two, whose questions and answers are late.
const LATE: Scope = Scope { processes: 2, ticks: 5, pauses: 1, delays: 1, ..PAUSES };
/// Two, one of which gives its lane back, also while a question is on its way.
const RETURNS: Scope = Scope { ticks: 3, pauses: 0, returns: 1, ..LATE };
/// Three, one of which gives its lane back, and one of which is paused.
const HANDED: Scope = Scope { ticks: 3, pauses: 1, returns: 1, ..PAUSES };

#[test]
fn no_place_of_a_window_has_two_owners() {
    for (scope, least) in
        [(PAUSES, 70_000), (FORGETS, 50_000), (LATE, 5_000), (RETURNS, 40_000), (HANDED, 40_000)]
    {
        let worlds = explore(&scope).unwrap();
        assert!(worlds > least, "only {worlds} worlds");
    }
}

#[test]
fn a_lease_that_is_looked_at_before_the_place_is_taken_is_found_out() {
    let broken = Scope { before: true, ..PAUSES };
    let found = explore(&broken).unwrap_err();
    assert!(found.contains(" again: World"), "{found}");
}

#[test]
fn a_store_that_has_forgotten_and_grants_at_once_is_found_out() {
    let broken = Scope { terms: Terms { hold_off: 0, ..SMALL }, ticks: 4, ..FORGETS };
    let found = explore(&broken).unwrap_err();
    assert!(found.contains(" again: World"), "{found}");
}
