//! Audit files, of decisions and of signatures: each is open once in this process, from one snapshot to
//! the next.

use std::path::Path;
use std::sync::Arc;

use super::builder::{Audits, Builder};
use prometheus_client::metrics::counter::Counter;

use crate::audit::{Audit, Signatures, placed};
use crate::config::{self, Problem};
use crate::route::BoundPolicy;

impl Builder<'_> {
    /// Opens the file of every route that has one, and that of signatures. Those that are open already
    /// go on, in a new file where the old one was moved away.
    pub(super) async fn audits(&mut self) -> Audits {
        let mut audits = Audits::new();
        let config = self.config;
        let decisions = config.routes.iter().filter_map(|(name, route)| {
            let decide = route.decide.as_ref()?;
            Some((format!("routes.{name}.decide:"), &decide.audit, decide.at))
        });
        let signatures =
            config.audit.iter().map(|audit| ("audit:".to_owned(), &audit.file, audit.at));
        for (place, path, at) in decisions.chain(signatures) {
            if audits.contains_key(path) {
                continue;
            }
            let opened = match self.known(path) {
                _ if !self.surroundings.serves => check(path).map(|()| None),
                Some(audit) => audit.reopen().await.map(|()| Some(audit)),
                None => Audit::open(path, self.surroundings.metrics.audit_lines()).map(Some),
            };
            match opened {
                Ok(audit) => audits.extend(audit.map(|audit| (path.clone(), audit))),
                Err(error) => self.errors.push(error.of(place).at(at)),
            }
        }
        audits
    }

    /// The previous snapshot's.
    fn known(&self, path: &Path) -> Option<Audit> {
        let previous = self.previous?;
        let decisions =
            previous.routes.all().filter_map(|route| route.policy.as_ref()?.audit.as_ref());
        let signatures = previous.signatures.iter().filter_map(Signatures::audit);
        decisions.chain(signatures).find(|audit| audit.path() == path).cloned()
    }

    /// The audit of signatures, in its file.
    pub(super) fn signatures(&self, audits: &Audits) -> Option<Signatures> {
        let written = self.config.audit.as_ref()?;
        Some(Signatures::new(audits.get(&written.file).cloned(), written.required))
    }
}

/// What can be said of a file without opening it: another process may be writing it.
fn check(path: &Path) -> Result<(), Problem> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let there = directory.is_none_or(Path::is_dir);
    let what = format!("{} is in a directory that is not there", path.display());
    if there { placed(path) } else { Err(Problem::new(what, "make the directory first")) }
}

/// The policy of a route, with its file.
pub(super) fn policy(
    route: &config::Route,
    audits: &Audits,
    decisions: impl FnOnce() -> [Counter; 2],
) -> Option<BoundPolicy> {
    let decide = route.decide.as_ref()?;
    let (audit, decisions) = (audits.get(&decide.audit).cloned(), decisions());
    let policy = Arc::clone(&decide.policy);
    Some(BoundPolicy { mode: decide.mode, policy, audit, decisions })
}
