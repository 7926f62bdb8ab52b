//! Nonces of keys: numbers that increase, and places that nobody else has, kept in a state directory
//! across restarts and shared by the processes of a machine.
//!
//! A key's [`Source`] is one for the process, so that neither a reload nor two routes with one key
//! repeat a nonce; its files have the name of the key's fingerprint. Processes of several machines
//! [lease](Leases) their places, numbers and turns from a store that they share, and keep nothing.

mod counter;
mod directory;
mod kinds;
mod lane;
mod lease;
mod leases;
mod numbers;
mod order;
mod part;
mod placer;
mod record;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

pub use counter::{Counter, Unit};
use directory::{Directory, Fault};
use kinds::Kind;
pub use lane::Lane;
pub use lease::{Answer, Ask, Held, TERMS, Terms};
pub use leases::{LeasedLane, Leases, Question, Reply, Round};
use numbers::STRIDE;
pub use order::{Order, Taken};
pub use part::Part;
pub use placer::{Drawn, NONCES, Replica, WINDOW_MS};

use crate::problem::Problem;

/// What a scheme wants of its nonces.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Counting {
    /// It has none.
    Nothing,
    /// None is taken twice.
    Once,
    /// Each is larger than the one before.
    Increasing(Unit),
}

impl Counting {
    /// Whether a lease lasts for too little to have a number of each lane in it, so that replicas need
    /// their turns.
    pub fn needs_turns(self) -> bool {
        matches!(self, Self::Increasing(unit) if unit.ms.saturating_mul(STRIDE) >= TERMS.lease)
    }
}

/// Where the state of keys is kept.
#[derive(Clone, Debug, Default)]
pub enum Keeping {
    /// Nowhere, and nobody is told: for those who send nothing.
    #[default]
    Nowhere,
    /// In this directory. One that the configuration names may be shared by users.
    In {
        /// The directory; it is made where it is not there.
        path: PathBuf,
        /// Whether the configuration names it.
        named: bool,
    },
    /// Nothing says where.
    Unknown,
}

/// The sources of a process.
#[derive(Debug, Default)]
pub struct Nonces {
    keeping: Keeping,
    replica: Replica,
    leases: Option<Arc<Leases>>,
    directory: OnceLock<Result<Directory, Fault>>,
    opened: Mutex<Opened>,
}

/// Each with why it is not kept, where it should be.
#[derive(Debug, Default)]
struct Opened {
    sources: HashMap<(String, Counting, bool), (Source, Option<Problem>)>,
    orders: HashMap<String, (Arc<Order>, Option<Problem>)>,
}

/// Where a key's nonces come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Each once.
    Once(Arc<Lane>),
    /// Of a lane that is leased: each once, or each larger than the one before and of this unit.
    Leased(Arc<LeasedLane>, Option<Unit>),
    /// Each larger than the one before.
    Increasing(Arc<Counter>),
}

impl Source {
    /// Places of a replica's share that nobody keeps.
    pub fn unkept(now_ms: u64, replica: Replica) -> Self {
        Self::Once(Arc::new(Lane::unkept(now_ms, replica)))
    }

    /// The next one, at a time in milliseconds since 1970; none where others or the disk have to be
    /// [waited](Self::wait) for.
    pub fn draw(&self, now_ms: u64) -> Option<Drawn> {
        match self {
            Self::Once(lane) => lane.place(now_ms).map(Drawn::Place),
            Self::Leased(lane, unit) => lane.draw(now_ms, *unit),
            Self::Increasing(counter) => counter.next(now_ms).map(Drawn::Number),
        }
    }

    /// The next one, at the latest after `limit` and a disk's time; it blocks its thread.
    ///
    /// # Errors
    ///
    /// What keeps the state from being written.
    pub fn wait(&self, now_ms: u64, limit: Duration) -> Result<Drawn, Problem> {
        match self {
            Self::Once(lane) => loop {
                if let Some(place) = lane.place(now_ms) {
                    return Ok(Drawn::Place(place));
                }
                lane.reserve(now_ms)?;
            },
            Self::Leased(lane, unit) => lane.wait((now_ms, *unit), limit),
            Self::Increasing(counter) => counter.wait(now_ms, limit).map(Drawn::Number),
        }
    }

    /// Why there is none now, where that is known without drawing.
    pub fn fault(&self) -> Option<Problem> {
        match self {
            Self::Leased(lane, _) => lane.fault(),
            Self::Once(_) | Self::Increasing(_) => None,
        }
    }
}

impl Nonces {
    /// With a place for their state, for this replica.
    pub fn new(keeping: Keeping, replica: Replica) -> Self {
        Self { keeping, replica, ..Self::default() }
    }

    /// The same, but of lanes and with turns that are leased.
    pub fn leasing(self, leases: Leases) -> Self {
        Self { leases: Some(Arc::new(leases)), ..self }
    }

    /// The leases, where there are such.
    pub fn leases(&self) -> Option<&Arc<Leases>> {
        self.leases.as_ref()
    }

    /// This process's share, where nothing is leased.
    pub fn replica(&self) -> Replica {
        self.replica
    }

    /// The source of a key whose requests are `ordered` or not, and why it is not kept where it should be.
    /// `now_ms` is the present, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// When the directory that the configuration names is not safe.
    pub fn source(
        &self,
        fingerprint: &str,
        (counting, ordered): (Counting, bool),
        now_ms: u64,
    ) -> Result<(Source, Option<Problem>), Problem> {
        let mut opened = self.lock();
        // Who has the turn has all numbers. A counter of one machine is the same either way.
        let slot = (fingerprint.to_owned(), counting, ordered && self.leases.is_some());
        if let Some(known) = opened.sources.get(&slot) {
            return Ok(known.clone());
        }
        let leased = |leases: &Arc<Leases>| leased(leases, fingerprint, counting, ordered);
        let found = match (self.leases.as_ref().and_then(leased), counting) {
            (Some(source), _) => (source, None),
            (None, Counting::Nothing) => (Source::unkept(now_ms, self.replica), None),
            (None, Counting::Once) => self.once(fingerprint, now_ms)?,
            (None, Counting::Increasing(unit)) => self.increasing(fingerprint, unit, now_ms)?,
        };
        opened.sources.insert(slot, found.clone());
        Ok(found)
    }

    fn once(&self, key: &str, now_ms: u64) -> Result<(Source, Option<Problem>), Problem> {
        let lane = |lane, problem| (Source::Once(Arc::new(lane)), problem);
        if matches!(self.keeping, Keeping::Nowhere) {
            return Ok((Source::unkept(now_ms, self.replica), None));
        }
        let taken = match self.directory()? {
            Ok(directory) => Lane::take(directory, &file_name(key), now_ms, self.replica),
            Err(problem) => Err(problem),
        };
        let taken = taken.and_then(|taken| {
            let taken = taken.ok_or_else(|| no_lane(key))?;
            // The first request shall not have to wait for the disk.
            taken.reserve(now_ms).map(|()| taken)
        });
        Ok(match taken {
            Ok(taken) => lane(taken, None),
            Err(problem) => lane(Lane::at_random(now_ms, self.replica), Some(problem)),
        })
    }

    fn increasing(
        &self,
        key: &str,
        unit: Unit,
        now_ms: u64,
    ) -> Result<(Source, Option<Problem>), Problem> {
        let source = |counter| Source::Increasing(Arc::new(counter));
        if matches!(self.keeping, Keeping::Nowhere) {
            return Ok((source(Counter::unkept(unit)), None));
        }
        let opened = self.directory()?;
        let opened = opened.and_then(|directory| {
            let counter = Counter::open(directory, &file_name(key), unit)?;
            counter.prepare(now_ms).map(|()| counter)
        });
        Ok(match opened {
            Ok(counter) => (source(counter), None),
            Err(problem) => (source(Counter::unkept(unit)), Some(problem)),
        })
    }

    /// The order of a key's requests, and why other processes do not keep to it where they should.
    ///
    /// # Errors
    ///
    /// As [`Self::source`].
    pub fn order(&self, fingerprint: &str) -> Result<(Arc<Order>, Option<Problem>), Problem> {
        let mut opened = self.lock();
        if let Some(known) = opened.orders.get(fingerprint) {
            return Ok(known.clone());
        }
        let turn = self.leases.as_ref().map(|leases| leases.lane(fingerprint, Kind::Turn));
        let file = if turn.is_some() || matches!(self.keeping, Keeping::Nowhere) {
            Ok(None)
        } else {
            let name = format!("{}.order", file_name(fingerprint));
            self.directory()?.and_then(|directory| directory.file(&name)).map(Some)
        };
        let (file, problem) = match file {
            Ok(file) => (file, None),
            Err(problem) => (None, Some(problem)),
        };
        let found = (Arc::new(Order::new(file, turn)), problem);
        opened.orders.insert(fingerprint.to_owned(), found.clone());
        Ok(found)
    }

    /// Makes the directory, where there is one to be had, and says where it is.
    pub fn prepare(&self) -> Option<&Path> {
        let Keeping::In { path, .. } = &self.keeping else { return None };
        matches!(self.directory(), Ok(Ok(_))).then_some(path)
    }

    /// The directory, opened once; or why there is none to be had. An error where a named one is not
    /// safe.
    fn directory(&self) -> Result<Result<&Directory, Problem>, Problem> {
        let open = || match &self.keeping {
            Keeping::In { path, named } => Directory::open(path, *named),
            Keeping::Nowhere | Keeping::Unknown => Err(Fault::Unwritable(Problem::new(
                "neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME is set",
                "write state = \"DIR\" below [nonces], or set one of them",
            ))),
        };
        match (self.directory.get_or_init(open), &self.keeping) {
            (Err(Fault::Unsafe(problem)), Keeping::In { named: true, .. }) => Err(problem.clone()),
            (Err(fault), _) => Ok(Err(fault.problem().clone())),
            (Ok(directory), _) => Ok(Ok(directory)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The source that is leased, where something is to be drawn.
fn leased(
    leases: &Arc<Leases>,
    fingerprint: &str,
    counting: Counting,
    ordered: bool,
) -> Option<Source> {
    let (kind, unit) = match counting {
        Counting::Nothing => return None,
        Counting::Once => (Kind::Places, None),
        Counting::Increasing(unit) if ordered => (Kind::Turn, Some(unit)),
        Counting::Increasing(unit) => (Kind::Numbers(unit), Some(unit)),
    };
    Some(Source::Leased(leases.lane(fingerprint, kind), unit))
}

/// Whether a directory that a configuration names is safe, as far as can be told without writing: one
/// that is not there will be made.
///
/// # Errors
///
/// Why it is not.
pub fn look(path: &Path) -> Result<(), Problem> {
    match directory::look(path, true) {
        Err(Fault::Unsafe(problem)) => Err(problem),
        Ok(_) | Err(Fault::Unwritable(_)) => Ok(()),
    }
}

/// A fingerprint as the beginning of a file's name.
fn file_name(fingerprint: &str) -> String {
    fingerprint.replace([':', '+'], "-").replace('/', "_")
}

fn no_lane(key: &str) -> Problem {
    let what = format!(
        "{} processes of this machine sign with the key {key} already, and have all the lanes \
         there are",
        placer::LANES
    );
    Problem::new(what, "let programs share a proxy: `countersign run`")
}
