//! Unauthenticated connections: each is in here until a request of its is admitted, and has none of
//! the places of `limits.connections`. Where there is no room, the oldest is closed, as those who may
//! send a request do so at once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::metrics::Limit;

/// Those of some listeners.
#[derive(Debug)]
pub(super) struct Lobby {
    limit: usize,
    state: Mutex<State>,
    left: Notify,
    shown: Limit,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// By their numbers, so that the first is the oldest.
    waiting: BTreeMap<u64, Waiting>,
    /// The numbers of each source, the oldest first.
    sources: HashMap<Source, VecDeque<u64>>,
}

#[derive(Debug)]
struct Waiting {
    source: Source,
    since: Instant,
    end: Arc<End>,
}

/// Where a connection comes from: an address, the network that one host has of IPv6 (a /64), or a
/// Unix socket.
type Source = Option<IpAddr>;

fn source(peer: Option<IpAddr>) -> Source {
    peer.map(|peer| match peer.to_canonical() {
        IpAddr::V6(peer) => Ipv6Addr::from_bits(peer.to_bits() & !u128::from(u64::MAX)).into(),
        peer => peer,
    })
}

/// A connection's stay, until it is dropped.
#[derive(Debug)]
pub(super) struct Stay {
    lobby: Arc<Lobby>,
    number: u64,
    end: Arc<End>,
}

/// How a stay ends.
#[derive(Debug, Default)]
pub(super) struct End {
    asked_to_go: Notify,
    /// It was admitted, or closed: whichever was first.
    decided: AtomicBool,
}

impl End {
    /// Resolves when a connection is to be closed: it was turned out, and what it had sent by then was
    /// none that is admitted. Its bytes may be unread for as long as the program has much to do.
    pub(super) async fn turned_out(&self) {
        self.asked_to_go.notified().await;
        // Its turn comes again when the runtime has seen which sockets have something.
        tokio::task::yield_now().await;
        if !self.decide() {
            std::future::pending().await
        }
    }

    /// Whether nothing was decided before.
    fn decide(&self) -> bool {
        !self.decided.swap(true, Ordering::AcqRel)
    }
}

impl Lobby {
    /// Room for `limit` connections.
    pub(super) fn new(limit: usize, shown: Limit) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default(), left: Notify::new(), shown })
    }

    /// Lets a connection in. The oldest of the same source goes where that has `most` already, and
    /// the oldest of all where there is no room. Who has just come is waited for.
    pub(super) async fn enter(self: &Arc<Self>, peer: Option<IpAddr>, most: usize) -> Stay {
        let source = source(peer);
        loop {
            let left = self.left.notified();
            let young = match self.try_enter(source, most) {
                Ok(stay) => return stay,
                Err(young) => young,
            };
            tokio::select! {
                () = left => {}
                () = tokio::time::sleep(young) => {}
            }
        }
    }

    /// How long it takes until the oldest may be turned out, where there is no room.
    fn try_enter(self: &Arc<Self>, source: Source, most: usize) -> Result<Stay, Duration> {
        let mut state = self.state();
        let own = state.sources.get(&source).filter(|own| own.len() >= most);
        if let Some(oldest) = own.and_then(|own| own.front()).copied() {
            // Where it is too young, the source has some more for a moment.
            let _young = state.turn_out(oldest);
        }
        if state.waiting.len() >= self.limit {
            let oldest = state.waiting.keys().next().copied().unwrap_or_default();
            state.turn_out(oldest)?;
        }
        let (number, end) = (state.next, Arc::new(End::default()));
        state.next += 1;
        let waiting = Waiting { source, since: Instant::now(), end: Arc::clone(&end) };
        state.waiting.insert(number, waiting);
        state.sources.entry(source).or_default().push_back(number);
        self.shown.used(state.waiting.len() as u64);
        Ok(Stay { lobby: Arc::clone(self), number, end })
    }

    /// Turns the oldest out, so that what it has is there for others. Whether there was one.
    pub(super) fn turn_oldest_out(&self) -> bool {
        let mut state = self.state();
        let oldest = state.waiting.keys().next().copied();
        let gone = oldest.is_some_and(|oldest| state.turn_out(oldest).is_ok());
        self.shown.used(state.waiting.len() as u64);
        gone
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells a connection to go.
    ///
    /// # Errors
    ///
    /// How long it may still stay: it has hardly come.
    fn turn_out(&mut self, number: u64) -> Result<(), Duration> {
        let Some(waiting) = self.waiting.get(&number) else { return Ok(()) };
        let young = YOUNG.saturating_sub(waiting.since.elapsed());
        if !young.is_zero() {
            return Err(young);
        }
        if let Some(waiting) = self.remove(number) {
            waiting.end.asked_to_go.notify_one();
        }
        Ok(())
    }

    fn remove(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&number)?;
        if let Some(own) = self.sources.get_mut(&waiting.source) {
            own.retain(|other| *other != number);
            if own.is_empty() {
                self.sources.remove(&waiting.source);
            }
        }
        Some(waiting)
    }
}

impl Stay {
    /// What says that it is to be closed. Who has left is not.
    pub(super) fn end(&self) -> Arc<End> {
        Arc::clone(&self.end)
    }

    /// A request of its is admitted, so it leaves. False where it was closed before.
    pub(super) fn leave(&self) -> bool {
        let mut state = self.lobby.state();
        state.remove(self.number);
        self.lobby.shown.used(state.waiting.len() as u64);
        drop(state);
        self.lobby.left.notify_one();
        self.end.decide()
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.leave();
    }
}

/// So long a connection may take to say what it wants before others may take its room: far more
/// than a client takes that has something to say.
const YOUNG: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn lobby(limit: usize) -> Arc<Lobby> {
        Lobby::new(limit, Metrics::default().limit("unauthenticated", 0))
    }

    fn from(address: &str) -> Option<IpAddr> {
        Some(address.parse().expect("an address"))
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_goes_and_whoever_has_just_come_stays() {
        let lobby = lobby(3);
        let first = lobby.enter(from("10.0.0.1"), 9).await;
        tokio::time::advance(YOUNG / 2).await;
        let others = [lobby.enter(from("10.0.0.2"), 9).await, lobby.enter(from("::1"), 9).await];
        let (began, full) = (Instant::now(), lobby.enter(from("10.0.0.3"), 9).await);
        assert_eq!(began.elapsed(), YOUNG / 2, "the first is waited for");
        first.end().turned_out().await;
        assert!(!first.leave() && full.leave(), "only one of them is gone");
        assert!(others.iter().all(Stay::leave));
        assert!(lobby.state().sources.is_empty() && lobby.state().waiting.is_empty());
    }

    /// The bug: a burst of clients, all of which have sent what is admitted, is closed in part, as the
    /// program had no time to read it.
    #[tokio::test(start_paused = true)]
    async fn who_is_admitted_when_its_turn_comes_stays() {
        let lobby = lobby(1);
        let first = lobby.enter(from("10.0.0.1"), 9).await;
        let _second = lobby.enter(from("10.0.0.2"), 9).await;
        let end = first.end();
        let mut closed = std::pin::pin!(end.turned_out());
        tokio::select! {
            biased;
            stays = async { tokio::task::yield_now().await; first.leave() } => assert!(stays),
            () = &mut closed => panic!("it is closed, though it has said what it wants"),
        }
        let late = tokio::time::timeout(YOUNG, closed).await;
        assert!(late.is_err(), "it is not closed later either");
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_has_its_number_and_a_place_comes_back_at_once() {
        let lobby = lobby(9);
        let one = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:ffff:ffff:ffff"];
        let mut own = Vec::new();
        for address in one {
            own.push(lobby.enter(from(address), 2).await);
        }
        assert_eq!(lobby.state().waiting.len(), 3, "all are young");
        tokio::time::advance(YOUNG).await;
        let other = lobby.enter(from("2001:db8:0:1::1"), 2).await;
        let next = lobby.enter(from("2001:db8::3"), 2).await;
        let gone = tokio::time::timeout(YOUNG / 2, own[0].end().turned_out()).await;
        assert!(gone.is_ok(), "the oldest of the same network");
        assert!(!own[0].leave() && own[1].leave() && own[2].leave());
        assert!(other.leave() && next.leave());
    }
}
