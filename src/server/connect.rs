//! CONNECT: a blind tunnel for hosts that no route names, where the configuration allows it.
//!
//! A routed host is never tunnelled. What is inside would be encrypted, and what should have been
//! signed must not leave unsigned.

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::stream::Lingering;
use super::{Shared, intake, tunnel};
use crate::body::Reply;
use crate::destination::unrouted;
use crate::pipeline::{plain, refuse};
use crate::record::Record;
use crate::refusal::{Code, Refusal};
use crate::snapshot::Snapshot;
use crate::upstream::{ForwardError, Phase, dial};

/// Answers a CONNECT: 200 and a tunnel, or a refusal. The target is reached before the 200.
pub(super) async fn answer(
    request: Request<Incoming>,
    snapshot: &Snapshot,
    shared: &Shared,
    mut record: Box<Record>,
) -> Response<Reply> {
    let authority = request.uri().authority().map_or("", |authority| authority.as_str());
    let (name, port) = match intake::host_and_port(authority) {
        Ok((name, Some(port))) => (name, port),
        Ok((_, None)) => {
            return refuse(Refusal::new(Code::BadTarget, "CONNECT names no port"), record);
        }
        Err(detail) => return refuse(Refusal::new(Code::BadTarget, detail), record),
    };
    record.host.clone_from(&name);
    if let Err(refusal) = allowed(snapshot, &name, port) {
        return refuse(refusal, record);
    }
    let limit = snapshot.timeouts.connect;
    let dialled = tokio::time::timeout(limit, dial(&name, port, &shared.surroundings.own)).await;
    let upstream = format!("{name}:{port}");
    let mut server = match dialled {
        Ok(Ok(server)) => server,
        Ok(Err(failure)) => {
            let (phase, reason) = failure.into_parts();
            return refuse(ForwardError { upstream, phase, reason }.into(), record);
        }
        Err(_) => {
            let (phase, reason) = (Phase::ConnectTimeout, format!("{limit:?}"));
            return refuse(ForwardError { upstream, phase, reason }.into(), record);
        }
    };
    let idle = snapshot.timeouts.body_idle;
    let open = shared.surroundings.metrics.tunnel();
    record.status = 200;
    shared.tunnel(async move {
        if let Some((client, first)) = opened(request).await {
            // What the client sent without waiting for the 200.
            let begun = tokio::time::timeout(idle, server.write_all(&first)).await;
            if matches!(begun, Ok(Ok(()))) {
                record.sent(tunnel::relay(client, server, idle).await);
            }
        }
        drop(open);
    });
    plain("")
}

/// The client's end of the tunnel, and what has been read of it already.
async fn opened(request: Request<Incoming>) -> Option<(Lingering<TcpStream>, Bytes)> {
    let upgraded = hyper::upgrade::on(request).await.ok()?;
    // The forward listener, which alone takes CONNECT, is always TCP.
    let parts = upgraded.downcast::<TokioIo<Lingering<TcpStream>>>().ok()?;
    Some((parts.io.into_inner().into_tunnel(), parts.read_buf))
}

fn allowed(snapshot: &Snapshot, name: &str, port: u16) -> Result<(), Refusal> {
    if snapshot.routes.naming(name).is_some() {
        let detail = format!("{name} has a route, and CONNECT hides what should be signed");
        return Err(Refusal::new(Code::InterceptionOff, detail));
    }
    unrouted(snapshot, name, Some(port))
}
