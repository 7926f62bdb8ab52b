//! The audit log of policy decisions and of a signer's signatures, tamper-evident by a hash chain.
//!
//! Each decision is a line of JSON that carries the hash of the line before. A line that is
//! altered, added or removed later breaks the chain at that place, unless everything after it
//! is made anew; who keeps the last hash elsewhere sees that too.
//!
//! An approval must not leave before its line is on the disk, so [`Audit::append`] returns only
//! then. A thread of its own writes; lines that wait together share one fdatasync.
//!
//! **Rotation.** Move the file away and reload: the thread goes on in the moved file until
//! [`Audit::reopen`], then in a new one at the path, whose first line follows the last of the old.
//! Or stop, move, start: the new file begins a chain. Copying and emptying the file is refused.

mod chain;
mod entry;
mod file;
mod line;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

pub use chain::{After, Chain, ChainError, follow};
pub use entry::{Entry, Members, Mode, SignatureEntry};
use file::{AuditFile, write_once};
pub use line::LineHash;
use tokio::sync::{mpsc, oneshot};

use crate::problem::Problem;

/// An open file. Its clones write to the same one; when the last is dropped, it is closed.
#[derive(Clone, Debug)]
pub struct Audit {
    path: Arc<Path>,
    /// The thread's, and that of [`Self::note`].
    file: Arc<Mutex<AuditFile>>,
    queue: mpsc::Sender<Job>,
}

/// What the thread is asked to do, and where it says how that went.
#[derive(Debug)]
enum Job {
    Append(Box<dyn Members>, Reply),
    Reopen(Reply),
}

type Reply = oneshot::Sender<Result<(), Problem>>;

impl Audit {
    /// Opens a file, or makes one of mode 0600, for this process alone. Reads all of it, so it
    /// blocks. A torn last line, which a crash leaves, is moved to a file beside it.
    ///
    /// # Errors
    ///
    /// When the file cannot be used, another writer has it, or its chain is broken.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        Self::start(path, AuditFile::open(path)?)
    }

    fn start(path: &Path, file: AuditFile) -> Result<Self, Problem> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let file = Arc::new(Mutex::new(file));
        let written = Arc::clone(&file);
        let thread = thread::Builder::new().name("audit".into());
        thread.spawn(move || run(&written, jobs)).map_err(|error| {
            let what = format!("{}: no thread to write it: {error}", path.display());
            Problem::new(what, "allow this process more threads")
        })?;
        Ok(Self { path: path.into(), file, queue })
    }

    /// The file, as it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a decision and returns when its line is on the disk. Waits where too many wait
    /// already. Dropped while it waits, the line may still be written.
    ///
    /// # Errors
    ///
    /// When the line is not on the disk; then nothing may be approved.
    pub async fn append(&self, entry: impl Members + 'static) -> Result<(), Problem> {
        let entry = Box::new(entry);
        self.ask(|reply| Job::Append(entry, reply)).await
    }

    /// Appends an entry and returns when its line is in the file, where the end of this process
    /// cannot take it away; that of the machine still can. On the caller's thread: a write to the
    /// system's memory costs less than to wake another.
    ///
    /// # Errors
    ///
    /// When the line is not in the file.
    pub fn note(&self, entry: &dyn Members) -> Result<(), Problem> {
        let mut file = locked(&self.file);
        file.check()?;
        file.put(entry, write_once)
    }

    /// Goes on in a new file where the old one was moved away or deleted, and tries again after
    /// a fault. For every reload.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; what was open stays so.
    pub async fn reopen(&self) -> Result<(), Problem> {
        self.ask(Job::Reopen).await
    }

    async fn ask(&self, job: impl FnOnce(Reply) -> Job) -> Result<(), Problem> {
        let (reply, answer) = oneshot::channel();
        let stopped = || stopped(&self.path);
        self.queue.send(job(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

fn stopped(path: &Path) -> Problem {
    Problem::new("its writer has stopped", "restart the proxy")
        .of(format_args!("{}:", path.display()))
}

fn locked(file: &Mutex<AuditFile>) -> MutexGuard<'_, AuditFile> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread: takes what waits, up to a batch, and answers when it is on the disk.
fn run(file: &Mutex<AuditFile>, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::new();
    loop {
        let mut next = if batch.is_empty() { jobs.blocking_recv() } else { jobs.try_recv().ok() };
        if let Some(Job::Append(entry, reply)) = next {
            batch.push((entry, reply));
            if batch.len() < BATCH {
                continue;
            }
            next = None;
        }
        let idle = batch.is_empty();
        append(&mut locked(file), &mut batch);
        match next {
            // Whoever asked may have left; the file is in order all the same.
            Some(Job::Reopen(reply)) => drop(reply.send(locked(file).reopen())),
            None if idle => return,
            _ => {}
        }
    }
}

/// Writes a batch with one fdatasync, and says to each how it went.
fn append(file: &mut AuditFile, batch: &mut Vec<(Box<dyn Members>, Reply)>) {
    if batch.is_empty() {
        return;
    }
    let before = file.end();
    let checked = file.check();
    let mut put = Vec::with_capacity(batch.len());
    for (entry, reply) in batch.drain(..) {
        let done = checked.clone().and_then(|()| file.put(entry.as_ref(), write_once));
        put.push((done, reply));
    }
    let synced = if file.end() == before { Ok(()) } else { file.sync(before) };
    for (done, reply) in put {
        // Whoever asked may have left; the line stays.
        drop(reply.send(done.and_then(|()| synced.clone())));
    }
}

/// Entries that may wait before those who bring more have to.
const QUEUE: usize = 1024;

/// Lines that share one fdatasync at most.
const BATCH: usize = 256;
