//! The refusal codes: name, HTTP status, `Proxy-Status` error, title and remedy of each are a row.
//!
//! A code is a name in `code/list.rs` and a row at the same place of [`ROWS`], which the compiler
//! compares. `docs/refusals.md` is made of the rows.

mod list;

use http::StatusCode;
use list::Headers;
pub use list::{Code, Facts};

impl Code {
    /// Every code, by status.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        ROWS.iter().map(|row| row.code)
    }

    /// The stable name.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Its row.
    pub fn facts(self) -> &'static Facts {
        &ROWS[self as usize]
    }
}

const fn row(
    code: Code,
    name: &'static str,
    status: StatusCode,
    proxy_error: &'static str,
    title: &'static str,
    remedy: &'static str,
) -> Facts {
    Facts { code, name, status, proxy_error, title, remedy, headers: &[] }
}

impl Facts {
    const fn with(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }
}

const AUTHENTICATE: Headers = &[("proxy-authenticate", "Basic realm=\"countersign\"")];
const RETRY: Headers = &[("retry-after", "1")];
const RETRY_ELSEWHERE: Headers = &[("retry-after", "1"), ("connection", "close")];
/// RFC 9110, section 15.5.22; RFC 6455, section 4.4.
const UPGRADE: Headers = &[("upgrade", "websocket"), ("sec-websocket-version", "13")];

const _: () = {
    let mut at = 0;
    while at < ROWS.len() {
        assert!(ROWS[at].code as usize == at, "the rows are in the order of the codes");
        at += 1;
    }
};

static ROWS: &[Facts] = &[
    row(
        Code::BadTarget,
        "bad_target",
        StatusCode::BAD_REQUEST,
        "http_request_error",
        "The request target cannot be used here",
        "Send an absolute URL to the forward listener (as HTTP_PROXY clients do), or /<route>/path to the gateway.",
    ),
    row(
        Code::BadHost,
        "bad_host",
        StatusCode::BAD_REQUEST,
        "http_request_error",
        "The request does not say once and clearly which host it is for",
        "Send one Host header with a name or an address, and the port where it is not the usual one.",
    ),
    row(
        Code::NotHttp,
        "not_http",
        StatusCode::BAD_REQUEST,
        "http_protocol_error",
        "What came is not HTTP",
        "Send HTTP/1.1, plain: http:// before the proxy's address, whatever the request's own URL begins with.",
    ),
    row(
        Code::BodyIncomplete,
        "body_incomplete",
        StatusCode::BAD_REQUEST,
        "http_request_error",
        "The request body ended before its stated length",
        "Send the whole body; nothing was forwarded as if it were complete.",
    ),
    row(
        Code::ClientNotAllowed,
        "client_not_allowed",
        StatusCode::FORBIDDEN,
        "http_request_denied",
        "This address or this user may not use the proxy",
        "Add the address to access.from, or the user to access.users, in proxy.toml.",
    ),
    row(
        Code::CrossSite,
        "cross_site",
        StatusCode::FORBIDDEN,
        "http_request_denied",
        "A web page of another origin may not have requests signed",
        "If the page is yours, add its origin to access.origins in proxy.toml.",
    ),
    row(
        Code::HostNotRouted,
        "host_not_routed",
        StatusCode::FORBIDDEN,
        "http_request_denied",
        "No route names this host",
        "Add a [routes.NAME] with this host, or set access.unrouted = \"pass\" to let such requests through unsigned.",
    ),
    row(
        Code::PrivateAddress,
        "private_address",
        StatusCode::FORBIDDEN,
        "destination_ip_prohibited",
        "A host without a route leads to an address that is not public",
        "Nothing was sent. Give the host a route, or name its network in access.pass_private in proxy.toml, \"10.0.0.0/8\" say: docs/private-networks.md has those that need it.",
    ),
    row(
        Code::OutsideRoute,
        "outside_route",
        StatusCode::FORBIDDEN,
        "http_request_denied",
        "The routes of this host do not cover this path and method",
        "Widen path or methods of a route, or add a route for this path.",
    ),
    row(
        Code::InterceptionOff,
        "interception_off",
        StatusCode::FORBIDDEN,
        "http_request_denied",
        "Requests inside this CONNECT could not be signed",
        "Make a CA (countersign ca new) and name it in [intercept]; or write http:// instead of https:// in the program (the proxy speaks TLS to the provider); or use the gateway.",
    ),
    row(
        Code::RouteUnknown,
        "route_unknown",
        StatusCode::NOT_FOUND,
        "http_request_error",
        "The gateway has no route of this name",
        "Begin the path with the name of a route.",
    ),
    row(
        Code::AdminPathUnknown,
        "admin_path_unknown",
        StatusCode::NOT_FOUND,
        "http_request_error",
        "The admin listener has no such page",
        "Use one of those that docs/admin.md lists; the answer names them.",
    ),
    row(
        Code::MethodUnsignable,
        "method_unsignable",
        StatusCode::METHOD_NOT_ALLOWED,
        "http_request_denied",
        "This method cannot be signed",
        "Use a method that the provider defines a signature for.",
    ),
    row(
        Code::AdminMethodNotAllowed,
        "admin_method_not_allowed",
        StatusCode::METHOD_NOT_ALLOWED,
        "http_request_error",
        "The admin listener's page is not asked for with this method",
        "Use a method that the answer's Allow names.",
    ),
    row(
        Code::ClientUnauthenticated,
        "client_unauthenticated",
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        "http_request_denied",
        "A token is needed",
        "Send Proxy-Authorization (http://NAME:TOKEN@host:port as the proxy's URL), or Countersign-Token to the gateway.",
    )
    .with(AUTHENTICATE),
    row(
        Code::BodyTooSlow,
        "body_too_slow",
        StatusCode::REQUEST_TIMEOUT,
        "http_request_error",
        "The request body took too long",
        "Send it faster, or raise timeouts.request_body (a signed body) or timeouts.body_idle (a streamed one).",
    ),
    row(
        Code::BodyTooLarge,
        "body_too_large",
        StatusCode::PAYLOAD_TOO_LARGE,
        "http_request_denied",
        "The body is larger than a signed body may be",
        "Raise limits.signed_body in proxy.toml, or send less.",
    ),
    row(
        Code::BodyEncoded,
        "body_encoded",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "http_request_denied",
        "The body is compressed, and the provider's signature covers its text",
        "Send it without Content-Encoding.",
    ),
    row(
        Code::WrongAuthority,
        "wrong_authority",
        StatusCode::MISDIRECTED_REQUEST,
        "http_request_denied",
        "The request names another host than its connection is for",
        "Call the listener by its own address, or add the name to access.hosts in proxy.toml.",
    ),
    row(
        Code::BodyUnsignable,
        "body_unsignable",
        StatusCode::UNPROCESSABLE_ENTITY,
        "http_request_denied",
        "The body cannot be signed",
        "Send the body in the form the provider documents.",
    ),
    row(
        Code::QueryUnsignable,
        "query_unsignable",
        StatusCode::UNPROCESSABLE_ENTITY,
        "http_request_denied",
        "The query cannot be signed",
        "Write each name once, and percent-encode names and values as UTF-8.",
    ),
    row(
        Code::ValueUnsignable,
        "value_unsignable",
        StatusCode::UNPROCESSABLE_ENTITY,
        "http_request_denied",
        "The request cannot be signed",
        "Send the headers that the scheme's file reads, once each and in visible ASCII.",
    ),
    row(
        Code::PartUnbound,
        "part_unbound",
        StatusCode::UNPROCESSABLE_ENTITY,
        "http_request_denied",
        "The signature does not bind a part of the request",
        "Leave the part out, as the provider does not look at it or cannot tell who wrote it; or remove unbound = \"refuse\" from the route.",
    ),
    row(
        Code::NotAnUpgrade,
        "not_an_upgrade",
        StatusCode::UPGRADE_REQUIRED,
        "http_request_denied",
        "This route takes WebSocket handshakes only",
        "Send GET over HTTP/1.1 with Upgrade: websocket, Connection: Upgrade, Sec-WebSocket-Key and Sec-WebSocket-Version: 13.",
    )
    .with(UPGRADE),
    row(
        Code::TooManyFields,
        "too_many_fields",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "http_request_error",
        "The request has more header fields than are taken",
        "Send at most 256 fields in a head, those of one name as one field where its values are a list.",
    ),
    row(
        Code::Internal,
        "internal",
        StatusCode::INTERNAL_SERVER_ERROR,
        "proxy_internal_error",
        "The proxy broke one of its own rules",
        "This is a bug: please report it with the request id and the log line.",
    ),
    row(
        Code::SelfCheck,
        "self_check",
        StatusCode::INTERNAL_SERVER_ERROR,
        "proxy_internal_error",
        "What was about to leave is not what was signed",
        "Nothing was sent. This is a bug, or a key or a machine that computes wrongly: please report it with the request id and the log line.",
    ),
    row(
        Code::TransferCodingUnknown,
        "transfer_coding_unknown",
        StatusCode::NOT_IMPLEMENTED,
        "http_request_error",
        "The request's body has a transfer coding that is not chunked",
        "Send the body as it is, with Content-Length or Transfer-Encoding: chunked alone.",
    ),
    row(
        Code::UpstreamUnreachable,
        "upstream_unreachable",
        StatusCode::BAD_GATEWAY,
        "destination_unavailable",
        "The upstream cannot be reached",
        "Check the host name, the port and the network from where the proxy runs.",
    ),
    row(
        Code::UpstreamProxy,
        "upstream_proxy",
        StatusCode::BAD_GATEWAY,
        "destination_unavailable",
        "The proxy on the way to the upstream did not connect",
        "Nothing was sent. Check via in [upstreams.NAME], and the network from here to that proxy.",
    ),
    row(
        Code::UpstreamTls,
        "upstream_tls",
        StatusCode::BAD_GATEWAY,
        "tls_certificate_error",
        "The upstream's TLS is not acceptable",
        "Check [upstreams.NAME] ca and server_name against the upstream's certificate.",
    ),
    row(
        Code::UpstreamUntrusted,
        "upstream_untrusted",
        StatusCode::BAD_GATEWAY,
        "destination_unavailable",
        "The upstream's socket may be another user's",
        "Nothing was sent. Let the proxy's user or root own the socket and the directories above it, and nobody else write them; or name another user with socket_uid in [upstreams.NAME].",
    ),
    row(
        Code::UpstreamUnprocessed,
        "upstream_unprocessed",
        StatusCode::BAD_GATEWAY,
        "connection_terminated",
        "The upstream did not process the request",
        "Nothing was carried out: send the request again. Where the proxy holds the body, it has done so once.",
    ),
    row(
        Code::UpstreamClosed,
        "upstream_closed",
        StatusCode::BAD_GATEWAY,
        "connection_terminated",
        "The upstream closed the connection without an answer",
        "The request may have been carried out: look before you send it again. The proxy does not repeat what may have been.",
    ),
    row(
        Code::UpstreamProtocol,
        "upstream_protocol",
        StatusCode::BAD_GATEWAY,
        "http_protocol_error",
        "The upstream's answer is not HTTP that can be passed on",
        "The request may have been carried out: look before you send it again. If every answer is like this, check the scheme and port of the upstream's url.",
    ),
    row(
        Code::ReplyUntrusted,
        "reply_untrusted",
        StatusCode::BAD_GATEWAY,
        "http_protocol_error",
        "The upstream's answer is not signed as it must be",
        "Check params.verify_with against the upstream's key. Nothing of the answer is shown: it may be anybody's.",
    ),
    row(
        Code::CredentialExpired,
        "credential_expired",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_configuration_error",
        "The token for the provider is past its time",
        "Renew the token in its [secrets] entry; with watch = true it is taken up without a reload. Nothing was sent.",
    ),
    row(
        Code::CredentialUnusable,
        "credential_unusable",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_configuration_error",
        "The secret for the provider cannot be used",
        "Put right what its [secrets] entry holds; with watch = true it is taken up without a reload. Nothing was sent.",
    ),
    row(
        Code::SignerUnavailable,
        "signer_unavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_internal_error",
        "The key did not sign",
        "Look at the log line of this request id; nothing was sent.",
    )
    .with(RETRY),
    row(
        Code::SignerBusy,
        "signer_busy",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_internal_error",
        "There is more to sign than can be signed",
        "Send it again in a second; nothing was sent. If it happens often, send fewer requests at once, or shorter ones, or use a smaller RSA key.",
    )
    .with(RETRY),
    row(
        Code::NoncesUnavailable,
        "nonces_unavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_internal_error",
        "There is no nonce that is surely new",
        "See that the state directory (nonces.state) can be written; nothing was sent.",
    )
    .with(RETRY),
    row(
        Code::LogStalled,
        "log_stalled",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_internal_error",
        "Nobody reads the log, and what is signed must be in it",
        "Nothing was sent. Whatever reads the proxy's standard error has to go on reading, or its disk needs room; log.level = \"warn\" leaves requests out of the log.",
    )
    .with(RETRY),
    row(
        Code::AuditFailed,
        "audit_failed",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_internal_error",
        "The signature could not be written down, which audit.required asks for",
        "Nothing was sent. The log says what is wrong with the audit file; after it is mended, a reload may be needed.",
    )
    .with(RETRY),
    row(
        Code::TurnTimeout,
        "turn_timeout",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_internal_error",
        "Earlier requests of the key took too long",
        "Send it again; nothing was sent. Where the provider has a nonce window, set it and leave ordered out; timeouts.response_head limits the wait.",
    )
    .with(RETRY),
    row(
        Code::TooManyConnections,
        "too_many_connections",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_internal_response",
        "There is no place for another connection of this client",
        "Use connections again, or close some; limits.connections in proxy.toml is what there is for all, and timeouts.response_head how long one is waited for.",
    )
    .with(RETRY_ELSEWHERE),
    row(
        Code::TooManyTunnels,
        "too_many_tunnels",
        StatusCode::SERVICE_UNAVAILABLE,
        "connection_limit_reached",
        "Every tunnel is taken",
        "Close a WebSocket or CONNECT tunnel, or raise limits.tunnels in proxy.toml.",
    )
    .with(RETRY),
    row(
        Code::TooManyBodies,
        "too_many_bodies",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_internal_response",
        "There is no room for another body",
        "Send it again in a second, or fewer at once; nothing was sent. limits.held_bodies in proxy.toml is what there is for all.",
    )
    .with(RETRY),
    row(
        Code::OutOfDescriptors,
        "out_of_descriptors",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_internal_error",
        "The proxy has no file descriptor left",
        "Nothing was sent. Raise the hard limit that the proxy is started with (ulimit -Hn, LimitNOFILE= of systemd), or lower limits.connections and limits.tunnels.",
    )
    .with(RETRY),
    row(
        Code::Draining,
        "draining",
        StatusCode::SERVICE_UNAVAILABLE,
        "proxy_internal_response",
        "The proxy is stopping",
        "Send the request to another instance, or again when this one is back.",
    )
    .with(RETRY_ELSEWHERE),
    row(
        Code::SignerTimeout,
        "signer_timeout",
        StatusCode::GATEWAY_TIMEOUT,
        "proxy_internal_error",
        "The signature took too long",
        "Raise timeouts.sign, or look at the key's store; nothing was sent.",
    ),
    row(
        Code::UpstreamTimeout,
        "upstream_timeout",
        StatusCode::GATEWAY_TIMEOUT,
        "http_response_timeout",
        "The upstream did not answer in time",
        "The request may have been carried out: look before you send it again. timeouts.connect and timeouts.response_head set the limits.",
    ),
    row(
        Code::Loop,
        "loop",
        StatusCode::LOOP_DETECTED,
        "proxy_loop_detected",
        "The target is one of this proxy's own listeners",
        "Correct the route's host or the upstream's url.",
    ),
];
