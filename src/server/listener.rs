//! One listening socket: TCP, or a Unix socket that only its owner can open.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as Tcp};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener as Unix;
use std::path::PathBuf;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::shared::Role;
use super::stream::Duplex;
use crate::access::OwnNames;
use crate::config::Endpoint;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::refusal::Refusal;
use crate::socket_file;
use crate::tunnel::keep_alive;

/// A bound socket, which waits for no runtime yet.
#[derive(Debug)]
pub struct Bound {
    role: Role,
    socket: Bare,
    place: Place,
}

#[derive(Debug)]
enum Bare {
    Tcp(Tcp),
    Unix(Unix),
}

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    role: Role,
    inner: Inner,
    place: Place,
}

#[derive(Debug)]
enum Inner {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Where a listener is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Listening {
    /// An address, with the port the system chose where the configuration said 0.
    Tcp(SocketAddr),
    /// A path.
    Unix(PathBuf),
}

impl Listening {
    /// The address, if it is one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

/// Where a listener is; its socket's name goes when this does, unless it is another's.
#[derive(Debug)]
struct Place {
    at: Listening,
    ours: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let (Listening::Unix(path), true) = (&self.at, self.ours) {
            let _gone_already = fs::remove_file(path);
        }
    }
}

impl Bound {
    /// Binds an endpoint.
    ///
    /// # Errors
    ///
    /// When the address is taken, not ours, or not allowed.
    pub fn at(role: Role, endpoint: &Endpoint) -> Result<Self, Problem> {
        let (socket, place) = match endpoint {
            Endpoint::Tcp(address) => {
                let bound = tcp(*address).and_then(|listener| {
                    keep_alive(&listener)?;
                    listener.local_addr().map(|address| (listener, address))
                });
                let (listener, address) = bound.map_err(|error| refused(role, address, &error))?;
                (Bare::Tcp(listener), Listening::Tcp(address))
            }
            Endpoint::Unix(path) => {
                let bound = socket_file::bind(path, 0o600);
                let listener = bound.map_err(|error| refused(role, path.display(), &error))?;
                (Bare::Unix(listener), Listening::Unix(path.clone()))
            }
        };
        Ok(Self { role, socket, place: Place { at: place, ours: true } })
    }

    /// The same with a socket that is bound to the endpoint already.
    ///
    /// # Errors
    ///
    /// When it cannot listen, or others than its owner may connect to a Unix socket.
    pub fn handed(role: Role, endpoint: &Endpoint, socket: Socket) -> Result<Self, Problem> {
        let ready = socket.set_nonblocking(true).and_then(|()| socket.listen(WAITING));
        let (socket, at) = match endpoint {
            Endpoint::Tcp(address) => {
                let kept = ready.and_then(|()| keep_alive(&socket));
                kept.map_err(|error| refused(role, address, &error))?;
                (Bare::Tcp(socket.into()), Listening::Tcp(*address))
            }
            Endpoint::Unix(path) => {
                let mode = ready.and_then(|()| Ok(fs::metadata(path)?.permissions().mode()));
                let mode = mode.map_err(|error| refused(role, path.display(), &error))? & 0o777;
                // connect(2) asks for the right to write.
                if mode & 0o022 != 0 {
                    let what = format!(
                        "{} has mode {mode:04o}, and whoever can open it has requests signed",
                        path.display()
                    );
                    return Err(Problem::new(
                        what,
                        "write SocketMode=0600 in its socket unit, and SocketUser=",
                    ));
                }
                (Bare::Unix(OwnedFd::from(socket).into()), Listening::Unix(path.clone()))
            }
        };
        Ok(Self { role, socket, place: Place { at, ours: false } })
    }
}

/// A socket as tokio binds it: whose address may be had again at once, and which does not block.
fn tcp(address: SocketAddr) -> io::Result<Tcp> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(WAITING)?;
    Ok(socket.into())
}

/// Connections that nobody has accepted yet.
const WAITING: i32 = 1024;

impl Listener {
    /// The same, in the runtime that this is called in.
    ///
    /// # Errors
    ///
    /// When the runtime cannot wait for it.
    pub fn of(Bound { role, socket, place }: Bound) -> io::Result<Self> {
        let inner = match socket {
            Bare::Tcp(listener) => Inner::Tcp(TcpListener::from_std(listener)?),
            Bare::Unix(listener) => Inner::Unix(UnixListener::from_std(listener)?),
        };
        Ok(Self { role, inner, place })
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where it is.
    pub fn bound(&self) -> &Listening {
        &self.place.at
    }

    /// What clients may write in `Host`; nothing for a Unix socket, where it says nothing.
    pub(super) fn names(&self) -> Option<OwnNames> {
        self.bound().tcp().map(OwnNames::of)
    }

    /// Takes a connection: its stream, and its client's address, of which `judge` says whether it
    /// may connect, and whether its user matters; who may not is not asked for. None of it through
    /// a Unix socket, whose file has let it through.
    pub(super) async fn accept(
        &self,
        judge: impl Fn(Option<IpAddr>) -> Result<bool, Refusal>,
    ) -> io::Result<Accepted> {
        match &self.inner {
            Inner::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let peer = Some(peer.ip());
                let user = judge(peer)
                    .map(|matters| if matters { Peer::of(&stream) } else { Peer::Unasked });
                Ok((Taken::Tcp(stream), peer, user))
            }
            Inner::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Taken::Unix(stream), None, judge(None).map(|_| Peer::Unasked)))
            }
        }
    }
}

/// A connection, its client's address, and its user, or why it may not stay.
pub(super) type Accepted = (Taken, Option<IpAddr>, Result<Peer, Refusal>);

/// A connection of the runtime that has taken it.
#[derive(Debug)]
pub(super) enum Taken {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection of no runtime.
#[derive(Debug)]
pub(super) enum Loose {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Taken {
    /// For this runtime.
    pub(super) fn here(self) -> Box<dyn Duplex> {
        match self {
            Self::Tcp(stream) => Box::new(stream),
            Self::Unix(stream) => Box::new(stream),
        }
    }

    /// For another one.
    ///
    /// # Errors
    ///
    /// When this one does not let go of it.
    pub(super) fn elsewhere(self) -> io::Result<Loose> {
        Ok(match self {
            Self::Tcp(stream) => Loose::Tcp(stream.into_std()?),
            Self::Unix(stream) => Loose::Unix(stream.into_std()?),
        })
    }
}

impl Loose {
    /// For the runtime that this is called in.
    ///
    /// # Errors
    ///
    /// When it cannot wait for it.
    pub(super) fn here(self) -> io::Result<Box<dyn Duplex>> {
        Ok(match self {
            Self::Tcp(stream) => Box::new(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Box::new(UnixStream::from_std(stream)?),
        })
    }
}

fn refused(role: Role, place: impl ToString, error: &io::Error) -> Problem {
    let kind = error.kind();
    let fix = FIXES.iter().find(|(of, _)| *of == kind);
    let fix = fix.map_or("choose another address", |(_, fix)| fix);
    let (place, setting) = (place.to_string(), role.name());
    // The very line to write, where another port of the same address is free.
    let fix = match place.parse().ok().filter(|_| kind == io::ErrorKind::AddrInUse).and_then(free) {
        Some(free) => {
            format!("stop the process that has it, or write {setting} = \"{free}\" below [listen]")
        }
        None => fix.into(),
    };
    Problem::new(format!("listen.{setting} cannot be bound to {place}: {error}"), fix)
}

/// An address that nobody has, past the ports that other listeners are usually next to this one.
fn free(taken: SocketAddr) -> Option<SocketAddr> {
    let ports = taken.port().checked_add(100)?..=u16::MAX;
    let mut near = ports.take(100).map(|port| SocketAddr::new(taken.ip(), port));
    near.find(|address| std::net::TcpListener::bind(address).is_ok())
}

const FIXES: &[(io::ErrorKind, &str)] = &[
    (io::ErrorKind::AddrInUse, "stop the process that has it, or choose another"),
    (io::ErrorKind::PermissionDenied, "choose a port above 1023, or a directory you may write to"),
    (io::ErrorKind::AddrNotAvailable, "use an address of this machine"),
    (io::ErrorKind::NotFound, "make the directory first"),
];
