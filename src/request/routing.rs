//! Where a request wants to go, and which route that is.

use std::sync::Arc;

use http::Method;

use super::View;
use crate::access::Called;
use crate::config::{HostPattern, Unrouted};
use crate::refusal::{Code, Refusal};
use crate::route::{Found, Origin, Route, Routes, wanders};

/// How a request says where it wants to go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Destination {
    /// By host, through the forward listener.
    Host {
        /// The name, lower-cased, without brackets or port.
        name: String,
        /// The port, where the client wrote one.
        port: Option<u16>,
        /// Whether the client wrote `https://`.
        https: bool,
    },
    /// By a route's name, through the gateway.
    Route(String),
}

/// As the client wrote it, for the log line of a request that gets no further.
impl Destination {
    /// For people.
    pub fn shown(&self) -> String {
        match self {
            Self::Host { name, port, .. } => authority(name, *port),
            Self::Route(name) => format!("/{name}"),
        }
    }

    /// The origin that it is addressed to; the gateway's is not said here.
    pub fn called(&self) -> Option<Called<'_>> {
        let Self::Host { name, port, https } = self else { return None };
        Some(Called::new(*https, name, *port))
    }

    /// The route of a request; none when its host has no route and such requests may pass.
    ///
    /// # Errors
    ///
    /// `host_not_routed`, `outside_route`, `route_unknown`, `method_unsignable`.
    pub fn route<'a>(
        &self,
        view: View<'a>,
        path: &str,
        method: &Method,
    ) -> Result<Option<&'a Arc<Route>>, Refusal> {
        let route = match self {
            Self::Route(name) => named(view.routes, name, path, method)?,
            Self::Host { name, port, .. } => match view.routes.find(name, *port, path, method) {
                Found::Route(route) => route,
                Found::Outside(routes) => return Err(outside(path, method, &routes)),
                Found::Elsewhere(route) => return Err(elsewhere(route, name, *port)),
                Found::Nothing => return nowhere(view, name, *port).map(|()| None),
            },
        };
        if *method == Method::TRACE {
            // Its answer would repeat what the proxy put in.
            let refusal = Refusal::new(Code::MethodUnsignable, "TRACE is never sent signed");
            return Err(refusal.allow(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]));
        }
        Ok(Some(route))
    }

    /// What is sent as `Host`, and where the connection goes, for a request on `route`.
    ///
    /// # Errors
    ///
    /// When a gateway request leaves open which host of a wildcard is meant.
    pub fn place(&self, route: &Route) -> Result<(String, Origin), Refusal> {
        let host = match (&route.host, self, &route.origin) {
            (Some(pattern), _, _) if !pattern.is_wildcard() => pattern.to_string(),
            (Some(_), Self::Host { name, port, .. }, _) => {
                authority(name, port.filter(|port| ![80, 443].contains(port)))
            }
            // Without a host of its own, a route sends the upstream's.
            (None, _, Some(origin)) => origin.authority.to_string(),
            _ => {
                let detail = "the gateway cannot tell which host of the route's pattern is meant";
                return Err(Refusal::new(Code::OutsideRoute, detail)
                    .remedy("Give the route an exact host, or ask for the host through the forward listener."));
            }
        };
        let origin = match &route.origin {
            Some(origin) => origin.clone(),
            None => Origin::of(&host, true).map_err(|_| no_host())?,
        };
        Ok((host, origin))
    }

    /// The same for a request that no route names and that may pass.
    ///
    /// # Errors
    ///
    /// When it came through the gateway, where every request names a route.
    pub fn unrouted_place(&self) -> Result<(String, Origin), Refusal> {
        let Self::Host { name, port, https } = self else {
            return Err(Refusal::new(Code::Internal, "a gateway request without a route"));
        };
        let default = if *https { 443 } else { 80 };
        let host = authority(name, port.filter(|port| *port != default));
        let origin = Origin::of(&host, *https).map_err(|_| no_host())?;
        Ok((host, origin))
    }
}

fn named<'a>(
    routes: &'a Routes,
    name: &str,
    path: &str,
    method: &Method,
) -> Result<&'a Arc<Route>, Refusal> {
    let Some(route) = routes.named(name) else {
        let known: Vec<_> = routes.all().map(|route| route.name.as_ref()).collect();
        let detail = match name {
            "" => "the path names no route".to_owned(),
            name => format!("the path begins with /{}/", name.escape_debug()),
        };
        let remedy = format!("Begin the path with one of: /{}/.", known.join("/, /"));
        return Err(Refusal::new(Code::RouteUnknown, detail).remedy(remedy));
    };
    if route.admits(path, method) { Ok(route) } else { Err(outside(path, method, &[route])) }
}

fn outside(path: &str, method: &Method, routes: &[&Arc<Route>]) -> Refusal {
    let reach: Vec<_> = routes.iter().map(|r| format!("{} takes {}", r.name, r.reach())).collect();
    let detail = format!("{method} {path} is not covered: {}", reach.join("; "));
    let refusal = Refusal::new(Code::OutsideRoute, detail);
    if !wanders(path) {
        return refusal;
    }
    refusal.remedy("Send the path without . and .. segments, however they are spelt, and in UTF-8: a route with a path covers none that could lead out of it.")
}

/// Whether a request or tunnel to a host without a matching route may leave unsigned.
///
/// # Errors
///
/// `host_not_routed`; always for a host that has a route on another port, for what goes to a
/// provider must not leave unsigned by a detour.
pub(super) fn unrouted(view: View<'_>, name: &str, port: Option<u16>) -> Result<(), Refusal> {
    match view.routes.naming(name) {
        Some(route) => Err(elsewhere(route, name, port)),
        None => nowhere(view, name, port),
    }
}

fn elsewhere(route: &Route, name: &str, port: Option<u16>) -> Refusal {
    let pattern = route.host.as_ref().map(HostPattern::to_string).unwrap_or_default();
    let host = authority(name, port);
    let detail = format!("routes.{} is for {pattern}, and this goes to {host}", route.name);
    let remedy = format!("Leave the port out, or write host = \"{host}\" in the route.");
    Refusal::new(Code::HostNotRouted, detail).remedy(remedy)
}

fn nowhere(view: View<'_>, name: &str, port: Option<u16>) -> Result<(), Refusal> {
    if view.unrouted == Unrouted::Pass {
        return Ok(());
    }
    let detail = format!("no [routes] entry has host = \"{}\"", authority(name, port));
    Err(Refusal::new(Code::HostNotRouted, detail))
}

/// A host that no URI can have. What was read as one can be sent as one.
pub(super) fn no_host() -> Refusal {
    Refusal::new(Code::BadTarget, "the host cannot be sent as a header")
}

/// The routes that could have sent what a provider sees arrive, the likeliest first: those that a
/// request takes whose path is this one without the base path that the route's upstream has. Without
/// base paths it is at most one; a request through the gateway may have named another.
pub fn sent_by<'a>(
    routes: &'a Routes,
    (host, port): (&str, Option<u16>),
    path: &str,
    method: &Method,
) -> Vec<&'a Arc<Route>> {
    fn base(route: &Arc<Route>) -> &str {
        route.origin.as_ref().map_or("", |origin| origin.base_path.as_str())
    }
    // Where a client's port was the usual one, a wildcard's route leaves it out.
    let ports = if port.is_none() { vec![None, Some(80), Some(443)] } else { vec![port] };
    let mut bases: Vec<&str> = routes.all().map(base).collect();
    bases.sort_unstable_by_key(|base| std::cmp::Reverse((base.len(), *base)));
    bases.dedup();
    let mut found: Vec<&Arc<Route>> = Vec::new();
    for (base_path, port) in bases.iter().flat_map(|base| ports.iter().map(move |p| (*base, *p))) {
        let inner = path.strip_prefix(base_path).filter(|inner| inner.starts_with('/'));
        let Some(inner) = inner else { continue };
        let Found::Route(route) = routes.find(host, port, inner, method) else { continue };
        if base(route) == base_path && !found.iter().any(|other| Arc::ptr_eq(other, route)) {
            found.push(route);
        }
    }
    // What a route would have sent as `Host` itself comes first: it says more of a port.
    let (asked, sent) =
        (Destination::Host { name: host.to_owned(), port, https: true }, authority(host, port));
    found.sort_by_key(|route| !asked.place(route).is_ok_and(|(host, _)| host == sent));
    // A route without a host sends its upstream's, and is the gateway's alone.
    let hostless = routes.all().filter(|route| {
        let signs = route.host.is_none() && route.scheme.signing().is_some();
        let own = route.origin.as_ref().filter(|_| signs);
        let inner = own.and_then(|_| path.strip_prefix(base(route)));
        own.is_some_and(|origin| origin.authority.host() == host)
            && inner.is_some_and(|inner| inner.starts_with('/') && route.admits(inner, method))
    });
    found.extend(hostless);
    found
}

/// Host and port as a `Host` header has them.
fn authority(name: &str, port: Option<u16>) -> String {
    // Made for every request, so in one piece.
    let mut authority = String::with_capacity(name.len() + "[]:65535".len());
    let bare = name.contains(':');
    authority.push_str(if bare { "[" } else { "" });
    authority.push_str(name);
    authority.push_str(if bare { "]" } else { "" });
    if let Some(port) = port {
        authority.push(':');
        // Not through `fmt`, which takes several times as long.
        authority.push_str(itoa::Buffer::new().format(port));
    }
    authority
}
