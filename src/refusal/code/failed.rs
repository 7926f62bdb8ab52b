//! The rows of what the proxy or the upstream could not do: statuses 5xx.

use http::StatusCode;

use super::list::{Code, Facts, Headers, row};

const RETRY: Headers = &[("retry-after", "1")];
const RETRY_ELSEWHERE: Headers = &[("retry-after", "1"), ("connection", "close")];

pub(super) static ROWS: &[Facts] = &[
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
