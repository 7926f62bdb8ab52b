//! HTTP/2 to the letter, by a provider made of bytes: what it says it did not process is not sent
//! again, and what is not HTTP/2 is said to be none.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::NamedTempFile;

use super::{ask, metasv, refusal, text, trusting};
use crate::support::authority::{Authority, serve};
use crate::support::proxy::Proxy;

/// What is sent back for a request on this stream.
type Answer = fn(stream: u8) -> Vec<u8>;
type Tls = StreamOwned<ServerConnection, TcpStream>;

/// A provider that answers the first request with 200 and every other with these bytes.
struct Provider {
    url: String,
    ca: NamedTempFile,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Provider {
    fn start(second: Answer) -> Self {
        let authority = Authority::new();
        let tls = serve(authority.issue(&["apiv2.metasv.com"], |_| ()), &["h2"], None);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("https://{}", listener.local_addr().expect("it is bound"));
        let mut ca = NamedTempFile::new().expect("a file can be made");
        ca.write_all(authority.pem().as_bytes()).expect("the file can be written");
        let (requests, connections) = (Arc::default(), Arc::<AtomicUsize>::default());
        let over = Arc::<AtomicBool>::default();
        let acceptor = thread::spawn({
            let (requests, connections) = (Arc::clone(&requests), Arc::clone(&connections));
            let over = Arc::clone(&over);
            move || {
                for socket in listener.incoming() {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    connections.fetch_add(1, Ordering::Relaxed);
                    let (tls, requests) = (Arc::clone(&tls), Arc::clone(&requests));
                    let socket = socket.expect("a connection");
                    // It lives as long as the proxy keeps it.
                    thread::spawn(move || converse(tls, socket, &requests, second));
                }
            }
        });
        Self { url, ca, requests, connections, over, acceptor: Some(acceptor) }
    }

    fn proxy(&self) -> Proxy {
        Proxy::start(&metasv(&self.url, &trusting(self.ca.path())))
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
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
    requests: &AtomicUsize,
    second: Answer,
) -> io::Result<()> {
    let session = ServerConnection::new(tls).expect("the configuration is complete");
    let mut tls: Tls = StreamOwned::new(session, socket);
    tls.read_exact(&mut [0; PREFACE])?;
    tls.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    tls.flush()?;
    loop {
        let (kind, stream) = next_frame(&mut tls)?;
        if kind != HEADERS {
            continue;
        }
        let answer = match requests.fetch_add(1, Ordering::Relaxed) {
            0 => frame(HEADERS, END_STREAM | END_HEADERS, stream, &[STATUS_200]),
            _ => second(stream),
        };
        tls.write_all(&answer)?;
        tls.flush()?;
    }
}

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("frames here are short");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], content].concat()
}

/// Type and stream of the next frame.
fn next_frame(stream: &mut Tls) -> io::Result<(u8, u8)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let length = u64::from(u32::from_be_bytes([0, head[0], head[1], head[2]]));
    io::copy(&mut stream.take(length), &mut io::sink())?;
    Ok((head[3], head[8]))
}

#[test]
fn what_a_provider_says_it_did_not_process_is_not_sent_again() {
    let table: [(&str, Answer, &str); 4] = [
        ("refused", |stream| frame(RST_STREAM, 0, stream, &[0, 0, 0, 7]), "refused stream"),
        ("cancelled", |stream| frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]), "no longer needed"),
        // It has processed the first request, on stream 1, and no other.
        (
            "gone away",
            |_| frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]),
            "not a result of an error",
        ),
        ("driven away", |_| frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 11]), "excessive load"),
    ];
    for (name, second, words) in table {
        let provider = Provider::start(second);
        let proxy = provider.proxy();
        assert_eq!(ask(&proxy, "/x").status, 200, "{name}");
        let reply = ask(&proxy, "/y");
        let problem = reply.json();
        assert_eq!(refusal(&reply), (502, "upstream_closed".to_owned()), "{name}: {problem}");
        assert!(text(&problem, "detail").contains(words), "{name}: {problem}");
        assert_eq!(provider.requests(), 2, "{name}: it was sent once");
        assert_eq!(provider.connections.load(Ordering::Relaxed), 1, "{name}");
    }
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
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` in the static table of RFC 7541.
const STATUS_200: u8 = 0x88;
