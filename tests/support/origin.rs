//! A provider to send to: an HTTP/1.1 server on threads, without tokio or hyper, so that it has
//! no fault in common with the proxy. It keeps every request as it arrived and lets a [`Handler`]
//! decide the answer.

mod answer;
mod body;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use answer::After;
pub(crate) use answer::{Answer, Handler, echo, metasv, providers, scripted, sinohope, verifying};
pub(crate) use body::digest;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use tempfile::NamedTempFile;

use super::authority::Authority;
use super::names::ANY_PORT;
use super::verify::Arrived;
use super::wire::{Wire, headers, invalid};

/// A running server; stopped, and its threads ended, when dropped.
pub(crate) struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    authority: Option<NamedTempFile>,
    acceptor: Option<JoinHandle<()>>,
}

impl Origin {
    /// Speaks plain HTTP.
    pub(crate) fn start(handler: Handler) -> Self {
        Self::listen(ANY_PORT, handler, None, None)
    }

    /// The same at this address.
    pub(crate) fn start_at(address: SocketAddr, handler: Handler) -> Self {
        Self::listen(address, handler, None, None)
    }

    /// Speaks TLS, with a certificate for these names from an authority of its own.
    pub(crate) fn start_tls(names: &[&str], handler: Handler) -> Self {
        let authority = Authority::new();
        Self::start_tls_with(authority.server(names), &authority.pem(), handler)
    }

    /// Speaks TLS in a way of its own; what is in `trusted` is for those who are to trust it.
    pub(crate) fn start_tls_with(tls: Arc<ServerConfig>, trusted: &str, handler: Handler) -> Self {
        let mut file = NamedTempFile::new().expect("a file can be made");
        file.write_all(trusted.as_bytes()).expect("the file can be written");
        Self::listen(ANY_PORT, handler, Some(tls), Some(file))
    }

    fn listen(
        address: SocketAddr,
        handler: Handler,
        tls: Option<Arc<ServerConfig>>,
        authority: Option<NamedTempFile>,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared =
            Arc::new(Shared { handler, tls, state: Mutex::default(), moved: Condvar::new() });
        let for_acceptor = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &for_acceptor));
        Self { address, shared, authority, acceptor: Some(acceptor) }
    }

    /// `http://` or `https://`, address and port.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The file with the authority to trust; `None` without TLS.
    pub(crate) fn ca(&self) -> Option<&Path> {
        self.authority.as_ref().map(NamedTempFile::path)
    }

    /// Every request so far, in the order they were complete.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.shared.state().arrived.clone()
    }

    /// Waits until so many requests have arrived.
    pub(crate) fn await_arrived(&self, count: usize) -> Vec<Arrived> {
        let few = |state: &mut State| state.arrived.len() < count;
        let waited = self.shared.moved.wait_timeout_while(self.shared.state(), DEADLINE, few);
        let (state, timeout) = waited.expect("no origin thread panicked");
        assert!(!timeout.timed_out(), "{} of {count} requests arrived", state.arrived.len());
        state.arrived.clone()
    }

    /// How many requests have begun, whether or not they became complete.
    pub(crate) fn begun(&self) -> usize {
        self.shared.state().begun
    }

    /// How many bytes of bodies to `/sink` have come.
    pub(crate) fn passed(&self) -> usize {
        self.shared.state().passed
    }

    /// Lets every [`Answer::Held`] go, now and from now on.
    pub(crate) fn release(&self) {
        self.shared.state().released = true;
        self.shared.moved.notify_all();
    }

    /// How many of the connections are still open.
    pub(crate) fn open(&self) -> usize {
        let state = self.shared.state();
        state.connections - state.ended
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stop();
        // Wakes the acceptor, which sees that it is over.
        drop(TcpStream::connect(self.address));
        let ended = self.acceptor.take().map_or(Ok(()), JoinHandle::join);
        assert!(ended.is_ok() || thread::panicking(), "a thread of the origin panicked");
    }
}

/// What the threads have in common.
struct Shared {
    handler: Handler,
    tls: Option<Arc<ServerConfig>>,
    state: Mutex<State>,
    /// Notified when a request arrives and when the origin stops.
    moved: Condvar,
}

#[derive(Default)]
struct State {
    arrived: Vec<Arrived>,
    /// Heads, whether or not their bodies followed.
    begun: usize,
    /// Bytes of bodies that are not kept.
    passed: usize,
    connections: usize,
    ended: usize,
    sockets: Vec<TcpStream>,
    released: bool,
    stopped: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no origin thread panicked")
    }

    /// Takes a connection into account; false when it is too late for one.
    fn admit(&self, socket: &TcpStream) -> bool {
        let mut state = self.state();
        if state.stopped {
            return false;
        }
        state.connections += 1;
        state.sockets.extend(socket.try_clone());
        true
    }

    fn record(&self, request: Arrived) {
        self.state().arrived.push(request);
        self.moved.notify_all();
    }

    fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        for socket in state.sockets.drain(..) {
            // One that the peer has closed cannot be shut down, and need not be.
            let _closed = socket.shutdown(Shutdown::Both);
        }
        drop(state);
        self.moved.notify_all();
    }

    fn wait_for_release(&self) {
        let held = |state: &mut State| !state.released && !state.stopped;
        drop(self.moved.wait_while(self.state(), held).expect("no origin thread panicked"));
    }

    fn wait_for_stop(&self) {
        let going = |state: &mut State| !state.stopped;
        drop(self.moved.wait_while(self.state(), going).expect("no origin thread panicked"));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections = Vec::new();
    for socket in listener.incoming() {
        let socket = socket.expect("the listener accepts");
        if !shared.admit(&socket) {
            break;
        }
        let shared = Arc::clone(shared);
        connections.push(thread::spawn(move || serve(&shared, socket)));
    }
    for connection in connections {
        connection.join().expect("a handler panicked");
    }
}

/// Serves one connection. Its errors end it, as they would at any server; the client sees that.
fn serve(shared: &Shared, socket: TcpStream) {
    let _unbuffered = socket.set_nodelay(true);
    let last = socket.try_clone().expect("a socket can be shared");
    let _ended = match &shared.tls {
        None => converse(shared, &mut Wire::new(socket)),
        Some(config) => {
            let session = ServerConnection::new(Arc::clone(config));
            let session = session.expect("the configuration is complete");
            converse(shared, &mut Wire::new(StreamOwned::new(session, socket)))
        }
    };
    // The origin has the socket in its list, so dropping it here would not close it.
    let _closed = last.shutdown(Shutdown::Both);
    shared.state().ended += 1;
}

fn converse<S: Read + Write>(shared: &Shared, wire: &mut Wire<S>) -> io::Result<()> {
    loop {
        let Some(head) = wire.head()? else {
            return Ok(());
        };
        shared.state().begun += 1;
        let answered = match parse(&head) {
            Ok(request) => respond(shared, wire, request),
            Err(why) => Err(why),
        };
        match answered {
            Ok(After::KeepOpen) => {}
            Ok(After::Close) => return Ok(()),
            Ok(After::WaitForStop) => {
                shared.wait_for_stop();
                return Ok(());
            }
            Ok(After::WaitForPeer) => return wire.rest().map(drop),
            Err(why) => {
                let refusal = json!({ "ok": false, "reason": why.to_string() });
                Answer::json(400, &refusal).write("", wire)?;
                return Err(why);
            }
        }
    }
}

fn respond<S: Read + Write>(
    shared: &Shared,
    wire: &mut Wire<S>,
    mut request: Arrived,
) -> io::Result<After> {
    if request.path() == EARLY {
        let method = request.method.clone();
        shared.record(request);
        let refusal = json!({ "ok": false, "reason": "not even read" });
        Answer::json(401, &refusal).write(&method, wire)?;
        return Ok(After::WaitForStop);
    }
    request.body = body::read(wire, &request, shared)?;
    shared.record(request.clone());
    let answer = (shared.handler)(&request);
    if let Answer::Held(_) = answer {
        shared.wait_for_release();
    }
    let after = answer.write(&request.method, wire)?;
    let last = request.values("Connection").iter().any(|value| value.eq_ignore_ascii_case("close"));
    Ok(if last && after == After::KeepOpen { After::Close } else { after })
}

fn parse(head: &[u8]) -> io::Result<Arrived> {
    let mut fields = [httparse::EMPTY_HEADER; 300];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(head).map_err(|why| invalid(format!("not a request: {why}")))?;
    Ok(Arrived {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        headers: headers(request.headers),
        body: Vec::new(),
    })
}

/// Answered 401 before the body is read; afterwards the socket stays open and unread.
const EARLY: &str = "/early";
const DEADLINE: Duration = Duration::from_secs(60);
