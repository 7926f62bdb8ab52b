//! A SOCKS 5 proxy, strict and naive: notes what it was asked, and connects to one place whatever
//! that was.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::forwarder::copy;
use super::wait::DEADLINE;

/// A running proxy. Its threads end with the test's process and hold nothing but sockets.
pub(crate) struct Socks {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Whom it lets in, and what it says to those.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// User and password; nobody is asked where there are none.
    pub(crate) credentials: Option<(&'static str, &'static str)>,
    /// Its answer to a request: 0 connects.
    pub(crate) reply: u8,
}

impl Socks {
    /// Connects everybody to `place`.
    pub(crate) fn start(manners: Manners, place: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (Ok(socket), seen) = (socket, Arc::clone(&seen)) else { return };
                thread::spawn(move || serve(socket, manners, place, &seen));
            }
        });
        Self { address, asked }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Host and port of every request, as they were written.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread panicked").clone()
    }
}

fn serve(
    mut socket: TcpStream,
    manners: Manners,
    place: SocketAddr,
    seen: &Mutex<Vec<String>>,
) -> io::Result<()> {
    socket.set_read_timeout(Some(DEADLINE))?;
    let [version, count] = read(&mut socket)?;
    assert_eq!(version, 5, "this is not SOCKS 5");
    let mut methods = vec![0; usize::from(count)];
    socket.read_exact(&mut methods)?;
    let wanted = if manners.credentials.is_some() { 2 } else { 0 };
    if !methods.contains(&wanted) {
        return socket.write_all(&[5, 0xff]);
    }
    socket.write_all(&[5, wanted])?;
    if let Some((user, password)) = manners.credentials {
        let [version] = read(&mut socket)?;
        assert_eq!(version, 1, "this is not RFC 1929");
        let shown = (text(&mut socket)?, text(&mut socket)?);
        let good = shown == (user.to_owned(), password.to_owned());
        socket.write_all(&[1, u8::from(!good)])?;
        if !good {
            return Ok(());
        }
    }
    let [5, 1, 0, kind] = read(&mut socket)? else { panic!("this is no CONNECT") };
    let host = match kind {
        1 => Ipv4Addr::from(read::<4>(&mut socket)?).to_string(),
        3 => text(&mut socket)?,
        4 => format!("[{}]", Ipv6Addr::from(read::<16>(&mut socket)?)),
        _ => panic!("there is no address of kind {kind}"),
    };
    let port = u16::from_be_bytes(read(&mut socket)?);
    seen.lock().expect("no thread panicked").push(format!("{host}:{port}"));
    socket.write_all(&[5, manners.reply, 0, 1, 0, 0, 0, 0, 0, 0])?;
    if manners.reply != 0 {
        return Ok(());
    }
    let server = TcpStream::connect(place)?;
    let (from, to) = (server.try_clone()?, socket.try_clone()?);
    let back = thread::spawn(move || copy(from, to));
    copy(socket, server);
    back.join().expect("copying does not panic");
    Ok(())
}

fn read<const N: usize>(socket: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    socket.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A length, and as many bytes.
fn text(socket: &mut TcpStream) -> io::Result<String> {
    let [length] = read(socket)?;
    let mut bytes = vec![0; usize::from(length)];
    socket.read_exact(&mut bytes)?;
    Ok(String::from_utf8(bytes).expect("it is text"))
}
