//! HTTP/2 requests as the rest of the program knows requests: nothing behind this cares which
//! version a client speaks.

use http::header::{COOKIE, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Uri};

/// Turns a request's `:authority` into its `Host`, its target into a path, and joins the pieces
/// of its cookies (RFC 9113, sections 8.3.1 and 8.2.3).
///
/// A `Host` of its own that says something else stays beside it, for those to refuse who look at
/// every one.
pub(super) fn translate<B>(mut request: Request<B>) -> Request<B> {
    join_cookies(request.headers_mut());
    if request.method() == Method::CONNECT {
        return request;
    }
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = None;
    if let Some(authority) = parts.authority.take()
        && let Ok(authority) = HeaderValue::from_str(authority.as_str())
        && request.headers().get(HOST) != Some(&authority)
    {
        request.headers_mut().append(HOST, authority);
    }
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    request
}

fn join_cookies(headers: &mut HeaderMap) {
    let pieces: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if pieces.len() < 2 {
        return;
    }
    if let Ok(whole) = HeaderValue::from_bytes(&pieces.join(&b"; "[..])) {
        headers.insert(COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_becomes_the_host_and_another_host_is_not_hidden_by_it() {
        for (uri, hosts, path, named) in [
            ("https://api.x/a?b=%7e", &[][..], "/a?b=%7e", &["api.x"][..]),
            ("https://api.x:8443/", &["api.x:8443"], "/", &["api.x:8443"]),
            ("https://api.x/", &["evil.x"], "/", &["evil.x", "api.x"]),
            ("/a", &["api.x"], "/a", &["api.x"]),
            ("/a", &[], "/a", &[]),
        ] {
            let mut request = Request::builder().uri(uri);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            let request = translate(request.body(()).expect("a request"));
            assert_eq!(request.uri().to_string(), path, "{uri}");
            let found: Vec<_> = request.headers().get_all(HOST).iter().collect();
            assert_eq!(found, named, "{uri}");
        }
    }

    #[test]
    fn cookies_in_pieces_become_one() {
        for (pieces, joined) in [(&["a=1"][..], "a=1"), (&["a=1", "b=2", "c"], "a=1; b=2; c")] {
            let mut request = Request::builder();
            for piece in pieces {
                request = request.header(COOKIE, *piece);
            }
            let request = translate(request.body(()).expect("a request"));
            let found: Vec<_> = request.headers().get_all(COOKIE).iter().collect();
            assert_eq!(found, [joined]);
        }
    }
}
