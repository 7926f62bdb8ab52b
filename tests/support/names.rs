//! Names that only the program under test knows, and addresses that are odd: loopback has sixteen
//! million of them.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::home::Home;
use super::proxy::Proxy;
use super::under_test;

/// A port of the system's choice on the usual address.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Starts a proxy for which these addresses have the name `two.test`, in this order, and nothing
/// else has a name; with these environment variables beside the test's own.
pub(crate) fn knowing(home: Home, addresses: &[SocketAddr], variables: &[(&str, &str)]) -> Proxy {
    let lines = addresses.iter().map(|address| format!("{} two.test\n", address.ip()));
    home.write("hosts", &lines.collect::<String>());
    home.write("nsswitch.conf", "hosts: files\n");
    resolving("hosts", home, variables)
}

/// Starts a proxy that asks the name server at 127.0.0.1 for every name.
pub(crate) fn asking(home: Home) -> Proxy {
    home.write("resolv.conf", "nameserver 127.0.0.1\n");
    home.write("nsswitch.conf", "hosts: dns\n");
    resolving("resolv.conf", home, &[])
}

/// Starts a proxy whose `/etc/nsswitch.conf` and this other file are those in its directory, in a
/// mount namespace of its own.
fn resolving(file: &str, home: Home, variables: &[(&str, &str)]) -> Proxy {
    let mut command = Command::new("unshare");
    if fs::metadata("/proc/self").expect("Linux has /proc").uid() != 0 {
        command.args(["--user", "--map-root-user"]);
    }
    let become_it = format!(
        "for file in {file} nsswitch.conf; do mount --bind $file /etc/$file || exit; done; \
         exec \"$0\" \"$@\""
    );
    command.args(["--mount", "sh", "-c", &become_it]).arg(under_test());
    Proxy::start_by(command, home, variables)
}

/// An address where nobody answers: its queue is full, so that the system drops what comes.
#[derive(Debug)]
pub(crate) struct Dead {
    listener: Socket,
    address: SocketAddr,
    queue: Vec<TcpStream>,
}

impl Dead {
    pub(crate) fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be made");
        listener.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).expect("a port is free");
        listener.listen(0).expect("it can listen");
        listener.set_nonblocking(true).expect("it need not block");
        let address = listener.local_addr().expect("it is bound").as_socket();
        let address = address.expect("it is an address");
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            queue.push(stream);
        }
        Self { listener, address, queue }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address beside it, with the same port.
    pub(crate) fn neighbour(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 3], self.address.port()))
    }

    /// Takes what waits: from now on connections to it come about.
    pub(crate) fn revive(&mut self) {
        assert_eq!(self.callers(), self.queue.len(), "somebody came through before");
        self.queue.clear();
    }

    /// How many connections have come about since it was asked last.
    pub(crate) fn callers(&self) -> usize {
        std::iter::from_fn(|| self.listener.accept().ok()).count()
    }
}
