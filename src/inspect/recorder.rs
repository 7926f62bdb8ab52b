//! Requests on their way to whoever writes them down: `exec --record`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::Seen;

/// A bounded queue of requests that are over. No request waits for a disk: what finds no room is
/// counted.
#[derive(Debug)]
pub struct Recorder {
    queue: SyncSender<Option<Arc<Seen>>>,
    lost: AtomicU64,
}

impl Recorder {
    /// The queue, and its other end, at which `None` says that no more come.
    pub fn new() -> (Self, Receiver<Option<Arc<Seen>>>) {
        let (queue, out) = sync_channel(ROOM);
        (Self { queue, lost: AtomicU64::new(0) }, out)
    }

    pub(super) fn put(&self, seen: &Arc<Seen>) {
        if self.queue.try_send(Some(Arc::clone(seen))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says that no more come, once there is room to; returns how many were lost.
    pub fn end(&self) -> u64 {
        let _gone = self.queue.send(None);
        self.lost.load(Ordering::Relaxed)
    }
}

/// Requests that wait to be written: with their bodies, 64 MiB at most.
const ROOM: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_nobody_waits() {
        let (recorder, out) = Recorder::new();
        let seen = Arc::new(Seen::default());
        for _ in 0..ROOM + 3 {
            recorder.put(&seen);
        }
        assert!(out.recv().is_ok_and(|seen| seen.is_some()));
        assert_eq!(recorder.end(), 3);
        assert_eq!(out.iter().take_while(Option::is_some).count(), ROOM - 1);
    }
}
