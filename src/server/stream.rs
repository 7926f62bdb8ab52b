//! Lingering close and write timeout of client connections: a write that stands still ends one, and
//! it is closed so that no TCP RST discards the last answer. And one whose first bytes have been
//! looked at.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep};
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::server::TlsStream;

/// What carries bytes both ways. Whoever speaks HTTP over it has it boxed: hyper's servers would
/// otherwise be compiled for every kind of stream, and again for each of them inside another.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Abort + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Abort + Send + Unpin> Duplex for S {}

/// A stream that lingers when it is closed.
///
/// A refusal is often written before the request's body was read. Closing a socket with unread
/// bytes in it makes the kernel reset the connection, and the client loses the answer that was
/// on its way. So the write half is closed first, and what still comes is read and dropped until
/// the client closes its end, as long as it goes on sending ([`LINGER_SILENCE`]), and for at most
/// [`LINGER`] and [`LINGER_BYTES`]. Not where nothing can come: many clients close their end only
/// when they want to send again, and a stop would wait.
///
/// Where its close is the only sign that all was said, one that is dropped without having been
/// closed is reset, so that nobody takes a part for the whole.
pub(super) struct Lingering {
    inner: Pin<Box<TimeoutWriter<Box<dyn Duplex>>>>,
    unread: Unread,
    linger: Option<Linger>,
    /// Its end is the end of what it carries, and of nothing that would say so itself.
    ends_by_closing: bool,
    closed: bool,
}

/// What is left to a client that still sends.
struct Linger {
    silence: Pin<Box<Sleep>>,
    until: Instant,
    bytes: usize,
}

/// A connection that can end so that its peer sees an error, and tells when its peer's end was one.
pub(super) trait Abort: AsyncWrite {
    /// Makes the close that follows one.
    fn abort(&self);

    /// Whether the peer has reset it, for those who do not read. An end of what it sends is none,
    /// and nothing is taken of what it has sent.
    fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<io::Error>;
}

impl Abort for TcpStream {
    fn abort(&self) {
        let _gone_already = self.set_zero_linger();
    }

    fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        match self.poll_peek(cx, &mut ReadBuf::new(&mut [0])) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

/// A Unix socket knows no reset.
impl Abort for UnixStream {
    fn abort(&self) {}

    fn poll_reset(&self, _: &mut Context<'_>) -> Poll<io::Error> {
        Poll::Pending
    }
}

/// A close that TLS did not announce is an error by itself (RFC 8446, section 6.1).
impl<S: AsyncRead + Abort + Unpin> Abort for TlsStream<S> {
    fn abort(&self) {}

    fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.get_ref().0.poll_reset(cx)
    }
}

impl<S: Abort + Unpin> Abort for Prefixed<S> {
    fn abort(&self) {
        self.inner.abort();
    }

    fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.inner.poll_reset(cx)
    }
}

impl Abort for Box<dyn Duplex> {
    fn abort(&self) {
        self.as_ref().abort();
    }

    fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.as_ref().poll_reset(cx)
    }
}

impl Abort for Lingering {
    fn abort(&self) {
        self.inner.get_ref().abort();
    }

    fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.inner.get_ref().poll_reset(cx)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if !self.closed && (self.ends_by_closing || self.unread.ends_by_closing()) {
            self.inner.get_ref().abort();
        }
    }
}

/// Whether bytes may be on their way that nobody will read, and what else a stream and those who
/// speak over it have to tell each other.
#[derive(Clone, Debug)]
pub(super) struct Unread(Option<Arc<State>>);

#[derive(Debug, Default)]
struct State {
    unread: AtomicBool,
    answered: AtomicBool,
    /// Bytes that have come in all, and those of them before the last answer.
    read: AtomicUsize,
    before: AtomicUsize,
    /// One direction of a tunnel may end long before the other, and what comes then is no rest
    /// to be dropped.
    tunnel: AtomicBool,
    by_closing: AtomicBool,
}

impl Default for Unread {
    fn default() -> Self {
        Self(Some(Arc::default()))
    }
}

impl Unread {
    /// For a protocol that says for itself when it is over.
    pub(super) fn never() -> Self {
        Self(None)
    }

    /// Bytes have come, so more may.
    fn come(&self, bytes: usize) {
        if let Some(state) = &self.0 {
            state.unread.store(true, Ordering::Relaxed);
            state.read.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// They were answered; whether more of them may come.
    pub(super) fn answer(&self, more: bool) {
        if let Some(state) = &self.0 {
            state.unread.store(more, Ordering::Relaxed);
            state.answered.store(true, Ordering::Relaxed);
            let before = if more { usize::MAX } else { self.read() };
            state.before.store(before, Ordering::Relaxed);
        }
    }

    /// How many bytes have come.
    pub(super) fn read(&self) -> usize {
        self.0.as_ref().map_or(0, |state| state.read.load(Ordering::Relaxed))
    }

    /// How many of them had come when nothing of the next request could have: at the last answer,
    /// or now, where the rest of its request came beside it.
    pub(super) fn before(&self) -> usize {
        let before = self.0.as_ref().map_or(0, |state| state.before.load(Ordering::Relaxed));
        before.min(self.read())
    }

    /// Whether there was an answer.
    pub(super) fn has_answered(&self) -> bool {
        let state = self.0.as_ref();
        state.is_some_and(|state| state.answered.load(Ordering::Relaxed))
    }

    /// What comes from now on is no longer HTTP.
    pub(super) fn tunnel(&self) {
        if let Some(state) = &self.0 {
            state.tunnel.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the answers now may end by closing, as in HTTP/1.0.
    pub(super) fn by_closing(&self, may: bool) {
        if let Some(state) = &self.0 {
            state.by_closing.store(may, Ordering::Relaxed);
        }
    }

    fn ends_by_closing(&self) -> bool {
        let state = self.0.as_ref();
        state.is_some_and(|state| state.by_closing.load(Ordering::Relaxed))
    }

    fn get(&self) -> bool {
        let state = self.0.as_ref();
        self.speaks_http_1() && state.is_some_and(|state| state.unread.load(Ordering::Relaxed))
    }

    /// Whether what comes is HTTP/1.1, and not yet something else.
    fn speaks_http_1(&self) -> bool {
        let state = self.0.as_ref();
        state.is_some_and(|state| !state.tunnel.load(Ordering::Relaxed))
    }
}

/// Silence after which nothing more is expected.
const LINGER_SILENCE: Duration = Duration::from_secs(2);
/// In all.
const LINGER: Duration = Duration::from_secs(10);
/// Many clients read nothing before they have written all, so this is the longest upload whose
/// refusal they see.
const LINGER_BYTES: usize = 16 << 20;

impl Lingering {
    /// Ends the connection when a write makes no progress for `stall`.
    pub(super) fn new(stream: Box<dyn Duplex>, stall: Duration, unread: Unread) -> Self {
        let mut inner = TimeoutWriter::new(stream);
        inner.set_timeout(Some(stall));
        let inner = Box::pin(inner);
        Self { inner, unread, linger: None, ends_by_closing: false, closed: false }
    }

    /// From now on only its end says that all was said.
    pub(super) fn end_by_closing(&mut self) {
        self.ends_by_closing = true;
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(Linger { silence, until, bytes }) = &mut self.linger else {
            return Poll::Ready(());
        };
        let mut scratch = [0; 16 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match self.inner.as_mut().poll_read(cx, &mut buffer) {
                Poll::Pending => return silence.as_mut().poll(cx),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Poll::Ready(()),
                Poll::Ready(Ok(())) => *bytes = bytes.saturating_sub(buffer.filled().len()),
            }
            let now = Instant::now();
            if *bytes == 0 || *until <= now {
                return Poll::Ready(());
            }
            silence.as_mut().reset((now + LINGER_SILENCE).min(*until));
        }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = self.inner.as_mut().poll_read(cx, buf);
        let bytes = buf.filled().len() - before;
        if bytes > 0 {
            self.unread.come(bytes);
        }
        polled
    }
}

impl AsyncWrite for Lingering {
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
        // hyper does not read while a request is answered, as its client may have said all. It
        // flushes whenever it is woken.
        if self.unread.speaks_http_1()
            && let Poll::Ready(error) = self.poll_reset(cx)
        {
            return Poll::Ready(Err(error));
        }
        self.inner.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        if self.linger.is_none() && !self.unread.get() {
            return self.inner.as_mut().poll_shutdown(cx);
        }
        if self.linger.is_none() {
            std::task::ready!(self.inner.as_mut().poll_shutdown(cx))?;
            let silence = Box::pin(sleep(LINGER_SILENCE));
            self.linger =
                Some(Linger { silence, until: Instant::now() + LINGER, bytes: LINGER_BYTES });
        }
        self.poll_drain(cx).map(Ok)
    }
}

/// A stream of which some bytes have been read already.
#[derive(Debug)]
pub(super) struct Prefixed<S> {
    first: Bytes,
    inner: S,
    /// What came behind those bytes in place of more.
    broken: Option<io::Error>,
}

impl<S: AsyncRead + Unpin> Prefixed<S> {
    /// With these bytes before those that still come.
    pub(super) fn new(first: Bytes, inner: S) -> Self {
        Self { first, inner, broken: None }
    }

    /// Reads until the first bytes are one of those `wanted` or can no longer be.
    ///
    /// # Errors
    ///
    /// When the stream fails or says nothing within `limit`.
    pub(super) async fn until(inner: S, wanted: &[&[u8]], limit: Duration) -> io::Result<Self> {
        let read = Self::new(Bytes::new(), inner).read_until(wanted);
        tokio::time::timeout(limit, read).await?
    }

    /// Reads one byte, where none has been read.
    ///
    /// # Errors
    ///
    /// When the stream fails or ends before.
    pub(super) async fn first_byte(self) -> io::Result<(u8, Self)> {
        let begun = if self.first.is_empty() { self.read_until(&[&[0]]).await? } else { self };
        let first = begun.first.first().copied();
        first.map(|first| (first, begun)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    async fn read_until(mut self, wanted: &[&[u8]]) -> io::Result<Self> {
        let mut first = BytesMut::from(&self.first[..]);
        let more = |first: &[u8]| {
            let rests = wanted.iter().filter_map(|wanted| wanted.strip_prefix(first));
            rests.map(<[u8]>::len).max().unwrap_or_default()
        };
        while let room @ 1.. = more(&first) {
            if (&mut self.inner).take(room as u64).read_buf(&mut first).await? == 0 {
                break;
            }
        }
        Ok(Self { first: first.freeze(), ..self })
    }

    /// What has been read of it.
    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }

    /// Whether it begins like this, as far as it has been read.
    pub(super) fn begins_with(&self, wanted: &[u8]) -> bool {
        self.first.starts_with(wanted)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Err(error));
        }
        if self.first.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let length = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first[..length]);
        self.first.advance(length);
        if !self.first.is_empty() {
            return Poll::Ready(Ok(()));
        }
        // Empty as it is, it would keep the buffer that it was read into.
        self.first = Bytes::new();
        // With what is there already: whoever reads a few bytes alone makes more room for the next, and a
        // client's connection would keep twice the buffer.
        if let Poll::Ready(Err(error)) = Pin::new(&mut self.inner).poll_read(cx, buf) {
            self.broken = Some(error);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
