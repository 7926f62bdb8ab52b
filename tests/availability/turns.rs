//! Slow keys and long requests take turns with all others: what is theirs to wait for is not the
//! others'.

use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, echo};
use crate::support::proxy::Proxy;
use crate::support::stage::{get, post};

/// Made for this test. A signature takes it tens of milliseconds.
const SLOW: &str = include_str!("slow.pem");

/// What is slow here is not late.
const PATIENT: &str = "[timeouts]\nsign = \"60s\"\n";

const ROUTES: &str = r#"
[secrets.api_key]
store = "files"
entry = "loopring.api_key"

[keys.slow]
store = "files"
entry = "slow.pem"

[keys.quick]
store = "files"
entry = "cobo-server.pem"

[routes.slow]
host = "slow.test"
scheme = "binance_rsa"
keys = { signer = "slow" }
secrets = { api_key = "api_key" }
upstream = "origin"

[routes.quick]
host = "quick.test"
scheme = "binance_rsa"
keys = { signer = "quick" }
secrets = { api_key = "api_key" }
upstream = "origin"

[upstreams.origin]
"#;

/// More than the slow key has places for.
const CROWD: usize = 60;

/// In one line, a quick key's signatures would be made when all the others are.
#[test]
fn a_crowd_before_a_slow_key_keeps_no_other_key_waiting() {
    let origin = Origin::start(echo());
    let tables = format!("{ROUTES}url = \"{}\"\n", origin.url());
    let home = Home::new(&config::proxy(&[PATIENT.to_owned(), tables]));
    home.write("keys/slow.pem", SLOW);
    let proxy = Proxy::start_in(home, &[]);
    let ask = |host: &str| {
        let mut client = Client::connect(proxy.forward_url());
        client.send(get(&format!("http://{host}/api/v3/account?recvWindow=9")));
        client
    };
    let crowd: Vec<_> = (0..CROWD).map(|_| ask("slow.test")).collect();
    origin.await_arrived(1);
    for _ in 0..3 {
        let reply = ask("quick.test").reply();
        assert_eq!(reply.status, 200, "{}", reply.json());
    }
    let replies: Vec<_> = crowd.into_iter().map(|mut client| client.reply()).collect();

    let arrived = origin.arrived();
    let host = |at: usize| arrived[at].once("host").expect("it has one").to_owned();
    let last = (0..arrived.len()).rfind(|at| host(*at) == "quick.test").expect("they arrived");
    // As many as there are threads could be under way at the end of one line.
    let behind = arrived.len() - 1 - last;
    assert!(behind > 4, "{behind} of the slow key's {} came after", arrived.len() - 3);

    // Who finds no place is told so at once, and nobody else is refused.
    let busy = replies.iter().filter(|reply| reply.status == 503);
    for reply in busy.clone() {
        assert_eq!(reply.json()["code"], "signer_busy");
        assert_eq!(reply.values("Retry-After"), ["1"]);
    }
    let signed = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!((signed, signed + busy.clone().count()), (arrived.len() - 3, CROWD));
    assert!(busy.count() > 0, "all {CROWD} found a place");
}

/// With one worker, a request is served while orders are hashed only if that is done elsewhere.
#[test]
fn requests_are_served_while_a_batch_of_orders_is_hashed() {
    let origin = Origin::start(echo());
    let lines = "keys = { eddsa = \"loopring\" }\nsecrets = { api_key = \"loopring_api_key\" }\n\
                 params = { canonical = \"none\", body = \"order\" }\n";
    let routes = [("batch", "api.loopring.io", lines)];
    let tables = [PATIENT.to_owned(), config::loopring(&origin.url(), &routes)];
    let home = Home::new(&config::proxy(&tables));
    let proxy = Proxy::start_in(home, &[("TOKIO_WORKER_THREADS", "1")]);
    let batch = format!("{{\"orders\":[{}]}}", [ORDER; 128].join(","));
    assert!(batch.len() < 32 * 1024, "not much by its bytes");
    let request = post("http://api.loopring.io/api/v2/batchOrders", &batch);
    let (most, end) = request.split_at(request.len() - 1);
    let mut batches: Vec<_> = (0..8).map(|_| Client::connect(proxy.forward_url())).collect();
    batches.iter_mut().for_each(|client| client.send(most));
    let host = proxy.admin_url().trim_start_matches("http://").to_owned();
    let probe = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut other = Client::connect(proxy.admin_url());
    assert_eq!(other.exchange(&probe).status, 200);
    batches.iter_mut().for_each(|client| client.send(end));
    for _ in 0..20 {
        assert_eq!(other.exchange(&probe).status, 200);
    }
    let before = origin.arrived().len();
    assert!(before < batches.len(), "all were signed before the other requests were served");
    for client in &mut batches {
        let reply = client.reply();
        assert_eq!(reply.status, 200, "{}", reply.json());
    }
    assert_eq!(origin.arrived().len(), batches.len());
}

const ORDER: &str = r#"{"exchangeId":2,"orderId":5,"accountId":1234,"tokenSId":2,"tokenBId":3,"amountS":"5000000000000000000","amountB":"15000000","allOrNone":"false","buy":"false","validSince":1582094327,"validUntil":1587278341,"maxFeeBips":50,"label":211}"#;
