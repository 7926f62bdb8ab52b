//! Unix sockets that listen: one has its mode from the moment it has its name.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// Binds a socket that does not block, with this mode: it is bound under another name, listens once it
/// has the mode, and is renamed. What an earlier process has left behind is replaced.
///
/// # Errors
///
/// When another process listens there, a file is there that is no socket, or the directory cannot be
/// written.
pub(crate) fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let what = "a file is there that is no socket";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        Ok(_) if is_listened_to(path) => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there"));
        }
        Ok(_) | Err(_) => {}
    }
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(format!(".{}", std::process::id()));
    let hidden = PathBuf::from(hidden);
    let _left_over = fs::remove_file(&hidden);
    let socket = bound(&hidden, mode)?;
    // With what the umask took away.
    let named = fs::set_permissions(&hidden, Permissions::from_mode(mode))
        .and_then(|()| socket.listen(BACKLOG))
        .and_then(|()| fs::rename(&hidden, path));
    if let Err(error) = named {
        let _unused = fs::remove_file(&hidden);
        return Err(error);
    }
    Ok(OwnedFd::from(socket).into())
}

/// A socket that has its name, and that nobody can connect to yet. Linux makes the file with the mode
/// of the descriptor, so that there is no moment at which more than these may open it. A umask is the
/// whole process's, and would be that of its other threads.
fn bound(path: &Path, mode: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    rustix::fs::fchmod(&socket, rustix::fs::Mode::from_raw_mode(mode))?;
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

/// Whether somebody does. One whose queue is full is there too, and is not waited for.
fn is_listened_to(path: &Path) -> bool {
    let connected = Socket::new(Domain::UNIX, Type::STREAM, None).and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    });
    connected.map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |()| true)
}

/// Connections that wait to be accepted; the system has a limit of its own below it.
const BACKLOG: i32 = 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_listener_is_not_displaced_although_its_queue_is_full_and_a_left_over_socket_is() {
        let home = tempfile::TempDir::new().unwrap();
        let path = home.path().join("socket");
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let _first = UnixStream::connect(&path).unwrap();
        let refused = bind(&path, 0o600).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        drop(socket);
        bind(&path, 0o640).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
    #[test]
    fn a_socket_has_its_mode_with_its_name_and_listens_after_that() {
        let home = tempfile::TempDir::new().unwrap();
        for mode in [0o600, 0o640] {
            let path = home.path().join(format!("{mode:o}"));
            let socket = bound(&path, mode).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            let refused = UnixStream::connect(&path).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            drop(socket);
        }
    }
}
