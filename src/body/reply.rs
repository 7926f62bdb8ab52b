//! Answers on their way to the client: our own, and the upstream's as they come.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::mpsc;

pub use super::taken::Answering;
use super::taken::{Account, Piece};
use super::{Idle, Keep, Lease, StreamError};
use crate::record::Record;

/// A body on its way to the client, with the record that is written when the last of it has gone.
#[derive(Debug)]
pub struct Reply {
    source: Source,
    account: Arc<Account>,
}

#[derive(Debug)]
enum Source {
    Whole(Full<Bytes>),
    Stream(Box<Stream>),
    /// Pieces of our own, as they come.
    Live(mpsc::Receiver<Bytes>),
}

/// The upstream's body.
#[derive(Debug)]
struct Stream {
    /// What came before the head was passed on.
    first: Option<Frame<Bytes>>,
    body: Incoming,
    idle: Idle,
    upload: Option<Keep>,
    _lease: Option<Lease>,
}

impl Reply {
    /// An answer of our own.
    pub fn whole(body: Bytes, record: Option<Box<Record>>) -> Self {
        Self { source: Source::Whole(Full::new(body)), account: Account::open(record) }
    }

    /// An answer of our own that goes on until nobody tells more of it.
    pub fn live(told: mpsc::Receiver<Bytes>) -> Self {
        Self { source: Source::Live(told), account: Account::open(None) }
    }

    /// The upstream's answer, streamed, with what is to live as long. What of it is there already
    /// is looked at, and not waited for.
    ///
    /// # Errors
    ///
    /// Where that is no body. The head has not been passed on, so the client can be told.
    pub async fn stream(
        mut body: Incoming,
        idle: Duration,
        (upload, lease): (Option<Keep>, Option<Lease>),
        record: Box<Record>,
    ) -> Result<Self, (StreamError, Box<Record>)> {
        let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx))).await;
        let first = match first {
            Poll::Ready(Some(Err(error))) => {
                return Err((StreamError::Broken(error.to_string()), record));
            }
            Poll::Ready(Some(Ok(frame))) => Some(frame),
            Poll::Ready(None) => return Ok(Self::whole(Bytes::new(), Some(record))),
            Poll::Pending => None,
        };
        let stream = Stream { first, body, idle: Idle::new(idle), upload, _lease: lease };
        let source = Source::Stream(Box::new(stream));
        Ok(Self { source, account: Account::open(Some(record)) })
    }

    /// Notes from now on whether the client takes it.
    pub fn note(&mut self, answering: Answering) {
        answering.0.taken();
        if let Some(account) = Arc::get_mut(&mut self.account) {
            account.note(answering);
        }
    }

    /// Leaves the body out and says how long it would be, in answer to HEAD. An upstream's answer
    /// to HEAD has none.
    pub fn withhold(&mut self, headers: &mut HeaderMap) {
        let Source::Whole(full) = &mut self.source else { return };
        let length = full.size_hint().exact().unwrap_or_default();
        if length > 0 {
            headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
        }
        *full = Full::default();
    }

    /// Whether bytes of the request may still be on their way when this is written: an answer of
    /// our own does not wait for them, and a streamed upload may go on beside its answer.
    pub fn may_come_early(&self) -> bool {
        match &self.source {
            Source::Whole(_) => true,
            Source::Live(_) => false,
            Source::Stream(stream) => stream.upload.as_ref().is_some_and(Keep::goes_on),
        }
    }

    fn poll_source(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match &mut self.source {
            Source::Whole(full) => Pin::new(full)
                .poll_frame(cx)
                .map(|frame| frame.map(|f| f.map_err(|never| match never {}))),
            Source::Stream(stream) => stream.poll_frame(cx),
            Source::Live(told) => {
                told.poll_recv(cx).map(|told| told.map(|told| Ok(Frame::data(told))))
            }
        }
    }
}

impl Stream {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.idle.reset();
            let broken = |e: hyper::Error| StreamError::Broken(e.to_string());
            return Poll::Ready(frame.map(|f| f.map_err(broken)));
        }
        self.idle.poll(cx).map(|error| Some(Err(error)))
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.size_hint();
        let first = self.first.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len) as u64;
        match hint.exact() {
            Some(rest) => SizeHint::with_exact(first + rest),
            None => SizeHint::default(),
        }
    }
}

impl Body for Reply {
    type Data = Piece;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, StreamError>>> {
        let this = self.get_mut();
        let polled = this.poll_source(cx);
        if let Some(Answering(progress)) = this.account.answering() {
            if polled.is_ready() { progress.taken() } else { progress.asked() }
        }
        polled.map(|frame| {
            match &frame {
                None => this.account.close(),
                Some(Ok(frame)) if frame.is_trailers() => this.account.close(),
                Some(Ok(_)) => {}
                Some(Err(error)) => this.account.broken(error),
            }
            frame.map(|frame| frame.map(|frame| frame.map_data(|data| this.account.give(data))))
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(full) => full.is_end_stream(),
            Source::Stream(stream) => stream.first.is_none() && stream.body.is_end_stream(),
            Source::Live(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(full) => full.size_hint(),
            Source::Stream(stream) => stream.size_hint(),
            Source::Live(_) => SizeHint::default(),
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // Nobody asks for the end of a body that says itself that it is over.
        if self.is_end_stream() {
            self.account.close();
        }
    }
}
