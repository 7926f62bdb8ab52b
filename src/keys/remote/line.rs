//! Connections to a signer, and one HTTP/1.1 exchange on one of them.
//!
//! Written by hand: a client for any server has a task for each connection, which a request would
//! wake and be woken by. This is one write and mostly one read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::address::Address;
use crate::keys::SignError;
use crate::keys::turns::{Turn, Turns};

/// The way to one signer.
#[derive(Debug)]
pub(super) struct Line {
    address: Address,
    tls: Option<Arc<ClientConfig>>,
    turns: Turns<Connection>,
}

type Connection = Box<dyn Stream>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Stream for S {}

/// A signer's answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Line {
    /// `tls` is there where the address is one that speaks it.
    pub(super) fn new(address: Address, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { address, tls, turns: Turns::new(CONNECTIONS, PLACES) }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Asks in turn, on a connection that is there or a new one.
    ///
    /// # Errors
    ///
    /// [`SignError::Busy`] where too many wait; else why there is no answer.
    pub(super) async fn ask(&self, question: &[u8]) -> Result<io::Result<Answer>, SignError> {
        let turn = self.turns.turn().await?;
        while let Some(connection) = turn.kept() {
            // Asked again on a new one: to sign twice does no harm.
            if let Ok(answer) = exchange(&turn, connection, question).await {
                return Ok(Ok(answer));
            }
        }
        Ok(match self.connect().await {
            Ok(connection) => exchange(&turn, connection, question).await,
            Err(error) => Err(error),
        })
    }

    async fn connect(&self) -> io::Result<Connection> {
        let connecting = async {
            Ok::<_, io::Error>(match (&self.address, &self.tls) {
                (Address::Unix(path), _) => {
                    Box::new(UnixStream::connect(path).await?) as Connection
                }
                (Address::Tls(host, port), Some(tls)) => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await?;
                    stream.set_nodelay(true)?;
                    let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                    let tls = TlsConnector::from(Arc::clone(tls));
                    Box::new(tls.connect(name, stream).await?)
                }
                (Address::Tls(..), None) => {
                    return Err(io::Error::other("there are no certificates"));
                }
            })
        };
        tokio::time::timeout(CONNECT, connecting).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

/// A question about a key: `action` is put after its path.
pub(super) fn question(name: &str, action: &str, body: Option<&str>) -> Zeroizing<Vec<u8>> {
    let method = if body.is_some() { "POST" } else { "GET" };
    let body = body.unwrap_or_default();
    let name = escaped(name);
    let head = format!(
        "{method} /v1/keys/{name}{action} HTTP/1.1\r\nhost: signer\r\ncontent-type: \
         application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Zeroizing::new([head.as_bytes(), body.as_bytes()].concat())
}

/// What may stand in a path (RFC 3986, section 2.3), and the rest as `%XX`.
fn escaped(name: &str) -> String {
    let mut path = String::new();
    for byte in name.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

/// One question and its answer. Who is dropped in the middle takes the connection along.
async fn exchange(
    turn: &Turn<'_, Connection>,
    mut connection: Connection,
    question: &[u8],
) -> io::Result<Answer> {
    connection.write_all(question).await?;
    connection.flush().await?;
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if connection.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(head) = head(&bytes)? {
            let whole = head.length + head.body;
            while bytes.len() < whole {
                if connection.read_buf(&mut bytes).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            if head.persists && bytes.len() == whole {
                turn.keep(connection);
            }
            bytes.truncate(whole);
            return Ok(Answer { status: head.status, body: bytes.split_off(head.length) });
        }
    }
}

/// What the head of an answer says.
struct Head {
    status: u16,
    length: usize,
    body: usize,
    persists: bool,
}

fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let bad = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    let parsed = answer.parse(bytes).map_err(|_| bad("what answers is no signer"))?;
    let httparse::Status::Complete(length) = parsed else {
        let long = bytes.len() > MOST_ANSWERED;
        return if long { Err(bad("the signer's answer is too long")) } else { Ok(None) };
    };
    let field = |name: &str| {
        let mut fields = answer.headers.iter();
        fields.find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    };
    let body =
        field("content-length").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    let body = body.ok_or_else(|| bad("the signer's answer has no Content-Length"))?;
    if body > MOST_ANSWERED {
        return Err(bad("the signer's answer is too long"));
    }
    let closes = field("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
    let persists = answer.version == Some(1) && !closes;
    Ok(Some(Head { status: answer.code.unwrap_or_default(), length, body, persists }))
}

/// More than a signer has cores; each takes one question at a time.
const CONNECTIONS: usize = 16;

/// How many signatures may wait or be made.
const PLACES: usize = 256;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// An answer holds a public key or a signature, each at most a kilobyte.
const MOST_ANSWERED: usize = 64 * 1024;

const FIELDS: usize = 32;
