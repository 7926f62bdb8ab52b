//! A request's way, as its [`Plan`] says: collect, canonicalise, sign, assemble, forward.
//!
//! What can be decided without waiting is in the plan; here is what happens, and what can go wrong
//! while it does. Nothing is sent before it is signed, nothing is changed after.

mod audited;
mod exchange;
mod framing;
mod heard;
mod holding;
mod judged;
mod ordered;
mod proof;
mod question;
mod remembered;
mod replicas;
mod seen;
mod sending;
mod socket;
mod work;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::upgrade::OnUpgrade;

use self::ordered::{moment, turn};
use self::proof::Proof;
use self::remembered::Remembered;
pub(crate) use self::sending::upload;
use self::socket::Socket;
use crate::body::{Keep, Lease, Reply, StreamError, Upload};
use crate::config::SelfCheck;
use crate::cost::Cost;
use crate::lines::room;
use crate::metrics::Metrics;
use crate::moment::{Moments, unix_ms};
use crate::record::{Record, Samples};
use crate::refusal::{Code, Refusal};
use crate::request::{Arrival, Body, Outgoing, Plan, Trail, Unsigned, View, strip_hop_by_hop};
use crate::route::Route;
use crate::scheme::{BodyNeed, Edits, Preimage, Signable, Signatures};
use crate::shares::Shares;
use crate::snapshot::{Snapshot, Snapshots};
use crate::tunnel::{Slot, Tunnels};
use crate::upstream::{Answered, Inspect, Upstream};
use crate::workers::in_place;

/// What of a request is still on its connection, beside the [`Arrival`] that tells of it.
#[derive(Debug)]
pub struct Carried {
    /// The body.
    pub body: Incoming,
    /// The client's connection, once it is no longer HTTP: where the request is a WebSocket
    /// handshake, or a CONNECT.
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
        /// How long it was awaited.
        took: Duration,
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
    samples: Arc<Samples>,
    /// Bytes of bodies that are held.
    held: Arc<Shares>,
    /// What callbacks were answered.
    remembered: Remembered,
    /// Begins this process's request ids.
    id_prefix: String,
    id_next: AtomicU64,
}

impl Pipeline {
    /// A pipeline over the current and every later snapshot.
    pub fn new(snapshots: Snapshots, moments: Moments, metrics: Arc<Metrics>) -> Self {
        let id_prefix = format!("{:x}-{:x}", unix_ms(), std::process::id());
        let limits = &snapshots.current().limits;
        let tunnels = Tunnels::new(limits.tunnels, Arc::clone(&metrics));
        let held = Shares::new(metrics.limit("held_bodies", limits.held_bodies));
        let room = metrics.limit("remembered_answers", remembered::ROOM as u64);
        let remembered = Remembered::new(room);
        let (samples, id_next) = (Arc::default(), AtomicU64::new(1));
        Self { snapshots, moments, metrics, tunnels, samples, held, remembered, id_prefix, id_next }
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
        // In one piece: `fmt` takes a thousand instructions.
        let id = [&*self.id_prefix, "-", itoa::Buffer::new().format(number)].concat();
        Box::new(Record::new(id, Arc::clone(&self.metrics), Arc::clone(&self.samples)))
    }

    /// Carries a request to its provider and brings the answer back, or the refusal.
    pub async fn serve(
        &self,
        snapshot: &Arc<Snapshot>,
        view: View<'_>,
        arrival: Arrival<'_>,
        carried: Carried,
        mut record: Box<Record>,
    ) -> Response<Reply> {
        let mut trail = Trail::default();
        let plan = Plan::of(view, arrival, &mut trail);
        follow(&mut record, trail);
        let answer = match plan {
            Ok(Plan::Pass(outgoing)) => self.pass(snapshot, outgoing, carried, &mut record).await,
            Ok(Plan::Sign(unsigned)) => self.sign(snapshot, unsigned, carried, &mut record).await,
            Ok(Plan::Open(sealed)) => {
                // Boxed, as is all that is rare: what a request keeps room for is moved with it.
                Box::pin(self.exchange(snapshot, *sealed, carried.body, &mut record)).await
            }
            Err(refusal) => Err(refusal),
        };
        let (head, kept, socket) = match answer {
            Ok(Answer::Streamed { head, kept, took, socket }) => {
                record.returned(took);
                (head, kept, socket)
            }
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

    async fn sign(
        &self,
        snapshot: &Snapshot,
        unsigned: Unsigned<'_>,
        carried: Carried,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        let Carried { body, upgrade } = carried;
        let socket = self.socket(upgrade, record)?;
        // A scheme may put another body in its place, which is there for as long.
        let mut _held = None;
        let (unsigned, body) = if unsigned.awaits_body {
            let whole = self.whole(snapshot, unsigned.route, body, record).await?;
            _held = Some(whole.clone());
            (unsigned.hold(whole), None)
        } else {
            let streams = matches!(unsigned.outgoing.body(), Body::Streamed(_));
            (unsigned, streams.then_some(body))
        };
        let again = snapshot.upstream(unsigned.route).may_leave_unprocessed();
        let again = again.then(|| unsigned.spare()).flatten();
        let first = self.send(snapshot, unsigned, body, socket, record).await;
        match again.filter(|_| is_unprocessed(&first)) {
            Some(again) => Box::pin(self.send(snapshot, again, None, None, record)).await,
            None => first,
        }
    }

    /// Signs a request and sends it. One that goes out again is signed again: with its nonce,
    /// another would look like a replay.
    async fn send(
        &self,
        snapshot: &Snapshot,
        unsigned: Unsigned<'_>,
        body: Option<Incoming>,
        socket: Option<Socket>,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        logged(snapshot).await?;
        let started = Instant::now();
        let turn = turn(snapshot, unsigned.route).await?;
        heard::asked(snapshot, &unsigned).await;
        // Only now: a slow upload must not age the time stamp.
        let moment = moment(snapshot, unsigned.route, turn.as_ref()).await?;
        let moment = moment.ahead(unsigned.route.standing.correction_ms());
        let in_use = Proof::in_use(snapshot, unsigned.scheme.as_ref());
        // Two pure halves around one effect.
        let cost = unsigned.cost();
        let (unsigned, to_sign) = work::canonicalise(unsigned, moment, cost).await?;
        unsigned.route.told.call_once(|| tell(unsigned.route));
        let signatures = signed(snapshot, unsigned.route, &to_sign.preimages).await?;
        let edits = in_place(cost, || unsigned.edits(&moment, to_sign.rest, &signatures))?;
        let took = started.elapsed();
        audited::written(snapshot, unsigned.route, &to_sign.preimages, record).await?;
        record.signed(Some(took));
        seen::kept(snapshot, &unsigned, (&moment, &to_sign.preimages, &edits), record);
        let Unsigned { route, scheme, outgoing, .. } = unsigned;
        let (level, signed) = (snapshot.self_check, to_sign.preimages);
        let proof = (level != SelfCheck::Off && !signed.is_empty()).then(|| Proof {
            level,
            route,
            scheme: scheme.as_ref(),
            moment,
            signed,
            signatures,
            in_use,
            metrics: &self.metrics,
            failed: OnceLock::new(),
        });
        if scheme.reply_need() == BodyNeed::Nothing {
            let sent = (outgoing, edits, body, proof);
            let answer = forward(snapshot, snapshot.upstream(route), sent, socket).await?;
            if let Answer::Streamed { head, .. } = &answer {
                heard::noted(snapshot, head, route, record);
            }
            return Ok(answer);
        }
        let asked = outgoing.shown();
        let sent = (outgoing, edits, body, proof);
        let answer = forward(snapshot, snapshot.upstream(route), sent, None).await?;
        let Answer::Streamed { head, kept: _kept, took, .. } = answer else { return Ok(answer) };
        record.returned(took);
        heard::noted(snapshot, &head, route, record);
        let reply = self.collect_reply(snapshot, head, record).await?;
        let signable = Signable { head: &asked.0, body: Some(&asked.1) };
        let (cost, moment) = (Cost::reading(reply.len()), self.moments.next());
        Ok(Answer::Whole(in_place(cost, || scheme.open_reply(signable, &reply, &moment))?))
    }

    /// The tunnel that a WebSocket handshake asks for: there must be room before anything is sent.
    fn socket(
        &self,
        upgrade: Option<OnUpgrade>,
        record: &Record,
    ) -> Result<Option<Socket>, Refusal> {
        let Some(client) = upgrade else { return Ok(None) };
        Ok(Some(Socket { client, slot: self.tunnel(record)? }))
    }

    /// A place for the tunnel that a request opens.
    ///
    /// # Errors
    ///
    /// `too_many_tunnels`.
    pub fn tunnel(&self, record: &Record) -> Result<Slot, Refusal> {
        self.tunnels
            .slot(&record.holder())
            .map_err(|full| Refusal::new(Code::TooManyTunnels, format!("limits.tunnels: {full}")))
    }

    /// A request for a host that no route names, where the configuration lets those through.
    async fn pass(
        &self,
        snapshot: &Snapshot,
        outgoing: Box<Outgoing>,
        carried: Carried,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        let socket = self.socket(carried.upgrade, record)?;
        let body = matches!(outgoing.body(), Body::Streamed(_)).then_some(carried.body);
        forward_plain(snapshot, snapshot.passing(), (outgoing, body), socket).await
    }
}

/// Notes how far a request came.
pub(crate) fn follow(record: &mut Record, trail: Trail) {
    let Trail { client, host, path, route } = trail;
    record.recognised(client);
    record.aimed(host);
    record.asked(path);
    if let Some(route) = &route {
        record.routed(&route.counts);
    }
}

/// Waits for the log: what is sent must be in it.
async fn logged(snapshot: &Snapshot) -> Result<(), Refusal> {
    let limit = snapshot.timeouts.log;
    if room(limit).await {
        return Ok(());
    }
    let what = format!("nobody read standard error for {limit:?}, and too many lines wait");
    Err(Refusal::new(Code::LogStalled, what))
}

/// Has the route's keys sign, in time.
async fn signed(
    snapshot: &Snapshot,
    route: &Route,
    preimages: &[Preimage],
) -> Result<Signatures, Refusal> {
    let limit = snapshot.timeouts.sign;
    let signatures = tokio::time::timeout(limit, route.sign(preimages)).await;
    // A store that is gone may be back at the next try; one that is slow will be slow again.
    let late = |_| {
        let slow = || Refusal::new(Code::SignerTimeout, format!("no signature within {limit:?}"));
        route.away().map_or_else(slow, Refusal::from)
    };
    Ok(signatures.map_err(late)??)
}

/// Says what a route's signatures leave open.
fn tell(route: &Route) {
    if let Some(parts) = route.open_parts() {
        tracing::info!(route = %route.name, not_bound = parts, "what its signatures do not bind");
    }
}

/// Whether the upstream says that it did not process the request.
fn is_unprocessed(answer: &Result<Answer, Refusal>) -> bool {
    answer.as_ref().is_err_and(|refusal| refusal.code == Code::UpstreamUnprocessed)
}

/// Sends a request that nobody signs; once more, where the upstream did not process it.
async fn forward_plain(
    snapshot: &Snapshot,
    upstream: &Upstream,
    (outgoing, body): (Box<Outgoing>, Option<Incoming>),
    socket: Option<Socket>,
) -> Result<Answer, Refusal> {
    let again = upstream.may_leave_unprocessed().then(|| outgoing.spare()).flatten().map(Box::new);
    let sent = (outgoing, Edits::default(), body, None);
    let first = forward(snapshot, upstream, sent, socket).await;
    match again.filter(|_| is_unprocessed(&first)) {
        Some(again) => {
            let sent = (again, Edits::default(), None, None);
            Box::pin(forward(snapshot, upstream, sent, None)).await
        }
        None => first,
    }
}

async fn forward(
    snapshot: &Snapshot,
    upstream: &Upstream,
    (outgoing, edits, body, proof): (Box<Outgoing>, Edits, Option<Incoming>, Option<Proof<'_>>),
    socket: Option<Socket>,
) -> Result<Answer, Refusal> {
    let (request, watch) = upload(outgoing, edits, body, snapshot.timeouts.body_idle)?;
    let (uploaded, keep) = watch.map_or((None, None), |watch| (Some(watch.sent), Some(watch.keep)));
    let started = Instant::now();
    let method = request.method().clone();
    let inspect = |request: &Request<Upload>| proof.as_ref().is_none_or(|own| own.holds(request));
    let inspect: Option<Inspect<'_>> = if proof.is_some() { Some(&inspect) } else { None };
    // A piece of its own: what is boxed is moved there, and short pieces move faster.
    let answered = match socket {
        None => Box::pin(upstream.send(request, uploaded, inspect)).await,
        Some(_) => Box::pin(upstream.send_upgrade(request, inspect))
            .await
            .map(|head| Answered { head, lease: None }),
    };
    let Answered { mut head, lease } = match answered {
        Ok(answered) => answered,
        Err(error) => {
            return Err(proof.and_then(Proof::into_refusal).unwrap_or_else(|| error.into()));
        }
    };
    let took = started.elapsed();
    let has_body = framing::has_body(method.as_str(), &head);
    framing::state_length(head.headers_mut(), has_body)?;
    Ok(Answer::Streamed { head, kept: (keep, lease), took, socket })
}

/// An answer whose body broke before anything of it was passed on.
fn broken(error: &StreamError) -> Refusal {
    Refusal::new(Code::UpstreamClosed, format!("the upstream's answer broke off: {error}"))
}

/// What a scheme has made, as an answer.
fn made(edits: Edits, mut record: Box<Record>) -> Response<Reply> {
    let mut response = Response::new(());
    let body = edits.apply(response.headers_mut()).unwrap_or_default();
    record.heard(&body);
    record.answered(response.status().as_u16());
    response.map(|()| Reply::whole(body, Some(record)))
}

/// The refusal as an answer. Whatever is left of the request's body is not read.
pub fn refuse(refusal: Refusal, mut record: Box<Record>) -> Response<Reply> {
    let (code, logged) = (refusal.code.name(), refusal.logged());
    let route = record.route().map(|route| &**route);
    let response = refusal.into_response(route, record.id());
    record.refused(code, response.status().as_u16(), logged);
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
