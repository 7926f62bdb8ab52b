//! The pool: for each host that is named, the connections that wait for requests and the requests
//! that wait for a connection.
//!
//! HTTP/1.1 connections are lent to one request at a time, the last one used first, so that those
//! that are not needed grow old and are closed. HTTP/2 connections are shared; another is opened
//! when each has as many streams as its upstream takes, or is silent while a request waits. As long
//! as it is not known which of the two an upstream speaks, one connection is opened, and whoever
//! comes meanwhile waits for it.
//!
//! hyper-util has such parts too (`client::pool`), without bounds on what is idle or how long, and
//! as layers whose types have no names: more code to hold together than this is.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connection::{Home, Http1, Http2, Unanswered, origin_form};
use super::connector::Connector;
use super::error::ConnectFailure;
use super::explain::explain;
use super::stream::Line;
use crate::body::{Lease, Upload};

/// How many connections are kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Unused ones for each host; none are kept, or shared, where this is 0.
    pub(super) idle_connections: usize,
    /// An unused one is closed after this.
    pub(super) idle: Duration,
    /// An older one gets no new requests: the name may lead elsewhere by then.
    pub(super) max_age: Duration,
}

impl Limits {
    fn is_young(&self, line: &Line, now: Instant) -> bool {
        now.duration_since(line.born()) < self.max_age
    }
}

/// Connections to every host that requests name.
#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    limits: Limits,
    places: Arc<Mutex<Places>>,
}

#[derive(Debug, Default)]
struct Places {
    /// Over TLS, and in the clear; by authority. Compared, not hashed: there are few, and the library
    /// hashes an authority letter by letter.
    by_name: [BTreeMap<Box<str>, Arc<HostConnections>>; 2],
    /// Whether the task runs that closes what is not used.
    swept: bool,
}

impl Pool {
    pub(super) fn new(connector: Connector, limits: Limits) -> Self {
        Self { connector, limits, places: Arc::default() }
    }

    /// How many connections wait for requests, or are shared by them.
    pub(super) fn kept(&self) -> usize {
        let places: Vec<_> = lock(&self.places).all().map(Arc::clone).collect();
        let kept = |place: &Arc<HostConnections>| {
            let state = lock(&place.state);
            state.idle.len() + state.shared.len()
        };
        places.iter().map(kept).sum()
    }

    /// Where requests for `uri` find their connections.
    ///
    /// # Errors
    ///
    /// When it is no absolute one.
    pub(super) fn place(&self, uri: &Uri) -> Option<Arc<HostConnections>> {
        let (scheme, authority) = (uri.scheme()?, uri.authority()?);
        let over = usize::from(*scheme != Scheme::HTTPS);
        let mut places = lock(&self.places);
        if let Some(place) = places.by_name[over].get(authority.as_str()) {
            return Some(Arc::clone(place));
        }
        let place = Arc::new_cyclic(|own| HostConnections {
            own: Weak::clone(own),
            uri: root(scheme, authority),
            connector: self.connector.clone(),
            limits: self.limits,
            state: Mutex::default(),
        });
        places.by_name[over].insert(authority.as_str().into(), Arc::clone(&place));
        if !mem::replace(&mut places.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.places), self.limits.idle));
        }
        Some(place)
    }
}

/// Closes what is not used any more, until there is nothing left.
async fn sweep(places: Weak<Mutex<Places>>, every: Duration) {
    loop {
        tokio::time::sleep(every.max(Duration::from_millis(100))).await;
        let Some(places) = places.upgrade() else { return };
        let mut places = lock(&places);
        places.by_name.iter_mut().for_each(|own| own.retain(|_, place| place.sweep()));
        if places.all().next().is_none() {
            places.swept = false;
            return;
        }
    }
}

impl Places {
    fn all(&self) -> impl Iterator<Item = &Arc<HostConnections>> {
        self.by_name.iter().flat_map(BTreeMap::values)
    }
}

/// The root of a host, for those who dial it.
fn root(scheme: &Scheme, authority: &Authority) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme.clone());
    parts.authority = Some(authority.clone());
    parts.path_and_query = Some(PathAndQuery::from_static("/"));
    Uri::from_parts(parts).expect("a scheme, an authority and a path make a URI")
}

/// The connections to one host.
#[derive(Debug)]
pub(super) struct HostConnections {
    own: Weak<Self>,
    uri: Uri,
    connector: Connector,
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// HTTP/1.1 connections without a request, and since when; the last used at the end.
    idle: Vec<(Instant, Http1)>,
    /// HTTP/2 connections, and when each was last given a request.
    shared: Vec<(Instant, Http2)>,
    waiting: VecDeque<oneshot::Sender<Result<Lent, ConnectFailure>>>,
    /// How many connections are being opened.
    opening: usize,
    /// Whether each request has a connection of its own; as long as that is not known, one shows.
    one_each: bool,
}

/// A connection for one request.
#[derive(Debug)]
pub(super) struct Lent {
    pub(super) connection: Connection,
    /// Whether it was lent before.
    pub(super) used: bool,
}

/// A connection that a request can be sent on.
#[derive(Debug)]
pub(super) enum Connection {
    Http1(Http1),
    Http2(Http2, Lease),
}

impl Lent {
    pub(super) fn line(&self) -> &Line {
        match &self.connection {
            Connection::Http1(http1) => http1.line(),
            Connection::Http2(http2, _) => http2.line(),
        }
    }

    /// Gives a request the target that its protocol has.
    pub(super) fn address(&self, request: &mut Request<Upload>) {
        if let Connection::Http1(_) = self.connection {
            origin_form(request.uri_mut());
        }
    }

    /// Sends a request and waits for the response head. The lease is to live as long as the
    /// answer.
    pub(super) async fn send(
        self,
        request: Box<Request<Upload>>,
    ) -> Result<(Response<Incoming>, Option<Lease>), Box<Unanswered>> {
        match self.connection {
            Connection::Http1(http1) => Ok((http1.send(request).await?, None)),
            Connection::Http2(http2, lease) => Ok((http2.send(request).await?, Some(lease))),
        }
    }
}

impl HostConnections {
    /// A connection: one that is there, or else the first that comes, back from another request
    /// or newly opened.
    ///
    /// # Errors
    ///
    /// When none could be opened.
    pub(super) async fn connection(&self) -> Result<Lent, ConnectFailure> {
        let coming = {
            let mut state = lock(&self.state);
            if let Some(lent) = state.take(&self.limits) {
                return Ok(lent);
            }
            let (sender, coming) = oneshot::channel();
            state.waiting.push_back(sender);
            self.open_more(&mut state);
            coming
        };
        coming.await.expect("whoever opens connections tells those who wait")
    }

    /// Opens as many connections as are wanted. They are opened for whoever waits when they are
    /// there, and do not end with the request that wanted them.
    fn open_more(&self, state: &mut State) {
        let wanted = if state.one_each || self.limits.idle_connections == 0 {
            state.waiting.len()
        } else {
            state.waiting.len().min(1)
        };
        for _ in state.opening..wanted {
            state.opening += 1;
            let (place, connector) = (Weak::clone(&self.own), self.connector.clone());
            let uri = self.uri.clone();
            let known = state.shared.iter().map(|(_, http2)| http2.limit()).min();
            // Who takes none on one connection, as before its end, may on another: a first request
            // shows.
            let streams = known.unwrap_or(FIRST_STREAMS).clamp(1, FIRST_STREAMS);
            tokio::spawn(async move {
                let opened = open(connector, uri, place.clone(), streams).await;
                if let Some(place) = place.upgrade() {
                    place.opened(opened);
                }
            });
        }
    }

    fn opened(&self, opened: Result<Opened, ConnectFailure>) {
        let mut state = lock(&self.state);
        state.opening -= 1;
        match opened {
            Ok(Opened::Http1(http1)) => {
                state.one_each = true;
                state.hand_out(
                    Lent { connection: Connection::Http1(http1), used: false },
                    &self.limits,
                );
            }
            Ok(Opened::Http2(http2)) => {
                state.one_each = false;
                state.share_out(http2, &self.limits);
            }
            Err(failure) => state.fail(&failure),
        }
        self.open_more(&mut state);
    }

    /// Closes what is not used any more, and says whether anything is left.
    fn sweep(self: &Arc<Self>) -> bool {
        let mut state = lock(&self.state);
        let now = Instant::now();
        let kept = |since: Instant| now.duration_since(since) < self.limits.idle;
        let young = |line: &Line| self.limits.is_young(line, now);
        state.idle.retain(|(since, http1)| kept(*since) && http1.is_open() && young(http1.line()));
        state.shared.retain(|(last, http2)| {
            (kept(*last) || http2.streams() > 0) && http2.is_open() && young(http2.line())
        });
        let used = Arc::strong_count(self) > 1 || Arc::weak_count(self) > 1;
        used || !state.idle.is_empty() || !state.shared.is_empty()
    }
}

impl Home for HostConnections {
    fn put_back(&self, http1: Http1) {
        let lent = Lent { connection: Connection::Http1(http1), used: true };
        lock(&self.state).hand_out(lent, &self.limits);
    }

    fn forget_closed(&self) {
        lock(&self.state).shared.retain(|(_, http2)| http2.is_open());
    }
}

impl State {
    /// A connection that is there.
    fn take(&mut self, limits: &Limits) -> Option<Lent> {
        let now = Instant::now();
        self.shared.retain(|(_, http2)| http2.is_open() && limits.is_young(http2.line(), now));
        let usable = |http2: &Http2| http2.has_room() && !http2.line().is_suspect();
        if let Some((last, http2)) = self.shared.iter_mut().find(|(_, http2)| usable(http2)) {
            *last = now;
            let (http2, lease) = http2.share();
            return Some(Lent { connection: Connection::Http2(http2, lease), used: true });
        }
        while let Some((since, http1)) = self.idle.pop() {
            if now.duration_since(since) >= limits.idle {
                // Those below have waited longer.
                self.idle.clear();
            } else if http1.is_open() && limits.is_young(http1.line(), now) {
                return Some(Lent { connection: Connection::Http1(http1), used: true });
            }
        }
        None
    }

    /// Gives a connection to who has waited longest, or keeps it.
    fn hand_out(&mut self, mut lent: Lent, limits: &Limits) {
        let now = Instant::now();
        if lent.used && !limits.is_young(lent.line(), now) {
            return;
        }
        while let Some(waiting) = self.waiting.pop_front() {
            match waiting.send(Ok(lent)) {
                Ok(()) => return,
                // It does not wait any more.
                Err(Ok(back)) => lent = back,
                Err(Err(_)) => return,
            }
        }
        let Connection::Http1(http1) = lent.connection else { return };
        // Whoever wanted a new one has left, or got another: one in hand is enough.
        let spare = !lent.used && !self.idle.is_empty();
        if limits.idle_connections == 0 || spare {
            return;
        }
        if self.idle.len() >= limits.idle_connections {
            self.idle.remove(0);
        }
        self.idle.push((now, http1));
    }

    /// Gives shares of a new connection to those who wait, as far as it goes, and to one at least:
    /// who takes no streams must not be called again and again.
    fn share_out(&mut self, http2: Http2, limits: &Limits) {
        let mut used = false;
        while !used || http2.has_room() {
            let Some(waiting) = self.waiting.pop_front() else { break };
            let (own, lease) = http2.share();
            let lent = Lent { connection: Connection::Http2(own, lease), used };
            used |= waiting.send(Ok(lent)).is_ok();
            if used && limits.idle_connections == 0 {
                return;
            }
        }
        self.shared.push((Instant::now(), http2));
    }

    /// Tells those who wait for nothing any more.
    fn fail(&mut self, failure: &ConnectFailure) {
        while self.waiting.len() > self.opening {
            let Some(waiting) = self.waiting.pop_front() else { return };
            drop(waiting.send(Err(failure.clone())));
        }
    }
}

/// A connection that was just opened.
enum Opened {
    Http1(Http1),
    Http2(Http2),
}

async fn open(
    connector: Connector,
    uri: Uri,
    place: Weak<dyn Home>,
    streams: usize,
) -> Result<Opened, ConnectFailure> {
    let stream = connector.open(uri.clone()).await?;
    let line = stream.line().clone();
    tracing::debug!(upstream = %uri, http2 = line.is_h2(), "connected");
    let begun = if line.is_h2() {
        Http2::begin(stream, place, streams).await.map(Opened::Http2)
    } else {
        Http1::begin(stream, place).await.map(Opened::Http1)
    };
    begun.map_err(|error| {
        let (phase, reason) = explain(&error, &line, true);
        ConnectFailure { phase, reason }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Streams at a time on the first connection, until the upstream has said how many it takes (RFC
/// 9113, section 6.5.2, recommends no fewer).
const FIRST_STREAMS: usize = 100;
