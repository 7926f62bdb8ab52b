//! A provider that speaks HTTP/2, over TLS and by ALPN, and takes no `Host` beside `:authority`. Its answers are those of a [`Handler`];
//! what it is odd about is by path.

use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::authority::{Authority, serve};
use super::origin::{Answer, Handler, digest};
use super::verify::Arrived;
use super::wait::eventually;

/// A running server; stopped when dropped.
pub(crate) struct H2Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    authority: NamedTempFile,
    _runtime: Runtime,
}

struct Shared {
    handler: Handler,
    /// What it takes of each body at first, in bytes.
    window: u32,
    /// How many streams it takes at a time.
    streams: u32,
    state: Mutex<State>,
    released: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    arrived: Vec<Arrived>,
    begun: usize,
    connections: usize,
    refused: usize,
    open: usize,
    unread: Vec<Incoming>,
    trailers: usize,
    spared: bool,
}

impl H2Origin {
    /// With a certificate for these names from an authority of its own.
    pub(crate) fn start(names: &[&str], handler: Handler) -> Self {
        let authority = Authority::new();
        let tls = serve(authority.issue(names, |_| ()), &["h2", "http/1.1"], None);
        Self::start_with(tls, &authority.pem(), handler)
    }

    /// How many fields came behind bodies.
    pub(crate) fn trailers(&self) -> usize {
        self.shared.state().trailers
    }

    /// The same, but it takes no byte of a body that it does not ask for.
    pub(crate) fn start_closed(names: &[&str], handler: Handler) -> Self {
        let authority = Authority::new();
        let tls = serve(authority.issue(names, |_| ()), &["h2"], None);
        Self::listen(tls, &authority.pem(), handler, (0, STREAMS))
    }

    /// The same, but it takes no more than so many streams at a time.
    pub(crate) fn start_narrow(names: &[&str], handler: Handler, streams: u32) -> Self {
        let authority = Authority::new();
        let tls = serve(authority.issue(names, |_| ()), &["h2"], None);
        Self::listen(tls, &authority.pem(), handler, (WINDOW, streams))
    }

    /// With TLS of its own; what is in `trusted` is for those who are to trust it.
    pub(crate) fn start_with(tls: Arc<ServerConfig>, trusted: &str, handler: Handler) -> Self {
        Self::listen(tls, trusted, handler, (WINDOW, STREAMS))
    }

    fn listen(tls: Arc<ServerConfig>, trusted: &str, handler: Handler, takes: (u32, u32)) -> Self {
        let mut authority = NamedTempFile::new().expect("a file can be made");
        authority.write_all(trusted.as_bytes()).expect("the file can be written");
        let runtime = Runtime::new().expect("a runtime can be started");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (state, released) = (Mutex::default(), watch::Sender::new(false));
        let shared =
            Arc::new(Shared { handler, window: takes.0, streams: takes.1, state, released });
        runtime.spawn(accept(listener, TlsAcceptor::from(tls), Arc::clone(&shared)));
        Self { address, shared, authority, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file with the authority to trust.
    pub(crate) fn ca(&self) -> &Path {
        self.authority.path()
    }

    /// Every complete request; `:authority` is among the headers.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.shared.state().arrived.clone()
    }

    /// How many requests have begun, whether or not they became complete.
    pub(crate) fn begun(&self) -> usize {
        self.shared.state().begun
    }

    /// How many connections came to speak HTTP/2.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// How many handshakes it refused.
    pub(crate) fn refused(&self) -> usize {
        self.shared.state().refused
    }

    /// Waits until so many of the connections are open.
    pub(crate) fn await_open(&self, count: usize) {
        eventually("the other connections end", || self.shared.state().open == count);
    }

    /// Lets `/held`, `/mute` and `/leaving` go, now and from now on.
    pub(crate) fn release(&self) {
        self.shared.released.send_replace(true);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no task panicked")
    }

    async fn wait_for_release(&self) {
        let mut released = self.released.subscribe();
        let _released = released.wait_for(|released| *released).await;
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(connection(socket, tls.clone(), Arc::clone(&shared)));
    }
}

async fn connection(socket: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    let Ok(stream) = tls.accept(socket).await else {
        shared.state().refused += 1;
        return;
    };
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    shared.state().connections += 1;
    shared.state().open += 1;
    let leave = watch::Sender::new(Leave::Not);
    let (leaving, mut left) = (leave.clone(), leave.subscribe());
    let for_service = Arc::clone(&shared);
    let service =
        service_fn(move |request| respond(Arc::clone(&for_service), leaving.clone(), request));
    let mut serving = std::pin::pin!(
        http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(shared.window)
            .max_concurrent_streams(shared.streams)
            .serve_connection(TokioIo::new(stream), service)
    );
    loop {
        tokio::select! {
            _ended = serving.as_mut() => break,
            changed = left.changed() => {
                let how = *left.borrow_and_update();
                match how {
                    Leave::Abruptly => break,
                    Leave::Politely if changed.is_ok() => serving.as_mut().graceful_shutdown(),
                    Leave::Politely | Leave::Not => {}
                }
            }
        }
    }
    shared.state().open -= 1;
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Not,
    /// With a GOAWAY; what is under way is finished.
    Politely,
    /// By closing the socket.
    Abruptly,
}

type Outgoing = Response<BoxBody<Bytes, Infallible>>;

async fn respond(
    shared: Arc<Shared>,
    leave: watch::Sender<Leave>,
    request: Request<Incoming>,
) -> Result<Outgoing, Box<dyn Error + Send + Sync>> {
    shared.state().begun += 1;
    let (parts, body) = request.into_parts();
    // As nginx has it up to 1.29.0.
    if parts.uri.authority().is_some() && parts.headers.contains_key(HOST) {
        return Ok(plain(400, "client sent duplicate host header"));
    }
    let mut arrived = Arrived {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let authority = parts.uri.authority().map(ToString::to_string);
    arrived.headers.extend(authority.map(|value| (":authority".to_owned(), value)));
    for (name, value) in &parts.headers {
        let value = value.as_bytes().iter().copied().map(char::from).collect();
        arrived.headers.push((name.to_string(), value));
    }
    match arrived.path() {
        // Answered before the body is read; it is refused by dropping it.
        "/early" => return Ok(plain(401, "not even read")),
        // Answered when it is released; the body is neither read nor refused.
        "/mute" => {
            shared.wait_for_release().await;
            shared.state().unread.push(body);
            return Ok(plain(401, "not even read"));
        }
        "/deaf" => {
            shared.wait_for_release().await;
            drop(body);
            return Ok(plain(200, "late"));
        }
        // Not processed, by its own word; the one that is spared comes again.
        path @ ("/refused" | "/refused-once") => {
            let mut state = shared.state();
            if path == "/refused" || !std::mem::replace(&mut state.spared, true) {
                state.arrived.push(arrived);
                let refused = h2::Error::from(h2::Reason::REFUSED_STREAM);
                return Err(refused.into());
            }
        }
        "/reset" => return Err("reset".into()),
        "/cut" => {
            leave.send_replace(Leave::Abruptly);
            return std::future::pending().await;
        }
        "/leaving" => {
            leave.send_replace(Leave::Politely);
            shared.wait_for_release().await;
        }
        "/held" => shared.wait_for_release().await,
        _ => {}
    }
    let body = body.collect().await?;
    let trailers = body.trailers().map_or(0, http::HeaderMap::len);
    shared.state().trailers += trailers;
    let body = body.to_bytes();
    let sink = arrived.path() == "/sink";
    arrived.body = if sink { digest(&body).into_bytes() } else { body.to_vec() };
    shared.state().arrived.push(arrived.clone());
    let Answer::Whole { status, headers, body } = (shared.handler)(&arrived) else {
        panic!("only whole answers are known here");
    };
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(name, value);
    }
    Ok(answer.body(Full::new(Bytes::from(body)).boxed()).expect("an answer"))
}

fn plain(status: u16, text: &'static str) -> Outgoing {
    let body = Full::new(Bytes::from_static(text.as_bytes())).boxed();
    Response::builder().status(status).body(body).expect("an answer")
}

const WINDOW: u32 = 64 * 1024;
const STREAMS: u32 = 200;
