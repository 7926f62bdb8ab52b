//! Connections as requests meet them: HTTP/1.1, lent to one request at a time, and HTTP/2, shared
//! by many. The task of a connection is here too.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::HOST;
use http::uri::Parts;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::TokioTimer;

use super::stream::{Line, Stream};
use crate::body::{Lease, Upload};

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) error: hyper::Error,
    /// The request, where none of it was begun.
    pub(super) request: Option<Box<Request<Upload>>>,
}

impl From<TrySendError<Request<Upload>>> for Unanswered {
    fn from(mut error: TrySendError<Request<Upload>>) -> Self {
        Self { request: error.take_message().map(Box::new), error: error.into_error() }
    }
}

/// Where connections come from, and go back to when nobody needs them.
pub(super) trait Home: fmt::Debug + Send + Sync {
    /// Takes back an HTTP/1.1 connection that is ready for another request.
    fn put_back(&self, http1: Http1);

    /// Forgets connections that are closed.
    fn forget_closed(&self);
}

/// An HTTP/1.1 connection that has no request.
#[derive(Debug)]
pub(super) struct Http1 {
    sender: http1::SendRequest<Upload>,
    shared: Arc<Shared>,
}

/// What a lent HTTP/1.1 connection and its task have in common.
#[derive(Debug)]
struct Shared {
    line: Line,
    place: Weak<dyn Home>,
    /// Left here at the response head, for the task to put back once the answer is over.
    left: Mutex<Option<http1::SendRequest<Upload>>>,
}

impl Http1 {
    /// Begins HTTP/1.1; the connection comes back to `place` after each request.
    pub(super) async fn begin(stream: Stream, place: Weak<dyn Home>) -> hyper::Result<Self> {
        let line = stream.line().clone();
        let (sender, connection) = http_1_1().handshake(stream).await?;
        let shared = Shared { line, place, left: Mutex::default() };
        let shared = Arc::new(shared);
        tokio::spawn(Task { connection, shared: Arc::clone(&shared) });
        Ok(Self { sender, shared })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub(super) fn line(&self) -> &Line {
        &self.shared.line
    }

    /// Sends a request and waits for the response head.
    pub(super) async fn send(
        mut self,
        request: Box<Request<Upload>>,
    ) -> Result<Response<Incoming>, Box<Unanswered>> {
        self.shared.line.respell(&request);
        let sent = self.sender.try_send_request(*request).await;
        let answer = sent.map_err(|error| Box::new(error.into()))?;
        let Self { sender, shared } = self;
        let mut left = shared.left();
        *left = Some(sender);
        shared.put_back(left);
        Ok(answer)
    }
}

impl Shared {
    fn left(&self) -> MutexGuard<'_, Option<http1::SendRequest<Upload>>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts back what was left, once it is ready for another request. Whoever leaves it asks, and
    /// so does the task whenever it has moved: one of them is the later.
    fn put_back(self: &Arc<Self>, mut left: MutexGuard<'_, Option<http1::SendRequest<Upload>>>) {
        if !left.as_ref().is_some_and(http1::SendRequest::is_ready) {
            return;
        }
        let taken = left.take();
        drop(left);
        if let (Some(sender), Some(place)) = (taken, self.place.upgrade()) {
            place.put_back(Http1 { sender, shared: Arc::clone(self) });
        }
    }
}

/// The task of an HTTP/1.1 connection.
struct Task {
    connection: http1::Connection<Stream, Upload>,
    shared: Arc<Shared>,
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // What ended it is told to the request that was under way.
        if Pin::new(&mut this.connection).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        this.shared.put_back(this.shared.left());
        Poll::Pending
    }
}

/// Sends one request on a connection of its own, which may leave HTTP with the answer.
pub(super) async fn send_alone(
    stream: Stream,
    request: Box<Request<Upload>>,
) -> Result<Response<Incoming>, Box<Unanswered>> {
    stream.line().respell(&request);
    let begun = http_1_1().handshake(stream).await;
    let (mut sender, connection) =
        begun.map_err(|error| Box::new(Unanswered { error, request: None }))?;
    tokio::spawn(connection.with_upgrades());
    sender.try_send_request(*request).await.map_err(|error| Box::new(error.into()))
}

fn http_1_1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // Names as the client wrote them, and others as people write them.
        .preserve_header_case(true)
        .title_case_headers(true)
        .max_buf_size(BUFFER)
        // As RFC 9112, section 5.1 asks of a proxy: the name is read and passed on without it.
        .allow_spaces_after_header_name_in_responses(true);
    builder
}

/// The target as HTTP/1.1 has it (RFC 9112, section 3.2.1).
pub(super) fn origin_form(uri: &mut Uri) {
    let mut parts = Parts::default();
    parts.path_and_query = uri.path_and_query().cloned();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

/// An HTTP/2 connection, shared.
#[derive(Clone, Debug)]
pub(super) struct Http2 {
    sender: http2::SendRequest<Upload>,
    line: Line,
    streams: Arc<AtomicUsize>,
    /// How many the upstream takes at a time.
    limit: Arc<AtomicUsize>,
}

impl Http2 {
    /// Begins HTTP/2.
    ///
    /// Windows are fixed: one client that does not read its answer must not stop the others on
    /// the same connection, so a connection's window is that of many streams, and what a
    /// connection may hold in memory is bounded by it.
    ///
    /// `streams` is how many there may be until the upstream has said how many it takes.
    pub(super) async fn begin(
        stream: Stream,
        place: Weak<dyn Home>,
        streams: usize,
    ) -> hyper::Result<Self> {
        let line = stream.line().clone();
        let beside = Beside::default();
        let begun = http2::Builder::new(beside.clone())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(STREAM_WINDOW * UNREAD_STREAMS)
            .max_header_list_size(HEADER_LIST)
            .max_send_buf_size(SEND_BUFFER)
            .max_concurrent_reset_streams(RESET_STREAMS)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .keep_alive_while_idle(false)
            .initial_max_send_streams(streams)
            .handshake(stream)
            .await;
        let (sender, requests) = begun?;
        let limit = Arc::new(AtomicUsize::new(streams));
        let frames = beside.frames();
        tokio::spawn(Pair { frames, requests: Some(requests), limit: Arc::clone(&limit), place });
        Ok(Self { sender, line, streams: Arc::default(), limit })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed() && !self.line.is_retired()
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    /// How many requests are under way.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// How many the upstream takes at a time.
    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Whether the upstream would take another stream.
    pub(super) fn has_room(&self) -> bool {
        self.streams() < self.limit()
    }

    /// A share of it, for one request.
    pub(super) fn share(&self) -> (Self, Lease) {
        (self.clone(), Lease::take(&self.streams))
    }

    /// Sends a request and waits for the response head. Without `Host`: it would say once more
    /// what `:authority` says, which RFC 9113 (section 8.3.1) allows, and which nginx before
    /// 1.29.1 refuses and others end the stream for.
    pub(super) async fn send(
        mut self,
        mut request: Box<Request<Upload>>,
    ) -> Result<Response<Incoming>, Box<Unanswered>> {
        let host = request.headers_mut().remove(HOST);
        let sent = self.sender.try_send_request(*request);
        // A request that comes just as the queue closes may stay in it until all senders are gone.
        drop(self.sender);
        sent.await.map_err(|error| {
            let mut unanswered = Unanswered::from(error);
            // The next connection may be another kind.
            if let (Some(request), Some(host)) = (&mut unanswered.request, host) {
                request.headers_mut().insert(HOST, host);
            }
            Box::new(unanswered)
        })
    }
}

type Frames = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What hyper wants to run beside an HTTP/2 connection. The first is what reads and writes its
/// frames, which is given out once; the others wait for one answer or send one body each.
#[derive(Clone, Default)]
struct Beside(Arc<(AtomicBool, Mutex<Option<Frames>>)>);

impl Beside {
    fn frames(&self) -> Option<Frames> {
        self.0.1.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Beside {
    fn execute(&self, future: F) {
        let (begun, frames) = &*self.0;
        if begun.load(Ordering::Relaxed) || begun.swap(true, Ordering::Relaxed) {
            tokio::spawn(future);
            return;
        }
        *frames.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(future));
    }
}

/// The task of an HTTP/2 connection: what takes requests from their queue, and what reads and
/// writes frames. In one task, so that no frame is read while a request becomes a stream: what
/// a GOAWAY then says of it is certain.
struct Pair {
    frames: Option<Frames>,
    /// While requests are taken.
    requests: Option<http2::Connection<Stream, Upload, Beside>>,
    limit: Arc<AtomicUsize>,
    place: Weak<dyn Home>,
}

impl Future for Pair {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.poll_requests(cx);
        if this.frames.as_mut().is_some_and(|frames| frames.as_mut().poll(cx).is_pending()) {
            if let Some(requests) = &this.requests {
                this.limit.store(requests.current_max_send_streams(), Ordering::Relaxed);
            }
            return Poll::Pending;
        }
        // Requests that wait in the queue come back, now that no frame will take them.
        this.frames = None;
        this.poll_requests(cx);
        Poll::Ready(())
    }
}

impl Pair {
    fn poll_requests(&mut self, cx: &mut Context<'_>) {
        let Some(requests) = &mut self.requests else { return };
        if Pin::new(requests).poll(cx).is_ready() {
            self.requests = None;
            if let Some(place) = self.place.upgrade() {
                place.forget_closed();
            }
        }
    }
}

/// What a connection may buffer, a response head included.
pub(super) const BUFFER: usize = 64 * 1024;
/// Fields of a response head in HTTP/1.1, which are as many as the HTTP library has room for of itself.
pub(super) const FIELDS: usize = 100;
/// The same for HTTP/2, where it is counted unpacked.
const HEADER_LIST: u32 = 64 * 1024;
/// What may be on its way to one client that does not read, in bytes.
const STREAM_WINDOW: u32 = 512 * 1024;
/// So many clients may not read before the others on their connection wait.
const UNREAD_STREAMS: u32 = 32;
/// What an upload may be ahead of the network, in bytes.
const SEND_BUFFER: usize = 256 * 1024;
/// Cancelled requests whose last frames are still expected.
const RESET_STREAMS: usize = 64;
/// A connection in use that is silent for this long is asked whether it lives…
const PING: Duration = Duration::from_secs(20);
/// …and has this long to say so.
const PONG: Duration = Duration::from_secs(10);
