//! One request of a client, in either version of HTTP: to the pipeline, or to where its listener
//! says.

use std::sync::Arc;

use http::{Method, Request, Response};
use hyper::body::Incoming;

use super::connect;
use super::intake::intake;
use super::shared::{Client, Role, Shared};
use crate::admin;
use crate::body::Reply;
use crate::pipeline::refuse;
use crate::request::{FIELDS_READ, admit};

/// What a connection may buffer. hyper's own 400 KiB, times every connection, is a lot of memory
/// for a client to ask for.
pub(super) const BUFFER: usize = 64 * 1024;

/// Answers one request.
pub(super) async fn answer(
    request: Request<Incoming>,
    client: &Client,
    shared: &Arc<Shared>,
) -> Response<Reply> {
    let is_head = request.method() == Method::HEAD;
    let (mut parts, mut body) = decide(request, client, shared).await.into_parts();
    if is_head {
        body.withhold(&mut parts.headers);
    }
    Response::from_parts(parts, body)
}

/// One request, to the pipeline or to where its listener says.
async fn decide(
    request: Request<Incoming>,
    client: &Client,
    shared: &Arc<Shared>,
) -> Response<Reply> {
    let snapshot = shared.pipeline.snapshot();
    let mut record = shared.pipeline.record();
    record.arrived(client.peer, request.method().as_str());
    let view = snapshot.view(shared.stopping.is_cancelled());
    let sender = client.sender();
    if client.role == Role::Admin {
        return match admit(view, sender, request.version(), request.headers()) {
            Ok(_) => {
                let shown = (&*snapshot, &shared.surroundings);
                Box::pin(admin::answer(request, sender, shown, &shared.leaving, record)).await
            }
            Err(refusal) => refuse(refusal, record),
        };
    }
    let head = (request.version(), request.headers());
    if let Err(refusal) = client.settle(view, head, shared, &mut record).await {
        return refuse(refusal, record);
    }
    let (arrival, carried) = intake(request, sender);
    if arrival.is_connect() {
        let answer = connect::answer(&arrival, carried, (client, view), &snapshot, shared, record);
        return Box::pin(answer).await;
    }
    shared.pipeline.serve(&snapshot, view, arrival, carried, record).await
}

/// Tells of a connection that ended in an error.
pub(super) fn note(role: Role, ended: Result<(), hyper::Error>) {
    match ended {
        // hyper has answered it, without a body and before it was a request here.
        Err(error) if error.is_parse() => {
            let long = error.is_parse_too_large();
            let most = long.then(|| format!("limits.header, and {FIELDS_READ} fields"));
            tracing::info!(
                listener = role.name(),
                %error,
                most,
                "a head that cannot be read was refused"
            );
        }
        Err(error) => {
            tracing::debug!(listener = role.name(), %error, "a client's connection ended");
        }
        Ok(()) => {}
    }
}
