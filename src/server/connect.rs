//! CONNECT: a blind tunnel for hosts that no route names, where the configuration allows it.
//!
//! A routed host is never tunnelled. What is inside would be encrypted, and what should have been
//! signed must not leave unsigned.

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

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
    let server = match dialled {
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
        if let Ok(client) = hyper::upgrade::on(request).await {
            let bytes = tunnel::relay(TokioIo::new(client), server, idle).await;
            record.sent(bytes);
        }
        drop(open);
    });
    plain("")
}

fn allowed(snapshot: &Snapshot, name: &str, port: u16) -> Result<(), Refusal> {
    if snapshot.routes.naming(name).is_some() {
        let detail = format!("{name} has a route, and CONNECT hides what should be signed");
        return Err(Refusal::new(Code::InterceptionOff, detail));
    }
    unrouted(snapshot, name, Some(port))
}
