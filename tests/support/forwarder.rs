//! A company's proxy: takes CONNECT, notes what it was asked, and connects to one place whatever
//! was asked for.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::names::ANY_PORT;
use super::wire::{Headers, Wire, headers, invalid};

/// What it does when it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Conduct {
    /// It connects, to the given place.
    Connect(SocketAddr),
    /// It answers with this head, and closes.
    Answer(&'static str),
    /// It never answers.
    Hang,
}

/// A request for a tunnel.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Headers,
}

impl Asked {
    /// Every value of a header, whatever the case of its name.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let of_name = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str()).collect()
    }
}

/// A running proxy; stopped when dropped.
pub(crate) struct Forwarder {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    conduct: Conduct,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    sockets: Vec<TcpStream>,
    stopped: bool,
}

impl Forwarder {
    pub(crate) fn start(conduct: Conduct) -> Self {
        Self::start_at(ANY_PORT, conduct)
    }

    /// The same at this address.
    pub(crate) fn start_at(address: SocketAddr, conduct: Conduct) -> Self {
        let listener = TcpListener::bind(address).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared { conduct, state: Mutex::default() });
        let for_acceptor = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &for_acceptor));
        Self { address, shared, acceptor: Some(acceptor) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://address:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.state.lock().expect("no thread panicked").asked.clone()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock().expect("no thread panicked");
        state.stopped = true;
        for socket in state.sockets.drain(..) {
            let _closed = socket.shutdown(Shutdown::Both);
        }
        drop(state);
        drop(TcpStream::connect(self.address));
        let ended = self.acceptor.take().map_or(Ok(()), JoinHandle::join);
        assert!(ended.is_ok() || thread::panicking(), "a thread of the forwarder panicked");
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections = Vec::new();
    for socket in listener.incoming() {
        let socket = socket.expect("the listener accepts");
        let mut state = shared.state.lock().expect("no thread panicked");
        if state.stopped {
            break;
        }
        state.sockets.extend(socket.try_clone());
        drop(state);
        let shared = Arc::clone(shared);
        connections.push(thread::spawn(move || {
            let last = socket.try_clone().expect("a socket can be shared");
            let _ended = serve(&shared, socket);
            let _closed = last.shutdown(Shutdown::Both);
        }));
    }
    for connection in connections {
        connection.join().expect("a connection's thread does not panic");
    }
}

fn serve(shared: &Shared, socket: TcpStream) -> io::Result<()> {
    let mut wire = Wire::new(socket.try_clone()?);
    let Some(head) = wire.head()? else { return Ok(()) };
    shared.state.lock().expect("no thread panicked").asked.push(parse(&head)?);
    let place = match shared.conduct {
        Conduct::Connect(place) => place,
        Conduct::Answer(head) => return wire.send(head.as_bytes()),
        Conduct::Hang => return wire.rest().map(drop),
    };
    let server = TcpStream::connect(place)?;
    shared.state.lock().expect("no thread panicked").sockets.extend(server.try_clone());
    wire.send(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 forwarder\r\n\r\n")?;
    let (from, to) = (server.try_clone()?, socket.try_clone()?);
    let back = thread::spawn(move || copy(from, to));
    copy(socket, server);
    back.join().expect("copying does not panic");
    Ok(())
}

pub(super) fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut block = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut block) {
        if to.write_all(&block[..count]).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(Shutdown::Both);
}

fn parse(head: &[u8]) -> io::Result<Asked> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(head).map_err(|why| invalid(format!("not a request: {why}")))?;
    Ok(Asked {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        headers: headers(request.headers),
    })
}
