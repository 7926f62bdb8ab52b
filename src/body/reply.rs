//! Answers on their way to the client: our own, and the upstream's as they come.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;

use super::{Idle, Keep, Progress, StreamError};
use crate::record::Record;

/// A body on its way to the client, with the record that is written when it ends.
#[derive(Debug)]
pub struct Reply {
    source: Source,
    record: Option<Box<Record>>,
    /// For those who watch whether the client takes it.
    answering: Option<Answering>,
}

/// A request that is being answered, from its head to the last byte of the answer: over when it
/// is dropped.
#[derive(Debug)]
pub struct Answering(Progress);

impl Answering {
    /// Begins, with the end that watches it. Until there is an answer, nobody is late.
    pub fn begin() -> (Self, Progress) {
        let progress = Progress::new();
        progress.asked();
        (Self(progress.clone()), progress)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.over();
    }
}

#[derive(Debug)]
enum Source {
    Whole(Full<Bytes>),
    Stream { body: Incoming, idle: Idle, upload: Option<Keep> },
}

impl Reply {
    /// An answer of our own.
    pub fn whole(body: Bytes, record: Option<Box<Record>>) -> Self {
        Self { source: Source::Whole(Full::new(body)), record, answering: None }
    }

    /// The upstream's answer, streamed.
    pub fn stream(
        body: Incoming,
        idle: Duration,
        upload: Option<Keep>,
        record: Option<Box<Record>>,
    ) -> Self {
        let source = Source::Stream { body, idle: Idle::new(idle), upload };
        Self { source, record, answering: None }
    }

    /// Notes from now on whether the client takes it.
    pub fn note(&mut self, answering: Answering) {
        answering.0.taken();
        self.answering = Some(answering);
    }

    /// Leaves the body out and says how long it would be: HTTP/2 would send it in answer to HEAD
    /// too. An upstream's answer to HEAD has none.
    pub fn withhold(&mut self, headers: &mut HeaderMap) {
        let Source::Whole(full) = &mut self.source else { return };
        let length = full.size_hint().exact().unwrap_or_default();
        headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
        *full = Full::default();
    }

    /// Whether bytes of the request may still be on their way when this is written: an answer of
    /// our own does not wait for them, and a streamed upload may go on beside its answer.
    pub fn may_come_early(&self) -> bool {
        match &self.source {
            Source::Whole(_) => true,
            Source::Stream { upload, .. } => upload.is_some(),
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
            Source::Stream { body, idle, .. } => {
                if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
                    idle.reset();
                    let broken = |e: hyper::Error| StreamError::Broken(e.to_string());
                    return Poll::Ready(frame.map(|f| f.map_err(broken)));
                }
                idle.poll(cx).map(|error| Some(Err(error)))
            }
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let this = self.get_mut();
        let polled = this.poll_source(cx);
        if let Some(Answering(progress)) = &this.answering {
            if polled.is_ready() { progress.taken() } else { progress.asked() }
        }
        if let (Some(record), Poll::Ready(Some(frame))) = (&mut this.record, &polled) {
            match frame {
                Ok(frame) => record.sent(frame.data_ref().map_or(0, Bytes::len)),
                Err(error) => record.cut(error),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(full) => full.is_end_stream(),
            Source::Stream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(full) => full.size_hint(),
            Source::Stream { body, .. } => body.size_hint(),
        }
    }
}
