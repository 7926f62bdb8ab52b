//! What a page is given to show, and what it becomes.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

use crate::body::Reply;
use crate::pipeline::plain;
use crate::reloads::Last;
use crate::snapshot::{Snapshot, Surroundings};

/// What there is to show.
pub(super) struct View<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) surroundings: &'a Surroundings,
    pub(super) draining: bool,
    /// Whether whoever asks could have requests signed.
    pub(super) admitted: bool,
    /// What came of the reload that was asked for.
    pub(super) reloaded: Option<&'a Last>,
    /// What it would have.
    pub(super) accept: Option<&'a str>,
    /// Behind the `?`.
    pub(super) query: &'a str,
}

/// A page as it is shown.
#[derive(Debug)]
pub(super) struct Shown {
    status: StatusCode,
    kind: &'static str,
    body: Bytes,
}

impl Shown {
    /// Of this media type.
    pub(super) fn new(kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, kind, body: body.into() }
    }

    /// A value on one line.
    pub(super) fn json(value: &Value) -> Self {
        Self::new("application/json", format!("{value}\n"))
    }

    /// A value for people.
    pub(super) fn pretty(value: &Value) -> Self {
        Self::new("application/json", format!("{value:#}\n"))
    }

    /// There is no such thing.
    pub(super) fn missing(self) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..self }
    }

    /// What was asked for cannot be done as it is written.
    pub(super) fn unprocessable(self) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, ..self }
    }

    /// Not now.
    pub(super) fn unavailable(self) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, ..self }
    }

    /// The answer to the client.
    pub(super) fn into_response(self) -> Response<Reply> {
        let mut response = plain(self.body);
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        response
    }
}
