//! Connections that begin like no HTTP: TLS or SOCKS to a plain listener, SSH in a tunnel whose
//! inside is signed. They get an answer in plain HTTP all the same: who sent them sees it in an
//! error message at best, and knows then that HTTP is spoken here.

use super::shared::{Client, Shared};
use super::stream::Duplex;
use super::told::tell;
use crate::refusal::{Code, Refusal};

/// What a connection begins with, and what to do about it.
#[derive(Debug)]
pub(super) struct Foreign {
    what: &'static str,
    remedy: &'static str,
}

/// What is no HTTP, by the first bytes of a connection; at least one.
pub(super) fn foreign(first: &[u8]) -> Option<&'static Foreign> {
    match first {
        [22, ..] => Some(&TLS),
        [4 | 5, ..] => Some(&SOCKS),
        _ if first.starts_with(SSH) => Some(&SECURE_SHELL),
        // A method (RFC 9110, section 9.1), or an empty line before it (RFC 9112, section 2.2).
        [b'\r' | b'\n', ..] | [] => None,
        [byte, ..] if byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte) => None,
        [..] => Some(&UNKNOWN),
    }
}

/// How every SSH connection begins (RFC 4253, section 4.2).
pub(super) const SSH: &[u8] = b"SSH-";
/// RFC 8446, section 5.1.
const TLS: Foreign = Foreign {
    what: "TLS",
    remedy: "Write http:// before the address of this listener, in HTTPS_PROXY too: the way to it is plain, and TLS to a provider goes through its CONNECT.",
};
/// RFC 1928, section 3, and the version before it.
const SOCKS: Foreign = Foreign {
    what: "SOCKS",
    remedy: "Name the proxy as http://HOST:PORT, not as socks4:// or socks5://, in ALL_PROXY too.",
};
const SECURE_SHELL: Foreign = Foreign { what: "SSH", remedy: PAST };
const UNKNOWN: Foreign = Foreign { what: "something that is not HTTP", remedy: PAST };

/// What other protocols have to do.
pub(super) const PAST: &str = "Only HTTP can be signed: send other protocols to a host with a route past the proxy (NO_PROXY, or none in their settings).";

/// Says so, in the log too, and closes.
pub(super) async fn refuse(
    stream: Box<dyn Duplex>,
    foreign: &Foreign,
    client: Client,
    shared: &Shared,
) {
    let snapshot = shared.pipeline.snapshot();
    if snapshot.access.address(client.peer).is_err() {
        return;
    }
    let mut record = shared.pipeline.record();
    record.arrived(client.peer, "");
    record.aimed(client.inside.as_ref().map_or_else(String::new, |inside| inside.place()));
    let place = match &client.inside {
        Some(_) => "inside a CONNECT",
        None => client.role.name(),
    };
    let Foreign { what, remedy } = foreign;
    tracing::warn!(
        host = record.host(),
        fix = remedy,
        "{what} came where HTTP is spoken ({place})"
    );
    let refusal = Refusal::new(Code::NotHttp, format!("this begins like {what}")).remedy(*remedy);
    tell(stream, refusal, &snapshot, record).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_a_method_is_http_as_far_as_can_be_seen() {
        for (first, what) in [
            (&b"GET / HTTP/1.1"[..], ""),
            (b"x", ""),
            (b"\r\nGET /", ""),
            (b"SSH", ""),
            (b"SSHD / HTTP/1.1", ""),
            (b"", ""),
            (b"SSH-2.0-OpenSSH_9.2", "SSH"),
            (&[22, 3, 1], "TLS"),
            (&[5, 1, 0], "SOCKS"),
            (&[4], "SOCKS"),
            (&[0, 0, 0, 8, 4, 210, 22, 47], "something that is not HTTP"),
            (b" GET /", "something that is not HTTP"),
            (b"{}", "something that is not HTTP"),
        ] {
            assert_eq!(foreign(first).map_or("", |foreign| foreign.what), what, "{first:?}");
        }
    }
}
