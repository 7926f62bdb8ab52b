//! Bodies that are held whole on a request's way, with their share of `limits.held_bodies`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use hyper::body::Incoming;

use super::Pipeline;
use crate::body::{self, CollectError, Holding};
use crate::record::Record;
use crate::refusal::{Code, Refusal};
use crate::route::Route;
use crate::scheme::SchemeError;
use crate::shares::Shares;
use crate::snapshot::Snapshot;

impl Pipeline {
    /// A body that a scheme reads. One that declares too much was refused by the plan.
    pub(super) async fn whole(
        &self,
        snapshot: &Snapshot,
        route: &Route,
        body: Incoming,
        record: &Record,
    ) -> Result<Bytes, Refusal> {
        let limits = &snapshot.limits;
        let (limit, deadline) = (limits.signed_body, snapshot.timeouts.request_body);
        self.held.show_limit(limits.held_bodies);
        let holder = record.holder();
        let holding = Holding { held: &self.held, budget: limits.held_bodies, holder: &holder };
        let collected = body::collect(body, limit, deadline, Some(holding)).await;
        collected.map_err(|error| uncollected(error, route, limit, deadline))
    }

    /// An answer that a scheme wants to open.
    pub(super) async fn collect_reply(
        &self,
        snapshot: &Snapshot,
        head: Response<Incoming>,
        record: &Record,
    ) -> Result<Bytes, Refusal> {
        let limit = snapshot.timeouts.response_head;
        let holder = record.holder();
        let collected = reply(snapshot, head.into_body(), limit, (&self.held, &holder)).await;
        collected.map_err(|_| SchemeError::Reply("broke off, or is too long or too slow").into())
    }
}

/// An answer that somebody here has to read. It is counted among the bodies that are held, and never
/// refused for them: what was asked for may have been carried out.
pub(super) async fn reply(
    snapshot: &Snapshot,
    body: Incoming,
    limit: Duration,
    (held, holder): (&Arc<Shares>, &str),
) -> Result<Bytes, CollectError> {
    let holding = Holding { held, budget: u64::MAX, holder };
    body::collect(body, snapshot.limits.signed_body, limit, Some(holding)).await
}

fn uncollected(error: CollectError, route: &Route, limit: u64, deadline: Duration) -> Refusal {
    let reads = format!("routes.{} reads the body to sign it", route.name);
    match error {
        CollectError::TooLarge => {
            Refusal::new(Code::BodyTooLarge, format!("{reads}; this one grew past {limit} bytes"))
        }
        CollectError::TooSlow => {
            Refusal::new(Code::BodyTooSlow, format!("{reads}; it was not there in {deadline:?}"))
        }
        CollectError::Broken => {
            Refusal::new(Code::BodyIncomplete, format!("{reads}; it broke off"))
        }
        CollectError::NoRoom(full) => {
            Refusal::new(Code::TooManyBodies, format!("{reads}; limits.held_bodies: {full}"))
        }
    }
}
