//! Bytes both ways until either side closes, or neither has sent any for a while.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

/// Relays between two streams. Ends after `idle` without a byte in either direction. Returns how
/// many bytes went to the client.
pub(super) async fn relay<C, S>(client: C, mut server: S, idle: Duration) -> usize
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let moved = Arc::new(Moved::default());
    let mut client = Noted { inner: client, moved: Arc::clone(&moved) };
    tokio::select! {
        _ended = copy_bidirectional(&mut client, &mut server) => {}
        () = moved.stands_still(idle) => {}
    }
    moved.to_client.load(Ordering::Relaxed)
}

#[derive(Default)]
struct Moved {
    to_client: AtomicUsize,
    from_client: AtomicUsize,
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

/// The client's stream, with every byte counted.
struct Noted<C> {
    inner: C,
    moved: Arc<Moved>,
}

impl<C: AsyncRead + Unpin> AsyncRead for Noted<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.moved.from_client.fetch_add(buf.filled().len() - before, Ordering::Relaxed);
        polled
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Noted<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = &polled {
            self.moved.to_client.fetch_add(*written, Ordering::Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
