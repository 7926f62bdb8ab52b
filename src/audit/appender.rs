//! Appending to an audit file from many tasks: by the thread that writes it, or on one's own.

use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::entry::Members;
use super::file::{AuditFile, write_once};
use super::writer::{Asked, HEAD_EVERY, Job, Reply, Writer};
use crate::problem::Problem;

/// An open file. Its clones write to the same one; when the last is dropped, what waits is written and
/// it is closed.
#[derive(Clone, Debug)]
pub struct Audit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: Box<Path>,
    writer: Arc<Writer>,
    /// None at the end.
    jobs: Option<Sender<Job>>,
    /// For entries that may wait.
    places: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Audit {
    /// Opens a file, or makes one of mode 0600, for this process alone. Reads all of it, so it
    /// blocks. A torn last line, which a crash leaves, is moved to a file beside it. Lines are counted:
    /// those that are written, and those that are not.
    ///
    /// # Errors
    ///
    /// When the file cannot be used, another writer has it, or its chain is broken.
    pub fn open(path: &Path, counters: [Counter; 2]) -> Result<Self, Problem> {
        Self::start(path, AuditFile::open(path)?, counters)
    }

    pub(super) fn start(
        path: &Path,
        file: AuditFile,
        counters: [Counter; 2],
    ) -> Result<Self, Problem> {
        let (sender, jobs) = channel();
        let writer = Arc::new(Writer::new(file, counters));
        let writes = Arc::clone(&writer);
        let thread = thread::Builder::new().name("audit".into());
        let thread = thread.spawn(move || writes.run(&jobs, HEAD_EVERY)).map_err(|error| {
            let what = format!("{}: no thread to write it: {error}", path.display());
            Problem::new(what, "allow this process more threads")
        })?;
        Ok(Self(Arc::new(Inner {
            path: path.into(),
            writer,
            jobs: Some(sender),
            places: Arc::new(Semaphore::new(QUEUE)),
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// The file, as it was opened.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Appends an entry and returns when its line is on the disk. Waits where too many wait
    /// already. Dropped while it waits, the line may still be written.
    ///
    /// # Errors
    ///
    /// When the line is not on the disk; then nothing may be approved.
    pub async fn append(&self, entry: impl Members + 'static) -> Result<(), Problem> {
        let place = Arc::clone(&self.0.places).acquire_owned().await.map_err(|_| self.stopped())?;
        self.append_at(place, entry).await
    }

    /// The same within a time. Says, too, whether the entry had a place, so that its line may be
    /// written later where it is not by then.
    pub(super) async fn append_within(
        &self,
        limit: Duration,
        entry: impl Members + 'static,
    ) -> (bool, Result<(), Problem>) {
        let until = Instant::now() + limit;
        let late = || {
            let what = format!("{}: no line was written within {limit:?}", self.path().display());
            Problem::new(what, "see that the disk is there and not too slow")
        };
        let place = timeout_at(until, Arc::clone(&self.0.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            let done = Err(late());
            self.0.writer.count(&done);
            return (false, done);
        };
        let written = timeout_at(until, self.append_at(place, entry)).await;
        (true, written.unwrap_or_else(|_| Err(late())))
    }

    async fn append_at(
        &self,
        place: OwnedSemaphorePermit,
        entry: impl Members + 'static,
    ) -> Result<(), Problem> {
        let entry = Box::new(entry);
        self.ask(|reply| Job::Append(Asked { entry, place: Some(place), reply: Some(reply) })).await
    }

    /// Has an entry appended without waiting for it; says whether there was a place. What is not
    /// written is counted, and logged.
    pub(super) fn offer(&self, entry: impl Members + 'static) -> bool {
        let Ok(place) = Arc::clone(&self.0.places).try_acquire_owned() else {
            self.0.writer.lose();
            return false;
        };
        self.hand_over(Asked { entry: Box::new(entry), place: Some(place), reply: None });
        true
    }

    /// The same for what follows an entry that had a place, and needs none: so it is bounded, too.
    pub(super) fn follow_up(&self, entry: impl Members + 'static) {
        self.hand_over(Asked { entry: Box::new(entry), place: None, reply: None });
    }

    fn hand_over(&self, asked: Asked) {
        if !self.send(Job::Append(asked)) {
            self.0.writer.lose();
        }
    }

    /// Keeps the thread from writing, as a disk does that stands still.
    #[cfg(test)]
    pub(super) fn hold(&self) -> std::sync::MutexGuard<'_, AuditFile> {
        self.0.writer.file()
    }

    /// Appends an entry and returns when its line is in the file, where the end of this process
    /// cannot take it away; that of the machine still can. On the caller's thread: a write to the
    /// system's memory costs less than to wake another.
    ///
    /// # Errors
    ///
    /// When the line is not in the file.
    pub fn note(&self, entry: &dyn Members) -> Result<(), Problem> {
        let mut file = self.0.writer.file();
        let done = file.check().and_then(|()| file.put(entry, write_once));
        self.0.writer.count(&done);
        done
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
        if !self.send(job(reply)) {
            return Err(self.stopped());
        }
        answer.await.map_err(|_| self.stopped())?
    }

    fn send(&self, job: Job) -> bool {
        self.0.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok())
    }

    fn stopped(&self) -> Problem {
        Problem::new("its writer has stopped", "restart the proxy")
            .of(format_args!("{}:", self.path().display()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // That ends the thread, which first writes what waits: nobody else will before the end of the
        // process. At a reload that takes the file away, this may hold up a worker for an fdatasync.
        self.jobs = None;
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("{}: its writer has panicked", self.path.display());
        }
    }
}

/// Entries that may wait before those who bring more have to.
const QUEUE: usize = 1024;
