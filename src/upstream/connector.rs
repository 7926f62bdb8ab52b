//! Makes connections: name, TCP, loop check, TLS, all under one deadline.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::{ConnectFailure, Phase};

/// The proxy's own listening addresses, known once they are bound. A connection to one of them
/// would be a loop.
#[derive(Clone, Debug, Default)]
pub struct OwnAddresses(Arc<OnceLock<Vec<SocketAddr>>>);

impl OwnAddresses {
    /// Told once, after binding.
    pub fn set(&self, addresses: Vec<SocketAddr>) {
        let _already_told = self.0.set(addresses);
    }

    /// Whether a connection that came about between these two addresses ends at ourselves.
    fn include(&self, local: IpAddr, peer: SocketAddr) -> bool {
        let (local, place) = (local.to_canonical(), peer.ip().to_canonical());
        // A listener on every address is reached by any address of this machine. A connection to
        // one's own address comes from that address, or else both are loopback.
        let own_machine = local == place || place.is_loopback();
        self.0.get().is_some_and(|own| {
            own.iter().any(|own| {
                own.port() == peer.port()
                    && (own.ip().to_canonical() == place
                        || own.ip().is_unspecified() && own_machine)
            })
        })
    }
}

/// How connections are made.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) tls: Arc<ClientConfig>,
    /// The certificate's name, where it is not the URL's host.
    pub(super) server_name: Option<ServerName<'static>>,
    pub(super) connect: Duration,
    /// A write that makes no progress for this long ends the connection.
    pub(super) stall: Duration,
    pub(super) own: OwnAddresses,
}

impl Connector {
    /// A connection to the scheme, host and port of `target`.
    pub(super) async fn open(self, target: Uri) -> Result<Stream, ConnectFailure> {
        let limit = self.connect;
        let timeout =
            |_| ConnectFailure { phase: Phase::ConnectTimeout, reason: format!("{limit:?}") };
        tokio::time::timeout(limit, self.steps(target)).await.map_err(timeout)?
    }

    async fn steps(self, target: Uri) -> Result<Stream, ConnectFailure> {
        let https = target.scheme_str() == Some("https");
        let host = target.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let port = target.port_u16().unwrap_or(if https { 443 } else { 80 });
        let tcp = dial(host, port, &self.own).await?;
        let mut tcp = TimeoutWriter::new(tcp);
        tcp.set_timeout(Some(self.stall));
        let tcp = Box::pin(tcp);
        if !https {
            return Ok(Stream::Plain(TokioIo::new(tcp)));
        }
        let failed = |reason: String| ConnectFailure { phase: Phase::Tls, reason };
        let name = match self.server_name {
            Some(name) => name,
            None => ServerName::try_from(host.to_owned())
                .map_err(|_| failed(format!("{host} cannot be a certificate's name")))?,
        };
        let tls = TlsConnector::from(self.tls).connect(name, tcp).await;
        let tls = tls.map_err(|error| failed(error.to_string()))?;
        Ok(Stream::Tls(TokioIo::new(Box::new(tls))))
    }
}

/// A TCP connection to the first address that answers, unless it is ourselves.
pub(crate) async fn dial(
    host: &str,
    port: u16,
    own: &OwnAddresses,
) -> Result<TcpStream, ConnectFailure> {
    let unresolved =
        |error: io::Error| ConnectFailure { phase: Phase::Resolve, reason: error.to_string() };
    let failed =
        |error: io::Error| ConnectFailure { phase: Phase::Connect, reason: error.to_string() };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host((host, port)).await.map_err(unresolved)? {
        let stream = match TcpStream::connect(address).await {
            Ok(stream) => stream,
            Err(error) => {
                last = error;
                continue;
            }
        };
        let local = stream.local_addr().map_err(failed)?;
        // Not the address that was asked for: 0.0.0.0 is one that a connection never has.
        let peer = stream.peer_addr().map_err(failed)?;
        if own.include(local.ip(), peer) {
            return Err(ConnectFailure { phase: Phase::Loop, reason: address.to_string() });
        }
        stream.set_nodelay(true).map_err(failed)?;
        return Ok(stream);
    }
    Err(failed(last))
}

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, ConnectFailure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        Box::pin(self.clone().open(target))
    }
}

type Tcp = Pin<Box<TimeoutWriter<TcpStream>>>;

/// A connection, with TLS or without.
pub(super) enum Stream {
    Plain(TokioIo<Tcp>),
    Tls(TokioIo<Box<TlsStream<Tcp>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_write_vectored(),
            Self::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Self::Tls(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        }
    }
}
