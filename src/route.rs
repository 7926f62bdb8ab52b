//! Routes: which requests are signed, how, with what, and which of them a request takes.

mod rotation;
mod wander;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Instant;

use http::Method;
use http::uri::{Authority, InvalidUri};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
pub use rotation::{Rotation, Side, Turn};
pub use wander::wanders;

use crate::audit::{Audit, Mode};
use crate::config::{HostPattern, Unbound};
use crate::cost::Cost;
use crate::keys::{PublicKey, SignError, Signer};
use crate::metrics::Counts;
use crate::nonces::{Order, Source};
use crate::scheme::{Bound, Entry, Policy, Preimage, SchemeError, Signatures, Text};
use crate::standing::Standing;
use crate::workers::{Queue, in_place};

/// A route with everything it needs bound.
#[derive(Debug)]
pub struct Route {
    /// The name under `[routes]`.
    pub name: Arc<str>,
    /// The host it matches, signs and sends; none for gateway-only routes.
    pub host: Option<HostPattern>,
    /// A path prefix, on segment borders.
    pub path: String,
    /// The methods it takes; empty for all.
    pub methods: Vec<Method>,
    /// What the registry says of its scheme.
    pub entry: Arc<Entry>,
    /// Its scheme.
    pub scheme: Bound,
    /// Its keys, by slot.
    pub keys: Vec<BoundKey>,
    /// Where the nonces of its first key come from.
    pub nonces: Source,
    /// That key's order, where one request follows another.
    pub order: Option<Arc<Order>>,
    /// What becomes of a request with parts that its signature does not bind.
    pub unbound: Unbound,
    /// How its key stands with the provider.
    pub standing: Arc<Standing>,
    /// Where its requests are counted.
    pub counts: Arc<Counts>,
    /// Where the long work on its requests waits.
    pub work: Queue,
    /// Done when the log has what its signatures do not bind.
    pub told: Once,
    /// Its requests leave by this one of the snapshot's pools: a number, so that finding the way of
    /// a request takes no network.
    pub pool: usize,
    /// Where they go; none when that is the request's own host over TLS.
    pub origin: Option<Origin>,
    /// What answers in place of a service, or beside it.
    pub policy: Option<BoundPolicy>,
    /// The same with the keys that take over from these.
    pub next: Option<Arc<Self>>,
    /// Where keys take over from others: which of the two it has.
    pub turn: Option<Turn>,
}

/// Scheme, host and port of an upstream, with the path its targets begin with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// `https` or `http`.
    pub scheme: http::uri::Scheme,
    /// Host, and port where it is not the scheme's own. This is what is dialled; what a request
    /// names is its `Host`.
    pub authority: Authority,
    /// Put before every path; no slash at its end.
    pub base_path: String,
    /// The Unix socket that is dialled in place of the authority.
    pub socket: Option<Arc<Path>>,
}

impl Origin {
    /// The origin that is a host itself.
    ///
    /// # Errors
    ///
    /// When `host` is no authority.
    pub fn of(host: &str, https: bool) -> Result<Self, InvalidUri> {
        let scheme = if https { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP };
        Ok(Self { scheme, authority: host.parse()?, base_path: String::new(), socket: None })
    }
}

/// What is dialled, as it is written in `url`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(socket) => write!(f, "unix:{}", socket.display()),
            None => write!(f, "{}://{}", self.scheme, self.authority),
        }
    }
}

/// A policy, and where it is written down what became of each request.
#[derive(Debug)]
pub struct BoundPolicy {
    /// Who answers.
    pub mode: Mode,
    /// What is approved.
    pub policy: Arc<dyn Policy>,
    /// The file of decisions; none in a program that serves nobody, where nothing is approved.
    pub audit: Option<Audit>,
    /// Where it is counted what it said: approvals, and rejections.
    pub decisions: [Counter; 2],
}

/// A key in a route's slot.
#[derive(Debug)]
pub struct BoundKey {
    /// The slot.
    pub slot: Text,
    /// The name under `[keys]`.
    pub name: String,
    /// The key.
    pub signer: Arc<dyn Signer>,
    /// Where its signatures are timed.
    pub seconds: Histogram,
}

impl Route {
    /// Whether path and method are within this route.
    pub fn admits(&self, path: &str, method: &Method) -> bool {
        let methods = self.methods.is_empty() || self.methods.contains(method);
        methods && covers(&self.path, path)
    }

    /// Whether it takes some paths or methods and not others.
    pub fn is_limited(&self) -> bool {
        self.path != "/" || !self.methods.is_empty()
    }

    /// What this route admits, for messages.
    pub fn reach(&self) -> String {
        let methods: Vec<_> = self.methods.iter().map(Method::as_str).collect();
        let methods = if methods.is_empty() { "any method".into() } else { methods.join(", ") };
        format!("{methods} under {}", self.path)
    }

    /// The one of the two that the next request takes, where its keys rotate.
    pub fn at_turn(self: &Arc<Self>) -> &Arc<Self> {
        let next = self.next.as_ref().filter(|_| self.turn.as_ref().is_some_and(Turn::is_over));
        next.unwrap_or(self)
    }

    /// Both of the two, where its keys rotate.
    pub fn both(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        [self].into_iter().chain(&self.next)
    }

    /// Whether the secrets its scheme inserts could be sent at a time, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// What is wrong with one: until it is mended, the route's requests are refused.
    pub fn credential(&self, unix_ms: u64) -> Result<(), SchemeError> {
        let halves = [Some(self), self.next.as_deref()].into_iter().flatten();
        let sign = |half: &&Self| half.turn.as_ref().is_none_or(|turn| turn.signs(unix_ms));
        let mut schemes = halves.filter(sign).filter_map(|half| half.scheme.signing());
        schemes.try_for_each(|scheme| scheme.credential(unix_ms))
    }

    /// The public key in a slot.
    pub fn public_key(&self, slot: &str) -> Option<&PublicKey> {
        let key = self.keys.iter().find(|key| key.slot == slot)?;
        Some(key.signer.public_key())
    }

    /// What its signatures do not bind, for people; nothing where none are made.
    pub fn open_parts(&self) -> Option<String> {
        let bounds = self.scheme.signing()?.bounds();
        let parts: Vec<_> = bounds.iter().map(ToString::to_string).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Why one of its keys waits for its store, where one does.
    pub fn away(&self) -> Option<SignError> {
        self.keys.iter().find_map(|key| key.signer.away())
    }

    /// Has the slots' keys sign: the one effect between a scheme's two pure halves. Between the
    /// signatures of a batch others' requests are served.
    ///
    /// # Errors
    ///
    /// The first key's that fails.
    pub async fn sign(&self, preimages: &[Preimage]) -> Result<Signatures, SignError> {
        let mut signatures = Signatures::default();
        let mut spent = Cost::NOTHING;
        for preimage in preimages {
            let key = self.keys.iter().find(|key| key.slot == preimage.slot);
            let key = key.ok_or(SignError::Failed("no key is bound to the scheme's slot"))?;
            let cost = key.signer.cost(preimage.text.len());
            spent = spent + cost;
            if spent.is_long() && spent > cost {
                tokio::task::yield_now().await;
                spent = cost;
            }
            let started = Instant::now();
            let signing = in_place(cost, || key.signer.sign(preimage.content()));
            signatures.insert(preimage.slot.clone(), signing.await?);
            key.seconds.observe(started.elapsed().as_secs_f64());
        }
        Ok(signatures)
    }
}

/// Every route, ready to be searched: a request costs the same beside one route and ten thousand.
#[derive(Debug, Default)]
pub struct Routes {
    by_name: BTreeMap<Arc<str>, Arc<Route>>,
    /// Those with an exact host, by its [canonical](HostPattern::canonical) form.
    exact: HashMap<String, Ranked>,
    /// Those with a wildcard, by what follows its `*.`.
    wildcard: HashMap<String, Ranked>,
}

/// Routes of one host, most specific first: those with a port, then longer paths, then method lists
/// before none. The configuration allows no two equals.
type Ranked = Vec<Arc<Route>>;

/// What a search by host finds.
#[derive(Debug)]
pub enum Found<'a> {
    /// This route.
    Route(&'a Arc<Route>),
    /// The host has routes, but none for this path and method.
    Outside(Vec<&'a Arc<Route>>),
    /// The host has routes, but on other ports. This is one of them.
    Elsewhere(&'a Arc<Route>),
    /// No route names this host.
    Nothing,
}

impl Routes {
    /// Orders the routes.
    pub fn new(mut routes: Vec<Arc<Route>>) -> Self {
        let by_name = routes.iter().map(|route| (Arc::clone(&route.name), Arc::clone(route)));
        let by_name = by_name.collect();
        routes.sort_by_key(|route| {
            let any_port = route.host.as_ref().is_some_and(|host| host.port().is_none());
            (any_port, Reverse(route.path.len()), route.methods.is_empty())
        });
        let mut found = Self { by_name, ..Self::default() };
        for route in routes {
            let Some(host) = &route.host else { continue };
            let hosts = if host.is_wildcard() { &mut found.wildcard } else { &mut found.exact };
            hosts.entry(HostPattern::canonical(host.base()).into_owned()).or_default().push(route);
        }
        found
    }

    /// The route that a gateway path names.
    pub fn named(&self, name: &str) -> Option<&Arc<Route>> {
        self.by_name.get(name)
    }

    /// Every route, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.by_name.values()
    }

    /// A route that names this host, on whatever port.
    pub fn naming(&self, host: &str) -> Option<&Arc<Route>> {
        self.of_host(host).flatten().next()
    }

    /// Whether a route names this host on this port.
    pub fn lead_to(&self, host: &str, port: u16) -> bool {
        self.of_host(host).flatten().any(|route| on_port(route, Some(port)))
    }

    /// The most specific route for a request.
    ///
    /// A host that an exact route names never falls to a wildcard's route: what the exact route
    /// leaves out was left out on purpose.
    pub fn find(&self, host: &str, port: Option<u16>, path: &str, method: &Method) -> Found<'_> {
        let mut elsewhere = None;
        for ranked in self.of_host(host) {
            let mut of_port = ranked.iter().filter(|route| on_port(route, port)).peekable();
            if of_port.peek().is_none() {
                elsewhere = elsewhere.or_else(|| ranked.first());
                continue;
            }
            return match of_port.clone().find(|route| route.admits(path, method)) {
                Some(route) => Found::Route(route),
                None => Found::Outside(of_port.collect()),
            };
        }
        elsewhere.map_or(Found::Nothing, Found::Elsewhere)
    }

    /// The routes that name this host, on whatever port: an exact host's before a wildcard's.
    fn of_host(&self, host: &str) -> impl Iterator<Item = &Ranked> {
        let host = HostPattern::canonical(host);
        let below = host.split_once('.').filter(|(label, _)| !label.is_empty());
        let wildcard = below.and_then(|(_, name)| self.wildcard.get(name));
        self.exact.get(&*host).into_iter().chain(wildcard)
    }
}

fn on_port(route: &Route, port: Option<u16>) -> bool {
    route.host.as_ref().is_some_and(|pattern| pattern.takes(port))
}

/// Whether `prefix` covers `path` on segment borders: `/v1` covers `/v1` and `/v1/x`, not `/v10`.
///
/// A path that wanders is covered by `/` alone: `/v1/../v2` is signed and sent as it is written, and
/// a provider that resolves it would carry out what the route leaves out.
fn covers(prefix: &str, path: &str) -> bool {
    if prefix != "/" && wanders(path) {
        return false;
    }
    let Some(rest) = path.strip_prefix(prefix) else { return false };
    rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_where_segments_do_and_cover_no_path_that_wanders() {
        for (prefix, path, covered) in [
            ("/", "/", true),
            ("/", "/v1/../v2", true),
            ("/v1", "/v1", true),
            ("/v1", "/v1/", true),
            ("/v1", "/v1/x.json", true),
            ("/v1", "/v1/..x/a...b/%2ex", true),
            ("/v1", "/v10", false),
            ("/v1", "/V1", false),
            ("/v1", "/", false),
            ("/v1", "/v1/..", false),
            ("/v1", "/v1/../v2", false),
            ("/v1", "/v1/%252e%252e/v2", false),
        ] {
            assert_eq!(covers(prefix, path), covered, "{path} under {prefix}");
        }
    }
}
