//! CONNECT (RFC 9110, section 9.3.6), before TLS and before plain HTTP alike. Of the proxy's answer
//! only the status is used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::upstream::error::{ConnectFailure, Hop};
use crate::upstream::settings::HostPort;

/// `Proxy-Authorization` for `user:password` (RFC 7617), marked sensitive.
///
/// # Errors
///
/// What the credentials lack; nothing of them.
pub(crate) fn authorization(credentials: &Secret) -> Result<HeaderValue, &'static str> {
    let bytes = credentials.expose();
    if !bytes.contains(&b':') {
        return Err("has no colon between user and password");
    }
    if bytes.iter().any(u8::is_ascii_control) {
        return Err("has more than one line, or a control character");
    }
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(bytes)));
    let value = HeaderValue::from_str(&value);
    let mut value = value.map_err(|_| "cannot be sent as a header")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Has the proxy at the other end of `stream` connect it to `target`.
pub(super) async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    target: &HostPort,
    authorization: Option<&HeaderValue>,
) -> Result<(), ConnectFailure> {
    let broken =
        |error: std::io::Error| ConnectFailure::via(Hop::Failed, format!("it broke off: {error}"));
    let mut request =
        Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes());
    if let Some(value) = authorization {
        request.reserve_exact(value.len() + 32);
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    // With room for all that is there: a read that ends with the head would not see what follows it.
    let mut head = Vec::with_capacity(LONGEST_HEAD);
    loop {
        let read = stream.read_buf(&mut head).await.map_err(broken)?;
        if read == 0 {
            return Err(ConnectFailure::via(
                Hop::Failed,
                "it closed the connection without an answer".into(),
            ));
        }
        // Interim answers come before the one that counts.
        while let Some((status, length)) = parse(&head)? {
            head.drain(..length);
            match status {
                200..=299 if head.is_empty() => return Ok(()),
                // Whoever is dialled speaks second, so these are not its words.
                200..=299 => {
                    return Err(ConnectFailure::via(
                        Hop::Failed,
                        "it sent more than its answer".into(),
                    ));
                }
                100..=199 => {}
                _ => {
                    let reason = format!("it answered CONNECT with status {status}");
                    return Err(ConnectFailure::via(hop(status), reason));
                }
            }
        }
        if head.len() > LONGEST_HEAD {
            return Err(ConnectFailure::via(
                Hop::Failed,
                "its answer to CONNECT does not end".into(),
            ));
        }
    }
}

/// Status and length of the head that `bytes` begins with, once it is there.
fn parse(bytes: &[u8]) -> Result<Option<(u16, usize)>, ConnectFailure> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => Ok(response.code.map(|code| (code, length))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(ConnectFailure::via(Hop::Failed, "it does not answer in HTTP".into())),
    }
}

fn hop(status: u16) -> Hop {
    match status {
        407 => Hop::Credentials,
        403 | 405 => Hop::Denied,
        500.. => Hop::Beyond,
        _ => Hop::Failed,
    }
}

const LONGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a tunnel whose proxy answers with these pieces, and what it was asked.
    async fn answered(pieces: &[&str]) -> (Result<(), ConnectFailure>, String) {
        let (mut near, mut far) = tokio::io::duplex(64 * 1024);
        let target = HostPort { host: "::1".into(), port: 8443 };
        let value = authorization(&Secret::new(b"me:pass:word".to_vec())).expect("credentials");
        let proxy = async {
            let mut asked = vec![0; 1024];
            let read = far.read(&mut asked).await.expect("a request");
            for piece in pieces {
                far.write_all(piece.as_bytes()).await.expect("it listens");
                tokio::task::yield_now().await;
            }
            drop(far);
            String::from_utf8_lossy(&asked[..read]).into_owned()
        };
        tokio::join!(tunnel(&mut near, &target, Some(&value)), proxy)
    }

    #[tokio::test]
    async fn only_a_whole_2xx_and_nothing_more_opens_a_tunnel() {
        let long = "x: y\r\n".repeat(4000);
        // As long as the pieces that a buffer without room is filled in.
        let padded =
            format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "y".repeat(40));
        let table: [(&[&str], Option<&str>); 10] = [
            (&["HTTP/1.1 200 Connection established\r\n\r\n"], None),
            (&["HTTP/1.0 2", "00 OK\r\nVia: x\r", "\n\r\n"], None),
            (&["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"], None),
            (
                &["HTTP/1.1 407 Auth\r\nsecret: x\r\n\r\nbody"],
                Some("it answered CONNECT with status 407"),
            ),
            (&["HTTP/1.1 200 OK\r\n\r\nSSH-2.0"], Some("it sent more than its answer")),
            (&[&padded], Some("it sent more than its answer")),
            (&["SSH-2.0-OpenSSH\r\n\r\n"], Some("it does not answer in HTTP")),
            (&["HTTP/1.1 200 OK\r\n"], Some("it closed the connection without an answer")),
            (&[], Some("it closed the connection without an answer")),
            (&["HTTP/1.1 200 OK\r\n", &long], Some("it does not answer in HTTP")),
        ];
        for (pieces, refusal) in table {
            let (result, asked) = answered(pieces).await;
            let reason = result.as_ref().err().map(|failure| failure.reason.as_str());
            assert_eq!(reason, refusal, "{pieces:.40?}");
            assert_eq!(
                asked,
                "CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\
                 Proxy-Authorization: Basic bWU6cGFzczp3b3Jk\r\n\r\n"
            );
        }
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(20_000));
        let (result, _) = answered(&[&endless]).await;
        let reason = result.expect_err("it is too long").reason;
        assert_eq!(reason, "its answer to CONNECT does not end");
    }

    #[test]
    fn credentials_are_a_user_and_a_password_on_one_line() {
        for (text, good) in [("a:b", true), ("a:", true), ("ab", false), ("a:b\nc:d", false)] {
            let value = authorization(&Secret::new(text.into()));
            assert_eq!(value.is_ok(), good, "{text:?}");
            assert!(value.is_ok_and(|value| value.is_sensitive()) == good);
        }
    }
}
