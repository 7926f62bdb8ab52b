//! WebSockets at both ends: a provider that echoes messages, on threads, and clients that come to
//! it in their several ways.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, WebSocket, accept_hdr_with_config};

use super::client::trusting;
use super::verify::Arrived;

/// Whether a handshake is taken; the reason when it is not.
pub(crate) type Judge = Arc<dyn Fn(&Arrived) -> Result<(), String> + Send + Sync>;

/// A provider whose WebSockets echo every message.
pub(crate) struct Echo {
    address: SocketAddr,
    scheme: &'static str,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

/// What can carry a WebSocket.
pub(crate) trait Duplex: Read + Write {}
impl<S: Read + Write> Duplex for S {}

impl Echo {
    /// Takes handshakes that `judge` does not object to; answers 401 to others.
    pub(crate) fn start(judge: Judge) -> Self {
        Self::listen(judge, None)
    }

    /// The same with TLS.
    pub(crate) fn start_tls(judge: Judge, tls: Arc<ServerConfig>) -> Self {
        Self::listen(judge, Some(tls))
    }

    fn listen(judge: Judge, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&arrived);
        // Ends with the test's process: it holds nothing but its port.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (judge, tls, seen) = (Arc::clone(&judge), tls.clone(), Arc::clone(&seen));
                thread::spawn(move || match tls {
                    None => serve(stream, &judge, &seen),
                    Some(tls) => {
                        let tls = ServerConnection::new(tls).expect("the configuration is right");
                        serve(StreamOwned::new(tls, stream), &judge, &seen);
                    }
                });
            }
        });
        Self { address, scheme, arrived }
    }

    /// Scheme, address and port.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The handshakes so far.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().expect("no server thread panicked").clone()
    }
}

fn serve<S: Read + Write>(stream: S, judge: &Judge, seen: &Mutex<Vec<Arrived>>) {
    #[expect(clippy::result_large_err, reason = "tungstenite wants the answer itself")]
    let verdict = |request: &Request, response: Response| {
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let arrived = Arrived {
            method: request.method().to_string(),
            target: request.uri().to_string(),
            headers: request.headers().iter().map(header).collect(),
            body: Vec::new(),
        };
        let judged = judge(&arrived);
        seen.lock().expect("no server thread panicked").push(arrived);
        judged.map(|()| agreed(request, response)).map_err(|reason| {
            let length = reason.len().to_string().parse().expect("digits are a value");
            let mut refusal = ErrorResponse::new(Some(reason));
            refusal.headers_mut().insert("content-length", length);
            *refusal.status_mut() = http::StatusCode::UNAUTHORIZED;
            refusal
        })
    };
    let Ok(mut socket) = accept_hdr_with_config(stream, verdict, Some(large())) else { return };
    while let Ok(message) = socket.read() {
        if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
            return;
        }
    }
}

/// Takes the protocol that is offered, and the extensions where they are none that it would have
/// to master.
fn agreed(request: &Request, mut response: Response) -> Response {
    for name in ["sec-websocket-protocol", "sec-websocket-extensions"] {
        let offered = request.headers().get(name);
        if let Some(offered) = offered.filter(|offered| !offered.as_bytes().starts_with(b"perm")) {
            response.headers_mut().insert(name, offered.clone());
        }
    }
    response
}

/// Room for messages of some MiB, in one frame or many.
pub(crate) fn large() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(16 << 20)).max_frame_size(Some(16 << 20))
}

/// Opens a WebSocket on a stream that leads to where `url` says.
pub(crate) fn open<S: Read + Write>(
    stream: S,
    url: &str,
) -> Result<WebSocket<S>, Box<tungstenite::Error>> {
    let request = tungstenite::client::IntoClientRequest::into_client_request(url);
    let request = request.expect("the url is right");
    tungstenite::client::client_with_config(request, stream, Some(large()))
        .map(|(socket, _)| socket)
        .map_err(|error| match error {
            tungstenite::HandshakeError::Failure(error) => Box::new(error),
            tungstenite::HandshakeError::Interrupted(_) => unreachable!("the stream blocks"),
        })
}

/// A connection to `http://address`, with a deadline.
pub(crate) fn connect(url: &str) -> TcpStream {
    let address = url.trim_start_matches("http://");
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(super::wait::DEADLINE)).expect("a socket can have a deadline");
    stream
}

/// A tunnel through a proxy, opened with CONNECT.
pub(crate) fn tunnel(proxy: &str, place: &str) -> TcpStream {
    let mut stream = connect(proxy);
    let request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the proxy takes the bytes");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the proxy answers");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&head));
    stream
}

/// TLS for `name` on a stream that was plain so far.
pub(crate) fn tls(
    stream: TcpStream,
    name: &str,
    ca: &str,
) -> StreamOwned<ClientConnection, TcpStream> {
    let name = name.to_owned().try_into().expect("a name");
    let tls = ClientConnection::new(trusting(ca, &[b"http/1.1"]), name);
    StreamOwned::new(tls.expect("the settings are right"), stream)
}
