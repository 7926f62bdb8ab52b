//! Reloads: at SIGHUP, when somebody asks for one, and with `--watch` when the file has changed. What
//! did not change goes on as it was; a configuration that is wrong changes nothing.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;

use super::begun::{begin, warn_of};
use super::keeping::Keeping;
use super::supervisor::Supervisor;
use crate::cli::log::Levels;
use crate::config::settings::keep_the_fixed;
use crate::config::{Config, ConfigErrors, Route};
use crate::reloads::{Asked, Last};
use crate::snapshot::{Snapshot, Snapshots, Surroundings};

/// Everything that a reload takes.
pub(super) struct Reloading {
    pub(super) started: Arc<Config>,
    pub(super) keeping: Arc<Keeping>,
    pub(super) snapshots: Snapshots,
    pub(super) surroundings: Surroundings,
    pub(super) supervisor: Arc<Supervisor>,
    pub(super) levels: Levels,
    /// The file's text from before the configuration was read, where the file is watched. What is
    /// written between the two is a change.
    pub(super) watched: Option<Vec<u8>>,
}

/// What a configuration reads beside the secrets that are watched: its own text.
pub(super) fn text(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

impl Reloading {
    /// Reloads until the process ends.
    pub(super) async fn run(mut self, mut hangup: Signal) {
        let mut asked = self.surroundings.reloads.listen();
        let mut current = (*self.started).clone();
        loop {
            let waiting = self.next(&mut hangup, &mut asked).await;
            self.supervisor.reloading();
            let last = self.reload(&mut current).await;
            self.surroundings.reloads.over(last.clone());
            self.supervisor.ready();
            if let Some(waiting) = waiting {
                let _left = waiting.send(last);
            }
        }
    }

    /// Waits for the next reload; somebody may want to know what comes of it.
    async fn next(
        &mut self,
        hangup: &mut Signal,
        asked: &mut mpsc::Receiver<Asked>,
    ) -> Option<Asked> {
        loop {
            tokio::select! {
                Some(()) = hangup.recv() => return None,
                Some(waiting) = asked.recv() => return Some(waiting),
                () = tokio::time::sleep(LOOK_EVERY), if self.watched.is_some() => {
                    let path = self.started.path.clone();
                    let now = tokio::task::spawn_blocking(move || text(&path)).await;
                    let now = now.unwrap_or_default();
                    // One that is not there is about to be replaced.
                    if now.is_some() && now != self.watched {
                        self.watched = now;
                        return None;
                    }
                }
            }
        }
    }

    async fn reload(&self, current: &mut Config) -> Last {
        let (fixed, before) = (Arc::clone(&self.started), self.snapshots.current());
        let known = Arc::clone(&before);
        let (around, runtime, keeping) =
            (self.surroundings.clone(), Handle::current(), Arc::clone(&self.keeping));
        // On a thread of its own: opening an encrypted key takes a worker's time from requests.
        let built = tokio::task::spawn_blocking(move || {
            let mut config = Config::load(&fixed.path)?;
            let kept = keep_the_fixed(&mut config, &fixed);
            keeping.check(&config)?;
            let built = runtime.block_on(Snapshot::build(&config, &around, Some(&before)));
            built.map(|snapshot| (config, kept, snapshot))
        });
        let Ok(built) = built.await else {
            tracing::error!("not reloaded: reading the configuration panicked");
            self.surroundings.metrics.reload(false);
            return Last::now(Err(vec!["reading the configuration panicked".to_owned()]));
        };
        self.surroundings.metrics.reload(built.is_ok());
        match built {
            Ok((config, kept, snapshot)) => {
                for name in &kept {
                    tracing::warn!("{name} has changed: that takes a restart, not a reload");
                }
                begin(&self.surroundings.metrics, &snapshot);
                warn_of(&config, &snapshot);
                let (routes, keys) = (snapshot.routes.all().count(), snapshot.keys.len());
                let mut changed = changes(current, &config);
                changed.extend(replaced(&known, &snapshot, &changed));
                self.levels.set(&config.log);
                let what =
                    if changed.is_empty() { "nothing".to_owned() } else { changed.join(", ") };
                self.snapshots.replace(snapshot);
                tracing::info!(routes, keys, changed = what, "reloaded");
                *current = config;
                let kept = kept.into_iter().map(|name| format!("{name} (takes a restart)"));
                Last::now(Ok(changed.into_iter().chain(kept).collect()))
            }
            Err(errors) => Last::now(Err(self.not_reloaded(&errors))),
        }
    }

    fn not_reloaded(&self, errors: &ConfigErrors) -> Vec<String> {
        let lines: Vec<String> = errors.to_string().lines().map(str::to_owned).collect();
        for error in &lines {
            tracing::error!("{error}");
        }
        tracing::error!("not reloaded: the configuration from before stays in use");
        lines
    }
}

/// The tables that are another than before, by name: `routes.okx (new)`.
fn changes(before: &Config, now: &Config) -> Vec<String> {
    let (before, now) = (tables(before), tables(now));
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    let gone = gone.map(|name| format!("{name} (gone)"));
    let other = now.iter().filter_map(|(name, digest)| match before.get(name) {
        None => Some(format!("{name} (new)")),
        Some(own) if own != digest => Some(name.clone()),
        Some(_) => None,
    });
    gone.chain(other).collect()
}

/// Keys whose tables are as before, and which are others: their stores have another under the name.
fn replaced(before: &Snapshot, now: &Snapshot, changed: &[String]) -> Vec<String> {
    let was = |name: &str| before.keys.iter().find(|key| key.name == name);
    let other = now.keys.iter().filter(|key| {
        was(&key.name)
            .is_some_and(|was| was.public_key.fingerprint() != key.public_key.fingerprint())
    });
    let names = other.map(|key| format!("keys.{}", key.name));
    names
        .filter(|name| !changed.contains(name))
        .map(|name| format!("{name} (another key)"))
        .collect()
}

/// A digest of each table. Where a table stands is in none.
fn tables(config: &Config) -> BTreeMap<String, u64> {
    let routes = config.routes.iter().map(|(name, route)| {
        // Whether a default is written down makes no difference.
        let route = Route { fields: BTreeMap::new(), ..route.clone() };
        (format!("routes.{name}"), digest(&route))
    });
    let keys = config.keys.iter().map(|(name, key)| (format!("keys.{name}"), digest(key)));
    let secrets = config.secrets.iter().map(|(name, own)| (format!("secrets.{name}"), digest(own)));
    let stores = config.stores.iter().map(|(name, own)| (format!("stores.{name}"), digest(own)));
    let upstreams =
        config.upstreams.iter().map(|(name, own)| (format!("upstreams.{name}"), digest(own)));
    let schemes = config.schemes.iter();
    let schemes = schemes.map(|(name, text)| (format!("schemes.{name}"), digest(text)));
    let single = [
        ("access", digest(&config.access)),
        ("audit", digest(&config.audit)),
        ("inspect", digest(&config.keep)),
        ("intercept", digest(&config.intercept)),
        ("limits", digest(&config.limits)),
        ("log", digest(&config.log)),
        ("signing", digest(&config.self_check)),
        ("timeouts", digest(&config.timeouts)),
    ];
    let single = single.map(|(name, digest)| (name.to_owned(), digest));
    let all = routes.chain(keys).chain(secrets).chain(stores).chain(upstreams);
    all.chain(schemes).chain(single).collect()
}

fn digest(table: &impl Hash) -> u64 {
    let mut state = DefaultHasher::new();
    table.hash(&mut state);
    state.finish()
}

/// How often a file is looked at that is watched.
const LOOK_EVERY: Duration = Duration::from_secs(1);
