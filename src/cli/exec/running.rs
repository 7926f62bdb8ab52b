//! Whether the configuration's own proxy runs already.
//!
//! Its admin listener is asked, and what answers is believed to be countersign, with this
//! configuration, only if it is ready and names the same routes and keys, in our form. Programs
//! are then sent to the configured forward listener, which has to take connections.

use std::collections::BTreeSet;
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
use crate::cli::CliError;
use crate::config::{Config, Endpoint};

/// The addresses of a proxy that runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cli) struct Running {
    pub(in crate::cli) forward: SocketAddr,
    pub(in crate::cli) gateway: Option<SocketAddr>,
}

/// Looks for it. `None` when there is none that could be used.
///
/// # Errors
///
/// When it runs and does not take the credentials.
pub(super) async fn find(
    config: &Config,
    credentials: Option<&Credentials>,
) -> Result<Option<Running>, CliError> {
    let asked = tokio::time::timeout(PATIENCE, ask(config, credentials)).await;
    match (asked.ok().flatten(), credentials) {
        (Some((_, false)), Some(credentials)) => Err(credentials.refused()),
        (Some((running, _)), _) => Ok(Some(running)),
        (None, _) => Ok(None),
    }
}

/// What runs, and whether it takes the credentials.
async fn ask(config: &Config, credentials: Option<&Credentials>) -> Option<(Running, bool)> {
    let (admin, forward) = (config.listen.admin.as_ref()?, config.listen.forward?);
    let ready = get(admin, "/readyz", None).await?;
    if !ready.status().is_success() || !is_ours(&whole(ready).await?, config) {
        return None;
    }
    let forward = local(forward);
    TcpStream::connect(forward).await.ok()?;
    let gateway = config.listen.gateway.as_ref().and_then(|endpoint| match endpoint {
        Endpoint::Tcp(address) => Some(local(*address)),
        Endpoint::Unix(_) => None,
    });
    let admitted = match credentials {
        Some(credentials) => get(admin, "/metrics", Some(credentials)).await?.status().is_success(),
        None => true,
    };
    Some((Running { forward, gateway }, admitted))
}

/// Whether this is our answer to `/readyz`, with this configuration's routes and keys.
fn is_ours(body: &[u8], config: &Config) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let names = |list: &Value, of: fn(&Value) -> &Value| -> Option<BTreeSet<String>> {
        let names = list.as_array()?.iter().map(|item| of(item).as_str().map(str::to_owned));
        names.collect()
    };
    let routes = names(&body["routes"], |route| route);
    let keys = names(&body["self_tested_keys"], |key| &key["name"]);
    let printed = names(&body["self_tested_keys"], |key| &key["fingerprint"]);
    body["state"] == "ready"
        && routes == Some(config.routes.keys().cloned().collect())
        && keys == Some(config.keys.keys().cloned().collect())
        && printed.is_some()
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
/// Somebody else's page may be long.
const LONGEST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CONFIG: &str = "[listen]\nforward = \"0.0.0.0:8080\"\n[access]\ntokens = \"t\"\n\
        [secrets.t]\nstore = \"e\"\nentry = \"t\"\n[stores.e]\nkind = \"env\"\n\
        [keys.k]\nstore = \"e\"\nentry = \"k\"\n[routes.r]\nhost = \"api.sinohope.com\"\n\
        scheme = \"sinohope\"\nkeys = { signer = \"k\" }\n";

    #[test]
    fn only_our_own_answer_for_this_configuration_is_believed() {
        let config = Config::parse(CONFIG, Path::new("proxy.toml")).expect("a configuration");
        let key = r#"{"name": "k", "fingerprint": "SHA256:x"}"#;
        for (state, keys, routes, ours) in [
            ("ready", key, r#""r""#, true),
            ("draining", key, r#""r""#, false),
            ("ready", key, "", false),
            ("ready", key, r#""r", "s""#, false),
            ("ready", "", r#""r""#, false),
            ("ready", r#"{"name": "k"}"#, r#""r""#, false),
            ("ready", r#"{"name": "j", "fingerprint": "x"}"#, r#""r""#, false),
            ("ready", r#""k""#, r#""r""#, false),
        ] {
            let body = format!(
                r#"{{"state": "{state}", "self_tested_keys": [{keys}], "routes": [{routes}]}}"#
            );
            assert_eq!(is_ours(body.as_bytes(), &config), ours, "{body}");
        }
        for body in ["", "ok", "{}", r#"{"state": "ready"}"#, "[]", "null"] {
            assert!(!is_ours(body.as_bytes(), &config), "{body}");
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
