//! The way of a sealed request: open, ask, conclude, write down, seal. What goes wrong on it is
//! sealed too: the caller expects a signed refusal, not a bare error.

use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;

use super::audited;
use super::holding::reply;
use super::judged::Judged;
use super::{Answer, Pipeline, forward_plain, proof};
use crate::record::Record;
use crate::refusal::Refusal;
use crate::request::{Body, Outgoing, Sealed};
use crate::route::Route;
use crate::scheme::{Answered, Conclusion, Opened};
use crate::snapshot::Snapshot;

impl Pipeline {
    /// Opens a sealed request, has it answered, and seals what is concluded.
    pub(super) async fn exchange(
        &self,
        snapshot: &Snapshot,
        sealed: Sealed<'_>,
        body: Incoming,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        super::logged(snapshot).await?;
        let (route, envelope) = (sealed.route, sealed.envelope);
        let came = match (&sealed.readable, &sealed.body) {
            (Err(refusal), _) => Err(refusal.clone()),
            (Ok(()), Body::Streamed(_)) => self.whole(snapshot, route, body, record).await,
            (Ok(()), Body::Held(body)) => Ok(body.clone()),
            (Ok(()), Body::Absent) => Ok(Bytes::new()),
        };
        let opened = sealed.open(&came, &self.moments.next());
        let conclusion = match &opened {
            Err(error) => envelope.conclude(Err(error), &Answered::Unasked),
            Ok(opened) => self.answer(snapshot, sealed, opened, record).await,
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
        audited::written(snapshot, route, &preimages, record).await?;
        record.signed(None);
        let edits = envelope.assemble(&conclusion, &moment, &signatures)?;
        let body = edits.new_body();
        let sealed = (route.as_ref(), envelope);
        proof::sealed(snapshot, sealed, &conclusion, &preimages, body, &self.metrics)?;
        Ok(Answer::Whole(edits))
    }

    /// What comes of an opened request: the policy answers, or the service; then it is written down,
    /// and an approval that cannot be is none.
    async fn answer(
        &self,
        snapshot: &Snapshot,
        sealed: Sealed<'_>,
        opened: &Opened,
        record: &mut Record,
    ) -> Conclusion {
        let (route, envelope) = (sealed.route, sealed.envelope);
        let judged = route.policy.as_ref().map(|policy| Judged::of(policy, opened));
        let conclusion = match judged.as_ref().and_then(Judged::in_place_of_a_service) {
            Some(verdict) => envelope.conclude(Ok(opened), &Answered::Verdict(verdict)),
            None => {
                let asked = match sealed.question(opened) {
                    Ok(outgoing) => {
                        record.aimed(outgoing.host());
                        self.ask(snapshot, route, outgoing, envelope.deadline(), record).await
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

    /// Asks the service, under one deadline for all of it.
    async fn ask(
        &self,
        snapshot: &Snapshot,
        route: &Route,
        outgoing: Box<Outgoing>,
        limit: Duration,
        record: &mut Record,
    ) -> Asked {
        let asked = async {
            let sent = forward_plain(snapshot, snapshot.upstream(route), (outgoing, None), None);
            let (head, _kept) = match sent.await {
                Ok(Answer::Streamed { head, kept, took, .. }) => {
                    record.returned(took);
                    (head, kept)
                }
                Ok(Answer::Whole(_)) => return Asked::Nothing("it gave no answer".into()),
                // The code alone: the detail names addresses.
                Err(refusal) => return Asked::Nothing(refusal.code.name().into()),
            };
            let status = head.status().as_u16();
            let held = (&self.held, &*record.holder());
            match reply(snapshot, head.into_body(), limit, held).await {
                Ok(body) => Asked::Reply(status, body),
                Err(_) => Asked::Nothing("its answer broke off or is too long".into()),
            }
        };
        let asked = tokio::time::timeout(limit, asked).await;
        asked.unwrap_or_else(|_| Asked::Nothing(format!("it did not answer within {limit:?}")))
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
