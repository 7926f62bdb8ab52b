//! Requests as they arrive: what HTTP asks of each, absolute-form on the forward listener,
//! `/<route>/rest` on the gateway.

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::destination::Destination;
use crate::host::host_and_port;
use crate::pipeline::{Intake, asks_for_socket};
use crate::refusal::{Code, Refusal};

/// How many header fields a request may have. Cookies in pieces count as one.
const FIELDS: usize = 256;
/// How many are read, so that those beyond [`FIELDS`] can be refused in words.
pub(super) const FIELDS_READ: usize = 2 * FIELDS;

/// What HTTP asks of every request, wherever it arrives and whatever it asks for.
pub(super) fn wellformed<B>(request: &Request<B>) -> Result<(), Refusal> {
    let headers = request.headers();
    if headers.len() > FIELDS {
        let detail = format!("the request has {} header fields", headers.len());
        return Err(Refusal::new(Code::TooManyFields, detail));
    }
    one_host(headers, request.version())?;
    no_coding_but_chunks(headers)
}

/// RFC 9112, section 3.2: one `Host` that can be one. HTTP/1.0 may leave it out.
fn one_host(headers: &HeaderMap, version: Version) -> Result<(), Refusal> {
    let bad = |detail: String| Err(Refusal::new(Code::BadHost, detail));
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => return Ok(()),
        (None, _) => return bad("the request has no Host".to_owned()),
        (Some(_), Some(_)) => return bad("the request has more than one Host".to_owned()),
        (Some(host), None) => host.to_str().map_err(|_| "has bytes that no host has"),
    };
    match host.and_then(host_and_port) {
        Ok(_) => Ok(()),
        Err(what) => bad(format!("the Host {what}")),
    }
}

/// RFC 9112, section 6.1. hyper undoes chunks, and leaves the codings below them in place: they
/// would be signed and sent without their name.
fn no_coding_but_chunks(headers: &HeaderMap) -> Result<(), Refusal> {
    let codings = headers.get_all(TRANSFER_ENCODING).iter();
    let codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut codings = codings.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty());
    let chunked = codings.next().is_none_or(|first| first.eq_ignore_ascii_case(b"chunked"));
    if chunked && codings.next().is_none() {
        return Ok(());
    }
    let detail = "Transfer-Encoding names more than one coding of chunks";
    Err(Refusal::new(Code::TransferCodingUnknown, detail))
}

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
    let (method, headers, spelled) = (parts.method, parts.headers, parts.extensions);
    Ok(Intake { method, destination, target, headers, spelled, body, upgrade })
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
    let Some(https) = is_secure(scheme) else {
        return Err(bad(&format!("the scheme {} is not http", scheme.escape_debug())));
    };
    let (name, port) =
        host_and_port(authority.as_str()).map_err(|what| bad(&format!("the target {what}")))?;
    Ok(Destination::Host { name, port, https })
}

/// Whether a scheme means TLS; none for one that does not mean HTTP. A WebSocket's handshake is a
/// request for the `http` URL of the same place (RFC 6455, section 3), and some clients ask proxies
/// for it by its own.
fn is_secure(scheme: &str) -> Option<bool> {
    let known = [("http", false), ("https", true), ("ws", false), ("wss", true)];
    known.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name)).map(|(_, secure)| *secure)
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
