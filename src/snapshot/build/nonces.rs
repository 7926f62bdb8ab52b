//! Nonces: each route has those of its first key.

use std::sync::Arc;

use super::builder::Builder;
use crate::config::{self, Problem};
use crate::moment::{Part, unix_ms};
use crate::nonces::{Counting, Order, Source, look};
use crate::route::BoundKey;
use crate::scheme::Bound;

impl Builder<'_> {
    /// The source of a route's nonces, and its order where it has one; nothing where the state
    /// directory is not safe, or there is nothing to order.
    pub(super) fn nonces(
        &mut self,
        name: &str,
        route: &config::Route,
        scheme: &Bound,
        keys: &[BoundKey],
    ) -> Option<(Source, Option<Arc<Order>>)> {
        let counting = scheme.signing().map_or(Counting::Nothing, |scheme| scheme.counting());
        let key = keys.first().map(|key| key.signer.public_key().fingerprint());
        if route.ordered && (key.is_none() || scheme.signing().is_none()) {
            let at = route.fields.get("ordered").copied().unwrap_or(route.at);
            let what = format!("routes.{name}: ordered is true, and no key of it signs requests");
            self.error(at, what, "remove ordered");
            return None;
        }
        let key = key.unwrap_or_default();
        if !self.shares_numbers(name, route, scheme, &key) {
            return None;
        }
        let nonces = &self.surroundings.nonces;
        let source = nonces.source(&key, (counting, route.ordered), unix_ms());
        let order = route.ordered.then(|| nonces.order(&key)).transpose();
        match (source, order) {
            (Ok((source, unkept)), Ok(order)) => {
                let (order, alone) = order.unzip();
                for problem in unkept.into_iter().chain(alone.flatten()) {
                    self.warn_of_unkept(&key, problem);
                }
                Some((source, order))
            }
            (Err(problem), _) | (_, Err(problem)) => {
                self.unsafe_state(problem);
                None
            }
        }
    }

    /// Says once that nonces are not kept, whatever the number of keys.
    fn warn_of_unkept(&mut self, key: &str, problem: Problem) {
        if self.unkept.is_empty() {
            let what = format!(
                "{}; nonces begin with the clock or at random, and after a restart, or beside \
                 another process with the key, the provider may refuse some",
                problem.what
            );
            self.warnings.push(Problem::new(what, problem.fix).at(self.config.state_at));
        }
        self.unkept.insert(key.to_owned());
    }

    /// Says that the provider's own window is needed where numbers increase and requests may overtake
    /// one another, or are several replicas'.
    pub(super) fn warn_of_order(&mut self, name: &str, route: &config::Route, scheme: &Bound) {
        let increases =
            scheme.signing().is_some_and(|s| matches!(s.counting(), Counting::Increasing(_)));
        if !increases || route.ordered {
            return;
        }
        let scheme = &route.scheme.name;
        let what = if self.config.replica == Part::Shared {
            format!(
                "routes.{name}: the nonces of {scheme} increase, and those of two replicas that send at \
                 once do not arrive in their order"
            )
        } else {
            format!(
                "routes.{name}: the nonces of {scheme} increase, and of two requests at once the later \
                 may arrive first"
            )
        };
        let fix = "set the provider's nonce window for the key, or write ordered = true";
        let at = route.fields.get("scheme").copied().unwrap_or(route.at);
        let problem = Problem::new(what, fix).at(at);
        // Keys that take over from others have the same scheme.
        if !self.warnings.contains(&problem) {
            self.warnings.push(problem);
        }
    }

    /// Refuses numbers that no lease is long enough for, and those of one key that would come from lanes and
    /// from turns: the two know nothing of each other. Whether there is nothing to refuse.
    pub(super) fn shares_numbers(
        &mut self,
        name: &str,
        route: &config::Route,
        scheme: &Bound,
        key: &str,
    ) -> bool {
        let counting = scheme.signing().map_or(Counting::Nothing, |scheme| scheme.counting());
        if !matches!(counting, Counting::Increasing(_)) || self.config.replica != Part::Shared {
            return true;
        }
        let scheme = route.fields.get("scheme").copied().unwrap_or(route.at);
        if counting.needs_turns() && !route.ordered {
            let what = format!(
                "routes.{name}: the nonces of {} count seconds, which are too few for replicas to \
                 have some each, and nonces.replica is \"shared\"",
                route.scheme.name
            );
            self.error(scheme, what, "write ordered = true");
            return false;
        }
        let known = self.counted.entry((key.to_owned(), counting));
        let (ordered, first) = known.or_insert_with(|| (route.ordered, name.to_owned())).clone();
        if ordered != route.ordered {
            let (yes, no) = if ordered { (first.as_str(), name) } else { (name, first.as_str()) };
            let what = format!(
                "routes.{name}: routes.{yes} is ordered and routes.{no} is not, and both have \
                 increasing nonces of one key, which replicas share"
            );
            let at = route.fields.get("ordered").copied().unwrap_or(scheme);
            self.error(at, what, format!("write ordered = true on routes.{no} too"));
            return false;
        }
        true
    }

    /// Looks at a state directory that the configuration names, for those who do not open it.
    pub(super) fn look_at_state(&mut self) {
        let Some(path) = &self.config.state else { return };
        if !self.surroundings.serves
            && let Err(problem) = look(path)
        {
            self.unsafe_state(problem);
        }
    }

    fn unsafe_state(&mut self, problem: Problem) {
        let problem = problem.of("nonces.state:").at(self.config.state_at);
        if !self.errors.contains(&problem) {
            self.errors.push(problem);
        }
    }
}
