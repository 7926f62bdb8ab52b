//! A connection as the HTTP client has it: TLS or plain, with a handle for those who watch it.

use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use http::Request;
use hyper::rt::Write as _;
use hyper_util::rt::TokioIo;
use rustls::AlertDescription;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::Instant;
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::client::TlsStream;

use super::handshake::Counted;
use super::spelling::{Documented, Respelled};
use super::via::Road;

pub(super) type Tcp = Pin<Box<TimeoutWriter<Counted<Road>>>>;

/// A connection to an upstream.
pub(super) struct Stream {
    io: Io,
    line: Line,
    /// What is left of a PING to be written before anything else.
    ping: &'static [u8],
    /// A head that is written in other letters than the library's.
    head: Option<Respelled>,
    /// Whether everything was written that the library had.
    flushed: bool,
}

enum Io {
    Plain(TokioIo<Tcp>),
    Tls(TokioIo<Box<TlsStream<Tcp>>>),
}

impl Stream {
    pub(super) fn plain(tcp: Tcp, refusal: LateAlert) -> Self {
        Self::new(Io::Plain(TokioIo::new(tcp)), Line::new(false, refusal))
    }

    pub(super) fn tls(tls: Box<TlsStream<Tcp>>, refusal: LateAlert) -> Self {
        let h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        Self::new(Io::Tls(TokioIo::new(tls)), Line::new(h2, refusal))
    }

    fn new(io: Io, line: Line) -> Self {
        Self { io, line, ping: &[], head: None, flushed: true }
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }
}

/// The last word of an upstream that broke off TLS, which the HTTP client forgets: in TLS 1.3 a
/// server refuses a client's certificate after the handshake. This is the pool's copy, for a
/// connection that ends before it was used leaves nothing to ask.
#[derive(Clone, Debug, Default)]
pub(super) struct LateAlert(Arc<Mutex<Option<AlertDescription>>>);

impl LateAlert {
    fn get(&self) -> Option<AlertDescription> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, alert: Option<AlertDescription>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = alert;
    }
}

/// Ends a connection from outside.
#[derive(Clone)]
pub(super) struct Line(Arc<LineState>);

struct LineState {
    /// Whether requests share it.
    h2: bool,
    ended: AtomicBool,
    retired: AtomicBool,
    reader: Mutex<Option<Waker>>,
    /// How often something was read. Who speaks has accepted our certificate.
    heard: AtomicU64,
    /// What `heard` was when the silence had become long, and one; 0 before that.
    suspected: AtomicU64,
    /// Names that the next head is to have as they are here; none where there are none.
    names: Mutex<Option<Documented>>,
    respells: AtomicBool,
    /// Whether a PING is to be written.
    ping: AtomicBool,
    born: Instant,
    /// When the last PING was, in milliseconds after `born`, and one; 0 before that.
    pinged: AtomicU64,
    refusal: OnceLock<AlertDescription>,
    pool: LateAlert,
}

impl Line {
    fn new(h2: bool, pool: LateAlert) -> Self {
        Self(Arc::new(LineState {
            h2,
            ended: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            reader: Mutex::default(),
            heard: AtomicU64::new(0),
            suspected: AtomicU64::new(0),
            names: Mutex::default(),
            respells: AtomicBool::new(false),
            ping: AtomicBool::new(false),
            born: Instant::now(),
            pinged: AtomicU64::new(0),
            refusal: OnceLock::new(),
            pool,
        }))
    }

    /// What the other end said when it broke off instead of saying anything else, here or, where
    /// that is asked for, on another connection.
    pub(super) fn refusal(&self, elsewhere: bool) -> Option<AlertDescription> {
        let own = self.0.refusal.get().copied();
        own.or_else(|| self.0.pool.get().filter(|_| elsewhere))
    }

    /// Notes that a request was answered.
    pub(super) fn answered(&self) {
        self.0.pool.set(None);
    }

    /// When it was made.
    pub(super) fn born(&self) -> Instant {
        self.0.born
    }

    /// Whether HTTP/2 is spoken.
    pub(super) fn is_h2(&self) -> bool {
        self.0.h2
    }

    /// Takes no new requests from now on; those that are under way are finished.
    pub(super) fn retire(&self) {
        self.0.retired.store(true, Ordering::Relaxed);
    }

    /// Whether no new requests are taken.
    pub(super) fn is_retired(&self) -> bool {
        self.0.retired.load(Ordering::Relaxed)
    }

    /// Has the names in the head of a request, which is the next to be written, as its provider
    /// documents them.
    pub(super) fn respell<B>(&self, request: &Request<B>) {
        let Some(names) = request.extensions().get::<Documented>() else { return };
        *self.0.names.lock().unwrap_or_else(PoisonError::into_inner) = Some(names.clone());
        self.0.respells.store(true, Ordering::Release);
    }

    /// The names of the head that is written now.
    fn take_names(&self) -> Option<Documented> {
        if !self.0.respells.load(Ordering::Acquire) {
            return None;
        }
        self.0.respells.store(false, Ordering::Relaxed);
        self.0.names.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// How often something was read.
    pub(super) fn heard(&self) -> u64 {
        self.0.heard.load(Ordering::Relaxed)
    }

    /// A request has waited for some time. If nothing was read since `heard`, the connection gets
    /// no new requests until something is, and the other end is asked for a sign of life.
    ///
    /// It is asked no more often than hyper asks, whatever waits: servers for gRPC count PINGs
    /// that come without data, and end the connection of who sends many.
    pub(super) fn suspect(&self, heard: u64) {
        if !self.0.h2 || self.heard() != heard {
            return;
        }
        self.0.suspected.store(heard + 1, Ordering::Relaxed);
        let now = u64::try_from(self.0.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.0.pinged.load(Ordering::Relaxed);
        if last == 0 || now > last + PING_EVERY {
            self.0.pinged.store(now + 1, Ordering::Relaxed);
            self.0.ping.store(true, Ordering::Release);
            self.wake();
        }
    }

    /// Whether it was silent for too long, and still is.
    pub(super) fn is_suspect(&self) -> bool {
        self.0.suspected.load(Ordering::Relaxed) == self.heard() + 1
    }

    /// Ends the connection with all that is under way on it.
    pub(super) fn end(&self) {
        self.0.ended.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Some(reader) = self.reader().take() {
            reader.wake();
        }
    }

    fn reader(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes who waits for bytes; an error once the line has been ended.
    fn waits(&self, cx: &Context<'_>) -> io::Result<()> {
        // An HTTP/2 connection alone is watched.
        if !self.0.h2 {
            return Ok(());
        }
        let mut reader = self.reader();
        if !reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            *reader = Some(cx.waker().clone());
        }
        drop(reader);
        if self.0.ended.load(Ordering::Acquire) {
            let what = "a request's upload stood still, and the connection was given up";
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        Ok(())
    }

    fn note(&self, error: &io::Error) {
        if self.heard() > 0 {
            return;
        }
        let said = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = said {
            let _first_counts = self.0.refusal.set(*alert);
            self.0.pool.set(Some(*alert));
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("h2", &self.0.h2).finish_non_exhaustive()
    }
}

impl Stream {
    fn poll_bytes(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_write(cx, buf),
        };
        self.heard(cx, polled)
    }

    fn poll_slices(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Io::Tls(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        };
        self.heard(cx, polled)
    }

    /// Whether these bytes begin in a head that is respelled. What is written first after
    /// everything else was is a head; where a body is before it, it goes as it is.
    fn begins_head(&mut self, bytes: &[u8]) -> bool {
        let flushed = mem::replace(&mut self.flushed, false);
        if let Some(Documented(names)) = self.line.take_names().filter(|_| flushed) {
            self.head = Respelled::new(bytes, &names);
        }
        self.head.is_some()
    }

    /// Writes what is left of a head, and with it what stands behind it: a body that came later would
    /// cost a packet of its own. The head is in the first of these that has bytes.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(mut head) = self.head.take() else { return self.poll_slices(cx, bufs) };
        let rest = head.rest();
        let mut parts = Vec::with_capacity(bufs.len() + 1);
        parts.push(io::IoSlice::new(rest));
        let mut bufs = bufs.iter().skip_while(|buf| buf.is_empty());
        let behind = bufs.next().and_then(|first| first.get(rest.len()..));
        parts.extend(behind.into_iter().chain(bufs.map(|buf| &**buf)).map(io::IoSlice::new));
        let polled = match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write_vectored(cx, &parts),
            Io::Tls(io) => Pin::new(io).poll_write_vectored(cx, &parts),
        };
        let done = matches!(polled, Poll::Ready(Ok(count)) if head.wrote(count));
        if !done {
            self.head = Some(head);
        }
        self.heard(cx, polled)
    }

    /// Writes what is left of a PING.
    fn poll_ping(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.ping.is_empty() {
            let written = ready!(self.poll_bytes(cx, self.ping))?;
            self.ping = self.ping.get(written..).unwrap_or_default();
        }
        Poll::Ready(Ok(()))
    }

    /// A write failed, or nothing did: before it is said, what the other end had to say is heard,
    /// for nobody reads from a connection that cannot be written to.
    fn heard<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Poll::Ready(Err(error)) = polled else { return polled };
        let gone = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
        let (Io::Tls(io), true) = (&mut self.io, gone.contains(&error.kind())) else {
            return Poll::Ready(Err(error));
        };
        let mut scratch = [0; 1024];
        let mut buffer = ReadBuf::new(&mut scratch);
        match Pin::new(io.inner_mut()).poll_read(cx, &mut buffer) {
            // A socket that is closed at the other end will say so: this is no wait.
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(last)) => self.line.note(&last),
        }
        Poll::Ready(Err(error))
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.line.waits(cx)?;
        let polled = match &mut this.io {
            Io::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_read(cx, buf),
        };
        match &polled {
            Poll::Ready(Ok(())) => drop(this.line.0.heard.fetch_add(1, Ordering::Relaxed)),
            Poll::Ready(Err(error)) => this.line.note(error),
            Poll::Pending => {}
        }
        polled
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_ping(cx))?;
        if this.begins_head(buf) {
            return this.poll_head(cx, &[io::IoSlice::new(buf)]);
        }
        this.poll_bytes(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.flushed = true;
        // The library flushes when it has written every frame that it had begun.
        if this.line.0.ping.load(Ordering::Acquire) {
            this.line.0.ping.store(false, Ordering::Relaxed);
            this.ping = PING;
        }
        ready!(this.poll_ping(cx))?;
        let polled = match &mut this.io {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
        };
        this.heard(cx, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(io) => io.is_write_vectored(),
            Io::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_ping(cx))?;
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |first| first);
        if this.begins_head(first) {
            return this.poll_head(cx, bufs);
        }
        this.poll_slices(cx, bufs)
    }
}

/// A PING frame (RFC 9113, section 6.7). Its answer only has to be read.
const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, b'a', b'l', b'i', b'v', b'e', b'?', 0, 0];
/// No more than one in so many milliseconds.
const PING_EVERY: u64 = 20_000;
