//! Requests as they arrive, held against request smuggling: absolute-form on the forward listener,
//! `/<route>/rest` on the gateway, origin-form inside a CONNECT.

use std::net::IpAddr;

use http::header::{CONNECTION, UPGRADE};
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, HeaderName, Method, Uri, Version};

use super::{Body, Destination, Inside};
use crate::access::OwnNames;
use crate::host::host_and_port;
use crate::peer::Peer;
use crate::refusal::{Code, Refusal};

/// How many header fields a request may have. Cookies in pieces count as one.
pub(super) const FIELDS: usize = 96;
/// How many of HTTP/1.1 are read, so that those beyond them can be refused in words: what the HTTP library
/// has room for of itself. For more it takes 40 KiB from the heap and fills them, for each request.
pub const FIELDS_READ: usize = 100;

/// A request as it came in, but for the bytes of its body.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// From whom, and where.
    pub sender: Sender<'a>,
    /// The method.
    pub method: Method,
    /// The target, as the request line or the pseudo-headers have it.
    pub uri: Uri,
    /// Of HTTP.
    pub version: Version,
    /// Headers as the client sent them.
    pub headers: HeaderMap,
    /// How an HTTP/1.1 client wrote the names of its headers, in the HTTP library's own form.
    pub spelled: Extensions,
    /// What is known of the body.
    pub body: Body,
    /// Whether it asks for a WebSocket, as [`asks_for_socket`] has it, and has no body: with one,
    /// it would be open where that ends and the frames begin.
    pub socket: bool,
}

/// From whom a request is, and through which door it comes.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The door.
    pub entrance: Entrance<'a>,
    /// The client's address; none through a Unix socket.
    pub peer: Option<IpAddr>,
    /// Whose the other end of its connection was when that came.
    pub user: Peer,
    /// The client's name, where somebody else vouches for it. None where the request must show a
    /// token, if tokens are asked for.
    pub client: Option<&'a str>,
}

/// Where a request comes in.
#[derive(Clone, Copy, Debug)]
pub enum Entrance<'a> {
    /// The forward listener: absolute-form and CONNECT.
    Forward,
    /// The gateway, and the names it may be called by; none for a Unix socket.
    Gateway(Option<&'a OwnNames>),
    /// Inside a CONNECT, plain or in TLS.
    Inside(&'a Inside),
    /// The admin listener, and the names it may be called by.
    Admin(Option<&'a OwnNames>),
}

impl Arrival<'_> {
    /// Whether a connection is asked for, and not an answer: that is for [`super::Connect`].
    pub fn is_connect(&self) -> bool {
        self.method == Method::CONNECT && matches!(self.sender.entrance, Entrance::Forward)
    }

    /// What is asked for, and of whom.
    ///
    /// # Errors
    ///
    /// `bad_target`, `wrong_authority`.
    pub fn asked(&self) -> Result<(Destination, PathAndQuery), Refusal> {
        let (destination, target) = match self.sender.entrance {
            Entrance::Gateway(_) | Entrance::Admin(_) => self.of_gateway()?,
            Entrance::Inside(inside) => {
                inside.check(&self.method, &self.uri, &self.headers)?;
                if self.uri.authority().is_some() {
                    absolute(&self.uri)?;
                }
                (inside.destination(), self.target())
            }
            // RFC 9112, section 3.2.2. The client's `Host` is not looked at: the target decides.
            Entrance::Forward => (absolute(&self.uri)?, self.target()),
        };
        if !target.as_str().bytes().all(|byte| byte.is_ascii_graphic()) {
            let detail = "the path or query has bytes outside visible ASCII";
            let refusal = Refusal::new(Code::BadTarget, detail);
            return Err(refusal.remedy("Percent-encode them, as RFC 3986 asks."));
        }
        Ok((destination, rooted(target)?))
    }

    fn target(&self) -> PathAndQuery {
        let target = self.uri.path_and_query().cloned();
        target.unwrap_or_else(|| PathAndQuery::from_static("/"))
    }

    /// The first segment names the route, the rest is the target.
    fn of_gateway(&self) -> Result<(Destination, PathAndQuery), Refusal> {
        if self.uri.authority().is_some() {
            let detail = "the gateway takes paths, and this request has an absolute URL";
            return Err(Refusal::new(Code::BadTarget, detail).remedy(
                "Use the forward listener as HTTP_PROXY; call the gateway by its own URL.",
            ));
        }
        let whole = self.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let (name, target) = split(whole)
            .ok_or_else(|| Refusal::new(Code::BadTarget, "the rest of the path is no target"))?;
        Ok((Destination::Route(name.to_owned()), target))
    }
}

/// Whether a request asks for a WebSocket, however well. In HTTP/2 it would ask with another
/// method (RFC 8441), which this proxy does not offer: clients then come in HTTP/1.1.
pub fn asks_for_socket(method: &Method, version: Version, headers: &HeaderMap) -> bool {
    *method == Method::GET
        && version == Version::HTTP_11
        && lists(headers, &UPGRADE, "websocket")
        && lists(headers, &CONNECTION, "upgrade")
}

/// Whether a list header has this word, in any case.
pub fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

/// `/name/rest?query` → `name` and `/rest?query`; the rest is `/` when there is none.
fn split(whole: &str) -> Option<(&str, PathAndQuery)> {
    let after = whole.strip_prefix('/')?;
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let (name, rest) = after.split_at(end);
    let target = if rest.starts_with('/') { rest.parse() } else { format!("/{rest}").parse() };
    Some((name, target.ok()?))
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

/// The host that an absolute target names.
pub(super) fn absolute(uri: &Uri) -> Result<Destination, Refusal> {
    let bad = |detail: &str| Refusal::new(Code::BadTarget, detail);
    let Some(authority) = uri.authority() else {
        return Err(bad("the request has a path only, as if this were a web server"));
    };
    // RFC 9112, section 3.2.3.
    let Some(scheme) = uri.scheme_str() else {
        return Err(bad("the target is a host alone, which only a CONNECT's may be"));
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
