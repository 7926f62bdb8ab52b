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
    /// one another.
    pub(super) fn warn_of_order(&mut self, name: &str, route: &config::Route, scheme: &Bound) {
        let increases =
            scheme.signing().is_some_and(|s| matches!(s.counting(), Counting::Increasing(_)));
        if increases && self.config.replica == Part::Shared {
            self.warn_of_sharing(name, route);
        }
        if !increases || route.ordered {
            return;
        }
        let what = format!(
            "routes.{name}: the nonces of {} increase, and of two requests at once the later may \
             arrive first",
            route.scheme.name
        );
        let fix = "set the provider's nonce window for the key, or write ordered = true";
        let at = route.fields.get("scheme").copied().unwrap_or(route.at);
        let problem = Problem::new(what, fix).at(at);
        // Keys that take over from others have the same scheme.
        if !self.warnings.contains(&problem) {
            self.warnings.push(problem);
        }
    }

    /// Says that numbers that increase are not leased.
    fn warn_of_sharing(&mut self, name: &str, route: &config::Route) {
        let what = format!(
            "routes.{name}: the nonces of {} increase, and replicas do not share those",
            route.scheme.name
        );
        let fix = "sign with such a key on one machine, by one Deployment of one replica";
        let at = route.fields.get("scheme").copied().unwrap_or(route.at);
        self.warnings.push(Problem::new(what, fix).at(at));
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
