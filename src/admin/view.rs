//! What a page is given to show, and what it becomes.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use maud::Markup;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::access::Whose;
use crate::body::Reply;
use crate::pipeline::plain;
use crate::reloads::Last;
use crate::snapshot::{Snapshot, Surroundings};

/// What there is to show.
pub(super) struct View<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) surroundings: &'a Surroundings,
    /// Cancelled when a stop was asked for.
    pub(super) leaving: &'a CancellationToken,
    /// Whether whoever asks could have requests signed.
    pub(super) admitted: bool,
    /// The name of its token, where it has shown one.
    pub(super) client: Option<&'a str>,
    /// Whether it is signed in by a cookie.
    pub(super) signed_in: bool,
    pub(super) whose: Whose,
    /// What came of the reload that was asked for.
    pub(super) reloaded: Option<&'a Last>,
    pub(super) headers: &'a HeaderMap,
    /// Behind the `?`.
    pub(super) query: &'a str,
    /// Of what was posted; none of what was only asked for.
    pub(super) posted: Option<&'a [u8]>,
}

impl View<'_> {
    /// Whether a stop was asked for.
    pub(super) fn draining(&self) -> bool {
        self.leaving.is_cancelled()
    }

    /// The value of a query's field.
    pub(super) fn asked(&self, name: &str) -> Option<String> {
        field(self.query.as_bytes(), name)
    }

    /// The value of a form's field; empty where there is none.
    pub(super) fn filled(&self, name: &str) -> String {
        field(self.posted.unwrap_or_default(), name).unwrap_or_default()
    }
}

fn field(form: &[u8], name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(form);
    pairs.find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

/// A page as it is shown.
#[derive(Debug)]
pub(super) struct Shown {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Content,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Live(mpsc::Receiver<Bytes>),
}

impl Shown {
    /// Of this media type.
    pub(super) fn new(kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self::of(kind, Content::Whole(body.into()))
    }

    fn of(kind: &'static str, body: Content) -> Self {
        let headers = vec![(CONTENT_TYPE, HeaderValue::from_static(kind))];
        Self { status: StatusCode::OK, headers, body }
    }

    /// A page for people.
    pub(super) fn html(markup: Markup) -> Self {
        Self::new("text/html; charset=utf-8", markup.into_string())
    }

    /// Server-sent events, as they come.
    pub(super) fn events(told: mpsc::Receiver<Bytes>) -> Self {
        Self::of("text/event-stream", Content::Live(told))
    }

    /// A value on one line.
    pub(super) fn json(value: &Value) -> Self {
        Self::new("application/json", format!("{value}\n"))
    }

    /// A value for people.
    pub(super) fn pretty(value: &Value) -> Self {
        Self::new("application/json", format!("{value:#}\n"))
    }

    /// Another page is to be asked for.
    pub(super) fn elsewhere(path: &'static str) -> Self {
        let location = (LOCATION, HeaderValue::from_static(path));
        Self { status: StatusCode::SEE_OTHER, ..Self::new("text/plain", "") }.with(location)
    }

    /// The same with a cookie set.
    pub(super) fn setting(self, cookie: &str) -> Self {
        match HeaderValue::from_str(cookie) {
            Ok(value) => self.with((SET_COOKIE, value)),
            Err(_) => self,
        }
    }

    fn with(mut self, header: (HeaderName, HeaderValue)) -> Self {
        self.headers.push(header);
        self
    }

    /// Who asks may not.
    pub(super) fn forbidden(self) -> Self {
        Self { status: StatusCode::FORBIDDEN, ..self }
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
        let mut response = match self.body {
            Content::Whole(body) => plain(body),
            Content::Live(told) => Response::new(Reply::live(told)),
        };
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        response
    }
}
