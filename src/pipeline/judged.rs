//! Policy decisions: what a route's policy says of a request, and its line in the audit log, which
//! is on the disk before anybody is told.

use std::time::Duration;

use crate::audit::{Entry, Mode};
use crate::route::{BoundPolicy, Route};
use crate::scheme::{Conclusion, Decision, Opened, Verdict};

/// What the policy said of one request.
pub(super) struct Judged<'a> {
    bound: &'a BoundPolicy,
    verdict: Verdict,
}

impl<'a> Judged<'a> {
    /// Asks the policy.
    pub(super) fn of(bound: &'a BoundPolicy, opened: &Opened) -> Self {
        let verdict = bound.policy.judge(opened);
        let [approved, rejected] = &bound.decisions;
        if verdict.decision == Decision::Approve { approved } else { rejected }.inc();
        Self { bound, verdict }
    }

    /// The verdict, where there is no service.
    pub(super) fn in_place_of_a_service(&self) -> Option<&Verdict> {
        (self.bound.mode == Mode::Enforce).then_some(&self.verdict)
    }

    /// Writes down what was decided and what is about to be answered.
    ///
    /// # Errors
    ///
    /// When the line is not on the disk, and so nothing may be approved.
    pub(super) async fn write_down(
        self,
        route: &Route,
        opened: &Opened,
        conclusion: &Conclusion,
    ) -> Result<(), ()> {
        let Some(audit) = &self.bound.audit else { return Err(()) };
        let entry = self.entry(route, opened, conclusion);
        match tokio::time::timeout(LIMIT, audit.append(entry)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(route = %route.name, fix = %error.fix, "not audited: {error}");
                Err(())
            }
            Err(_) => {
                tracing::error!(route = %route.name, "not audited: no line within {LIMIT:?}");
                Err(())
            }
        }
    }

    fn entry(&self, route: &Route, opened: &Opened, conclusion: &Conclusion) -> Entry {
        let Verdict { decision, rule, reason } = &self.verdict;
        let service = (self.bound.mode == Mode::Shadow)
            .then(|| conclusion.said.map(Decision::word).unwrap_or(&conclusion.reason));
        if let Some(service) = service {
            tracing::info!(
                route = %route.name,
                id = opened.id.as_str(),
                rules = decision.word(),
                rule,
                service,
                "rules in the shadow"
            );
        }
        Entry {
            route: route.name.to_string(),
            request_id: opened.id.clone(),
            request_type: opened.kind,
            rule: (*rule).to_owned(),
            verdict: *decision,
            mode: self.bound.mode,
            service: service.map(str::to_owned),
            reason: reason.clone(),
        }
    }
}

/// A caller waits some seconds for the whole answer.
const LIMIT: Duration = Duration::from_secs(1);
