//! One client's connection: HTTP/1.1 or HTTP/2, request by request, until it ends or a stop does.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method, Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::answer::{BUFFER, answer, note};
use super::connect;
use super::foreign::{SSH, foreign, refuse as refuse_foreign};
use super::http2::http2;
use super::patience::{Patience, promise};
use super::shared::{Client, Protocol, Shared};
use super::stream::{Duplex, Lingering, Prefixed, Unread};
use crate::body::Reply;
use crate::request::lists;

/// A connection, until it ends.
pub(super) type Conversation = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Speaks with one client. Boxed, because a conversation can have another inside, and how it begins and
/// each protocol by itself: an idle connection keeps what it needs and no more.
pub(super) fn converse(
    stream: Box<dyn Duplex>,
    protocol: Protocol,
    client: Client,
    shared: Arc<Shared>,
) -> Conversation {
    let beginning = Box::pin(begin(stream, protocol, client, shared));
    Box::pin(async {
        if let Some(rest) = beginning.await {
            rest.await;
        }
    })
}

/// Reads how the connection begins; the rest of it, if there is one.
async fn begin(
    stream: Box<dyn Duplex>,
    protocol: Protocol,
    client: Client,
    shared: Arc<Shared>,
) -> Option<Conversation> {
    let limit = shared.pipeline.snapshot().timeouts.request_head;
    let (since, drain) = (Instant::now(), client.drain(&shared));
    let begun = tokio::select! {
        begun = Prefixed::until(stream, &[PREFACE, SSH], limit) => begun,
        // Nothing has been asked yet.
        () = drain.cancelled() => return None,
    };
    let stream = match begun {
        Ok(stream) => stream,
        Err(error) => {
            let error = connect::left(&client, error, since.elapsed());
            tracing::debug!(%error, "a client said nothing");
            return None;
        }
    };
    let prefaced = protocol == Protocol::Either && stream.begins_with(PREFACE);
    if protocol == Protocol::Http2 || prefaced {
        return Some(Box::pin(http2(Box::new(stream), client, shared)));
    }
    if let Some(foreign) = foreign(stream.first()) {
        Box::pin(refuse_foreign(Box::new(stream), foreign, client, &shared)).await;
        return None;
    }
    Some(Box::pin(http1(Box::new(stream), client, shared)))
}

/// How every HTTP/2 connection begins (RFC 9113, section 3.4). All of it is waited for here: hyper
/// waits without a limit, and hears of no stop meanwhile.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn http1(stream: Box<dyn Duplex>, client: Client, shared: Arc<Shared>) {
    let snapshot = shared.pipeline.snapshot();
    let (limits, timeouts) = (&snapshot.limits, &snapshot.timeouts);
    let mut builder = hyper::server::conn::http1::Builder::new();
    let unread = Unread::default();
    let (head, idle) = (timeouts.request_head, timeouts.client_idle);
    builder
        .timer(Patience { head, idle, unread: unread.clone() })
        .header_read_timeout(head)
        // Who has sent a whole request may end its half of the connection (RFC 9112, section 9.6).
        .half_close(true)
        .preserve_header_case(true)
        .max_header_size(limits.header)
        .max_buf_size(limits.header.max(BUFFER));
    let promise = promise(idle);
    let io = TokioIo::new(Lingering::new(stream, timeouts.body_idle, unread.clone()));
    drop(snapshot);
    let (role, drain) = (client.role, client.drain(&shared));
    // Boxed: hyper keeps room for this future for as long as the connection lives, and moves it.
    let service = service_fn(|request: Request<Incoming>| {
        let promise = promise.clone().filter(|_| persists(&request));
        let (shared, unread) = (Arc::clone(&shared), unread.clone());
        Box::pin(respond(request, client.clone(), shared, unread, promise))
    });
    let connection = builder.serve_connection(io, service).with_upgrades();
    tokio::pin!(connection);
    let mut draining = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut connection => return note(role, ended),
            () = drain.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            () = shared.closing.cancelled(), if draining => return,
        }
    }
}

/// Answers a request, and says what comes of its connection: to the client as far as there is
/// anything to `promise`, and to the stream.
async fn respond(
    request: Request<Incoming>,
    client: Client,
    shared: Arc<Shared>,
    unread: Unread,
    promise: Option<HeaderValue>,
) -> Result<Response<Reply>, Infallible> {
    let body = !request.body().is_end_stream();
    unread.by_closing(request.version() == Version::HTTP_10);
    let connects = request.method() == Method::CONNECT;
    let mut response = answer(request, &client, &shared).await;
    let early = body && response.body().may_come_early();
    if early {
        // hyper sees that nobody wants the rest before it writes the head. What of it is not there
        // already will not be read, and the head says Connection: close.
        tokio::task::yield_now().await;
    }
    unread.answer(early);
    if switched(&response, connects) {
        unread.tunnel();
        return Ok(response);
    }
    if client.ends_with(response.status().as_u16()) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return Ok(response);
    }
    if let Some(promise) = promise.filter(|_| !early && !shared.leaving.is_cancelled()) {
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
        headers.insert(KEEP_ALIVE, promise);
    }
    Ok(response)
}

/// Whether more requests may come on a client's connection. Behind chunks that had a length beside
/// them hyper closes it, and shows only the chunks.
fn persists<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_11
        && !lists(request.headers(), &CONNECTION, "close")
        && !request.headers().contains_key(TRANSFER_ENCODING)
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Whether what follows an answer is no longer HTTP.
fn switched(response: &Response<Reply>, connects: bool) -> bool {
    let status = response.status();
    status.as_u16() == 101 || connects && status.is_success()
}
