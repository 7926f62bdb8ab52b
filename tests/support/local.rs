//! Upstreams at Unix sockets: one in front of a server that has a port, and one of another user.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};
use tokio::runtime::Runtime;

/// Passes on what comes to a socket; stopped when dropped.
pub(crate) struct Relay(#[expect(dead_code, reason = "it runs as long as this is held")] Runtime);

impl Relay {
    /// At `socket`, in front of the server at `url`.
    pub(crate) fn start(socket: &Path, url: &str) -> Self {
        let place: SocketAddr = url.trim_start_matches("http://").parse().expect("an address");
        let runtime = Runtime::new().expect("a runtime can be started");
        let entered = runtime.enter();
        let listener = UnixListener::bind(socket).expect("the socket's directory is there");
        drop(entered);
        runtime.spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(place).await else { return };
                    let _ended = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self(runtime)
    }
}

/// A process of the user nobody that listens at a socket, and answers every request with an approval;
/// ended when dropped.
pub(crate) struct Nobodys(Child);

/// Its user (Debian, base-passwd).
pub(crate) const NOBODY: u32 = 65534;

impl Nobodys {
    /// At `socket`, in a directory that nobody may write.
    pub(crate) fn start(socket: &Path) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.args(["/usr/bin/python3", "-c", SERVER]).arg(socket);
        // Not from where the tests are: nobody need not be able to go there.
        command.current_dir("/").stdout(Stdio::piped());
        let mut child = command.spawn().expect("setpriv and python3 are installed");
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("it says so when it listens");
        assert_eq!(line, "listens\n", "tests of other users run as root");
        Self(child)
    }
}

impl Drop for Nobodys {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

const SERVER: &str = r#"
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
os.umask(0o177)
listener.bind(sys.argv[1])
listener.listen()
print("listens", flush=True)
body = b'{"action":"APPROVE"}'
while True:
    connection, _ = listener.accept()
    if connection.recv(65536):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body) + body)
    connection.close()
"#;
