//! The policy in place of a service: that it fits its route.

use super::Resolver;
use crate::audit::Mode;
use crate::config::Decide;
use crate::config::file;
use crate::document::{Field, Written};

impl Resolver<'_> {
    pub(super) fn decide(&self, name: &str, route: &file::Route) -> Option<Decide> {
        let written = route.decide.as_ref()?;
        self.check_scheme(route, written);
        self.check_mode(name, route, written);
        Some(Decide {
            mode: *written.mode.holds().unwrap_or(&Mode::Enforce),
            audit: self.directory.join(written.audit.value()?),
            policy: written.policy.clone()?,
            at: written.at,
        })
    }

    fn check_scheme(&self, route: &file::Route, written: &file::Decide) {
        let Some(scheme) = route.scheme.value().filter(|scheme| scheme.policy.is_none()) else {
            return;
        };
        let others = self.schemes.iter().filter(|entry| entry.policy.is_some());
        let others: Vec<&str> = others.map(|entry| entry.name.as_ref()).collect();
        let fix = match others.as_slice() {
            [] => "remove it".to_owned(),
            names => format!("remove it, or use the scheme {}", names.join(" or ")),
        };
        let what = format!("decide is for schemes that answer, and {} does not", scheme.name);
        self.report.add(written.at, what, fix);
    }

    /// Rules that answer have nobody to ask; rules that only watch need somebody who answers.
    fn check_mode(&self, name: &str, route: &file::Route, written: &file::Decide) {
        match (written.mode.holds(), &route.upstream) {
            (Some(Mode::Enforce), Field::Is(Written { at, .. })) => {
                let what = "the rules in decide answer, so nothing is ever sent to upstream";
                let fix = format!(
                    "remove upstream, or write mode = \"shadow\" below [routes.{name}.decide]"
                );
                self.report.add(*at, what, fix);
            }
            (Some(Mode::Shadow), Field::Absent(_)) => {
                let what =
                    "with mode = \"shadow\" a service answers, and the route has no upstream";
                let fix = format!("write upstream = \"name\" below [routes.{name}]");
                self.report.add(written.at, what, fix);
            }
            _ => {}
        }
    }
}

/// Whether a service is asked, too.
pub(super) fn asks(written: &file::Decide) -> bool {
    written.mode.holds() == Some(&Mode::Shadow)
}
