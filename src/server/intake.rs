//! Requests as they arrive: absolute-form on the forward listener, `/<route>/rest` on the gateway.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::uri::PathAndQuery;
use http::{Request, Uri};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::destination::Destination;
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
    let (name, port) = host_and_port(authority.as_str()).map_err(bad)?;
    Ok(Destination::Host { name, port, https })
}

/// `host[:port]` → a lower-case name or an address in its usual form, without brackets, and the
/// port.
pub(crate) fn host_and_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    if authority.contains('@') {
        return Err("the target has user info before its host");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) =
                rest.split_once(']').ok_or("the target's host has a [ without a ]")?;
            let port = rest.strip_prefix(':');
            if port.is_none() && !rest.is_empty() {
                return Err("the target has something between its host and its port");
            }
            let address = host.parse::<Ipv6Addr>();
            let address = address.map_err(|_| "the target's host is no IPv6 address")?;
            (address.to_string(), port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (name(host)?, Some(port)),
            None => (name(authority)?, None),
        },
    };
    // An empty port is the scheme's own (RFC 3986, section 3.2.3).
    let port = match port.filter(|port| !port.is_empty()) {
        None => None,
        Some(port) if !port.bytes().all(|b| b.is_ascii_digit()) => {
            return Err("the target's port is no number");
        }
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err("the target's port is not between 1 and 65535"),
            Ok(port) => Some(port),
        },
    };
    Ok((host, port))
}

/// A DNS name, or an IPv4 address as it is usually written. Resolvers know others, `0x7f.1` say,
/// by which a host with a route would not be recognised.
fn name(host: &str) -> Result<String, &'static str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() {
        return Err("the target has no host");
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !host.bytes().all(known) || host.split('.').any(str::is_empty) {
        return Err("the target's host is no name that DNS knows");
    }
    let host = host.to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = digits(last) || last.strip_prefix("0x").is_some_and(hexadecimal);
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err("the target's host is an address in another form than 192.0.2.1");
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn hosts_are_read_and_bad_ones_refused() {
        for (authority, host, port) in [
            ("API.Example.com", "api.example.com", None),
            ("api.example.com.", "api.example.com", None),
            ("api.example.com:8080", "api.example.com", Some(8080)),
            ("api.example.com:", "api.example.com", None),
            ("[::1]:80", "::1", Some(80)),
            ("[::1]", "::1", None),
            ("[2001:DB8:0::1]:", "2001:db8::1", None),
            ("192.0.2.1.:80", "192.0.2.1", Some(80)),
            ("under_score.1a:80", "under_score.1a", Some(80)),
        ] {
            assert_eq!(host_and_port(authority), Ok((host.to_owned(), port)), "{authority}");
        }
        for bad in [
            ["u:p@host", "u@host", ":80", "", ".", "h:0", "h:65536", "h:+1", "h:1:1", "[::1"],
            [
                "[]",
                "[::1]80",
                "[::1]x:80",
                "[::1%25lo]",
                "[127.0.0.1]",
                "[h]",
                "::1",
                "h/",
                "h ",
                "*",
            ],
            [
                "h..",
                ".h",
                "a..b",
                "*.h",
                "h%2e",
                "127.1",
                "0x7f.1",
                "2130706433",
                "1.2.3.256",
                "0x",
            ],
        ]
        .as_flattened()
        {
            assert!(host_and_port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_target_has_a_path() {
        for (target, whole) in [("?x=/", "/?x=/"), ("/?x", "/?x"), ("*", "*"), ("/", "/")] {
            let target = rooted(target.parse().expect("a target")).expect("a target");
            assert_eq!(target.as_str(), whole);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_read_the_same_again(text in "[a-cX0-9x:.\\[\\]@%*_-]{0,24}") {
            if let Ok((host, port)) = host_and_port(&text) {
                prop_assert!(!host.contains(['@', '[', '*', '%', ' ']), "{}", host);
                let host = if host.contains(':') { format!("[{host}]") } else { host };
                let port_too = port.map(|port| format!(":{port}")).unwrap_or_default();
                let again = format!("{host}{port_too}");
                let bare = host.trim_matches(['[', ']']).to_owned();
                prop_assert_eq!(host_and_port(&again), Ok((bare, port)));
                // What has passed here can be sent.
                prop_assert!(again.parse::<http::uri::Authority>().is_ok());
            }
        }
    }
}
