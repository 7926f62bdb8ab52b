//! `[routes.NAME]` as it is written.

use std::sync::Arc;

use http::Method;

use super::super::settings::Settings;
use super::{Decide, Declared, Next, decide, next, values};
use crate::config::{Clock, HostPattern, Unbound};
use crate::document::{Field, Location, Pair, Written};
use crate::scheme::Entry;

/// `[routes.NAME]`.
#[derive(Debug)]
pub(in crate::config) struct Route {
    pub(in crate::config) at: Location,
    pub(in crate::config) host: Field<HostPattern>,
    pub(in crate::config) path: Field<String>,
    pub(in crate::config) methods: Field<Vec<Written<Method>>>,
    pub(in crate::config) scheme: Field<Arc<Entry>>,
    pub(in crate::config) keys: Field<Vec<Pair>>,
    pub(in crate::config) secrets: Field<Vec<Pair>>,
    pub(in crate::config) params: Field<Vec<Pair>>,
    pub(in crate::config) upstream: Field<String>,
    pub(in crate::config) ordered: Field<bool>,
    pub(in crate::config) unbound: Field<Unbound>,
    pub(in crate::config) clock: Field<Clock>,
    pub(in crate::config) decide: Option<Decide>,
    pub(in crate::config) next: Option<Next>,
}

pub(in crate::config) fn route(
    table: &mut Settings<'_, '_>,
    at: Location,
    schemes: &Declared,
) -> Route {
    let scheme = schemes.known(table.text("scheme", |name| schemes.find(name)));
    let entry = scheme.value().map(Arc::as_ref);
    let decide = table.table.inner("decide", |table, at| decide::decide(table, at, entry));
    let next = table.table.inner("next", next::next);
    let clock = [("machine", Clock::Machine), ("provider", Clock::Provider)];
    let unbound = [("pass", Unbound::Pass), ("refuse", Unbound::Refuse)];
    Route {
        at,
        host: table.text("host", HostPattern::parse),
        path: table.text("path", values::path),
        methods: table.list("methods", values::method),
        scheme,
        keys: table.pairs("keys", false),
        secrets: table.pairs("secrets", false),
        params: table.pairs("params", true),
        upstream: table.text("upstream", values::text),
        ordered: table.flag("ordered"),
        unbound: table.text("unbound", values::one_of(&unbound)),
        clock: table.text("clock", values::one_of(&clock)),
        decide,
        next,
    }
}
