//! Threads for signatures that are too slow for the workers which serve requests.
//!
//! One set of threads serves every slow key of the process, and ends with the last of them. Each
//! key has a bounded [`Queue`] to it: who asks for more than a key can sign is refused at once,
//! and a busy key takes no other key's places. A request that is given up while it waits costs
//! no signature.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::{cmp, io};

use tokio::sync::{Semaphore, oneshot};

use super::SignError;

/// Threads that do one piece of work after the other. They end when this is dropped.
pub(super) struct Pool {
    jobs: Sender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

/// One key's way to the pool.
pub(super) struct Queue {
    pool: Arc<Pool>,
    /// Taken from before a piece of work is handed in until it is done or skipped.
    places: Arc<Semaphore>,
}

impl Pool {
    /// The process's own: as many threads as processors, and four at most. The first key makes
    /// it; keys of a new snapshot find that of the one before.
    pub(super) fn shared() -> io::Result<Arc<Self>> {
        static SHARED: Mutex<Weak<Pool>> = Mutex::new(Weak::new());
        Self::shared_in(&SHARED)
    }

    /// Threads apart from the process's own, for work that waits more than it computes.
    #[cfg(feature = "pkcs11")]
    pub(super) fn of(threads: usize) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self::start(threads)?.0))
    }

    fn shared_in(slot: &Mutex<Weak<Self>>) -> io::Result<Arc<Self>> {
        let mut shared = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = shared.upgrade() {
            return Ok(pool);
        }
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let (pool, _) = Self::start(cmp::min(processors, MAX_THREADS))?;
        let pool = Arc::new(pool);
        *shared = Arc::downgrade(&pool);
        Ok(pool)
    }

    fn start(threads: usize) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (jobs, receiver) = mpsc::channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let start = |_| {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new().name("sign".into()).spawn(move || work(&receiver))
        };
        let handles = (0..threads).map(start).collect::<io::Result<_>>()?;
        Ok((Self { jobs }, handles))
    }
}

impl Queue {
    /// A queue in which [`PLACES`] signatures may wait or be made.
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        Self::with_places(pool, PLACES)
    }

    fn with_places(pool: Arc<Pool>, places: usize) -> Self {
        Self { pool, places: Arc::new(Semaphore::new(places)) }
    }

    /// Has one of the threads do `work`, unless the caller has gone by the time its turn comes.
    ///
    /// # Errors
    ///
    /// [`SignError::Busy`], at once, when every place is taken; [`SignError::Failed`] when the
    /// work panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SignError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| SignError::Busy)?;
        let (reply, answer) = oneshot::channel();
        let job = move || {
            // A local, so that also in a panic it is free again before the caller hears of it.
            let place = place;
            if reply.is_closed() {
                return;
            }
            let done = work();
            drop(place);
            // Who has gone meanwhile does not want it.
            let _ = reply.send(done);
        };
        let ended = SignError::Failed("the thread that was to sign ended");
        if self.pool.jobs.send(Box::new(job)).is_err() {
            return Err(ended);
        }
        answer.await.map_err(|_| ended)
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is for the wait alone, and is given back before the work begins.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // What panics answers its caller by dropping the reply, and must not end the thread.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

/// Threads beyond this take processors from the requests themselves.
const MAX_THREADS: usize = 4;

/// How many signatures of one key may wait or be made: a tenth of a second's work for one thread
/// and 4096 bits, far below any deadline.
const PLACES: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn one_thread() -> (Arc<Pool>, JoinHandle<()>) {
        let (pool, mut handles) = Pool::start(1).unwrap();
        (Arc::new(pool), handles.pop().unwrap())
    }

    /// Begins a future, which has to wait.
    fn begin<F: Future>(future: F) -> std::pin::Pin<Box<F>> {
        let mut future = Box::pin(future);
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
        future
    }

    /// Work that lasts until the gate is dropped, and says when it begins.
    fn gated() -> (Sender<()>, Receiver<()>, impl FnOnce() + Send + 'static) {
        let (gate, closed) = mpsc::channel();
        let (began, begun) = mpsc::channel();
        let work = move || {
            began.send(()).unwrap();
            closed.recv().unwrap_err();
        };
        (gate, begun, work)
    }

    #[tokio::test]
    async fn a_full_queue_is_busy_at_once_and_leaves_others_their_places() {
        let (pool, _) = one_thread();
        let full = Queue::with_places(Arc::clone(&pool), 2);
        let other = Queue::with_places(pool, 1);
        let (gate, begun, work) = gated();
        let slow = begin(full.run(work));
        begun.recv().unwrap();
        let waiting = begin(full.run(|| 2));
        assert_eq!(full.run(|| 3).await, Err(SignError::Busy));
        assert_eq!(full.run(|| 4).await, Err(SignError::Busy));
        let elsewhere = begin(other.run(|| 5));
        drop(gate);
        assert_eq!((slow.await, waiting.await, elsewhere.await), (Ok(()), Ok(2), Ok(5)));
        assert_eq!(full.run(|| 6).await, Ok(6), "the places are free again");
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_not_begun() {
        let (pool, _) = one_thread();
        let queue = Queue::with_places(pool, 9);
        let (gate, begun, work) = gated();
        let slow = begin(queue.run(work));
        begun.recv().unwrap();
        let done = Arc::new(AtomicUsize::new(0));
        let count = || {
            let done = Arc::clone(&done);
            move || done.fetch_add(1, Ordering::SeqCst)
        };
        let (given_up, kept) = (begin(queue.run(count())), begin(queue.run(count())));
        drop(given_up);
        drop(gate);
        assert_eq!((slow.await, kept.await), (Ok(()), Ok(0)));
        assert_eq!(done.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_thread_goes_on() {
        let (pool, _) = one_thread();
        let queue = Queue::with_places(pool, 1);
        for _ in 0..3 {
            let failed = queue.run(|| -> u8 { panic!("on purpose") }).await.unwrap_err();
            assert!(failed.to_string().ends_with("the thread that was to sign ended"));
        }
        assert_eq!(queue.run(|| 1).await, Ok(1));
    }

    #[test]
    fn threads_end_with_the_last_queue() {
        let (pool, handles) = Pool::start(3).unwrap();
        let first = Queue::new(Arc::new(pool));
        let second = Queue::new(Arc::clone(&first.pool));
        drop(first);
        assert!(handles.iter().all(|handle| !handle.is_finished()));
        drop(second);
        assert_eq!(handles.into_iter().map(|handle| handle.join().unwrap()).count(), 3);
    }

    #[test]
    fn keys_share_the_threads_and_the_last_one_takes_them_along() {
        let slot = Mutex::new(Weak::new());
        let pools = [Pool::shared_in(&slot).unwrap(), Pool::shared_in(&slot).unwrap()];
        assert!(Arc::ptr_eq(&pools[0], &pools[1]));
        drop(pools);
        assert!(slot.lock().unwrap().upgrade().is_none());
        assert!(Pool::shared_in(&slot).is_ok(), "a later key makes new ones");
    }
}
