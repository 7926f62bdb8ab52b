//! Routes: what they match, what they bind, and that no two match alike.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use super::Resolver;
use super::decide::asks;
use crate::config::file;
use crate::config::{Clock, Location, Route, Unbound};
use crate::document::{Field, Named, Pair, Written, choose, quoted};
use crate::scheme::{Entry, ParamDoc, ParamKind};

impl Resolver<'_> {
    pub(super) fn routes(&self) -> BTreeMap<String, Route> {
        let written = &self.file.routes;
        if written.is_empty() {
            let fix = "write [routes.NAME] with host, scheme and keys; `countersign schemes` lists \
                       what there is";
            self.report.add(None, "there is no route, so nothing would be signed", fix);
        }
        self.check_ties();
        let route = |(name, written): (&String, &file::Route)| {
            self.check_target(name, written);
            self.check_methods(written);
            Some((name.clone(), self.route(name, written)?))
        };
        written.iter().filter_map(route).collect()
    }

    fn route(&self, name: &str, written: &file::Route) -> Option<Route> {
        let scheme = written.scheme.value()?;
        let scope = Scope { name, at: written.at, scheme, partial: false };
        let mut fields = BTreeMap::new();
        if let Some(host) = written.host.get() {
            fields.insert("host".to_owned(), host.at);
        }
        for (name, at) in [
            ("ordered", written.ordered.get().map(|ordered| ordered.at)),
            ("unbound", written.unbound.get().map(|unbound| unbound.at)),
            ("scheme", written.scheme.get().map(|scheme| scheme.at)),
            ("params", written.params.get().map(|params| params.at)),
        ] {
            fields.extend(at.map(|at| (name.to_owned(), at)));
        }
        let params = self.bind_params(&scope, &written.params, &mut fields);
        let route = Route {
            host: written.host.value().cloned(),
            path: written.path.holds().cloned().unwrap_or_default(),
            methods: methods(written).unwrap_or_default(),
            scheme: Arc::clone(scheme),
            keys: self.bind_keys(&scope, &written.keys, &mut fields),
            secrets: self.bind_secrets(&scope, &written.secrets, &mut fields),
            files: self.files(scheme, &params),
            params,
            upstream: written.upstream.value().cloned(),
            ordered: written.ordered.holds() == Some(&true),
            unbound: written.unbound.holds().copied().unwrap_or(Unbound::Pass),
            clock: written.clock.holds().copied().unwrap_or(Clock::Machine),
            decide: self.decide(name, written),
            next: None,
            at: written.at,
            fields,
        };
        let next = written.next.as_ref().and_then(|next| self.next(&scope, &route, next));
        Some(Route { next, ..route })
    }

    /// Checks that the route says where its requests go, and that they can come.
    fn check_target(&self, name: &str, written: &file::Route) {
        if let Some(upstream) = written.upstream.get() {
            self.check_reference("upstream", upstream, "upstreams", &self.file.upstreams);
        }
        self.check_gateway_only(name, written);
        if !written.host.is_absent() {
            return;
        }
        // Rules that answer need nowhere to send a request.
        let answers = written.decide.as_ref().is_some_and(|decide| !asks(decide));
        if written.upstream.is_absent() && !answers {
            let scheme = written.scheme.value();
            let (what, fix) = if scheme.is_some_and(|scheme| scheme.is_envelope()) {
                (
                    format!("[routes.{name}] has no upstream, so nobody would answer"),
                    format!("write upstream = \"…\" below it, or rules in [routes.{name}.decide]"),
                )
            } else {
                let host = scheme.map_or("api.example.com", |scheme| scheme.host.as_ref());
                (
                    format!("[routes.{name}] has neither host nor upstream"),
                    format!("write host = \"{host}\" below it"),
                )
            };
            self.report.add(written.at, what, fix);
        } else if self.file.listen.gateway.is_absent() {
            let what = format!(
                "[routes.{name}] has no host, so only the gateway leads there, and [listen] has no \
                 gateway"
            );
            let fix = "write gateway = \"127.0.0.1:8081\" below [listen], or give the route a host";
            self.report.add(written.at, what, fix);
        }
        self.check_hostless(name, written);
    }

    /// A route without a host goes to its upstream's, so that must have one.
    fn check_hostless(&self, name: &str, written: &file::Route) {
        let Some(Written { value, at }) = written.upstream.get() else { return };
        let upstream = self.file.upstreams.get(value);
        if upstream.is_some_and(|upstream| upstream.url.is_absent()) {
            let what = format!(
                "[routes.{name}] has no host and [upstreams.{value}] no url, so its requests would \
                 go nowhere"
            );
            let fix = format!("write host in [routes.{name}], or url in [upstreams.{value}]");
            self.report.add(*at, what, fix);
        }
    }

    /// Checks that what comes sealed can come in by the gateway alone: nobody would look for an
    /// answer of this proxy's at another's name.
    fn check_gateway_only(&self, name: &str, written: &file::Route) {
        let envelope = written.scheme.value().filter(|scheme| scheme.is_envelope());
        let (Some(scheme), Some(host)) = (envelope, written.host.get()) else { return };
        let what = format!(
            "[routes.{name}] has a host, and requests of the scheme {} come through the gateway only",
            scheme.name
        );
        let fix = format!("remove host; callers reach the route at the gateway's /{name}/");
        self.report.add(host.at, what, fix);
    }

    fn check_methods(&self, written: &file::Route) {
        if let Some(Written { value, at }) = written.methods.get()
            && value.is_empty()
        {
            let what = "methods is empty, so the route would match nothing";
            self.report.add(*at, what, "remove it: the route matches every method then");
        }
    }

    pub(super) fn bind_keys(
        &self,
        scope: &Scope<'_>,
        written: &Pairs,
        fields: &mut Fields,
    ) -> Texts {
        let slots = scope.scheme.keys.iter();
        let slots: Vec<Slot<'_>> = slots.map(|slot| (slot.name.as_ref(), slot.required)).collect();
        for (slot, key) in readable(written) {
            self.check_algorithm(scope, slot, key);
        }
        self.check_slots(scope, "keys", written, &slots);
        self.bind("keys", &slots, written, &self.file.keys, fields)
    }

    pub(super) fn bind_secrets(
        &self,
        scope: &Scope<'_>,
        written: &Pairs,
        fields: &mut Fields,
    ) -> Texts {
        let slots = scope.scheme.secrets.iter();
        let slots: Vec<Slot<'_>> = slots.map(|slot| (slot.name.as_ref(), slot.required)).collect();
        self.check_slots(scope, "secrets", written, &slots);
        self.bind("secrets", &slots, written, &self.file.secrets, fields)
    }

    /// Reports slots the scheme does not have, and those it needs that are empty.
    fn check_slots(&self, scope: &Scope<'_>, table: &str, written: &Pairs, slots: &[Slot<'_>]) {
        let scheme = &scope.scheme.name;
        let names: Vec<&str> = slots.iter().map(|(name, _)| *name).collect();
        for pair in pairs(written).iter().filter(|pair| !names.contains(&pair.name.as_str())) {
            let what = format!("the scheme {scheme} has no {table}.{}", pair.name.escape_debug());
            self.report.add(pair.name_at, what, choose(&pair.name, &names));
        }
        self.check_missing(scope, table, written, slots.iter().copied());
    }

    /// Reports what the scheme needs and the route does not have.
    fn check_missing<'s>(
        &self,
        scope: &Scope<'_>,
        table: &str,
        written: &Pairs,
        slots: impl Iterator<Item = Slot<'s>>,
    ) {
        if scope.partial || matches!(written, Field::Unreadable) {
            return;
        }
        let scheme = &scope.scheme.name;
        for (slot, _) in slots.filter(|(_, required)| *required) {
            if pairs(written).iter().any(|pair| pair.name == slot) {
                continue;
            }
            let at = written.get().map_or(scope.at, |written| written.at);
            let what = format!("{table}.{slot} is missing, and the scheme {scheme} needs it");
            let fix = format!("write {table} = {{ {slot} = \"…\" }} below [routes.{}]", scope.name);
            self.report.add(at, what, fix);
        }
    }

    fn bind<T>(
        &self,
        table: &str,
        slots: &[Slot<'_>],
        written: &Pairs,
        entries: &Named<T>,
        fields: &mut Fields,
    ) -> Texts {
        let mut bound = Texts::new();
        for (slot, name) in readable(written) {
            if !slots.iter().any(|(known, _)| *known == slot) {
                continue;
            }
            let field = format!("{table}.{slot}");
            self.check_reference(&field, name, table, entries);
            fields.insert(field, name.at);
            bound.insert(slot.to_owned(), name.value.clone());
        }
        bound
    }

    /// Checks what the file says a key is. What the key itself says is seen when it is opened.
    fn check_algorithm(&self, scope: &Scope<'_>, slot: &str, key: &Written<String>) {
        let declared = self.file.keys.get(&key.value).and_then(|entry| entry.algorithm.value());
        let slot_entry = scope.scheme.keys.iter().find(|entry| entry.name == slot);
        let (Some(declared), Some(slot_entry)) = (declared, slot_entry) else {
            return;
        };
        if slot_entry.algorithms.contains(declared) {
            return;
        }
        let accepted: Vec<&str> = slot_entry.algorithms.iter().map(|a| a.name()).collect();
        let accepted = accepted.join(" or ");
        let scheme = &scope.scheme.name;
        let name = quoted(&key.value);
        let what = format!(
            "keys.{slot} names {name}, a key for {declared}, and {scheme} signs with {accepted}"
        );
        self.report.add(key.at, what, format!("name a key for {accepted}"));
    }

    pub(super) fn bind_params(
        &self,
        scope: &Scope<'_>,
        written: &Pairs,
        fields: &mut Fields,
    ) -> Texts {
        let docs = &scope.scheme.params;
        let mut params: Texts = scope.scheme.defaults();
        let names: Vec<&str> = docs.iter().map(|doc| doc.name.as_ref()).collect();
        for pair in pairs(written) {
            let Some(doc) = docs.iter().find(|doc| doc.name == pair.name) else {
                let (scheme, name) = (&scope.scheme.name, pair.name.escape_debug());
                let what = format!("the scheme {scheme} has no params.{name}");
                self.report.add(pair.name_at, what, choose(&pair.name, &names));
                continue;
            };
            let Some(Written { value, at }) = &pair.value else {
                continue;
            };
            let values: Vec<&str> = doc.values.iter().map(AsRef::as_ref).collect();
            if !values.is_empty() && !values.contains(&value.as_str()) {
                let what = format!("params.{} is {}, which it cannot be", doc.name, quoted(value));
                self.report.add(*at, what, choose(value, &values));
            }
            if doc.required && value.is_empty() {
                let what = format!("params.{} is empty, and must not be", doc.name);
                self.report.add(*at, what, format!("write {} = \"…\"", doc.name));
            }
            fields.insert(format!("params.{}", doc.name), *at);
            params.insert(doc.name.to_string(), value.clone());
        }
        let required = docs.iter().filter(|doc| doc.required).map(|doc| (doc.name.as_ref(), true));
        self.check_missing(scope, "params", written, required);
        params
    }

    /// The files that parameters name; relative paths start at the configuration file.
    pub(super) fn files(&self, scheme: &Entry, params: &Texts) -> BTreeMap<String, Vec<PathBuf>> {
        let files = |doc: &ParamDoc| {
            let written = params.get(doc.name.as_ref()).filter(|written| !written.is_empty())?;
            let paths: Vec<&str> = match doc.kind {
                ParamKind::Text => return None,
                ParamKind::File => vec![written],
                ParamKind::Files => written.split(',').map(str::trim).collect(),
            };
            let paths = paths.into_iter().map(|path| self.directory.join(path));
            Some((doc.name.to_string(), paths.collect()))
        };
        scheme.params.iter().filter_map(files).collect()
    }

    /// Reports every route that matches requests of an earlier one without being more or less
    /// specific: which of the two a request takes must not depend on chance.
    fn check_ties(&self) {
        let mut routes: Vec<_> = self.file.routes.iter().collect();
        routes.sort_by_key(|(_, route)| route.at);
        let mut of_host: HashMap<String, Vec<(&String, &file::Route)>> = HashMap::new();
        for (name, route) in routes {
            let Some(host) = route.host.value() else { continue };
            let earlier = of_host.entry(host.name()).or_default();
            if let Some((first, other)) = earlier.iter().find(|(_, other)| tie(route, other)) {
                let what = format!(
                    "[routes.{name}] matches what [routes.{first}] on line {} does, and neither is \
                     more specific",
                    other.at.line
                );
                let fix = "give one of them a longer path, or each its own methods";
                self.report.add(route.at, what, fix);
            }
            earlier.push((name, route));
        }
    }
}

/// The route that is being bound.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) name: &'a str,
    pub(super) at: Location,
    pub(super) scheme: &'a Entry,
    /// Whether slots may be left out, which are filled already.
    pub(super) partial: bool,
}

/// A slot's name, and whether the scheme needs it.
type Slot<'s> = (&'s str, bool);
type Pairs = Field<Vec<Pair>>;
pub(super) type Texts = BTreeMap<String, String>;
pub(super) type Fields = BTreeMap<String, Location>;

fn pairs(written: &Pairs) -> &[Pair] {
    written.value().map_or(&[], Vec::as_slice)
}

/// The pairs whose value is a text.
fn readable(written: &Pairs) -> impl Iterator<Item = (&str, &Written<String>)> {
    pairs(written).iter().filter_map(|pair| Some((pair.name.as_str(), pair.value.as_ref()?)))
}

fn tie(one: &file::Route, other: &file::Route) -> bool {
    let (Some(host), Some(other_host)) = (one.host.value(), other.host.value()) else {
        return false;
    };
    let same_path = one.path.holds().is_some() && one.path.holds() == other.path.holds();
    host.ties_with(other_host) && same_path && methods_meet(one, other)
}

fn methods_meet(one: &file::Route, other: &file::Route) -> bool {
    match (methods(one), methods(other)) {
        (Some(one), Some(other)) if one.is_empty() || other.is_empty() => one == other,
        (Some(one), Some(other)) => one.iter().any(|method| other.contains(method)),
        _ => false,
    }
}

/// The methods a route takes, empty for all; `None` when they cannot be read.
fn methods(written: &file::Route) -> Option<Vec<http::Method>> {
    match &written.methods {
        Field::Absent(_) => Some(Vec::new()),
        Field::Unreadable => None,
        Field::Is(list) => Some(list.value.iter().map(|method| method.value.clone()).collect()),
    }
}
