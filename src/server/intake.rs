//! A request of the HTTP library, taken apart: what it says, and what is still on its connection.

use http::{Method, Request};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::pipeline::Carried;
use crate::request::{Arrival, Body, Sender, asks_for_socket};

/// Takes a request apart.
pub(super) fn intake(mut request: Request<Incoming>, sender: Sender<'_>) -> (Arrival<'_>, Carried) {
    let body = match request.body().is_end_stream() {
        true => Body::Absent,
        false => Body::Streamed(request.body().size_hint().exact()),
    };
    let (method, version) = (request.method(), request.version());
    let socket = body == Body::Absent && asks_for_socket(method, version, request.headers());
    let upgrades = socket || *method == Method::CONNECT;
    let upgrade = upgrades.then(|| hyper::upgrade::on(&mut request));
    let (parts, incoming) = request.into_parts();
    let arrival = Arrival {
        sender,
        method: parts.method,
        uri: parts.uri,
        version,
        headers: parts.headers,
        spelled: parts.extensions,
        body,
        socket,
    };
    (arrival, Carried { body: incoming, upgrade })
}
