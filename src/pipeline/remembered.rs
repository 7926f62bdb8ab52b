//! Idempotent callbacks: a request's id has one answer. Whoever asks again is told what was answered,
//! or waits for it with the first; a second request under the same id is another request.
//!
//! [`Remembered`] is the whole of it: [`Remembered::claim`] says who answers an id, and
//! [`Ticket::answer`] is how. What is remembered is what was concluded; each answer is sealed anew.
//! What other replicas remember is in [`super::replicas`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::metrics::Limit;
use crate::refusal::Refusal;
use crate::scheme::{Conclusion, Opened};

/// The answers of every route, by the ids of their requests.
#[derive(Debug)]
pub(super) struct Remembered(Arc<Mutex<Memory>>);

#[derive(Debug)]
struct Memory {
    entries: HashMap<Key, Entry>,
    /// Bytes of all entries.
    used: usize,
    swept: Instant,
    shown: Limit,
}

/// A route, and the id of a request.
type Key = (Arc<str>, String);

#[derive(Debug)]
struct Entry {
    /// SHA-256 of the request.
    digest: [u8; 32],
    until: Instant,
    bytes: usize,
    answer: watch::Receiver<Option<Said>>,
}

/// What who asks is told: what was concluded, or why that cannot be said now.
pub(super) type Said = Result<Conclusion, Refusal>;

/// Who answers a request.
#[derive(Debug)]
pub(super) enum Claimed {
    /// Whoever holds the ticket.
    First(Ticket, Answer),
    /// Nobody any more: it has an answer, or is getting one.
    Again(Answer),
    /// Nobody: its id is another request's.
    Other,
    /// Nobody: there is no room to remember one more.
    Full,
}

/// The right to answer an id, once.
#[derive(Debug)]
pub(super) struct Ticket {
    memory: Arc<Mutex<Memory>>,
    /// None for a request without an id.
    key: Option<Key>,
    sender: watch::Sender<Option<Said>>,
}

/// An answer that is there, or will be.
#[derive(Debug)]
pub(super) struct Answer(watch::Receiver<Option<Said>>);

impl Remembered {
    /// Remembers nothing yet.
    pub(super) fn new(shown: Limit) -> Self {
        let memory = Memory { entries: HashMap::new(), used: 0, swept: Instant::now(), shown };
        Self(Arc::new(Mutex::new(memory)))
    }

    /// Claims a request's id on its route, and remembers it from now for so long. A request without
    /// an id is a new one each time.
    pub(super) fn claim(
        &self,
        route: &Arc<str>,
        opened: &Opened,
        (keep, now): (Duration, Instant),
    ) -> Claimed {
        let (sender, answer) = watch::channel(None);
        let ticket = |key| Ticket { memory: Arc::clone(&self.0), key, sender };
        if opened.id.is_empty() {
            return Claimed::First(ticket(None), Answer(answer));
        }
        let key = (Arc::clone(route), opened.id.clone());
        let digest = Sha256::digest(&opened.request).into();
        let mut memory = locked(&self.0);
        memory.sweep(now);
        if let Some(entry) = memory.entries.get_mut(&key).filter(|entry| entry.until > now) {
            if entry.digest != digest {
                return Claimed::Other;
            }
            entry.until = now + keep;
            return Claimed::Again(Answer(entry.answer.clone()));
        }
        if memory.used >= ROOM {
            return Claimed::Full;
        }
        let bytes = ENTRY + opened.id.len();
        let entry = Entry { digest, until: now + keep, bytes, answer: answer.clone() };
        memory.insert(key.clone(), entry);
        Claimed::First(ticket(Some(key)), Answer(answer))
    }
}

impl Memory {
    /// Forgets what is over; not each time, as it looks at everything.
    fn sweep(&mut self, now: Instant) {
        if now.duration_since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        self.entries.retain(|_, entry| entry.until > now);
        self.used = self.entries.values().map(|entry| entry.bytes).sum();
        self.show();
    }

    fn insert(&mut self, key: Key, entry: Entry) {
        self.used += entry.bytes;
        let over = self.entries.insert(key, entry);
        self.used -= over.map_or(0, |entry| entry.bytes);
        self.show();
    }

    fn show(&self) {
        self.shown.used(self.used as u64);
    }
}

impl Ticket {
    /// Answers whoever asks with the id, now and later. A ticket that is dropped leaves it without
    /// an answer: nobody is asked again.
    pub(super) fn answer(self, conclusion: Conclusion) {
        let bytes = conclusion.package.len() + conclusion.reason.len();
        let mut memory = locked(&self.memory);
        if let Some(entry) = self.key.as_ref().and_then(|key| memory.entries.get_mut(key)) {
            entry.bytes += bytes;
            memory.used += bytes;
            memory.show();
        }
        self.sender.send_replace(Some(Ok(conclusion)));
    }

    /// Tells those who wait, and forgets the id: nobody was asked.
    pub(super) fn give_back(self, said: Said) {
        let mut memory = locked(&self.memory);
        let entry = self.key.as_ref().and_then(|key| memory.entries.remove(key));
        memory.used -= entry.map_or(0, |entry| entry.bytes);
        memory.show();
        self.sender.send_replace(Some(said));
    }
}

impl Answer {
    /// Waits for it; none where the one who was to answer is gone.
    pub(super) async fn said(mut self) -> Option<Said> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

fn locked(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of all entries: some 30,000 answers as services give them. A node asks once for each
/// transaction.
pub(super) const ROOM: usize = 16 << 20;

/// Bytes of an entry beside its texts, about.
const ENTRY: usize = 256;

const SWEEP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::metrics::Metrics;
    use crate::refusal::Code;

    const KEEP: Duration = Duration::from_secs(600);

    fn remembered() -> Remembered {
        Remembered::new(Metrics::default().limit("remembered_answers", ROOM as u64))
    }

    fn opened(id: &str, request: &'static str) -> Opened {
        let request = Bytes::from_static(request.as_bytes());
        Opened { request, content_type: "application/json", id: id.into(), kind: 2 }
    }

    fn conclusion(package: impl Into<Bytes>) -> Conclusion {
        Conclusion { package: package.into(), approves: true, said: None, reason: String::new() }
    }

    /// What became of a claim: the first's ticket, or a word.
    fn claim(memory: &Remembered, id: &str, text: &'static str, now: Instant) -> Claimed {
        memory.claim(&"r".into(), &opened(id, text), (KEEP, now))
    }

    fn first(claimed: Claimed) -> Ticket {
        let Claimed::First(ticket, _) = claimed else { panic!("{claimed:?}") };
        ticket
    }

    async fn again(claimed: Claimed) -> Option<Conclusion> {
        let Claimed::Again(answer) = claimed else { panic!("{claimed:?}") };
        answer.said().await.map(|said| said.expect("it was concluded"))
    }

    #[tokio::test]
    async fn an_id_has_one_answer_for_as_long_as_it_is_remembered() {
        let (memory, now) = (remembered(), Instant::now());
        let ticket = first(claim(&memory, "1", "a", now));
        let waits = claim(&memory, "1", "a", now);
        assert!(matches!(claim(&memory, "1", "b", now), Claimed::Other));
        ticket.answer(conclusion("yes"));
        assert_eq!(again(waits).await, Some(conclusion("yes")));
        let late = now + KEEP - Duration::from_millis(1);
        assert_eq!(again(claim(&memory, "1", "a", late)).await, Some(conclusion("yes")));
        assert!(matches!(claim(&memory, "1", "b", late), Claimed::Other));
        // Who asks again might ask once more, as late.
        let later = late + KEEP - Duration::from_millis(1);
        assert_eq!(again(claim(&memory, "1", "a", later)).await, Some(conclusion("yes")));
        // Other routes have ids of their own; and in the end it is a new request.
        let other = memory.claim(&"other".into(), &opened("1", "b"), (KEEP, now));
        first(other);
        first(claim(&memory, "1", "b", later + KEEP));
    }

    #[tokio::test]
    async fn what_nobody_answered_is_not_asked_again() {
        let (memory, now) = (remembered(), Instant::now());
        drop(first(claim(&memory, "1", "a", now)));
        assert_eq!(again(claim(&memory, "1", "a", now)).await, None);
        for _ in 0..2 {
            first(claim(&memory, "", "a", now)).answer(conclusion("ping"));
        }
        assert_eq!(locked(&memory.0).entries.len(), 1);
    }

    #[tokio::test]
    async fn what_is_given_back_is_told_to_those_who_wait_and_is_new_then() {
        let (memory, now) = (remembered(), Instant::now());
        let ticket = first(claim(&memory, "1", "a", now));
        let waits = claim(&memory, "1", "a", now);
        ticket.give_back(Err(Refusal::new(Code::AnswersUnavailable, "gone")));
        let Claimed::Again(answer) = waits else { panic!("{waits:?}") };
        assert!(matches!(answer.said().await, Some(Err(_))));
        assert_eq!(locked(&memory.0).used, 0);
        first(claim(&memory, "1", "b", now));
    }

    #[test]
    fn memory_is_bounded_and_what_is_over_makes_room() {
        let (memory, now) = (remembered(), Instant::now());
        first(claim(&memory, "big", "a", now)).answer(conclusion(vec![0; ROOM]));
        assert!(matches!(claim(&memory, "1", "a", now), Claimed::Full));
        assert!(matches!(claim(&memory, "big", "a", now), Claimed::Again(_)));
        first(claim(&memory, "1", "a", now + KEEP));
        assert_eq!(locked(&memory.0).used, ENTRY + 1);
    }
}
