//! Dresses a request for the road: everything that changes it happens here, before it is signed.
//!
//! Afterwards only the scheme's own [`Edits`] touch it: those that are signed too, and the
//! signature. Changing a header or a path after signing is how other signing proxies came to send
//! signatures that did not match.

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::PathAndQuery;
use http::{Extensions, HeaderName, Method, Request, Uri};

use super::Body;
use super::cgi::{same_to_cgi, with_hyphens};
use super::routing::no_host;
use crate::config::Unbound;
use crate::cost::Cost;
use crate::moment::Moment;
use crate::refusal::{Code, Refusal};
use crate::route::{Origin, Route};
use crate::scheme::{
    Edits, Head, Names, Rest, Scheme, SchemeError, Signable, Signatures, ToSign, probes, unbound,
};

/// A request exactly as it will leave; unsigned, until [`Self::into_request`] puts the edits in.
#[derive(Debug)]
pub struct Outgoing {
    head: Head,
    origin: Origin,
    body: Body,
    upgrade: bool,
    /// How the client wrote the names of its headers, in the HTTP library's own form.
    spelled: Extensions,
    /// How the provider writes the names of those that the scheme puts in.
    documented: Option<Names>,
}

static NO_BODY: Bytes = Bytes::new();

impl Outgoing {
    /// Dresses a request: hop-by-hop and forwarding headers gone, the client's own copies of what
    /// the scheme sets gone, the base path in front, `Host` and framing set.
    ///
    /// # Errors
    ///
    /// `bad_target`, when the parts do not make a request.
    pub fn dress(
        mut head: Head,
        body: Body,
        origin: Origin,
        scheme: Option<&dyn Scheme>,
    ) -> Result<Self, Refusal> {
        strip(&mut head.headers, scheme.map_or(&[], |scheme| scheme.owned_headers()));
        let host = HeaderValue::from_str(&head.host).map_err(|_| no_host())?;
        head.headers.insert(HOST, host);
        frame(&mut head.headers, &body, &head.method);
        if !origin.base_path.is_empty() {
            let target = format!("{}{}", origin.base_path, head.target).parse();
            head.target = target.map_err(|_| no_target())?;
        }
        let documented = scheme.and_then(|scheme| scheme.documented_names().cloned());
        let (upgrade, spelled) = (false, Extensions::new());
        Ok(Self { head, origin, body, upgrade, spelled, documented })
    }

    /// Keeps of the request how the client wrote the names of its headers, where they go on in
    /// HTTP/1.1, and whether it asks for a WebSocket.
    ///
    /// By the letter the case of names means nothing (RFC 9110, section 5.1); some providers look
    /// at it. The two headers that ask for a WebSocket are of one connection only, so the client's
    /// own have been removed; they are not signed, and not for schemes to see.
    pub(super) fn arrived(self, spelled: Extensions, upgrade: bool) -> Self {
        Self { spelled, upgrade, ..self }
    }

    /// Takes the body that was to come.
    pub(super) fn hold(&mut self, body: Bytes) {
        let stated = self.body.length();
        self.body = Body::Held(body);
        if stated != self.body.length() {
            frame(&mut self.head.headers, &self.body, &self.head.method);
        }
    }

    /// The same request once more; none where the body is not in hand, nor for a WebSocket.
    pub fn spare(&self) -> Option<Self> {
        if self.upgrade || matches!(self.body, Body::Streamed(_)) {
            return None;
        }
        let (head, origin, body) = (self.head.clone(), self.origin.clone(), self.body.clone());
        let (spelled, documented) = (self.spelled.clone(), self.documented.clone());
        Some(Self { head, origin, body, upgrade: false, spelled, documented })
    }

    /// Where it goes.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What is sent as `Host`.
    pub fn host(&self) -> &str {
        &self.head.host
    }

    /// What is known of the body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The request as schemes see it.
    pub fn signable(&self) -> Signable<'_> {
        let body = match &self.body {
            Body::Absent => Some(&NO_BODY),
            Body::Held(body) => Some(body),
            Body::Streamed(_) => None,
        };
        Signable { head: &self.head, body }
    }

    /// The texts to sign, and the rest that [`Self::edits`] takes.
    ///
    /// # Errors
    ///
    /// What the scheme has against the request.
    pub fn canonicalise(
        &self,
        scheme: &dyn Scheme,
        moment: &Moment,
    ) -> Result<ToSign, SchemeError> {
        scheme.canonicalise(self.signable(), moment)
    }

    /// What [`Self::to_sign`] costs.
    pub fn cost(&self, route: &Route, scheme: &dyn Scheme) -> Cost {
        let once = scheme.cost(self.signable());
        match route.unbound {
            Unbound::Pass => once,
            Unbound::Refuse => once.times(1 + probes(self.signable())),
        }
    }

    /// The same for a route, which may want every part of a request bound.
    ///
    /// # Errors
    ///
    /// What the scheme has against the request, and `part_unbound`.
    pub fn to_sign(
        &self,
        route: &Route,
        scheme: &dyn Scheme,
        moment: &Moment,
    ) -> Result<ToSign, Refusal> {
        let made = self.canonicalise(scheme, moment)?;
        if route.unbound == Unbound::Pass {
            return Ok(made);
        }
        let streams = matches!(self.body, Body::Streamed(length) if length != Some(0));
        match unbound(scheme, self.signable(), streams, (moment, &made.preimages)) {
            None => Ok(made),
            Some(part) => {
                let detail = format!("the signature of routes.{} does not bind {part}", route.name);
                Err(Refusal::new(Code::PartUnbound, detail))
            }
        }
    }

    /// What the scheme puts in, with the rest and the signatures of [`Self::canonicalise`].
    ///
    /// # Errors
    ///
    /// What the scheme has against the request, or a secret of its own.
    pub fn edits(
        &self,
        scheme: &dyn Scheme,
        moment: &Moment,
        rest: Rest,
        signatures: &Signatures,
    ) -> Result<Edits, SchemeError> {
        scheme.assemble(self.signable(), moment, rest, signatures)
    }

    fn edit(&mut self, edits: Edits) {
        if let Some(body) = edits.apply_to(&mut self.head) {
            self.body = Body::Held(body);
            frame(&mut self.head.headers, &self.body, &self.head.method);
        }
    }

    /// Head and body as schemes see them, for when the answer comes.
    pub fn shown(&self) -> (Head, Bytes) {
        let body = self.signable().body.cloned();
        (self.head.clone(), body.unwrap_or_default())
    }

    /// A bare HEAD of the place that this request goes to.
    pub fn probe(&self) -> Self {
        let head = Head {
            method: Method::HEAD,
            target: PathAndQuery::from_static("/"),
            headers: HeaderMap::new(),
            ..self.head.clone()
        };
        let (origin, spelled) = (self.origin.clone(), Extensions::new());
        let mut probe =
            Self { head, origin, body: Body::Absent, upgrade: false, spelled, documented: None };
        probe.head.headers.extend(self.head.headers.get(HOST).cloned().map(|host| (HOST, host)));
        probe
    }

    /// The request with the scheme's edits, and how the provider writes the names of its headers.
    ///
    /// # Errors
    ///
    /// `bad_target`, when the parts do not make a URI.
    pub fn into_request(mut self, edits: Edits) -> Result<(Request<Body>, Option<Names>), Refusal> {
        self.edit(edits);
        let Self { mut head, origin, body, upgrade, spelled, documented, .. } = self;
        if upgrade {
            switch(&mut head.headers);
        }
        if body == Body::Streamed(None) {
            // Of itself the HTTP client sends no body of unknown length with GET and HEAD. Over
            // HTTP/2 it leaves the header out.
            head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let mut request = Request::new(body);
        *request.uri_mut() = uri(&origin, &head)?;
        *request.method_mut() = head.method;
        *request.headers_mut() = head.headers;
        *request.extensions_mut() = spelled;
        Ok((request, documented))
    }
}

/// The absolute URI of a request: what is sent as `Host` is its authority. The target is kept to
/// the byte.
fn uri(origin: &Origin, head: &Head) -> Result<Uri, Refusal> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(origin.scheme.clone());
    let own = &origin.authority;
    let authority = if own.as_str() == head.host { Ok(own.clone()) } else { head.host.parse() };
    parts.authority = Some(authority.map_err(|_| no_target())?);
    parts.path_and_query = Some(head.target.clone());
    Uri::from_parts(parts).map_err(|_| no_target())
}

fn no_target() -> Refusal {
    let detail = "the upstream's base path and this path do not make one";
    Refusal::new(Code::BadTarget, detail)
}

/// States the switch to WebSocket, in a request or in the answer that agrees to it.
pub fn switch(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Removes what concerns one connection only, what proxies say of clients, as a provider is told
/// nothing about who stands behind this one, and the client's own copies of what the scheme sets:
/// each also under the name that is the same to CGI.
fn strip(headers: &mut HeaderMap, owned: &[HeaderName]) {
    remove(headers, |name| {
        let plain = with_hyphens(name);
        of_one_connection(&plain)
            || of_the_client(&plain)
            || owned.iter().any(|owned| same_to_cgi(owned.as_str(), name))
    });
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
        "client-ip"
            | "countersign-token"
            | "expect"
            | "forwarded"
            // CGI programs take it for the address of their own proxy (CVE-2016-5385).
            | "proxy"
            // Fields behind a body would go on unsigned and unseen.
            | "trailer"
            | "true-client-ip"
            | "via"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "x-original-forwarded-for"
            | "x-real-ip"
    ) || ["proxy-", "x-forwarded-"].iter().any(|begin| name.starts_with(begin))
}

/// Removes the headers that `unwanted` names, and those that `Connection` lists, whatever else stands
/// there. One pass over what is there: most requests have a few headers, and none of these but one.
fn remove(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    let listed = headers.get_all(CONNECTION).iter();
    let listed = listed
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
    let named = headers.keys().filter(|name| unwanted(name.as_str())).cloned();
    for name in listed.chain(named).collect::<Vec<HeaderName>>() {
        headers.remove(name);
    }
}

/// States the body's length as it will be sent.
fn frame(headers: &mut HeaderMap, body: &Body, method: &Method) {
    headers.remove(CONTENT_LENGTH);
    // RFC 9110, section 8.6: methods that expect a body say that there is none.
    let expects = || [Method::POST, Method::PUT, Method::PATCH].contains(method);
    let length = body.length().filter(|_| *body != Body::Absent || expects());
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dressed(base: &str, target: &str, headers: &[(&str, &str)]) -> Outgoing {
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
        let body = Body::Held(Bytes::from_static(b"{}"));
        let head = Head { method: Method::POST, host: "api.x".into(), target, headers: map };
        Outgoing::dress(head, body, origin, None).expect("dressed")
    }

    #[test]
    fn nothing_of_one_connection_and_nothing_about_the_client_is_sent_on() {
        let outgoing = dressed(
            "",
            "/v1",
            &[
                ("connection", "close, X-Hop, \u{ff}"),
                ("x-hop", "1"),
                ("proxy-authorization", "Basic eA=="),
                ("countersign-token", "t"),
                ("forwarded", "for=10.0.0.1"),
                ("x-forwarded-for", "10.0.0.1"),
                ("x-forwarded-client-cert", "By=x"),
                ("x_forwarded_host", "evil.example"),
                ("x-client-ip", "10.0.0.1"),
                ("proxy", "http://evil.example"),
                ("proxy-status", "x"),
                ("proxy_authorization", "Basic eA=="),
                ("via", "1.1 x"),
                ("te", "trailers"),
                ("expect", "100-continue"),
                ("content-length", "999"),
                ("host", "evil.example"),
                ("x-app", "kept"),
                ("x_app_forwarded", "kept"),
            ],
        );
        let mut names: Vec<_> = outgoing.head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "host", "x-app", "x_app_forwarded"]);
        assert_eq!(outgoing.head.headers["host"], "api.x");
        assert_eq!(outgoing.head.headers["content-length"], "2");
    }

    #[test]
    fn targets_are_kept_to_the_byte_and_prefixed() {
        for (base, target, sent) in [
            ("", "/a//b/../c?x=%7e&&y", "https://api.x/a//b/../c?x=%7e&&y"),
            ("/base", "/v1?q", "https://api.x/base/v1?q"),
            ("/base", "/", "https://api.x/base/"),
        ] {
            let outgoing = dressed(base, target, &[]);
            let (request, _) = outgoing.into_request(Edits::default()).expect("a request");
            assert_eq!(request.uri().to_string(), sent);
        }
    }
}
