//! Lines in memory, in the order in which they will be written, and the thread that writes them.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

/// What the thread writes, and what it is told.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told when the first line comes, when some are written, and at the end.
    changed: Condvar,
    /// Bytes of certain lines that are not written yet.
    unwritten: AtomicUsize,
    /// Told when they become fewer.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What is written next, in the order in which it came.
    front: Vec<u8>,
    /// How much of it is of certain lines.
    certain: usize,
    /// What came while the front was long, in pieces of whole lines, without certain ones.
    behind: VecDeque<Vec<u8>>,
    behind_bytes: usize,
    /// Lines that did not fit since it was last said.
    dropped: u64,
    /// How often something was written.
    writes: u64,
    /// No more lines will come.
    closed: bool,
    /// The thread has written everything and is gone.
    finished: bool,
}

impl Queue {
    /// Whether a request may be signed: its line will be certain.
    pub(super) fn has_room(&self) -> bool {
        self.unwritten.load(Ordering::Relaxed) < CERTAIN
    }

    /// Bytes of certain lines that are not written yet.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Waits for room; says whether there is some.
    pub(super) async fn wait(&self, limit: Duration) -> bool {
        let freed = async {
            loop {
                // Whoever is told between the look and the wait is told all the same.
                let freed = self.freed.notified();
                if self.has_room() {
                    return;
                }
                freed.await;
            }
        };
        tokio::time::timeout(limit, freed).await.is_ok()
    }

    /// Takes a line; says whether it will be written.
    pub(super) fn add(&self, line: &[u8], certain: bool) -> bool {
        let mut state = self.lock();
        if state.finished {
            return false;
        }
        let first = state.is_empty();
        if certain {
            state.certain += line.len();
            self.unwritten.fetch_add(line.len(), Ordering::Relaxed);
            state.front.extend_from_slice(line);
        } else if state.behind.is_empty() && state.front.len() < PIECE {
            state.front.extend_from_slice(line);
        } else if !state.put_behind(line) {
            state.dropped += 1;
            return false;
        }
        if first {
            self.changed.notify_all();
        }
        true
    }

    /// Says that no more lines will come, and waits for the last of them, as long as some are taken
    /// within `patience`.
    pub(super) fn close(&self, patience: Duration) {
        let mut state = self.lock();
        state.closed = true;
        self.changed.notify_all();
        loop {
            let writes = state.writes;
            let stands = |state: &mut State| !state.finished && state.writes == writes;
            let waited = self.changed.wait_timeout_while(state, patience, stands);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if now.finished || timeout.timed_out() {
                return;
            }
            state = now;
        }
    }

    /// There is no thread: lines are dropped, and nobody waits.
    pub(super) fn abandon(&self) {
        self.lock().finished = true;
    }

    /// The thread.
    pub(super) fn write_to(&self, mut sink: impl Write, said: fn(u64) -> String) {
        let mut batch = Vec::new();
        loop {
            let idle = |state: &mut State| state.is_empty() && !state.closed;
            let state = self.changed.wait_while(self.lock(), idle);
            let state = state.unwrap_or_else(PoisonError::into_inner);
            let hurries = state.closed || !state.behind.is_empty();
            drop(state);
            if !hurries {
                // More lines come while this one waits, and are written with it.
                thread::sleep(TOGETHER);
            }
            batch.clear();
            let certain = self.lock().take(&mut batch, said);
            self.write(&mut sink, &batch, certain);
            let mut state = self.lock();
            if state.closed && state.is_empty() {
                state.finished = true;
                self.changed.notify_all();
                return;
            }
        }
    }

    /// Writes a batch. A sink that fails is tried again until the end: what was sent must not go
    /// unlogged because a disk was full or a reader was away.
    fn write(&self, sink: &mut impl Write, batch: &[u8], mut certain: usize) {
        let mut rest = batch;
        while !rest.is_empty() {
            let piece = rest.get(..PIECE).unwrap_or(rest);
            match sink.write(piece) {
                Ok(count @ 1..) => {
                    rest = rest.get(count..).unwrap_or_default();
                    // Others among them let a certain line's place go a little early.
                    let freed = if rest.is_empty() { certain } else { certain.min(count) };
                    certain -= freed;
                    self.unwritten.fetch_sub(freed, Ordering::Relaxed);
                    self.freed.notify_waiters();
                    self.lock().writes += 1;
                    self.changed.notify_all();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) if self.lock().closed => return,
                Ok(_) | Err(_) => thread::sleep(AGAIN),
            }
        }
        let _nothing_is_buffered = sink.flush();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.front.is_empty() && self.behind.is_empty()
    }

    /// Puts a line behind the others, where it fits.
    fn put_behind(&mut self, line: &[u8]) -> bool {
        if self.behind_bytes + line.len() > OTHERS {
            return false;
        }
        self.behind_bytes += line.len();
        match self.behind.back_mut().filter(|last| last.len() + line.len() <= PIECE) {
            Some(last) => last.extend_from_slice(line),
            None => self.behind.push_back(line.to_vec()),
        }
        true
    }

    /// Takes what is next into an empty batch; says how much of it is of certain lines.
    fn take(&mut self, batch: &mut Vec<u8>, said: fn(u64) -> String) -> usize {
        std::mem::swap(batch, &mut self.front);
        if batch.is_empty() {
            *batch = self.behind.pop_front().unwrap_or_default();
            self.behind_bytes -= batch.len();
        }
        if self.dropped > 0 && self.behind.is_empty() {
            batch.extend_from_slice(said(self.dropped).as_bytes());
            self.dropped = 0;
        }
        std::mem::take(&mut self.certain)
    }
}

/// Bytes of certain lines that may wait before nothing is signed.
pub(super) const CERTAIN: usize = 1 << 20;
/// Bytes of other lines that may wait.
pub(super) const OTHERS: usize = 4 << 20;
/// Bytes that are written at once. So much of the others a certain line may have to wait for.
pub(super) const PIECE: usize = 16 << 10;
/// How long a line waits for others.
const TOGETHER: Duration = Duration::from_millis(20);
/// When a sink that failed is tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// How long the end waits for a reader to take anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
