//! A request's way, in one function: match, collect, dress, canonicalise, sign, assemble, forward.
//!
//! Each stage takes what the one before gave; any of them may refuse, and a refusal is the only
//! other way out. Nothing is sent before it is signed, nothing is changed after.

mod exchange;
mod framing;
mod judged;
mod socket;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, Method, Request, Response, Version};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::upgrade::OnUpgrade;

use self::socket::Socket;
pub(crate) use self::socket::{asks_for_socket, lists};
use crate::body::{self, CollectError, Keep, Lease, Reply, StreamError, Upload};
use crate::destination::Destination;
use crate::metrics::Metrics;
use crate::moment::{Moment, Moments, unix_ms};
use crate::outbound::{Outbound, Payload, strip_hop_by_hop};
use crate::record::Record;
use crate::refusal::{Code, Refusal};
use crate::route::Route;
use crate::scheme::{
    BodyNeed, Bound, Edits, Head, Preimage, Scheme, SchemeError, Signable, Signatures,
};
use crate::snapshot::{Snapshot, Snapshots};
use crate::tunnel::Tunnels;
use crate::upstream::Upstream;

/// A request as it came in: where it wants to go, and everything it carries.
#[derive(Debug)]
pub struct Intake {
    /// The method.
    pub method: Method,
    /// Where to.
    pub destination: Destination,
    /// Path and query, byte for byte.
    pub target: PathAndQuery,
    /// Headers as the client sent them.
    pub headers: HeaderMap,
    /// How an HTTP/1.1 client wrote the names of its headers, in hyper's own form.
    pub spelled: Extensions,
    /// The body.
    pub body: Incoming,
    /// The client's connection, once it is no longer HTTP: where the request is a WebSocket
    /// handshake.
    pub upgrade: Option<OnUpgrade>,
}

/// What the client is told.
enum Answer {
    /// The upstream's answer as it comes, and what belongs to it.
    Streamed {
        head: Response<Incoming>,
        /// What lives as long: the request's body, while it is still being sent, and the place
        /// on a shared connection.
        kept: (Option<Keep>, Option<Lease>),
        /// The tunnel that opens if the answer is 101.
        socket: Option<Socket>,
    },
    /// What a scheme has made of it.
    Whole(Edits),
}

/// What every request goes through.
#[derive(Debug)]
pub struct Pipeline {
    snapshots: Snapshots,
    moments: Moments,
    metrics: Arc<Metrics>,
    tunnels: Tunnels,
    /// Begins this process's request ids.
    id_prefix: String,
    id_next: AtomicU64,
}

/// Bodies longer than this are hashed on a thread of their own kind: hashing them takes longer
/// than a signature, and other requests wait behind an async worker.
const INLINE_BODY: usize = 64 * 1024;

impl Pipeline {
    /// A pipeline over the current and every later snapshot.
    pub fn new(snapshots: Snapshots, moments: Moments, metrics: Arc<Metrics>) -> Self {
        let id_prefix = format!("{:x}-{:x}", unix_ms(), std::process::id());
        let tunnels = Tunnels::new(snapshots.current().limits.tunnels, Arc::clone(&metrics));
        Self { snapshots, moments, metrics, tunnels, id_prefix, id_next: AtomicU64::new(1) }
    }

    /// The snapshot for a request that begins now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.current()
    }

    /// The counters.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// WebSockets and CONNECT tunnels.
    pub fn tunnels(&self) -> &Tunnels {
        &self.tunnels
    }

    /// Starts the record of a request, with an id of its own.
    pub fn record(&self) -> Box<Record> {
        let number = self.id_next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number:x}", self.id_prefix);
        Box::new(Record::new(id, Arc::clone(&self.metrics)))
    }

    /// Carries a request to its provider and brings the answer back, or the refusal.
    pub async fn serve(
        &self,
        snapshot: &Snapshot,
        intake: Result<Intake, Refusal>,
        mut record: Box<Record>,
    ) -> Response<Reply> {
        let answer = match intake {
            Ok(intake) => self.run(snapshot, intake, &mut record).await,
            Err(refusal) => Err(refusal),
        };
        let (head, kept, socket) = match answer {
            Ok(Answer::Streamed { head, kept, socket }) => (head, kept, socket),
            Ok(Answer::Whole(edits)) => return made(edits, record),
            Err(refusal) => return refuse(refusal, record),
        };
        record.answered(head.status().as_u16());
        if let Some(socket) = socket.filter(|_| socket::has_switched(&head)) {
            return socket.switch(head, snapshot.timeouts.tunnel_idle, record);
        }
        let has_body = framing::has_body(record.method(), &head);
        let (mut parts, body) = head.into_parts();
        strip_hop_by_hop(&mut parts.headers);
        parts.version = Version::HTTP_11;
        if !has_body {
            return Response::from_parts(parts, Reply::whole(Bytes::new(), Some(record)));
        }
        let idle = snapshot.timeouts.body_idle;
        match Reply::stream(body, idle, kept, record).await {
            Ok(reply) => Response::from_parts(parts, reply),
            Err((error, record)) => refuse(broken(&error), record),
        }
    }

    async fn run(
        &self,
        snapshot: &Snapshot,
        intake: Intake,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        record.asked(intake.target.path());
        record.aimed(intake.destination.to_string());
        let route = intake.destination.route(snapshot, intake.target.path(), &intake.method)?;
        let Some(route) = route else {
            return self.pass(snapshot, intake, record).await;
        };
        record.routed(&route.name);
        // A browser whose proxy this is would have any page's requests signed. (The gateway asks
        // before it looks at the path.)
        if let Some(called) = intake.destination.called() {
            snapshot.access.page(&intake.headers, Some(&called))?;
        }
        match &route.scheme {
            Bound::Scheme(scheme) => self.sign(snapshot, route, scheme, intake, record).await,
            Bound::Envelope(envelope) => {
                self.exchange(snapshot, route, envelope.as_ref(), intake, record).await
            }
        }
    }

    async fn sign(
        &self,
        snapshot: &Snapshot,
        route: &Arc<Route>,
        scheme: &Arc<dyn Scheme>,
        intake: Intake,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        if scheme.wants_upgrade() {
            socket::is_handshake(&intake)?;
        }
        let (intake, socket) = self.socket(intake)?;
        let outbound = dress(snapshot, route, scheme.as_ref(), intake, record).await?;
        let outbound = if socket.is_some() { outbound.upgrading() } else { outbound };
        let again = spare(snapshot.upstream(route), &outbound);
        let first = self.send(snapshot, route, scheme, outbound, socket, record).await;
        match again.filter(|_| is_unprocessed(&first)) {
            Some(again) => self.send(snapshot, route, scheme, again, None, record).await,
            None => first,
        }
    }

    /// Signs a request and sends it. One that goes out again is signed again: with its nonce,
    /// another would look like a replay.
    async fn send(
        &self,
        snapshot: &Snapshot,
        route: &Arc<Route>,
        scheme: &Arc<dyn Scheme>,
        outbound: Outbound,
        socket: Option<Socket>,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        let started = Instant::now();
        let (outbound, edits) = self.seal(snapshot, route, scheme, outbound).await?;
        record.signed(Some(started.elapsed()));
        let upstream = snapshot.upstream(route);
        if scheme.reply_need() == BodyNeed::Nothing {
            return forward(snapshot, upstream, outbound, edits, socket, record).await;
        }
        let asked = outbound.shown();
        let answer = forward(snapshot, upstream, outbound, edits, None, record).await?;
        let Answer::Streamed { head, .. } = answer else { return Ok(answer) };
        let reply = collect_reply(snapshot, head).await?;
        let signable = Signable { head: &asked.0, body: Some(&asked.1) };
        Ok(Answer::Whole(scheme.open_reply(signable, &reply, &self.moments.next())?))
    }

    /// The tunnel that a WebSocket handshake asks for: there must be room before anything is sent.
    fn socket(&self, mut intake: Intake) -> Result<(Intake, Option<Socket>), Refusal> {
        let Some(client) = intake.upgrade.take() else { return Ok((intake, None)) };
        let Some(slot) = self.tunnels.slot() else {
            return Err(Refusal::new(Code::TooManyTunnels, "limits.tunnels are open"));
        };
        Ok((intake, Some(Socket { client, slot })))
    }

    /// Canonicalise → sign → assemble: two pure halves around one effect.
    async fn seal(
        &self,
        snapshot: &Snapshot,
        route: &Arc<Route>,
        scheme: &Arc<dyn Scheme>,
        outbound: Outbound,
    ) -> Result<(Outbound, Edits), Refusal> {
        // Only now: a slow upload must not age the time stamp.
        let moment = self.moments.next();
        let (outbound, preimages) = canonicalise(scheme, outbound, moment).await?;
        let signatures = signed(snapshot, route, &preimages).await?;
        let edits = scheme.assemble(outbound.signable(), &moment, &signatures)?;
        Ok((outbound, edits))
    }

    /// A request for a host that no route names, where the configuration lets those through.
    async fn pass(
        &self,
        snapshot: &Snapshot,
        intake: Intake,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        let (host, origin) = intake.destination.unrouted_place()?;
        record.aimed(&host);
        let (intake, socket) = self.socket(intake)?;
        let Intake { method, target, headers, spelled, body, .. } = intake;
        let payload = stream(body);
        let outbound = Outbound::dress(method, &target, headers, payload, host, origin, None)?;
        let outbound = outbound.spelled(spelled);
        let outbound = if socket.is_some() { outbound.upgrading() } else { outbound };
        forward_plain(snapshot, snapshot.passing(), outbound, socket, record).await
    }
}

/// Collects the body where the scheme reads it, and dresses the request.
async fn dress(
    snapshot: &Snapshot,
    route: &Route,
    scheme: &dyn Scheme,
    intake: Intake,
    record: &mut Record,
) -> Result<Outbound, Refusal> {
    let Intake { method, destination, target, headers, spelled, body, .. } = intake;
    let (host, origin) = destination.place(route)?;
    record.aimed(&host);
    let head = Head { method, host, target, headers };
    let payload = match scheme.body_need(&head) {
        BodyNeed::Nothing => stream(body),
        BodyNeed::Whole => whole(snapshot, route, &head.headers, body).await?,
    };
    let Head { method, host, target, headers } = head;
    let dressed = Outbound::dress(method, &target, headers, payload, host, origin, Some(scheme))?;
    Ok(dressed.spelled(spelled))
}

fn stream(body: Incoming) -> Payload {
    use http_body::Body as _;
    if body.is_end_stream() { Payload::Empty } else { Payload::Stream(body) }
}

async fn whole(
    snapshot: &Snapshot,
    route: &Route,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Payload, Refusal> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let detail = format!("routes.{} signs the body's text", route.name);
        return Err(Refusal::new(Code::BodyEncoded, detail));
    }
    let (limit, deadline) = (snapshot.limits.signed_body, snapshot.timeouts.request_body);
    let collected = body::collect(body, limit, deadline).await;
    collected.map(Payload::Whole).map_err(|error| uncollected(error, route, limit, deadline))
}

fn uncollected(
    error: CollectError,
    route: &Route,
    limit: u64,
    deadline: std::time::Duration,
) -> Refusal {
    let reads = format!("routes.{} reads the body to sign it", route.name);
    match error {
        CollectError::TooLarge(Some(declared)) => {
            let detail =
                format!("{reads}; this one declares {declared} bytes, the limit is {limit}");
            Refusal::new(Code::BodyTooLarge, detail)
        }
        CollectError::TooLarge(None) => {
            Refusal::new(Code::BodyTooLarge, format!("{reads}; this one grew past {limit} bytes"))
        }
        CollectError::TooSlow => {
            Refusal::new(Code::BodyTooSlow, format!("{reads}; it was not there in {deadline:?}"))
        }
        CollectError::Broken => {
            Refusal::new(Code::BodyIncomplete, format!("{reads}; it broke off"))
        }
    }
}

/// Has the route's keys sign, in time.
async fn signed(
    snapshot: &Snapshot,
    route: &Route,
    preimages: &[Preimage],
) -> Result<Signatures, Refusal> {
    let limit = snapshot.timeouts.sign;
    let signatures = tokio::time::timeout(limit, route.sign(preimages)).await;
    let late = |_| Refusal::new(Code::SignerTimeout, format!("no signature within {limit:?}"));
    Ok(signatures.map_err(late)??)
}

/// An answer that a scheme wants to open.
async fn collect_reply(snapshot: &Snapshot, head: Response<Incoming>) -> Result<Bytes, Refusal> {
    let (most, limit) = (snapshot.limits.signed_body, snapshot.timeouts.response_head);
    let collected = body::collect(head.into_body(), most, limit).await;
    collected.map_err(|_| SchemeError::Reply("broke off, or is too long or too slow").into())
}

async fn canonicalise(
    scheme: &Arc<dyn Scheme>,
    outbound: Outbound,
    moment: Moment,
) -> Result<(Outbound, Vec<Preimage>), Refusal> {
    let long = outbound.signable().body.is_some_and(|body| body.len() > INLINE_BODY);
    if !long {
        let preimages = scheme.canonicalise(outbound.signable(), &moment)?;
        return Ok((outbound, preimages));
    }
    let scheme = Arc::clone(scheme);
    let hashed = tokio::task::spawn_blocking(move || {
        let preimages = scheme.canonicalise(outbound.signable(), &moment);
        (outbound, preimages)
    });
    let lost = |_| Refusal::new(Code::Internal, "the canonical text was not finished");
    let (outbound, preimages) = hashed.await.map_err(lost)?;
    Ok((outbound, preimages?))
}

/// The request once more, where the upstream's version of HTTP makes that worth the copy.
fn spare(upstream: &Upstream, outbound: &Outbound) -> Option<Outbound> {
    upstream.may_leave_unprocessed().then(|| outbound.spare()).flatten()
}

/// Whether the upstream says that it did not process the request.
fn is_unprocessed(answer: &Result<Answer, Refusal>) -> bool {
    answer.as_ref().is_err_and(|refusal| refusal.code == Code::UpstreamUnprocessed)
}

/// Sends a request that nobody signs; once more, where the upstream did not process it.
async fn forward_plain(
    snapshot: &Snapshot,
    upstream: &Upstream,
    outbound: Outbound,
    socket: Option<Socket>,
    record: &mut Record,
) -> Result<Answer, Refusal> {
    let again = spare(upstream, &outbound);
    let first = forward(snapshot, upstream, outbound, Edits::default(), socket, record).await;
    match again.filter(|_| is_unprocessed(&first)) {
        Some(again) => forward(snapshot, upstream, again, Edits::default(), None, record).await,
        None => first,
    }
}

async fn forward(
    snapshot: &Snapshot,
    upstream: &Upstream,
    outbound: Outbound,
    edits: Edits,
    socket: Option<Socket>,
    record: &mut Record,
) -> Result<Answer, Refusal> {
    let (request, watch) = outbound.apply(edits, snapshot.timeouts.body_idle)?;
    let (uploaded, keep) = watch.map_or((None, None), |watch| (Some(watch.sent), Some(watch.keep)));
    let started = Instant::now();
    let request: Request<Upload> = request;
    let method = request.method().clone();
    let (mut head, lease) = match socket {
        None => {
            let answered = upstream.send(request, uploaded).await?;
            (answered.head, answered.lease)
        }
        Some(_) => (upstream.send_upgrade(request).await?, None),
    };
    record.returned(started.elapsed());
    let has_body = framing::has_body(method.as_str(), &head);
    framing::state_length(head.headers_mut(), has_body)?;
    Ok(Answer::Streamed { head, kept: (keep, lease), socket })
}

/// An answer whose body broke before anything of it was passed on.
fn broken(error: &StreamError) -> Refusal {
    Refusal::new(Code::UpstreamClosed, format!("the upstream's answer broke off: {error}"))
}

/// What a scheme has made, as an answer.
fn made(edits: Edits, mut record: Box<Record>) -> Response<Reply> {
    let mut response = Response::new(());
    let body = edits.apply(response.headers_mut()).unwrap_or_default();
    record.answered(response.status().as_u16());
    response.map(|()| Reply::whole(body, Some(record)))
}

/// The refusal as an answer. Whatever is left of the request's body is not read.
pub fn refuse(refusal: Refusal, mut record: Box<Record>) -> Response<Reply> {
    let code = refusal.code.name();
    let route = record.route().map(|route| &**route);
    let response = refusal.into_response(route, record.id());
    record.refused(code, response.status().as_u16());
    let (mut parts, body) = response.into_parts();
    if record.method() == Method::CONNECT.as_str() {
        // Of a proxy's answer to it, clients show the status line at most.
        parts.extensions.insert(ReasonPhrase::from_static(code.as_bytes()));
    }
    Response::from_parts(parts, Reply::whole(body, Some(record)))
}

/// An answer of our own that is no refusal.
pub fn plain(body: impl Into<Bytes>) -> Response<Reply> {
    Response::new(Reply::whole(body.into(), None))
}
