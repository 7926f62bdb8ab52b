//! One listening socket: TCP, or a Unix socket that only its owner can open.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use tokio::net::{TcpListener, UnixListener};

use super::shared::Role;
use super::stream::Duplex;
use crate::access::OwnNames;
use crate::config::Endpoint;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::socket_file;
use crate::tunnel::keep_alive;

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    role: Role,
    inner: Inner,
    bound: Listening,
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

impl Listener {
    /// Binds an endpoint.
    ///
    /// # Errors
    ///
    /// When the address is taken, not ours, or not allowed.
    pub async fn bind(role: Role, endpoint: &Endpoint) -> Result<Self, Problem> {
        let (inner, bound) = match endpoint {
            Endpoint::Tcp(address) => {
                let listener = TcpListener::bind(address).await;
                let bound = listener.and_then(|listener| {
                    keep_alive(&listener)?;
                    listener.local_addr().map(|address| (listener, address))
                });
                let (listener, address) = bound.map_err(|error| refused(role, address, &error))?;
                (Inner::Tcp(listener), Listening::Tcp(address))
            }
            Endpoint::Unix(path) => {
                let bound = socket_file::bind(path, 0o600).and_then(UnixListener::from_std);
                let listener = bound.map_err(|error| refused(role, path.display(), &error))?;
                (Inner::Unix(listener), Listening::Unix(path.clone()))
            }
        };
        Ok(Self { role, inner, bound })
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where it is.
    pub fn bound(&self) -> &Listening {
        &self.bound
    }

    /// What clients may write in `Host`; nothing for a Unix socket, where it says nothing.
    pub(super) fn names(&self) -> Option<OwnNames> {
        self.bound.tcp().map(OwnNames::of)
    }

    /// Takes a connection: its stream, its client's address, and, where that matters once it is
    /// there, its user. None through a Unix socket, whose file has let it through.
    pub(super) async fn accept(&self, users_matter: impl Fn() -> bool) -> io::Result<Accepted> {
        match &self.inner {
            Inner::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let user = if users_matter() { Peer::of(&stream) } else { Peer::Unasked };
                Ok((Box::new(stream), (Some(peer.ip()), user)))
            }
            Inner::Unix(listener) => {
                Ok((Box::new(listener.accept().await?.0), (None, Peer::Unasked)))
            }
        }
    }
}

/// A connection, its client's address, and its user.
pub(super) type Accepted = (Box<dyn Duplex>, (Option<IpAddr>, Peer));

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listening::Unix(path) = &self.bound {
            let _gone_already = std::fs::remove_file(path);
        }
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
