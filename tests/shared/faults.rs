//! What befalls replicas and their store, and that no nonce is used twice meanwhile.

use crate::shared::load::{Load, arrived, refused};
use crate::shared::{home, owned};
use crate::support::origin::{Origin, metasv};
use crate::support::proxy::{Proxy, Signal};
use crate::support::redis::Redis;
use crate::support::wait::eventually;

/// The bug: a lease that is looked at before the place is taken, or that another takes while its owner
/// only stands still; an owner that goes on when the store forgets it, or stops.
#[test]
fn no_nonce_is_used_twice_through_kills_pauses_and_a_store_that_forgets() {
    let origin = Origin::start(metasv("test-a"));
    let mut redis = Redis::start();
    let start = || Proxy::start_in(home(&origin, &redis.url(), ""), &[]);
    let (one, paused, killed) = (start(), start(), start());
    let first = Load::on(one.forward_url());
    let second = Load::on(paused.forward_url());
    let third = Load::on(killed.forward_url());
    [&first, &second, &third].iter().for_each(|load| load.await_more(300));
    killed.signal(Signal::Kill);
    // The classic one: what stands still for longer than its lease does not know it.
    paused.signal(Signal::Stop);
    let ended = || {
        let time: u64 =
            redis.cli(&["TIME"]).lines().next().and_then(|s| s.parse().ok()).expect("a time");
        let ended = |ends: &str| ends.parse::<u64>().is_ok_and(|ends| ends < time * 1000);
        redis.lanes().iter().filter(|(_, [owner, _, ends, _])| owner != "-" && ended(ends)).count()
    };
    eventually("the leases of both have ended", || ended() == 2);
    // They have the lanes of those two, as the least that are free.
    let (next, other) = (start(), start());
    let (fourth, fifth) = (Load::on(next.forward_url()), Load::on(other.forward_url()));
    [&fourth, &fifth].iter().for_each(|load| load.await_more(300));
    assert_eq!(redis.lanes().len(), 3, "no lane was taken over");
    paused.signal(Signal::Continue);
    second.await_more(300);
    assert_eq!(redis.lanes().len(), 4);
    redis.restart_empty();
    // Those whose leases are good tell it of them, and go on.
    let live = [&first, &second, &fourth, &fifth];
    eventually("the store knows the lanes again", || owned(&redis) == live.len());
    live.iter().for_each(|load| load.await_more(300));
    let mut seen = Vec::new();
    for load in [first, second, third, fourth, fifth] {
        seen.extend(load.end());
    }
    let count = arrived(&origin);
    assert!(count >= 3_000, "only {count} arrived");
    assert!(refused(&seen).is_empty(), "{:?}", refused(&seen));
}

/// The bug: requests that wait for a store that is away, or are signed without a lease.
#[test]
fn while_the_store_is_away_leases_end_and_requests_are_refused_until_it_is_back() {
    let origin = Origin::start(metasv("test-a"));
    let redis = Redis::start();
    let proxy = Proxy::start_in(home(&origin, &redis.url(), ""), &[]);
    let load = Load::on(proxy.forward_url());
    load.await_more(200);
    redis.signal("-STOP");
    load.await_more(200);
    proxy.await_metric("countersign_leases_missing", 1);
    let ready = proxy.probe("/readyz");
    let ready = ready.json();
    let why = ready["unusable_routes"]["metasv"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("shared.redis "), "{ready}");
    let stands = load.answered();
    redis.signal("-CONT");
    eventually("requests go on", || load.answered() > stands + 200);
    assert!(proxy.probe("/readyz").json()["unusable_routes"]["metasv"].is_null());
    assert_eq!(proxy.metric("countersign_leases_missing"), 0);
    assert!(proxy.metric("countersign_shared_rounds_total{result=\"failed\"}") > 2);
    let seen = load.end();
    let refused = refused(&seen);
    assert!(refused.keys().eq(["nonces_unavailable"]), "{refused:?}");
    assert!(arrived(&origin) >= 600);
    proxy.await_output("shared.redis answers again");
}

/// The bug: a lane that a stop keeps until its lease has ended, so that a rolling update runs out of them.
#[test]
fn a_stop_gives_the_lane_back_with_its_last_millisecond() {
    let origin = Origin::start(metasv("test-a"));
    let redis = Redis::start();
    let mut lasts = Vec::new();
    for _ in 0..3 {
        let mut proxy = Proxy::start_in(home(&origin, &redis.url(), ""), &[]);
        let load = Load::on(proxy.forward_url());
        load.await_more(50);
        assert_eq!(owned(&redis), 1);
        load.end();
        proxy.finish(std::time::Duration::from_secs(30));
        let lanes = redis.lanes();
        let [(_, [owner, fence, _, last])] = lanes.as_slice() else { panic!("{lanes:?}") };
        assert_eq!(owner, "-");
        lasts.push((fence.clone(), last.parse::<u64>().expect("a number")));
    }
    assert!(lasts.is_sorted_by(|one, next| one.1 < next.1), "{lasts:?}");
    assert_eq!(lasts.iter().map(|(fence, _)| fence.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert!(arrived(&origin) >= 150);
}
