//! Listeners: binding them, taking connections, limiting and draining them.

mod answer;
mod connect;
mod conversation;
mod door;
mod foreign;
mod handed;
mod http2;
mod intake;
mod listener;
mod lobby;
mod patience;
mod shared;
mod stream;
mod told;

use std::sync::Arc;
use std::time::Duration;

pub use handed::Handed;
pub use listener::{Bound, Listener, Listening};
pub use shared::Role;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::conversation::{Conversation, converse};
use self::door::Reserve;
use self::lobby::{End, Lobby};
use self::shared::{Client, Place, Protocol, Shared};
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::refusal::Code;
use crate::shares::Shares;
use crate::snapshot::Surroundings;

/// How a stop begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// New requests are still taken for a while.
    Lingering,
    /// Nobody will send any.
    AtOnce,
}

/// Bound listeners and everything their connections share.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    listeners: Vec<Listener>,
}

/// Connections on which no request was admitted yet, on forward listener and gateway together.
pub(crate) const UNAUTHENTICATED: usize = 512;
/// Those of the admin listener, which are never more than that: the oldest makes room for the next.
pub(crate) const ADMIN_CONNECTIONS: usize = 128;

impl Server {
    /// A server over bound listeners.
    pub fn new(listeners: Vec<Listener>, pipeline: Pipeline, surroundings: Surroundings) -> Self {
        let own = listeners.iter().filter_map(|l| l.bound().tcp()).collect();
        surroundings.dialer.set_own(own);
        let connections = pipeline.snapshot().limits.connections as u64;
        let (closing, tasks) = pipeline.tunnels().drain();
        let limit = |name, most| surroundings.metrics.limit(name, most);
        let lobby = |name, most: usize| Lobby::new(most, limit(name, most as u64));
        // From the start, so that the first one is seen as a change.
        for reason in [Code::ClientNotAllowed.name(), Code::OutOfDescriptors.name(), MADE_ROOM] {
            surroundings.metrics.turned_away(reason);
        }
        let shared = Shared {
            lobby: lobby("unauthenticated", UNAUTHENTICATED),
            admin_lobby: lobby("admin", ADMIN_CONNECTIONS),
            places: Shares::new(limit("connections", connections)),
            connections,
            farewells: Arc::new(Semaphore::new(door::FAREWELLS)),
            pipeline,
            surroundings,
            converse,
            leaving: CancellationToken::new(),
            stopping: CancellationToken::new(),
            closing,
            tasks,
        };
        Self { shared: Arc::new(shared), listeners }
    }

    /// Serves until `stop` resolves, then drains. Those who use the proxy may be told to stop when
    /// it is, so a [`Stop::Lingering`] takes new requests for `timeouts.drain_linger`; then no new
    /// connections are taken, requests under way may finish within `timeouts.drain`, and probes
    /// answer to the end. `abort` ends the wait at once.
    ///
    /// Returns whether every request under way was finished.
    pub async fn serve(
        self,
        stop: impl Future<Output = Stop>,
        abort: impl Future<Output = ()>,
    ) -> bool {
        tokio::pin!(abort);
        let shared = self.shared;
        let admin = TaskTracker::new();
        for listener in self.listeners {
            let tracker = if listener.role() == Role::Admin { &admin } else { &shared.tasks };
            tracker.spawn(accept(listener, Arc::clone(&shared)));
        }
        let how = stop.await;
        shared.leaving.cancel();
        let snapshot = shared.pipeline.snapshot();
        let linger = snapshot.timeouts.drain_linger;
        let in_peace = how == Stop::AtOnce || timeout(linger, &mut abort).await.is_err();
        let limit = if in_peace { snapshot.timeouts.drain } else { LAST_CALL };
        shared.stopping.cancel();
        shared.tasks.close();
        let drained = tokio::select! {
            () = shared.tasks.wait() => true,
            () = tokio::time::sleep(limit) => false,
            () = &mut abort, if in_peace => false,
        };
        shared.closing.cancel();
        admin.close();
        // What was told to close now needs no more than a turn of the scheduler.
        let closed = async {
            shared.tasks.wait().await;
            admin.wait().await;
        };
        timeout(LAST_CALL, closed).await.is_ok() && drained
    }
}

const LAST_CALL: Duration = Duration::from_millis(500);

/// Takes connections until a stop.
async fn accept(listener: Listener, shared: Arc<Shared>) {
    let role = listener.role();
    let until = if role == Role::Admin { &shared.closing } else { &shared.stopping }.clone();
    let mut reserve = Reserve::new();
    loop {
        let judge = |peer| {
            let snapshot = shared.pipeline.snapshot();
            door::pass(&snapshot, peer).map(|()| snapshot.access.users.matter())
        };
        let accepted = tokio::select! {
            accepted = listener.accept(judge) => accepted,
            () = until.cancelled() => return,
        };
        let (socket, peer, user) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if door::is_of_one(&error) => continue,
            Err(error) => {
                reserve.failed(&listener, &shared, &error).await;
                continue;
            }
        };
        reserve.well();
        let user = match user {
            Ok(user) => user,
            Err(refusal) => {
                door::turn_away(socket.here(), peer, refusal, &shared);
                continue;
            }
        };
        let most = shared.pipeline.snapshot().limits.unauthenticated;
        let stay = tokio::select! {
            stay = shared.lobby(role).enter(peer, most) => stay,
            () = until.cancelled() => return,
        };
        let end = stay.end();
        let place = Place::new(stay, shared.surroundings.metrics.connection());
        let client = Client::new(role, (peer, user), listener.names(), place);
        // A gateway's clients may begin in HTTP/2 at once; those of a forward listener do not.
        let protocol = if role == Role::Gateway { Protocol::Either } else { Protocol::Http1 };
        let on = Arc::clone(&shared);
        let begin = move |socket| {
            let metrics = Arc::clone(&on.surroundings.metrics);
            until_turned_out(end, metrics, converse(socket, protocol, client, on))
        };
        // An admin connection must not hold up a drain, and takes nothing from a core.
        if role == Role::Admin {
            tokio::spawn(begin(socket.here()));
            continue;
        }
        let Some(core) = shared.surroundings.cores.next() else {
            shared.tasks.spawn(begin(socket.here()));
            continue;
        };
        // One that the runtimes cannot hand on is over before it began.
        let Ok(socket) = socket.elsewhere() else { continue };
        let connection = async move {
            if let Ok(socket) = socket.here() {
                begin(socket).await;
            }
        };
        shared.tasks.spawn_on(connection, core);
    }
}

/// A connection, until it ends or is turned out.
async fn until_turned_out(end: Arc<End>, metrics: Arc<Metrics>, connection: Conversation) {
    tokio::select! {
        biased;
        () = connection => {}
        () = end.turned_out() => {
            metrics.turned_away(MADE_ROOM).inc();
        }
    }
}

/// Why an unauthenticated connection was closed, beside the codes of refusals.
const MADE_ROOM: &str = "made_room";
