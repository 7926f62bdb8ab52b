//! Whether the configuration's own proxy runs already.
//!
//! Its admin listener is asked, and what answers is believed to be countersign, with this
//! configuration, only if it is ready, names the configuration's digest, and listens where the
//! configuration says. Programs are then sent to the configured forward listener, which has to take
//! connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::credentials::Credentials;
use super::tally::Tally;
use crate::cli::CliError;
use crate::config::{Config, Endpoint};
use crate::snapshot::Snapshot;

/// The addresses of a proxy that runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cli) struct Running {
    pub(in crate::cli) forward: SocketAddr,
    pub(in crate::cli) gateway: Option<SocketAddr>,
}

/// What answers at the configuration's admin listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// Nothing that could be used.
    Nothing,
    /// Countersign, and not with this configuration.
    Other,
    /// The configuration's own proxy.
    Own(Running),
}

/// Looks for it.
///
/// # Errors
///
/// When it runs and does not take the credentials.
pub(super) async fn find(
    config: &Config,
    credentials: Option<&Credentials>,
) -> Result<Found, CliError> {
    let asked = tokio::time::timeout(PATIENCE, ask(config, credentials)).await;
    match (asked.ok().flatten(), credentials) {
        (Some((_, false)), Some(credentials)) => Err(credentials.refused()),
        (Some((found, _)), _) => Ok(found),
        (None, _) => Ok(Found::Nothing),
    }
}

/// What runs, and whether it takes the credentials.
async fn ask(config: &Config, credentials: Option<&Credentials>) -> Option<(Found, bool)> {
    let (admin, forward) = (config.listen.admin.as_ref()?, local(config.listen.forward?));
    let gateway = match config.listen.gateway {
        Some(Endpoint::Tcp(address)) => Some(local(address)),
        Some(Endpoint::Unix(_)) | None => None,
    };
    let running = Running { forward, gateway };
    let ready = get(admin, "/readyz", None).await?;
    if !ready.status().is_success() {
        return None;
    }
    let answer: Value = serde_json::from_slice(&whole(ready).await?).ok()?;
    let found = recognise(&answer, &Snapshot::digest(config), running);
    if found != Found::Own(running) {
        return Some((found, true));
    }
    TcpStream::connect(forward).await.ok()?;
    let admitted = match credentials {
        Some(credentials) => get(admin, "/metrics", Some(credentials)).await?.status().is_success(),
        None => true,
    };
    Some((found, admitted))
}

/// What it has counted so far, where it says.
pub(super) async fn tally(config: &Config, credentials: Option<&Credentials>) -> Option<Tally> {
    let asked = async {
        let answer = get(config.listen.admin.as_ref()?, "/metrics", credentials).await?;
        let metrics =
            if answer.status().is_success() { whole(answer).await? } else { return None };
        Some(Tally::of(&String::from_utf8_lossy(&metrics)))
    };
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
}

/// What it has counted since then, by all who use it. A request is counted when it is over, which
/// may be a moment after the program has its answer: so as long as more are under way than before,
/// it is asked again.
pub(super) async fn tally_since(
    config: &Config,
    credentials: Option<&Credentials>,
    before: Option<Tally>,
) -> Option<Tally> {
    let before = before?;
    let mut now = tally(config, credentials).await?;
    for _ in 0..MOST_LOOKS {
        if now.open <= before.open {
            break;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        now = tally(config, credentials).await?;
    }
    now.since(before)
}

/// Whose answer to `/readyz` this is, to somebody who looks for the proxy with this digest at these
/// addresses.
fn recognise(answer: &Value, digest: &str, wanted: Running) -> Found {
    if answer["state"] != "ready" || !answer["routes"].is_array() {
        return Found::Nothing;
    }
    let addresses: Vec<SocketAddr> =
        serde_json::from_value(answer["addresses"].clone()).unwrap_or_default();
    let listens = |at: SocketAddr| addresses.iter().any(|bound| local(*bound) == at);
    let listens = listens(wanted.forward) && wanted.gateway.is_none_or(listens);
    if answer["configuration"] == digest && listens { Found::Own(wanted) } else { Found::Other }
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

pub(in crate::cli) async fn get(
    endpoint: &Endpoint,
    path: &str,
    credentials: Option<&Credentials>,
) -> Option<Response<Incoming>> {
    match endpoint {
        Endpoint::Tcp(address) => {
            let address = local(*address);
            let stream = TcpStream::connect(address).await.ok()?;
            exchange(stream, &address.to_string(), path, credentials).await
        }
        Endpoint::Unix(socket) => {
            exchange(UnixStream::connect(socket).await.ok()?, "localhost", path, credentials).await
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    host: &str,
    path: &str,
    credentials: Option<&Credentials>,
) -> Option<Response<Incoming>> {
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.ok()?;
    tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = path.parse().ok()?;
    request.headers_mut().insert(HOST, HeaderValue::from_str(host).ok()?);
    if let Some(credentials) = credentials {
        request.headers_mut().insert(PROXY_AUTHORIZATION, credentials.header());
    }
    sender.send_request(request).await.ok()
}

pub(in crate::cli) async fn whole(response: Response<Incoming>) -> Option<Bytes> {
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    body.ok().map(http_body_util::Collected::to_bytes)
}

/// A proxy on this machine answers at once, or is not to be relied on.
const PATIENCE: Duration = Duration::from_secs(1);
/// Half a second in all: others may keep it busy for ever.
const MOST_LOOKS: u32 = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// Somebody else's page may be long.
const LONGEST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_answer_for_this_configuration_is_believed() {
        let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let wanted = Running { forward: at(8080), gateway: Some(at(8081)) };
        let both = r#""0.0.0.0:8080", "127.0.0.1:8081""#;
        for (state, digest, addresses, found) in [
            ("ready", "d", both, Found::Own(wanted)),
            ("draining", "d", both, Found::Nothing),
            ("ready", "e", both, Found::Other),
            ("ready", "d", r#""0.0.0.0:8080""#, Found::Other),
            ("ready", "d", r#""127.0.0.1:8081", "127.0.0.1:8090""#, Found::Other),
            ("ready", "d", "8080", Found::Other),
        ] {
            let body = format!(
                r#"{{"state": "{state}", "routes": [], "configuration": "{digest}",
                "addresses": [{addresses}]}}"#
            );
            let answer = serde_json::from_str(&body).expect("JSON");
            assert_eq!(recognise(&answer, "d", wanted), found, "{body}");
        }
        for body in ["{}", r#"{"state": "ready"}"#, "[]", "null", "\"ok\""] {
            let answer = serde_json::from_str(body).expect("JSON");
            assert_eq!(recognise(&answer, "d", wanted), Found::Nothing, "{body}");
        }
    }

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
