//! Dresses a request for the road: everything that changes it happens here, before it is signed.
//!
//! Afterwards only the scheme's own [`Edits`] touch it. Changing a header or a path after signing
//! is how other signing proxies came to send signatures that did not match.

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{InvalidUri, PathAndQuery};
use http::{Extensions, HeaderName, Method, Request};
use hyper::body::Incoming;

use crate::body::{Upload, Watch};
use crate::route::Origin;
use crate::scheme::{Edits, Head, Scheme, Signable};
use crate::upstream::{Documented, join};

/// The header that carries a client's token to the gateway.
pub const TOKEN_HEADER: HeaderName = HeaderName::from_static("countersign-token");

/// A request's body as the route needs it.
#[derive(Debug)]
pub enum Payload {
    /// No body at all.
    Empty,
    /// In hand, because a scheme reads it.
    Whole(Bytes),
    /// Streamed through.
    Stream(Incoming),
}

/// A request exactly as it will leave, unsigned.
#[derive(Debug)]
pub struct Outbound {
    head: Head,
    origin: Origin,
    payload: Payload,
    upgrade: bool,
    /// How the client wrote the names of its headers, in hyper's own form.
    spelled: Extensions,
    /// How the provider writes the names of those that the scheme puts in.
    documented: &'static [&'static str],
}

static NO_BODY: Bytes = Bytes::new();

/// Why a request cannot be dressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DressError {
    /// The base path and the target make no path.
    #[error("the upstream's base path and this path do not make one")]
    Target,
    /// The name cannot be sent as `Host`.
    #[error("the host cannot be sent as a header")]
    Host,
}

impl From<InvalidUri> for DressError {
    fn from(_: InvalidUri) -> Self {
        Self::Host
    }
}

impl Outbound {
    /// Dresses a request: hop-by-hop and forwarding headers gone, the client's own copies of what
    /// the scheme sets gone, the base path in front, `Host` and framing set.
    ///
    /// # Errors
    ///
    /// When the parts do not make a request.
    pub fn dress(
        method: Method,
        target: &PathAndQuery,
        mut headers: HeaderMap,
        payload: Payload,
        host: String,
        origin: Origin,
        scheme: Option<&dyn Scheme>,
    ) -> Result<Self, DressError> {
        strip(&mut headers);
        for owned in scheme.map_or(&[][..], |scheme| scheme.owned_headers()) {
            headers.remove(owned);
        }
        headers.insert(HOST, HeaderValue::from_str(&host).map_err(|_| DressError::Host)?);
        frame(&mut headers, &payload, &method);
        let target = prefixed(&origin.base_path, target)?;
        let head = Head { method, host, target, headers };
        let (spelled, documented) =
            (Extensions::new(), scheme.map(|scheme| scheme.documented_names()));
        let documented = documented.unwrap_or_default();
        Ok(Self { head, origin, payload, upgrade: false, spelled, documented })
    }

    /// Keeps the names of headers as the client wrote them, where they go on in HTTP/1.1. By the
    /// letter their case means nothing (RFC 9110, section 5.1); some providers look at it.
    pub fn spelled(self, spelled: Extensions) -> Self {
        Self { spelled, ..self }
    }

    /// Asks for a WebSocket: the two headers that ask are of one connection only, so the client's
    /// own have been removed. Not signed, and not for schemes to see.
    pub fn upgrading(self) -> Self {
        Self { upgrade: true, ..self }
    }

    /// The same request once more, in case the upstream leaves the first one unprocessed; none
    /// where the body is not in hand, nor for a WebSocket.
    pub fn spare(&self) -> Option<Self> {
        let payload = match &self.payload {
            _ if self.upgrade => return None,
            Payload::Stream(_) => return None,
            Payload::Empty => Payload::Empty,
            Payload::Whole(body) => Payload::Whole(body.clone()),
        };
        let (head, origin) = (self.head.clone(), self.origin.clone());
        let (spelled, documented) = (self.spelled.clone(), self.documented);
        Some(Self { head, origin, payload, upgrade: false, spelled, documented })
    }

    /// Whether it asks for a WebSocket.
    pub fn upgrades(&self) -> bool {
        self.upgrade
    }

    /// Where it goes.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The request as schemes see it.
    pub fn signable(&self) -> Signable<'_> {
        let body = match &self.payload {
            Payload::Empty => Some(&NO_BODY),
            Payload::Whole(body) => Some(body),
            Payload::Stream(_) => None,
        };
        Signable { head: &self.head, body }
    }

    /// Head and body as schemes see them, for when the answer comes.
    pub fn shown(&self) -> (Head, Bytes) {
        let body = self.signable().body.cloned();
        (self.head.clone(), body.unwrap_or_default())
    }

    /// The request for the upstream's client, with the scheme's edits applied, once.
    ///
    /// # Errors
    ///
    /// When the parts do not make a URI.
    pub fn apply(
        self,
        edits: Edits,
        idle: std::time::Duration,
    ) -> Result<(Request<Upload>, Option<Watch>), DressError> {
        use http_body::Body as _;
        let Self { mut head, origin, mut payload, upgrade, spelled, documented } = self;
        if let Some(body) = edits.apply(&mut head.headers) {
            payload = Payload::Whole(body);
            frame(&mut head.headers, &payload, &head.method);
        }
        if upgrade {
            switch(&mut head.headers);
        }
        let uri = join(&origin.scheme, &head.host, &head.target).map_err(|_| DressError::Target)?;
        let (body, watch) = match payload {
            Payload::Empty => (Upload::whole(Bytes::new()), None),
            Payload::Whole(body) => (Upload::whole(body), None),
            Payload::Stream(body) => {
                if body.size_hint().exact().is_none() {
                    // Of itself the client sends no body of unknown length with GET and HEAD.
                    // Over HTTP/2 it leaves the header out.
                    head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
                }
                let (body, watch) = Upload::stream(body, idle);
                (body, Some(watch))
            }
        };
        let mut request = Request::new(body);
        *request.method_mut() = head.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = head.headers;
        *request.extensions_mut() = spelled;
        if !documented.is_empty() {
            request.extensions_mut().insert(Documented(documented));
        }
        Ok((request, watch))
    }
}

/// States the switch to WebSocket, in a request or in the answer that agrees to it.
pub fn switch(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Removes what concerns one connection only, and what proxies say of clients: a provider is told
/// nothing about who stands behind this one.
fn strip(headers: &mut HeaderMap) {
    remove(headers, |name| of_one_connection(name) || of_the_client(name));
}

/// Removes the headers of one connection, in either direction.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    remove(headers, of_one_connection);
}

/// Whether a header concerns one connection only (RFC 9110, section 7.6.1).
fn of_one_connection(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether a header ends with the client's way to us, or says who the client is.
fn of_the_client(name: &str) -> bool {
    matches!(
        name,
        "countersign-token"
            | "expect"
            | "forwarded"
            // Fields behind a body would go on unsigned and unseen.
            | "trailer"
            | "via"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-real-ip"
    )
}

/// Removes the headers that `unwanted` names, and those that `Connection` lists. One pass over
/// what is there: most requests have a few headers, and none of these but one.
fn remove(headers: &mut HeaderMap, unwanted: fn(&str) -> bool) {
    let listed = headers.get_all(CONNECTION).iter();
    let listed = listed
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok());
    let named = headers.keys().filter(|name| unwanted(name.as_str())).cloned();
    for name in listed.chain(named).collect::<Vec<HeaderName>>() {
        headers.remove(name);
    }
}

/// States the body's length as it will be sent.
fn frame(headers: &mut HeaderMap, payload: &Payload, method: &Method) {
    use http_body::Body as _;
    headers.remove(CONTENT_LENGTH);
    let length = match payload {
        Payload::Empty => {
            // RFC 9110, section 8.6: methods that expect a body say that there is none.
            let expects = [Method::POST, Method::PUT, Method::PATCH].contains(method);
            expects.then_some(0)
        }
        Payload::Whole(body) => Some(body.len() as u64),
        Payload::Stream(body) => body.size_hint().exact(),
    };
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

fn prefixed(base: &str, target: &PathAndQuery) -> Result<PathAndQuery, DressError> {
    if base.is_empty() {
        return Ok(target.clone());
    }
    format!("{base}{target}").parse().map_err(|_| DressError::Target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dressed(base: &str, target: &str, headers: &[(&str, &str)]) -> Outbound {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let name: HeaderName = name.parse().expect("a name");
                (name, HeaderValue::from_str(value).expect("a value"))
            })
            .collect();
        let mut origin = Origin::of("up.example:8443", true).expect("an authority");
        origin.base_path = base.into();
        let target = target.parse().expect("a target");
        let body = Payload::Whole(Bytes::from_static(b"{}"));
        Outbound::dress(Method::POST, &target, map, body, "api.x".into(), origin, None)
            .expect("dressed")
    }

    #[test]
    fn nothing_of_one_connection_and_nothing_about_the_client_is_sent_on() {
        let outbound = dressed(
            "",
            "/v1",
            &[
                ("connection", "close, X-Hop"),
                ("x-hop", "1"),
                ("proxy-authorization", "Basic eA=="),
                ("countersign-token", "t"),
                ("forwarded", "for=10.0.0.1"),
                ("x-forwarded-for", "10.0.0.1"),
                ("via", "1.1 x"),
                ("te", "trailers"),
                ("expect", "100-continue"),
                ("content-length", "999"),
                ("host", "evil.example"),
                ("x-app", "kept"),
            ],
        );
        let mut names: Vec<_> = outbound.head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "host", "x-app"]);
        assert_eq!(outbound.head.headers["host"], "api.x");
        assert_eq!(outbound.head.headers["content-length"], "2");
    }

    #[test]
    fn targets_are_kept_to_the_byte_and_prefixed() {
        for (base, target, sent) in [
            ("", "/a//b/../c?x=%7e&&y", "https://api.x/a//b/../c?x=%7e&&y"),
            ("/base", "/v1?q", "https://api.x/base/v1?q"),
            ("/base", "/", "https://api.x/base/"),
        ] {
            let (request, _) = dressed(base, target, &[])
                .apply(Edits::default(), std::time::Duration::from_secs(1))
                .expect("a request");
            assert_eq!(request.uri().to_string(), sent);
        }
    }
}
