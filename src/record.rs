//! What is written down of a request: one log line and its counters, when it is over.
//!
//! The line holds names and numbers from the configuration and the request line, never a header
//! value, a query, a body or a canonical text.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::info;

use crate::metrics::{Metrics, Open};

/// One request, from its head to the last byte of its answer. Dropping it writes the line.
#[derive(Debug)]
pub struct Record {
    /// The request's id, also in refusals.
    pub id: String,
    /// The client's address; none through a Unix socket.
    pub peer: Option<IpAddr>,
    /// The client's name, where it showed a token.
    pub client: Option<String>,
    /// The route's name.
    pub route: Option<Arc<str>>,
    /// The method.
    pub method: String,
    /// The host that was asked for.
    pub host: String,
    /// The path, without the query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// The refusal's code, where the answer is ours.
    pub code: Option<&'static str>,
    /// Whether signatures or secrets were put in.
    pub signed: bool,
    /// Whether it was a CONNECT whose inside is requests of their own.
    pub intercepted: bool,
    /// Canonical text, signature and edits.
    pub sign: Option<Duration>,
    /// From sending to the response head.
    pub upstream: Option<Duration>,
    bytes: u64,
    cut: Option<String>,
    forgotten: bool,
    started: Instant,
    metrics: Arc<Metrics>,
    /// Let go when everything else has been counted.
    _open: Open,
}

impl Record {
    /// Starts the record of a request.
    pub fn new(id: String, metrics: Arc<Metrics>) -> Self {
        Self {
            id,
            peer: None,
            client: None,
            route: None,
            method: String::new(),
            host: String::new(),
            path: String::new(),
            status: 0,
            code: None,
            signed: false,
            intercepted: false,
            sign: None,
            upstream: None,
            bytes: 0,
            cut: None,
            forgotten: false,
            started: Instant::now(),
            _open: metrics.request_open(),
            metrics,
        }
    }

    /// Lets the request go unrecorded: probes would drown the rest.
    pub fn forget(mut self: Box<Self>) {
        self.forgotten = true;
    }

    /// Counts bytes of the answer's body.
    pub fn sent(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Notes that the answer's body did not come to its end.
    pub fn cut(&mut self, error: &dyn fmt::Display) {
        self.cut = Some(error.to_string());
    }

    /// The route's name for logs and labels.
    fn route_name(&self) -> &str {
        self.route.as_deref().unwrap_or("-")
    }

    /// What came of the request, as a label.
    fn outcome(&self) -> &'static str {
        if self.status == 0 {
            // Dropped on the way: the client did not wait for the answer.
            return "abandoned";
        }
        match (self.code, self.signed) {
            (Some(_), _) => "refused",
            (None, true) => "signed",
            (None, false) if self.intercepted => "intercepted",
            // Its client left, or the proxy stopped, before it was signed: nothing was sent.
            (None, false) if self.route.is_some() => "abandoned",
            (None, false) => "passed",
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.forgotten {
            return;
        }
        self.metrics.request(self.route_name(), self.outcome(), self.code, self.upstream);
        if self.signed && self.code.is_none() {
            self.metrics.answered(self.route_name(), self.status);
        }
        // Whole microseconds: writing fractions takes longer than the rest of the line.
        let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let outcome = if self.cut.is_some() { "cut" } else { self.outcome() };
        info!(
            target: "countersign::request",
            id = %self.id,
            peer = self.peer.map(tracing::field::display),
            client = self.client.as_deref(),
            route = self.route_name(),
            method = %self.method,
            host = %self.host,
            path = %self.path,
            status = self.status,
            code = self.code,
            bytes = self.bytes,
            sign_us = self.sign.map(us),
            upstream_us = self.upstream.map(us),
            total_us = us(self.started.elapsed()),
            cut = self.cut.as_deref(),
            "{outcome}"
        );
    }
}
