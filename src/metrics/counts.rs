//! The counters of one route, found once: a request adds to them without a search by its labels.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::Outcome;
use super::labels::{ByClass, ByOutcome, ByRoute};

/// What is counted of a route's requests.
#[derive(Debug)]
pub struct Counts {
    route: Arc<str>,
    requests: Family<ByOutcome, Counter>,
    /// Each once there was one, or it is shown from zero.
    by_outcome: [OnceLock<Counter>; Outcome::ALL.len()],
    by_class: [Counter; CLASSES.len()],
    cut: Counter,
    upstream: Histogram,
}

impl Counts {
    pub(super) fn new(
        route: Arc<str>,
        requests: &Family<ByOutcome, Counter>,
        answers: &Family<ByClass, Counter>,
        cut: &Family<ByRoute, Counter>,
        upstream: Histogram,
    ) -> Self {
        let class = |status| ByClass { route: (*route).to_owned(), status };
        Self {
            requests: requests.clone(),
            by_outcome: [const { OnceLock::new() }; Outcome::ALL.len()],
            by_class: CLASSES.map(|status| answers.get_or_create_owned(&class(status))),
            cut: cut.get_or_create_owned(&ByRoute { route: (*route).to_owned() }),
            upstream,
            route,
        }
    }

    /// The route's name, or `-`.
    pub fn route(&self) -> &Arc<str> {
        &self.route
    }

    /// Shows these from zero on, so that the first of them is an increase.
    pub fn begin(&self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            let _from_zero = self.of(*outcome);
        }
    }

    /// Counts a request that is over, with the status of the answer, if there was one, and how long
    /// the upstream took to answer.
    pub(super) fn request(&self, outcome: Outcome, status: u16, upstream: Option<Duration>) {
        self.of(outcome).inc();
        if let Some(class) = self.by_class.get(usize::from(status / 100).wrapping_sub(1)) {
            class.inc();
        }
        if let Some(took) = upstream {
            self.upstream.observe(took.as_secs_f64());
        }
    }

    /// Counts an answer that did not come to its end.
    pub fn cut(&self) {
        self.cut.inc();
    }

    fn of(&self, outcome: Outcome) -> &Counter {
        let find = || {
            let by = ByOutcome { route: (*self.route).to_owned(), outcome: outcome.name() };
            self.requests.get_or_create_owned(&by)
        };
        self.by_outcome[outcome.index()].get_or_init(find)
    }
}

/// Classes of statuses.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
