//! Tunnels: bytes both ways, for CONNECT and for WebSockets. They are counted, limited, end when
//! they stand still, and are part of what a drain waits for.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::{Metrics, Open};
use crate::shares::{Full, Share, Shares};

/// Every tunnel of the process.
#[derive(Clone, Debug)]
pub struct Tunnels {
    places: Arc<Shares>,
    limit: u64,
    metrics: Arc<Metrics>,
    /// What a drain waits for.
    tasks: TaskTracker,
    /// Cancelled when the drain is over, or given up.
    closing: CancellationToken,
}

/// The right to one tunnel.
#[derive(Debug)]
pub struct Slot {
    tunnels: Tunnels,
    _place: Share,
    _open: Open,
}

impl Tunnels {
    /// Room for `limit` tunnels at once.
    pub fn new(limit: usize, metrics: Arc<Metrics>) -> Self {
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        let limit = limit as u64;
        let places = Shares::new(metrics.limit("tunnels", limit));
        Self { places, limit, metrics, tasks, closing }
    }

    /// What ends the tunnels and what waits for them, for whoever drains.
    pub fn drain(&self) -> (CancellationToken, TaskTracker) {
        (self.closing.clone(), self.tasks.clone())
    }

    /// A slot for a tunnel of this client.
    ///
    /// # Errors
    ///
    /// When all are taken, or all that are for this client.
    pub fn slot(&self, holder: &str) -> Result<Slot, Full> {
        let place = self.places.take(self.limit, holder, 1)?;
        Ok(Slot { tunnels: self.clone(), _place: place, _open: self.metrics.tunnel() })
    }
}

impl Slot {
    /// Runs the tunnel as a task of its own: a drain waits for it, and ends it when it is over.
    pub fn run(self, tunnel: impl Future<Output = ()> + Send + 'static) {
        let (closing, tasks) = self.tunnels.drain();
        tasks.spawn(async move {
            tokio::select! {
                () = tunnel => {}
                () = closing.cancelled() => {}
            }
            drop(self);
        });
    }
}

/// What the end of one direction means for the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HalfClose {
    /// The other goes on: in a blind tunnel either side may have said all it has to say.
    Allowed,
    /// The other ends too, after a moment: a WebSocket says goodbye in its frames.
    EndsBoth,
}

/// Has the system ask the other end of a silent TCP connection whether it is there, and so remind
/// whoever keeps state of the connection on the way. A listener passes this on to its connections.
///
/// # Errors
///
/// What the system says.
pub fn keep_alive<S: AsFd>(socket: &S) -> io::Result<()> {
    let probes = TcpKeepalive::new().with_time(SILENCE).with_interval(PROBE).with_retries(PROBES);
    SockRef::from(socket).set_tcp_keepalive(&probes)
}

/// Below what the shortest of usual NATs and load balancers take for the end of a connection,
/// which is some four minutes; Linux itself would wait for two hours.
const SILENCE: Duration = Duration::from_secs(60);
/// An unanswered probe is repeated after this…
const PROBE: Duration = Duration::from_secs(15);
/// …and after so many the connection is over: within two minutes of its last word.
const PROBES: u32 = 4;

/// Relays between two streams. Ends after `idle` without a byte in either direction. Returns how
/// many bytes went to the client.
pub async fn relay<C, S>(client: C, server: S, idle: Duration, half_close: HalfClose) -> u64
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let moved = Moved::default();
    // What is read from one end goes to the other.
    let mut client = Noted { inner: client, read: &moved.from_client, ended: &moved.ended };
    let mut server = Noted { inner: server, read: &moved.to_client, ended: &moved.ended };
    let last_words = async {
        moved.ended.notified().await;
        match half_close {
            HalfClose::Allowed => std::future::pending().await,
            HalfClose::EndsBoth => tokio::time::sleep(LAST_WORDS).await,
        }
    };
    tokio::select! {
        _ended = copy_bidirectional(&mut client, &mut server) => {}
        () = moved.stands_still(idle) => {}
        () = last_words => {}
    }
    moved.to_client.load(Ordering::Relaxed) as u64
}

/// How long the other side of a WebSocket may go on when one has closed its connection.
const LAST_WORDS: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Moved {
    to_client: AtomicUsize,
    from_client: AtomicUsize,
    /// One direction is over.
    ended: Notify,
}

impl Moved {
    async fn stands_still(&self, idle: Duration) {
        let count = || {
            let out = self.to_client.load(Ordering::Relaxed);
            (out, self.from_client.load(Ordering::Relaxed))
        };
        let mut seen = count();
        loop {
            tokio::time::sleep(idle).await;
            let now = count();
            if now == seen {
                return;
            }
            seen = now;
        }
    }
}

/// A stream, with every byte read from it counted and its end noted.
struct Noted<'a, S> {
    inner: S,
    read: &'a AtomicUsize,
    ended: &'a Notify,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        self.read.fetch_add(read, Ordering::Relaxed);
        if read == 0 && buf.remaining() > 0 && polled.is_ready() {
            self.ended.notify_one();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
