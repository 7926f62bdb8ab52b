//! Metrics, in the text form Prometheus reads (OpenMetrics): counters, gauges and histograms.
//!
//! A metric is made where it is registered, with its help and its labels; the rows of
//! `docs/metrics.md` are what was registered. Label values come from the configuration and from
//! closed sets in the code, never from a request, so a client cannot make the number of series
//! grow.

mod counts;
mod exposition;
mod labels;
mod outcome;
mod process;
mod rows;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use counts::Counts;
pub use exposition::Form;
use labels::{
    ByClass, ByCode, ByDecision, ByExpiry, ByFingerprint, ByLimit, ByOutcome, ByReason, ByResult,
    ByRoute, BySigner, Rejection,
};
pub use outcome::Outcome;
pub use process::Process;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use rows::Rows;
pub use rows::{LABELS, Row};

use crate::lines::{dropped, waiting};

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    rows: Rows,
    unrouted: OnceLock<Arc<Counts>>,
    requests: Family<ByOutcome, Counter>,
    requests_open: Gauge,
    clock_offset: Family<ByRoute, Gauge<f64, AtomicU64>>,
    refusals: Family<ByCode, Counter>,
    rejections: Family<Rejection, Counter>,
    sign: Family<BySigner, Histogram>,
    answers: Family<ByClass, Counter>,
    cut: Family<ByRoute, Counter>,
    decisions: Family<ByDecision, Counter>,
    expires: Family<ByExpiry, Gauge>,
    last_reload: Gauge,
    process: OnceLock<Process>,
    process_fds: Gauge,
    process_memory: Gauge,
    rotations: Family<ByFingerprint, Counter>,
    fallen_back: Family<ByRoute, Gauge>,
    upstream: Family<BySigner, Histogram>,
    reloads: Family<ByResult, Counter>,
    connections: Gauge,
    turned_away: Family<ByReason, Counter>,
    tunnels: Gauge,
    limits: Family<ByLimit, Gauge>,
    limits_used: Family<ByLimit, Gauge>,
    pooled: Gauge,
    work_waiting: Gauge,
    leaves_minted: Counter,
    nonces_unkept: Gauge,
    leases_missing: Gauge,
    shared_rounds: Family<ByResult, Counter>,
    audit_lines: [Counter; 2],
    self_check_failures: Counter,
    asked_again: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut rows = Rows::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        rows.register("build", &["version"], "What is running", build);
        rows.add(
            "log_lines_dropped",
            &[],
            "Lines that the log had no room for: never of a request that was sent signed",
            dropped(),
        );
        Self {
            unrouted: OnceLock::new(),
            requests: rows.counters(
                "requests",
                &["route", "outcome"],
                "Requests by route and what came of them",
            ),
            answers: rows.counters(
                "answers",
                &["route", "status"],
                "Answers to clients by route and class of status, the proxy's own among them",
            ),
            cut: rows.counters(
                "answers_cut",
                &["route"],
                "Answers that did not come to their end, whatever they are counted under",
            ),
            decisions: rows.counters(
                "decisions",
                &["route", "decision"],
                "What the rules of a route said, in the shadow of a service too",
            ),
            expires: rows.add(
                "expires_seconds",
                &["what", "name"],
                "Seconds until a certificate or a token that the proxy uses is no longer valid",
                Family::default(),
            ),
            last_reload: rows.gauge(
                "last_reload_timestamp_seconds",
                "When the configuration in force was taken up, at the start or by a reload",
            ),
            process: OnceLock::new(),
            process_fds: rows.gauge("process_open_fds", "Descriptors that the process has open"),
            process_memory: rows
                .gauge("process_resident_memory_bytes", "Memory of the process that is resident"),
            refusals: rows.counters(
                "refusals",
                &["code"],
                "Answers the proxy gave itself, by code",
            ),
            requests_open: rows
                .gauge("requests_open", "Requests under way, but for those of the admin listener"),
            rejections: rows.counters(
                "rejections",
                &["route", "status", "provider_code", "cause"],
                "Signed requests that the provider did not accept, by the first likely cause",
            ),
            clock_offset: rows.add(
                "clock_offset_seconds",
                &["route"],
                "How far the provider's clock is before this machine's, by the Date of its answers",
                Family::default(),
            ),
            sign: rows.add(
                "sign_seconds",
                &["route", "key"],
                "Time a key took to sign",
                Family::new_with_constructor(|| Histogram::new(SIGN_SECONDS)),
            ),
            rotations: rows.counters(
                "rotation_answers",
                &["route", "fingerprint", "answer"],
                "Answers to requests of routes with two keys, by the key that signed",
            ),
            fallen_back: rows.add(
                "rotation_fallen_back",
                &["route"],
                "Whether the provider rejected a route's next key, so that the old one signs alone",
                Family::default(),
            ),
            upstream: rows.add(
                "upstream_seconds",
                &["route", "key"],
                "From sending to the response head",
                Family::new_with_constructor(|| Histogram::new(UPSTREAM_SECONDS)),
            ),
            reloads: rows.counters("reloads", &["result"], "Reloads by result"),
            connections: rows.gauge("connections", "Client connections open"),
            turned_away: rows.counters(
                "turned_away",
                &["reason"],
                "Connections closed before a request of theirs was admitted",
            ),
            tunnels: rows.gauge("tunnels", "WebSockets and blind CONNECT tunnels open"),
            limits: rows.add("limit", &["limit"], "What there is of each limit", Family::default()),
            limits_used: rows.add(
                "limit_used",
                &["limit"],
                "What of each limit is taken",
                Family::default(),
            ),
            pooled: rows.gauge(
                "pooled_connections",
                "Connections to upstreams that the pools keep for requests",
            ),
            work_waiting: rows.gauge(
                "work_waiting",
                "Long signatures and canonical strings that wait for a thread",
            ),
            leaves_minted: rows.counter("leaves_minted", "Certificates made for intercepted hosts"),
            nonces_unkept: rows.gauge(
                "nonces_unkept",
                "Keys whose nonces are not kept: no state could be written, or no lane was free",
            ),
            leases_missing: rows.gauge(
                "leases_missing",
                "Keys of which this process has no lease, so that nothing is signed with them",
            ),
            shared_rounds: rows.counters(
                "shared_rounds",
                &["result"],
                "Questions to `[shared]`, each for all keys at once",
            ),
            audit_lines: [
                rows.counter("audit_lines", "Lines of audit files that were written"),
                rows.counter(
                    "audit_failures",
                    "Entries that could not be written to an audit file",
                ),
            ],
            self_check_failures: rows.counter(
                "self_check_failures",
                "Requests that were not sent because they were not what was signed",
            ),
            asked_again: rows.counter(
                "callbacks_again",
                "Callbacks that got the answer which their request_id had got before",
            ),
            rows,
        }
    }
}

impl Metrics {
    /// Notes of how many keys no state is kept that should be.
    pub fn nonces_unkept(&self, keys: usize) {
        self.nonces_unkept.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// Notes for how many keys there is no lease.
    pub fn leases_missing(&self, keys: usize) {
        self.leases_missing.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// The shared store was asked.
    pub fn shared_round(&self, answered: bool) {
        let result = if answered { "ok" } else { "failed" };
        self.shared_rounds.get_or_create(&ByResult { result }).inc();
    }

    /// Where lines of audit files are counted: those that are written, and those that are not.
    pub fn audit_lines(&self) -> [Counter; 2] {
        self.audit_lines.clone()
    }

    /// Every metric, in the order of the exposition.
    pub fn rows(&self) -> &[Row] {
        self.rows.all()
    }

    /// The counters of a route, whose requests this key signs; `-` for no route and for no key.
    pub fn counts(&self, route: &str, key: &str) -> Arc<Counts> {
        let by = BySigner { route: route.to_owned(), key: key.to_owned() };
        let upstream = self.upstream.get_or_create_owned(&by);
        let counts = Counts::new(route.into(), &self.requests, &self.answers, &self.cut, upstream);
        Arc::new(counts)
    }

    /// Those of requests that come to no route.
    pub fn unrouted(&self) -> &Arc<Counts> {
        self.unrouted.get_or_init(|| self.counts("-", "-"))
    }

    /// Counts a request that is over, by its route, with the status of the answer, if there was one.
    pub fn request(
        &self,
        counts: &Counts,
        outcome: Outcome,
        status: u16,
        upstream: Option<Duration>,
    ) {
        counts.request(outcome, status, upstream);
        if let Outcome::Refused(code) = outcome {
            self.refusals.get_or_create(&ByCode { code }).inc();
        }
    }

    /// Counts a signed request that the provider rejected. `code` is one that the scheme's rows have,
    /// so that no provider can make the series many.
    pub fn rejected(&self, route: &str, status: u16, code: &str, cause: &'static str) {
        let (route, provider_code) = (route.to_owned(), code.to_owned());
        self.rejections.get_or_create(&Rejection { route, status, provider_code, cause }).inc();
    }

    /// Where what the rules of a route say is counted: approvals, and rejections.
    pub fn decisions(&self, route: &str) -> [Counter; 2] {
        ["approve", "reject"].map(|decision| {
            self.decisions.get_or_create_owned(&ByDecision { route: route.to_owned(), decision })
        })
    }

    /// How many connections the pools keep, and how much long work waits.
    pub fn waits(&self, pooled: usize, work: usize) {
        self.pooled.set(i64::try_from(pooled).unwrap_or(i64::MAX));
        self.work_waiting.set(i64::try_from(work).unwrap_or(i64::MAX));
    }

    /// Counts a request for as long as the guard lives.
    pub fn request_open(&self) -> Open {
        Open::new(&self.requests_open)
    }

    /// Where the signatures of a route's key are timed.
    pub fn sign_seconds(&self, route: &str, key: &str) -> Histogram {
        let (route, key) = (route.to_owned(), key.to_owned());
        self.sign.get_or_create_owned(&BySigner { route, key })
    }

    /// Where the answers to a key of a rotating route are counted: those that accept its signature,
    /// and those that reject it.
    pub fn rotation_answers(&self, route: &str, fingerprint: &str) -> [Counter; 2] {
        ["accepted", "rejected"].map(|answer| {
            let (route, fingerprint) = (route.to_owned(), fingerprint.to_owned());
            self.rotations.get_or_create_owned(&ByFingerprint { route, fingerprint, answer })
        })
    }

    /// How far the clock of a route's provider is before this machine's, in seconds.
    pub fn clock_offset(&self, route: &str) -> Gauge<f64, AtomicU64> {
        self.clock_offset.get_or_create_owned(&ByRoute { route: route.to_owned() })
    }

    /// Whether a rotating route's old key signs alone again: 1 then.
    pub fn fallen_back(&self, route: &str) -> Gauge {
        self.fallen_back.get_or_create_owned(&ByRoute { route: route.to_owned() })
    }

    /// Counts a request that was not what was signed.
    pub fn self_check_failed(&self) {
        self.self_check_failures.inc();
    }

    /// Where the process is looked at, for what it takes of the machine.
    pub fn looks_at(&self, process: Process) {
        let _once = self.process.set(process);
    }

    /// What is no longer valid after a while, each with its kind, its name and the seconds that are
    /// left.
    pub fn expire(&self, all: impl IntoIterator<Item = (&'static str, String, i64)>) {
        self.expires.clear();
        for (what, name, seconds) in all {
            self.expires.get_or_create(&ByExpiry { what, name }).set(seconds);
        }
    }

    /// Notes when a configuration was taken up, in seconds since 1970.
    pub fn taken_up(&self, unix_s: u64) {
        for result in RESULTS {
            let by = ByResult { result };
            let _from_zero =
                (self.reloads.get_or_create(&by), self.shared_rounds.get_or_create(&by));
        }
        self.last_reload.set(i64::try_from(unix_s).unwrap_or(i64::MAX));
    }

    /// Counts a callback that got the answer which its id had got.
    pub fn asked_again(&self) {
        self.asked_again.inc();
    }

    /// Counts a reload.
    pub fn reload(&self, succeeded: bool) {
        let result = RESULTS[usize::from(!succeeded)];
        self.reloads.get_or_create(&ByResult { result }).inc();
    }

    /// Counts a connection for as long as the guard lives.
    pub fn connection(&self) -> Open {
        Open::new(&self.connections)
    }

    /// Where connections are counted that were closed for this reason before it was known whose
    /// they are.
    pub fn turned_away(&self, reason: &'static str) -> Counter {
        self.turned_away.get_or_create_owned(&ByReason { reason })
    }

    /// Counts a tunnel for as long as the guard lives.
    pub fn tunnel(&self) -> Open {
        Open::new(&self.tunnels)
    }

    /// Where a limit that clients share is shown, and that there is so much of it.
    pub fn limit(&self, limit: &'static str, most: u64) -> Limit {
        let by = ByLimit { limit };
        let (most_shown, used) =
            (self.limits.get_or_create_owned(&by), self.limits_used.get_or_create_owned(&by));
        let limit = Limit { most: most_shown, used };
        limit.most(most);
        limit
    }

    /// Where the certificates made for intercepted hosts are counted.
    pub fn leaves_minted(&self) -> Counter {
        self.leaves_minted.clone()
    }

    /// The exposition text.
    pub fn expose(&self, form: Form) -> String {
        if let Some(process) = self.process.get() {
            process.open_descriptors().map(|count| self.process_fds.set(count));
            process.resident().map(|bytes| self.process_memory.set(bytes));
        }
        if let Some((waiting, most)) = waiting() {
            self.limit("log", most).used(waiting);
        }
        let mut out = String::new();
        text::encode(&mut out, self.rows.registry()).expect("writing to a string cannot fail");
        form.of(out)
    }
}

/// Something open, counted until it is dropped.
#[derive(Debug)]
pub struct Open(Gauge);

impl Open {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A limit and what of it is taken.
#[derive(Debug)]
pub struct Limit {
    most: Gauge,
    used: Gauge,
}

impl Limit {
    /// There is so much of it.
    pub fn most(&self, units: u64) {
        self.most.set(i64::try_from(units).unwrap_or(i64::MAX));
    }

    /// So much of it is taken.
    pub fn used(&self, units: u64) {
        self.used.set(i64::try_from(units).unwrap_or(i64::MAX));
    }
}

/// What comes of a reload.
const RESULTS: [&str; 2] = ["ok", "failed"];
const SIGN_SECONDS: [f64; 8] = [2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2, 1e-1];
const UPSTREAM_SECONDS: [f64; 9] = [1e-3, 5e-3, 2e-2, 5e-2, 0.1, 0.5, 1.0, 5.0, 30.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_exposed() {
        let metrics = Metrics::default();
        let counts = metrics.counts("a", "k");
        metrics.request(&counts, Outcome::Refused("loop"), 508, Some(Duration::from_millis(3)));
        let open = metrics.connection();
        let text = metrics.expose(Form::OpenMetrics);
        for line in [
            "countersign_requests_total{route=\"a\",outcome=\"refused\"} 1",
            "countersign_refusals_total{code=\"loop\"} 1",
            "countersign_connections 1",
            "countersign_upstream_seconds_count{route=\"a\",key=\"k\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        drop(open);
        assert!(metrics.expose(Form::OpenMetrics).contains("countersign_connections 0"));
    }
}
