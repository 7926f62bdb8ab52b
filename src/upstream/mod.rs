//! Where requests go: one pooled HTTP/1.1 client for each distinct set of connection settings.
//!
//! Nothing is ever repeated. The client's own retry covers only a request of which not one byte
//! was written, on a connection that had died in the pool; a signed request is otherwise not
//! ours to send twice.

mod connector;
mod error;
mod trust;

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use connector::OwnAddresses;
pub(crate) use connector::dial;
pub use error::{ForwardError, Phase};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::sync::oneshot;
pub(crate) use trust::{only as trust_only, public as trust_public};

use self::connector::Connector;
use self::error::{ConnectFailure, cause, root};
use crate::body::{StreamError, Upload};

/// Scheme, host and port of an upstream, with the path its targets begin with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// `https` or `http`.
    pub scheme: Scheme,
    /// Host, and port where it is not the scheme's own.
    pub authority: Authority,
    /// Put before every path; no slash at its end.
    pub base_path: String,
}

/// What makes one upstream's connections different from another's. Two with equal settings may
/// share connections; a reload keeps the pools of those that did not change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The PEM text of the authorities to trust; none for the public ones.
    pub ca: Option<Vec<u8>>,
    /// The certificate's name, where it is not the URL's host.
    pub server_name: Option<String>,
    /// How many unused connections are kept for each host.
    pub idle_connections: usize,
    /// Name, TCP and TLS together.
    pub connect: Duration,
    /// From the last byte of the request to the response head.
    pub response_head: Duration,
    /// A write without progress.
    pub stall: Duration,
    /// An unused connection is closed after this.
    pub idle: Duration,
}

/// A pool of connections.
#[derive(Debug)]
pub struct Upstream {
    /// What it was made from.
    pub settings: Settings,
    client: Client<Connector, Upload>,
}

impl Upstream {
    /// A pool without connections yet.
    ///
    /// # Errors
    ///
    /// When `server_name` cannot be a certificate's name.
    pub fn new(
        settings: Settings,
        tls: Arc<ClientConfig>,
        own: OwnAddresses,
    ) -> Result<Self, String> {
        let server_name = settings.server_name.clone().map(ServerName::try_from).transpose();
        let server_name = server_name.map_err(|_| "cannot be a certificate's name".to_owned())?;
        let connector =
            Connector { tls, server_name, connect: settings.connect, stall: settings.stall, own };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle)
            .pool_max_idle_per_host(settings.idle_connections)
            .http1_max_buf_size(BUFFER)
            .set_host(false)
            .build(connector);
        Ok(Self { settings, client })
    }

    /// Sends a request and waits for the response head.
    ///
    /// `uploaded` resolves when a streamed body is over; the time for the head counts from then.
    ///
    /// # Errors
    ///
    /// By phase; after [`Phase::ConnectTimeout`] and before, nothing was sent.
    pub async fn send(
        &self,
        request: Request<Upload>,
        uploaded: Option<oneshot::Receiver<()>>,
    ) -> Result<Response<Incoming>, ForwardError> {
        let upstream = place(request.uri());
        let limit = self.settings.response_head;
        let late = async {
            if let Some(uploaded) = uploaded {
                // A dropped sender says the same: the body is over.
                let _over = uploaded.await;
            }
            tokio::time::sleep(limit).await;
        };
        tokio::select! {
            answer = self.client.request(request) => {
                answer.map_err(|error| explain(&error, upstream))
            }
            () = late => {
                let reason = format!("{limit:?}");
                Err(ForwardError { upstream, phase: Phase::ResponseTimeout, reason })
            }
        }
    }
}

impl Upstream {
    /// Sends a WebSocket handshake and waits for the answer's head.
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub async fn send_upgrade(
        &self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, ForwardError> {
        self.send(request, None).await
    }
}

/// What a connection may buffer, a response head included.
const BUFFER: usize = 64 * 1024;

/// The absolute URI of a target at an origin. The target is kept to the byte.
///
/// # Errors
///
/// When the two do not make a URI, which their types already rule out.
pub fn join(origin: &Origin, target: &PathAndQuery) -> Result<Uri, http::uri::InvalidUriParts> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(origin.scheme.clone());
    parts.authority = Some(origin.authority.clone());
    parts.path_and_query = Some(target.clone());
    Uri::from_parts(parts)
}

/// Scheme, host and port, for messages.
fn place(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    format!("{scheme}://{}", uri.authority().map_or("", Authority::as_str))
}

fn explain(error: &hyper_util::client::legacy::Error, upstream: String) -> ForwardError {
    if let Some(failure) = cause::<ConnectFailure>(error) {
        let ConnectFailure { phase, reason } = failure;
        return ForwardError { upstream, phase: *phase, reason: reason.clone() };
    }
    if let Some(stream) = cause::<StreamError>(error) {
        let (phase, reason) = match stream {
            StreamError::Idle(limit) => (Phase::RequestStalled, format!("{limit:?}")),
            StreamError::Broken(reason) => (Phase::RequestBroken, reason.clone()),
            StreamError::Answered => (Phase::Exchange, stream.to_string()),
        };
        return ForwardError { upstream, phase, reason };
    }
    let parse = cause::<hyper::Error>(error).is_some_and(hyper::Error::is_parse);
    let late = cause::<io::Error>(error).is_some_and(|e| e.kind() == io::ErrorKind::TimedOut);
    let phase = match (parse, late) {
        (true, _) => Phase::Protocol,
        (false, true) => Phase::Stalled,
        (false, false) => Phase::Exchange,
    };
    ForwardError { upstream, phase, reason: error.source().map_or_else(|| error.to_string(), root) }
}
