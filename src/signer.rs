//! The signer: a process that alone holds keys, and signs for those who may have it.
//!
//! It has one listener and no other network, reads no requests of clients, and gives up what it does
//! not need before its first thread starts (`sandbox`). What is asked and answered is the interface
//! of the store kind `remote`, `docs/remote-signer.md`.

mod answer;
pub(crate) mod conform;
mod grants;
pub(crate) mod held;
pub(crate) mod shared;
pub(crate) mod socket;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::grants::Caller;
use self::shared::Shared;
use self::socket::Bound;
use crate::tls::certificate_names;

/// A listener of the runtime.
enum Listening {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// Serves until `stop`, and then waits for what is under way; says whether that came to its end in
/// time.
///
/// # Errors
///
/// When the listener cannot be used.
pub(crate) async fn serve(
    bound: Bound,
    shared: Arc<Shared>,
    stop: CancellationToken,
    drain: Duration,
) -> io::Result<bool> {
    let listening = match bound {
        Bound::Unix(listener, _) => Listening::Unix(UnixListener::from_std(listener)?),
        Bound::Tcp(listener, _) => Listening::Tcp(TcpListener::from_std(listener)?),
    };
    let (tasks, room) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listening) => accepted,
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!("a connection was closed: {CONNECTIONS} are open");
            continue;
        };
        match accepted {
            Ok(peer) => {
                let (shared, stop) = (Arc::clone(&shared), stop.clone());
                tasks.spawn(async move {
                    peer.converse(shared, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    // Who comes now is refused by the system.
    drop(listening);
    tasks.close();
    Ok(tokio::time::timeout(drain, tasks.wait()).await.is_ok())
}

/// A connection that was taken.
enum Accepted {
    Unix(tokio::net::UnixStream, Caller),
    Tcp(tokio::net::TcpStream),
}

async fn accept(listening: &Listening) -> io::Result<Accepted> {
    match listening {
        Listening::Unix(listener) => {
            let (stream, _) = listener.accept().await?;
            let caller = Caller::User(stream.peer_cred()?.uid());
            Ok(Accepted::Unix(stream, caller))
        }
        Listening::Tcp(listener) => {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok(Accepted::Tcp(stream))
        }
    }
}

impl Accepted {
    async fn converse(self, shared: Arc<Shared>, stop: CancellationToken) {
        let stream = match self {
            Self::Unix(stream, caller) => return converse(stream, caller, shared, stop).await,
            Self::Tcp(stream) => stream,
        };
        let Some(tls) = shared.held().tls.clone() else { return };
        let handshake = tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(tls).accept(stream));
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::warn!(%error, "a peer was not believed"),
            Err(_) => return tracing::warn!("a peer said too little"),
        };
        let shown = stream.get_ref().1.peer_certificates().and_then(|shown| shown.first());
        let names = shown.map(certificate_names).unwrap_or_default();
        converse(stream, Caller::Certificate(names), shared, stop).await;
    }
}

/// Answers what comes on a connection, one after the other.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    caller: Caller,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    let service = service_fn(|request| {
        let (caller, shared) = (&caller, &shared);
        async move { Ok::<_, Infallible>(answer::answer(request, caller, shared).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%caller, %error, "a connection broke off");
    }
}

/// How many connections may be open: a proxy has sixteen.
const CONNECTIONS: usize = 256;

/// How long a peer may say nothing between requests.
const IDLE: Duration = Duration::from_secs(60);

const HANDSHAKE: Duration = Duration::from_secs(5);
const HEADERS: usize = 32;

/// Before the next connection is taken, where one could not be: of descriptors there may be none.
const PAUSE: Duration = Duration::from_millis(50);
