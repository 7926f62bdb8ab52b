//! SOCKS 5 (RFC 1928), with user and password (RFC 1929) where there are some.
//!
//! Names go to the proxy as they are, whether the URL says `socks5` or `socks5h`: a name that is
//! resolved here may have another address there, or none, and one address of several is no race.
//!
//! The messages are four, of fixed form. tokio-socks would bring three more crates, hyper-util's
//! client belongs to a connector that is not ours, and neither wipes a password.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::secret::Secret;
use crate::upstream::error::{ConnectFailure, Hop};
use crate::upstream::settings::HostPort;

/// The message that shows user and password.
///
/// # Errors
///
/// When one of them has a length for which there is no room.
pub(super) fn password(user: &[u8], password: &[u8]) -> Result<Secret, &'static str> {
    let (Ok(user_length @ 1..), Ok(length)) =
        (u8::try_from(user.len()), u8::try_from(password.len()))
    else {
        return Err("needs a user of 1 to 255 bytes and a password of at most 255");
    };
    let mut message = Vec::with_capacity(3 + user.len() + password.len());
    message.extend_from_slice(&[NEGOTIATION, user_length]);
    message.extend_from_slice(user);
    message.push(length);
    message.extend_from_slice(password);
    Ok(Secret::new(message))
}

/// Has the proxy at the other end of `stream` connect it to `target`.
pub(super) async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    target: &HostPort,
    password: Option<&Secret>,
) -> Result<(), ConnectFailure> {
    let request = request(target)?;
    let methods: &[u8] =
        if password.is_some() { &[VERSION, 2, OPEN, PASSWORD] } else { &[VERSION, 1, OPEN] };
    stream.write_all(methods).await.map_err(broken)?;
    match (read::<2, S>(stream).await?, password) {
        ([VERSION, OPEN], _) => {}
        ([VERSION, PASSWORD], Some(message)) => {
            stream.write_all(message.expose()).await.map_err(broken)?;
            let [_, verdict] = read::<2, S>(stream).await?;
            if verdict != SUCCEEDED {
                return Err(ConnectFailure::via(
                    Hop::Credentials,
                    "it refuses user and password".into(),
                ));
            }
        }
        ([VERSION, NONE], None) => {
            return Err(ConnectFailure::via(Hop::Credentials, "it wants user and password".into()));
        }
        ([VERSION, _], _) => {
            return Err(ConnectFailure::via(Hop::Failed, "it wants another authentication".into()));
        }
        _ => return Err(ConnectFailure::via(Hop::Failed, "it does not answer in SOCKS 5".into())),
    }
    stream.write_all(&request).await.map_err(broken)?;
    let [version, reply, _, kind] = read::<4, S>(stream).await?;
    if version != VERSION {
        return Err(ConnectFailure::via(Hop::Failed, "it does not answer in SOCKS 5".into()));
    }
    if reply != SUCCEEDED {
        let known = REPLIES.iter().find(|(code, ..)| *code == reply);
        let (hop, words) = known.map_or((Hop::Failed, "failed"), |(_, hop, words)| (*hop, *words));
        return Err(ConnectFailure::via(hop, format!("it answered with {reply}, {words}")));
    }
    // The address from which it connects, which tells nothing.
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(read::<1, S>(stream).await?[0]),
        _ => return Err(ConnectFailure::via(Hop::Failed, "it does not answer in SOCKS 5".into())),
    };
    let mut rest = vec![0; length + 2];
    stream.read_exact(&mut rest).await.map_err(broken)?;
    Ok(())
}

fn request(target: &HostPort) -> Result<Vec<u8>, ConnectFailure> {
    let mut request = vec![VERSION, CONNECT, 0];
    match target.host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend_from_slice(&address.octets());
        }
        Err(_) => {
            let length = u8::try_from(target.host.len()).map_err(|_| {
                ConnectFailure::via(
                    Hop::Failed,
                    "the host's name is longer than SOCKS 5 has room for".into(),
                )
            })?;
            request.extend_from_slice(&[NAME, length]);
            request.extend_from_slice(target.host.as_bytes());
        }
    }
    request.extend_from_slice(&target.port.to_be_bytes());
    Ok(request)
}

async fn read<const N: usize, S: AsyncRead + Unpin>(
    stream: &mut S,
) -> Result<[u8; N], ConnectFailure> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(broken)?;
    Ok(bytes)
}

fn broken(error: io::Error) -> ConnectFailure {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return ConnectFailure::via(Hop::Failed, "it closed the connection in the middle".into());
    }
    ConnectFailure::via(Hop::Failed, format!("it broke off: {error}"))
}

const VERSION: u8 = 5;
/// The version of RFC 1929.
const NEGOTIATION: u8 = 1;
const OPEN: u8 = 0;
const PASSWORD: u8 = 2;
/// No method of those that were offered.
const NONE: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
const SUCCEEDED: u8 = 0;

/// RFC 1928, section 6.
const REPLIES: &[(u8, Hop, &str)] = &[
    (1, Hop::Beyond, "general failure"),
    (2, Hop::Denied, "not allowed by its rules"),
    (3, Hop::Beyond, "network unreachable"),
    (4, Hop::Beyond, "host unreachable"),
    (5, Hop::Beyond, "connection refused"),
    (6, Hop::Beyond, "time to live expired"),
    (7, Hop::Failed, "command not supported"),
    (8, Hop::Failed, "address type not supported"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a tunnel whose proxy answers with these messages, and what it was sent.
    async fn answered(host: &str, known: bool, answers: &[&[u8]]) -> (Result<(), String>, Vec<u8>) {
        let (mut near, mut far) = tokio::io::duplex(1024);
        let target = HostPort { host: host.into(), port: 443 };
        let message = known.then(|| password(b"me", b"pw").expect("it has room"));
        let proxy = async {
            let mut sent = Vec::new();
            for answer in answers {
                far.read_buf(&mut sent).await.expect("a message");
                far.write_all(answer).await.expect("it listens");
            }
            far.read_buf(&mut sent).await.expect("the end, or what comes after");
            sent
        };
        let led = async {
            let led = tunnel(&mut near, &target, message.as_ref()).await;
            drop(near);
            led.map_err(|failure| failure.reason)
        };
        tokio::join!(led, proxy)
    }

    #[tokio::test]
    async fn what_is_said_and_what_comes_of_it() {
        const DONE: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 0, 80];
        type Row =
            (&'static str, bool, &'static [&'static [u8]], Option<&'static str>, &'static [u8]);
        let table: [Row; 9] = [
            ("a.b", false, &[&[5, 0], DONE], None, b"\x05\x01\x00\x05\x01\x00\x03\x03a.b\x01\xbb"),
            (
                "1.2.3.4",
                true,
                &[&[5, 2], &[1, 0], &[5, 0, 0, 3, 1, b'x', 0, 80]],
                None,
                b"\x05\x02\x00\x02\x01\x02me\x02pw\x05\x01\x00\x01\x01\x02\x03\x04\x01\xbb",
            ),
            (
                "::1",
                true,
                &[&[5, 0], DONE],
                None,
                b"\x05\x02\x00\x02\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb",
            ),
            (
                "a.b",
                true,
                &[&[5, 2], &[1, 1]],
                Some("it refuses user"),
                b"\x05\x02\x00\x02\x01\x02me\x02pw",
            ),
            ("a.b", false, &[&[5, 255]], Some("it wants user"), b"\x05\x01\x00"),
            ("a.b", false, &[&[5, 2]], Some("it wants another"), b"\x05\x01\x00"),
            ("a.b", false, &[b"HT"], Some("it does not answer in SOCKS"), b"\x05\x01\x00"),
            (
                "a.b",
                false,
                &[&[5, 0], &[5, 2, 0, 1]],
                Some("it answered with 2, not allowed"),
                b"\x05\x01\x00\x05\x01\x00\x03\x03a.b\x01\xbb",
            ),
            (
                "a.b",
                false,
                &[&[5, 0], &[5, 99, 0, 1]],
                Some("it answered with 99"),
                b"\x05\x01\x00\x05\x01\x00\x03\x03a.b\x01\xbb",
            ),
        ];
        for (host, known, answers, refusal, sent) in table {
            let (led, seen) = answered(host, known, answers).await;
            match (led, refusal) {
                (Ok(()), None) => {}
                (Err(reason), Some(words)) if reason.starts_with(words) => {}
                (led, _) => panic!("{answers:?}: {led:?}"),
            }
            assert_eq!(seen, sent, "{answers:?}");
        }
        let (led, _) = answered(&"a".repeat(256), false, &[]).await;
        assert!(led.is_err_and(|reason| reason.contains("longer")));
    }

    #[test]
    fn user_and_password_have_room_or_are_refused() {
        let long = [b'x'; 256];
        let table: [(&[u8], &[u8], bool); 5] = [
            (b"a", b"b", true),
            (b"a", b"", true),
            (b"", b"b", false),
            (&long, b"b", false),
            (b"a", &long, false),
        ];
        for (user, pass, good) in table {
            assert_eq!(password(user, pass).is_ok(), good, "{} {}", user.len(), pass.len());
        }
    }
}
