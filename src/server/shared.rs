//! Connection state: what a server's connections share, their limits, and who each is from.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, Version};
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lobby::{Lobby, Stay};
use super::stream::Duplex;
use crate::access::OwnNames;
use crate::metrics::Open;
use crate::peer::Peer;
use crate::pipeline::Pipeline;
use crate::record::Record;
use crate::refusal::{Code, Refusal};
use crate::request::{Entrance, Inside, Sender, View, admit};
use crate::shares::{Share, Shares};
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
    /// Connections on forward and gateway together, of which a request was admitted.
    pub(super) places: Arc<Shares>,
    /// How many there are.
    pub(super) connections: u64,
    /// Those of which none was yet.
    pub(super) lobby: Arc<Lobby>,
    /// All of the admin listener: probes must get through when all others are taken.
    pub(super) admin_lobby: Arc<Lobby>,
    /// Refusals on their way to those that did not get so far.
    pub(super) farewells: Arc<Semaphore>,
    /// Cancelled when a stop was asked for: nobody new should be sent here.
    pub(crate) leaving: CancellationToken,
    /// Cancelled when nothing new is taken any more.
    pub(crate) stopping: CancellationToken,
    /// Cancelled when the drain is over, or given up.
    pub(super) closing: CancellationToken,
    /// Connections and tunnels under way.
    pub(super) tasks: TaskTracker,
}

impl Shared {
    /// Where the connections of a listener begin.
    pub(super) fn lobby(&self, role: Role) -> &Arc<Lobby> {
        if role == Role::Admin { &self.admin_lobby } else { &self.lobby }
    }
}

/// A connection's place, kept until its HTTP is over, inside a CONNECT too: in the lobby, and from
/// its first admitted request on among all. Tunnels have a limit of their own.
#[derive(Debug)]
pub(super) struct Place {
    stay: Stay,
    share: OnceCell<Share>,
    _open: Open,
}

impl Place {
    pub(super) fn new(stay: Stay, open: Open) -> Self {
        Self { stay, share: OnceCell::new(), _open: open }
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
    place: Arc<Place>,
}

impl Client {
    pub(super) fn new(
        role: Role,
        (peer, user): (Option<IpAddr>, Peer),
        own: Option<OwnNames>,
        place: Place,
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

    /// Gives the connection its place with the first request that is admitted, once there is one
    /// for this client. What is not admitted is refused further on.
    ///
    /// # Errors
    ///
    /// `too_many_connections`, `draining`.
    pub(super) async fn settle(
        &self,
        view: View<'_>,
        (version, headers): (Version, &HeaderMap),
        shared: &Shared,
        record: &mut Record,
    ) -> Result<(), Refusal> {
        if self.role == Role::Admin || self.place.share.initialized() {
            return Ok(());
        }
        let Ok(name) = admit(view, self.sender(), version, headers) else { return Ok(()) };
        record.recognised(name);
        let holder = record.holder();
        let settled = self.place.share.get_or_try_init(|| self.settled(&holder, shared));
        let limit = shared.pipeline.snapshot().timeouts.response_head;
        tokio::select! {
            biased;
            settled = settled => settled.map(|_| ()),
            () = shared.stopping.cancelled() => {
                Err(Refusal::new(Code::Draining, "a stop is in progress"))
            }
            () = tokio::time::sleep(limit) => {
                let what = format!("no place among limits.connections within {limit:?}");
                Err(Refusal::new(Code::TooManyConnections, what))
            }
        }
    }

    async fn settled(&self, holder: &str, shared: &Shared) -> Result<Share, Refusal> {
        let share = shared.places.wait(shared.connections, holder).await;
        if self.place.stay.leave() {
            return Ok(share);
        }
        // Nothing more is begun on it.
        let what = "the connection is being closed, as others came";
        Err(Refusal::new(Code::TooManyConnections, what))
    }

    /// Whether its connection ends with an answer of this status: there is no place for it, or nobody
    /// on it has shown yet that they may send anything.
    pub(super) fn ends_with(&self, status: u16) -> bool {
        !self.place.share.initialized() && matches!(status, 401 | 403 | 407 | 503)
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
