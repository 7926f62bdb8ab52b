//! Parts of requests that a provider's dialect does not sign: sent as they are and told once, or
//! refused where a route says so. Each row is seen to go through with the default.

use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, echo};
use crate::support::proxy::{Proxy, countersign};
use crate::support::wait::eventually;

const METASV: &str = "http://apiv2.metasv.com/block/1";
const SINOHOPE: &str = "http://api.sinohope.com/v1/test";
const LOOPRING: &str = "http://api.loopring.io/api/v2/x";
const ORDERS: &str = "http://order.loopring.test/api/v2/order";
const OKX: &str = "http://www.okx.com/api/v5/order";

const ORDER: &str = r#"{"exchangeId":2,"orderId":5,"accountId":1234,"tokenSId":2,"tokenBId":3,"amountS":"5000000000000000000","amountB":"15000000","allOrNone":"false","buy":"false","validSince":1582094327,"validUntil":1587278341,"maxFeeBips":50,"label":211}"#;

/// Method, URL and what follows it, body, and what is said of the part that is not bound.
const REQUESTS: &[(&str, &str, &str, &str, Option<&str>)] = &[
    ("GET", METASV, "", "", None),
    ("GET", METASV, "?a=1", "", Some("field 1 of its query")),
    ("GET", METASV, "", "{}", Some("its body")),
    ("POST", METASV, "", "", Some("its method, which is not GET")),
    ("GET", SINOHOPE, "?a=1&b=2", "", None),
    ("GET", SINOHOPE, "?a=1&b=2&a=3", "", Some("field 3 of its query")),
    ("GET", SINOHOPE, "?a=1", "{}", Some("its body")),
    ("POST", SINOHOPE, "", "{\"a\": \"x\",\n\"b\":[1,{\"c\":null}]}", None),
    ("POST", SINOHOPE, "?a=1", "{\"a\":1}", Some("field 1 of its query")),
    ("POST", SINOHOPE, "", "{\"b\":1,\"a\":{\"c\":[\"x y\"]}}", Some("a.c[0] in its body")),
    ("GET", LOOPRING, "?a=1", "", None),
    ("POST", LOOPRING, "", "{\"a\":1}", None),
    ("POST", LOOPRING, "?a=1", "{\"a\":1}", Some("field 1 of its query")),
    ("POST", ORDERS, "", ORDER, Some("its method")),
    ("POST", OKX, "?a=1&a=2", "{\"a\": 1}", None),
    ("GET", OKX, "?a=1", "", None),
];

fn start(origin: &Origin, unbound: &str) -> Proxy {
    let signing = |scheme: &str, host: &str, keys: &str, more: &str| {
        format!(
            "[routes.{}]\nhost = \"{host}\"\nscheme = \"{scheme}\"\nkeys = {keys}\n{more}\
             upstream = \"origin\"\n{unbound}",
            host.replace('.', "_")
        )
    };
    let tables = [
        "[keys.k256]\nstore = \"files\"\nentry = \"metasv.hex\"\nalgorithm = \"ecdsa_secp256k1\"\n\
         [keys.p256]\nstore = \"files\"\nentry = \"sinohope.pem\"\n\
         [keys.babyjub]\nstore = \"files\"\nentry = \"loopring.txt\"\nalgorithm = \"eddsa_babyjub\"\n\
         [keys.hmac]\nstore = \"files\"\nentry = \"okx\"\nalgorithm = \"hmac_sha256\"\n\
         [secrets.plain]\nstore = \"files\"\nentry = \"okx\"\n"
            .to_owned(),
        format!("[upstreams.origin]\nurl = \"{}\"\n", origin.url()),
        signing("metasv", "apiv2.metasv.com", "{ signer = \"k256\" }", ""),
        signing("sinohope", "api.sinohope.com", "{ signer = \"p256\" }", ""),
        signing(
            "loopring",
            "api.loopring.io",
            "{ eddsa = \"babyjub\" }",
            "params = { canonical = \"v2\" }\n",
        ),
        signing(
            "loopring",
            "order.loopring.test",
            "{ eddsa = \"babyjub\" }",
            "params = { canonical = \"none\", body = \"order\" }\n",
        ),
        signing(
            "okx",
            "www.okx.com",
            "{ signer = \"hmac\" }",
            "secrets = { api_key = \"plain\", passphrase = \"plain\" }\n",
        ),
    ];
    let home = Home::new(&config::listening("forward = \"127.0.0.1:0\"\n", &tables));
    home.write("keys/okx", "s3cretS3cret");
    Proxy::start_in(home, &[])
}

fn send(proxy: &Proxy, (method, url, query): (&str, &str, &str), body: &str) -> (u16, String) {
    let length = match body.len() {
        0 if method == "GET" => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    let request = format!("{method} {url}{query} HTTP/1.1\r\nHost: x\r\n{length}\r\n{body}");
    let reply = Client::connect(proxy.forward_url()).exchange(request);
    (reply.status, String::from_utf8_lossy(&reply.body).into_owned())
}

#[test]
fn parts_that_are_not_bound_are_refused_where_a_route_says_so() {
    let origin = Origin::start(echo());
    let (passing, refusing) = (start(&origin, ""), start(&origin, "unbound = \"refuse\"\n"));
    for (method, url, query, body, part) in REQUESTS {
        let asked = (*method, *url, *query);
        let (status, text) = send(&passing, asked, body);
        assert_eq!(status, 200, "{asked:?} {body}: {text}");
        let before = origin.arrived().len();
        let (status, text) = send(&refusing, asked, body);
        assert_eq!(status, if part.is_some() { 422 } else { 200 }, "{asked:?} {body}: {text}");
        assert_eq!(origin.arrived().len() - before, usize::from(part.is_none()), "{asked:?}");
        if let Some(part) = part {
            let said = text.contains("\"part_unbound\"") && text.contains(part);
            assert!(said, "{asked:?} {body}: {part}: {text}");
        }
    }
}

#[test]
fn a_route_says_once_what_its_signatures_do_not_bind() {
    let origin = Origin::start(echo());
    let proxy = start(&origin, "");
    for _ in 0..3 {
        assert_eq!(send(&proxy, ("GET", METASV, "?a=1"), "").0, 200);
        assert_eq!(send(&proxy, ("GET", SINOHOPE, ""), "").0, 200);
    }
    let lines = |text: &str, word: &str| text.matches(word).count();
    eventually("both are told", || lines(&proxy.output(), "do not bind") == 2);
    let output = proxy.output();
    let sinohope = "GET: method, host, query in part, body, nonce; POST: method, host, query, body \
                    in part, nonce";
    for said in ["method, host, query, body", sinohope] {
        assert_eq!(lines(&output, &format!("\"{said}\"")), 1, "{said}: {output}");
    }
}

#[test]
fn a_route_that_signs_nothing_has_nothing_to_refuse_by() {
    let route = "[secrets.token]\nstore = \"files\"\nentry = \"loopring.api_key\"\n\
                 [routes.token]\nhost = \"apiv2.metasv.com\"\nscheme = \"metasv\"\n\
                 secrets = { token = \"token\" }\nunbound = \"refuse\"\n";
    let home = Home::new(&config::proxy(&[route.to_owned()]));
    let file = home.path("proxy.toml");
    let output = countersign(&["check", "--config", &file.display().to_string()]);
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("unbound is \"refuse\", and the route signs nothing"), "{said}");
}
