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

    /// The thread: ends when nobody can ask it any more. The head of a chain that grows is logged
    /// so often.
    pub(super) fn run(&self, jobs: &Receiver<Job>, every: Duration) {
        let mut head = Head::tell(&self.file());
        let mut batch = Vec::new();
        loop {
            let next = if batch.is_empty() {
                jobs.recv_timeout(every)
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
            head.look(&self.file(), every);
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
pub(super) const HEAD_EVERY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::mpsc::{Sender, channel};
    use std::{str, thread};

    use super::*;
    use crate::audit::tests::entry;

    /// Hands each line of a log on.
    struct Lines(Sender<String>);

    impl Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let text = str::from_utf8(line).map_err(io::Error::other)?;
            self.0.send(text.to_owned()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The numbers of the lines whose heads were logged while two were written one after the other.
    /// With `patience`, the second head is waited for before the thread ends.
    fn heads(every: Duration, patience: bool) -> Vec<u64> {
        let home = tempfile::tempdir().expect("a directory");
        let file = AuditFile::open(&home.path().join("audit.jsonl")).expect("a new file");
        let writer = Writer::new(file, <[_; 2]>::default());
        let (sender, jobs) = channel();
        let (said, log) = channel();
        let head = |line: String| -> Option<u64> {
            let (_, seq) = line.split_once("head of the audit")?.1.split_once("seq=")?;
            seq.split(' ').next()?.parse().ok()
        };
        let mut seen = Vec::new();
        let own = &writer;
        thread::scope(|scope| {
            scope.spawn(move || {
                let to = move || Lines(said.clone());
                let log = tracing_subscriber::fmt().with_ansi(false).with_writer(to).finish();
                let _until_the_end = tracing::subscriber::set_default(log);
                own.run(&jobs, every);
            });
            for number in 0..2 {
                let (reply, done) = oneshot::channel();
                let entry = Box::new(entry(number));
                let asked = Asked { entry, place: None, reply: Some(reply) };
                sender.send(Job::Append(asked)).expect("the thread is there");
                done.blocking_recv().expect("it is answered").expect("it is written");
            }
            while patience && seen.last() != Some(&2) {
                seen.extend(log.recv().map(head).expect("it is said before the end"));
            }
            drop(sender);
        });
        seen.extend(log.try_iter().filter_map(head));
        seen
    }

    /// Said too seldom, the end of a chain could be cut without a trace; said at each line, the log
    /// would be as long as the file.
    #[test]
    fn the_head_of_a_chain_is_logged_so_often_and_at_the_end() {
        assert_eq!(heads(Duration::from_secs(3600), false), [0, 2]);
        assert_eq!(heads(Duration::ZERO, false), [0, 1, 2]);
        // Also where no other line comes after the last.
        let heads = heads(Duration::from_millis(1), true);
        assert!(heads.starts_with(&[0]) && heads.ends_with(&[2]), "{heads:?}");
        assert_eq!(heads.iter().filter(|seq| **seq == 2).count(), 1, "{heads:?}");
        assert_eq!(HEAD_EVERY, Duration::from_secs(10), "as docs/audit.md has it");
    }
}
