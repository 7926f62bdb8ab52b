//! Settings that are seen to act: what a setting is for, looked at where it shows, in places where the
//! setting could be read, printed and forgotten.

pub(crate) mod deadlines;
mod seen;
mod settings;

use std::io::Read as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::support::authority::{Authority, serve};
use crate::support::client::Client;
use crate::support::config::{self, PASS};
use crate::support::home::Home;
use crate::support::origin::{Origin, metasv, providers};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, SINOHOPE, Stage, get, post};
use crate::support::wait::{DEADLINE, accepted, eventually};

/// The place that a nonce was made of, by the permutation's rounds taken back one after another.
fn place(key: &[u8], nonce: u64) -> u64 {
    const HALF: u64 = 100_000;
    let (mut left, mut right) = (nonce / HALF, nonce % HALF);
    for number in [3_u8, 2, 1, 0] {
        let mut text = vec![number];
        text.extend(key);
        text.extend(left.to_be_bytes());
        let digest = Sha256::digest(&text);
        let mixed = u64::from_be_bytes(digest[..8].try_into().expect("it is longer")) % HALF;
        (left, right) = ((right + HALF - mixed) % HALF, left);
    }
    left * HALF + right
}

#[test]
fn a_replica_takes_its_nonces_from_its_share_of_each_millisecond() {
    for (replica, share) in [("1/1", 0..10_000), ("1/4", 0..2_500), ("4/4", 7_500..10_000)] {
        let stage = Stage::new(&format!("[nonces]\nreplica = \"{replica}\"\n"));
        let mut client = stage.client();
        for _ in 0..30 {
            assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 200);
        }
        let arrived = stage.origin.arrived();
        for request in &arrived {
            let shown = request.once("MetaSV-Client-Pubkey").expect("it is signed");
            let bytes = base16ct::lower::decode_vec(shown).expect("it is hex");
            let nonce = request.once("MetaSV-Nonce").expect("it is signed");
            let place = place(&bytes, nonce.parse().expect("ten digits"));
            let time = request.once("MetaSV-Timestamp").expect("it is signed");
            let time: u64 = time.parse().expect("milliseconds");
            // Which says that the places were found: they go with the clock.
            assert!((time % 1_000_000).abs_diff(place / 10_000) < 30_000, "{place} at {time}");
            assert!(share.contains(&(place % 10_000)), "{replica}: {place}");
        }
        assert_eq!(arrived.len(), 30);
    }
}

#[test]
fn an_unused_upstream_connection_is_closed_in_time() {
    let stage = Stage::new("[timeouts]\npool_idle = \"300ms\"\n");
    let mut client = stage.client();
    assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 200);
    assert_eq!(stage.origin.connections(), 1);
    eventually("the unused one is closed", || stage.origin.open() == 0);
    assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 200);
    assert_eq!(stage.origin.connections(), 2);
}

#[test]
fn a_tunnel_in_which_one_side_speaks_is_not_silent() {
    let stage = Stage::new(&format!("{PASS}[timeouts]\ntunnel_idle = \"500ms\"\n"));
    for from_client in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let place = listener.local_addr().expect("it is bound");
        let mut client = Client::tunnel(stage.proxy.forward_url(), &place.to_string());
        let mut server = accepted(&listener);
        let pace = Some(Duration::from_millis(100));
        server.set_read_timeout(pace).expect("it can be set");
        let begun = Instant::now();
        // Longer than twice the limit, with less than the limit between two bytes.
        while begun.elapsed() < Duration::from_millis(1200) {
            if from_client {
                client.send("x");
                // The second read has nothing to find, and takes the pace's time.
                let mut byte = [0; 1];
                server.set_read_timeout(Some(DEADLINE)).expect("it can be set");
                server.read_exact(&mut byte).expect("the tunnel is open");
                server.set_read_timeout(pace).expect("it can be set");
                server.read_exact(&mut byte).expect_err("nothing else was sent");
            } else {
                std::io::Write::write_all(&mut server, b"x").expect("the tunnel is open");
                assert_eq!(client.take(1), b"x", "{:?}", begun.elapsed());
                server.read_exact(&mut [0; 1]).map_err(|why| why.kind()).map_or_else(
                    |kind| assert_eq!(kind, std::io::ErrorKind::WouldBlock),
                    |()| panic!("nothing was sent"),
                );
            }
        }
    }
}

#[test]
fn a_host_of_a_wildcard_is_sent_without_the_usual_port() {
    let origin = Origin::start(providers());
    let tables = config::metasv(&origin.url(), None).replace("apiv2.metasv.com", "*.metasv.com");
    let proxy = Proxy::start(&config::proxy(&[tables]));
    for target in
        ["http://a.metasv.com:80/x", "http://a.metasv.com/x", "https://a.metasv.com:443/x"]
    {
        let reply = Client::connect(proxy.forward_url()).exchange(get(target));
        assert_eq!(reply.status, 200, "{target}: {reply:?}");
        let arrived = origin.arrived().pop().expect("it arrived");
        assert_eq!(arrived.values("Host"), ["a.metasv.com"], "{target}");
    }
    assert_eq!(origin.begun(), 3);
}

#[test]
fn an_address_is_allowed_as_a_number_and_not_as_a_text() {
    let origin = Origin::start(providers());
    let access = "[access]\nfrom = [\"127.0.0.1\"]\n".to_owned();
    let proxy = Proxy::start(&config::proxy(&[config::metasv(&origin.url(), None), access]));
    for (address, status) in [("127.0.0.1", 200), ("127.0.0.11", 403), ("127.0.0.12", 403)] {
        let mut client = Client::connect_from(address, proxy.forward_url());
        assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, status, "{address}");
    }
    assert_eq!(origin.begun(), 1);
}

#[test]
fn the_time_that_is_signed_is_that_of_the_whole_request() {
    let stage = Stage::new("");
    let mut slow = stage.client();
    let whole = post(&format!("{SINOHOPE}/x"), "{\"a\":1}");
    let (first, last) = whole.split_at(whole.len() - 1);
    slow.send(first);
    stage.proxy.await_read(&slow);
    // Other requests go by, until the clock has moved by what cannot be taken for rounding.
    let (begun, mut other) = (Instant::now(), stage.client());
    while begun.elapsed() < Duration::from_millis(50) {
        assert_eq!(other.exchange(get(&format!("{METASV}/x"))).status, 200);
    }
    let before = countersign::moment::unix_ms();
    slow.send(last);
    assert_eq!(slow.reply().status, 200);
    let arrived = stage.origin.arrived();
    let signed = arrived.iter().find(|request| request.method == "POST").expect("it arrived");
    let time: u64 =
        signed.once("BIZ-API-NONCE").expect("it is signed").parse().expect("milliseconds");
    assert!(time >= before, "{time} is before {before}");
}

#[test]
fn an_unrouted_https_target_is_passed_on_over_tls() {
    let stage = Stage::new(&format!("{PASS}[timeouts]\nconnect = \"1s\"\n"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let place = listener.local_addr().expect("it is bound");
    let mut client = stage.client();
    client.send(get(&format!("https://{place}/x")));
    let mut server = accepted(&listener);
    let mut hello = [0; 2];
    server.read_exact(&mut hello).expect("it says something");
    assert_eq!(hello, [22, 3], "a record of a TLS handshake");
}

#[test]
fn a_reload_with_another_authority_takes_up_no_connection_of_the_former() {
    let (trusted, other) = (Authority::new(), Authority::new());
    let name = &["apiv2.metasv.com"];
    let tls = serve(trusted.issue(name, |_| ()), &["http/1.1"], None);
    let origin = Origin::start_tls_with(tls, &trusted.pem(), metasv("test-a"));
    let lines = "ca = \"upstream-ca.pem\"\nserver_name = \"apiv2.metasv.com\"\n".to_owned();
    let tables = [config::metasv(&origin.url(), None), lines, config::ONE_POOL.to_owned()];
    let written = config::proxy(&tables);
    let home = Home::new(&written);
    home.write("upstream-ca.pem", &trusted.pem());
    let proxy = Proxy::start_in(home.clone(), &[]);
    let ask = || Client::connect(proxy.forward_url()).exchange(get(&format!("{METASV}/x")));
    assert_eq!((ask().status, ask().status, origin.connections()), (200, 200, 1));
    // The same file name with another authority in it.
    home.write("upstream-ca.pem", &other.pem());
    proxy.reload(&written, true);
    let reply = ask();
    assert_eq!((reply.status, &reply.json()["code"]), (502, &"upstream_tls".into()));
}
