//! Config → Snapshot. Collects every problem before it gives up.

mod audits;
mod intercept;
mod pools;
mod proxies;
mod unopened;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audits::{Audits, policy};
pub(super) use unopened::unopened;

use super::watching::{self, Stamp, Watched, Watching};
use super::{LiveKey, PASSING, Snapshot, Surroundings};
use crate::access::{Access, Tokens};
use crate::config::{self, Config, ConfigErrors, Location, Problem};
use crate::keys::{KeySpec, KeyStore, PublicKey, Signer, unquoted};
use crate::moment::unix_ms;
use crate::route::{BoundKey, Origin, Route, Routes};
use crate::scheme::{BindError, Binding, SchemeError};
use crate::secret::SecretCell;
use crate::upstream::{Trust, Upstream};

pub(super) async fn build(
    config: &Config,
    surroundings: &Surroundings,
    previous: Option<&Snapshot>,
) -> Result<Snapshot, ConfigErrors> {
    // Before its files are read: one that changes meanwhile makes it another configuration's.
    let digest = Snapshot::digest(config);
    let mut builder = Builder::new(config, surroundings, previous);
    let stores = builder.stores();
    let keys = builder.keys(&stores).await;
    let (secrets, watched) = builder.secrets(&stores).await;
    builder.passing();
    let upstreams = builder.upstreams(&secrets);
    let audits = builder.audits().await;
    let routes = builder.routes(&keys, &secrets, &upstreams, &audits);
    let access = builder.access(&secrets);
    let leaves = builder.leaves(&secrets);
    if !builder.errors.is_empty() {
        return Err(ConfigErrors::new(config.path.clone(), builder.errors));
    }
    builder.warnings.sort_by_key(|warning| warning.at);
    let live = |(name, key): (&String, &Arc<dyn Signer>)| LiveKey {
        name: name.clone(),
        public_key: key.public_key().clone(),
    };
    Ok(Snapshot {
        routes: Routes::new(routes),
        access,
        leaves,
        warnings: builder.warnings,
        limits: config.limits.clone(),
        timeouts: config.timeouts.clone(),
        unrouted: config.access.unrouted,
        keys: keys.iter().map(live).collect(),
        digest,
        pools: builder.pools,
        _watching: Watching::start(watched, watching::EVERY),
    })
}

/// Opens what a configuration that is not right names all the same: keys, secrets, certificates.
pub(super) async fn problems(config: &Config) -> Vec<Problem> {
    let surroundings = &Surroundings::default();
    let mut builder = Builder::new(config, surroundings, None);
    let stores = builder.stores();
    builder.keys(&stores).await;
    let (secrets, _) = builder.secrets(&stores).await;
    builder.upstreams(&secrets);
    builder.leaves(&secrets);
    for (name, route) in &config.routes {
        builder.files(name, route);
    }
    builder.errors
}

struct Builder<'a> {
    config: &'a Config,
    surroundings: &'a Surroundings,
    previous: Option<&'a Snapshot>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    /// The public roots: read once, when something needs them.
    public: Option<Trust>,
    /// That of hosts which no upstream speaks of comes first.
    pools: Vec<Arc<Upstream>>,
}

type Stores = BTreeMap<String, KeyStore>;
type Keys = BTreeMap<String, Arc<dyn Signer>>;
type Secrets = BTreeMap<String, SecretCell>;
type Upstreams = BTreeMap<String, Reached>;
/// A pool's number, and where it leads; nowhere of its own without a `url`.
type Reached = (usize, Option<Origin>);

impl<'a> Builder<'a> {
    fn new(
        config: &'a Config,
        surroundings: &'a Surroundings,
        previous: Option<&'a Snapshot>,
    ) -> Self {
        let (errors, warnings, pools) = (Vec::new(), config.warnings.clone(), Vec::new());
        Self { config, surroundings, previous, errors, warnings, public: None, pools }
    }

    fn error(&mut self, at: Location, what: String, fix: impl Into<String>) {
        self.errors.push(Problem::new(what, fix).at(at));
    }

    fn stores(&self) -> Stores {
        let open = |store: &config::Store| (store.kind.open)(&store.settings);
        self.config.stores.iter().map(|(name, store)| (name.clone(), open(store))).collect()
    }

    async fn keys(&mut self, stores: &Stores) -> Keys {
        let mut keys = Keys::new();
        for (name, key) in &self.config.keys {
            let Some(store) = stores.get(&key.store) else { continue };
            let entry = key.entry.clone();
            let (algorithm, encoding) = (key.algorithm, key.encoding);
            let spec = KeySpec { name: name.clone(), entry, algorithm, encoding };
            match tested(store, &spec, key.public.as_deref()).await {
                Ok(signer) => {
                    keys.insert(name.clone(), signer);
                }
                Err(error) => {
                    self.errors.push(error.of(format_args!("keys.{name}:")).at(key.at));
                }
            }
        }
        keys
    }

    /// Every secret, and those that are to be watched.
    async fn secrets(&mut self, stores: &Stores) -> (Secrets, Vec<Watched>) {
        let (mut secrets, mut watched) = (Secrets::new(), Vec::new());
        for (name, secret) in &self.config.secrets {
            let Some(store) = stores.get(&secret.store) else { continue };
            let path = self.watched_path(secret);
            // Before the file is read: what changes afterwards is then seen as a change.
            let seen = path.as_deref().map(Stamp::of);
            let bytes = match store.read(&secret.entry).await {
                Ok(bytes) => bytes.trimmed(),
                Err(error) => {
                    self.errors.push(error.of(format_args!("secrets.{name}:")).at(secret.at));
                    continue;
                }
            };
            if unquoted(bytes.expose()).is_some() {
                let what = format!("secrets.{name} is in quotation marks, which are sent with it");
                let fix = "remove them from the entry, unless the provider gave them";
                self.warnings.push(Problem::new(what, fix).at(secret.at));
            }
            let (writer, cell) = SecretCell::renewable(bytes);
            secrets.insert(name.clone(), cell);
            if let (Some(path), Some(seen)) = (path, seen) {
                let (name, store) = (name.clone(), store.clone());
                let entry = secret.entry.clone();
                watched.push(Watched { name, store, entry, path, seen, writer, unsettled: true });
            }
        }
        (secrets, watched)
    }

    /// The file of a secret that is to be watched.
    fn watched_path(&self, secret: &config::SecretEntry) -> Option<PathBuf> {
        let store = self.config.stores.get(&secret.store)?;
        secret.watch.then(|| store.file(&secret.entry)).flatten()
    }

    fn routes(
        &mut self,
        keys: &Keys,
        secrets: &Secrets,
        upstreams: &Upstreams,
        audits: &Audits,
    ) -> Vec<Arc<Route>> {
        let mut routes = Vec::new();
        for (name, route) in &self.config.routes {
            let target = match &route.upstream {
                Some(upstream) => upstreams.get(upstream).cloned(),
                None => Some((PASSING, None)),
            };
            let files = self.files(name, route);
            // A key, secret, file or upstream that is not there has had its own error.
            let (Some((pool, origin)), Some(bound), Some(binding), Some(files)) =
                (target, self.bound(route, keys), binding(route, keys, secrets), files)
            else {
                continue;
            };
            let binding = Binding { files, ..binding };
            self.warn_of_binding(name, route, &binding);
            match route.scheme.bind(&binding) {
                Ok(scheme) => {
                    let live = Route {
                        name: name.as_str().into(),
                        host: route.host.clone(),
                        path: route.path.clone(),
                        methods: route.methods.clone(),
                        entry: Arc::clone(&route.scheme),
                        scheme,
                        keys: bound,
                        pool,
                        origin,
                        policy: policy(route, audits),
                    };
                    self.warn_of_credential(route, &live);
                    routes.push(Arc::new(live));
                }
                Err(error) => self.unbound(name, route, &error),
            }
        }
        routes
    }

    fn unbound(&mut self, name: &str, route: &config::Route, error: &BindError) {
        let at = route.fields.get(&error.field).copied().unwrap_or(route.at);
        self.error(at, format!("routes.{name}: {error}"), error.fix.as_str());
    }

    /// Says what is doubtful about a binding. Where it does not build either, that is an error and
    /// no warning is shown.
    fn warn_of_binding(&mut self, name: &str, route: &config::Route, binding: &Binding) {
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
    fn files(&mut self, name: &str, route: &config::Route) -> Option<BTreeMap<String, Vec<u8>>> {
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
    fn bound(&mut self, route: &config::Route, keys: &Keys) -> Option<Vec<BoundKey>> {
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
            let seconds = self.surroundings.metrics.sign_seconds(name);
            let signer = Arc::clone(signer);
            bound.push(BoundKey { slot: slot.name.clone(), name: name.clone(), signer, seconds });
        }
        Some(bound)
    }

    fn access(&mut self, secrets: &Secrets) -> Access {
        let access = &self.config.access;
        let mut tokens = Tokens::default();
        if let Some(name) = &access.tokens
            && let Some(secret) = secrets.get(name)
        {
            match Tokens::parse(&secret.current()) {
                Ok(read) => tokens = read,
                Err(problem) => {
                    let at = self.config.secrets.get(name).map(|secret| secret.at);
                    let secret = format!("access.tokens: the secret \"{name}\"");
                    self.errors.push(problem.of(secret).at(at));
                }
            }
        }
        Access {
            tokens,
            from: access.from.clone(),
            origins: access.origins.clone(),
            hosts: access.hosts.clone(),
        }
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

/// Opens a key, compares its public half, and has it sign: a key that cannot is found now, not
/// by the first request.
async fn tested(
    store: &KeyStore,
    spec: &KeySpec,
    public: Option<&[u8]>,
) -> Result<Arc<dyn Signer>, Problem> {
    let signer = store.open(spec).await?;
    let key = signer.public_key();
    let failed = |what: String, fix: &str| Err(Problem::new(what, fix).of(&spec.entry));
    if public.is_some_and(|public| !is_public_key(key, public)) {
        let what = format!("is the key {}, not the one in `public`", key.fingerprint());
        return failed(what, "correct `public`, or name the entry that belongs to it");
    }
    let content = key.algorithm().probe();
    match signer.sign(content).await {
        Ok(signature) if key.verifies(content, &signature) => Ok(signer),
        Ok(_) => failed("signs, but its signature does not verify".into(), "replace the key"),
        Err(error) => failed(error.to_string(), "replace the key"),
    }
}

/// Whether `encoded`, an SPKI or a point, is this key.
fn is_public_key(key: &PublicKey, encoded: &[u8]) -> bool {
    PublicKey::of(key.algorithm(), encoded).as_ref() == Some(key)
}

const MAX_FILE_BYTES: u64 = 64 * 1024;
