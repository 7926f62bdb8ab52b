//! As little HTTP/1.1 as both ends of a measurement need: messages framed by `content-length`,
//! one at a time, on a blocking socket. Whatever it costs is part of the direct figure too; what TLS
//! costs the client is not.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// A connection and the message that was read last.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    filled: usize,
}

/// A whole message: its head with the empty line, and its body.
pub(crate) struct Message<'a> {
    pub(crate) head: &'a str,
    pub(crate) body: &'a [u8],
}

/// TCP, with or without TLS.
trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address)?)
    }

    /// Through the forward proxy at `address` by CONNECT, with TLS inside.
    pub(crate) fn connect_inside(
        address: SocketAddr,
        host: &'static str,
        tls: &Arc<ClientConfig>,
    ) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        write!(stream, "CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n")?;
        // Nothing comes behind this answer before TLS begins, so no byte of it is taken.
        let mut plain = Self::over(stream.try_clone()?)?;
        let answer = plain.read()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if !answer.head.starts_with("HTTP/1.1 200 ") {
            return Err(io::Error::other(format!("CONNECT {host}: {}", answer.head)));
        }
        let name = host.try_into().map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
        Ok(Self { stream: Box::new(StreamOwned::new(session, stream)), ..plain })
    }

    pub(crate) fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream: Box::new(stream), buffer: vec![0; 64 * 1024], filled: 0 })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next message; none when the other side has closed. Nothing is ever sent ahead, so the
    /// buffer holds one message and is empty before the next.
    pub(crate) fn read(&mut self) -> io::Result<Option<Message<'_>>> {
        self.filled = 0;
        let mut length = None;
        while length.is_none_or(|(_, end)| self.filled < end) {
            let read = self.stream.read(&mut self.buffer[self.filled..])?;
            if read == 0 {
                let broken = io::ErrorKind::UnexpectedEof;
                return if self.filled == 0 { Ok(None) } else { Err(broken.into()) };
            }
            self.filled += read;
            if length.is_none() {
                length = frame(&self.buffer[..self.filled])?;
            }
            if length.map_or(self.filled, |(_, end)| end) > self.buffer.len() {
                return Err(io::Error::other("the message is larger than any of this bench"));
            }
        }
        let (head, end) = length.expect("the loop ends with a length");
        let text = std::str::from_utf8(&self.buffer[..head]).map_err(io::Error::other)?;
        Ok(Some(Message { head: text, body: &self.buffer[head..end] }))
    }
}

/// Where the head ends, and where the body; none while the head is not whole.
fn frame(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = head + 4;
    let text = std::str::from_utf8(&bytes[..head]).map_err(io::Error::other)?;
    // hyper writes header names in lower case, and so does this bench.
    let length = match text.split_once("\r\ncontent-length: ") {
        None => 0,
        Some((_, rest)) => {
            let digits = rest.split_once("\r\n").map_or(rest, |(digits, _)| digits);
            digits.parse::<usize>().map_err(io::Error::other)?
        }
    };
    Ok(Some((head, head + length)))
}
