//! Names with several addresses, of which one is dead: it costs a moment and not the request.

use std::net::SocketAddr;

use super::{ask, metasv, refusal};
use crate::support::client::Client;
use crate::support::config::PASS;
use crate::support::forwarder::{Conduct, Forwarder};
use crate::support::home::Home;
use crate::support::names::{Dead, knowing};
use crate::support::origin::{self, Origin};

/// The route to `http://two.test` on the port of the dead address, without connections that are
/// kept.
fn two(dead: &Dead, lines: &str) -> String {
    let url = format!("http://two.test:{}", dead.address().port());
    metasv(&url, &format!("allow_plaintext = true\nidle_connections = 0\n{lines}{SOON}"))
}

/// Less than the system takes until it asks a dead address a second time.
const SOON: &str = "[timeouts]\nconnect = \"900ms\"\n";

#[test]
fn a_dead_address_is_passed_over_and_the_one_that_answered_is_remembered() {
    let mut dead = Dead::new();
    let origin = Origin::start_at(dead.neighbour(), origin::metasv("test-a"));
    let proxy = knowing(Home::new(&two(&dead, "")), &[dead.address(), dead.neighbour()], &[]);
    assert_eq!(ask(&proxy, "/x").status, 200);
    dead.revive();
    assert_eq!(ask(&proxy, "/y").status, 200);
    assert_eq!((origin.arrived().len(), origin.connections()), (2, 2));
    assert_eq!(dead.callers(), 0, "the address that answered is tried first");
}

#[test]
fn an_address_that_is_not_needed_is_not_asked() {
    let mut dead = Dead::new();
    dead.revive();
    let _origin = Origin::start_at(dead.neighbour(), origin::metasv("test-a"));
    let proxy = knowing(Home::new(&two(&dead, "")), &[dead.neighbour(), dead.address()], &[]);
    assert_eq!(ask(&proxy, "/x").status, 200);
    assert_eq!(dead.callers(), 0);
}

#[test]
fn a_dead_address_of_a_proxy_on_the_way_is_passed_over() {
    let dead = Dead::new();
    let origin = Origin::start(origin::metasv("test-a"));
    let place: SocketAddr = origin.url()["http://".len()..].parse().expect("an address");
    let forwarder = Forwarder::start_at(dead.neighbour(), Conduct::Connect(place));
    let via = format!("via = \"http://two.test:{}\"\n", dead.address().port());
    let config = metasv("http://internal.test", &format!("allow_plaintext = true\n{via}{SOON}"));
    let proxy = knowing(Home::new(&config), &[dead.address(), dead.neighbour()], &[]);
    assert_eq!(ask(&proxy, "/x").status, 200);
    assert_eq!(forwarder.asked().len(), 1);
}

#[test]
fn a_dead_address_at_the_end_of_a_blind_tunnel_is_passed_over() {
    let dead = Dead::new();
    let origin = Origin::start_at(dead.neighbour(), origin::echo());
    let config = metasv("http://127.0.0.1:1", &format!("{PASS}{SOON}"));
    let proxy = knowing(Home::new(&config), &[dead.address(), dead.neighbour()], &[]);
    let place = format!("two.test:{}", dead.address().port());
    let mut client = Client::tunnel(proxy.forward_url(), &place);
    let reply = client.exchange(format!("GET / HTTP/1.1\r\nHost: {place}\r\n\r\n"));
    assert_eq!((reply.status, origin.arrived().len()), (200, 1));
}

#[test]
fn any_address_that_is_this_proxy_is_a_loop() {
    let dead = Dead::new();
    // The route names the port of a listener that is known when there is one.
    let listening = format!("forward = \"{}\"\n", dead.neighbour());
    let config = two(&dead, "").replace("forward = \"127.0.0.1:0\"\n", &listening);
    let proxy = knowing(Home::new(&config), &[dead.address(), dead.neighbour()], &[]);
    assert_eq!(refusal(&ask(&proxy, "/x")), (508, "loop".to_owned()));
}

#[test]
fn what_became_of_each_address_is_said() {
    let dead = Dead::new();
    let addresses = ["127.0.0.4", "127.0.0.5"]
        .map(|ip| SocketAddr::new(ip.parse().expect("an address"), dead.address().port()));
    let proxy = knowing(Home::new(&two(&dead, "")), &addresses, &[]);
    let reply = ask(&proxy, "/x");
    assert_eq!(refusal(&reply), (502, "upstream_unreachable".to_owned()));
    let detail = super::text(&reply.json(), "detail");
    let both = ["127.0.0.4: ", "127.0.0.5: "].iter().all(|said| detail.contains(said));
    assert!(both, "{detail}");
}
