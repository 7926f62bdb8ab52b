//! Bodies: collected under a limit where a scheme reads them, streamed with deadlines otherwise.
//!
//! No body is ever cut quietly. One that grows past its limit, stands still or breaks off ends in
//! an error, which closes the connection it was being written to.

mod held;
mod lease;
mod progress;
mod reply;
mod taken;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
pub use held::{CollectError, Holding, collect};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
pub use lease::Lease;
pub use progress::Progress;
pub use reply::{Answering, Reply};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

/// Why a streamed body ended early.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StreamError {
    /// No byte for this long.
    Idle(Duration),
    /// The answer is complete, so the rest of the request is not wanted.
    Answered,
    /// The other side broke off.
    Broken(String),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle(limit) => write!(f, "no byte for {limit:?}"),
            Self::Answered => f.write_str("the answer is complete before the request"),
            Self::Broken(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for StreamError {}

/// A body on its way to the upstream.
#[derive(Debug)]
pub enum Upload {
    /// Held whole (or empty).
    Whole(Option<Bytes>),
    /// Streamed from the client.
    Stream(Box<Stream>),
}

impl Upload {
    /// A body in hand.
    pub fn whole(body: Bytes) -> Self {
        Self::Whole(Some(body).filter(|body| !body.is_empty()))
    }

    /// A body streamed from the client, with the two ends that watch it.
    pub fn stream(body: Incoming, idle: Duration) -> (Self, Watch) {
        let (sent, when_sent) = oneshot::channel();
        let (end, answered) = oneshot::channel();
        let progress = Progress::new();
        let keep = Keep { progress: progress.clone(), _end: end };
        let idle = Idle::new(idle);
        let stream = Stream { body, idle, answered: Some(answered), sent: Some(sent), progress };
        (Self::Stream(Box::new(stream)), Watch { sent: when_sent, keep })
    }

    /// The body, where it is held; before any of it is asked for.
    pub fn held(&self) -> Option<Bytes> {
        match self {
            Self::Whole(body) => Some(body.clone().unwrap_or_default()),
            Self::Stream(_) => None,
        }
    }

    /// How far a streamed body is.
    pub fn progress(&self) -> Option<Progress> {
        match self {
            Self::Whole(_) => None,
            Self::Stream(stream) => Some(stream.progress.clone()),
        }
    }
}

/// What the pipeline knows of a streamed upload.
#[derive(Debug)]
pub struct Watch {
    /// Resolves, either way, when the upload is over.
    pub sent: oneshot::Receiver<()>,
    /// While this lives, the upload goes on.
    pub keep: Keep,
}

/// Keeps an upload going; dropped with the response. An upstream that answered in full may never
/// read the rest, and the client would wait for ever to send it.
#[derive(Debug)]
pub struct Keep {
    progress: Progress,
    /// Its drop is its message.
    _end: oneshot::Sender<()>,
}

impl Keep {
    /// Whether something of it is still to come.
    fn goes_on(&self) -> bool {
        !self.progress.is_over()
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        self.progress.answered();
    }
}

/// A client's body with an idle limit, that stops when its request is answered.
#[derive(Debug)]
pub struct Stream {
    body: Incoming,
    idle: Idle,
    answered: Option<oneshot::Receiver<()>>,
    sent: Option<oneshot::Sender<()>>,
    progress: Progress,
}

/// Whoever sent it on may give it up at any point.
impl Drop for Stream {
    fn drop(&mut self) {
        self.progress.over();
    }
}

impl Stream {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.idle.reset();
            self.progress.taken();
            if frame.is_none() || self.body.is_end_stream() {
                self.over();
            }
            // Fields behind a body were neither signed nor looked at. They are the last of it.
            let frame = frame.filter(|frame| !frame.as_ref().is_ok_and(Frame::is_trailers));
            return Poll::Ready(frame.map(|f| f.map_err(|e| StreamError::Broken(e.to_string()))));
        }
        let answered = self.answered.as_mut();
        if answered.is_some_and(|answered| Pin::new(answered).poll(cx).is_ready()) {
            self.over();
            return Poll::Ready(Some(Err(StreamError::Answered)));
        }
        if let Poll::Ready(error) = self.idle.poll(cx) {
            self.over();
            return Poll::Ready(Some(Err(error)));
        }
        self.progress.asked();
        Poll::Pending
    }

    fn over(&mut self) {
        self.answered = None;
        self.sent = None;
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match self.get_mut() {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Stream(stream) => stream.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_none(),
            Self::Stream(stream) => stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            Self::Stream(stream) => stream.body.size_hint(),
        }
    }
}

/// A deadline that moves with every byte. The timer is only armed once something waits.
#[derive(Debug)]
struct Idle {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Idle {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: None, waiting: false }
    }

    fn reset(&mut self) {
        self.waiting = false;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<StreamError> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(Instant::now() + limit);
        }
        timer.as_mut().poll(cx).map(|()| StreamError::Idle(limit))
    }
}
