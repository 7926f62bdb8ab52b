//! `[routes.NAME.next]`: key rotation. What is not written there is the route's own.

use super::Resolver;
use super::routes::{Fields, Scope, Texts};
use crate::config::file;
use crate::config::{Next, Route, Turns};
use crate::document::Written;

impl Resolver<'_> {
    /// What takes over from a route's own keys.
    pub(super) fn next(
        &self,
        scope: &Scope<'_>,
        route: &Route,
        written: &file::Next,
    ) -> Option<Box<Next>> {
        let scope = Scope { partial: true, at: written.at, ..*scope };
        let mut fields = Fields::new();
        let over = |own: &Texts, next: Texts| {
            let mut all = own.clone();
            all.extend(next);
            all
        };
        let keys = self.bind_keys(&scope, &written.keys, &mut fields);
        let secrets = self.bind_secrets(&scope, &written.secrets, &mut fields);
        let mut params = self.bind_params(&scope, &written.params, &mut fields);
        params.retain(|name, _| fields.contains_key(&format!("params.{name}")));
        // Slots that the scheme does not have were reported.
        let named = written.keys.value().is_some_and(|named| named.len() == keys.len());
        if named && keys.iter().all(|(slot, key)| route.keys.get(slot) == Some(key)) {
            let what = format!("[routes.{}.next] names no other key", scope.name);
            self.report.add(written.at, what, "name the new key in its slot, or remove the table");
        }
        let turns = self.turns(&scope, written)?;
        let params = over(&route.params, params);
        let mut all = route.fields.clone();
        all.extend(fields);
        let route = Route {
            keys: over(&route.keys, keys),
            secrets: over(&route.secrets, secrets),
            files: self.files(scope.scheme, &params),
            params,
            decide: None,
            next: None,
            at: written.at,
            fields: all,
            ..route.clone()
        };
        Some(Box::new(Next { route, turns }))
    }

    /// When the next keys sign, and which share of the requests.
    fn turns(&self, scope: &Scope<'_>, written: &file::Next) -> Option<Turns> {
        let table = format!("[routes.{}.next]", scope.name);
        let (from, until) = (written.from.value().copied(), written.until.value().copied());
        let canary = written.canary.value().copied();
        let all = [written.from.is_absent(), written.until.is_absent(), written.canary.is_absent()];
        match all {
            [true, _, true] => {
                let what = format!("{table} says neither from nor canary, so it would never sign");
                let fix = "write from = \"2026-12-01T00:00:00Z\", or canary = \"5%\"";
                self.report.add(written.at, what, fix);
            }
            [false, false, true] => {
                let what = format!("{table} has until, where a canary ends, and no canary");
                self.report.add(written.at, what, "remove until, or write canary = \"5%\"");
            }
            _ => {}
        }
        if let (Some(from), Some(Written { value: until, at })) = (from, written.until.get())
            && *until <= from
        {
            self.report.add(*at, "until is not after from", "write a later time, or remove it");
        }
        if let Some(Written { at, .. }) = written.canary.get()
            && scope.scheme.is_envelope()
        {
            let what = "a canary needs answers that tell whether a signature was accepted, and \
                        callers of this route give none";
            self.report.add(*at, what, "write from = \"…\" alone");
        }
        let from = from.unwrap_or_default();
        // A canary without an end goes on; otherwise it takes over at once.
        let end = if canary.is_some() { u64::MAX } else { from };
        let until = until.unwrap_or(end);
        Some(Turns { from, until, share: canary.unwrap_or_default() })
    }
}
