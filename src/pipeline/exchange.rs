//! The way of a sealed request: open, ask, conclude, write down, seal. What goes wrong on it is
//! sealed too: the caller expects a signed refusal, not a bare error.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};

use super::judged::Judged;
use super::{Answer, Intake, Pipeline, forward_plain, whole};
use crate::body;
use crate::destination::Destination;
use crate::outbound::{Outbound, Payload};
use crate::record::Record;
use crate::refusal::Refusal;
use crate::route::Route;
use crate::scheme::{Answered, Conclusion, Envelope, Head, Opened, SchemeError, Signable};
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
        let Intake { method, destination, target, headers, body, .. } = intake;
        let came = whole(snapshot, route, &headers, body).await;
        // Who is asked, and where, is nothing to a sealed request.
        let head = Head { method, host: String::new(), target, headers };
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
        let conclusion = match &opened {
            Err(error) => envelope.conclude(Err(error), &Answered::Unasked),
            Ok(opened) => {
                let question = Question { destination, target: head.target, headers: head.headers };
                self.answer(snapshot, route, envelope, opened, question, record).await
            }
        };
        tracing::info!(
            route = %route.name,
            id = opened.as_ref().map_or("-", |opened| opened.id.as_str()),
            kind = opened.as_ref().ok().map(|opened| opened.kind),
            approves = conclusion.approves,
            reason = conclusion.reason.as_str(),
            "concluded"
        );
        let moment = self.moments.next();
        let preimages = envelope.canonicalise(&conclusion, &moment)?;
        let signatures = super::signed(snapshot, route, &preimages).await?;
        record.signed(None);
        Ok(Answer::Whole(envelope.assemble(&conclusion, &moment, &signatures)?))
    }

    /// What comes of an opened request: the policy answers, or the service; then it is written down,
    /// and an approval that cannot be is none.
    async fn answer(
        &self,
        snapshot: &Snapshot,
        route: &Route,
        envelope: &dyn Envelope,
        opened: &Opened,
        question: Question,
        record: &mut Record,
    ) -> Conclusion {
        let judged = route.policy.as_ref().map(|policy| Judged::of(policy, opened));
        let conclusion = match judged.as_ref().and_then(Judged::in_place_of_a_service) {
            Some(verdict) => envelope.conclude(Ok(opened), &Answered::Verdict(verdict)),
            None => {
                let asked = match question.plain(route, opened) {
                    Ok((outbound, host)) => {
                        record.aimed(host);
                        ask(snapshot, route, outbound, envelope.deadline(), record).await
                    }
                    Err(refusal) => Asked::Nothing(refusal.code.name().into()),
                };
                envelope.conclude(Ok(opened), &asked.answered())
            }
        };
        let Some(judged) = judged else { return conclusion };
        match judged.write_down(route, opened, &conclusion).await {
            Ok(()) => conclusion,
            Err(()) => {
                let why = "the decision could not be written down";
                envelope.conclude(Ok(opened), &Answered::Nothing(why))
            }
        }
    }
}

/// The head of a sealed request, for asking its question plainly.
struct Question {
    destination: Destination,
    target: PathAndQuery,
    headers: HeaderMap,
}

impl Question {
    /// The request for the service, and the service's host.
    fn plain(self, route: &Route, opened: &Opened) -> Result<(Outbound, String), Refusal> {
        let (host, origin) = self.destination.place(route)?;
        let headers = plain_headers(self.headers, opened);
        let (target, payload) = (self.target, Payload::Whole(opened.request.clone()));
        let named = host.clone();
        let outbound =
            Outbound::dress(Method::POST, &target, headers, payload, host, origin, None)?;
        Ok((outbound, named))
    }
}

/// What came of asking.
enum Asked {
    Reply(u16, Bytes),
    Nothing(String),
}

impl Asked {
    fn answered(&self) -> Answered<'_> {
        match self {
            Self::Reply(status, body) => Answered::Reply { status: *status, body },
            Self::Nothing(why) => Answered::Nothing(why),
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
        let sent = forward_plain(snapshot, snapshot.upstream(route), outbound, None, record);
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
