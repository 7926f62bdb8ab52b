//! Where requests go: HTTP/2 or HTTP/1.1, whichever the upstream chooses, over a pool of
//! connections for each distinct set of connection settings.
//!
//! **What is dialled is the upstream's, what is named is the request's.** The authority of a
//! request's URI is its `Host`, which is what HTTP/2 sends as `:authority` and what schemes sign;
//! an upstream with a `url` dials that, whatever the URI says. So the pool has a place for each
//! host that is named.
//!
//! **Nothing is ever repeated** once any of it could have been processed. What is retried here is
//! a request that never left the queue of a pooled connection which had closed meanwhile: hyper
//! hands such a request back whole, over HTTP/1.1 and HTTP/2 alike, and only such. The first
//! request on a new connection is never retried, and an upgrade's connection is always new. What
//! was given to the HTTP/2 library and left unprocessed by the upstream's own word
//! (`REFUSED_STREAM`, or a GOAWAY below its stream: RFC 9113, section 8.7) is for the pipeline to
//! sign anew: it is told so, and the connection gets no other request.
//!
//! **Nothing waits for ever.** Connecting has a deadline, the response head has one that counts
//! from the end of the upload, and an upload that the upstream does not take has one of its own:
//! an HTTP/2 stream without window does not stop the connection, so no write shows it. When the
//! answer has begun already, the stream cannot be ended alone, for the client library waits for
//! its window and listens to nobody. The whole connection is ended then, and what else is under
//! way on it with it.
//!
//! **A connection that is dead gets no more requests.** One that is silent for a second while a
//! request waits is sent a PING, and gets no new requests until something is heard; one on which
//! a request waited in vain gets none at all. What is under way there has its own deadlines, and
//! hyper's PINGs, after twenty seconds of silence and ten without an answer, end it.

mod certificate;
mod connection;
mod connector;
mod dial;
mod error;
mod explain;
mod handshake;
mod local;
mod pool;
mod race;
mod reach;
mod settings;
mod spelling;
mod stream;
mod trust;
mod via;

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use certificate::CertificateFault;
pub use dial::Dialer;
pub use error::{ForwardError, Handshake, Hop, Phase};
use http::header::UPGRADE;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
pub use local::LocalSocket;
pub use reach::Reach;
pub(crate) use reach::{SPECIAL, Special};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
pub use settings::{
    ClientCertificate, Dial, Fingerprint, HostPort, ParentProxySettings, Protocol, Settings,
};
pub use spelling::Documented;
use tokio::sync::oneshot;
use tokio::time::Instant;
pub(crate) use trust::{
    Identity, Trust, config as tls, only as trust_only, public as trust_public, remedy,
    tls_with_proxy,
};
pub(crate) use via::{Choice, Credentials};
pub use via::{Environment, Proxy, Through};

use self::connector::Connector;
use self::error::ConnectFailure;
use self::pool::{Limits, Pool};
use self::stream::{LateAlert, Line};
use crate::body::{Lease, Progress, Upload};
use crate::cores::current_core;
use crate::problem::Problem;

/// An answer, and what is to be kept until its end.
#[derive(Debug)]
pub struct Answered {
    /// The head, with the body to come.
    pub head: Response<Incoming>,
    /// Its place on a shared connection.
    pub lease: Option<Lease>,
}

/// Looks at a request as it is handed to the HTTP library; `false` keeps it from being sent.
pub type Inspect<'a> = &'a (dyn Fn(&Request<Upload>) -> bool + Sync + 'a);

/// The connection that a request is on.
type On = Mutex<Option<Line>>;

/// How far a request came, and what was found there.
type Failure = (Phase, String);

/// A pool of connections.
#[derive(Debug)]
pub struct Upstream {
    /// What it was made from.
    pub settings: Settings,
    /// One for each core, so that what waits for an answer is woken by nobody else.
    pools: Box<[Pool]>,
    /// For what only HTTP/1.1 can do, on connections that are not kept.
    http_1_1: Connector,
    /// Whether the last answer came over HTTP/2, or none did.
    shares: AtomicBool,
}

impl Upstream {
    /// A pool without connections yet.
    ///
    /// `through` is how `settings.via` is reached. Each of `cores` keeps connections of its own.
    ///
    /// # Errors
    ///
    /// When `server_name` cannot be a certificate's name.
    pub fn new(
        settings: Settings,
        tls: Arc<ClientConfig>,
        through: Through,
        dialer: Dialer,
        cores: usize,
    ) -> Result<Self, Problem> {
        let server_name = settings.server_name.clone().map(ServerName::try_from).transpose();
        let server_name = server_name
            .map_err(|_| Problem::new("cannot be a certificate's name", "correct server_name"))?;
        let connector = Connector {
            tls,
            dial: settings.dial.clone(),
            reach: settings.reach.clone(),
            through,
            server_name,
            connect: settings.connect,
            stall: settings.stall,
            dialer,
            refusal: LateAlert::default(),
        };
        let http_1_1 = Connector { tls: trust::only_http_1_1(&connector.tls), ..connector.clone() };
        let limits = Limits {
            // So many in all, and none for each only where none are to be kept.
            idle_connections: settings.idle_connections.div_ceil(cores),
            idle: settings.idle,
            max_age: settings.max_age,
        };
        Ok(Self {
            settings,
            pools: (0..cores).map(|_| Pool::new(connector.clone(), limits)).collect(),
            http_1_1,
            shares: AtomicBool::new(true),
        })
    }

    /// How many connections it keeps for requests.
    pub fn kept(&self) -> usize {
        self.pools.iter().map(Pool::kept).sum()
    }

    /// Whether a request may end in [`Phase::Unprocessed`], which HTTP/1.1 does not know.
    pub fn may_leave_unprocessed(&self) -> bool {
        self.shares.load(Ordering::Relaxed)
    }

    /// Sends a request and waits for the response head.
    ///
    /// `uploaded` resolves when a streamed body is over; the time for the head counts from then.
    /// `inspect` sees the request last.
    ///
    /// # Errors
    ///
    /// By phase; after [`Phase::ConnectTimeout`] and before, nothing was sent. An answer that
    /// switches protocols, which nobody asked for, is [`Phase::Protocol`].
    pub async fn send(
        &self,
        request: Box<Request<Upload>>,
        uploaded: Option<oneshot::Receiver<()>>,
        inspect: Option<Inspect<'_>>,
    ) -> Result<Answered, ForwardError> {
        let uri = request.uri().clone();
        let progress = request.body().progress();
        let on = Mutex::default();
        // Pinned where it is: what is waited for is large, and would be moved twice more.
        let sent = pin!(self.pooled(&uri, request, &on, inspect));
        let (head, lease, line) =
            self.in_time(&uri, sent, progress.as_ref(), uploaded, &on).await?;
        if head.status().as_u16() == SWITCHING_PROTOCOLS {
            let reason = "it switches protocols, which it was not asked to".to_owned();
            return Err(self.failed(&uri, (Phase::Protocol, reason)));
        }
        if let Some(progress) = progress.filter(|p| line.is_h2() && !p.is_over()) {
            tokio::spawn(watch(progress, line, self.settings.stall));
        }
        Ok(Answered { head, lease })
    }

    /// Sends the handshake of an upgrade, on a connection of its own that speaks HTTP/1.1, and
    /// waits for the response head. After 101, `hyper::upgrade::on` has the connection.
    ///
    /// # Errors
    ///
    /// By phase, as in [`Self::send`]; an answer that switches to something else is
    /// [`Phase::Protocol`] too.
    pub async fn send_upgrade(
        &self,
        request: Box<Request<Upload>>,
        inspect: Option<Inspect<'_>>,
    ) -> Result<Response<Incoming>, ForwardError> {
        let uri = request.uri().clone();
        let asked = request.headers().get(UPGRADE).cloned();
        let sent = pin!(self.alone(&uri, request, inspect));
        let answer = self.in_time(&uri, sent, None, None, &Mutex::default()).await?;
        let switches = answer.status().as_u16() == SWITCHING_PROTOCOLS;
        if switches && !is_same_protocol(answer.headers().get(UPGRADE), asked.as_ref()) {
            let reason = "it switches to another protocol than it was asked to".to_owned();
            return Err(self.failed(&uri, (Phase::Protocol, reason)));
        }
        Ok(answer)
    }

    /// Sends a request over the pool. One that comes back whole, because its connection had
    /// closed meanwhile, goes to the next; but not from a new connection.
    async fn pooled(
        &self,
        uri: &Uri,
        mut request: Box<Request<Upload>>,
        on: &On,
        inspect: Option<Inspect<'_>>,
    ) -> Result<(Response<Incoming>, Option<Lease>, Line), Failure> {
        let pool = &self.pools[current_core() % self.pools.len()];
        let Some(place) = pool.place(uri) else {
            return Err((Phase::Connect, "the URL has no host".to_owned()));
        };
        loop {
            let lent = place.connection().await.map_err(ConnectFailure::into_parts)?;
            let (line, used) = (lent.line().clone(), lent.used);
            *lock(on) = Some(line.clone());
            lent.address(&mut request);
            inspected(inspect, &request)?;
            let unanswered = match lent.send(request).await {
                Ok((answer, lease)) => {
                    line.answered();
                    self.shares.store(line.is_h2(), Ordering::Relaxed);
                    return Ok((answer, lease, line));
                }
                Err(unanswered) => *unanswered,
            };
            let unsent = unanswered.request.is_some();
            request = match unanswered.request.filter(|_| used) {
                Some(request) => request,
                None => {
                    let failure = explain::explain(&unanswered.error, &line, unsent);
                    if failure.0 == Phase::Unprocessed {
                        // Also a stream refused alone has come to the wrong connection.
                        line.retire();
                    }
                    return Err(failure);
                }
            };
            *request.uri_mut() = uri.clone();
        }
    }

    async fn alone(
        &self,
        uri: &Uri,
        mut request: Box<Request<Upload>>,
        inspect: Option<Inspect<'_>>,
    ) -> Result<Response<Incoming>, Failure> {
        let opened = self.http_1_1.clone().open(uri.clone()).await;
        let stream = opened.map_err(ConnectFailure::into_parts)?;
        let line = stream.line().clone();
        connection::origin_form(request.uri_mut());
        inspected(inspect, &request)?;
        let answer = connection::send_alone(stream, request).await.map_err(|unanswered| {
            explain::explain(&unanswered.error, &line, unanswered.request.is_some())
        })?;
        line.answered();
        Ok(answer)
    }

    /// Waits for an answer, but not for ever.
    async fn in_time<T>(
        &self,
        uri: &Uri,
        sent: Pin<&mut impl Future<Output = Result<T, Failure>>>,
        progress: Option<&Progress>,
        uploaded: Option<oneshot::Receiver<()>>,
        on: &On,
    ) -> Result<T, ForwardError> {
        let limit = self.settings.response_head;
        let late = async {
            if let Some(uploaded) = uploaded {
                // A dropped sender says the same: the body is over.
                let _over = uploaded.await;
            }
            late(limit, on).await;
        };
        // Before the connection is there, nothing can be taken; and there may be two to wait for,
        // one that shows what the upstream speaks and then an own.
        let patience = self.settings.stall.max(2 * self.settings.connect);
        let stuck = async {
            match progress {
                Some(progress) => progress.stuck(patience).await,
                None => std::future::pending().await,
            }
        };
        let answer = tokio::select! {
            biased;
            answer = sent => answer,
            () = late => Err((Phase::ResponseTimeout, format!("{limit:?}"))),
            () = stuck => Err((Phase::Stalled, format!("nothing for {patience:?}"))),
        };
        answer.map_err(|failure| self.failed(uri, failure))
    }

    /// Described only when something fails: that takes longer than finding a connection.
    fn failed(&self, uri: &Uri, (phase, reason): Failure) -> ForwardError {
        ForwardError { upstream: self.describe(uri), phase, reason }
    }

    /// What is dialled, for messages.
    fn describe(&self, uri: &Uri) -> String {
        if let Some(Dial::Socket(socket)) = &self.settings.dial {
            return socket.to_string();
        }
        let place = self.http_1_1.place(uri);
        let url = place.url(uri.scheme_str().unwrap_or("http"));
        match self.http_1_1.proxy(uri, &place) {
            None => url,
            Some(proxy) => format!("{url} through {proxy}"),
        }
    }
}

/// Asks whether a request may go. Behind this, the names of its headers alone get other letters, and
/// HTTP/2 drops the `Host` that its `:authority` repeats.
fn inspected(inspect: Option<Inspect<'_>>, request: &Request<Upload>) -> Result<(), Failure> {
    match inspect {
        Some(inspect) if !inspect(request) => Err((Phase::Withheld, "it was kept back".to_owned())),
        Some(_) | None => Ok(()),
    }
}

/// Whether an answer switches to what was asked for (RFC 9110, section 7.8).
fn is_same_protocol(answer: Option<&HeaderValue>, asked: Option<&HeaderValue>) -> bool {
    let (Some(answer), Some(asked)) = (answer, asked) else { return false };
    answer.as_bytes().eq_ignore_ascii_case(asked.as_bytes())
}

/// Waits until an answer is late. Meanwhile the connection is looked at now and then: one that is
/// silent is not given other requests, and one that leaves a request without an answer never is.
async fn late(limit: Duration, on: &On) {
    let line = || lock(on).clone();
    let mut now = Instant::now();
    let until = now + limit;
    loop {
        let heard = line().map(|line| line.heard());
        let next = until.min(now + SILENCE);
        tokio::time::sleep_until(next).await;
        match (line(), heard) {
            (Some(line), _) if next == until => line.retire(),
            (Some(line), Some(heard)) => line.suspect(heard),
            _ => {}
        }
        if next == until {
            return;
        }
        now = Instant::now();
    }
}

fn lock(on: &On) -> MutexGuard<'_, Option<Line>> {
    on.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the connection of an upload that is neither taken nor refused.
async fn watch(progress: Progress, line: Line, stall: Duration) {
    tokio::select! {
        () = progress.ended() => {}
        () = progress.stuck(stall) => line.end(),
    }
}

/// A request may wait so long before a connection on which nothing is heard is suspect.
const SILENCE: Duration = Duration::from_secs(1);
const SWITCHING_PROTOCOLS: u16 = 101;
