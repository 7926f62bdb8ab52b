//! Makes connections: name, TCP, loop check, the proxy in between, TLS, all under one deadline.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_io_timeout::TimeoutWriter;

use super::dial::Dialer;
use super::error::{ConnectFailure, Phase};
use super::handshake::{Counted, Handshake, Patience, shake_hands};
use super::settings::Place;
use super::stream::{Refusal, Stream};
use super::via;

/// How connections are made.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) tls: Arc<ClientConfig>,
    /// Where to, where it is not the request's own host.
    pub(super) place: Option<Place>,
    /// Through which proxy, and what it wants to hear.
    pub(super) via: Option<(Place, Option<HeaderValue>)>,
    /// The certificate's name, where it is not the host that is dialled.
    pub(super) server_name: Option<ServerName<'static>>,
    pub(super) connect: Duration,
    /// A write that makes no progress for this long ends the connection.
    pub(super) stall: Duration,
    pub(super) dialer: Dialer,
    /// What connections note when they are refused late.
    pub(super) refusal: Refusal,
}

impl Connector {
    /// Where a request for `uri` is sent.
    pub(super) fn place(&self, uri: &Uri) -> Place {
        if let Some(place) = &self.place {
            return place.clone();
        }
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let own = if is_https(uri) { 443 } else { 80 };
        Place { host: host.to_owned(), port: uri.port_u16().unwrap_or(own) }
    }

    /// Makes a connection for requests of `uri`.
    pub(super) async fn open(self, uri: Uri) -> Result<Stream, ConnectFailure> {
        let (limit, deadline) = (self.connect, Instant::now() + self.connect);
        let timeout =
            |_| ConnectFailure { phase: Phase::ConnectTimeout, reason: format!("{limit:?}") };
        let place = self.place(&uri);
        let tcp = timeout_at(deadline, self.reach(&place)).await.map_err(timeout)??;
        let (tcp, heard) = Counted::new(tcp);
        let mut tcp = TimeoutWriter::new(tcp);
        tcp.set_timeout(Some(self.stall));
        let tcp = Box::pin(tcp);
        if !is_https(&uri) {
            return Ok(Stream::plain(tcp, self.refusal));
        }
        let name = match self.server_name {
            Some(name) => name,
            None => ServerName::try_from(place.host.clone()).map_err(|_| ConnectFailure {
                phase: Phase::Tls(Handshake::Name),
                reason: format!("{} cannot be a certificate's name", place.host),
            })?,
        };
        let patience = Patience { deadline, limit, heard: &heard };
        let tls = shake_hands(self.tls, name, tcp, patience).await?;
        Ok(Stream::tls(Box::new(tls), self.refusal))
    }

    /// A TCP connection to a place, or to the proxy that leads there.
    async fn reach(&self, place: &Place) -> Result<TcpStream, ConnectFailure> {
        let Some((via, authorization)) = &self.via else {
            return self.dialer.dial(&place.host, place.port).await;
        };
        let dialled = self.dialer.dial(&via.host, via.port).await;
        let mut tcp = dialled.map_err(of_the_proxy)?;
        via::tunnel(&mut tcp, place, authorization.as_ref()).await?;
        Ok(tcp)
    }
}

/// A proxy that cannot be reached is not the upstream that cannot.
fn of_the_proxy(failure: ConnectFailure) -> ConnectFailure {
    let what = if failure.phase == Phase::Resolve {
        "its name does not resolve"
    } else if failure.phase == Phase::Connect {
        "connecting to it failed"
    } else {
        return failure;
    };
    ConnectFailure { phase: Phase::Via(None), reason: format!("{what}: {}", failure.reason) }
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}
