//! Files of decisions: each is open once in this process, from one snapshot to the next.

use std::path::Path;
use std::sync::Arc;

use super::builder::{Audits, Builder};
use crate::audit::Audit;
use crate::config::{self, Problem};
use crate::route::BoundPolicy;

impl Builder<'_> {
    /// Opens the file of every route that has one. Those that are open already go on, in a new
    /// file where the old one was moved away.
    pub(super) async fn audits(&mut self) -> Audits {
        let mut audits = Audits::new();
        let config = self.config;
        for (name, route) in &config.routes {
            let Some(decide) = &route.decide else { continue };
            if audits.contains_key(&decide.audit) {
                continue;
            }
            let opened = match self.known(&decide.audit) {
                _ if !self.surroundings.serves => check(&decide.audit).map(|()| None),
                Some(audit) => audit.reopen().await.map(|()| Some(audit)),
                None => Audit::open(&decide.audit).map(Some),
            };
            match opened {
                Ok(audit) => audits.extend(audit.map(|audit| (decide.audit.clone(), audit))),
                Err(error) => {
                    let place = format!("routes.{name}.decide:");
                    self.errors.push(error.of(place).at(decide.at));
                }
            }
        }
        audits
    }

    /// The previous snapshot's.
    fn known(&self, path: &Path) -> Option<Audit> {
        let routes = self.previous.into_iter().flat_map(|previous| previous.routes.all());
        let mut audits = routes.filter_map(|route| route.policy.as_ref()?.audit.as_ref());
        audits.find(|audit| audit.path() == path).cloned()
    }
}

/// What can be said of a file without opening it: another process may be writing it.
fn check(path: &Path) -> Result<(), Problem> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let there = directory.is_none_or(Path::is_dir);
    let what = format!("{} is in a directory that is not there", path.display());
    if there { Ok(()) } else { Err(Problem::new(what, "make the directory first")) }
}

/// The policy of a route, with its file.
pub(super) fn policy(route: &config::Route, audits: &Audits) -> Option<BoundPolicy> {
    let decide = route.decide.as_ref()?;
    let audit = audits.get(&decide.audit).cloned();
    Some(BoundPolicy { mode: decide.mode, policy: Arc::clone(&decide.policy), audit })
}
