//! What an origin answers, and the ready-made ways to decide it.

use std::io::{self, Read, Write};

use serde_json::{Value, json};

use crate::support::vectors::{load, text};
use crate::support::verify::{Accepted, Arrived, Clock, MetaSv, Sinohope};
use crate::support::wire::Wire;

/// Decides the answer to a request.
pub(crate) type Handler = Box<dyn Fn(&Arrived) -> Answer + Send + Sync>;

/// An answer, good or odd.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A head with a length, and the body.
    Whole { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// Each piece as a chunk, then trailers.
    Chunked { pieces: Vec<Vec<u8>>, trailers: Vec<(String, String)> },
    /// So many bytes `x`.
    Big(usize),
    /// A length of 1000, ten bytes, and the end of the connection.
    Truncated,
    /// A length of 1000, ten bytes, and nothing more.
    Stalled,
    /// These bytes, and the end of the connection.
    Raw(Vec<u8>),
    /// Another answer, once [`super::Origin::release`] is called.
    Held(Box<Self>),
    /// Nothing, until the client closes or the origin is dropped.
    Silence,
    /// The end of the connection.
    HangUp,
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum After {
    KeepOpen,
    Close,
    /// Nothing more is read.
    WaitForStop,
    /// Whatever still comes is read.
    WaitForPeer,
}

impl Answer {
    /// A JSON body.
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self::Whole { status, headers, body: value.to_string().into_bytes() }
    }

    /// Writes it; `HEAD` gets no body.
    pub(super) fn write<S: Read + Write>(
        &self,
        method: &str,
        wire: &mut Wire<S>,
    ) -> io::Result<After> {
        match self {
            Self::Whole { status, headers, body } => {
                let mut message = format!("HTTP/1.1 {status} Answer\r\n").into_bytes();
                for (name, value) in headers {
                    message.extend(format!("{name}: {value}\r\n").bytes());
                }
                message.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
                if method != "HEAD" {
                    message.extend(body);
                }
                wire.send(&message)?;
            }
            Self::Chunked { pieces, trailers } => {
                wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")?;
                for (name, _) in trailers {
                    wire.send(format!("Trailer: {name}\r\n").as_bytes())?;
                }
                wire.send(b"\r\n")?;
                for piece in pieces {
                    let size = format!("{:x}\r\n", piece.len());
                    wire.send(&[size.as_bytes(), piece, b"\r\n"].concat())?;
                }
                let trailer = |(name, value): &(String, String)| format!("{name}: {value}\r\n");
                let trailers: String = trailers.iter().map(trailer).collect();
                wire.send(format!("0\r\n{trailers}\r\n").as_bytes())?;
            }
            Self::Big(size) => {
                wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes())?;
                let block = [b'x'; 16 * 1024];
                let mut left = *size;
                while left > 0 {
                    let part = left.min(block.len());
                    wire.send(&block[..part])?;
                    left -= part;
                }
            }
            Self::Truncated | Self::Stalled => {
                wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789")?;
                let stalled = matches!(self, Self::Stalled);
                return Ok(if stalled { After::WaitForPeer } else { After::Close });
            }
            Self::Raw(bytes) => {
                wire.send(bytes)?;
                return Ok(After::Close);
            }
            Self::Held(answer) => return answer.write(method, wire),
            Self::Silence => return Ok(After::WaitForPeer),
            Self::HangUp => return Ok(After::Close),
        }
        Ok(After::KeepOpen)
    }
}

/// 200 for what a verifier accepts, with the text that was signed; 401 with the reason otherwise.
pub(crate) fn verifying<F>(check: F) -> Handler
where
    F: Fn(&Arrived) -> Result<Accepted, String> + Send + Sync + 'static,
{
    Box::new(move |request| match check(request) {
        Ok(Accepted { canonical }) => {
            Answer::json(200, &json!({ "ok": true, "canonical": canonical }))
        }
        Err(reason) => Answer::json(401, &json!({ "ok": false, "reason": reason })),
    })
}

/// Sinohope, where the public key of the vectors with this name is registered.
pub(crate) fn sinohope(key: &str) -> Handler {
    let vectors = load("sinohope");
    let key = text(&vectors, &format!("/keys/{key}/spki_der_hex"));
    let verifier = Sinohope::new(key, Clock::Running);
    verifying(move |request| verifier.check(request))
}

/// MetaSV, where the public key of the vectors with this name is registered.
pub(crate) fn metasv(key: &str) -> Handler {
    let vectors = load("metasv");
    let key = text(&vectors, &format!("/keys/{key}/public_key_compressed_hex"));
    let verifier = MetaSv::signature(key, Clock::Running);
    verifying(move |request| verifier.check(request))
}

/// Sinohope by its name with `test-p256`, MetaSV by every other name with `test-a`.
pub(crate) fn providers() -> Handler {
    let (sinohope, metasv) = (sinohope("test-p256"), metasv("test-a"));
    Box::new(move |request| {
        let named = [request.values("Host"), request.values(":authority")].concat();
        if named == ["api.sinohope.com"] { sinohope(request) } else { metasv(request) }
    })
}

/// Tells the client what arrived.
pub(crate) fn echo() -> Handler {
    Box::new(|request| {
        let arrived = json!({
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "body": String::from_utf8_lossy(&request.body),
        });
        Answer::json(200, &arrived)
    })
}

/// Odd behaviour by path: `/slow-head`, `/truncate`, `/stall`, `/garbage`, `/drop`,
/// `/big/<bytes>`, `/chunked`, `/held`; for every other path what `otherwise` decides. (`/early`
/// and `/sink` are odd at every origin.)
pub(crate) fn scripted(otherwise: Handler) -> Handler {
    Box::new(move |request| match request.path() {
        "/slow-head" => Answer::Silence,
        "/truncate" => Answer::Truncated,
        "/stall" => Answer::Stalled,
        "/garbage" => Answer::Raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
        "/held" => Answer::Held(Box::new(otherwise(request))),
        "/drop" => Answer::HangUp,
        "/chunked" => Answer::Chunked {
            pieces: vec![b"first ".to_vec(), b"second".to_vec()],
            trailers: vec![("X-Checksum".to_owned(), "12".to_owned())],
        },
        path => match path.strip_prefix("/big/").and_then(|size| size.parse().ok()) {
            Some(size) => Answer::Big(size),
            None => otherwise(request),
        },
    })
}
