//! Config → Snapshot. Collects every problem before it gives up.

mod access;
mod audits;
mod builder;
mod callers;
mod intercept;
mod keys;
mod local;
mod nonces;
mod pools;
mod proxies;
mod routes;
mod shared;
mod unopened;

use std::sync::Arc;

use builder::Builder;

use super::watching::{EVERY, Watching};
use super::{Snapshot, Surroundings};
use crate::config::{Config, ConfigErrors, Problem};
use crate::route::Routes;

impl Snapshot {
    /// Opens every key and store entry, has every key sign a test, binds every route.
    ///
    /// # Errors
    ///
    /// Every problem at once.
    pub async fn build(
        config: &Config,
        surroundings: &Surroundings,
        previous: Option<&Self>,
    ) -> Result<Self, ConfigErrors> {
        // Before its files are read: one that changes meanwhile makes it another configuration's.
        let digest = Self::digest(config);
        let mut builder = Builder::new(config, surroundings, previous);
        let stores = builder.stores();
        let (keys, live) = builder.keys(&stores).await;
        let (secrets, watched) = builder.secrets(&stores).await;
        builder.unnamed();
        let upstreams = builder.upstreams(&secrets);
        let audits = builder.audits().await;
        builder.look_at_state();
        builder.warn_of_local();
        let shared = builder.shared(&secrets).await;
        let routes = builder.routes(&keys, &secrets, &upstreams, &audits);
        builder.callers(&routes);
        let signatures = builder.signatures(&audits);
        let access = builder.access(&secrets);
        let leaves = builder.leaves(&secrets);
        if !builder.errors.is_empty() {
            return Err(ConfigErrors::new(config.path.clone(), builder.errors));
        }
        builder.settled().await;
        builder.warnings.sort_by_key(|warning| warning.at);
        surroundings.metrics.nonces_unkept(builder.unkept.len());
        Ok(Self {
            routes: Routes::new(routes),
            access,
            signatures,
            leaves,
            warnings: builder.warnings,
            limits: config.limits.clone(),
            timeouts: config.timeouts.clone(),
            unrouted: config.access.unrouted,
            self_check: config.self_check,
            inspect: Arc::clone(&surroundings.inspect),
            keep: config.keep,
            keys: live,
            shared,
            answers: surroundings.sharing.answers(),
            digest,
            ends: builder.ends,
            pools: builder.pools,
            _watching: Watching::start(watched, EVERY),
        })
    }

    /// What else is wrong with a configuration that does not resolve: its keys, secrets and
    /// certificates are opened all the same, so that one run of `check` shows everything.
    pub async fn problems(config: &Config) -> Vec<Problem> {
        let surroundings = &Surroundings::default();
        let mut builder = Builder::new(config, surroundings, None);
        let stores = builder.stores();
        builder.keys(&stores).await;
        let (secrets, _) = builder.secrets(&stores).await;
        builder.upstreams(&secrets);
        builder.leaves(&secrets);
        builder.look_at_state();
        for (name, route) in &config.routes {
            for half in route.halves() {
                builder.files(name, half);
            }
        }
        builder.errors
    }
}
