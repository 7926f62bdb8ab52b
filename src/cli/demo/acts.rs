//! What is played: each request, the way it takes, and whether the provider should accept it.

use http::Method;

/// One request and what should come of it.
pub(super) struct Act {
    pub(super) title: &'static str,
    pub(super) way: Way,
    pub(super) method: Method,
    /// The provider's path and query.
    pub(super) path: &'static str,
    pub(super) body: &'static str,
    pub(super) accepted: bool,
}

/// How a request reaches the provider.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// `HTTP_PROXY`, with the host of this route.
    Forward(&'static str),
    /// `HTTPS_PROXY`: TLS inside CONNECT, for the host of this route.
    Tls(&'static str),
    /// `/<route>/…`.
    Gateway(&'static str),
    /// The same with a WebSocket; the body is the message.
    Socket(&'static str),
    /// `/<route>/…` of the proxy that plays a node, which asks the other.
    Node(&'static str),
    /// Straight to the stand-in, with nobody signing.
    Around(&'static str),
}

pub(super) const QUERY: &str = "/v1/test?value=2&key=1";
const BODY: &str = "{\n  \"vaultId\": \"1\",\n  \"walletName\": \"my first wallet\"\n}";
const BLOCK: &str = "/block/000000000000000007dded8e2a733c654a006520409cdb0d6cdf642a1328c330";

const CANCEL: &str = "/api/v2/orders?orderHash=111%2C222&accountId=1234";
const ORDER: &str = r#"{
  "exchangeId": 2, "orderId": 5, "accountId": 1234, "tokenSId": 2, "tokenBId": 3,
  "amountS": "5000000000000000000", "amountB": "15000000", "allOrNone": "false", "buy": "false",
  "validSince": 1582094327, "validUntil": 1587278341, "maxFeeBips": 50, "label": 211
}"#;

const KEYGEN: &str = r#"{"request_id":"demo-1","request_type":1,"request_detail":"{}"}"#;

pub(super) const ACTS: &[Act] = &[
    act("Sinohope GET, through HTTP_PROXY", Way::Forward("sinohope"), Method::GET, QUERY, "", true),
    act(
        "Sinohope POST, through HTTP_PROXY",
        Way::Forward("sinohope"),
        Method::POST,
        "/v1/test",
        BODY,
        true,
    ),
    act(
        "Sinohope POST, through the gateway",
        Way::Gateway("sinohope"),
        Method::POST,
        "/v1/test",
        BODY,
        true,
    ),
    act(
        "Sinohope POST over HTTPS, through HTTPS_PROXY",
        Way::Tls("sinohope"),
        Method::POST,
        "/v1/test",
        BODY,
        true,
    ),
    act(
        "MetaSV client signature, through HTTP_PROXY",
        Way::Forward("metasv"),
        Method::GET,
        BLOCK,
        "",
        true,
    ),
    act(
        "MetaSV client signature, through the gateway",
        Way::Gateway("metasv"),
        Method::GET,
        BLOCK,
        "",
        true,
    ),
    act(
        "MetaSV bearer token, through the gateway",
        Way::Gateway("metasv_token"),
        Method::GET,
        "/xpubs",
        "",
        true,
    ),
    act(
        "Loopring query, signed in the header, through HTTP_PROXY",
        Way::Forward("loopring"),
        Method::DELETE,
        CANCEL,
        "",
        true,
    ),
    act(
        "Loopring order, signed in its body, through HTTP_PROXY",
        Way::Forward("loopring_order"),
        Method::POST,
        "/api/v2/order",
        ORDER,
        true,
    ),
    act(
        "Infras WebSocket, through the gateway",
        Way::Socket("infras"),
        Method::GET,
        "/mpc/sign",
        "the first round",
        true,
    ),
    act(
        "Infras WebSocket with a token of yesterday: the provider is not asked",
        Way::Socket("infras_expired"),
        Method::GET,
        "/mpc/sign",
        "the first round",
        false,
    ),
    act(
        "Cobo callback: a node asks, a plain service approves, both sealed",
        Way::Node("node"),
        Method::POST,
        "/v1/check",
        KEYGEN,
        true,
    ),
    act(
        "Cobo callback changed on the way by one character: the service is not asked",
        Way::Node("tampered"),
        Method::POST,
        "/v1/check",
        KEYGEN,
        false,
    ),
    act(
        "Sinohope, past the proxy: nobody signs",
        Way::Around("sinohope"),
        Method::GET,
        QUERY,
        "",
        false,
    ),
    act(
        "MetaSV, past the proxy: nobody signs",
        Way::Around("metasv"),
        Method::GET,
        BLOCK,
        "",
        false,
    ),
    act(
        "Loopring order, past the proxy: nobody signs",
        Way::Around("loopring_order"),
        Method::POST,
        "/api/v2/order",
        ORDER,
        false,
    ),
];

const fn act(
    title: &'static str,
    way: Way,
    method: Method,
    path: &'static str,
    body: &'static str,
    accepted: bool,
) -> Act {
    Act { title, way, method, path, body, accepted }
}
