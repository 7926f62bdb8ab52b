//! Callers of sealed requests: each belongs to one route. A request for one that another believes as
//! well could be repeated there, where other rules or another service answer it.

use std::sync::Arc;

use super::builder::Builder;
use crate::route::Route;
use crate::scheme::{Bound, Caller};

impl Builder<'_> {
    /// Refuses a caller that two routes believe.
    pub(super) fn callers(&mut self, routes: &[Arc<Route>]) {
        let mut known: Vec<(&Arc<Route>, Caller)> = Vec::new();
        for route in routes {
            let callers: Vec<Caller> = route.both().flat_map(|half| callers(half)).collect();
            let other = known.iter().find(|(_, own)| callers.iter().any(|new| new.overlaps(own)));
            if let Some((other, _)) = other {
                self.believed_twice(route, other);
            }
            known.extend(callers.into_iter().map(|caller| (route, caller)));
        }
    }

    fn believed_twice(&mut self, route: &Route, other: &Route) {
        let Some(written) = self.config.routes.get(&*route.name) else { return };
        let at = written.fields.get("params.verify_with").copied().unwrap_or(written.at);
        let what = format!(
            "routes.{}: params.verify_with names a key that routes.{} believes, and a token for the one \
             could be repeated to the other",
            route.name, other.name
        );
        let fix = "give each route a node with a key of its own, or tell their tokens apart with \
                   another params.node_issuer in each";
        self.error(at, what, fix);
    }
}

fn callers(half: &Route) -> Vec<Caller> {
    match &half.scheme {
        Bound::Envelope(envelope) => envelope.callers(),
        Bound::Scheme(_) => Vec::new(),
    }
}
