//! A conversation with what listens at `listen.admin`, which may be anybody: whose it is can be asked
//! before anything is shown to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::credentials::Credentials;
use crate::config::Endpoint;
use crate::peer::Peer;

/// One connection, on which one question follows the answer to the other.
pub(in crate::cli) struct Conversation {
    sender: SendRequest<Empty<Bytes>>,
    host: HeaderValue,
    whose: Whose,
}

/// Whose the other end is.
enum Whose {
    /// That of a socket: it is somebody's once it is accepted, so to be asked after the first answer.
    Socket(OwnedFd),
    /// As the kernel noted when somebody began to listen at a path.
    User(Peer),
}

impl Conversation {
    pub(in crate::cli) async fn open(endpoint: &Endpoint) -> Option<Self> {
        match endpoint {
            Endpoint::Tcp(address) => {
                let address = local(*address);
                let stream = TcpStream::connect(address).await.ok()?;
                let whose = Whose::Socket(stream.as_fd().try_clone_to_owned().ok()?);
                Self::begin(stream, &address.to_string(), whose).await
            }
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path).await.ok()?;
                let whose = Whose::User(Peer::User(stream.peer_cred().ok()?.uid()));
                Self::begin(stream, "localhost", whose).await
            }
        }
    }

    async fn begin(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        host: &str,
        whose: Whose,
    ) -> Option<Self> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        Some(Self { sender, host: HeaderValue::from_str(host).ok()?, whose })
    }

    /// Whose what has answered is.
    pub(in crate::cli) fn peer(&self) -> Peer {
        match &self.whose {
            Whose::Socket(socket) => Peer::of(socket),
            Whose::User(peer) => *peer,
        }
    }

    /// Asks for a page. The answer before has to be read to its end.
    pub(in crate::cli) async fn get(
        &mut self,
        path: &str,
        credentials: Option<&Credentials>,
    ) -> Option<Response<Incoming>> {
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = path.parse().ok()?;
        request.headers_mut().insert(HOST, self.host.clone());
        if let Some(credentials) = credentials {
            request.headers_mut().insert(PROXY_AUTHORIZATION, credentials.header());
        }
        self.sender.ready().await.ok()?;
        self.sender.send_request(request).await.ok()
    }
}

/// The address by which this machine reaches a listener.
pub(in crate::cli) fn local(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The body of an answer.
pub(in crate::cli) async fn whole(response: Response<Incoming>) -> Option<Bytes> {
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    body.ok().map(http_body_util::Collected::to_bytes)
}

/// Somebody else's page may be long.
const LONGEST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_on_this_machines() {
        for (bound, reached) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("10.0.0.7:8080", "10.0.0.7:8080"),
        ] {
            assert_eq!(local(bound.parse().expect("an address")).to_string(), reached);
        }
    }
}
