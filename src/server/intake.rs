//! Requests as they arrive: absolute-form on the forward listener, `/<route>/rest` on the gateway.

use http::uri::PathAndQuery;
use http::{Request, Uri};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::destination::Destination;
use crate::host::host_and_port;
use crate::pipeline::{Intake, asks_for_socket};
use crate::refusal::{Code, Refusal};

/// Reads an absolute-form request (RFC 9112, section 3.2.2). The client's `Host` is not looked
/// at: the target decides.
pub(super) fn absolute(request: Request<Incoming>) -> Result<Intake, Refusal> {
    let destination = destination(request.uri())?;
    let target = request.uri().path_and_query().cloned();
    let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
    intake(request, destination, target)
}

/// Reads a gateway request: the first segment names the route, the rest is the target.
pub(super) fn gateway(request: Request<Incoming>) -> Result<Intake, Refusal> {
    if request.uri().authority().is_some() {
        let detail = "the gateway takes paths, and this request has an absolute URL";
        return Err(Refusal::new(Code::BadTarget, detail)
            .remedy("Use the forward listener as HTTP_PROXY; call the gateway by its own URL."));
    }
    let whole = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let (name, target) = split(whole)
        .ok_or_else(|| Refusal::new(Code::BadTarget, "the rest of the path is no target"))?;
    let destination = Destination::Route(name.to_owned());
    intake(request, destination, target)
}

/// `/name/rest?query` → `name` and `/rest?query`; the rest is `/` when there is none.
pub(crate) fn split(whole: &str) -> Option<(&str, PathAndQuery)> {
    let after = whole.strip_prefix('/')?;
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let (name, rest) = after.split_at(end);
    let target = if rest.starts_with('/') { rest.parse() } else { format!("/{rest}").parse() };
    Some((name, target.ok()?))
}

pub(super) fn intake(
    mut request: Request<Incoming>,
    destination: Destination,
    target: PathAndQuery,
) -> Result<Intake, Refusal> {
    if !target.as_str().bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = "the path or query has bytes outside visible ASCII";
        let refusal = Refusal::new(Code::BadTarget, detail);
        return Err(refusal.remedy("Percent-encode them, as RFC 3986 asks."));
    }
    // With a body, it would be open where that ends and the frames begin.
    let asks = asks_for_socket(&request) && request.body().is_end_stream();
    let upgrade = asks.then(|| hyper::upgrade::on(&mut request));
    let target = rooted(target)?;
    let (parts, body) = request.into_parts();
    let (method, headers) = (parts.method, parts.headers);
    Ok(Intake { method, destination, target, headers, body, upgrade })
}

/// A target that is only a query, with the path it stands for: what is signed and what is sent must
/// not each add it for themselves.
fn rooted(target: PathAndQuery) -> Result<PathAndQuery, Refusal> {
    if !target.as_str().starts_with('?') {
        return Ok(target);
    }
    let whole = format!("/{}", target.as_str()).parse();
    whole.map_err(|_| Refusal::new(Code::BadTarget, "the query is no target"))
}

pub(crate) fn destination(uri: &Uri) -> Result<Destination, Refusal> {
    let bad = |detail: &str| Refusal::new(Code::BadTarget, detail);
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(bad("the request has a path only, as if this were a web server"));
    };
    let https = match scheme {
        "http" => false,
        "https" => true,
        other => return Err(bad(&format!("the scheme {} is not http", other.escape_debug()))),
    };
    let (name, port) =
        host_and_port(authority.as_str()).map_err(|what| bad(&format!("the target {what}")))?;
    Ok(Destination::Host { name, port, https })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateway_paths_are_split_and_kept_to_the_byte() {
        for (whole, name, target) in [
            ("/metasv/block/1", "metasv", "/block/1"),
            ("/metasv", "metasv", "/"),
            ("/metasv/", "metasv", "/"),
            ("/metasv?x=1", "metasv", "/?x=1"),
            ("/metasv//a/../%2F?x=%7e", "metasv", "//a/../%2F?x=%7e"),
            ("/", "", "/"),
        ] {
            let (found, rest) = split(whole).expect(whole);
            assert_eq!((found, rest.as_str()), (name, target), "{whole}");
        }
    }

    #[test]
    fn a_target_has_a_path() {
        for (target, whole) in [("?x=/", "/?x=/"), ("/?x", "/?x"), ("*", "*"), ("/", "/")] {
            let target = rooted(target.parse().expect("a target")).expect("a target");
            assert_eq!(target.as_str(), whole);
        }
    }
}
