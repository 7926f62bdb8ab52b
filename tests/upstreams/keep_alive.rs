//! Connections on which nothing is said for long: the system asks whether the other end is there,
//! so that a router on the way does not forget them, and a dead end is found.

use std::time::Duration;

use super::metasv;
use crate::support::client::Client;
use crate::support::config::PASS;
use crate::support::origin::{self, Origin};
use crate::support::process::keep_alive;
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, get};
use crate::support::wait::eventually;

fn port(url: &str) -> u16 {
    url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

/// What the proxy's end of the client's connection and its end of the provider's are asked after.
fn await_both(client: &Client, provider: &str) {
    let (clients, forward) = client.ports();
    let soon = |timers: Vec<Duration>| matches!(timers[..], [timer] if timer <= MINUTE);
    eventually("the client is asked after", || soon(keep_alive(Some(forward), Some(clients))));
    eventually("the provider is asked after", || soon(keep_alive(None, Some(port(provider)))));
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn both_ends_of_a_blind_tunnel_are_asked_after() {
    let origin = Origin::start(origin::echo());
    let proxy = Proxy::start(&metasv("http://127.0.0.1:1", PASS));
    let place = origin.url().replace("http://", "");
    let mut client = Client::tunnel(proxy.forward_url(), &place);
    let reply = client.exchange(format!("GET / HTTP/1.1\r\nHost: {place}\r\n\r\n"));
    assert_eq!(reply.status, 200);
    await_both(&client, &origin.url());
}

#[test]
fn a_provider_is_asked_after_on_connections_that_are_kept() {
    let origin = Origin::start(origin::metasv("test-a"));
    let proxy = Proxy::start(&metasv(&origin.url(), ""));
    let mut client = Client::connect(proxy.forward_url());
    assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 200);
    await_both(&client, &origin.url());
}
