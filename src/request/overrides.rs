//! Method and URL override headers: what some servers heed in place of the request line, by which a
//! route was chosen.

use http::HeaderMap;

use super::cgi::with_hyphens;
use crate::refusal::{Code, Refusal};
use crate::route::Route;

/// Refuses a request that says another method or path in its headers, on a route that takes some
/// and not others.
///
/// # Errors
///
/// `outside_route`.
pub(super) fn no_overrides(route: &Route, headers: &HeaderMap) -> Result<(), Refusal> {
    if !route.is_limited() {
        return Ok(());
    }
    let mut names = headers.keys().map(|name| name.as_str());
    let Some(name) = names.find(|name| OVERRIDES.contains(&&*with_hyphens(name))) else {
        return Ok(());
    };
    let (route, reach) = (&route.name, route.reach());
    let detail = format!("{route} takes {reach}, and {name} may say another method or path");
    let refusal = Refusal::new(Code::OutsideRoute, detail);
    Err(refusal
        .remedy(format!("Send the request without {name}, by the method and path it is for.")))
}

/// In lower case, with hyphens.
const OVERRIDES: [&str; 10] = [
    "x-envoy-original-path",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-override-url",
    "x-rewrite-uri",
    "x-rewrite-url",
];
