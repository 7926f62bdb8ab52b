//! Upstreams at Unix sockets: whose they must be, and who must answer there.
//!
//! At a loopback port whoever binds it first answers. A socket's place has an owner: it is looked at
//! before each connection, and so is the user whose process listens. Requests on a connection that is
//! there cost nothing more.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixStream;

use super::error::{ConnectFailure, Phase};
use crate::strict_modes::{Owners, check_socket};

/// A Unix socket, and whose it may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalSocket {
    /// Its absolute path.
    pub path: PathBuf,
    /// A user beside this process's own and root.
    pub uid: Option<u32>,
}

impl LocalSocket {
    /// Connects, within `limit` where too many wait already, to a process of a user that is believed.
    pub(super) async fn connect(&self, limit: Duration) -> Result<UnixStream, ConnectFailure> {
        let own = self.clone();
        // On a thread of its own: it waits for a file system, and for a place in the queue.
        let dialled = tokio::task::spawn_blocking(move || own.dial(limit)).await;
        let stream = dialled.map_err(|error| failed(&io::Error::other(error)))??;
        let stream = UnixStream::from_std(stream).map_err(|error| failed(&error))?;
        let peer = stream.peer_cred().map_err(|error| failed(&error))?.uid();
        if Owners::with(self.uid).has(peer) {
            return Ok(stream);
        }
        Err(untrusted(format!("a process of user {peer} listens there")))
    }

    fn dial(&self, limit: Duration) -> Result<std::os::unix::net::UnixStream, ConnectFailure> {
        let Self { path, uid } = self;
        check_socket(path, *uid)
            .map_err(|problem| untrusted(format!("{} ({})", problem.what, problem.fix)))?;
        dial(path, limit).map_err(|error| {
            if error.kind() == io::ErrorKind::WouldBlock {
                return ConnectFailure {
                    phase: Phase::ConnectTimeout,
                    reason: format!("{limit:?}"),
                };
            }
            failed(&error)
        })
    }
}

impl fmt::Display for LocalSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}", self.path.display())
    }
}

/// One that does not block would be refused where the queue is full.
fn dial(path: &Path, limit: Duration) -> io::Result<std::os::unix::net::UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_write_timeout(Some(limit))?;
    socket.connect(&SockAddr::unix(path)?)?;
    socket.set_nonblocking(true)?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

fn failed(error: &io::Error) -> ConnectFailure {
    ConnectFailure { phase: Phase::Connect, reason: error.to_string() }
}

fn untrusted(reason: String) -> ConnectFailure {
    ConnectFailure { phase: Phase::Untrusted, reason }
}
