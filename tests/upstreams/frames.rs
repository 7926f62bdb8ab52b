//! HTTP/2 to the letter, by a provider made of bytes: what it says it did not process is sent
//! once more, and nothing else; what is not HTTP/2 is said to be none.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::NamedTempFile;

use super::{ask, metasv, refusal, text, trusting};
use crate::support::authority::{Authority, serve};
use crate::support::client::Client;
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, post};

/// What is sent back for a request on this stream; nothing ends the connection.
pub(super) type Answer = fn(stream: u8) -> Vec<u8>;
/// What is sent back for a PING with these eight bytes.
type Pong = fn(content: &[u8]) -> Vec<u8>;
type Tls = StreamOwned<ServerConnection, TcpStream>;

/// A provider that answers the second request with these bytes and every other with 200.
pub(super) struct Provider {
    url: String,
    ca: NamedTempFile,
    seen: Arc<Seen>,
    over: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    connections: AtomicUsize,
    pings: AtomicUsize,
}

impl Provider {
    pub(super) fn start(second: Answer) -> Self {
        Self::start_with(second, |_| Vec::new())
    }

    pub(super) fn start_with(second: Answer, pong: Pong) -> Self {
        let authority = Authority::new();
        let tls = serve(authority.issue(&["apiv2.metasv.com"], |_| ()), &["h2"], None);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("https://{}", listener.local_addr().expect("it is bound"));
        let mut ca = NamedTempFile::new().expect("a file can be made");
        ca.write_all(authority.pem().as_bytes()).expect("the file can be written");
        let seen = Arc::<Seen>::default();
        let over = Arc::<AtomicBool>::default();
        let acceptor = thread::spawn({
            let (seen, over) = (Arc::clone(&seen), Arc::clone(&over));
            move || {
                for socket in listener.incoming() {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    seen.connections.fetch_add(1, Ordering::Relaxed);
                    let (tls, seen) = (Arc::clone(&tls), Arc::clone(&seen));
                    let socket = socket.expect("a connection");
                    // It lives as long as the proxy keeps it.
                    thread::spawn(move || converse(tls, socket, &seen, (second, pong)));
                }
            }
        });
        Self { url, ca, seen, over, acceptor: Some(acceptor) }
    }

    fn proxy(&self) -> Proxy {
        self.proxy_with("")
    }

    /// With these tables beside the usual ones.
    pub(super) fn proxy_with(&self, tables: &str) -> Proxy {
        Proxy::start(&metasv(&self.url, &(trusting(self.ca.path()) + tables)))
    }

    pub(super) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::Relaxed)
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    pub(super) fn pings(&self) -> usize {
        self.seen.pings.load(Ordering::Relaxed)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.url.trim_start_matches("https://")));
        let ended = self.acceptor.take().map_or(Ok(()), JoinHandle::join);
        assert!(ended.is_ok() || thread::panicking(), "the acceptor panicked");
    }
}

fn converse(
    tls: Arc<ServerConfig>,
    socket: TcpStream,
    seen: &Seen,
    (second, pong): (Answer, Pong),
) -> io::Result<()> {
    let session = ServerConnection::new(tls).expect("the configuration is complete");
    let mut tls: Tls = StreamOwned::new(session, socket);
    tls.read_exact(&mut [0; PREFACE])?;
    tls.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    tls.flush()?;
    loop {
        let (kind, stream, content) = next_frame(&mut tls)?;
        let answer = match kind {
            HEADERS if seen.requests.fetch_add(1, Ordering::Relaxed) == 1 => second(stream),
            HEADERS => ok(stream),
            PING => pong(&content),
            _ => continue,
        };
        if answer == DEAD {
            return dead(&mut tls, seen);
        }
        if kind == HEADERS && answer.is_empty() {
            return Ok(());
        }
        tls.write_all(&answer)?;
        tls.flush()?;
        if kind == PING {
            seen.pings.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A frame (RFC 9113, section 4.1).
pub(super) fn frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("frames here are short");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], content].concat()
}

/// Takes everything and says nothing any more.
fn dead(tls: &mut Tls, seen: &Seen) -> io::Result<()> {
    loop {
        match next_frame(tls)?.0 {
            HEADERS => drop(seen.requests.fetch_add(1, Ordering::Relaxed)),
            PING => drop(seen.pings.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

/// Type, stream and content of the next frame.
fn next_frame(stream: &mut Tls) -> io::Result<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let length = u64::from(u32::from_be_bytes([0, head[0], head[1], head[2]]));
    let mut content = Vec::new();
    io::copy(&mut stream.take(length), &mut content)?;
    Ok((head[3], head[8], content))
}

pub(super) fn ok(stream: u8) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &[STATUS_200])
}

fn reset(stream: u8, reason: u8) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &[0, 0, 0, reason])
}

fn go_away(last: u8, reason: u8) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[0, 0, 0, last, 0, 0, 0, reason])
}

/// What a provider does with the second request, and whether that leaves a doubt.
const SECOND: &[(&str, Answer, Option<&str>)] = &[
    ("refused", |stream| reset(stream, REFUSED_STREAM), None),
    ("gone away", |stream| go_away(stream - 2, 0), None),
    ("driven away", |stream| go_away(stream - 2, ENHANCE_YOUR_CALM), None),
    ("gone away twice", |stream| [go_away(0x7f, 0), go_away(stream - 2, 0)].concat(), None),
    ("cancelled", |stream| reset(stream, CANCEL), Some("no longer needed")),
    ("broken", |stream| reset(stream, INTERNAL_ERROR), Some("unexpected internal error")),
    // What a GOAWAY does not leave out may have been processed, whatever follows.
    ("gone away with it", |stream| [go_away(stream, 0), reset(stream, CANCEL)].concat(), Some("")),
    ("cut", |_| Vec::new(), Some("")),
];

#[test]
fn what_a_provider_says_it_did_not_process_is_sent_once_more_and_nothing_else() {
    for (name, second, doubt) in SECOND {
        let provider = Provider::start(*second);
        let proxy = provider.proxy();
        assert_eq!(ask(&proxy, "/x").status, 200, "{name}");
        let reply = ask(&proxy, "/y");
        if let Some(words) = doubt {
            let problem = reply.json();
            assert_eq!(refusal(&reply), (502, "upstream_closed".to_owned()), "{name}: {problem}");
            assert!(text(&problem, "detail").contains(words), "{name}: {problem}");
        } else {
            assert_eq!(reply.status, 200, "{name}");
        }
        let again = usize::from(doubt.is_none());
        assert_eq!((provider.requests(), provider.connections()), (2 + again, 1 + again), "{name}");
    }
}

#[test]
fn a_connection_that_takes_no_more_streams_is_followed_by_one_other() {
    const NO_STREAMS: &[u8] = &[0, 3, 0, 0, 0, 0];
    let provider =
        Provider::start(|stream| [frame(SETTINGS, 0, 0, NO_STREAMS), ok(stream)].concat());
    let proxy = provider.proxy();
    for path in ["/x", "/y", "/z"] {
        assert_eq!(ask(&proxy, path).status, 200, "{path}");
    }
    assert_eq!((provider.requests(), provider.connections()), (3, 2));
}

#[test]
fn a_body_that_was_streamed_is_not_sent_again_and_nothing_was_carried_out() {
    let provider = Provider::start(SECOND[0].1);
    let proxy = provider.proxy();
    assert_eq!(ask(&proxy, "/x").status, 200);
    let reply = Client::connect(proxy.forward_url()).exchange(post(METASV, "{}"));
    let problem = reply.json();
    assert_eq!(refusal(&reply), (502, "upstream_unprocessed".to_owned()), "{problem}");
    assert!(text(&problem, "remedy").contains("Nothing was carried out"), "{problem}");
    assert_eq!(provider.requests(), 2);
}

#[test]
fn what_is_not_http_2_after_all_is_said_to_be_none() {
    let provider = Provider::start(|_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    let proxy = provider.proxy();
    assert_eq!(ask(&proxy, "/x").status, 200);
    let reply = ask(&proxy, "/y");
    assert_eq!(refusal(&reply), (502, "upstream_protocol".to_owned()), "{}", reply.json());
    assert_eq!(provider.requests(), 2);
}

const PREFACE: usize = 24;
/// An answer after which the connection is dead, and looks alive.
pub(super) const DEAD: &[u8] = b"dead";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
const GOAWAY: u8 = 7;
const INTERNAL_ERROR: u8 = 2;
const REFUSED_STREAM: u8 = 7;
const CANCEL: u8 = 8;
const ENHANCE_YOUR_CALM: u8 = 11;
pub(super) const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` in the static table of RFC 7541.
const STATUS_200: u8 = 0x88;
