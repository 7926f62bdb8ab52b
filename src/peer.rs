//! Peer credentials of TCP within one machine: the user whose socket is at the other end of a
//! connection, from the kernel's table of sockets.
//!
//! Linux tells it by netlink (`sock_diag(7)`), which is asked for exactly one connection: one look-up by
//! hash, however many there are. `/proc/net/tcp` has the same, but has to be read whole. The two
//! structures are laid out here, as what crates there are for them is ten crates more.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

/// Whose the other end of a connection is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Peer {
    /// The user with this number, who made the socket.
    User(u32),
    /// Nobody's: it is closed, or on another machine.
    Gone,
    /// The kernel does not say; the number of its error.
    Untold(i32),
    /// Nobody has asked.
    #[default]
    Unasked,
}

impl Peer {
    /// Asks the kernel whose the other end of a TCP connection is.
    pub fn of(stream: &impl AsFd) -> Self {
        let socket = SockRef::from(stream);
        let place = |address: SockAddr| address.as_socket().ok_or(io::ErrorKind::Unsupported);
        let asked = || {
            let (own, peer) = (place(socket.local_addr()?)?, place(socket.peer_addr()?)?);
            let found = ask(own, peer)?;
            // Fails where this connection has ended, and another could have come to its addresses.
            socket.peer_addr()?;
            Ok(found)
        };
        match asked() {
            Ok(Some(user)) => Self::User(user),
            Ok(None) => Self::Gone,
            Err(error) if gone(&error) => Self::Gone,
            Err(error) => Self::Untold(error.raw_os_error().unwrap_or(libc::EIO)),
        }
    }
}

impl fmt::Display for Peer {
    /// Whose the connection is, as the end of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "the connection is user {user}'s"),
            Self::Gone => f.write_str("whose the connection was cannot be seen any more"),
            Self::Untold(error) => {
                let error = io::Error::from_raw_os_error(*error);
                write!(f, "the kernel does not say whose the connection is: {error}")
            }
            Self::Unasked => f.write_str("whose the connection is was not asked when it came"),
        }
    }
}

fn gone(error: &io::Error) -> bool {
    [io::ErrorKind::NotConnected, io::ErrorKind::NotFound].contains(&error.kind())
}

thread_local! {
    /// The thread's way to the kernel, where the last answer on it was whole: opening one takes as long as
    /// asking.
    static WAY: Cell<Option<Socket>> = const { Cell::new(None) };
}

/// The user of the connected socket at `peer` whose other end is `own`. Those that no process holds
/// any more have none: older kernels (before 6.17) would show root's number for them.
fn ask(own: SocketAddr, peer: SocketAddr) -> io::Result<Option<u32>> {
    let socket = WAY.take().map_or_else(way, Ok)?;
    // Without an address it goes to the kernel, which has answered when this returns.
    socket.send(&question(own, peer))?;
    let mut answer = [0; 1024];
    let length = (&socket).read(&mut answer)?;
    let found = read(&answer[..length]);
    WAY.set(Some(socket));
    found
}

fn way() -> io::Result<Socket> {
    let kind = Some(Protocol::from(libc::NETLINK_SOCK_DIAG));
    let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::DGRAM, kind)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// A `nlmsghdr` and an `inet_diag_req_v2` (linux/netlink.h, linux/inet_diag.h): numbers are in the
/// machine's order, addresses and ports in the network's.
fn question(own: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let (own_ip, peer_ip) = (own.ip().to_canonical(), peer.ip().to_canonical());
    let family = if peer_ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut message = Vec::with_capacity(QUESTION);
    message.extend((QUESTION as u32).to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    // Number and sender of the message: there is one.
    message.extend([0; 8]);
    message.extend([family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    // In whatever state: the answer says which.
    message.extend(u32::MAX.to_ne_bytes());
    message.extend(peer.port().to_be_bytes());
    message.extend(own.port().to_be_bytes());
    message.extend(sixteen(peer_ip));
    message.extend(sixteen(own_ip));
    // On any interface, by no cookie.
    message.extend([0; 4]);
    message.extend([0xff; 8]);
    message
}

fn sixteen(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&ip.octets());
            bytes
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// Reads a `nlmsghdr` and what is behind it: an `inet_diag_msg`, or an error.
fn read(answer: &[u8]) -> io::Result<Option<u32>> {
    if u16::from_ne_bytes(bytes(answer, 4)?) != SOCK_DIAG_BY_FAMILY {
        let error = i32::from_ne_bytes(bytes(answer, HEADER)?);
        return Err(io::Error::from_raw_os_error(error.wrapping_neg()));
    }
    let [state] = bytes(answer, HEADER + 1)?;
    let user = u32::from_ne_bytes(bytes(answer, HEADER + 64)?);
    let inode = u32::from_ne_bytes(bytes(answer, HEADER + 68)?);
    Ok((CONNECTED.contains(&state) && inode != 0).then_some(user))
}

fn bytes<const N: usize>(answer: &[u8], at: usize) -> io::Result<[u8; N]> {
    let bytes = answer.get(at..at + N).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

const HEADER: usize = 16;
const QUESTION: usize = HEADER + 56;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// Established, both of the closing side, and the one that waits to close: what else is at an address
/// listens there, has only asked to connect, or is nobody's.
const CONNECTED: [u8; 4] = [1, 4, 5, 8];
/// The answer is there already; nothing else would come.
const PATIENCE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tokio::net::{TcpListener, TcpSocket, TcpStream};

    use super::*;

    fn own() -> Peer {
        Peer::User(rustix::process::geteuid().as_raw())
    }

    async fn pair(listening: &str, called: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(listening).await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let called: IpAddr = called.parse().expect("an address");
        let client = TcpStream::connect((called, port)).await.expect("somebody listens");
        (client, listener.accept().await.expect("somebody calls").0)
    }

    #[tokio::test]
    async fn each_end_sees_whose_the_other_is() {
        for (listening, called) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("127.0.0.1:0", "::ffff:127.0.0.1"),
            ("[::]:0", "127.0.0.1"),
            ("[::1]:0", "::1"),
        ] {
            let (client, server) = pair(listening, called).await;
            assert_eq!((Peer::of(&server), Peer::of(&client)), (own(), own()), "{called}");
        }
    }

    #[tokio::test]
    async fn nobody_is_seen_in_a_peer_that_is_gone_or_in_who_came_to_its_address() {
        let (client, server) = pair("127.0.0.1:0", "127.0.0.1").await;
        let mut client = client.into_std().expect("it is one");
        client.write_all(b"GET").expect("it is taken");
        client.shutdown(std::net::Shutdown::Write).expect("it is open");
        assert_eq!(Peer::of(&server), own(), "it still reads");
        let place = client.local_addr().expect("it is bound");
        drop(client);
        assert_eq!(Peer::of(&server), Peer::Gone, "the kernel alone has it");
        // From an address that no other connection of this machine has just left.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let client = TcpSocket::new_v4().expect("there is one");
        client.bind(([127, 0, 77, 7], 0).into()).expect("a port is free");
        let called = listener.local_addr().expect("it is bound");
        let client = client.connect(called).await.expect("somebody listens");
        let (server, _) = listener.accept().await.expect("somebody calls");
        let own_place = server.local_addr().expect("it is bound");
        assert_eq!(ask(own_place, place).map_err(|error| gone(&error)), Err(true), "another's");
        let place = client.local_addr().expect("it is bound");
        client.set_zero_linger().expect("it is open");
        drop(client);
        let _newcomer = std::net::TcpListener::bind(place).expect("its address is free again");
        assert_eq!(ask(own_place, place).expect("a socket is found"), None, "it listens");
        assert_eq!(Peer::of(&server), Peer::Gone);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let error = |number: i32| [&[0; 4][..], &[2, 0], &[0; 10], &number.to_ne_bytes()].concat();
        let kind = |answer: &[u8]| read(answer).expect_err("no user").kind();
        assert_eq!(kind(&error(-libc::ENOENT)), io::ErrorKind::NotFound);
        assert_eq!(kind(&error(-libc::EPERM)), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(&[0; 5]), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(&[20; 15]), io::ErrorKind::UnexpectedEof);
    }
}
