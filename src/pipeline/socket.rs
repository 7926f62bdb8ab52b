//! WebSockets (RFC 6455): the handshake is a request like any other; once the upstream has agreed
//! to it, both connections become a tunnel, and no frame is looked at.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::body::Reply;
use crate::record::Record;
use crate::request::{strip_hop_by_hop, switch};
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
