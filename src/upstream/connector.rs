//! Makes connections: name, TCP, loop check, the proxy in between, TLS, all under one deadline.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::{Instant, timeout_at};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::either::Either;

use super::dial::Dialer;
use super::error::{ConnectFailure, Handshake, Phase};
use super::handshake::{Counted, out_of_time, shake_hands};
use super::reach::Reach;
use super::settings::{Dial, HostPort};
use super::stream::{LateAlert, Stream};
use super::via::{self, Proxy, Road, Through};

/// How connections are made.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) tls: Arc<ClientConfig>,
    /// Where to, where it is not the request's own host.
    pub(super) dial: Option<Dial>,
    /// How far, where there is no proxy on the way.
    pub(super) reach: Reach,
    /// Through which proxy.
    pub(super) through: Through,
    /// The certificate's name, where it is not the host that is dialled.
    pub(super) server_name: Option<ServerName<'static>>,
    pub(super) connect: Duration,
    /// A write that makes no progress for this long ends the connection.
    pub(super) stall: Duration,
    pub(super) dialer: Dialer,
    /// What connections note when they are refused late.
    pub(super) refusal: LateAlert,
}

impl Connector {
    /// Where a request for `uri` is sent.
    pub(super) fn place(&self, uri: &Uri) -> HostPort {
        if let Some(Dial::Host(place)) = &self.dial {
            return place.clone();
        }
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let own = if is_https(uri) { 443 } else { 80 };
        HostPort { host: host.to_owned(), port: uri.port_u16().unwrap_or(own) }
    }

    /// The proxy on the way to `place`.
    pub(super) fn proxy(&self, uri: &Uri, place: &HostPort) -> Option<&Arc<Proxy>> {
        self.through.proxy(is_https(uri), place)
    }

    /// Makes a connection for requests of `uri`.
    pub(super) async fn open(self, uri: Uri) -> Result<Stream, ConnectFailure> {
        let (limit, deadline) = (self.connect, Instant::now() + self.connect);
        let late = |phase| ConnectFailure { phase, reason: format!("{limit:?}") };
        let place = self.place(&uri);
        let road = timeout_at(deadline, self.reach(&uri, &place)).await;
        let (tcp, heard) = Counted::new(road.map_err(|_| late(Phase::ConnectTimeout))??);
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
        let shaken = shake_hands(Arc::clone(&self.tls), name, tcp, &heard);
        let tls = timeout_at(deadline, shaken).await;
        let tls = tls.map_err(|_| late(out_of_time(&self.tls, &heard)))??;
        Ok(Stream::tls(Box::new(tls), self.refusal))
    }

    /// A connection to a place, which may begin with one to a proxy.
    async fn reach(&self, uri: &Uri, place: &HostPort) -> Result<Road, ConnectFailure> {
        if let Some(Dial::Socket(socket)) = &self.dial {
            return socket
                .connect(self.connect)
                .await
                .map(|local| Road::Left(Either::Right(local)));
        }
        let Some(proxy) = self.proxy(uri, place) else {
            let dialled = self.dialer.dial(&place.host, place.port, &self.reach).await;
            return dialled.map(|tcp| Road::Left(Either::Left(tcp))).map_err(|failure| {
                let unresolved = failure.phase == Phase::Resolve;
                if unresolved && self.through.passes_by(is_https(uri), place) {
                    return ConnectFailure { phase: Phase::ResolvePastProxy, ..failure };
                }
                failure
            });
        };
        let listens = proxy.place();
        let dialled = self.dialer.dial(&listens.host, listens.port, &Reach::Anywhere).await;
        self.through.lead(proxy, dialled.map_err(via::of_the_proxy)?, place).await
    }
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}
