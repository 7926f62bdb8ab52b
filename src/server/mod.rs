//! Listeners: binding them, taking connections, limiting and draining them.

mod connect;
pub(crate) mod intake;
mod listener;
mod stream;
mod tunnel;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
pub use listener::{BindError, Bound, Listener};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::listener::Socket;
use self::stream::{Lingering, Unread};
use crate::access::OwnNames;
use crate::admin;
use crate::body::Reply;
use crate::pipeline::{Pipeline, refuse};
use crate::refusal::{Code, Refusal};
use crate::snapshot::{Snapshot, Surroundings};

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

/// Bound listeners and everything their connections share.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    listeners: Vec<Listener>,
}

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pipeline: Pipeline,
    pub(crate) surroundings: Surroundings,
    /// Connections on forward and gateway together.
    slots: Arc<Semaphore>,
    /// The admin listener's own few: probes must get through when all others are taken.
    admin_slots: Arc<Semaphore>,
    /// Cancelled when a stop begins.
    pub(crate) stopping: CancellationToken,
    /// Cancelled when the drain is over, or given up.
    closing: CancellationToken,
    /// Connections and tunnels under way.
    tasks: TaskTracker,
}

const ADMIN_CONNECTIONS: usize = 32;

impl Server {
    /// A server over bound listeners.
    pub fn new(listeners: Vec<Listener>, pipeline: Pipeline, surroundings: Surroundings) -> Self {
        let own = listeners.iter().filter_map(|l| l.bound().tcp()).collect();
        surroundings.own.set(own);
        let connections = pipeline.snapshot().limits.connections;
        let shared = Shared {
            pipeline,
            surroundings,
            slots: Arc::new(Semaphore::new(connections)),
            admin_slots: Arc::new(Semaphore::new(ADMIN_CONNECTIONS)),
            stopping: CancellationToken::new(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Self { shared: Arc::new(shared), listeners }
    }

    /// Serves until `stop` resolves, then drains: no new connections, requests under way may
    /// finish within `timeouts.drain`, probes answer to the end. `abort` ends the wait at once.
    ///
    /// Returns whether every request under way was finished.
    pub async fn serve(
        self,
        stop: impl Future<Output = ()>,
        abort: impl Future<Output = ()>,
    ) -> bool {
        let shared = self.shared;
        let admin = TaskTracker::new();
        for listener in self.listeners {
            let tracker = if listener.role() == Role::Admin { &admin } else { &shared.tasks };
            tracker.spawn(accept(listener, Arc::clone(&shared)));
        }
        stop.await;
        let limit = shared.pipeline.snapshot().timeouts.drain;
        shared.stopping.cancel();
        shared.tasks.close();
        let drained = tokio::select! {
            () = shared.tasks.wait() => true,
            () = tokio::time::sleep(limit) => false,
            () = abort => false,
        };
        shared.closing.cancel();
        admin.close();
        // What was told to close now needs no more than a turn of the scheduler.
        let closed = async {
            shared.tasks.wait().await;
            admin.wait().await;
        };
        tokio::time::timeout(LAST_CALL, closed).await.is_ok() && drained
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
            let accepted = listener.accept().await;
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
        let client = Client { role, peer, own: listener.names() };
        let shared_too = Arc::clone(&shared);
        let open = shared.surroundings.metrics.connection();
        let connection = async move {
            match socket {
                Socket::Tcp(stream) => converse(stream, client, shared_too).await,
                Socket::Unix(stream) => converse(stream, client, shared_too).await,
            }
            drop((slot, open));
        };
        // An admin connection must not hold up a drain.
        if role == Role::Admin {
            tokio::spawn(connection);
        } else {
            shared.tasks.spawn(connection);
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who a connection is from, and by what names it may have been called.
#[derive(Clone, Debug)]
struct Client {
    role: Role,
    peer: Option<IpAddr>,
    own: Option<OwnNames>,
}

/// Speaks HTTP/1.1 with one client.
async fn converse<S>(stream: S, client: Client, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let snapshot = shared.pipeline.snapshot();
    let (limits, timeouts) = (&snapshot.limits, &snapshot.timeouts);
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.request_head)
        .max_header_size(limits.header)
        .max_buf_size(limits.header.max(BUFFER));
    let unread = Unread::default();
    let io = TokioIo::new(Lingering::new(stream, timeouts.body_idle, unread.clone()));
    drop(snapshot);
    let role = client.role;
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, client, unread) = (Arc::clone(&shared), client.clone(), unread.clone());
        async move {
            let body = !request.body().is_end_stream();
            let response = answer(request, &client, &shared).await;
            unread.set(body && response.body().may_come_early());
            Ok::<_, Infallible>(response)
        }
    });
    let connection = builder.serve_connection(io, service).with_upgrades();
    tokio::pin!(connection);
    let drain = if role == Role::Admin { &shared.closing } else { &shared.stopping };
    let mut draining = false;
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(listener = role.name(), %error, "a client's connection ended");
                }
                return;
            }
            () = drain.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            () = shared.closing.cancelled(), if draining => return,
        }
    }
}

/// What a connection may buffer. hyper's own 400 KiB, times every connection, is a lot of memory
/// for a client to ask for.
const BUFFER: usize = 64 * 1024;

/// One request, to the pipeline or to where its listener says.
async fn answer(
    request: Request<Incoming>,
    client: &Client,
    shared: &Arc<Shared>,
) -> Response<Reply> {
    let snapshot = shared.pipeline.snapshot();
    let mut record = shared.pipeline.record();
    record.method = request.method().to_string();
    record.peer = client.peer;
    if let Err(refusal) = admit(&request, client, &snapshot, shared) {
        return refuse(refusal, record);
    }
    match client.role {
        Role::Admin => {
            let (metrics, draining) = (shared.pipeline.metrics(), shared.stopping.is_cancelled());
            admin::answer(&request, &snapshot, metrics, draining, record)
        }
        Role::Forward | Role::Gateway => {
            match snapshot.access.client(request.headers()) {
                Ok(name) => record.client = name,
                Err(refusal) => return refuse(refusal, record),
            }
            if client.role == Role::Forward && request.method() == Method::CONNECT {
                return connect::answer(request, &snapshot, shared, record).await;
            }
            let intake = match client.role {
                Role::Gateway => intake::gateway(request),
                Role::Forward | Role::Admin => intake::absolute(request),
            };
            shared.pipeline.serve(&snapshot, intake, record).await
        }
    }
}

/// What every request must pass, whatever it asks for.
fn admit(
    request: &Request<Incoming>,
    client: &Client,
    snapshot: &Snapshot,
    shared: &Shared,
) -> Result<(), Refusal> {
    snapshot.access.address(client.peer)?;
    if client.role != Role::Forward {
        snapshot.access.page(request.headers(), client.own.as_ref())?;
    }
    if client.role != Role::Admin && shared.stopping.is_cancelled() {
        return Err(Refusal::new(Code::Draining, "a stop is in progress"));
    }
    Ok(())
}

impl Shared {
    /// Runs a tunnel as part of what a drain waits for, and ends it when the drain is over.
    pub(crate) fn tunnel(&self, tunnel: impl Future<Output = ()> + Send + 'static) {
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = tunnel => {}
                () = closing.cancelled() => {}
            }
        });
    }
}
