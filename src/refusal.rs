//! Every way the proxy says no: the one place with HTTP status codes.
//!
//! A refusal has a stable [`Code`]; its status, title, blame and remedy stand next to each other
//! in [`Code::facts`], so that none can exist without advice. The answer is
//! `application/problem+json` (RFC 9457) and carries `Proxy-Status` (RFC 9209), by which a client
//! tells our 502 from the provider's. `docs/refusals.md` is compared with this file by a test.

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, PROXY_AUTHENTICATE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::keys::SignError;
use crate::outbound::DressError;
use crate::scheme::SchemeError;
use crate::upstream::{ForwardError, Phase};

/// Why a request was refused. The names are part of the interface: they never change.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Code {
    /// The request target is not one this listener takes.
    BadTarget,
    /// Both `Content-Length` and `Transfer-Encoding`.
    AmbiguousFraming,
    /// The client's address is not in `access.from`.
    ClientNotAllowed,
    /// A web page of another origin called the gateway.
    CrossSite,
    /// No route names the host.
    HostNotRouted,
    /// CONNECT to a host whose requests must be signed.
    InterceptionOff,
    /// The host has routes, but none for this path and method.
    OutsideRoute,
    /// The gateway's first path segment is no route.
    RouteUnknown,
    /// The admin listener has no such page.
    AdminPathUnknown,
    /// The method cannot be signed.
    MethodUnsignable,
    /// The token is missing or wrong.
    ClientUnauthenticated,
    /// The body stood still, or was not there in time.
    BodyTooSlow,
    /// The body is larger than a scheme may hold.
    BodyTooLarge,
    /// The body is compressed and must be read.
    BodyEncoded,
    /// The `Host` is not the listener's own.
    WrongAuthority,
    /// The body is not what the scheme signs.
    BodyUnsignable,
    /// The client's body ended early.
    BodyIncomplete,
    /// The key or its device failed.
    SignerUnavailable,
    /// The signature took too long.
    SignerTimeout,
    /// The upstream's name or address does not answer.
    UpstreamUnreachable,
    /// The upstream's certificate or handshake is not acceptable.
    UpstreamTls,
    /// The upstream closed the connection without an answer.
    UpstreamClosed,
    /// The upstream's answer is not HTTP.
    UpstreamProtocol,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// The target is one of our own listeners.
    Loop,
    /// A stop is in progress.
    Draining,
    /// A broken invariant of this program.
    Internal,
}

/// What is fixed about a code.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The stable name.
    pub name: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// The error type of RFC 9209, section 2.3.
    pub proxy_error: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// What to do about it, unless the refusal knows better.
    pub remedy: &'static str,
}

impl Code {
    /// Every code, by status.
    pub const ALL: &[Self] = &[
        Self::BadTarget,
        Self::AmbiguousFraming,
        Self::BodyIncomplete,
        Self::ClientNotAllowed,
        Self::CrossSite,
        Self::HostNotRouted,
        Self::OutsideRoute,
        Self::InterceptionOff,
        Self::RouteUnknown,
        Self::AdminPathUnknown,
        Self::MethodUnsignable,
        Self::ClientUnauthenticated,
        Self::BodyTooSlow,
        Self::BodyTooLarge,
        Self::BodyEncoded,
        Self::WrongAuthority,
        Self::BodyUnsignable,
        Self::Internal,
        Self::UpstreamUnreachable,
        Self::UpstreamTls,
        Self::UpstreamClosed,
        Self::UpstreamProtocol,
        Self::SignerUnavailable,
        Self::Draining,
        Self::SignerTimeout,
        Self::UpstreamTimeout,
        Self::Loop,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Headers its answer carries.
    fn headers(self) -> Vec<(HeaderName, &'static str)> {
        if self == Self::ClientUnauthenticated {
            return vec![(PROXY_AUTHENTICATE, "Basic realm=\"countersign\"")];
        }
        if self == Self::Draining {
            return vec![(RETRY_AFTER, "1"), (CONNECTION, "close")];
        }
        if self == Self::SignerUnavailable { vec![(RETRY_AFTER, "1")] } else { Vec::new() }
    }

    /// Status, title and remedy.
    pub fn facts(self) -> Facts {
        let (name, status, proxy_error, title, remedy) = match self {
            Self::BadTarget => (
                "bad_target",
                400,
                "http_request_error",
                "The request target cannot be used here",
                "Send an absolute URL to the forward listener (as HTTP_PROXY clients do), or /<route>/path to the gateway.",
            ),
            Self::AmbiguousFraming => (
                "ambiguous_framing",
                400,
                "http_request_error",
                "The request states its length twice",
                "Send Content-Length or Transfer-Encoding, not both.",
            ),
            Self::BodyIncomplete => (
                "body_incomplete",
                400,
                "http_request_error",
                "The request body ended before its stated length",
                "Send the whole body; nothing was forwarded as if it were complete.",
            ),
            Self::ClientNotAllowed => (
                "client_not_allowed",
                403,
                "http_request_denied",
                "This address may not use the proxy",
                "Add the address to access.from in proxy.toml.",
            ),
            Self::CrossSite => (
                "cross_site",
                403,
                "http_request_denied",
                "A web page of another origin may not have requests signed",
                "If the page is yours, add its origin to access.origins in proxy.toml.",
            ),
            Self::HostNotRouted => (
                "host_not_routed",
                403,
                "http_request_denied",
                "No route names this host",
                "Add a [routes.NAME] with this host, or set access.unrouted = \"pass\" to let such requests through unsigned.",
            ),
            Self::OutsideRoute => (
                "outside_route",
                403,
                "http_request_denied",
                "The routes of this host do not cover this path and method",
                "Widen path or methods of a route, or add a route for this path.",
            ),
            Self::InterceptionOff => (
                "interception_off",
                403,
                "http_request_denied",
                "Requests inside this CONNECT could not be signed",
                "Write http:// instead of https:// in the program (the proxy speaks TLS to the provider), or use the gateway.",
            ),
            Self::RouteUnknown => (
                "route_unknown",
                404,
                "http_request_error",
                "The gateway has no route of this name",
                "Begin the path with the name of a route.",
            ),
            Self::AdminPathUnknown => (
                "admin_path_unknown",
                404,
                "http_request_error",
                "The admin listener has no such page",
                "Use /healthz, /readyz or /metrics.",
            ),
            Self::MethodUnsignable => (
                "method_unsignable",
                405,
                "http_request_denied",
                "This method cannot be signed",
                "Use a method that the provider defines a signature for.",
            ),
            Self::ClientUnauthenticated => (
                "client_unauthenticated",
                407,
                "http_request_denied",
                "A token is needed",
                "Send Proxy-Authorization (http://NAME:TOKEN@host:port as the proxy's URL), or Countersign-Token to the gateway.",
            ),
            Self::BodyTooSlow => (
                "body_too_slow",
                408,
                "http_request_error",
                "The request body took too long",
                "Send it faster, or raise timeouts.request_body (a signed body) or timeouts.body_idle (a streamed one).",
            ),
            Self::BodyTooLarge => (
                "body_too_large",
                413,
                "http_request_denied",
                "The body is larger than a signed body may be",
                "Raise limits.signed_body in proxy.toml, or send less.",
            ),
            Self::BodyEncoded => (
                "body_encoded",
                415,
                "http_request_denied",
                "The body is compressed, and the provider's signature covers its text",
                "Send it without Content-Encoding.",
            ),
            Self::WrongAuthority => (
                "wrong_authority",
                421,
                "http_request_denied",
                "The Host is not this listener's",
                "Call the listener by its own address, or add the name to access.hosts in proxy.toml.",
            ),
            Self::BodyUnsignable => (
                "body_unsignable",
                422,
                "http_request_denied",
                "The body cannot be signed",
                "Send the body in the form the provider documents.",
            ),
            Self::Internal => (
                "internal",
                500,
                "proxy_internal_error",
                "The proxy broke one of its own rules",
                "This is a bug: please report it with the request id and the log line.",
            ),
            Self::UpstreamUnreachable => (
                "upstream_unreachable",
                502,
                "destination_unavailable",
                "The upstream cannot be reached",
                "Check the host name, the port and the network from where the proxy runs.",
            ),
            Self::UpstreamTls => (
                "upstream_tls",
                502,
                "tls_certificate_error",
                "The upstream's TLS is not acceptable",
                "Check [upstreams.NAME] ca and server_name against the upstream's certificate.",
            ),
            Self::UpstreamClosed => (
                "upstream_closed",
                502,
                "connection_terminated",
                "The upstream closed the connection without an answer",
                "The request may have been carried out: look before you send it again. The proxy never repeats a signed request.",
            ),
            Self::UpstreamProtocol => (
                "upstream_protocol",
                502,
                "http_protocol_error",
                "The upstream did not answer in HTTP",
                "Check the scheme and port of the upstream's url.",
            ),
            Self::SignerUnavailable => (
                "signer_unavailable",
                503,
                "proxy_internal_error",
                "The key did not sign",
                "Look at the log line of this request id; nothing was sent.",
            ),
            Self::Draining => (
                "draining",
                503,
                "proxy_internal_response",
                "The proxy is stopping",
                "Send the request to another instance, or again when this one is back.",
            ),
            Self::SignerTimeout => (
                "signer_timeout",
                504,
                "proxy_internal_error",
                "The signature took too long",
                "Raise timeouts.sign, or look at the key's store; nothing was sent.",
            ),
            Self::UpstreamTimeout => (
                "upstream_timeout",
                504,
                "http_response_timeout",
                "The upstream did not answer in time",
                "The request may have been carried out: look before you send it again. timeouts.connect and timeouts.response_head set the limits.",
            ),
            Self::Loop => (
                "loop",
                508,
                "proxy_loop_detected",
                "The target is one of this proxy's own listeners",
                "Correct the route's host or the upstream's url.",
            ),
        };
        let status = StatusCode::from_u16(status).expect("a status of this table");
        Facts { name, status, proxy_error, title, remedy }
    }
}

/// A refusal on its way to the client.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// What happened to this request. Never contains secrets or anything an upstream sent.
    pub detail: String,
    remedy: Option<String>,
    allow: Option<Box<str>>,
}

impl Refusal {
    /// A refusal with the code's own remedy.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), remedy: None, allow: None }
    }

    /// A remedy that fits this request better than the code's own.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The methods that would do, as 405 wants them.
    pub fn allow(mut self, methods: &[&str]) -> Self {
        self.allow = Some(methods.join(", ").into());
        self
    }

    /// What to do about it.
    pub fn advice(&self) -> &str {
        self.remedy.as_deref().unwrap_or_else(|| self.code.facts().remedy)
    }

    /// The answer to the client.
    pub fn into_response(self, route: Option<&str>, request_id: &str) -> Response<Bytes> {
        let facts = self.code.facts();
        let mut problem = json!({
            "type": "about:blank",
            "title": facts.title,
            "status": facts.status.as_u16(),
            "code": facts.name,
            "detail": self.detail,
            "remedy": self.advice(),
        });
        if let Some(route) = route {
            problem["route"] = route.into();
        }
        problem["request_id"] = request_id.into();
        let mut body = problem.to_string();
        body.push('\n');
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = facts.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let proxy_status =
            format!("countersign; error={}; details=\"{}\"", facts.proxy_error, facts.name);
        if let Ok(value) = HeaderValue::from_str(&proxy_status) {
            headers.insert("proxy-status", value);
        }
        if let Some(value) = self.allow.and_then(|methods| HeaderValue::from_str(&methods).ok()) {
            headers.insert(ALLOW, value);
        }
        for (name, value) in self.code.headers() {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

impl From<SchemeError> for Refusal {
    fn from(error: SchemeError) -> Self {
        let detail = error.to_string();
        match error {
            SchemeError::Method { accepted, .. } => {
                Self::new(Code::MethodUnsignable, detail).allow(accepted)
            }
            SchemeError::Body { remedy, .. } => {
                Self::new(Code::BodyUnsignable, detail).remedy(remedy)
            }
            SchemeError::Claim { .. } | SchemeError::Broken(_) => Self::new(Code::Internal, detail),
        }
    }
}

impl From<SignError> for Refusal {
    fn from(error: SignError) -> Self {
        Self::new(Code::SignerUnavailable, error.to_string())
    }
}

impl From<DressError> for Refusal {
    fn from(error: DressError) -> Self {
        Self::new(Code::BadTarget, error.to_string())
    }
}

impl From<ForwardError> for Refusal {
    fn from(error: ForwardError) -> Self {
        let code = match error.phase {
            Phase::Resolve | Phase::Connect => Code::UpstreamUnreachable,
            Phase::Tls => Code::UpstreamTls,
            Phase::Exchange => Code::UpstreamClosed,
            Phase::Protocol => Code::UpstreamProtocol,
            Phase::ConnectTimeout | Phase::ResponseTimeout => Code::UpstreamTimeout,
            Phase::RequestStalled => Code::BodyTooSlow,
            Phase::RequestBroken => Code::BodyIncomplete,
            Phase::Loop => Code::Loop,
        };
        let refusal = Self::new(code, error.to_string());
        if error.phase == Phase::ConnectTimeout {
            // Nothing was sent, so the code's own warning would be wrong.
            return refusal
                .remedy("Nothing was sent. Check the network, or raise timeouts.connect.");
        }
        refusal
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_listed_once_with_words_of_its_own() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        let titles: BTreeSet<_> = Code::ALL.iter().map(|code| code.facts().title).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert_eq!(titles.len(), Code::ALL.len());
        // The last variant's number is the count: a code missing from ALL shows here.
        assert_eq!(Code::Internal as usize + 1, Code::ALL.len());
        for code in Code::ALL {
            let facts = code.facts();
            assert!(facts.remedy.ends_with('.') && facts.remedy.len() > 20, "{code:?}");
            assert!(facts.status.as_u16() >= 400, "{code:?}");
        }
    }

    #[test]
    fn the_answer_is_a_problem_document() {
        let refusal = Refusal::new(Code::MethodUnsignable, "no PUT").allow(&["GET", "POST"]);
        let response = refusal.into_response(Some("sinohope"), "r-1");
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET, POST");
        assert_eq!(
            response.headers()["proxy-status"],
            "countersign; error=http_request_denied; details=\"method_unsignable\""
        );
        let problem: serde_json::Value = serde_json::from_slice(response.body()).expect("JSON");
        assert_eq!(problem["code"], "method_unsignable");
        assert_eq!(problem["detail"], "no PUT");
        assert_eq!(problem["route"], "sinohope");
        assert_eq!(problem["request_id"], "r-1");
    }
}
