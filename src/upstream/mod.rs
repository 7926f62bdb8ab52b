//! Where requests go: HTTP/2 or HTTP/1.1, whichever the upstream chooses, over a pool of
//! connections for each distinct set of connection settings.
//!
//! **What is dialled is the upstream's, what is named is the request's.** The authority of a
//! request's URI is its `Host`, which is what HTTP/2 sends as `:authority` and what schemes sign;
//! an upstream with a `url` dials that, whatever the URI says. So the pool has a place for each
//! host that is named. The `Host` field stays beside an equal `:authority`, as RFC 9113 (section
//! 8.3.1) lets whoever translates: the client does not say which version it is going to speak.
//!
//! **Nothing is ever repeated** once any of it could have been processed. The client's own retry
//! covers a request that never left the queue of a pooled connection which had closed meanwhile:
//! hyper hands such a request back whole, over HTTP/1.1 and HTTP/2 alike, and only such. One that
//! was given to the HTTP/2 library is never handed back, not even when the upstream says that it
//! did not process it (`REFUSED_STREAM`, or a GOAWAY below its stream): that could be sent again
//! by the letter of RFC 9113, section 8.7, but is left to the program, with the upstream's words.
//! The first request on a new connection is never retried, and an upgrade's connection is always
//! new.
//!
//! **Nothing waits for ever.** Connecting has a deadline, the response head has one that counts
//! from the end of the upload, and an upload that the upstream does not take has one of its own:
//! an HTTP/2 stream without window does not stop the connection, so no write shows it. When the
//! answer has begun already, the stream cannot be ended alone, for the client library waits for
//! its window and listens to nobody. The whole connection is ended then, and what else is under
//! way on it with it.
//!
//! Before the first connection has shown that the upstream speaks HTTP/2, every request opens one;
//! all but one of them are closed again as soon as that is known.

mod certificate;
mod connector;
mod dial;
mod error;
mod handshake;
mod race;
mod settings;
mod stream;
mod trust;
mod via;

use std::sync::Arc;
use std::time::Duration;

pub use certificate::Fault;
pub use dial::Dialer;
pub use error::{ForwardError, Phase};
pub use handshake::Handshake;
use http::header::UPGRADE;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
pub use settings::{ClientCertificate, Fingerprint, Origin, Place, Settings, Via};
use tokio::sync::oneshot;
pub(crate) use trust::{
    Identity, Trust, config as tls, only as trust_only, public as trust_public,
};
pub(crate) use via::authorization;

use self::connector::Connector;
use self::stream::{Line, Refusal};
use crate::body::{Progress, Upload};

/// A pool of connections.
#[derive(Debug)]
pub struct Upstream {
    /// What it was made from.
    pub settings: Settings,
    connector: Connector,
    client: Client<Connector, Upload>,
    /// For what only HTTP/1.1 can do. It keeps no connections.
    upgrading: Client<Connector, Upload>,
}

impl Upstream {
    /// A pool without connections yet.
    ///
    /// `authorization` is what the proxy of `settings.via` wants to hear.
    ///
    /// # Errors
    ///
    /// When `server_name` cannot be a certificate's name.
    pub fn new(
        settings: Settings,
        tls: Arc<ClientConfig>,
        authorization: Option<HeaderValue>,
        dialer: Dialer,
    ) -> Result<Self, String> {
        let server_name = settings.server_name.clone().map(ServerName::try_from).transpose();
        let server_name = server_name.map_err(|_| "cannot be a certificate's name".to_owned())?;
        let via = settings.via.as_ref().map(|via| (via.place.clone(), authorization));
        let connector = Connector {
            tls,
            place: settings.dial.clone(),
            via,
            server_name,
            connect: settings.connect,
            stall: settings.stall,
            dialer,
            refusal: Refusal::default(),
        };
        let client = builder(&settings).build(connector.clone());
        let http_1_1 = Connector { tls: trust::only_http_1_1(&connector.tls), ..connector.clone() };
        let upgrading = builder(&settings).pool_max_idle_per_host(0).build(http_1_1);
        Ok(Self { settings, connector, client, upgrading })
    }

    /// Sends a request and waits for the response head.
    ///
    /// `uploaded` resolves when a streamed body is over; the time for the head counts from then.
    ///
    /// # Errors
    ///
    /// By phase; after [`Phase::ConnectTimeout`] and before, nothing was sent. An answer that
    /// switches protocols, which nobody asked for, is [`Phase::Protocol`].
    pub async fn send(
        &self,
        request: Request<Upload>,
        uploaded: Option<oneshot::Receiver<()>>,
    ) -> Result<Response<Incoming>, ForwardError> {
        let uri = request.uri().clone();
        let progress = request.body().progress();
        let mut answer = self.exchange(&self.client, request, uploaded).await?;
        if answer.status().as_u16() == SWITCHING_PROTOCOLS {
            let upstream = self.describe(&uri);
            let reason = "it switches protocols, which it was not asked to".to_owned();
            return Err(ForwardError { upstream, phase: Phase::Protocol, reason });
        }
        let line = answer.extensions_mut().remove::<Line>().filter(Line::is_h2);
        if let (Some(line), Some(progress)) = (line, progress.filter(|p| !p.is_over())) {
            tokio::spawn(watch(progress, line, self.settings.stall));
        }
        Ok(answer)
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
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, ForwardError> {
        let upstream = self.describe(request.uri());
        let asked = request.headers().get(UPGRADE).cloned();
        let mut answer = self.exchange(&self.upgrading, request, None).await?;
        answer.extensions_mut().remove::<Line>();
        let switches = answer.status().as_u16() == SWITCHING_PROTOCOLS;
        if switches && !is_same_protocol(answer.headers().get(UPGRADE), asked.as_ref()) {
            let reason = "it switches to another protocol than it was asked to".to_owned();
            return Err(ForwardError { upstream, phase: Phase::Protocol, reason });
        }
        Ok(answer)
    }

    async fn exchange(
        &self,
        client: &Client<Connector, Upload>,
        request: Request<Upload>,
        uploaded: Option<oneshot::Receiver<()>>,
    ) -> Result<Response<Incoming>, ForwardError> {
        // Described only when something fails: that takes longer than finding a connection.
        let uri = request.uri().clone();
        let failed =
            |phase, reason| Err(ForwardError { upstream: self.describe(&uri), phase, reason });
        let progress = request.body().progress();
        let limit = self.settings.response_head;
        let late = async {
            if let Some(uploaded) = uploaded {
                // A dropped sender says the same: the body is over.
                let _over = uploaded.await;
            }
            tokio::time::sleep(limit).await;
        };
        // Before the connection is there, nothing can be taken.
        let patience = self.settings.stall.max(self.settings.connect);
        let stuck = async {
            match &progress {
                Some(progress) => progress.stuck(patience).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            answer = client.request(request) => {
                let refusal = &self.connector.refusal;
                match answer {
                    Ok(answer) => {
                        refusal.forget();
                        Ok(answer)
                    }
                    Err(error) => {
                        let (phase, reason) = error::explain(&error, refusal.get());
                        failed(phase, reason)
                    }
                }
            }
            () = late => failed(Phase::ResponseTimeout, format!("{limit:?}")),
            () = stuck => failed(Phase::Stalled, format!("nothing for {patience:?}")),
        }
    }

    /// What is dialled, for messages.
    fn describe(&self, uri: &Uri) -> String {
        let place = self.connector.place(uri).url(uri.scheme_str().unwrap_or("http"));
        match &self.settings.via {
            None => place,
            Some(via) => format!("{place} through {}", via.place.url("http")),
        }
    }
}

/// Whether an answer switches to what was asked for (RFC 9110, section 7.8).
fn is_same_protocol(answer: Option<&HeaderValue>, asked: Option<&HeaderValue>) -> bool {
    let (Some(answer), Some(asked)) = (answer, asked) else { return false };
    answer.as_bytes().eq_ignore_ascii_case(asked.as_bytes())
}

/// Ends the connection of an upload that is neither taken nor refused.
async fn watch(progress: Progress, line: Line, stall: Duration) {
    tokio::select! {
        () = progress.ended() => {}
        () = progress.stuck(stall) => line.end(),
    }
}

/// How both clients are built.
///
/// Windows are fixed: one client that does not read its answer must not stop the others on the
/// same connection, so a connection's window is that of many streams, and what a connection may
/// hold in memory is bounded by it.
fn builder(settings: &Settings) -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(settings.idle)
        .pool_max_idle_per_host(settings.idle_connections)
        .set_host(false)
        .http1_max_buf_size(BUFFER)
        .http1_max_headers(FIELDS)
        // As RFC 9112, section 5.1 asks of a proxy: the name is read and passed on without it.
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(STREAM_WINDOW * UNREAD_STREAMS)
        .http2_max_header_list_size(HEADER_LIST)
        .http2_max_send_buf_size(SEND_BUFFER)
        .http2_max_concurrent_reset_streams(RESET_STREAMS)
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PONG)
        .http2_keep_alive_while_idle(false);
    builder
}

/// What a connection may buffer, a response head included.
const BUFFER: usize = 64 * 1024;
/// The same for HTTP/2, where it is counted unpacked.
const HEADER_LIST: u32 = 64 * 1024;
/// Fields of a response head in HTTP/1.1, and of what stands behind a body.
const FIELDS: usize = 256;
/// What may be on its way to one client that does not read, in bytes.
const STREAM_WINDOW: u32 = 512 * 1024;
/// So many clients may not read before the others on their connection wait.
const UNREAD_STREAMS: u32 = 32;
/// What an upload may be ahead of the network, in bytes.
const SEND_BUFFER: usize = 256 * 1024;
/// Cancelled requests whose last frames are still expected.
const RESET_STREAMS: usize = 64;
/// A connection in use that is silent for this long is asked whether it lives…
const PING: Duration = Duration::from_secs(20);
/// …and has this long to say so.
const PONG: Duration = Duration::from_secs(10);
const SWITCHING_PROTOCOLS: u16 = 101;

/// The absolute URI of a target: what is sent as `Host` is its authority. The target is kept to
/// the byte.
///
/// # Errors
///
/// When the parts do not make a URI.
pub fn join(scheme: &Scheme, host: &str, target: &PathAndQuery) -> Result<Uri, http::Error> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme.clone());
    parts.authority = Some(host.parse::<Authority>()?);
    parts.path_and_query = Some(target.clone());
    Ok(Uri::from_parts(parts)?)
}
