//! The same at length: clocks that are moved, a Redis that is cut off for half a minute, a failover, a
//! rolling update; and how many requests each costs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::shared::home;
use crate::shared::load::{Load, arrived, refused};
use crate::support::home::Home;
use crate::support::origin::{Origin, metasv};
use crate::support::proxy::{Proxy, Signal};
use crate::support::redis::Redis;
use crate::support::wait::eventually;

/// Four processes, and what has become of their requests.
struct Replicas<'a> {
    origin: &'a Origin,
    lines: (String, &'static str),
    proxies: Vec<(Proxy, Vec<Load>)>,
    each: usize,
}

impl<'a> Replicas<'a> {
    fn start(origin: &'a Origin, redis: &str, lines: &'static str, each: usize) -> Self {
        let lines = (redis.to_owned(), lines);
        let mut all = Self { origin, lines, proxies: Vec::new(), each };
        (0..4).for_each(|_| all.begin());
        all
    }

    fn begin(&mut self) {
        let home = home(self.origin, &self.lines.0, self.lines.1);
        let proxy = with_a_clock(home);
        let loads = (0..2).map(|_| Load::on(proxy.forward_url())).collect();
        self.proxies.push((proxy, loads));
    }

    fn answered(&self) -> usize {
        self.proxies.iter().flat_map(|(_, loads)| loads).map(Load::answered).sum()
    }

    /// Does something to them, goes on for their part of the nonces, and says what it cost.
    fn phase(&mut self, name: &str, befalls: impl FnOnce(&mut Self)) {
        let (began, before) = (Instant::now(), self.answered());
        befalls(self);
        let wanted = before.max(self.answered()) + self.each;
        while self.answered() < wanted {
            let step = (self.answered() + 50).min(wanted);
            eventually("requests go on", || self.answered() >= step);
        }
        let mut costs: BTreeMap<String, (usize, Duration)> = BTreeMap::new();
        for load in self.proxies.iter().flat_map(|(_, loads)| loads) {
            for (code, (count, over)) in refused(&load.since(began)) {
                let cost = costs.entry(code.to_owned()).or_default();
                *cost = (cost.0 + count, cost.1.max(over));
            }
        }
        say(format_args!("{name}: {} signed, refused: {costs:?}", self.answered() - before));
        let known = costs.keys().all(|code| code == "nonces_unavailable");
        assert!(known, "{name}: {costs:?}");
    }

    fn end(self) -> usize {
        for load in self.proxies.into_iter().flat_map(|(_, loads)| loads) {
            load.end();
        }
        arrived(self.origin)
    }
}

/// Whose wall clock is what `clock` says, while it runs.
fn with_a_clock(home: Home) -> Proxy {
    let library = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .map(|machine| format!("/usr/lib/{machine}/faketime/libfaketimeMT.so.1"));
    let library = library.iter().find(|path| Path::new(path).exists());
    home.write("clock", "+0s\n");
    let clock = home.path("clock").display().to_string();
    let variables = [
        ("LD_PRELOAD", library.expect("libfaketime is installed: scripts/setup-tests").as_str()),
        ("FAKETIME_TIMESTAMP_FILE", &clock),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    Proxy::start_in(home, &variables)
}

/// Stands for so long, in steps that a test may wait.
fn stand(long: Duration) {
    let began = Instant::now();
    while began.elapsed() < long {
        let step = (began.elapsed() + Duration::from_secs(10)).min(long);
        eventually("time goes by", || began.elapsed() >= step);
    }
}

#[test]
#[ignore = "takes minutes: scripts/test --long"]
fn a_million_nonces_of_four_processes_are_different() {
    let origin = Origin::start(metasv("test-a"));
    let mut redis = Redis::start();
    let mut all = Replicas::start(&origin, &redis.url(), "", nonces() / 8);
    all.phase("nothing", |_| ());
    all.phase("killed and begun again", |all| {
        all.proxies[3].0.signal(Signal::Kill);
        all.begin();
    });
    all.phase("stopped for 15 s", |all| {
        all.proxies[2].0.signal(Signal::Stop);
        stand(Duration::from_secs(15));
        all.begin();
        all.proxies[2].0.signal(Signal::Continue);
    });
    all.phase("clocks 5 s ahead and behind", |all| {
        for (at, shift) in [(0, "+5s\n"), (1, "-5s\n")] {
            fs::write(all.proxies[at].0.home().path("clock"), shift).expect("it can be written");
        }
    });
    all.phase("emptied", |_| redis.restart_empty());
    all.phase("cut off for 30 s", |_| {
        redis.signal("-STOP");
        stand(Duration::from_secs(30));
        redis.signal("-CONT");
    });
    all.phase("emptied, and all killed but one", |all| {
        for at in [0, 1, 4] {
            all.proxies[at].0.signal(Signal::Kill);
        }
        redis.restart_empty();
        all.begin();
    });
    let count = all.end();
    say(format_args!("{count} nonces, all different"));
    assert!(count >= nonces() / 8 * 7);
}

#[test]
#[ignore = "takes minutes: scripts/test --long"]
fn a_failover_repeats_no_nonce() {
    let origin = Origin::start(metasv("test-a"));
    let mut redis = Redis::start();
    let follows = format!("replicaof 127.0.0.1 {}\nrepl-diskless-sync-delay 0\n", redis.port());
    let replicas = [(); 2].map(|()| Redis::young(&follows));
    eventually("both follow", || {
        redis.cli(&["INFO", "replication"]).matches("state=online").count() == 2
    });
    let sentinel = Redis::sentinel(&redis);
    eventually("the Sentinel knows both", || {
        sentinel.cli(&["SENTINEL", "REPLICAS", "mymaster"]).matches("\nrunid\n").count() == 2
    });
    let lines = "sentinel = \"mymaster\"\nreplicas = 1\n";
    let mut all = Replicas::start(&origin, &sentinel.url(), lines, nonces() / 16);
    all.phase("nothing", |_| ());
    all.phase("failed over", |_| {
        redis.kill();
        eventually("another is master", || {
            let named = sentinel.cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]);
            replicas.iter().any(|replica| named.contains(&replica.port().to_string()))
        });
    });
    let count = all.end();
    say(format_args!("{count} nonces, all different"));
    assert!(count >= nonces() / 8);
}

#[test]
#[ignore = "takes minutes: scripts/test --long"]
fn a_rolling_update_of_three_replicas_refuses_nothing() {
    let origin = Origin::start(metasv("test-a"));
    let redis = Redis::start();
    let start = || Proxy::start_in(home(&origin, &redis.url(), ""), &[]);
    let mut live: Vec<Proxy> = (0..3).map(|_| start()).collect();
    let urls = |live: &[Proxy]| live.iter().map(|p| p.forward_url().to_owned()).collect::<Vec<_>>();
    // What a Service does: it sends to those that are ready.
    let service = Arc::new(Mutex::new(urls(&live)));
    let loads: Vec<_> = (0..6).map(|at| Load::balanced(at, &service)).collect();
    let answered = || loads.iter().map(Load::answered).sum::<usize>();
    let go_on = |count: usize| {
        let wanted = answered() + count;
        while answered() < wanted {
            let step = (answered() + 50).min(wanted);
            eventually("requests go on", || answered() >= step);
        }
    };
    go_on(2_000);
    for _ in 0..3 {
        live.push(start());
        *service.lock().expect("no thread panicked") = urls(&live);
        go_on(1_000);
        let mut old = live.remove(0);
        // As in Kubernetes: the signal comes while some still send there.
        old.signal(Signal::Terminate);
        *service.lock().expect("no thread panicked") = urls(&live);
        assert!(old.wait_exit(Duration::from_secs(60)).success());
        go_on(1_000);
    }
    go_on(2_000);
    let seen: Vec<_> = loads.into_iter().flat_map(Load::end).collect();
    let count = arrived(&origin);
    say(format_args!("{count} requests, refused: {:?}", refused(&seen)));
    assert!(count >= 10_000 && refused(&seen).is_empty(), "{count}: {:?}", refused(&seen));
}

/// How many nonces; `COUNTERSIGN_NONCES` says another number.
#[expect(clippy::disallowed_methods, reason = "how long a test is")]
fn nonces() -> usize {
    let said = std::env::var("COUNTERSIGN_NONCES").ok();
    said.map_or(1_000_000, |number| number.parse().expect("a number"))
}

#[expect(clippy::print_stderr, reason = "what was measured")]
fn say(text: std::fmt::Arguments<'_>) {
    eprintln!("{text}");
}
