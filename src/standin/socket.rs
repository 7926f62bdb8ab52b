//! The little of WebSockets (RFC 6455) that a stand-in needs: the handshake's answer, and frames
//! that go back as they came.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{self, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// A handshake whose request is still to be judged.
pub(super) struct Handshake {
    key: Option<HeaderValue>,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// Takes hold of the connection behind a request.
    pub(super) fn of(request: &mut Request<Incoming>) -> Self {
        let asks = request.headers().get(UPGRADE);
        let asks = asks.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
        let key = request.headers().get(SEC_WEBSOCKET_KEY).filter(|_| asks).cloned();
        Self { key, upgrade: hyper::upgrade::on(request) }
    }

    /// Answers it and echoes what comes, until the other end has had enough. `None` when the
    /// request is no handshake.
    pub(super) fn answer<B: Default>(self) -> Option<Response<B>> {
        let accept = accept(self.key?.as_bytes());
        tokio::spawn(async {
            if let Ok(upgraded) = self.upgrade.await {
                // It ends when the client does, in whatever way.
                let _ended = echo(TokioIo::new(upgraded)).await;
            }
        });
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept.parse().expect("base64 is a header's value"));
        Some(response)
    }
}

/// What a server answers to a handshake's key (section 4.2.2).
pub fn accept(key: &[u8]) -> String {
    let text = [key, b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"].concat();
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &text))
}

/// A frame (section 5.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// FIN, and what kind it is.
    pub first: u8,
    /// What it carries, unmasked.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A whole message of text.
    pub fn text(text: &str) -> Self {
        Self { first: 0x81, payload: text.as_bytes().to_vec() }
    }

    /// Reads the next, masked or not.
    ///
    /// # Errors
    ///
    /// When the stream ends or fails, and when the frame is longer than 1 MiB.
    pub async fn read<S: AsyncRead + Unpin>(from: &mut S) -> io::Result<Self> {
        let (first, second) = (from.read_u8().await?, from.read_u8().await?);
        let length = match second & 0x7f {
            126 => u64::from(from.read_u16().await?),
            127 => from.read_u64().await?,
            short => u64::from(short),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= MOST);
        let length = length.ok_or_else(|| io::Error::other("a frame is longer than 1 MiB"))?;
        let mut mask = [0; 4];
        if second & MASKED != 0 {
            from.read_exact(&mut mask).await?;
        }
        let mut payload = vec![0; length];
        from.read_exact(&mut payload).await?;
        apply(mask, &mut payload);
        Ok(Self { first, payload })
    }

    /// Writes it; a client's frames are masked, with what nobody can foresee.
    ///
    /// # Errors
    ///
    /// When the stream fails.
    pub async fn write<S>(&self, to: &mut S, mask: Option<[u8; 4]>) -> io::Result<()>
    where
        S: AsyncWrite + Unpin,
    {
        let masked = if mask.is_some() { MASKED } else { 0 };
        let mut bytes = vec![self.first];
        let length = self.payload.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..=125), _) => bytes.push(masked | short),
            (_, Ok(long)) => {
                bytes.push(masked | 126);
                bytes.extend(long.to_be_bytes());
            }
            _ => {
                bytes.push(masked | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(mask.into_iter().flatten());
        let start = bytes.len();
        bytes.extend(&self.payload);
        apply(mask.unwrap_or_default(), &mut bytes[start..]);
        to.write_all(&bytes).await?;
        to.flush().await
    }
}

/// Sends frames back as they came, fragments too. A ping is answered, a close answered and the end.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut io: S) -> io::Result<()> {
    loop {
        let mut frame = Frame::read(&mut io).await?;
        match frame.first & 0x0f {
            PING => frame.first = 0x80 | PONG,
            PONG => continue,
            _ => {}
        }
        frame.write(&mut io, None).await?;
        if frame.first & 0x0f == CLOSE {
            return io.shutdown().await;
        }
    }
}

fn apply(mask: [u8; 4], payload: &mut [u8]) {
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

const MASKED: u8 = 0x80;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const MOST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_that_of_the_standard() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn frames_are_those_of_the_standard() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        for (mask, bytes) in [(None, &b"\x81\x05Hello"[..]), (Some(mask), &hello)] {
            let mut written = Vec::new();
            Frame::text("Hello").write(&mut written, mask).await.expect("memory takes it");
            assert_eq!(written, bytes);
            let read = Frame::read(&mut &*bytes).await.expect("it is whole");
            assert_eq!(read, Frame::text("Hello"));
        }
    }

    #[tokio::test]
    async fn what_is_written_is_read_at_every_length() {
        for length in [0, 125, 126, 65_535, 65_536, MOST] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let frame = Frame { first: 0x82, payload: vec![7; length] };
                let mut written = Vec::new();
                frame.write(&mut written, mask).await.expect("memory takes it");
                let read = Frame::read(&mut &*written).await.expect("it is whole");
                assert_eq!(read, frame, "{length} {mask:?}");
            }
        }
        let mut long = vec![0x82, 127];
        long.extend((MOST as u64 + 1).to_be_bytes());
        assert!(Frame::read(&mut &*long).await.is_err());
    }

    #[tokio::test]
    async fn pings_are_answered_and_a_close_ends_it() {
        let (mut client, server) = io::duplex(1024);
        let server = tokio::spawn(echo(server));
        for (first, answer) in [(0x89, 0x8a), (0x01, 0x01), (0x80, 0x80), (0x88, 0x88)] {
            let frame = Frame { first, payload: b"x".to_vec() };
            frame.write(&mut client, Some([9; 4])).await.expect("it listens");
            let back = Frame::read(&mut client).await.expect("it answers");
            assert_eq!(back, Frame { first: answer, payload: b"x".to_vec() });
        }
        assert!(server.await.expect("it did not panic").is_ok());
    }
}
