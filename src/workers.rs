//! Threads for work that is too long for the workers which serve requests: slow signatures, and
//! canonical strings of much.
//!
//! One set of threads serves every slow key and every route of the process, and ends with the last of
//! them. Each has a bounded [`Queue`] to it: who asks for more than can be done is refused at once,
//! and a request that is given up while it waits costs no work.
//!
//! Queues take turns: a thread that is free takes one piece of work from the queue whose turn it is,
//! and that queue then stands behind all others. So work waits for its own queue, for what is under
//! way, and for one piece of each other queue that is busy, however many wait in it. A share of the
//! threads for each key would keep others' work even from what is under way, and leave threads idle
//! where one key alone is busy, which is how most proxies run.

use std::collections::VecDeque;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::{cmp, fmt, io};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, oneshot};

use crate::cost::Cost;

/// Does long work here, and hands the other requests of this worker to another one. For what
/// borrows and so cannot go elsewhere; who sends much of it has been through a [`Queue`] before.
pub fn in_place<T>(cost: Cost, work: impl FnOnce() -> T) -> T {
    let is_worker = |own: Handle| own.runtime_flavor() == RuntimeFlavor::MultiThread;
    // Elsewhere there is nobody to hand them to.
    if cost.is_long() && Handle::try_current().is_ok_and(is_worker) {
        return tokio::task::block_in_place(work);
    }
    work()
}

static SHARED: Mutex<Weak<Pool>> = Mutex::new(Weak::new());

/// How many pieces of work wait for one of the process's own threads.
pub(crate) fn waiting() -> usize {
    let pool = SHARED.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
    pool.map_or(0, |pool| pool.0.waiting().queues.iter().map(|(_, jobs)| jobs.len()).sum())
}

/// Threads that do one piece of work after the other. They end when this is dropped.
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    /// Told of each piece of work, and of the end.
    news: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Queues that have work, the one whose turn it is first. A queue is known by its places.
    queues: VecDeque<(Arc<Semaphore>, VecDeque<Job>)>,
    /// Whether no more will come.
    over: bool,
}

type Job = Box<dyn FnOnce() + Send>;

/// The way to the pool of one key, or of one route.
pub struct Queue {
    pool: OnceLock<Arc<Pool>>,
    /// Taken from before a piece of work is handed in until it is done or skipped.
    places: Arc<Semaphore>,
}

/// Why work was not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Undone {
    /// As much as may wait is waiting; this was not begun.
    #[error("more is asked for at once than can be done")]
    Full,
    /// It panicked, or there is no thread for it.
    #[error("the thread that was to do it ended")]
    Ended,
}

impl Pool {
    /// The process's own: as many threads as processors, and four at most. The first key makes
    /// it; keys of a new snapshot find that of the one before.
    pub(crate) fn shared() -> io::Result<Arc<Self>> {
        Self::shared_in(&SHARED)
    }

    /// Threads apart from the process's own, for work that waits more than it computes.
    #[cfg(feature = "pkcs11")]
    pub(crate) fn of(threads: usize) -> io::Result<Arc<Self>> {
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
        let shared = Arc::new(Shared { waiting: Mutex::default(), news: Condvar::new() });
        let pool = Self(Arc::clone(&shared));
        let start = |_| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("sign".into()).spawn(move || shared.work())
        };
        let handles = (0..threads).map(start).collect::<io::Result<_>>()?;
        Ok((pool, handles))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.waiting().over = true;
        self.0.news.notify_all();
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_in(&self, queue: &Arc<Semaphore>, job: Job) {
        let mut waiting = self.waiting();
        match waiting.queues.iter_mut().find(|(own, _)| Arc::ptr_eq(own, queue)) {
            Some((_, jobs)) => jobs.push_back(job),
            None => waiting.queues.push_back((Arc::clone(queue), [job].into())),
        }
        drop(waiting);
        self.news.notify_one();
    }

    /// The next piece of work; none when no more will come.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting();
        loop {
            if let Some((queue, mut jobs)) = waiting.queues.pop_front() {
                let job = jobs.pop_front();
                if !jobs.is_empty() {
                    waiting.queues.push_back((queue, jobs));
                }
                return job;
            }
            if waiting.over {
                return None;
            }
            waiting = self.news.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self) {
        // Of the thread alone, on Linux. A system that does not allow it has all take turns.
        let _niceness = rustix::process::nice(BEHIND);
        while let Some(job) = self.next() {
            // What panics answers its caller by dropping the reply, and must not end the thread.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }
}

impl Queue {
    /// A queue to the process's own pool, which its first work may be what starts.
    pub(crate) fn of_route() -> Self {
        Self { pool: OnceLock::new(), places: Arc::new(Semaphore::new(PLACES)) }
    }

    /// A queue for work of which each piece costs so much: of more than [`PATIENCE`], the last
    /// would come too late for whoever waits for it.
    pub(crate) fn new(pool: Arc<Pool>, each: Cost) -> Self {
        let timely = usize::try_from(each.within(PATIENCE)).unwrap_or(PLACES);
        Self::with_places(pool, timely.clamp(1, PLACES))
    }

    fn with_places(pool: Arc<Pool>, places: usize) -> Self {
        Self { pool: pool.into(), places: Arc::new(Semaphore::new(places)) }
    }

    fn pool(&self) -> io::Result<&Pool> {
        if let Some(pool) = self.pool.get() {
            return Ok(pool);
        }
        let shared = Pool::shared()?;
        Ok(self.pool.get_or_init(|| shared))
    }

    /// Has one of the threads do `work`, unless the caller has gone by the time its turn comes.
    ///
    /// # Errors
    ///
    /// [`Undone::Full`], at once, when every place is taken; [`Undone::Ended`] when the work
    /// panics, or the system starts no thread.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Undone::Full)?;
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
        let pool = self.pool().map_err(|_| Undone::Ended)?;
        pool.0.hand_in(&self.places, Box::new(job));
        answer.await.map_err(|_| Undone::Ended)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue({} places free)", self.places.available_permits())
    }
}

/// Threads beyond this take processors from the requests themselves.
const MAX_THREADS: usize = 4;

/// How many pieces of work of one key or route may wait or be done: a tenth of a second's for one
/// thread and 4096 bits, far below any deadline.
const PLACES: usize = 64;

/// How far, in niceness, these threads stand behind those that serve requests: with as many of both as
/// processors, one of those would wait for a signature of milliseconds to end.
const BEHIND: i32 = 5;

/// How much work of a key one thread may have before it: the default of `timeouts.sign`.
const PATIENCE: Cost = Cost::micros(2_000_000);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{self, Receiver, Sender};
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
        assert_eq!(full.run(|| 3).await, Err(Undone::Full));
        assert_eq!(full.run(|| 4).await, Err(Undone::Full));
        let elsewhere = begin(other.run(|| 5));
        drop(gate);
        assert_eq!((slow.await, waiting.await, elsewhere.await), (Ok(()), Ok(2), Ok(5)));
        assert_eq!(full.run(|| 6).await, Ok(6), "the places are free again");
    }

    /// In one line for all, what was asked for last would be done last.
    #[tokio::test]
    async fn queues_take_turns_and_each_keeps_its_order() {
        let (pool, _) = one_thread();
        let [slow, other, third] =
            [9, 9, 9].map(|places| Queue::with_places(Arc::clone(&pool), places));
        let (gate, begun, work) = gated();
        let first = begin(slow.run(work));
        begun.recv().unwrap();
        let (did, done) = mpsc::channel();
        let note = |what: &'static str| {
            let did = did.clone();
            move || did.send(what).unwrap()
        };
        let asked = [
            (&slow, "slow 1"),
            (&slow, "slow 2"),
            (&slow, "slow 3"),
            (&other, "other 1"),
            (&other, "other 2"),
            (&third, "third 1"),
        ];
        let asked: Vec<_> =
            asked.into_iter().map(|(queue, what)| begin(queue.run(note(what)))).collect();
        drop(gate);
        first.await.unwrap();
        for one in asked {
            one.await.unwrap();
        }
        let order: Vec<_> = done.try_iter().collect();
        assert_eq!(order, ["slow 1", "other 1", "third 1", "slow 2", "other 2", "slow 3"]);
    }

    #[test]
    fn a_slow_key_has_as_many_places_as_are_in_time() {
        for (each, places) in [(1, 64), (6_000, 64), (70_000, 28), (9_000_000, 1)] {
            let (pool, _) = one_thread();
            let queue = Queue::new(pool, Cost::micros(each));
            assert_eq!(queue.places.available_permits(), places, "{each} µs");
        }
    }

    /// Inline, the one worker would wait for what it has yet to do itself.
    #[test]
    fn long_work_in_place_keeps_no_other_task_waiting() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
        let (gate, opened) = mpsc::channel();
        let (told, heard) = mpsc::channel();
        let runtime = runtime.unwrap();
        runtime.spawn(async move {
            tokio::spawn(async move { gate.send(()).unwrap() });
            let limit = std::time::Duration::from_secs(60);
            told.send(in_place(Cost::micros(201), || opened.recv_timeout(limit))).unwrap();
        });
        assert_eq!(heard.recv().unwrap(), Ok(()));
        // And where there is no worker at all, it is done.
        assert_eq!(in_place(Cost::micros(u64::MAX), || 1), 1);
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
            let failed = queue.run(|| -> u8 { panic!("on purpose") }).await;
            assert_eq!(failed, Err(Undone::Ended));
        }
        assert_eq!(queue.run(|| 1).await, Ok(1));
    }

    #[test]
    fn threads_end_with_the_last_queue() {
        let (pool, handles) = Pool::start(3).unwrap();
        let pool = Arc::new(pool);
        let [first, second] = [Arc::clone(&pool), pool].map(|pool| Queue::with_places(pool, 1));
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
