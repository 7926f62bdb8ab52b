//! The registry of metrics: what is registered is exposed, and is a row of the document.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

/// What is fixed about a metric.
#[derive(Debug)]
pub struct Row {
    /// The name of its series, or what those of a histogram begin with.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it counts, without a full stop.
    pub help: &'static str,
}

/// What each label's values are.
pub const LABELS: &[(&str, &str)] = &[
    ("answer", "`accepted` or `rejected`: a 400, 401, 403, or what the scheme's provider answers"),
    (
        "cause",
        "what the provider says is wrong, or what most likely is: `clock`, `signature`, `key`, `address`, \
         `permission` or `nonce`",
    ),
    ("code", "the name of a [refusal](refusals.md)"),
    ("decision", "`approve` or `reject`"),
    ("fingerprint", "that of a public key"),
    ("key", "the name of a key in the configuration; `-` for none"),
    (
        "limit",
        "`connections`, `tunnels` and `held_bodies` (bytes), as in `[limits]`; `unauthenticated` and \
         `admin`: connections of which no request was admitted yet, and those of the admin listener; \
         `remembered_answers` (bytes): those to callbacks; `log` (bytes): lines of signed requests that \
         nobody has read yet",
    ),
    (
        "provider_code",
        "the provider's own, of those in [rejected.md](rejected.md); `other` for another, `-` for none",
    ),
    (
        "reason",
        "the name of a refusal, `client_not_allowed` or `out_of_descriptors`; `made_room`: others came \
         while nothing that is admitted had come",
    ),
    (
        "result",
        "of a reload: `ok`, it was taken up, or `failed`, it was not, and what ran before goes on; of a \
     question: `ok`, or `failed`, there was no answer",
    ),
    ("route", "the name of a route; `-` for requests that came to none"),
    ("name", "of what has an end: a route or an upstream in the configuration, or `-`"),
    ("status", "a status of the provider's answer; in `answers` its class, `2xx`"),
    ("version", "this program's"),
    ("what", "`ca`, `client_certificate`, `leaf` (the first of them to end) or `token`"),
];

/// The metrics so far.
#[derive(Debug)]
pub(super) struct Rows {
    registry: Registry,
    rows: Vec<Row>,
}

impl Default for Rows {
    fn default() -> Self {
        Self { registry: Registry::with_prefix(PREFIX), rows: Vec::new() }
    }
}

impl Rows {
    pub(super) fn counter(&mut self, name: &str, help: &'static str) -> Counter {
        self.add(name, &[], help, Counter::default())
    }

    pub(super) fn gauge(&mut self, name: &str, help: &'static str) -> Gauge {
        self.add(name, &[], help, Gauge::default())
    }

    /// A counter for each set of labels.
    pub(super) fn counters<L>(
        &mut self,
        name: &str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Family<L, Counter>
    where
        L: Clone + std::fmt::Debug + EncodeLabelSet + Eq + std::hash::Hash + Send + Sync + 'static,
    {
        self.add(name, labels, help, Family::default())
    }

    /// Any metric: its clones count with it.
    pub(super) fn add<M: Clone + Metric>(
        &mut self,
        name: &str,
        labels: &'static [&'static str],
        help: &'static str,
        metric: M,
    ) -> M {
        self.register(name, labels, help, metric.clone());
        metric
    }

    /// A metric that does not change.
    pub(super) fn register(
        &mut self,
        name: &str,
        labels: &'static [&'static str],
        help: &'static str,
        metric: impl Metric,
    ) {
        let (kind, suffix) = match metric.metric_type() {
            MetricType::Counter => ("counter", "_total"),
            MetricType::Gauge => ("gauge", ""),
            MetricType::Histogram => ("histogram", ""),
            MetricType::Info => ("info", "_info"),
            MetricType::Unknown => ("unknown", ""),
        };
        let shown = format!("{PREFIX}_{name}{suffix}");
        self.rows.push(Row { name: shown, kind, labels, help });
        self.registry.register(name, help, metric);
    }

    pub(super) fn all(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }
}

const PREFIX: &str = "countersign";
