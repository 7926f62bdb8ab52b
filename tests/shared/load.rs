//! Requests that go on and on, and what became of each.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::origin::Origin;
use crate::support::stage::{METASV, get};
use crate::support::wait::eventually;

/// When a request was answered, with which status, and the code of a refusal.
pub(crate) type Answered = (Instant, u16, String);

/// Requests one after another until they are told to end.
pub(crate) struct Load {
    done: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Answered>>>,
    thread: JoinHandle<()>,
}

impl Load {
    /// To one proxy, on one connection for as long as that lives.
    pub(crate) fn on(url: &str) -> Self {
        Self::of(url, get(&format!("{METASV}/x")))
    }

    /// The same, of this request.
    pub(crate) fn of(url: &str, request: String) -> Self {
        let url = url.to_owned();
        Self::over(request, move || (url.clone(), usize::MAX))
    }

    /// To those of a service in turn, some on each connection.
    pub(crate) fn balanced(first: usize, service: &Arc<Mutex<Vec<String>>>) -> Self {
        let (service, next) = (Arc::clone(service), AtomicUsize::new(first));
        Self::over(get(&format!("{METASV}/x")), move || {
            let urls = service.lock().expect("no thread panicked");
            (urls[next.fetch_add(1, Ordering::Relaxed) % urls.len()].clone(), 5)
        })
    }

    /// Where to, and for how many requests, is asked for each connection.
    fn over(request: String, to: impl Fn() -> (String, usize) + Send + 'static) -> Self {
        let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (ends, count, log) = (Arc::clone(&done), Arc::clone(&answered), Arc::clone(&seen));
        let thread = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let (url, most) = to();
                // One that was killed is no longer there.
                let Ok(mut client) = Client::try_connect(&url) else { break };
                for _ in 0..most {
                    let sent = client.try_send(&request);
                    let Ok(reply) = sent.and_then(|()| client.try_reply()) else { break };
                    let code = match reply.status {
                        200 => String::new(),
                        _ => reply.json()["code"].as_str().unwrap_or_default().to_owned(),
                    };
                    let status = reply.status;
                    assert!(status != 503 || reply.values("Retry-After") == ["1"], "{reply:?}");
                    log.lock().expect("no thread panicked").push((Instant::now(), status, code));
                    count.fetch_add(usize::from(status == 200), Ordering::Relaxed);
                    if ends.load(Ordering::Relaxed) || reply.values("Connection") == ["close"] {
                        break;
                    }
                }
            }
        });
        Self { done, answered, seen, thread }
    }

    /// How many were answered as they should be.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits until so many more are.
    pub(crate) fn await_more(&self, count: usize) {
        let wanted = self.answered() + count;
        while self.answered() < wanted {
            // Where many tests share few cores each step has its own time.
            let step = (self.answered() + 20).min(wanted);
            eventually("more are answered", || self.answered() >= step);
        }
    }

    /// What was answered since then.
    pub(crate) fn since(&self, then: Instant) -> Vec<Answered> {
        let seen = self.seen.lock().expect("no thread panicked");
        seen.iter().filter(|(at, ..)| *at >= then).cloned().collect()
    }

    /// Ends it; what was answered.
    pub(crate) fn end(self) -> Vec<Answered> {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().expect("no assertion failed");
        std::mem::take(&mut *self.seen.lock().expect("no thread panicked"))
    }
}

/// How many were refused with each code, and over how long.
pub(crate) fn refused(seen: &[Answered]) -> BTreeMap<String, (usize, Duration)> {
    let mut all: BTreeMap<&str, Vec<Instant>> = BTreeMap::new();
    for (at, status, code) in seen {
        if *status != 200 {
            all.entry(code.as_str()).or_default().push(*at);
        }
    }
    let over =
        |times: &[Instant]| times.last().zip(times.first()).map(|(last, first)| *last - *first);
    all.iter()
        .map(|(code, at)| ((*code).to_owned(), (at.len(), over(at).unwrap_or_default())))
        .collect()
}

/// How many arrived, which were all signed, each with a nonce of its own.
pub(crate) fn arrived(origin: &Origin) -> usize {
    let arrived = origin.arrived();
    let nonces: HashSet<_> = arrived
        .iter()
        .map(|request| request.once("MetaSV-Nonce").expect("it is signed").to_owned())
        .collect();
    assert_eq!(nonces.len(), arrived.len(), "a nonce was used twice");
    arrived.len()
}
