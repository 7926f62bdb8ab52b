//! Stores that grant nothing yet: one without a memory, and one whose replicas do not follow.

use crate::shared::load::Load;
use crate::shared::{home, owned};
use crate::support::client::Client;
use crate::support::origin::{Origin, echo};
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::stage::{METASV, get};

fn refusal(proxy: &Proxy) -> String {
    let reply = Client::connect(proxy.forward_url()).exchange(get(&format!("{METASV}/x")));
    let body = reply.json();
    assert_eq!((reply.status, body["code"].as_str()), (503, Some("nonces_unavailable")), "{body}");
    body.to_string()
}

/// The bug: a store that was emptied grants lanes that others still place in.
#[test]
fn a_store_without_a_memory_grants_nothing_at_first() {
    let origin = Origin::start(echo());
    let redis = Redis::young("");
    let proxy = Proxy::start_in(home(&origin, &redis.url(), ""), &[]);
    let said = refusal(&proxy);
    assert!(said.contains("has no memory of leases") && said.contains("appendonly"), "{said}");
    proxy.await_output("requests that need a lease are refused until then");
    assert_eq!((owned(&redis), origin.arrived().len()), (0, 0));
    // For as long as a lease and the difference of clocks: then it grants.
    let load = Load::on(proxy.forward_url());
    load.await_more(20);
    assert_eq!(owned(&redis), 1);
    let refused = load.end().iter().filter(|(_, status, _)| *status != 200).count();
    assert!(refused > 0);
}

/// The bug: a lease that a failover loses is used.
#[test]
fn what_no_replica_has_is_not_used() {
    let origin = Origin::start(echo());
    let redis = Redis::start();
    let proxy = Proxy::start_in(home(&origin, &redis.url(), "replicas = 1\n"), &[]);
    assert!(refusal(&proxy).contains("fewer replicas than shared.replicas"));
    assert_eq!((owned(&redis), origin.arrived().len()), (1, 0));
    let replica = Redis::young(&format!("replicaof 127.0.0.1 {}\n", redis.port()));
    let load = Load::on(proxy.forward_url());
    load.await_more(20);
    load.end();
    assert!(replica.lanes().len() == 1, "{:?}", replica.lanes());
}
