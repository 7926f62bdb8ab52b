//! The way of a sealed request: open, ask, conclude, seal. What goes wrong on it is sealed too: the
//! caller expects a signed refusal, not a bare error.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};

use super::{Answer, Intake, Pipeline, forward, whole};
use crate::body;
use crate::outbound::{Outbound, Payload};
use crate::record::Record;
use crate::refusal::Refusal;
use crate::route::Route;
use crate::scheme::{Answered, Edits, Envelope, Head, Opened, SchemeError, Signable};
use crate::snapshot::Snapshot;

impl Pipeline {
    /// Opens a sealed request, has it answered, and seals what is concluded.
    pub(super) async fn exchange(
        &self,
        snapshot: &Snapshot,
        route: &Arc<Route>,
        envelope: &dyn Envelope,
        intake: Intake,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        let (host, _) = intake.destination.place(route)?;
        record.host.clone_from(&host);
        let Intake { method, destination, target, headers, body, .. } = intake;
        let head = Head { method, host, target, headers };
        let came = whole(snapshot, route, &head.headers, body).await;
        let opened = match &came {
            Ok(Payload::Whole(body)) => {
                let signable = Signable { head: &head, body: Some(body) };
                envelope.open(signable, &self.moments.next())
            }
            Ok(_) => Err(SchemeError::Broken("a collected body is whole")),
            Err(refusal) => Err(SchemeError::Body {
                what: format!("cannot be read ({})", refusal.code.name()),
                remedy: "send it whole, in time, and no longer than limits.signed_body",
            }),
        };
        let answer = match &opened {
            Err(_) => Asked::Nobody,
            Ok(opened) => {
                let (host, origin) = destination.place(route)?;
                let headers = plain_headers(head.headers, opened);
                let payload = Payload::Whole(opened.request.clone());
                let outbound = Outbound::dress(
                    Method::POST,
                    &head.target,
                    headers,
                    payload,
                    host,
                    origin,
                    None,
                )?;
                ask(snapshot, route, outbound, envelope.deadline(), record).await
            }
        };
        let conclusion = envelope.conclude(opened.as_ref(), &answer.answered());
        tracing::info!(
            route = %route.name,
            id = opened.as_ref().map_or("-", |opened| opened.id.as_str()),
            kind = opened.as_ref().map_or("-", |opened| opened.kind.as_str()),
            approves = conclusion.approves,
            reason = %conclusion.reason,
            "concluded"
        );
        let moment = self.moments.next();
        let preimages = envelope.canonicalise(&conclusion, &moment)?;
        let signatures = super::signed(snapshot, route, &preimages).await?;
        record.signed = true;
        Ok(Answer::Whole(envelope.assemble(&conclusion, &moment, &signatures)?))
    }
}

/// What came of asking the service.
enum Asked {
    Reply(u16, Bytes),
    Nothing(String),
    Nobody,
}

impl Asked {
    fn answered(&self) -> Answered<'_> {
        match self {
            Self::Reply(status, body) => Answered::Reply { status: *status, body },
            Self::Nothing(why) => Answered::Nothing(why),
            Self::Nobody => Answered::Unasked,
        }
    }
}

/// Asks the service, under one deadline for all of it.
async fn ask(
    snapshot: &Snapshot,
    route: &Route,
    outbound: Outbound,
    limit: Duration,
    record: &mut Record,
) -> Asked {
    let asked = async {
        let sent = forward(snapshot, &route.upstream, outbound, Edits::default(), None, record);
        let head = match sent.await {
            Ok(Answer::Streamed { head, .. }) => head,
            Ok(Answer::Whole(_)) => return Asked::Nothing("it gave no answer".into()),
            // The code alone: the detail names addresses.
            Err(refusal) => return Asked::Nothing(refusal.code.name().into()),
        };
        let status = head.status().as_u16();
        let most = snapshot.limits.signed_body;
        match body::collect(head.into_body(), most, limit).await {
            Ok(body) => Asked::Reply(status, body),
            Err(_) => Asked::Nothing("its answer broke off or is too long".into()),
        }
    };
    let asked = tokio::time::timeout(limit, asked).await;
    asked.unwrap_or_else(|_| Asked::Nothing(format!("it did not answer within {limit:?}")))
}

/// The headers of the plain request: the caller's, without what described the sealed one.
fn plain_headers(mut headers: HeaderMap, opened: &Opened) -> HeaderMap {
    headers.remove(CONTENT_ENCODING);
    // What comes back is read here.
    headers.remove(ACCEPT_ENCODING);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(opened.content_type));
    headers
}
