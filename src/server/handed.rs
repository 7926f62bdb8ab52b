//! Sockets that a service manager has bound and hands over at the start (systemd's socket activation,
//! sd_listen_fds(3)): each listener takes the one that has its address.

use std::os::fd::OwnedFd;

use rustix::io::{FdFlags, fcntl_setfd};
use socket2::{Socket, Type};

use crate::config::Endpoint;
use crate::problem::Problem;

/// Those that no listener has taken yet.
#[derive(Debug, Default)]
pub struct Handed(Vec<Socket>);

impl Handed {
    /// Takes what was handed over. Programs that are started later do not get it too.
    ///
    /// # Errors
    ///
    /// When there are fewer descriptors than was said.
    pub fn new(descriptors: impl IntoIterator<Item = OwnedFd>) -> Result<Self, Problem> {
        let mut all = Vec::new();
        for descriptor in descriptors {
            fcntl_setfd(&descriptor, FdFlags::CLOEXEC).map_err(|error| {
                let what = format!("a socket that was handed over is not there: {error}");
                Problem::new(what, "start it by a socket unit, or without LISTEN_FDS")
            })?;
            all.push(Socket::from(descriptor));
        }
        Ok(Self(all))
    }

    /// The socket at this place, if it was handed over.
    pub fn take(&mut self, endpoint: &Endpoint) -> Option<Socket> {
        let found = self.0.iter().position(|socket| is_at(socket, endpoint))?;
        Some(self.0.remove(found))
    }

    /// Refuses to go on while a socket is left: somebody would connect to it and never be answered.
    ///
    /// # Errors
    ///
    /// When there is one.
    pub fn none_left(&self) -> Result<(), Problem> {
        let Some(socket) = self.0.first() else { return Ok(()) };
        let address = socket.local_addr().ok();
        let tcp = address.as_ref().and_then(|at| Some(at.as_socket()?.to_string()));
        let unix = || Some(format!("unix:{}", address.as_ref()?.as_pathname()?.display()));
        let place = tcp.or_else(unix).unwrap_or_else(|| "an address of another kind".into());
        let what =
            format!("the service manager hands over a socket at {place}, and no listener is there");
        Err(Problem::new(what, "write the same address below [listen] and as ListenStream="))
    }
}

fn is_at(socket: &Socket, endpoint: &Endpoint) -> bool {
    let is_stream = socket.r#type().is_ok_and(|kind| kind == Type::STREAM);
    let Some(address) = socket.local_addr().ok().filter(|_| is_stream) else { return false };
    match endpoint {
        Endpoint::Tcp(wanted) => address.as_socket() == Some(*wanted),
        Endpoint::Unix(wanted) => address.as_pathname() == Some(wanted),
    }
}
