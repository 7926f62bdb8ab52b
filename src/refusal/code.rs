//! The codes: status, title, blame and remedy of each, next to each other.

use http::header::{CONNECTION, PROXY_AUTHENTICATE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderName, StatusCode};

/// Why a request was refused. The names are part of the interface: they never change.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Code {
    /// The request target is not one this listener takes.
    BadTarget,
    /// The request has no `Host`, two, or one that is none.
    BadHost,
    /// What came is not HTTP.
    NotHttp,
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
    /// The query is not what the scheme signs.
    QueryUnsignable,
    /// The route takes WebSocket handshakes only.
    NotAnUpgrade,
    /// The request's head has too many fields.
    TooManyFields,
    /// The body is coded on its way as nobody here can read.
    TransferCodingUnknown,
    /// The client's body ended early.
    BodyIncomplete,
    /// A token that would be inserted is past its time, or before it.
    CredentialExpired,
    /// A secret that would be inserted is not what the provider takes.
    CredentialUnusable,
    /// The key or its device failed.
    SignerUnavailable,
    /// As many signatures as may wait for the key are waiting.
    SignerBusy,
    /// Every tunnel is taken.
    TooManyTunnels,
    /// The signature took too long.
    SignerTimeout,
    /// The upstream's name or address does not answer.
    UpstreamUnreachable,
    /// The proxy between this one and the upstream failed or refused.
    UpstreamProxy,
    /// The upstream's certificate or handshake is not acceptable.
    UpstreamTls,
    /// The upstream says that it did not process the request.
    UpstreamUnprocessed,
    /// The upstream closed the connection without an answer.
    UpstreamClosed,
    /// The upstream's answer is not HTTP.
    UpstreamProtocol,
    /// The upstream's answer is not signed as it must be.
    ReplyUntrusted,
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
        Self::BadHost,
        Self::NotHttp,
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
        Self::QueryUnsignable,
        Self::NotAnUpgrade,
        Self::TooManyFields,
        Self::Internal,
        Self::TransferCodingUnknown,
        Self::UpstreamUnreachable,
        Self::UpstreamProxy,
        Self::UpstreamTls,
        Self::UpstreamUnprocessed,
        Self::UpstreamClosed,
        Self::UpstreamProtocol,
        Self::ReplyUntrusted,
        Self::CredentialExpired,
        Self::CredentialUnusable,
        Self::SignerUnavailable,
        Self::SignerBusy,
        Self::TooManyTunnels,
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
    pub(super) fn headers(self) -> Vec<(HeaderName, &'static str)> {
        if self == Self::ClientUnauthenticated {
            return vec![(PROXY_AUTHENTICATE, "Basic realm=\"countersign\"")];
        }
        if self == Self::Draining {
            return vec![(RETRY_AFTER, "1"), (CONNECTION, "close")];
        }
        if self == Self::NotAnUpgrade {
            // RFC 9110, section 15.5.22; RFC 6455, section 4.4.
            return vec![(UPGRADE, "websocket"), (SEC_WEBSOCKET_VERSION, "13")];
        }
        let passes =
            [Self::SignerUnavailable, Self::SignerBusy, Self::TooManyTunnels].contains(&self);
        if passes { vec![(RETRY_AFTER, "1")] } else { Vec::new() }
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
            Self::BadHost => (
                "bad_host",
                400,
                "http_request_error",
                "The request does not say once and clearly which host it is for",
                "Send one Host header with a name or an address, and the port where it is not the usual one.",
            ),
            Self::NotHttp => (
                "not_http",
                400,
                "http_protocol_error",
                "What came is not HTTP",
                "Send HTTP/1.1, plain: http:// before the proxy's address, whatever the request's own URL begins with.",
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
                "Make a CA (countersign ca new) and name it in [intercept]; or write http:// instead of https:// in the program (the proxy speaks TLS to the provider); or use the gateway.",
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
                "The request names another host than its connection is for",
                "Call the listener by its own address, or add the name to access.hosts in proxy.toml.",
            ),
            Self::BodyUnsignable => (
                "body_unsignable",
                422,
                "http_request_denied",
                "The body cannot be signed",
                "Send the body in the form the provider documents.",
            ),
            Self::QueryUnsignable => (
                "query_unsignable",
                422,
                "http_request_denied",
                "The query cannot be signed",
                "Write each name once, and percent-encode names and values as UTF-8.",
            ),
            Self::NotAnUpgrade => (
                "not_an_upgrade",
                426,
                "http_request_denied",
                "This route takes WebSocket handshakes only",
                "Send GET over HTTP/1.1 with Upgrade: websocket, Connection: Upgrade, Sec-WebSocket-Key and Sec-WebSocket-Version: 13.",
            ),
            Self::TooManyFields => (
                "too_many_fields",
                431,
                "http_request_error",
                "The request has more header fields than are taken",
                "Send at most 256 fields in a head, those of one name as one field where its values are a list.",
            ),
            Self::Internal => (
                "internal",
                500,
                "proxy_internal_error",
                "The proxy broke one of its own rules",
                "This is a bug: please report it with the request id and the log line.",
            ),
            Self::TransferCodingUnknown => (
                "transfer_coding_unknown",
                501,
                "http_request_error",
                "The request's body has a transfer coding that is not chunked",
                "Send the body as it is, with Content-Length or Transfer-Encoding: chunked alone.",
            ),
            Self::UpstreamUnreachable => (
                "upstream_unreachable",
                502,
                "destination_unavailable",
                "The upstream cannot be reached",
                "Check the host name, the port and the network from where the proxy runs.",
            ),
            Self::UpstreamProxy => (
                "upstream_proxy",
                502,
                "destination_unavailable",
                "The proxy on the way to the upstream did not connect",
                "Nothing was sent. Check via in [upstreams.NAME], and the network from here to that proxy.",
            ),
            Self::UpstreamTls => (
                "upstream_tls",
                502,
                "tls_certificate_error",
                "The upstream's TLS is not acceptable",
                "Check [upstreams.NAME] ca and server_name against the upstream's certificate.",
            ),
            Self::UpstreamUnprocessed => (
                "upstream_unprocessed",
                502,
                "connection_terminated",
                "The upstream did not process the request",
                "Nothing was carried out: send the request again. Where the proxy holds the body, it has done so once.",
            ),
            Self::UpstreamClosed => (
                "upstream_closed",
                502,
                "connection_terminated",
                "The upstream closed the connection without an answer",
                "The request may have been carried out: look before you send it again. The proxy does not repeat what may have been.",
            ),
            Self::UpstreamProtocol => (
                "upstream_protocol",
                502,
                "http_protocol_error",
                "The upstream's answer is not HTTP that can be passed on",
                "The request may have been carried out: look before you send it again. If every answer is like this, check the scheme and port of the upstream's url.",
            ),
            Self::ReplyUntrusted => (
                "reply_untrusted",
                502,
                "http_protocol_error",
                "The upstream's answer is not signed as it must be",
                "Check params.verify_with against the upstream's key. Nothing of the answer is shown: it may be anybody's.",
            ),
            Self::CredentialExpired => (
                "credential_expired",
                503,
                "proxy_configuration_error",
                "The token for the provider is past its time",
                "Renew the token in its [secrets] entry; with watch = true it is taken up without a reload. Nothing was sent.",
            ),
            Self::CredentialUnusable => (
                "credential_unusable",
                503,
                "proxy_configuration_error",
                "The secret for the provider cannot be used",
                "Put right what its [secrets] entry holds; with watch = true it is taken up without a reload. Nothing was sent.",
            ),
            Self::SignerUnavailable => (
                "signer_unavailable",
                503,
                "proxy_internal_error",
                "The key did not sign",
                "Look at the log line of this request id; nothing was sent.",
            ),
            Self::SignerBusy => (
                "signer_busy",
                503,
                "proxy_internal_error",
                "The key has more to sign than it can",
                "Send it again in a second; nothing was sent. If it happens often, send fewer requests at once, or use a smaller RSA key.",
            ),
            Self::TooManyTunnels => (
                "too_many_tunnels",
                503,
                "connection_limit_reached",
                "Every tunnel is taken",
                "Close a WebSocket or CONNECT tunnel, or raise limits.tunnels in proxy.toml.",
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
