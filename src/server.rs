//! Listeners: binding them, taking connections, limiting and draining them.

mod answer;
mod connect;
mod conversation;
mod foreign;
mod http2;
mod intake;
mod listener;
mod patience;
mod shared;
mod stream;
mod told;

use std::sync::Arc;
use std::time::Duration;

pub use listener::{Bound, Listener, Listening};
pub use shared::Role;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::conversation::converse;
use self::shared::{Client, ConnectionPermit, Protocol, Shared};
use crate::pipeline::Pipeline;
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

const ADMIN_CONNECTIONS: usize = 32;

impl Server {
    /// A server over bound listeners.
    pub fn new(listeners: Vec<Listener>, pipeline: Pipeline, surroundings: Surroundings) -> Self {
        let own = listeners.iter().filter_map(|l| l.bound().tcp()).collect();
        surroundings.dialer.set_own(own);
        let connections = pipeline.snapshot().limits.connections;
        let (closing, tasks) = pipeline.tunnels().drain();
        let shared = Shared {
            pipeline,
            surroundings,
            converse,
            slots: Arc::new(Semaphore::new(connections)),
            admin_slots: Arc::new(Semaphore::new(ADMIN_CONNECTIONS)),
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

/// Takes connections until a stop. A connection beyond the limit waits here, and those behind it
/// in the kernel's queue.
async fn accept(listener: Listener, shared: Arc<Shared>) {
    let role = listener.role();
    let (slots, until) = if role == Role::Admin {
        (&shared.admin_slots, shared.closing.clone())
    } else {
        (&shared.slots, shared.stopping.clone())
    };
    loop {
        let next = async {
            // In this order: a slot taken beforehand would be one less for the other listeners for
            // as long as nobody comes to this one.
            let accepted =
                listener.accept(|| shared.pipeline.snapshot().access.users.matter()).await;
            (accepted, Arc::clone(slots).acquire_owned().await)
        };
        let (accepted, slot) = tokio::select! {
            next = next => next,
            () = until.cancelled() => return,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: the connection waits in the queue, so trying
                // again at once would only spin.
                tracing::warn!(listener = role.name(), %error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = slot else { return };
        let place = ConnectionPermit::new(slot, shared.surroundings.metrics.connection());
        let client = Client::new(role, peer, listener.names(), place);
        let shared_too = Arc::clone(&shared);
        // A gateway's clients may begin in HTTP/2 at once; those of a forward listener do not.
        let protocol = if role == Role::Gateway { Protocol::Either } else { Protocol::Http1 };
        let connection = converse(socket, protocol, client, shared_too);
        // An admin connection must not hold up a drain.
        if role == Role::Admin {
            tokio::spawn(connection);
        } else {
            shared.tasks.spawn(connection);
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
