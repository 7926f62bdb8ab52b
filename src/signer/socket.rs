//! The signer's one listener, bound before anything is given up.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::config::signer::Listen;
use crate::problem::Problem;
use crate::socket_file;
use crate::strict_modes;

/// A bound socket, which waits for no runtime yet.
#[derive(Debug)]
pub(crate) enum Bound {
    /// A path.
    Unix(UnixListener, PathBuf),
    /// An address, with the port that the system chose where the configuration said 0.
    Tcp(TcpListener, SocketAddr),
}

impl Bound {
    /// Binds what a configuration says.
    ///
    /// # Errors
    ///
    /// When the place is taken, or in a directory that others may write to.
    pub(crate) fn at(listen: &Listen) -> Result<Self, Problem> {
        match listen {
            Listen::Unix(path, mode) => {
                let failed = |error: io::Error| {
                    Problem::new(
                        format!("cannot be bound to {}: {error}", path.display()),
                        "name a path in a directory that this process alone may write to",
                    )
                    .of("signer.listen")
                };
                check_directory(path)?;
                let listener = socket_file::bind(path, *mode).map_err(failed)?;
                Ok(Self::Unix(listener, path.clone()))
            }
            Listen::Tls(address, _) => {
                let failed = |error: io::Error| {
                    let fix = "choose an address of this machine and a free port";
                    Problem::new(format!("cannot be bound to {address}: {error}"), fix)
                        .of("signer.listen")
                };
                let listener = TcpListener::bind(address).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                let address = listener.local_addr().map_err(failed)?;
                Ok(Self::Tcp(listener, address))
            }
        }
    }
}

/// Whoever may write to the directory can put a socket of its own in this one's place.
fn check_directory(path: &Path) -> Result<(), Problem> {
    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
    let shown = directory.display();
    fs::metadata(directory).map_err(|error| {
        Problem::new(error.to_string(), "make the directory first")
            .of(format_args!("signer.listen: {shown}:"))
    })?;
    strict_modes::check(directory).map_err(|problem| problem.of("signer.listen:"))
}
