//! The access log and metrics of a request: one log line and its counters, when it is over.
//!
//! The line holds names and numbers from the configuration and the request line, never a header
//! value, a query, a body or a canonical text. That of a request which was sent with a signature is
//! never dropped; refusals are sampled.

mod samples;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use samples::Samples;
use tracing::{Level, enabled, warn};

use crate::audit::Sent;
use crate::inspect::{Inspect, LONGEST_ANSWER, Over, Seen, Told, shown};
use crate::lines::Value::{Address, Bare, Number, Quoted};
use crate::lines::{certain, event};
use crate::metrics::{Counts, Metrics, Open, Outcome};
use crate::moment::unix_ms;
use crate::scheme::{Entry, Rejected};
use crate::standing::Standing;

/// One request, from its head to the last byte of its answer. Dropping it writes the line; before
/// it is answered, that says that the request was abandoned.
#[derive(Debug)]
pub struct Record {
    id: String,
    /// None through a Unix socket.
    peer: Option<IpAddr>,
    /// None where it showed no token.
    client: Option<String>,
    /// Its route's, once it was found.
    counts: Option<Arc<Counts>>,
    /// The fingerprint of the key that signed, where keys take over from others.
    key: Option<Arc<str>>,
    method: String,
    host: String,
    /// Without the query.
    path: String,
    status: u16,
    /// Whether signatures or secrets were put in.
    signed: bool,
    sign: Option<Duration>,
    upstream: Option<Duration>,
    bytes: u64,
    cut: Option<String>,
    /// None of a request that is not written down.
    outcome: Option<Outcome>,
    /// At which level it is, and what a refusal says of itself.
    level: Level,
    detail: Option<String>,
    started: Instant,
    metrics: Arc<Metrics>,
    samples: Arc<Samples>,
    /// What is to be said in the audit of signatures.
    audited: Option<Sent>,
    /// What is held of it for those who ask later.
    seen: Option<(Arc<Seen>, Arc<Inspect>)>,
    /// Of an answer that can mean a rejection.
    trial: Option<Box<Trial>>,
    /// Let go when everything else has been counted.
    _open: Open,
}

/// An answer that can mean that the provider rejected the request: known when enough of its body
/// has passed.
#[derive(Debug)]
struct Trial {
    status: u16,
    entry: Arc<Entry>,
    standing: Arc<Standing>,
    inspect: Arc<Inspect>,
    /// Whether what it begins with can be held.
    held: bool,
    /// Whether the body is in no content coding, so that something can be read in it.
    plain: bool,
    body: Vec<u8>,
}

/// What happens to a request, in this order; none of it has to.
impl Record {
    /// Starts the record of a request. Its id is in refusals, too.
    pub fn new(id: String, metrics: Arc<Metrics>, samples: Arc<Samples>) -> Self {
        Self {
            id,
            peer: None,
            client: None,
            counts: None,
            key: None,
            method: String::new(),
            host: String::new(),
            path: String::new(),
            status: 0,
            signed: false,
            sign: None,
            upstream: None,
            bytes: 0,
            cut: None,
            outcome: Some(Outcome::Abandoned),
            level: Level::INFO,
            detail: None,
            started: Instant::now(),
            _open: metrics.request_open(),
            metrics,
            samples,
            audited: None,
            seen: None,
            trial: None,
        }
    }

    /// It came from this address, with this method.
    pub fn arrived(&mut self, peer: Option<IpAddr>, method: &str) {
        self.peer = peer;
        self.method = method.to_owned();
    }

    /// Its client showed a token of this name.
    pub fn recognised(&mut self, client: Option<String>) {
        self.client = client;
    }

    /// It is for this host: what was asked for, and later what was sent.
    pub fn aimed(&mut self, host: impl Into<String>) {
        self.host = host.into();
    }

    /// It asks for this path, which has no query.
    pub fn asked(&mut self, path: impl Into<String>) {
        self.path = path.into();
    }

    /// It belongs to this route.
    pub fn routed(&mut self, counts: &Arc<Counts>) {
        self.counts = Some(Arc::clone(counts));
    }

    /// Signatures or secrets were put in, of which canonical text, signature and edits took so long.
    pub fn signed(&mut self, took: Option<Duration>) {
        self.signed = true;
        self.sign = took.or(self.sign);
    }

    /// It is in the audit of signatures, and what comes of it shall be.
    pub fn audited(&mut self, sent: Option<Sent>) {
        self.audited = sent.or_else(|| self.audited.take());
    }

    /// This key signed, of several that could have.
    pub fn signed_by(&mut self, key: &Arc<str>) {
        self.key = Some(Arc::clone(key));
    }

    /// The upstream has answered, so long after the request was sent.
    pub fn returned(&mut self, took: Duration) {
        self.upstream = Some(took);
    }

    /// The answer can be a rejection, by this scheme's rows; its body can be read if it is plain.
    pub fn doubted(
        &mut self,
        status: u16,
        route: (&Arc<Entry>, &Arc<Standing>),
        plain: bool,
        (inspect, held): (&Arc<Inspect>, bool),
    ) {
        let (entry, standing, inspect) =
            (Arc::clone(route.0), Arc::clone(route.1), Arc::clone(inspect));
        let trial = Trial { status, entry, standing, inspect, held, plain, body: Vec::new() };
        self.trial = Some(Box::new(trial));
    }

    /// This of it is held for those who ask later.
    pub fn seen(&mut self, seen: Arc<Seen>, inspect: &Arc<Inspect>) {
        self.seen = Some((seen, Arc::clone(inspect)));
    }

    /// The answer's body begins with this, or is this.
    pub fn heard(&mut self, body: &[u8]) {
        if let Some(trial) = &mut self.trial {
            trial.body.extend(body.iter().take(LOOKED_INTO));
        }
    }

    /// The client is given an answer that is not ours.
    pub fn answered(&mut self, status: u16) {
        self.status = status;
        self.outcome = Some(if self.signed { Outcome::Signed } else { Outcome::Passed });
    }

    /// The client's CONNECT is answered, and its inside is requests of their own.
    pub fn intercepted(&mut self, status: u16) {
        self.status = status;
        self.outcome = Some(Outcome::Intercepted);
    }

    /// The client is given a refusal, which is logged at this level and with this detail.
    pub fn refused(&mut self, code: &'static str, status: u16, logged: (Level, Option<String>)) {
        self.status = status;
        (self.level, self.detail) = logged;
        self.outcome = Some(Outcome::Refused(code));
    }

    /// Counts bytes of the answer's body.
    pub fn sent(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// The answer's body did not come to its end.
    pub fn cut(&mut self, error: &dyn fmt::Display) {
        self.cut = Some(error.to_string());
    }

    /// Lets the request go unrecorded: probes would drown the rest.
    pub fn forget(mut self: Box<Self>) {
        self.outcome = None;
    }
}

impl Record {
    /// Whose share of what is limited it uses: the client's name, or where it has none its address.
    pub fn holder(&self) -> String {
        let address = || self.peer.map_or_else(String::new, |peer| peer.to_canonical().to_string());
        self.client.clone().unwrap_or_else(address)
    }

    /// Whether the beginning of the answer's body is wanted.
    pub fn listens(&self) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.plain)
    }

    /// How long the upstream took to answer.
    pub fn trip(&self) -> Duration {
        self.upstream.unwrap_or_default()
    }

    /// The request's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of its client's token, and its address.
    pub fn sender(&self) -> (Option<&str>, Option<IpAddr>) {
        (self.client.as_deref(), self.peer)
    }

    /// The method; empty for what is no request.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The host that was asked for, or is.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The route, once it was found.
    pub fn route(&self) -> Option<&Arc<str>> {
        self.counts.as_ref().map(|counts| counts.route())
    }
}

impl Record {
    fn counts(&self) -> &Arc<Counts> {
        self.counts.as_ref().unwrap_or_else(|| self.metrics.unrouted())
    }

    /// What is said of it: the outcome, and the refusal's code.
    fn said(&self, outcome: Outcome) -> (&'static str, Option<&'static str>) {
        let code = if let Outcome::Refused(code) = outcome { Some(code) } else { None };
        (if self.cut.is_some() { Outcome::Cut } else { outcome }.name(), code)
    }

    /// The scheme's verdict on an answer that can be a rejection.
    fn verdict(&mut self) -> Option<(Rejected, Box<Trial>)> {
        let trial = self.trial.take()?;
        let rejected = trial.entry.rejections.judge(trial.status, &trial.body);
        if rejected.is_none() {
            trial.standing.accepted();
        }
        Some((rejected?, trial))
    }

    /// Says that the provider rejected the request, and why, most likely.
    fn tell(&mut self, rejected: Rejected, trial: &Trial) -> Told {
        let Trial { status, standing, inspect, .. } = trial;
        let cause = standing.rejected(*status, &rejected);
        let counts = Arc::clone(self.counts());
        let route = &**counts.route();
        let code = match (rejected.code.as_deref(), rejected.blame) {
            (None, _) => "-",
            (Some(code), Some(_)) => code,
            (Some(_), None) => "other",
        };
        self.metrics.rejected(route, *status, code, cause.blame.name());
        let open = trial.held && self.seen.as_ref().is_some_and(|(seen, _)| seen.is_open());
        let told = Told {
            provider_code: rejected.code,
            answer: open.then(|| shown(&trial.body, LONGEST_ANSWER)),
            cause: cause.blame.name(),
            said: cause.said,
            what: cause.what,
            fix: cause.fix,
            clock_offset_ms: standing.offset().map(|offset| offset.ms),
            key: standing.key().map(|key| key.to_string()),
            in_use_s: standing.in_use_s(),
            params: standing.params().to_owned(),
        };
        certain(|| {
            warn!(
                target: "countersign::rejected",
                id = %self.id,
                route,
                status,
                provider_code = told.provider_code.as_deref(),
                cause = told.cause,
                certainty = told.certainty(),
                clock_offset_ms = told.clock_offset_ms,
                fingerprint = told.key.as_deref(),
                in_use_s = told.in_use_s,
                params = Some(&*told.params).filter(|params| !params.is_empty()),
                "the provider rejected the request: {}; {}", told.what, told.fix
            );
        });
        let (seen, _) = self.seen.get_or_insert_with(|| {
            let seen = Arc::new(Seen {
                id: self.id.clone(),
                unix_ms: unix_ms(),
                route: route.to_owned(),
                client: self.client.clone(),
                method: short(&self.method).into_owned(),
                host: short(&self.host).into_owned(),
                path: short(&self.path).into_owned(),
                ..Seen::default()
            });
            (seen, Arc::clone(inspect))
        });
        inspect.rejected(Arc::clone(seen));
        told
    }

    fn over(&self, outcome: Outcome, rejection: Option<Told>) -> Over {
        let (said, code) = self.said(outcome);
        let took = [self.sign, self.upstream, Some(self.started.elapsed())];
        Over {
            outcome: said,
            code,
            status: self.status,
            took_us: took.map(|took| took.map(us)),
            rejection,
        }
    }

    fn log(&self, outcome: Outcome) {
        let wanted = match self.level {
            Level::WARN => enabled!(target: TARGET, Level::WARN),
            _ => enabled!(target: TARGET, Level::INFO),
        };
        if !wanted {
            return;
        }
        let (said, code) = self.said(outcome);
        let [method, host, path] = [&self.method, &self.host, &self.path].map(|text| short(text));
        let detail = self.detail.as_deref().map(short);
        let fields = [
            ("id", Some(Bare(&self.id))),
            ("peer", self.peer.map(Address)),
            ("client", self.client.as_deref().map(Quoted)),
            ("route", Some(Quoted(self.counts().route()))),
            ("key", self.key.as_deref().map(Quoted)),
            ("method", Some(Bare(&method))),
            ("host", Some(Bare(&host))),
            ("path", Some(Bare(&path))),
            ("status", Some(Number(self.status.into()))),
            ("code", code.map(Quoted)),
            ("detail", detail.as_deref().map(Quoted)),
            ("bytes", Some(Number(self.bytes))),
            ("sign_us", self.sign.map(|took| Number(us(took)))),
            ("upstream_us", self.upstream.map(|took| Number(us(took)))),
            ("total_us", Some(Number(us(self.started.elapsed())))),
            ("cut", self.cut.as_deref().map(Quoted)),
        ];
        event(self.level, TARGET, said, &fields);
    }
}

/// Whole microseconds: writing fractions takes longer than the rest of the line.
fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(mut outcome) = self.outcome else { return };
        let mut rejection = None;
        if let Some((rejected, trial)) = self.verdict() {
            rejection = Some(self.tell(rejected, &trial));
            // One whose answer could not be opened is refused all the same.
            if outcome == Outcome::Signed {
                outcome = Outcome::Rejected;
            }
        }
        let counts = self.counts();
        self.metrics.request(counts, outcome, self.status, self.upstream);
        if self.cut.is_some() {
            counts.cut();
        }
        if let Some(audited) = self.audited.take() {
            let (said, code) = self.said(outcome);
            audited.over(said, code, self.status);
        }
        if let Some((seen, inspect)) = self.seen.take() {
            inspect.ends(&seen, self.over(outcome, rejection));
        }
        // It was sent, whatever came of it.
        if self.signed {
            return certain(|| self.log(outcome));
        }
        if self.said(outcome).1.is_none_or(|code| self.samples.takes((code, self.level))) {
            self.log(outcome);
        }
    }
}

/// The beginning of what a client wrote: a line is no longer because a path is.
fn short(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let ends = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end));
    Cow::Owned(format!("{}…", &text[..ends.unwrap_or_default()]))
}

/// Where the line of a request is from.
const TARGET: &str = "countersign::request";
/// Bytes of an answer's body that are looked into, of one that can be a rejection.
pub const LOOKED_INTO: usize = 4096;
/// Bytes of a path, a host, a method or a detail that are logged.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let long = "é".repeat(200);
        let table = [("", String::new()), ("/x", "/x".into()), (&long, "é".repeat(128) + "…")];
        for (text, shown) in table {
            assert_eq!(short(text), shown);
        }
        let odd = format!("/{}", "é".repeat(128));
        assert_eq!(short(&odd), format!("/{}…", "é".repeat(127)));
    }
}
