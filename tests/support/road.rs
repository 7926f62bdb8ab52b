//! The ways to a WebSocket behind a proxy, and what is said on one.

use std::io::{Read, Write};

use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use super::proxy::Proxy;
use super::sockets::{Duplex, connect, open, tls, tunnel};

/// The way to a host with a route, through a proxy whose authority is known.
#[derive(Debug)]
pub(crate) struct Road<'a> {
    proxy: &'a Proxy,
    host: &'a str,
    route: &'a str,
    ca: String,
}

/// A socket, or why there is none.
pub(crate) type Opened = Result<WebSocket<Box<dyn Duplex>>, Box<Error>>;

/// Opens a socket with a path.
pub(crate) type Way = fn(&Road<'_>, &str) -> Opened;

impl<'a> Road<'a> {
    pub(crate) fn new(proxy: &'a Proxy, host: &'a str, route: &'a str, ca: String) -> Self {
        Self { proxy, host, route, ca }
    }

    /// All there are.
    pub(crate) const WAYS: [(&'static str, Way); 4] = [
        ("absolute-form", |road, path| road.absolute(path)),
        ("gateway", |road, path| road.gateway(path)),
        ("plain inside CONNECT", |road, path| road.inside(path)),
        ("TLS inside CONNECT", |road, path| road.secure(path)),
    ];

    /// Through the forward listener, as a client that knows of the proxy.
    pub(crate) fn absolute(&self, path: &str) -> Opened {
        let (stream, host) = (connect(self.proxy.forward_url()), self.host.to_owned());
        let stream = Absolute { stream, host, written: false };
        open(Box::new(stream), &format!("ws://{}{path}", self.host))
    }

    /// Through the gateway, as a client that takes the proxy for the provider.
    pub(crate) fn gateway(&self, path: &str) -> Opened {
        let gateway = self.proxy.gateway_url();
        let url = format!("{}/{}{path}", gateway.replace("http://", "ws://"), self.route);
        open(Box::new(connect(gateway)), &url)
    }

    /// In TLS inside a CONNECT, as most clients do.
    pub(crate) fn secure(&self, path: &str) -> Opened {
        let stream = tunnel(self.proxy.forward_url(), &format!("{}:443", self.host));
        let stream = tls(stream, self.host, &self.ca);
        open(Box::new(stream), &format!("wss://{}{path}", self.host))
    }

    /// Plain inside a CONNECT, as Python's websockets does.
    pub(crate) fn inside(&self, path: &str) -> Opened {
        let stream = tunnel(self.proxy.forward_url(), &format!("{}:80", self.host));
        open(Box::new(stream), &format!("ws://{}{path}", self.host))
    }
}

/// Text, binary, in pieces, and large: each comes back as it went.
pub(crate) fn converse<S: Read + Write>(socket: &mut WebSocket<S>) {
    let megabyte: Vec<u8> = (0..1_u32 << 20).map(|number| number.to_le_bytes()[0]).collect();
    for message in [
        Message::text("{\"src\":\"co_signer0\",\"bc_msg\":\"ü\"}"),
        Message::binary(vec![0, 255, 10, 13]),
        Message::text(""),
        Message::binary(megabyte.clone()),
        Message::text("x".repeat(1 << 20)),
    ] {
        socket.send(message.clone()).expect("it can be sent");
        assert!(socket.read().expect("it comes back") == message, "another message came back");
    }
    let pieces: Vec<_> = megabyte.chunks(100_000).collect();
    for (number, piece) in pieces.iter().enumerate() {
        let kind = if number == 0 { Data::Binary } else { Data::Continue };
        let last = number + 1 == pieces.len();
        let frame = Frame::message(piece.to_vec(), OpCode::Data(kind), last);
        socket.send(Message::Frame(frame)).expect("a piece can be sent");
    }
    assert!(socket.read().expect("it comes back") == Message::binary(megabyte));
    socket.send(Message::Ping("p".into())).expect("it can be sent");
    assert_eq!(socket.read().expect("it is answered"), Message::Pong("p".into()));
}

/// A close code of an application's own comes back as it went, and both ends are closed.
pub(crate) fn say_goodbye<S: Read + Write>(socket: &mut WebSocket<S>, code: u16) {
    let goodbye = CloseFrame { code: CloseCode::Library(code), reason: "success".into() };
    socket.close(Some(goodbye.clone())).expect("it can be sent");
    assert_eq!(socket.read().expect("it is answered"), Message::Close(Some(goodbye)));
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
}

/// Writes the first request's target in absolute form, which the library does not.
struct Absolute<S> {
    stream: S,
    host: String,
    written: bool,
}

impl<S: Read> Read for Absolute<S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl<S: Write> Write for Absolute<S> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.written && bytes.starts_with(b"GET /") {
            self.written = true;
            write!(self.stream, "GET http://{}/", self.host)?;
            return Ok(b"GET /".len());
        }
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}
