//! Connection state: what a server's connections share, their limit, and who each is from.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::stream::Duplex;
use crate::access::OwnNames;
use crate::metrics::Open;
use crate::peer::Peer;
use crate::pipeline::Pipeline;
use crate::request::{Entrance, Inside, Sender};
use crate::snapshot::Surroundings;

/// What a listener is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Absolute-form requests and CONNECT.
    Forward,
    /// `/<route>/rest`.
    Gateway,
    /// Probes and metrics.
    Admin,
}

impl Role {
    /// The name in `[listen]`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Gateway => "gateway",
            Self::Admin => "admin",
        }
    }
}

/// Speaks with one client, until its connection ends or a stop does.
pub(super) type Converse =
    fn(Box<dyn Duplex>, Protocol, Client, Arc<Shared>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pipeline: Pipeline,
    pub(crate) surroundings: Surroundings,
    /// Speaks with a client: what is inside a CONNECT is a conversation again.
    pub(super) converse: Converse,
    /// Connections on forward and gateway together.
    pub(super) slots: Arc<Semaphore>,
    /// The admin listener's own few: probes must get through when all others are taken.
    pub(super) admin_slots: Arc<Semaphore>,
    /// Cancelled when a stop was asked for: nobody new should be sent here.
    pub(crate) leaving: CancellationToken,
    /// Cancelled when nothing new is taken any more.
    pub(crate) stopping: CancellationToken,
    /// Cancelled when the drain is over, or given up.
    pub(super) closing: CancellationToken,
    /// Connections and tunnels under way.
    pub(super) tasks: TaskTracker,
}

/// A connection's place among all, kept until its HTTP is over, inside a CONNECT too. Tunnels have
/// a limit of their own.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    _slot: OwnedSemaphorePermit,
    _open: Open,
}

impl ConnectionPermit {
    pub(super) fn new(slot: OwnedSemaphorePermit, open: Open) -> Self {
        Self { _slot: slot, _open: open }
    }
}

/// Who a connection is from, and by what names it may have been called.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) role: Role,
    pub(super) peer: Option<IpAddr>,
    user: Peer,
    own: Option<OwnNames>,
    /// The CONNECT this conversation is inside of.
    pub(super) inside: Option<Arc<Inside>>,
    #[expect(dead_code, reason = "its drop frees a place among limits.connections")]
    place: Arc<ConnectionPermit>,
}

impl Client {
    pub(super) fn new(
        role: Role,
        (peer, user): (Option<IpAddr>, Peer),
        own: Option<OwnNames>,
        place: ConnectionPermit,
    ) -> Self {
        Self { role, peer, user, own, inside: None, place: Arc::new(place) }
    }

    /// What says that it is to be let go: probes are answered to the end.
    pub(super) fn drain<'a>(&self, shared: &'a Shared) -> &'a CancellationToken {
        if self.role == Role::Admin { &shared.closing } else { &shared.stopping }
    }

    /// From whom its requests are.
    pub(super) fn sender(&self) -> Sender<'_> {
        let own = self.own.as_ref();
        let entrance = match (&self.inside, self.role) {
            (Some(inside), _) => Entrance::Inside(inside),
            (None, Role::Forward) => Entrance::Forward,
            (None, Role::Gateway) => Entrance::Gateway(own),
            (None, Role::Admin) => Entrance::Admin(own),
        };
        Sender { entrance, peer: self.peer, user: self.user, client: None }
    }

    /// The same client, inside a CONNECT.
    pub(super) fn inside(self, inside: Inside) -> Self {
        Self { inside: Some(Arc::new(inside)), ..self }
    }
}

/// What a client may speak.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, as TLS has settled.
    Http2,
    /// HTTP/2 with prior knowledge (RFC 9113, section 3.3), or else HTTP/1.1.
    Either,
}
