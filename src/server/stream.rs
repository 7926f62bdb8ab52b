//! A client's connection with manners: a write that stands still ends it, and it is closed so
//! that the client can still read the last answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use tokio_io_timeout::TimeoutWriter;

/// A stream that lingers when it is closed.
///
/// A refusal is often written before the request's body was read. Closing a socket with unread
/// bytes in it makes the kernel reset the connection, and the client loses the answer that was
/// on its way. So the write half is closed first, and what still comes is read and dropped until
/// the client closes its end, for at most [`LINGER`] and [`LINGER_BYTES`]. Not where nothing can
/// come: many clients close their end only when they want to send again, and a stop would wait.
pub(super) struct Lingering<S> {
    inner: Pin<Box<TimeoutWriter<S>>>,
    unread: Unread,
    lingers: bool,
    linger: Option<(Pin<Box<Sleep>>, usize)>,
}

/// Whether bytes may be on their way that nobody will read.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread(Arc<AtomicBool>);

impl Unread {
    /// Bytes have come, so more may; or, told by whoever has answered them, no more will.
    pub(super) fn set(&self, unread: bool) {
        self.0.store(unread, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

impl<S: AsyncRead + AsyncWrite> Lingering<S> {
    /// Ends the connection when a write makes no progress for `stall`.
    pub(super) fn new(stream: S, stall: Duration, unread: Unread) -> Self {
        let mut inner = TimeoutWriter::new(stream);
        inner.set_timeout(Some(stall));
        Self { inner: Box::pin(inner), unread, lingers: true, linger: None }
    }

    /// For what is no longer HTTP: one direction of a tunnel may end long before the other, and
    /// what comes then is no rest to be dropped.
    pub(super) fn into_tunnel(self) -> Self {
        Self { lingers: false, ..self }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((timer, left)) = &mut self.linger else { return Poll::Ready(()) };
        let mut scratch = [0; 8 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match self.inner.as_mut().poll_read(cx, &mut buffer) {
                Poll::Pending => return timer.as_mut().poll(cx),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Poll::Ready(()),
                Poll::Ready(Ok(())) => *left = left.saturating_sub(buffer.filled().len()),
            }
            if *left == 0 || timer.deadline() <= Instant::now() {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = self.inner.as_mut().poll_read(cx, buf);
        if buf.filled().len() > before {
            self.unread.set(true);
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner.as_mut().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner.as_mut().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.lingers || self.linger.is_none() && !self.unread.get() {
            return self.inner.as_mut().poll_shutdown(cx);
        }
        if self.linger.is_none() {
            std::task::ready!(self.inner.as_mut().poll_shutdown(cx))?;
            self.linger = Some((Box::pin(sleep(LINGER)), LINGER_BYTES));
        }
        self.poll_drain(cx).map(Ok)
    }
}
