//! WebSockets (RFC 6455): the handshake is a request like any other; once the upstream has agreed
//! to it, both connections become a tunnel, and no frame is looked at.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap, HeaderName, UPGRADE};
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::Intake;
use crate::body::Reply;
use crate::outbound::{strip_hop_by_hop, switch};
use crate::record::Record;
use crate::refusal::{Code, Refusal};
use crate::tunnel::{HalfClose, Slot, relay};

/// The tunnel of a handshake that is under way.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) client: OnUpgrade,
    pub(super) slot: Slot,
}

impl Socket {
    /// The upstream has agreed: tells the client so, and relays from then on.
    pub(super) fn switch(
        self,
        mut head: Response<Incoming>,
        idle: Duration,
        mut record: Box<Record>,
    ) -> Response<Reply> {
        let upstream = hyper::upgrade::on(&mut head);
        let (mut parts, _) = head.into_parts();
        strip_hop_by_hop(&mut parts.headers);
        switch(&mut parts.headers);
        let Self { client, slot } = self;
        slot.run(async move {
            let (client, upstream) = match tokio::try_join!(client, upstream) {
                Ok((client, upstream)) => (TokioIo::new(client), TokioIo::new(upstream)),
                Err(error) => return record.cut(&error),
            };
            record.sent(relay(client, upstream, idle, HalfClose::EndsBoth).await);
        });
        Response::from_parts(parts, Reply::whole(Bytes::new(), None))
    }
}

/// Whether the upstream has agreed to leave HTTP.
pub(super) fn has_switched(head: &Response<Incoming>) -> bool {
    head.status().as_u16() == 101
}

/// Whether a request asks for a WebSocket, however well. In HTTP/2 it would ask with another
/// method (RFC 8441), which this proxy does not offer: clients then come in HTTP/1.1.
pub(crate) fn asks_for_socket<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && lists(request.headers(), &UPGRADE, "websocket")
        && lists(request.headers(), &CONNECTION, "upgrade")
}

/// Whether a request is a handshake that a server can answer (RFC 6455, section 4.2.1).
///
/// # Errors
///
/// `not_an_upgrade`, with what is missing.
pub(super) fn is_handshake(intake: &Intake) -> Result<(), Refusal> {
    let missing = |what: &str| Err(Refusal::new(Code::NotAnUpgrade, format!("the request {what}")));
    if intake.upgrade.is_none() {
        return missing("does not ask for a WebSocket");
    }
    if !is_once(&intake.headers, "sec-websocket-version", |value| value == b"13") {
        return missing("has no Sec-WebSocket-Version: 13");
    }
    // Sixteen bytes in base64.
    if !is_once(&intake.headers, "sec-websocket-key", |value| value.len() == 24) {
        return missing("has no Sec-WebSocket-Key of sixteen bytes in base64");
    }
    Ok(())
}

fn is_once(headers: &HeaderMap, name: &str, right: fn(&[u8]) -> bool) -> bool {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    first.is_some_and(|value| right(value.as_bytes())) && values.next().is_none()
}

/// Whether a list header has this word, in any case.
pub(crate) fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}
