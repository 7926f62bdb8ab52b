//! The immutable configuration in force: keys opened and tested, routes bound, upstreams ready.
//!
//! A request takes one [`Snapshot`] at intake and keeps it to its end. A reload builds a new one
//! beside it and swaps them; what did not change is carried over, so that connection pools live
//! through a reload. A build that fails changes nothing and says everything that is wrong.

mod build;
mod digest;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::access::{Access, Sessions};
use crate::audit::Signatures;
use crate::config::{Config, Limits, Problem, SelfCheck, Timeouts, Unrouted};
use crate::cores::Cores;
use crate::inspect::{Inspect, Judged, Keep, Pasted};
use crate::keys::{Algorithm, PublicKey};
use crate::metrics::Metrics;
use crate::nonces::Nonces;
use crate::reloads::Reloads;
use crate::request::View;
use crate::route::{Route, Routes};
use crate::shared::{Answers, Found, Sharing};
use crate::standing::Standings;
use crate::tls::LeafCache;
use crate::upstream::{Dialer, Upstream};
use watching::Watching;

/// Everything a request needs, ready to be used without I/O.
#[derive(Debug)]
pub struct Snapshot {
    /// Host, path and method → route.
    pub routes: Routes,
    /// Who may send requests.
    pub access: Access,
    /// What a request may cost.
    pub limits: Limits,
    /// How long each phase may last.
    pub timeouts: Timeouts,
    /// What happens to hosts that no route names.
    pub unrouted: Unrouted,
    /// Where signatures are written down, where `[audit]` is written.
    pub signatures: Option<Signatures>,
    /// The last requests, for those who ask later.
    pub inspect: Arc<Inspect>,
    /// How many of them are held.
    pub keep: Keep,
    /// What is held against what was signed before a request is sent.
    pub self_check: SelfCheck,
    /// Certificates for the hosts of routes, where HTTPS is ended for them.
    pub leaves: Option<Arc<LeafCache>>,
    /// What is allowed and should be known, in the order of the file.
    pub warnings: Vec<Problem>,
    /// Every key, opened and tested.
    pub keys: Vec<LiveKey>,
    /// What was found of the store that replicas share, by somebody who only looks.
    pub(crate) shared: Option<Found>,
    /// What callbacks were answered by all replicas, where they share that.
    pub(crate) answers: Option<Arc<Answers>>,
    /// The digest of the configuration, as [`Self::digest`] has it.
    pub digest: String,
    /// When the client certificates of upstreams are no longer valid, in seconds since 1970.
    ends: Vec<(String, i64)>,
    /// Every pool, by the number that routes have it by; the next snapshot takes them over.
    pools: Vec<Arc<Upstream>>,
    /// Keeps secrets up to date for as long as somebody uses this snapshot.
    _watching: Watching,
}

/// A key that has signed its self-test.
#[derive(Clone, Debug)]
pub struct LiveKey {
    /// The name under `[keys]`.
    pub name: String,
    /// The public half.
    pub public_key: PublicKey,
    /// Where it is: a file, a variable, an agent.
    pub place: String,
    /// Whether it signs there, so that it is never in this process's memory.
    pub stays: bool,
    /// How long the test took to sign.
    pub took: Duration,
}

impl LiveKey {
    /// What the key is for.
    pub fn algorithm(&self) -> Algorithm {
        self.public_key.algorithm()
    }
}

/// Says why requests are not valid, or what cannot be read of them.
pub type Judge = fn(&Snapshot, &Pasted<'_>) -> Result<Vec<Judged>, Problem>;

/// Process-wide state: what outlives snapshots.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Makes connections; knows the proxy's own listeners, for the loop check.
    pub dialer: Dialer,
    /// What serves connections.
    pub cores: Cores,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The task that asks the store which replicas share.
    pub sharing: Arc<Sharing>,
    /// The nonces of keys.
    pub nonces: Arc<Nonces>,
    /// The last requests.
    pub inspect: Arc<Inspect>,
    /// Who may ask for a reload, and what came of the last.
    pub reloads: Reloads,
    /// The people who have signed in at the admin listener.
    pub sessions: Sessions,
    /// What says why a request that somebody pastes is not valid; none in a program that serves nobody.
    pub judge: Option<Judge>,
    /// How keys stand with their providers.
    pub standings: Standings,
    /// Certificates of an authority that this process has made for itself, where the configuration
    /// has no `[intercept]`.
    pub leaves: Option<Arc<LeafCache>>,
    /// Whether requests will be answered: audit files are opened then, each by one process
    /// alone, and left alone by those that only look.
    pub serves: bool,
    /// Whether the store that replicas share is looked at, by who does not serve.
    pub looks: bool,
}

/// The pool of routes that no upstream speaks of.
const DIRECT: usize = 0;
/// The pool of hosts that no route names.
const PASSING: usize = 1;

impl Snapshot {
    /// What a request is held against.
    pub fn view(&self, draining: bool) -> View<'_> {
        View {
            routes: &self.routes,
            access: &self.access,
            limits: &self.limits,
            unrouted: self.unrouted,
            intercepts: self.leaves.is_some(),
            draining,
        }
    }

    /// The connections that a route's requests leave by.
    pub fn upstream(&self, route: &Route) -> &Upstream {
        &self.pools[route.pool]
    }

    /// The connections to hosts that no upstream speaks of.
    pub fn direct(&self) -> &Upstream {
        &self.pools[DIRECT]
    }

    /// The connections to hosts that no route names, which a client chooses: they do not go to private
    /// networks.
    pub fn passing(&self) -> &Upstream {
        &self.pools[PASSING]
    }

    /// How many connections the pools keep for requests.
    pub fn pooled(&self) -> usize {
        self.pools.iter().map(|pool| pool.kept()).sum()
    }

    /// What is no longer valid after a while, each with its kind, its name and the seconds that are
    /// left at `now_s`.
    pub fn expiries(&self, now_s: i64) -> Vec<(&'static str, String, i64)> {
        let ca =
            self.leaves.as_ref().map(|leaves| ("ca", "-".to_owned(), leaves.authority_expires_s()));
        let leaf = self.leaves.as_ref().and_then(|leaves| leaves.first_expires_s());
        let leaf = leaf.map(|end| ("leaf", "-".to_owned(), end));
        let certificate = |(name, end): &(String, i64)| ("client_certificate", name.clone(), *end);
        let token = |route: &Arc<Route>| {
            Some(("token", route.name.to_string(), route.scheme.signing()?.expires_s()?))
        };
        let certificates = self.ends.iter().map(certificate);
        let all = ca
            .into_iter()
            .chain(leaf)
            .chain(certificates)
            .chain(self.routes.all().filter_map(token));
        all.map(|(what, name, end)| (what, name, end.saturating_sub(now_s))).collect()
    }

    /// The digest of a configuration, 64 hex digits: equal when two processes would do the same
    /// with a request. Nothing secret is in it.
    pub fn digest(config: &Config) -> String {
        digest::digest(config)
    }
}

/// The current snapshot: one writer, many readers.
#[derive(Clone, Debug)]
pub struct Snapshots(watch::Sender<Arc<Snapshot>>);

impl Snapshots {
    /// Starts with a snapshot.
    pub fn new(first: Snapshot) -> Self {
        Self(watch::Sender::new(Arc::new(first)))
    }

    /// The one to use for a request that begins now.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.borrow())
    }

    /// Uses `next` for every request that begins from now on.
    pub fn replace(&self, next: Snapshot) {
        self.0.send_replace(Arc::new(next));
    }
}
