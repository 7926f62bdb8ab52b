//! The program that cannot sign: one plain HTTP/1.1 request on a connection of its own.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::cli::{CliError, Exit};

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: String,
}

impl Answer {
    /// Whether the provider took the request.
    pub(super) fn accepted(&self) -> bool {
        self.status.is_success()
    }
}

/// Sends a request with this target, absolute or not, to `server`, a URL without path.
pub(super) async fn send(
    server: &str,
    method: Method,
    target: &str,
    body: &'static str,
) -> Result<Answer, CliError> {
    let failed = |error: &dyn std::fmt::Display| {
        CliError::new(Exit::Failed, format!("the demo's request to {server} failed: {error}"))
    };
    let address = server.trim_start_matches("http://");
    let stream = TcpStream::connect(address).await.map_err(|e| failed(&e))?;
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(io).await.map_err(|e| failed(&e))?;
    tokio::spawn(connection);
    let uri: Uri = target.parse().map_err(|e| failed(&e))?;
    let host = uri.authority().map_or(address, |authority| authority.as_str()).to_owned();
    let mut request = Request::builder().method(method).uri(uri).header(HOST, host);
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes())));
    let request = request.map_err(|e| failed(&e))?;
    let response = sender.send_request(request).await.map_err(|e| failed(&e))?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|e| failed(&e))?.to_bytes();
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}
