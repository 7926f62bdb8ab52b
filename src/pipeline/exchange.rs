//! The way of a sealed request: open, ask once for each id, seal. What goes wrong on it is sealed too:
//! the caller expects a signed refusal, not a bare error.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::Incoming;

use super::question::Question;
use super::remembered::{Claimed, Said, Ticket};
use super::replicas::{Elsewhere, Replicas};
use super::{Answer, Pipeline, audited, proof};
use crate::metrics::Metrics;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::request::{Body, Sealed};
use crate::scheme::{Answered, Bound, Conclusion, Envelope, Opened, SchemeError};
use crate::snapshot::Snapshot;
use crate::workers::in_place;

impl Pipeline {
    /// Opens a sealed request, has it answered, and seals what is concluded.
    pub(super) async fn exchange(
        &self,
        snapshot: &Arc<Snapshot>,
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
        let (cost, moment) =
            (envelope.cost(came.as_ref().map_or(0, Bytes::len)), self.moments.next());
        let opened = in_place(cost, || sealed.open(&came, &moment));
        let conclusion = match &opened {
            Err(error) => envelope.conclude(Err(error), &Answered::Unasked),
            Ok(opened) => self.answer(snapshot, sealed, opened, record).await?,
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
        let cost = envelope.cost(conclusion.package.len());
        let preimages = in_place(cost, || envelope.canonicalise(&conclusion, &moment))?;
        let signatures = super::signed(snapshot, route, &preimages).await?;
        audited::written(snapshot, route, &preimages, record).await?;
        record.signed(None);
        let sealed = (route.as_ref(), envelope);
        in_place(cost.times(2), || {
            let edits = envelope.assemble(&conclusion, &moment, &signatures)?;
            let body = edits.new_body();
            proof::sealed(snapshot, sealed, &conclusion, &preimages, body, &self.metrics)?;
            Ok(Answer::Whole(edits))
        })
    }

    /// What is said to an opened request: what its id was answered before, or what comes of it now.
    async fn answer(
        &self,
        snapshot: &Arc<Snapshot>,
        sealed: Sealed<'_>,
        opened: &Opened,
        record: &mut Record,
    ) -> Said {
        let (route, envelope) = (sealed.route, sealed.envelope);
        let nothing = |why| envelope.conclude(Ok(opened), &Answered::Nothing(why));
        let replicas = Replicas::of(snapshot, route, envelope, opened);
        let when = (envelope.remembered(), Instant::now());
        let answer = match self.remembered.claim(&route.name, opened, when) {
            Claimed::First(ticket, answer) => {
                let question = self.question(snapshot, sealed, opened, record);
                let metrics = Arc::clone(&self.metrics);
                let asked = tokio::spawn(settle(ticket, question, replicas, metrics));
                if let Ok(Some(took)) = asked.await {
                    record.returned(took);
                }
                answer
            }
            Claimed::Again(answer) => {
                self.metrics.asked_again();
                if let Some(replicas) = replicas {
                    tokio::spawn(replicas.kept());
                }
                answer
            }
            Claimed::Other => return Ok(other(envelope, opened)),
            Claimed::Full => return Ok(nothing("too many request_ids are remembered: ask later")),
        };
        let said = answer.said().await;
        said.unwrap_or_else(|| Ok(nothing("it was asked before, and what came of it is not known")))
    }

    fn question(
        &self,
        snapshot: &Arc<Snapshot>,
        sealed: Sealed<'_>,
        opened: &Opened,
        record: &mut Record,
    ) -> Question {
        let (route, held) = (Arc::clone(sealed.route), Arc::clone(&self.held));
        let outgoing = sealed.question(opened);
        if let Ok(outgoing) = &outgoing {
            record.aimed(outgoing.host());
        }
        let (snapshot, opened) = (Arc::clone(snapshot), opened.clone());
        Question { snapshot, route, opened, outgoing, held: (held, record.holder()) }
    }
}

/// Comes to what an id is answered, by asking once of all replicas; how long the service took.
async fn settle(
    ticket: Ticket,
    question: Question,
    replicas: Option<Replicas>,
    metrics: Arc<Metrics>,
) -> Option<Duration> {
    let (route, opened) = (Arc::clone(&question.route), question.opened.clone());
    let Bound::Envelope(envelope) = &route.scheme else { return None };
    if let Some(replicas) = &replicas {
        match replicas.claim().await {
            Ok(Elsewhere::Nowhere) => {}
            Ok(Elsewhere::Answered(conclusion)) => {
                metrics.asked_again();
                ticket.answer(conclusion);
                return None;
            }
            // The ticket is dropped: nobody is asked.
            Ok(Elsewhere::Unknown) => return None,
            Ok(Elsewhere::Other) => {
                ticket.give_back(Ok(other(envelope.as_ref(), &opened)));
                return None;
            }
            Ok(Elsewhere::Unsealed) => {
                let why = "what another replica has left of it is not sealed with the route's key";
                ticket.give_back(Ok(envelope.conclude(Ok(&opened), &Answered::Nothing(why))));
                return None;
            }
            Err(refusal) => {
                ticket.give_back(Err(refusal));
                return None;
            }
        }
    }
    let (conclusion, took) = question.answer().await?;
    if let Some(replicas) = &replicas {
        // Before it is told here, so that from then on it can be told everywhere.
        replicas.tell(&conclusion).await;
    }
    ticket.answer(conclusion);
    took
}

/// That an id is another request's.
fn other(envelope: &dyn Envelope, opened: &Opened) -> Conclusion {
    let what = "has a request_id that another request had: each has one of its own, and one answer";
    let error = SchemeError::Package { what, id: Some(opened.id.clone()) };
    envelope.conclude(Err(&error), &Answered::Unasked)
}
