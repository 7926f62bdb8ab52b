//! WebSockets: the handshake is signed like any request, the provider's answer is relayed, and
//! after 101 bytes pass untouched, whichever way the client came.

use std::io::Write;
use std::process::Command;
use std::sync::Arc;

use tempfile::NamedTempFile;
use tokio_tungstenite::tungstenite::Error;

use crate::clients::{installed, program};
use crate::support::authority::Authority;
use crate::support::client::{Client, run};
use crate::support::config;
use crate::support::home::Home;
use crate::support::proxy::{Proxy, Signal};
use crate::support::road::{Opened, Road, converse, say_goodbye};
use crate::support::sockets::{Echo, Judge, open, tunnel};
use crate::support::vectors::{load, text};
use crate::support::verify::{Clock, MetaSv};
use crate::support::wait::DEADLINE;

#[test]
fn a_socket_opens_signed_and_carries_every_kind_of_message_whichever_way_it_came() {
    let stage = Stage::new("");
    for (way, open) in Road::WAYS {
        let mut socket = open(&stage.road(), "/mpc/sign").expect("it is accepted");
        stage.proxy.await_metric("countersign_tunnels", 1);
        converse(&mut socket);
        say_goodbye(&mut socket, 4001);
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
fn a_target_of_websockets_own_scheme_means_http() {
    let stage = Stage::new("");
    for (scheme, port, status) in [
        ("ws", "", 101),
        ("wss", "", 101),
        ("WS", ":80", 101),
        ("Wss", ":443", 101),
        ("ws", ":8080", 403),
        ("wsss", "", 400),
    ] {
        let url = format!("{scheme}://apiv2.metasv.com{port}/x");
        let mut client = Client::connect(stage.proxy.forward_url());
        client.send(format!("GET {url} HTTP/1.1\r\nHost: h\r\n{HANDSHAKE}\r\n"));
        assert_eq!(client.bare_reply().status, status, "{url}");
    }
    assert_eq!(stage.echo.arrived().len(), 4);
    assert!(stage.echo.arrived().iter().all(|one| one.once("Host") == Ok("apiv2.metasv.com")));
}

#[test]
fn clients_that_are_told_of_the_proxy_open_sockets_through_it() {
    let stage = Stage::new("");
    for library in ["websocket", "aiohttp"] {
        for scheme in ["ws", "wss"] {
            let output = stage.run_client(library, &format!("{scheme}://apiv2.metasv.com/x"));
            assert_eq!(output, "the first round\n", "{library} {scheme}");
        }
    }
    let arrived = stage.echo.arrived();
    let origins: Vec<_> = arrived.iter().flat_map(|one| one.values("Origin")).collect();
    // websocket-client sends one of its own, and nobody else does.
    assert_eq!(origins, ["http://apiv2.metasv.com", "https://apiv2.metasv.com"]);
    assert_eq!(arrived.len(), 4);
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
    say_goodbye(&mut socket, 4001);
}

/// What asks for a WebSocket (RFC 6455, section 4.1).
const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

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

    fn road(&self) -> Road<'_> {
        Road::new(&self.proxy, "apiv2.metasv.com", "metasv", self.ca.pem())
    }

    fn absolute(&self, path: &str) -> Opened {
        self.road().absolute(path)
    }

    /// Runs `sockets.py`; what it has written.
    fn run_client(&self, library: &str, url: &str) -> String {
        let place = self.proxy.forward_url().trim_start_matches("http://");
        let (host, port) = place.split_once(':').expect("it has a port");
        let mut python = Command::new(installed("venv/bin/python"));
        python.arg(program("sockets.py")).args([library, url, host, port]);
        let output = run(python.arg(self.proxy.home().path(config::CA_FILE)));
        let written = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&written).into_owned()
    }

    fn inside(&self, path: &str) -> Opened {
        self.road().inside(path)
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
