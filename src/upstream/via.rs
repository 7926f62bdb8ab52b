//! Parent proxies (CONNECT, SOCKS 5): which one, and how it is spoken to. It sees where the
//! connection goes and its own credentials, nothing else, for what goes through it is TLS or was
//! plain anyway.

mod connect;
mod socks;

use std::fmt;
use std::sync::Arc;

pub(crate) use connect::authorization;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::error::{ConnectFailure, Hop, Phase};
use super::handshake::{Counted, shake_hands};
use super::settings::{HostPort, Protocol};
use crate::problem::Problem;
use crate::secret::Secret;

/// What carries the bytes to an upstream: TCP or a Unix socket, or TLS with a proxy.
pub(super) type Road = Either<Either<TcpStream, UnixStream>, Box<TlsStream<Counted<TcpStream>>>>;

/// A proxy between this one and an upstream.
#[derive(Debug)]
pub struct Proxy {
    protocol: Protocol,
    place: HostPort,
    credentials: Option<Credentials>,
}

/// What a proxy wants to hear.
#[derive(Debug)]
pub(crate) enum Credentials {
    /// `Proxy-Authorization`, marked sensitive.
    Basic(HeaderValue),
    /// User and password as RFC 1929 frames them.
    Password(Secret),
}

impl Credentials {
    /// From `user:password`.
    ///
    /// # Errors
    ///
    /// What the credentials lack; nothing of them.
    pub(crate) fn read(protocol: Protocol, secret: &Secret) -> Result<Self, Problem> {
        let read = match protocol {
            Protocol::Http | Protocol::Https => authorization(secret).map(Self::Basic),
            Protocol::Socks5 => {
                let bytes = secret.expose();
                let colon = bytes.iter().position(|byte| *byte == b':');
                let colon = colon.ok_or("has no colon between user and password");
                colon.and_then(|colon| Self::password(&bytes[..colon], &bytes[colon + 1..]))
            }
        };
        read.map_err(|what| Problem::new(what, "put user:password there, on one line"))
    }

    /// From a user and a password.
    ///
    /// # Errors
    ///
    /// When one of them has a length that SOCKS has no room for.
    pub(crate) fn password(user: &[u8], password: &[u8]) -> Result<Self, &'static str> {
        socks::password(user, password).map(Self::Password)
    }
}

impl Proxy {
    /// A proxy at a place.
    pub(crate) fn new(
        protocol: Protocol,
        place: HostPort,
        credentials: Option<Credentials>,
    ) -> Self {
        Self { protocol, place, credentials }
    }

    /// Where it listens.
    pub(super) fn place(&self) -> &HostPort {
        &self.place
    }

    /// Whether it is spoken to in TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.protocol == Protocol::Https
    }

    /// Has the proxy at the other end of `tcp` connect it to `target`.
    async fn lead(
        &self,
        mut tcp: TcpStream,
        tls: Option<&Arc<ClientConfig>>,
        target: &HostPort,
    ) -> Result<Road, ConnectFailure> {
        let header = match &self.credentials {
            Some(Credentials::Basic(value)) => Some(value),
            Some(Credentials::Password(_)) | None => None,
        };
        let password = match &self.credentials {
            Some(Credentials::Password(message)) => Some(message),
            Some(Credentials::Basic(_)) | None => None,
        };
        match self.protocol {
            Protocol::Http => connect::tunnel(&mut tcp, target, header).await?,
            Protocol::Socks5 => socks::tunnel(&mut tcp, target, password).await?,
            Protocol::Https => {
                let tls = tls.expect("a pool whose proxy speaks TLS has the settings for it");
                let name = ServerName::try_from(self.place.host.clone());
                let name = name.map_err(|_| {
                    ConnectFailure::via(Hop::Tls, "its host cannot be a certificate's name".into())
                })?;
                let (tcp, heard) = Counted::new(tcp);
                let tls = shake_hands(Arc::clone(tls), name, tcp, &heard).await;
                let mut tls = tls.map_err(of_its_tls)?;
                connect::tunnel(&mut tls, target, header).await?;
                return Ok(Either::Right(Box::new(tls)));
            }
        }
        Ok(Either::Left(Either::Left(tcp)))
    }
}

/// As a URL, without credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Socks5 => "socks5",
        };
        write!(f, "{scheme}://{}", self.place)
    }
}

/// The proxies that this process's environment names: `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`
/// for upstreams of these schemes, and `NO_PROXY` for those that are reached past them.
#[derive(Debug, Default)]
pub struct Environment {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
    /// Takes every host but those of `NO_PROXY`.
    through: Option<Matcher>,
}

impl Environment {
    /// What the variables say; `no_proxy` as it is.
    pub(crate) fn new(
        http: Option<Arc<Proxy>>,
        https: Option<Arc<Proxy>>,
        no_proxy: String,
    ) -> Self {
        let any = Matcher::builder().all("http://proxy.invalid").no(no_proxy).build();
        Self { http, https, through: Some(any) }
    }

    fn proxy(&self, https: bool, target: &HostPort) -> Option<&Arc<Proxy>> {
        let uri: Uri = target.url("http").parse().ok()?;
        let proxy = if https { &self.https } else { &self.http };
        proxy
            .as_ref()
            .filter(|_| self.through.as_ref().is_some_and(|m| m.intercept(&uri).is_some()))
    }

    /// Whether one of them is spoken to in TLS.
    pub(crate) fn has_tls(&self) -> bool {
        [&self.http, &self.https].into_iter().flatten().any(|proxy| proxy.is_tls())
    }
}

/// Which proxy connections go through.
#[derive(Clone, Debug, Default)]
pub(crate) enum Choice {
    /// None.
    #[default]
    Direct,
    /// This one, all of them.
    Proxy(Arc<Proxy>),
    /// Whichever the environment names for an upstream.
    Environment,
}

/// How connections reach their upstream.
#[derive(Clone, Debug, Default)]
pub struct Through {
    pub(crate) choice: Choice,
    /// What the environment says, whether or not it is asked.
    pub(crate) environment: Arc<Environment>,
    /// For a proxy that is spoken to in TLS.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl Through {
    /// The proxy on the way to `target`.
    pub(super) fn proxy(&self, https: bool, target: &HostPort) -> Option<&Arc<Proxy>> {
        match &self.choice {
            Choice::Direct => None,
            Choice::Proxy(proxy) => Some(proxy),
            Choice::Environment => self.environment.proxy(https, target),
        }
    }

    /// Whether the environment names a proxy for `target`, and is not asked.
    pub(super) fn passes_by(&self, https: bool, target: &HostPort) -> bool {
        matches!(self.choice, Choice::Direct) && self.environment.proxy(https, target).is_some()
    }

    /// Has `proxy`, at the other end of `tcp`, connect it to `target`.
    pub(super) async fn lead(
        &self,
        proxy: &Proxy,
        tcp: TcpStream,
        target: &HostPort,
    ) -> Result<Road, ConnectFailure> {
        proxy.lead(tcp, self.tls.as_ref(), target).await
    }
}

/// A proxy that cannot be reached is not the upstream that cannot.
pub(super) fn of_the_proxy(failure: ConnectFailure) -> ConnectFailure {
    let what = if failure.phase == Phase::Resolve {
        "its name does not resolve"
    } else if failure.phase == Phase::Connect {
        "connecting to it failed"
    } else {
        return failure;
    };
    ConnectFailure::via(Hop::Failed, format!("{what}: {}", failure.reason))
}

fn of_its_tls(failure: ConnectFailure) -> ConnectFailure {
    let hop = if let Phase::Certificate(_) = failure.phase { Hop::Certificate } else { Hop::Tls };
    ConnectFailure::via(hop, format!("TLS with it failed: {}", failure.reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(protocol: Protocol, port: u16) -> Option<Arc<Proxy>> {
        let place = HostPort { host: "proxy.internal".into(), port };
        Some(Arc::new(Proxy::new(protocol, place, None)))
    }

    #[test]
    fn the_environment_names_a_proxy_by_scheme_and_none_for_some_hosts() {
        let (http, https) = (proxy(Protocol::Http, 1), proxy(Protocol::Socks5, 2));
        let no_proxy = "localhost, .x.com,10.0.0.0/8,::1".to_owned();
        let environment = Environment::new(http, https, no_proxy);
        let table = [
            (true, "y.com", Some("socks5://proxy.internal:2")),
            (false, "y.com", Some("http://proxy.internal:1")),
            (true, "x.com", None),
            (true, "a.x.com", None),
            (true, "ax.com", Some("socks5://proxy.internal:2")),
            (true, "10.1.2.3", None),
            (false, "11.1.2.3", Some("http://proxy.internal:1")),
            (false, "::1", None),
            (false, "::2", Some("http://proxy.internal:1")),
        ];
        for (https, host, expected) in table {
            let target = HostPort { host: host.into(), port: 443 };
            let found = environment.proxy(https, &target).map(ToString::to_string);
            assert_eq!(found.as_deref(), expected, "{host}");
        }
        let all = Environment::new(None, proxy(Protocol::Https, 3), "*".into());
        assert!(all.has_tls());
        assert!(all.proxy(true, &HostPort { host: "y.com".into(), port: 443 }).is_none());
    }
}
