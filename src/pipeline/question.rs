//! A question that a sealed request asks: the policy answers, or the service; then it is written
//! down. It runs by itself, so that it comes to its end although the caller has gone: who asks again
//! is told what came of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::holding::reply;
use super::judged::Judged;
use super::{Answer, forward_plain};
use crate::cost::Cost;
use crate::refusal::Refusal;
use crate::request::Outgoing;
use crate::route::Route;
use crate::scheme::{Answered, Bound, Conclusion, Envelope, Opened};
use crate::shares::Shares;
use crate::snapshot::Snapshot;
use crate::workers::in_place;

/// All that is needed for an answer.
pub(super) struct Question {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) route: Arc<Route>,
    pub(super) opened: Opened,
    /// What the service is sent.
    pub(super) outgoing: Result<Box<Outgoing>, Refusal>,
    /// Where its answer is counted, and whose it is.
    pub(super) held: (Arc<Shares>, String),
}

impl Question {
    /// What comes of it, and how long the service took. An approval that cannot be written down is
    /// none.
    pub(super) async fn answer(self) -> Option<(Conclusion, Option<Duration>)> {
        let route = Arc::clone(&self.route);
        let Bound::Envelope(envelope) = &route.scheme else { return None };
        let opened = self.opened.clone();
        let cost = Cost::reading(opened.request.len());
        let judged =
            route.policy.as_ref().map(|policy| in_place(cost, || Judged::of(policy, &opened)));
        let (conclusion, took) = match judged.as_ref().and_then(Judged::in_place_of_a_service) {
            Some(verdict) => (envelope.conclude(Ok(&opened), &Answered::Verdict(verdict)), None),
            None => {
                let (asked, took) = self.ask(envelope.as_ref()).await;
                let cost = envelope.cost(asked.length());
                (in_place(cost, || envelope.conclude(Ok(&opened), &asked.answered())), took)
            }
        };
        let Some(judged) = judged else { return Some((conclusion, took)) };
        let conclusion = match judged.write_down(&route, &opened, &conclusion).await {
            Ok(()) => conclusion,
            Err(()) => {
                let why = "the decision could not be written down";
                envelope.conclude(Ok(&opened), &Answered::Nothing(why))
            }
        };
        Some((conclusion, took))
    }

    /// Asks the service, under one deadline for all of it.
    async fn ask(self, envelope: &dyn Envelope) -> (Asked, Option<Duration>) {
        let outgoing = match self.outgoing {
            Ok(outgoing) => outgoing,
            // The code alone: the detail names addresses.
            Err(refusal) => return (Asked::Nothing(refusal.code.name().into()), None),
        };
        let (snapshot, (held, holder)) = (&self.snapshot, &self.held);
        let (limit, mut returned) = (envelope.deadline(), None);
        let asked = async {
            let upstream = snapshot.upstream(&self.route);
            let (head, _kept) =
                match forward_plain(snapshot, upstream, (outgoing, None), None).await {
                    Ok(Answer::Streamed { head, kept, took, .. }) => {
                        returned = Some(took);
                        (head, kept)
                    }
                    Ok(Answer::Whole(_)) => return Asked::Nothing("it gave no answer".into()),
                    Err(refusal) => return Asked::Nothing(refusal.code.name().into()),
                };
            let status = head.status().as_u16();
            match reply(snapshot, head.into_body(), limit, (held, holder)).await {
                Ok(body) => Asked::Reply(status, body),
                Err(_) => Asked::Nothing("its answer broke off or is too long".into()),
            }
        };
        let asked = tokio::time::timeout(limit, asked).await;
        let late = |_| Asked::Nothing(format!("it did not answer within {limit:?}"));
        (asked.unwrap_or_else(late), returned)
    }
}

/// What came of asking.
enum Asked {
    Reply(u16, Bytes),
    Nothing(String),
}

impl Asked {
    fn length(&self) -> usize {
        match self {
            Self::Reply(_, body) => body.len(),
            Self::Nothing(_) => 0,
        }
    }

    fn answered(&self) -> Answered<'_> {
        match self {
            Self::Reply(status, body) => Answered::Reply { status: *status, body },
            Self::Nothing(why) => Answered::Nothing(why),
        }
    }
}
