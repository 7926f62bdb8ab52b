//! The thread that writes an audit file: takes what waits, up to a batch, brings it to the disk, and
//! logs the head of the chain, so that a file that was cut is found out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::entry::Members;
use super::file::{AuditFile, End, write_once};
use crate::lines::certain;
use crate::problem::Problem;

/// What the thread is asked to do, and where it says how that went.
#[derive(Debug)]
pub(super) enum Job {
    Append(Asked),
    Reopen(Reply),
}

/// An entry, its place among those that wait, and who waits for it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) entry: Box<dyn Members>,
    pub(super) place: Option<OwnedSemaphorePermit>,
    pub(super) reply: Option<Reply>,
}

pub(super) type Reply = oneshot::Sender<Result<(), Problem>>;

/// The file, and what has become of lines.
#[derive(Debug)]
pub(super) struct Writer {
    file: Mutex<AuditFile>,
    written: Counter,
    failed: Counter,
    /// Entries that nobody waits for and that were not written, since it was last said.
    lost: AtomicU64,
}

impl Writer {
    pub(super) fn new(file: AuditFile, [written, failed]: [Counter; 2]) -> Self {
        Self { file: Mutex::new(file), written, failed, lost: AtomicU64::new(0) }
    }

    /// The file, on the caller's thread.
    pub(super) fn file(&self) -> MutexGuard<'_, AuditFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a line that was written, or that was not.
    pub(super) fn count(&self, done: &Result<(), Problem>) {
        if done.is_ok() { &self.written } else { &self.failed }.inc();
    }

    /// Counts an entry that nobody waits for and that is not written; the thread says so later.
    pub(super) fn lose(&self) {
        self.failed.inc();
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// The thread: ends when nobody can ask it any more.
    pub(super) fn run(&self, jobs: &Receiver<Job>) {
        let mut head = Head::tell(&self.file());
        let mut batch = Vec::new();
        loop {
            let next = if batch.is_empty() {
                jobs.recv_timeout(HEAD_EVERY)
            } else {
                jobs.try_recv().map_err(|_| RecvTimeoutError::Timeout)
            };
            let reopen = match next {
                Ok(Job::Append(asked)) => {
                    batch.push(asked);
                    if batch.len() < BATCH {
                        continue;
                    }
                    None
                }
                Ok(Job::Reopen(reply)) => Some(reply),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.append(&mut batch);
            head.look(&self.file(), HEAD_EVERY);
            if let Some(reply) = reopen {
                let reopened = self.file().reopen();
                // Whoever asked may have left; the file is in order all the same.
                drop(reply.send(reopened));
                head = Head::tell(&self.file());
            }
        }
        head.look(&self.file(), Duration::ZERO);
    }

    /// Writes a batch with one fdatasync, and says to each how it went.
    fn append(&self, batch: &mut Vec<Asked>) {
        let mut first = None;
        if !batch.is_empty() {
            let mut file = self.file();
            let before = file.end();
            let checked = file.check();
            let mut put = Vec::with_capacity(batch.len());
            for Asked { entry, place, reply } in batch.drain(..) {
                let done = checked.clone().and_then(|()| file.put(entry.as_ref(), write_once));
                put.push((done, place, reply));
            }
            let synced = if file.end() == before { Ok(()) } else { file.sync(before) };
            drop(file);
            for (done, place, reply) in put {
                let done = done.and_then(|()| synced.clone());
                self.count(&done);
                drop(place);
                match (reply, done) {
                    // Whoever asked may have left; the line stays.
                    (Some(reply), done) => drop(reply.send(done)),
                    (None, Err(problem)) => {
                        self.lost.fetch_add(1, Ordering::Relaxed);
                        first.get_or_insert(problem);
                    }
                    (None, Ok(())) => {}
                }
            }
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let why =
                first.map_or_else(|| "too many wait".to_owned(), |problem| problem.to_string());
            tracing::error!(entries = lost, "not audited: {why}");
        }
    }
}

/// The end of the chain as the log has it.
struct Head {
    end: End,
    told: Instant,
}

impl Head {
    /// Logs it.
    fn tell(file: &AuditFile) -> Self {
        let end = file.end();
        certain(|| {
            tracing::info!(
                file = %file.path().display(),
                seq = end.seq(),
                last = %end.last(),
                "head of the audit"
            );
        });
        Self { end, told: Instant::now() }
    }

    /// Logs it where it has moved, unless that was done not so long ago.
    fn look(&mut self, file: &AuditFile, after: Duration) {
        if file.end() != self.end && self.told.elapsed() >= after {
            *self = Self::tell(file);
        }
    }
}

/// Lines that share one fdatasync at most.
const BATCH: usize = 256;

/// How often the head of a chain that grows is logged.
const HEAD_EVERY: Duration = Duration::from_secs(10);
