//! A request as the HTTP library was given it, for a scheme to look at once more.

use http::header::{CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Request};

use crate::scheme::Head;

/// The head that leaves, without what is of one connection only: no scheme saw that either.
///
/// # Errors
///
/// Why it is none: what HTTP/2 sends as `:authority` must be the one `Host`.
pub fn handed<B>(request: &Request<B>) -> Result<Head, &'static str> {
    let target = request.uri().path_and_query().cloned().ok_or("the request has no target")?;
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none());
    let host = host.and_then(|host| host.to_str().ok()).ok_or("the request has not one Host")?;
    if request.uri().authority().is_some_and(|authority| authority != host) {
        return Err("the request's :authority is not its Host");
    }
    let (method, host) = (request.method().clone(), host.to_owned());
    Ok(Head { method, host, target, headers: signed(request.headers()) })
}

fn signed(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [CONNECTION, UPGRADE, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}
