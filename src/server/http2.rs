//! HTTP/2: a connection with many requests, each made into one as the rest of the program knows
//! requests. Nothing behind this cares which version a client speaks.
//!
//! What HTTP/1.1's connections show by themselves has to be watched here: a client that takes no
//! more of an answer is one whose window stays closed, which stops no write; and one that is
//! silent may go on answering pings. Both end the whole connection, for a stream cannot be ended
//! from outside.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{COOKIE, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::answer::{BUFFER, answer, note};
use super::shared::{Client, Shared};
use super::stream::{Duplex, Lingering, Unread};
use crate::body::{Answering, Progress, Reply};

/// Speaks HTTP/2 with one client.
pub(super) async fn http2(stream: Box<dyn Duplex>, client: Client, shared: Arc<Shared>) {
    let snapshot = shared.pipeline.snapshot();
    let (limits, timeouts) = (&snapshot.limits, &snapshot.timeouts);
    let stall = timeouts.body_idle;
    let quiet = Quiet { first: timeouts.request_head, between: timeouts.client_idle };
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(BUFFER)
        .keep_alive_interval(quiet.first)
        // Many clients read, and answer pings, only while they wait for an answer.
        .keep_alive_timeout(quiet.first.max(quiet.between));
    let io = TokioIo::new(Lingering::new(stream, stall, Unread::never()));
    drop(snapshot);
    let (answers, ends) = (Arc::new(Answers::default()), Arc::new(Notify::new()));
    let role = client.role;
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, client, answering) = (Arc::clone(&shared), client.clone(), answers.begin());
        let ends = Arc::clone(&ends);
        async move {
            let response = respond(request, &client, &shared, answering).await;
            if client.ends_with(response.status().as_u16()) {
                ends.notify_one();
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = builder.serve_connection(io, service);
    tokio::pin!(connection);
    let mut stopping = false;
    loop {
        let pause = if stopping { FAREWELL } else { quiet.first.min(quiet.between) };
        tokio::select! {
            ended = &mut connection => return note(role, ended),
            () = shared.stopping.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = shared.closing.cancelled(), if stopping => return,
            () = ends.notified() => connection.as_mut().graceful_shutdown(),
            () = tokio::time::sleep(pause) => match answers.look(quiet, stall, stopping) {
                Turn::Wait => {}
                Turn::Leave => connection.as_mut().graceful_shutdown(),
                Turn::End(why) => {
                    return tracing::debug!(listener = role.name(), "a client {why}");
                }
            }
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    client: &Client,
    shared: &Arc<Shared>,
    answering: Answering,
) -> Response<Reply> {
    let mut response = answer(translate(request), client, shared).await;
    response.body_mut().note(answering);
    response
}

/// The requests of a connection that are under way, and some that are over.
#[derive(Debug, Default)]
struct Answers(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    answers: Vec<Progress>,
    /// Whether there was one at all.
    asked: bool,
    /// Since when none was seen under way.
    silent: Option<Instant>,
}

/// How long a client may be silent.
#[derive(Clone, Copy, Debug)]
struct Quiet {
    /// Before its first request.
    first: Duration,
    between: Duration,
}

/// What is to be done about a client.
enum Turn {
    Wait,
    /// It is told that nothing more is taken.
    Leave,
    /// Its connection is ended, for what it does.
    End(&'static str),
}

impl Answers {
    fn begin(&self) -> Answering {
        let (answering, progress) = Answering::begin();
        let mut known = self.known();
        known.silent = None;
        known.asked = true;
        if known.answers.len() >= 2 * STREAMS as usize {
            known.answers.retain(|one| !one.is_over());
        }
        known.answers.push(progress);
        answering
    }

    /// Looks whether each answer is taken, and whether there are any. HTTP/1.1 ends a connection
    /// that was `quiet`; here its end has until `stall`.
    fn look(&self, quiet: Quiet, stall: Duration, stopping: bool) -> Turn {
        let mut known = self.known();
        let quiet = if known.asked { quiet.between } else { quiet.first };
        known.answers.retain(|one| !one.is_over());
        if known.answers.iter().any(|one| one.is_stuck(stall)) {
            return Turn::End("takes no more of an answer");
        }
        if !known.answers.is_empty() {
            known.silent = None;
            return Turn::Wait;
        }
        // A client that does not read does not say that it has heard it, either.
        if stopping {
            return Turn::End("was told to leave, and has nothing under way");
        }
        let silent = known.silent.get_or_insert_with(Instant::now).elapsed();
        if silent >= quiet + stall {
            return Turn::End("was told to leave, and stays");
        }
        if silent >= quiet { Turn::Leave } else { Turn::Wait }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a client is waited for that a stop has told to leave, and that has nothing under way: a
/// request of its may have crossed with that.
const FAREWELL: Duration = Duration::from_millis(500);
/// Requests at once on one connection.
const STREAMS: u32 = 100;
/// What a client may send of one body before we have read it, and of all together.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Turns a request's `:authority` into its `Host`, its target into a path, and joins the pieces
/// of its cookies (RFC 9113, sections 8.3.1 and 8.2.3).
///
/// A `Host` of its own that says something else stays beside it, for those to refuse who look at
/// every one.
fn translate<B>(mut request: Request<B>) -> Request<B> {
    join_cookies(request.headers_mut());
    if request.method() == Method::CONNECT {
        return request;
    }
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = None;
    if let Some(authority) = parts.authority.take()
        && let Ok(authority) = HeaderValue::from_str(authority.as_str())
        && request.headers().get(HOST) != Some(&authority)
    {
        request.headers_mut().append(HOST, authority);
    }
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    request
}

fn join_cookies(headers: &mut HeaderMap) {
    let pieces: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if pieces.len() < 2 {
        return;
    }
    if let Ok(whole) = HeaderValue::from_bytes(&pieces.join(&b"; "[..])) {
        headers.insert(COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_becomes_the_host_and_another_host_is_not_hidden_by_it() {
        for (uri, hosts, path, named) in [
            ("https://api.x/a?b=%7e", &[][..], "/a?b=%7e", &["api.x"][..]),
            ("https://api.x:8443/", &["api.x:8443"], "/", &["api.x:8443"]),
            ("https://api.x/", &["evil.x"], "/", &["evil.x", "api.x"]),
            ("/a", &["api.x"], "/a", &["api.x"]),
            ("/a", &[], "/a", &[]),
        ] {
            let mut request = Request::builder().uri(uri);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            let request = translate(request.body(()).expect("a request"));
            assert_eq!(request.uri().to_string(), path, "{uri}");
            let found: Vec<_> = request.headers().get_all(HOST).iter().collect();
            assert_eq!(found, named, "{uri}");
        }
    }

    #[test]
    fn cookies_in_pieces_become_one() {
        for (pieces, joined) in [(&["a=1"][..], "a=1"), (&["a=1", "b=2", "c"], "a=1; b=2; c")] {
            let mut request = Request::builder();
            for piece in pieces {
                request = request.header(COOKIE, *piece);
            }
            let request = translate(request.body(()).expect("a request"));
            let found: Vec<_> = request.headers().get_all(COOKIE).iter().collect();
            assert_eq!(found, [joined]);
        }
    }
}
