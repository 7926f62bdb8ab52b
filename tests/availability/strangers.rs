//! Connections of those who may not send anything, or have not said that they may.

use std::io::Read as _;
use std::net::TcpStream;

use super::{PATIENT, asking, guarded, metric, silent};
use crate::support::client::Client;
use crate::support::config;
use crate::support::h2_client::{End, Http2, get as get_h2};
use crate::support::origin::{Origin, providers};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, Stage, get};
use crate::support::wait::eventually;

#[test]
fn silent_strangers_keep_no_client_waiting() {
    let (_origin, proxy) = guarded(&format!("{PATIENT}[limits]\nconnections = 4\n"));
    let mut strangers = silent(proxy.forward_url(), 80);
    strangers.extend(silent(proxy.gateway_url(), 80));
    for _ in 0..3 {
        let reply = Client::connect(proxy.forward_url()).exchange(asking("x", "app-t"));
        assert_eq!(reply.status, 200);
    }
    let host = proxy.gateway_url().trim_start_matches("http://");
    let request =
        format!("GET /metasv/x HTTP/1.1\r\nHost: {host}\r\nCountersign-Token: bot-t\r\n\r\n");
    assert_eq!(Client::connect(proxy.gateway_url()).exchange(request).status, 200);
}

#[test]
fn more_strangers_than_there_is_room_for_keep_no_client_waiting() {
    let (_origin, proxy) = guarded(&format!("{PATIENT}[limits]\nunauthenticated = 10000\n"));
    // More than there is room for, and than the kernel keeps for a listener.
    let strangers = silent(proxy.forward_url(), 700);
    let reply = Client::connect(proxy.forward_url()).exchange(asking("x", "app-t"));
    assert_eq!(reply.status, 200);
    assert!(metric(&proxy, MADE_ROOM) >= 700 - 512, "{}", metric(&proxy, MADE_ROOM));
    assert!(metric(&proxy, "countersign_connections") <= 512 + 2);
    drop(strangers);
}

#[test]
fn strangers_at_the_admin_listener_hide_no_probe() {
    let (_origin, proxy) = guarded(PATIENT);
    let host = proxy.admin_url().trim_start_matches("http://").to_owned();
    let probe = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let strangers = silent(proxy.admin_url(), 200);
    assert_eq!(proxy.probe("/healthz").status, 200);
    // Those who have asked, and stay.
    let idle: Vec<_> = (0..200)
        .map(|_| {
            let mut client = Client::connect(proxy.admin_url());
            assert_eq!(client.exchange(&probe).status, 200);
            client
        })
        .collect();
    assert_eq!(proxy.probe("/readyz").status, 200);
    drop((strangers, idle));
}

#[test]
fn the_oldest_goes_where_one_address_has_too_many() {
    let (_origin, proxy) = guarded(&format!("{PATIENT}[limits]\nunauthenticated = 2\n"));
    let address = proxy.forward_url().trim_start_matches("http://").to_owned();
    let mut first = TcpStream::connect(&address).expect("it listens");
    first.set_nonblocking(true).expect("a socket can be so");
    // One that showed its token is not among them, whatever it does now.
    let mut known = Client::connect(proxy.forward_url());
    assert_eq!(known.exchange(asking("x", "app-t")).status, 200);
    let mut others = Vec::new();
    eventually("the first is closed", || {
        others.extend(silent(proxy.forward_url(), 1));
        first.read(&mut [0]).is_ok_and(|read| read == 0)
    });
    // Of 64, as there are by default, it would not be the oldest yet.
    assert!(others.len() < 60, "{} came before", others.len());
    assert!(metric(&proxy, MADE_ROOM) >= 1);
    assert_eq!(known.exchange(asking("x", "app-t")).status, 200);
    let mut last = others.pop().expect("there are others");
    assert_eq!(last.exchange(asking("x", "bot-t")).status, 200, "the last one stays");
}

#[test]
fn an_address_that_may_not_connect_is_told_at_once_and_takes_no_place() {
    let origin = Origin::start(providers());
    let access =
        format!("[access]\nfrom = [\"127.0.0.2/32\"]\n[limits]\nconnections = 2\n{PATIENT}");
    let proxy = Proxy::start(&config::proxy(&[config::metasv(&origin.url(), None), access]));
    for url in [proxy.forward_url(), proxy.gateway_url()] {
        // It has said nothing.
        let mut stranger = Client::connect(url);
        let reply = stranger.reply();
        assert_eq!((reply.status, &reply.json()["code"]), (403, &"client_not_allowed".into()));
        stranger.finish();
        assert_eq!(stranger.await_end(), b"");
    }
    let crowd = silent(proxy.forward_url(), 80);
    let mut client = Client::connect_from("127.0.0.2", proxy.forward_url());
    assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 200);
    let admin = proxy.admin_url();
    let host = admin.trim_start_matches("http://");
    let probe = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
    eventually("all are counted", || {
        let metrics = Client::connect_from("127.0.0.2", admin).exchange(&probe);
        let text = String::from_utf8(metrics.body).expect("metrics are text");
        let has = |line: &str| text.lines().any(|one| one == line);
        assert!(has("countersign_limit_used{limit=\"unauthenticated\"} 0"), "{text}");
        has("countersign_turned_away_total{reason=\"client_not_allowed\"} 82")
    });
    drop(crowd);
}

#[test]
fn a_connection_on_which_nobody_showed_a_token_ends_with_its_refusal() {
    let (_origin, proxy) = guarded("");
    let (gateway, admin) = (proxy.gateway_url(), proxy.admin_url());
    let host = |url: &str| url.trim_start_matches("http://").to_owned();
    let (gateway_host, admin_host) = (host(gateway), host(admin));
    let table = [
        (proxy.forward_url(), get(&format!("{METASV}/x")), 407),
        (proxy.forward_url(), asking("x", "wrong"), 407),
        (proxy.forward_url(), CONNECT.to_owned(), 407),
        (gateway, format!("GET /metasv/x HTTP/1.1\r\nHost: {gateway_host}\r\n\r\n"), 407),
        (admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin_host}\r\n\r\n"), 401),
        (
            admin,
            format!("GET /healthz HTTP/1.1\r\nHost: {admin_host}\r\nOrigin: null\r\n\r\n"),
            403,
        ),
    ];
    for (url, request, status) in table {
        let mut client = Client::connect(url);
        let reply = client.exchange(&request);
        assert_eq!(
            (reply.status, reply.values("Connection")),
            (status, vec!["close"]),
            "{request}"
        );
        assert_eq!(client.await_end(), b"", "{request}");
    }
    let mut client = Http2::begin(Client::connect(gateway), &[]);
    assert_eq!(client.ask(1, &get_h2(gateway, "/metasv/x")).status(), Some(407));
    assert_eq!(client.end(3), End::Closed);
    // Who has shown one is known, whatever is asked for next.
    let mut client = Client::connect(proxy.forward_url());
    assert_eq!(client.exchange(asking("x", "app-t")).status, 200);
    assert_eq!(client.exchange(asking("x", "app-t").replace(METASV, "http://no.test")).status, 403);
    assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 407);
    assert_eq!(client.exchange(asking("x", "app-t")).status, 200);
    // Where no token is asked for, everybody who may connect is known.
    let stage = Stage::new("");
    let mut client = stage.client();
    for _ in 0..2 {
        assert_eq!(client.exchange(get("http://no.test/")).status, 403);
    }
}

const CONNECT: &str = "CONNECT apiv2.metasv.com:443 HTTP/1.1\r\nHost: h\r\n\r\n";
const MADE_ROOM: &str = "countersign_turned_away_total{reason=\"made_room\"}";
