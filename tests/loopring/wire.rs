//! Requests through the built program to a provider that verifies what each endpoint wants.

use std::sync::Arc;

use num_bigint::BigUint;

use crate::support::client::{Client, Reply, curl};
use crate::support::config;
use crate::support::origin::{Handler, Origin, verifying};
use crate::support::proxy::Proxy;
use crate::support::stage::post;
use crate::support::verify::babyjub;
use crate::support::verify::loopring::{ORDER, ORDER_36, TRANSFER_311, WITHDRAWAL_36, Wants};
use crate::support::verify::{Accepted, Arrived, Loopring};

#[test]
fn queries_and_bodies_are_signed_in_the_header() {
    let scene = Scene::new();
    for request in [
        get("http://api.loopring.io/api/v2/x?c=3&a=1&b=%E8%B7%AF+x"),
        get("http://api.loopring.io/api/v2/x"),
        post("http://api.loopring.io/api/v2/x?d=4", "{ \"y\" : 1.50,\n\"z\":[ 1e400, {} ] }"),
        "DELETE http://api.loopring.io/api/v2/orders?accountId=1 HTTP/1.1\r\nHost: h\r\n\r\n"
            .into(),
        get("http://v2.test/api/v2/orders/byHash?orderHash=111%2C222&accountId=12345"),
        post("http://v2.test/api/v2/apiKey", "{ \"accountId\": 1 }"),
        get("http://api3.loopring.io/api/v3/apiKey?accountId=10001"),
        post("http://api3.loopring.io/api/v3/apiKey", "{\"label\":\"x y\"}"),
        // The program's own signature gives way.
        "GET http://api.loopring.io/api/v2/x HTTP/1.1\r\nHost: h\r\nX-API-SIG: 1,2,3\r\n\
         x-api-key: mine\r\n\r\n"
            .into(),
    ] {
        let reply = scene.exchange(&request);
        assert_eq!(reply.status, 200, "{request}: {}", reply.json());
    }
    assert_eq!(scene.origin.arrived().len(), 9);
}

#[test]
fn what_cannot_be_read_in_one_way_is_refused_before_it_is_sent() {
    let scene = Scene::new();
    let many = format!("{{\"orders\":[{{}}{}]}}", ",{}".repeat(128));
    let twice = format!("{{\"orders\":[{ORDER_BODY}],\"orders\":[]}}");
    let again = ORDER_BODY.replacen('{', "{\"\\u0062uy\":\"true\",", 1);
    let nested = "{\"exchange\":\"0x1\",\"storageId\":1,\"accountId\":2,\
                  \"sellToken\":{\"tokenId\":1,\"tokenId\":2}}";
    for (request, code, words) in [
        (get("http://api.loopring.io/x?a=1&a=2"), "query_unsignable", "\"a\" more than once"),
        (get("http://api.loopring.io/x?a=%zz"), "query_unsignable", "percent sign"),
        (post("http://api.loopring.io/x", "a=1"), "body_unsignable", "is not JSON"),
        (post("http://api.loopring.io/x?a=1", "{\"a\":1}"), "query_unsignable", "so has the body"),
        (post(ORDER_URL, "{\"exchangeId\":2}"), "body_unsignable", "no field \"orderId\""),
        (
            post(ORDER_URL, &ORDER_BODY.replace("\"false\"", "false")),
            "body_unsignable",
            "allOrNone",
        ),
        (post(ORDER_URL, &ORDER_BODY.replace("1234", "1048576")), "body_unsignable", "20 bits"),
        (post(BATCH_URL, "{\"orders\":[]}"), "body_unsignable", "has 0 orders"),
        (post(BATCH_URL, &many), "body_unsignable", "has 129 orders"),
        (post(BATCH_URL, &twice), "body_unsignable", "\"orders\" more than once"),
        (post(ORDER_URL, &again), "body_unsignable", "\"buy\" more than once"),
        (post(ORDER_3_URL, nested), "body_unsignable", "\"sellToken\" that has the member"),
        (
            post(
                ORDER_3_URL,
                "{\"exchange\":\"0x1\",\"storageId\":1,\"accountId\":2,\"sellToken\":3}",
            ),
            "body_unsignable",
            "\"sellToken\" that is a number, not an object",
        ),
        (
            post(BATCH_URL, &format!("{{\"orders\":[{ORDER_BODY},{{}}]}}")),
            "body_unsignable",
            "exchangeId",
        ),
    ] {
        let reply = scene.exchange(&request);
        assert_eq!(reply.status, 422, "{request}");
        let problem = reply.json();
        assert_eq!(problem["code"], code, "{request}");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains(words), "{detail}");
    }
    assert!(scene.origin.arrived().is_empty());
}

#[test]
fn orders_of_programs_that_know_nothing_of_signatures_are_signed_in_place() {
    let scene = Scene::new();
    let reply = scene.exchange(&post(ORDER_URL, ORDER_BODY));
    assert_eq!(reply.status, 200, "{}", reply.json());
    let data = ["--json", ORDER_BODY, ORDER_URL];
    let output =
        curl(["--fail-with-body", "--proxy", scene.proxy.forward_url()].iter().chain(&data));
    assert!(output.status.success(), "{output:?}");
    let [raw, by_curl] = scene.origin.arrived().try_into().expect("two arrived");
    for arrived in [&raw, &by_curl] {
        let body = String::from_utf8(arrived.body.clone()).expect("JSON");
        let (before, after) = body.split_once(",\"hash\":").expect("it is signed");
        let added = after.rfind('"').expect("the last value is a string") + 1;
        assert_eq!(format!("{before}{}", &after[added..]), ORDER_BODY);
        // A provider that looks again, but at another order.
        for (field, other) in [("\"15000000\"", "\"15000001\""), ("\"false\"", "\"true\"")] {
            let mut changed = arrived.clone();
            changed.body = body.replacen(field, other, 1).into_bytes();
            let length = changed.body.len().to_string();
            let header = changed.headers.iter_mut();
            for (_, value) in header.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                value.clone_from(&length);
            }
            let why = endpoint(&changed, scene.key.clone()).check(&changed).expect_err(other);
            assert!(why.contains("not the hash of the fields"), "{why}");
        }
    }
}

#[test]
fn each_order_of_a_batch_and_each_kind_of_message_is_signed() {
    let scene = Scene::new();
    let second = ORDER_BODY.replace("\"orderId\": 5", "\"orderId\":6,\"hash\":\"\"");
    let batch = format!("{{ \"accountId\":1234, \"orders\" : [{ORDER_BODY} ,\n{second}] }}");
    let transfer = "{\"exchangeId\":2,\"sender\":1,\"receiver\":\"2\",\"tokenId\":0,\
                    \"amount\":20000000000000000000,\"feeTokenId\":1,\"amountFee\":0,\"label\":0,\
                    \"nonce\":7,\"hash\":\"old\"}";
    let order = "{\"exchange\":\"0x7489DE8c7C1Ee35101196ec650931D7bef9FdAD2\",\"accountId\":1,\
                 \"storageId\":0,\"sellToken\":{\"tokenId\":0,\"volume\":\"9\"},\"buyToken\":\
                 {\"volume\":\"1\",\"tokenId\":1},\"validUntil\":1700000000,\"maxFeeBips\":50,\
                 \"fillAmountBOrS\":false,\"taker\":\"0xfF\",\"eddsaSignature\":null}";
    let withdrawal = "{\"exchange\":\"0x1\",\"accountId\":5,\"token\":{\"tokenId\":0,\"volume\":1},\
                      \"maxFee\":{\"tokenId\":0,\"volume\":\"2\"},\"minGas\":300000,\"to\":\
                      \"0xc0ff3f78529ab90f765406f7234ce0f2b1ed69ee\",\"extraData\":\"0x00ff\",\
                      \"validUntil\":1,\"storageId\":5}";
    for (url, body) in [
        (BATCH_URL, batch.as_str()),
        ("http://api.loopring.io/api/v2/internalTransfer", transfer),
        ("http://api3.loopring.io/api/v3/order", order),
        ("http://api3.loopring.io/api/v3/user/withdrawals", withdrawal),
    ] {
        let reply = scene.exchange(&post(url, body));
        assert_eq!(reply.status, 200, "{url}: {}", reply.json());
    }
    let arrived = scene.origin.arrived();
    let signed = String::from_utf8_lossy(&arrived[0].body).into_owned();
    assert_eq!(
        (signed.matches("\"hash\"").count(), signed.matches("\"signatureS\"").count()),
        (2, 2)
    );
    assert!(!String::from_utf8_lossy(&arrived[1].body).contains("old"));
}

/// The provider's own client writes `extraData` without `0x`, its documents write it.
#[test]
fn a_withdrawals_extra_data_is_the_same_with_0x_and_without() {
    let scene = Scene::new();
    for extra in ["0x00ff", "00ff"] {
        let body = format!(
            "{{\"exchange\":\"0x1\",\"accountId\":5,\"token\":{{\"tokenId\":0,\"volume\":1}},\
             \"maxFee\":{{\"tokenId\":0,\"volume\":\"2\"}},\"minGas\":300000,\"to\":\
             \"0xc0ff3f78529ab90f765406f7234ce0f2b1ed69ee\",\"extraData\":\"{extra}\",\
             \"validUntil\":1,\"storageId\":5}}"
        );
        let reply = scene.exchange(&post("http://api3.loopring.io/api/v3/user/withdrawals", &body));
        assert_eq!(reply.status, 200, "{extra}: {}", reply.json());
    }
    // Both were verified at the origin; the text that was sent stays as it was written.
    let bodies = scene.origin.arrived().into_iter().map(|arrived| arrived.body);
    let bodies: Vec<String> =
        bodies.map(|body| String::from_utf8(body).expect("it is JSON")).collect();
    assert!(bodies[1].contains("\"extraData\":\"00ff\""), "{}", bodies[1]);
    assert_eq!(bodies[0].replace("\"0x00ff\"", "\"00ff\""), bodies[1]);
}

#[test]
fn an_endpoint_without_a_signature_gets_the_key_alone_or_nothing() {
    let scene = Scene::new();
    // An Ethereum signature of the program's own passes untouched.
    let request = "POST http://api.loopring.io/api/v2/transfer HTTP/1.1\r\nHost: h\r\n\
                   X-API-SIG: 0x02\r\nContent-Length: 5\r\n\r\nas is";
    let reply = scene.exchange(request);
    assert_eq!(reply.status, 200, "{}", reply.json());
    let [arrived] = scene.origin.arrived().try_into().expect("one arrived");
    assert_eq!(arrived.once("X-API-SIG"), Ok("0x02"));
    assert_eq!(arrived.once("X-API-KEY"), Ok(API_KEY));
    assert_eq!(arrived.body, b"as is");
    let reply = scene.exchange(&get("http://api.loopring.io/api/v2/apiKey?accountId=1"));
    assert_eq!(reply.status, 200, "{}", reply.json());
    assert!(scene.origin.arrived()[1].values("X-API-KEY").is_empty());
}

#[test]
fn what_the_public_host_would_not_take_is_in_the_log() {
    let scene = Scene::new();
    scene.proxy.await_output("routes.kv: params.canonical is \"kv_objects\", and api.loopring.io");
    scene.proxy.await_output("write canonical = \"v2\" in params");
}

/// A proxy with a route for each kind of endpoint, and the provider behind it.
struct Scene {
    origin: Origin,
    proxy: Proxy,
    key: babyjub::Point,
}

impl Scene {
    fn new() -> Self {
        let key = babyjub::public_key(&BigUint::from(123_456_u32));
        let origin = Origin::start(provider(key.clone()));
        let body = |path: &str, params: &str| {
            format!(
                "path = \"{path}\"\nmethods = [\"POST\"]\n{BOUND}\
                 params = {{ canonical = \"none\", {params} }}"
            )
        };
        let v2 =
            format!("{BOUND}params = {{ canonical = \"v2\", base = \"https://api.loopring.io\" }}");
        let routes = config::loopring(
            &origin.url(),
            &[
                ("kv", "api.loopring.io", BOUND),
                ("v2", "v2.test", &v2),
                ("v3", "api3.loopring.io", &format!("{BOUND}params = {{ canonical = \"v3\" }}")),
                ("order", "api.loopring.io", &body("/api/v2/order", "body = \"order\"")),
                ("batch", "api.loopring.io", &body("/api/v2/batchOrders", "body = \"order\"")),
                (
                    "internal",
                    "api.loopring.io",
                    &body("/api/v2/internalTransfer", "body = \"internal_transfer\""),
                ),
                (
                    "order3",
                    "api3.loopring.io",
                    &body("/api/v3/order", "body = \"order\", protocol = \"3.6\""),
                ),
                (
                    "withdrawal3",
                    "api3.loopring.io",
                    &body("/api/v3/user/withdrawals", "body = \"withdrawal\", protocol = \"3.6\""),
                ),
                (
                    "transfer",
                    "api.loopring.io",
                    "path = \"/api/v2/transfer\"\n\
              secrets = { api_key = \"loopring_api_key\" }\nparams = { canonical = \"none\" }",
                ),
                (
                    "api_key",
                    "api.loopring.io",
                    "path = \"/api/v2/apiKey\"\nmethods = [\"GET\"]\n\
              keys = { eddsa = \"loopring\" }",
                ),
            ],
        );
        let proxy = Proxy::start(&config::proxy(&[routes]));
        Self { origin, proxy, key }
    }

    fn exchange(&self, request: &str) -> Reply {
        Client::connect(self.proxy.forward_url()).exchange(request)
    }
}

fn provider(key: babyjub::Point) -> Handler {
    let key = Arc::new(key);
    verifying(move |request| {
        if request.path() == "/api/v2/transfer" {
            return Ok(Accepted { canonical: String::new() });
        }
        endpoint(request, key.as_ref().clone()).check(request)
    })
}

/// What the provider wants at a path of one of its hosts.
fn endpoint(request: &Arrived, key: babyjub::Point) -> Loopring {
    let host = request.values("Host").first().copied().unwrap_or_default().to_owned();
    let wants = match (host.as_str(), request.method.as_str(), request.path()) {
        (_, "POST", "/api/v2/order" | "/api/v2/batchOrders") => Wants::Body(ORDER),
        (_, "POST", "/api/v2/internalTransfer") => Wants::Body(TRANSFER_311),
        (_, "POST", "/api/v3/order") => Wants::Body(ORDER_36),
        (_, "POST", "/api/v3/user/withdrawals") => Wants::Body(WITHDRAWAL_36),
        ("v2.test", _, _) => Wants::V2("https://api.loopring.io"),
        ("api3.loopring.io", _, _) => Wants::V3("https://api3.loopring.io"),
        _ => Wants::Objects,
    };
    let fetches = (host.as_str(), request.method.as_str(), request.path())
        == ("api.loopring.io", "GET", "/api/v2/apiKey");
    Loopring { key, api_key: (!fetches).then_some(API_KEY), wants }
}

fn get(url: &str) -> String {
    crate::support::stage::get(url)
}

const BOUND: &str =
    "keys = { eddsa = \"loopring\" }\nsecrets = { api_key = \"loopring_api_key\" }\n";
const API_KEY: &str = "test-api-key";
const ORDER_URL: &str = "http://api.loopring.io/api/v2/order";
const ORDER_3_URL: &str = "http://api3.loopring.io/api/v3/order";
const BATCH_URL: &str = "http://api.loopring.io/api/v2/batchOrders";
/// As a person would write it.
const ORDER_BODY: &str = "{\n  \"exchangeId\": 2, \"orderId\": 5, \"accountId\": 1234,\n  \
     \"tokenSId\": 2, \"tokenBId\": 3, \"amountS\": 20000000000000000000, \"amountB\": \
     \"15000000\",\n  \"allOrNone\": \"false\", \"buy\": \"false\", \"validSince\": 1582094327,\n  \
     \"validUntil\": 1587278341, \"maxFeeBips\": 50, \"label\": 211,\n  \
     \"clientOrderId\": \"my \\u0031st\"\n}\n";
