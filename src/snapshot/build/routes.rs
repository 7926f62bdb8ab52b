//! Routes: each bound to its keys, secrets, parameters, files and pool.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Arc, Once};

use super::audits::policy;
use super::builder::{Audits, Builder, Keys, Secrets, Upstreams};
use crate::config::{self, Clock, Problem, Unbound};
use crate::moment::unix_ms;
use crate::route::{BoundKey, Origin, Rotation, Route, Side, Turn};
use crate::scheme::{BindError, Binding, Bound, ParamDoc, SchemeError};
use crate::snapshot::DIRECT;
use crate::standing::{About, Standing};
use crate::workers::Queue;

impl Builder<'_> {
    pub(super) fn routes(
        &mut self,
        keys: &Keys,
        secrets: &Secrets,
        upstreams: &Upstreams,
        audits: &Audits,
    ) -> Vec<Arc<Route>> {
        let from = (keys, secrets, upstreams);
        let mut routes = Vec::new();
        for (name, route) in &self.config.routes {
            let own = self.half(name, route, from, audits);
            let next = route.next.as_ref().map(|next| {
                let policy = policy(route, audits, || self.surroundings.metrics.decisions(name));
                (
                    next,
                    self.half(name, &next.route, from, audits).map(|half| Route { policy, ..half }),
                )
            });
            match (own, next) {
                (Some(own), None) => routes.push(Arc::new(own)),
                (Some(own), Some((next, Some(half)))) => {
                    routes.extend(self.rotating(own, half, next));
                }
                // What is not there has had its error.
                (None, _) | (_, Some((_, None))) => {}
            }
        }
        routes
    }

    /// A route with its own keys, or with those that take over from them.
    fn half(
        &mut self,
        name: &str,
        route: &config::Route,
        (keys, secrets, upstreams): (&Keys, &Secrets, &Upstreams),
        audits: &Audits,
    ) -> Option<Route> {
        let target = match &route.upstream {
            Some(upstream) => upstreams.get(upstream).cloned(),
            None => Some((DIRECT, None)),
        };
        let files = self.files(name, route);
        // A key, secret, file or upstream that is not there has had its own error.
        let ((pool, origin), keys, binding, files) =
            (target?, self.bound(name, route, keys)?, binding(route, keys, secrets)?, files?);
        let binding = Binding { files, ..binding };
        self.warn_of_binding(name, route, &binding);
        let scheme = match route.scheme.bind(&binding) {
            Ok(scheme) => scheme,
            Err(error) => {
                self.unbound(name, route, &error);
                return None;
            }
        };
        if !self.wants_what_keys_give(name, route, &scheme, &keys) {
            return None;
        }
        if !self.signs_what_is_held(name, route, &scheme) {
            return None;
        }
        self.warn_of_order(name, route, &scheme);
        let standing = self.standing(name, route, &keys, origin.as_ref());
        let (nonces, order) = self.nonces(name, route, &scheme, &keys)?;
        let key = keys.first().map_or("-", |key| &key.name);
        let counts = self.surroundings.metrics.counts(name, key);
        let live = Route {
            name: Arc::clone(counts.route()),
            host: route.host.clone(),
            path: route.path.clone(),
            methods: route.methods.clone(),
            entry: Arc::clone(&route.scheme),
            scheme,
            keys,
            nonces,
            order,
            unbound: route.unbound,
            standing,
            counts,
            work: Queue::of_route(),
            told: Once::new(),
            pool,
            origin,
            policy: policy(route, audits, || self.surroundings.metrics.decisions(name)),
            next: None,
            turn: None,
        };
        self.warn_of_credential(route, &live);
        Some(live)
    }

    /// How the route's key stands with the provider: as before, where a snapshot before this one has
    /// it.
    fn standing(
        &self,
        name: &str,
        route: &config::Route,
        keys: &[BoundKey],
        origin: Option<&Origin>,
    ) -> Arc<Standing> {
        let host = || route.host.as_ref().map_or_else(|| name.to_owned(), ToString::to_string);
        let several = |doc: &&ParamDoc| doc.values.len() > 1;
        let written = |doc: &ParamDoc| {
            format!(
                "{}={}",
                doc.name,
                route.params.get(doc.name.as_ref()).map_or("", String::as_str)
            )
        };
        let params: Vec<_> = route.scheme.params.iter().filter(several).map(written).collect();
        let key = keys.first().map(|key| key.signer.public_key().fingerprint().into());
        self.surroundings.standings.of(About {
            route: name.into(),
            key,
            provider: origin.map_or_else(host, ToString::to_string),
            window_ms: route.scheme.rejections.window_ms,
            between: route.upstream.as_ref().map(|name| format!("upstreams.{name}")),
            corrects: route.clock == Clock::Provider,
            shown: self.surroundings.metrics.clock_offset(name),
            params: params.join(" "),
        })
    }

    /// A route whose keys are taken over by others.
    fn rotating(&mut self, own: Route, half: Route, next: &config::Next) -> Option<Arc<Route>> {
        let (name, metrics) = (Arc::clone(&own.name), &self.surroundings.metrics);
        let mut pairs = own
            .keys
            .iter()
            .zip(&half.keys)
            .map(|(own, next)| [own, next].map(|key| key.signer.public_key().fingerprint()));
        let Some([old, new]) = pairs.find(|[old, new]| old != new) else {
            let what = format!("routes.{name}: next has the key that signs already");
            self.error(next.route.at, what, "name an entry with another key");
            return None;
        };
        let fallen_back = metrics.fallen_back(&name);
        let rotation = Arc::new(Rotation::new(Arc::clone(&name), next.turns, fallen_back));
        let turn = |side, key: String| {
            let answers = metrics.rotation_answers(&name, &key);
            Some(Turn::new(&rotation, side, key.into(), answers))
        };
        let half = Route { turn: turn(Side::Next, new), ..half };
        Some(Arc::new(Route { turn: turn(Side::Own, old), next: Some(Arc::new(half)), ..own }))
    }

    /// Refuses a key that hashes what it signs itself, where the scheme hashes by its own rule.
    fn wants_what_keys_give(
        &mut self,
        name: &str,
        route: &config::Route,
        scheme: &Bound,
        keys: &[BoundKey],
    ) -> bool {
        let Some(scheme) = scheme.signing() else { return true };
        let hashes =
            |key: &&BoundKey| !key.signer.signs_digests() && scheme.wants_digests(&key.slot);
        let Some(key) = keys.iter().find(hashes) else { return true };
        let field = format!("keys.{}", key.slot);
        let at = route.fields.get(&field).copied().unwrap_or(route.at);
        let what = format!(
            "routes.{name}: {field} names \"{}\", which signs messages, and scheme {} has a digest \
             of its own signed",
            key.name, route.scheme.name
        );
        self.error(at, what, "keep the key in another store: a file, or a token by PKCS#11");
        false
    }

    /// Refuses `unbound = "refuse"` where nothing is bound, and so every request would be refused.
    fn signs_what_is_held(&mut self, name: &str, route: &config::Route, scheme: &Bound) -> bool {
        let signs = scheme.signing().is_some_and(|scheme| !scheme.bounds().is_empty());
        if signs || route.unbound == Unbound::Pass {
            return true;
        }
        let at = route.fields.get("unbound").copied().unwrap_or(route.at);
        let what = format!("routes.{name}: unbound is \"refuse\", and the route signs nothing");
        self.error(at, what, "remove unbound: a secret binds no part of a request");
        false
    }

    pub(super) fn unbound(&mut self, name: &str, route: &config::Route, error: &BindError) {
        let at = route.fields.get(&error.field).copied().unwrap_or(route.at);
        self.error(at, format!("routes.{name}: {error}"), error.fix.as_str());
    }

    /// Says what is doubtful about a binding. Where it does not build either, that is an error and
    /// no warning is shown.
    pub(super) fn warn_of_binding(&mut self, name: &str, route: &config::Route, binding: &Binding) {
        let host = route.host.as_ref().map(ToString::to_string);
        for doubt in (route.scheme.advise)(binding, host.as_deref()) {
            let written = [doubt.field.as_str(), "params", "scheme"];
            let at = written.iter().find_map(|field| route.fields.get(*field).copied());
            let doubt = Problem::new(format!("routes.{name}: {doubt}"), doubt.fix);
            self.warnings.push(doubt.at(at.unwrap_or(route.at)));
        }
    }

    /// Says which route refuses its requests because of what a secret holds now. A token runs out
    /// while others are good, and so it is no reason not to start.
    fn warn_of_credential(&mut self, route: &config::Route, live: &Route) {
        let Err(error) = live.credential(unix_ms()) else { return };
        let SchemeError::Credential { slot, what, fix, .. } = error else { return };
        let at = route.fields.get(&format!("secrets.{slot}")).copied().unwrap_or(route.at);
        let what = format!(
            "routes.{}: the secret in secrets.{slot} {what}, and the route's requests are refused",
            live.name
        );
        self.warnings.push(Problem::new(what, fix).at(at));
    }

    /// The content of the files that the route's parameters name; `None` when one cannot be read.
    pub(super) fn files(
        &mut self,
        name: &str,
        route: &config::Route,
    ) -> Option<BTreeMap<String, Vec<u8>>> {
        let (mut files, mut unread) = (BTreeMap::<_, Vec<u8>>::new(), 0);
        let named = route.files.iter();
        for (param, path) in named.flat_map(|(p, paths)| paths.iter().map(move |path| (p, path))) {
            match read_file(path) {
                Ok(bytes) => {
                    let content = files.entry(param.clone()).or_default();
                    content.extend(bytes);
                    // The last line may end without saying so.
                    content.push(b'\n');
                }
                Err(error) => {
                    unread += 1;
                    let field = format!("params.{param}");
                    let at = route.fields.get(&field).copied().unwrap_or(route.at);
                    let what = format!("routes.{name}: {field}: {}: {error}", path.display());
                    self.error(at, what, "name a file that exists and that you may read");
                }
            }
        }
        (unread == 0).then_some(files)
    }

    /// The route's keys, each of a kind its slot takes.
    fn bound(
        &mut self,
        route_name: &str,
        route: &config::Route,
        keys: &Keys,
    ) -> Option<Vec<BoundKey>> {
        let mut bound = Vec::new();
        for slot in &route.scheme.keys {
            let Some(name) = route.keys.get(slot.name.as_ref()) else { continue };
            let signer = keys.get(name)?;
            let algorithm = signer.public_key().algorithm();
            if !slot.algorithms.contains(&algorithm) {
                let field = format!("keys.{}", slot.name);
                let at = route.fields.get(&field).copied().unwrap_or(route.at);
                let wanted: Vec<_> = slot.algorithms.iter().map(|a| a.name()).collect();
                let wanted = wanted.join(" or ");
                let what = format!("{field} names \"{name}\", which is an {algorithm} key");
                self.error(at, what, format!("scheme {} wants {wanted}", route.scheme.name));
                return None;
            }
            let seconds = self.surroundings.metrics.sign_seconds(route_name, name);
            let signer = signer.for_route(route_name).unwrap_or_else(|| Arc::clone(signer));
            bound.push(BoundKey { slot: slot.name.clone(), name: name.clone(), signer, seconds });
        }
        Some(bound)
    }
}

fn binding(route: &config::Route, keys: &Keys, secrets: &Secrets) -> Option<Binding> {
    let mut binding = Binding { params: route.params.clone(), ..Binding::default() };
    for (slot, name) in &route.keys {
        binding.keys.insert(slot.clone(), keys.get(name)?.public_key().clone());
    }
    for (slot, name) in &route.secrets {
        binding.secrets.insert(slot.clone(), secrets.get(name)?.clone());
    }
    Some(binding)
}

/// Reads a file of a parameter, which no scheme wants longer than this.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("is longer than {} KiB", MAX_FILE_BYTES / 1024)));
    }
    Ok(bytes)
}

const MAX_FILE_BYTES: u64 = 64 * 1024;
