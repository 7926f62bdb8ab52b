//! What a route's rules say of a request, and the line about it that is on the disk before anybody
//! is told.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::audit::{Entry, Mode};
use crate::config::DecideMode;
use crate::decide::{Action, Verdict};
use crate::route::{Deciding, Route};
use crate::scheme::{Conclusion, Opened};

/// What the rules said of one request.
pub(super) struct Decision<'a> {
    deciding: &'a Deciding,
    verdict: Verdict,
}

impl<'a> Decision<'a> {
    /// Asks the rules.
    pub(super) fn of(deciding: &'a Deciding, opened: &Opened) -> Self {
        let request = str::from_utf8(&opened.request).unwrap_or_default();
        Self { deciding, verdict: deciding.rules.decide(request) }
    }

    /// The verdict in the form of a service's answer, where there is no service.
    pub(super) fn in_place_of_a_service(&self) -> Option<Bytes> {
        if self.deciding.mode == DecideMode::Shadow {
            return None;
        }
        let Verdict { action, rule, reason } = &self.verdict;
        let answer = match action {
            Action::Approve => json!({ "status": 0, "action": action.name() }),
            Action::Reject => {
                json!({ "status": 0, "action": action.name(), "error": format!("{rule}: {reason}") })
            }
        };
        Some(answer.to_string().into())
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
        let entry = self.entry(route, opened, conclusion);
        let written = match &self.deciding.audit {
            Some(audit) => tokio::time::timeout(LIMIT, audit.append(entry)).await,
            None => return Err(()),
        };
        match written {
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
        let Verdict { action, rule, reason } = &self.verdict;
        let (mode, service) = match self.deciding.mode {
            DecideMode::Enforce => (Mode::Enforce, None),
            DecideMode::Shadow => {
                let said = conclusion.said.unwrap_or(&conclusion.reason);
                tracing::info!(
                    route = %route.name,
                    id = opened.id.as_str(),
                    rules = action.name(),
                    rule,
                    service = said,
                    "rules in the shadow"
                );
                (Mode::Shadow, Some(said.to_owned()))
            }
        };
        Entry {
            route: route.name.to_string(),
            request_id: opened.id.clone(),
            request_type: opened.kind.parse().unwrap_or(u64::MAX),
            rule: (*rule).to_owned(),
            approved: *action == Action::Approve,
            mode,
            service,
            reason: reason.clone(),
        }
    }
}

/// A caller waits some seconds for the whole answer.
const LIMIT: Duration = Duration::from_secs(1);
