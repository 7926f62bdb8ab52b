//! A small HTTPS client for the services that keys are in: short questions and answers, one at a time
//! on each of a few kept connections.
//!
//! It follows no redirects, takes no proxy, and waits for nothing longer than its limit. A question
//! is asked again by itself only where nothing of it was sent. Plain HTTP is for this machine and
//! its own link, where agents and metadata services are: what is asked carries credentials.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::problem::Problem;
use crate::secret::Secret;
use crate::tls::{provider, roots};

/// One service.
pub(crate) struct Client {
    host: String,
    port: u16,
    /// What is sent as `Host`.
    authority: HeaderValue,
    /// What is put before every path; does not end in a slash.
    path: String,
    /// None for plain HTTP.
    tls: Option<TlsConnector>,
    limit: Duration,
    /// Connections that wait for the next question.
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    /// Taken from while a question is under way, in the order of asking.
    open: Semaphore,
}

/// What came back.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The body, which may hold credentials.
    pub(crate) body: Secret,
}

impl Client {
    /// A client of the service at this URL, which is believed by the certificates of a PEM file, or
    /// by everybody's roots. A connection is made within `limit`, and an answer comes within it.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL or the file; the sentence begins with the verb.
    pub(crate) fn new(url: &str, ca: Option<&Path>, limit: Duration) -> Result<Self, Problem> {
        let wrong = |what: &str| Problem::new(what, "write https://HOST, or https://HOST:PORT");
        let uri: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
        let (Some(authority), Some(scheme)) = (uri.authority(), uri.scheme_str()) else {
            return Err(wrong("is no URL"));
        };
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(wrong("has more than a host, a port and a path"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let https = scheme == "https";
        if !https && !is_near(&host) {
            return Err(wrong("is no https:// URL, and credentials would go in the clear"));
        }
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        let named = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong("is no URL"))?;
        let tls = https.then(|| connector(ca)).transpose()?;
        let path = uri.path().trim_end_matches('/').to_owned();
        let (idle, open) = (Mutex::default(), Semaphore::new(CONNECTIONS));
        Ok(Self { host, port, authority: named, path, tls, limit, idle, open })
    }

    /// What is sent as `Host`.
    pub(crate) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// Asks in turn. The request's URI is a path and a query.
    ///
    /// # Errors
    ///
    /// Why there is no answer; something of the question may have been read.
    pub(crate) async fn ask(&self, question: Request<Vec<u8>>) -> io::Result<Answer> {
        let _turn = self.open.acquire().await.map_err(io::Error::other)?;
        let mut question = self.dressed(question)?;
        while let Some(mut kept) = self.kept() {
            if kept.ready().await.is_err() {
                continue;
            }
            match self.exchange(kept, question).await {
                Ok(answer) => return Ok(answer),
                Err((_, Some(unsent))) => question = *unsent,
                Err((error, None)) => return Err(error),
            }
        }
        let made = timeout(self.limit, self.connect()).await.map_err(|_| late())??;
        self.exchange(made, question).await.map_err(|(error, _)| error)
    }

    fn dressed(&self, question: Request<Vec<u8>>) -> io::Result<Request<Full<Bytes>>> {
        let mut question = question.map(|body| Full::new(Bytes::from(body)));
        let target = format!("{}{}", self.path, question.uri());
        *question.uri_mut() = target.parse().map_err(io::Error::other)?;
        question.headers_mut().insert(HOST, self.authority.clone());
        Ok(question)
    }

    fn kept(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sender| !sender.is_closed());
        idle.pop()
    }

    async fn connect(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return begin(stream).await };
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        begin(tls.connect(name, stream).await?).await
    }

    /// One question and its answer; the question comes back where nothing of it was sent. Who is
    /// dropped in the middle takes the connection along.
    async fn exchange(
        &self,
        mut on: SendRequest<Full<Bytes>>,
        question: Request<Full<Bytes>>,
    ) -> Result<Answer, (io::Error, Option<Box<Request<Full<Bytes>>>>)> {
        let asked = timeout(self.limit, async {
            let answer = on.try_send_request(question).await.map_err(|mut error| {
                let unsent = error.take_message().map(Box::new);
                (io::Error::other(error.into_error()), unsent)
            })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MOST_ANSWERED).collect().await;
            let body = body.map_err(|error| (io::Error::other(error), None))?.to_bytes();
            Ok(Answer { status: head.status.as_u16(), body: Secret::new(body.into()) })
        });
        let answer = asked.await.map_err(|_| (late(), None))??;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(on);
        Ok(answer)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({:?})", self.authority)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({})", self.status)
    }
}

/// Speaks HTTP/1.1 on a stream.
async fn begin<S>(stream: S) -> io::Result<SendRequest<Full<Bytes>>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends with the sender; whoever waits for an answer is told its error.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// Believes the certificates of a file, or everybody's roots.
fn connector(ca: Option<&Path>) -> Result<TlsConnector, Problem> {
    let roots = match ca {
        None => roots(),
        Some(path) => only(path).map_err(|what| {
            Problem::new(what, "name a readable PEM file of certificates with ca = \"…\"")
                .of(format_args!("is believed by {}, which", path.display()))
        })?,
    };
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn only(path: &Path) -> Result<RootCertStore, String> {
    let bad = |error: &dyn fmt::Display| format!("holds a bad certificate: {error}");
    let pem = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| bad(&error))?;
        roots.add(certificate).map_err(|error| bad(&error))?;
    }
    if roots.is_empty() {
        return Err("holds no CERTIFICATE block in PEM".into());
    }
    Ok(roots)
}

/// Whether a host is this machine, or on its own link (RFC 3927; RFC 4193, where AWS has its own).
fn is_near(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.segments()[..2] == [0xfd00, 0xec2]
        }
        Err(_) => host == "localhost",
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it did not answer in time")
}

/// Questions under way at a time; the others wait.
const CONNECTIONS: usize = 8;

/// Far more than any signature or key.
const MOST_ANSWERED: usize = 64 * 1024;
