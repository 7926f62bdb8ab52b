//! The program that cannot sign: one HTTP/1.1 request on a connection of its own, plain, inside TLS,
//! or for a WebSocket.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Builder;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::cli::{CliError, Exit};
use crate::scheme::{Act, Text};
use crate::standin::{Frame, accept};
use crate::tls::provider;

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The body, or the message that came back on a WebSocket.
    pub(super) body: String,
}

impl Answer {
    /// Whether the provider took the request.
    pub(super) fn accepted(&self) -> bool {
        self.status.is_success() || self.switched()
    }

    /// Whether it is a WebSocket's.
    pub(super) fn switched(&self) -> bool {
        self.status == StatusCode::SWITCHING_PROTOCOLS
    }
}

/// A connection to `server`, a URL without path.
pub(super) async fn connect(server: &str) -> Result<TcpStream, CliError> {
    TcpStream::connect(server.trim_start_matches("http://")).await.map_err(failed)
}

/// TLS for `host`, inside a CONNECT to its port 443, believing the authority in this file alone.
pub(super) async fn secure(
    proxy: &str,
    host: &str,
    ca: &Path,
) -> Result<TlsStream<TokioIo<Upgraded>>, CliError> {
    let place = format!("{host}:443");
    let request = Request::connect(&place).header(HOST, &place);
    let response = exchange(connect(proxy).await?, request, "").await?;
    if !response.status().is_success() {
        return Err(failed(format!("CONNECT {place}: {}", response.status())));
    }
    let tunnel = TokioIo::new(hyper::upgrade::on(response).await.map_err(failed)?);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).map_err(failed)?).map_err(failed)?;
    let settings = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider knows the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = host.to_owned().try_into().map_err(failed)?;
    TlsConnector::from(Arc::new(settings)).connect(name, tunnel).await.map_err(failed)
}

/// Sends an act's request to this host for this target, absolute or not.
pub(super) async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    host: &str,
    target: &str,
    act: &Act,
) -> Result<Answer, CliError> {
    let uri: Uri = target.parse().map_err(failed)?;
    let request = Request::builder().method(&act.method).uri(uri).header(HOST, host);
    let add = |request: Builder, (name, value): &(_, _)| -> Builder {
        let (name, value): (&Text, &Text) = (name, value);
        request.header(name.as_ref(), value.as_ref())
    };
    let request = act.headers.iter().fold(request, add);
    answer_of(exchange(stream, request, &act.body).await?).await
}

/// Opens a WebSocket, says something and hears what comes back.
pub(super) async fn echo(
    stream: TcpStream,
    host: &str,
    target: &str,
    message: &str,
) -> Result<Answer, CliError> {
    let mut random = [0; 20];
    aws_lc_rs::rand::fill(&mut random).map_err(failed)?;
    let (key, mask) = random.split_at(16);
    let (key, mask) = (STANDARD.encode(key), [mask[0], mask[1], mask[2], mask[3]]);
    let request = Request::get(target)
        .header(HOST, host)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key);
    let response = exchange(stream, request, "").await?;
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return answer_of(response).await;
    }
    let said = response.headers().get(SEC_WEBSOCKET_ACCEPT);
    if said.is_none_or(|said| said.as_bytes() != accept(key.as_bytes()).as_bytes()) {
        return Err(failed("the answer to the handshake is not to its key"));
    }
    let mut socket = TokioIo::new(hyper::upgrade::on(response).await.map_err(failed)?);
    Frame::text(message).write(&mut socket, Some(mask)).await.map_err(failed)?;
    let frame = Frame::read(&mut socket).await.map_err(failed)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&frame.payload).into_owned() })
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Builder,
    body: &str,
) -> Result<Response<Incoming>, CliError> {
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(io).await.map_err(failed)?;
    tokio::spawn(connection.with_upgrades());
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).map_err(failed)?;
    sender.send_request(request).await.map_err(failed)
}

async fn answer_of(response: Response<Incoming>) -> Result<Answer, CliError> {
    let status = response.status();
    let body = response.into_body().collect().await.map_err(failed)?.to_bytes();
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

fn failed(why: impl Display) -> CliError {
    CliError::new(Exit::Failed, format!("a request of the demo failed: {why}"))
}
