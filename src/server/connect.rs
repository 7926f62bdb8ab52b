//! CONNECT: what is inside must be signed where a route names the host; a blind tunnel, where the
//! configuration allows it, for all others.
//!
//! A routed host is never tunnelled blindly. Its client is told 200 and then listened to: what
//! begins like TLS is ended here with a certificate of the local authority, anything else is plain
//! HTTP (RFC 9110, section 9.3.6 leaves open what a tunnel carries; WebSocket clients send plain
//! HTTP through one).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use hyper_util::rt::TokioIo;
use rustls::AlertDescription;
use rustls::server::Acceptor;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::LazyConfigAcceptor;

use super::foreign::PAST;
use super::shared::{Client, Protocol, Shared};
use super::stream::{Lingering, Prefixed};
use crate::body::Reply;
use crate::host::same_host;
use crate::pipeline::{Carried, follow, plain, refuse};
use crate::record::Record;
use crate::request::{Arrival, Connect, Inside, Trail, View};
use crate::snapshot::Snapshot;
use crate::tls::LeafCache;
use crate::tunnel::{HalfClose, relay};
use crate::upstream::{ForwardError, Phase};

/// Answers a CONNECT: 200 and what follows from it, or a refusal.
pub(super) async fn answer(
    arrival: &Arrival<'_>,
    carried: Carried,
    (client, view): (&Client, View<'_>),
    snapshot: &Snapshot,
    shared: &Arc<Shared>,
    mut record: Box<Record>,
) -> Response<Reply> {
    let mut trail = Trail::default();
    let connect = Connect::of(view, arrival, &mut trail);
    follow(&mut record, trail);
    let inside = match connect {
        Ok(Connect::Enter(inside)) => inside,
        Ok(Connect::Tunnel { name, port }) => {
            return tunnel(carried, name, port, snapshot, shared, record).await;
        }
        Err(refusal) => return refuse(refusal, record),
    };
    record.intercepted(200);
    let guest = Guest {
        leaves: snapshot.leaves.clone(),
        limit: snapshot.timeouts.request_head,
        client: client.clone(),
        shared: Arc::clone(shared),
        inside,
    };
    let closing = shared.closing.clone();
    shared.tasks.spawn(async move {
        tokio::select! {
            () = guest.receive(carried, record) => {}
            () = closing.cancelled() => {}
        }
    });
    plain("")
}

/// A blind tunnel. The target is reached before the 200.
async fn tunnel(
    carried: Carried,
    name: String,
    port: u16,
    snapshot: &Snapshot,
    shared: &Shared,
    mut record: Box<Record>,
) -> Response<Reply> {
    let slot = match shared.pipeline.tunnel(&record) {
        Ok(slot) => slot,
        Err(refusal) => return refuse(refusal, record),
    };
    let limit = snapshot.timeouts.connect;
    let dialler = &shared.surroundings.dialer;
    let dialled = dialler.dial(&name, port, &snapshot.passing().settings.reach);
    let dialled = tokio::time::timeout(limit, dialled).await;
    let upstream = format!("{name}:{port}");
    let mut server = match dialled {
        Ok(Ok(server)) => server,
        Ok(Err(failure)) => {
            let (phase, reason) = failure.into_parts();
            return refuse(ForwardError { upstream, phase, reason }.into(), record);
        }
        Err(_) => {
            let (phase, reason) = (Phase::ConnectTimeout, format!("{limit:?}"));
            return refuse(ForwardError { upstream, phase, reason }.into(), record);
        }
    };
    let idle = snapshot.timeouts.tunnel_idle;
    record.answered(200);
    slot.run(async move {
        let Some((mut client, first)) = opened(carried).await else { return };
        client.end_by_closing();
        // What the client sent without waiting for the 200.
        let begun = tokio::time::timeout(idle, server.write_all(&first)).await;
        if matches!(begun, Ok(Ok(()))) {
            record.sent(relay(client, server, idle, HalfClose::Allowed).await);
        }
    });
    plain("")
}

/// The client's end of the tunnel, and what has been read of it already.
async fn opened(carried: Carried) -> Option<(Lingering, Bytes)> {
    let upgraded = carried.upgrade?.await.ok()?;
    let parts = upgraded.downcast::<TokioIo<Lingering>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}

/// A client whose CONNECT was answered, and what it may find here.
struct Guest {
    leaves: Option<Arc<LeafCache>>,
    /// From the first byte to the end of the handshake.
    limit: Duration,
    client: Client,
    shared: Arc<Shared>,
    inside: Inside,
}

impl Guest {
    /// Looks at the first byte, ends TLS if that is what it is, and converses.
    async fn receive(self, carried: Carried, mut record: Box<Record>) {
        let Some((stream, first)) = opened(carried).await else { return };
        let stream = Prefixed::new(first, stream);
        let spoken = tokio::time::timeout(FIRST_BYTE.min(self.limit), stream.first_byte()).await;
        let (first, stream) = match spoken.unwrap_or_else(|_| Err(silent(&self.inside.name))) {
            Ok(spoken) => spoken,
            Err(error) => return record.cut(&error),
        };
        // Boxed, so that what a handshake needs is gone when it is over.
        let greeted = tokio::time::timeout(self.limit, Box::pin(self.greet(first, stream))).await;
        let greeted = greeted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let Self { client, shared, inside, .. } = self;
        match greeted {
            Ok(Greeted::Plain(stream)) => {
                drop(record);
                let client = client.inside(inside);
                (shared.converse)(Box::new(stream), Protocol::Either, client, Arc::clone(&shared))
                    .await;
            }
            Ok(Greeted::Tls(stream)) => {
                drop(record);
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
                let client = client.inside(Inside { https: true, ..inside });
                (shared.converse)(stream, protocol, client, Arc::clone(&shared)).await;
            }
            Err(error) => record.cut(&error),
        }
    }

    async fn greet(&self, first: u8, stream: Prefixed<Lingering>) -> io::Result<Greeted> {
        if first != HANDSHAKE {
            return Ok(Greeted::Plain(stream));
        }
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let Some(leaves) = &self.leaves else {
            let what = "TLS inside a CONNECT, and there is no [intercept]".to_owned();
            return Err(refused(hello.io, INTERNAL_ERROR, what).await);
        };
        let named = hello.client_hello().server_name().map(str::to_owned);
        // Addresses are not sent (RFC 6066, section 3), and some clients send no name at all.
        if let Some(named) = named.filter(|named| !same_host(&self.inside.name, named)) {
            let what = format!("the TLS inside is for {}", named.escape_debug());
            return Err(refused(hello.io, UNRECOGNIZED_NAME, what).await);
        }
        let config = leaves.config_for(&self.inside.name).await.map_err(io::Error::other)?;
        let stream = hello
            .into_stream(config)
            .await
            .map_err(|error| distrusted(&self.inside.name, error))?;
        Ok(Greeted::Tls(Box::new(stream)))
    }
}

enum Greeted {
    Plain(Prefixed<Lingering>),
    Tls(Box<tokio_rustls::server::TlsStream<Prefixed<Lingering>>>),
}

/// How every TLS connection begins (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// Alerts (RFC 8446, section 6; RFC 6066, section 3).
const INTERNAL_ERROR: u8 = 80;
const UNRECOGNIZED_NAME: u8 = 112;

/// How long a tunnel may be silent before its client says what it carries. Those of TLS and HTTP
/// speak at once; who waits does so for a server that speaks first, and would wait for ever.
const FIRST_BYTE: Duration = Duration::from_secs(5);

fn silent(host: &str) -> io::Error {
    let what = "the client waits in its tunnel, as for a server that speaks first (SMTP, FTP)";
    tracing::warn!(host, fix = PAST, "{what}");
    io::Error::new(io::ErrorKind::TimedOut, what)
}

/// Says of a client that ended TLS over our certificate what it lacks. Loudly: the client itself
/// says little, and no request will tell of it.
///
/// Some send an alert; Node and Java's newer client just close, in the middle of the handshake.
fn distrusted(host: &str, error: io::Error) -> io::Error {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    let how = match cause {
        Some(rustls::Error::AlertReceived(alert)) if ABOUT_CERTIFICATES.contains(alert) => {
            format!("the client refused our certificate ({alert:?})")
        }
        None if has_left(&error) => "the client left when it saw our certificate".to_owned(),
        _ => return error,
    };
    let what = format!("{how}: does it trust the CA?");
    tracing::warn!(host, fix = "countersign ca export --help, or countersign exec", "{what}");
    io::Error::other(what)
}

/// The same of one whose handshake was over, who then left before it said anything: some look at
/// the certificate only then. One that closes in order, or later, may have had another reason.
pub(super) fn left(client: &Client, error: io::Error, after: Duration) -> io::Error {
    let inside = client.inside.as_ref().filter(|inside| inside.https);
    let alert = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    match inside {
        Some(inside) if alert || after < PROMPTLY => distrusted(&inside.name, error),
        _ => error,
    }
}

fn has_left(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof].contains(&error.kind())
}

/// How soon a client leaves that has looked at the certificate.
const PROMPTLY: Duration = Duration::from_secs(1);
/// RFC 8446, section 6.2. The last is what a client says that trusts an earlier CA of the same name.
const ABOUT_CERTIFICATES: [AlertDescription; 7] = [
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::DecryptError,
];

/// Ends a handshake that was not yet answered, with a record that holds a fatal alert.
async fn refused(mut stream: Prefixed<Lingering>, alert: u8, what: String) -> io::Error {
    let told = stream.write_all(&[21, 3, 3, 0, 2, 2, alert]).await;
    match told.and(stream.shutdown().await) {
        Ok(()) => io::Error::other(what),
        Err(error) => error,
    }
}
