//! WebSockets: the handshake is signed like any request, the provider's answer is relayed, and
//! after 101 bytes pass untouched, whichever way the client came.

use std::io::{Read, Write};
use std::sync::Arc;

use tempfile::NamedTempFile;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use crate::support::authority::Authority;
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::proxy::{Proxy, Signal};
use crate::support::sockets::{Duplex, Echo, Judge, connect, open, tls, tunnel};
use crate::support::vectors::{load, text};
use crate::support::verify::{Clock, MetaSv};
use crate::support::wait::DEADLINE;

#[test]
fn a_socket_opens_signed_and_carries_every_kind_of_message_whichever_way_it_came() {
    let stage = Stage::new("");
    let ways: [(&str, Way); 4] = [
        ("absolute-form", |stage| stage.absolute("/mpc/sign").expect("it is accepted")),
        ("gateway", |stage| stage.gateway("/mpc/sign").expect("it is accepted")),
        ("plain inside CONNECT", |stage| stage.inside("/mpc/sign").expect("it is accepted")),
        ("TLS inside CONNECT", |stage| stage.secure("/mpc/sign").expect("it is accepted")),
    ];
    for (way, come) in ways {
        let mut socket = come(&stage);
        stage.proxy.await_metric("countersign_tunnels", 1);
        converse(&mut socket);
        say_goodbye(&mut socket);
        drop(socket);
        stage.proxy.await_metric("countersign_tunnels", 0);
        let arrived = stage.echo.arrived();
        let last = arrived.last().expect("a handshake has arrived");
        assert_eq!(last.target, "/mpc/sign", "{way}");
        assert_eq!(last.once("Host"), Ok("apiv2.metasv.com"), "{way}");
    }
    stage.proxy.await_metric("countersign_connections", 1);
    assert_eq!(stage.echo.arrived().len(), 4);
}

#[test]
fn a_provider_that_refuses_the_handshake_is_heard() {
    let stage = Stage::new("");
    let refused = stage.absolute("/refuse").err().expect("it is refused");
    let Error::Http(answer) = *refused else { panic!("{refused} is no answer") };
    assert_eq!(answer.status(), 401);
    let body = answer.body().as_deref().unwrap_or_default();
    assert_eq!(String::from_utf8_lossy(body), "not this one");
    assert!(answer.headers().get("proxy-status").is_none(), "the answer is the provider's");
    stage.proxy.await_metric("countersign_tunnels", 0);
}

#[test]
fn a_socket_beyond_the_limit_is_refused_before_the_provider_hears_of_it() {
    let stage = Stage::new("[limits]\ntunnels = 1\n");
    let first = stage.absolute("/x").expect("there is room for one");
    let refused = stage.absolute("/x").err().expect("there is no room for two");
    let Error::Http(answer) = *refused else { panic!("{refused} is no answer") };
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert_eq!(stage.echo.arrived().len(), 1);
    drop(first);
    stage.proxy.await_metric("countersign_tunnels", 0);
    stage.absolute("/x").expect("there is room again");
}

#[test]
fn a_silent_socket_is_closed_and_a_stop_ends_those_that_are_open() {
    let stage = Stage::new("[timeouts]\ntunnel_idle = \"300ms\"\n");
    let mut socket = stage.absolute("/x").expect("it is accepted");
    assert!(socket.read().is_err(), "nobody said anything");
    stage.proxy.await_metric("countersign_tunnels", 0);

    let mut stage = Stage::new("[timeouts]\ndrain = \"300ms\"\n");
    let mut socket = stage.absolute("/x").expect("it is accepted");
    converse(&mut socket);
    stage.proxy.signal(Signal::Terminate);
    assert!(socket.read().is_err(), "the proxy has gone");
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
}

#[test]
fn a_client_that_leaves_without_a_word_takes_the_provider_with_it() {
    let stage = Stage::new("");
    for _ in 0..5 {
        drop(stage.inside("/x").expect("it is accepted"));
    }
    stage.proxy.await_metric("countersign_tunnels", 0);
    stage.proxy.await_metric("countersign_connections", 1);
}

#[test]
fn an_upgrade_to_something_else_is_no_upgrade() {
    let stage = Stage::new("");
    let mut client = Client::connect(stage.proxy.forward_url());
    let reply = client.exchange(
        "GET http://apiv2.metasv.com/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
    );
    // The echo server takes nothing but handshakes.
    assert_ne!(reply.status, 101);
    assert_eq!(stage.proxy.metric("countersign_tunnels"), 0);
}

type Way = fn(&Stage) -> WebSocket<Box<dyn Duplex>>;

#[test]
fn a_provider_with_tls_is_spoken_to_in_http1() {
    let authority = Authority::new();
    let mut file = NamedTempFile::new().expect("a file can be made");
    file.write_all(authority.pem().as_bytes()).expect("the file can be written");
    let echo = Echo::start_tls(judge(), authority.server(&["apiv2.metasv.com"]));
    let metasv = config::metasv(&echo.url(), Some(file.path()));
    let proxy = Proxy::start(&config::proxy(&[metasv]));
    let stream = tunnel(proxy.forward_url(), "apiv2.metasv.com:80");
    let mut socket = open(stream, "ws://apiv2.metasv.com/x").expect("it is accepted");
    converse(&mut socket);
    say_goodbye(&mut socket);
}

/// Text, binary, in pieces, and large: each comes back as it went.
fn converse<S: Read + Write>(socket: &mut WebSocket<S>) {
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
fn say_goodbye<S: Read + Write>(socket: &mut WebSocket<S>) {
    let goodbye = CloseFrame { code: CloseCode::Library(4001), reason: "success".into() };
    socket.close(Some(goodbye.clone())).expect("it can be sent");
    assert_eq!(socket.read().expect("it is answered"), Message::Close(Some(goodbye)));
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
}

/// A provider with WebSockets, and a proxy that signs for it as for MetaSV.
struct Stage {
    echo: Echo,
    proxy: Proxy,
    ca: Authority,
}

impl Stage {
    fn new(tables: &str) -> Self {
        let echo = Echo::start(judge());
        let metasv = config::metasv(&echo.url(), None);
        let tables = [metasv, config::INTERCEPT.to_owned(), tables.to_owned()];
        let ca = Authority::new();
        let home = Home::new(&config::proxy(&tables));
        home.write(config::CA_FILE, &ca.pem());
        home.write(config::CA_KEY_FILE, &ca.key_pem());
        Self { echo, proxy: Proxy::start_in(home, &[]), ca }
    }

    /// Through the forward listener, as a client that knows of the proxy.
    fn absolute(&self, path: &str) -> Result<WebSocket<Box<dyn Duplex>>, Box<Error>> {
        let stream = Absolute(connect(self.proxy.forward_url()), false);
        open(Box::new(stream), &format!("ws://apiv2.metasv.com{path}"))
    }

    /// Through the gateway, as a client that takes the proxy for the provider.
    fn gateway(&self, path: &str) -> Result<WebSocket<Box<dyn Duplex>>, Box<Error>> {
        let gateway = self.proxy.gateway_url();
        let url = format!("{}/metasv{path}", gateway.replace("http://", "ws://"));
        open(Box::new(connect(gateway)), &url)
    }

    /// In TLS inside a CONNECT, as most clients do.
    fn secure(&self, path: &str) -> Result<WebSocket<Box<dyn Duplex>>, Box<Error>> {
        let stream = tunnel(self.proxy.forward_url(), "apiv2.metasv.com:443");
        let stream = tls(stream, "apiv2.metasv.com", &self.ca.pem());
        open(Box::new(stream), &format!("wss://apiv2.metasv.com{path}"))
    }

    /// Plain inside a CONNECT, as Python's websockets does.
    fn inside(&self, path: &str) -> Result<WebSocket<Box<dyn Duplex>>, Box<Error>> {
        let stream = tunnel(self.proxy.forward_url(), "apiv2.metasv.com:80");
        open(Box::new(stream), &format!("ws://apiv2.metasv.com{path}"))
    }
}

/// Takes what MetaSV's client has signed, but for one path.
fn judge() -> Judge {
    let vectors = load("metasv");
    let key = text(&vectors, "/keys/test-a/public_key_compressed_hex");
    let provider = MetaSv::signature(key, Clock::Running);
    Arc::new(move |arrived| {
        provider.check(arrived)?;
        if arrived.target == "/refuse" { Err("not this one".to_owned()) } else { Ok(()) }
    })
}

/// Writes the first request's target in absolute form, which the library does not.
struct Absolute<S>(S, bool);

impl<S: Read> Read for Absolute<S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<S: Write> Write for Absolute<S> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.1 && bytes.starts_with(b"GET /") {
            self.1 = true;
            self.0.write_all(b"GET http://apiv2.metasv.com/")?;
            return Ok(b"GET /".len());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}
