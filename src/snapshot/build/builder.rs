//! The builder of a snapshot: what every step is given, and where it says what is wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use crate::audit::Audit;
use crate::config::{Config, Location, Problem};
use crate::keys::{KeyStore, Signer};
use crate::nonces::Counting;
use crate::route::Origin;
use crate::secret::SecretCell;
use crate::snapshot::{Snapshot, Surroundings};
use crate::upstream::{Trust, Upstream};

/// A snapshot that is being built, and what is wrong so far.
pub(super) struct Builder<'a> {
    pub(super) config: &'a Config,
    pub(super) surroundings: &'a Surroundings,
    pub(super) previous: Option<&'a Snapshot>,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// The public roots: read once, when something needs them.
    pub(super) public: Option<Trust>,
    /// Keys whose nonces are not kept, and should be.
    pub(super) unkept: BTreeSet<String>,
    /// Of each key and counting that replicas share, whether the first route is ordered, and its name.
    pub(super) counted: HashMap<(String, Counting), (bool, String)>,
    /// When client certificates are no longer valid, each by the name of its upstream.
    pub(super) ends: Vec<(String, i64)>,
    /// Those of hosts which no upstream speaks of come first.
    pub(super) pools: Vec<Arc<Upstream>>,
}

pub(super) type Stores = BTreeMap<String, KeyStore>;
pub(super) type Keys = BTreeMap<String, Arc<dyn Signer>>;
pub(super) type Secrets = BTreeMap<String, SecretCell>;
/// The open files, by the path in the configuration.
pub(super) type Audits = BTreeMap<PathBuf, Audit>;
pub(super) type Upstreams = BTreeMap<String, Reached>;
/// A pool's number, and where it leads; nowhere of its own without a `url`.
pub(super) type Reached = (usize, Option<Origin>);

impl<'a> Builder<'a> {
    pub(super) fn new(
        config: &'a Config,
        surroundings: &'a Surroundings,
        previous: Option<&'a Snapshot>,
    ) -> Self {
        let (errors, warnings, pools) = (Vec::new(), config.warnings.clone(), Vec::new());
        let (public, unkept) = (None, BTreeSet::new());
        let (ends, counted) = (Vec::new(), HashMap::new());
        Self {
            config,
            surroundings,
            previous,
            errors,
            warnings,
            public,
            unkept,
            counted,
            ends,
            pools,
        }
    }

    pub(super) fn error(&mut self, at: Location, what: String, fix: impl Into<String>) {
        self.errors.push(Problem::new(what, fix).at(at));
    }
}
