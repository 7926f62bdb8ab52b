//! Ten thousand requests while the configuration is read again and again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::either_key;
use crate::support::client::Client;
use crate::support::config;
use crate::support::origin::Origin;
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, get};

/// Keys, limits and deadlines change in turn, a bad file comes between, and each request is signed by a
/// key of the two and answered.
#[test]
#[ignore = "takes longer than ten seconds"]
fn of_ten_thousand_requests_during_reloads_none_fails() {
    let accepted = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let origin = Origin::start(either_key(Arc::clone(&accepted)));
    let first = config::proxy(&[config::metasv(&origin.url(), None)]);
    let turns = [
        first.replace("metasv.hex", "metasv.wif"),
        format!("{first}\n[limits]\nsigned_body = \"2KiB\"\n"),
        format!("{first}\n[timeouts]\nconnect = \"7s\"\n"),
        "[listen".to_owned(),
        first.clone(),
    ];
    let proxy = Proxy::start(&first);
    let (url, answered) = (proxy.forward_url().to_owned(), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let mut reloads = 0;
    thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|_| {
            scope.spawn(|| {
                let mut client = Client::connect(&url);
                for _ in 0..REQUESTS / CLIENTS {
                    let reply = client.exchange(get(&format!("{METASV}/x")));
                    if reply.status != 200 {
                        failures.lock().expect("no client panicked").push(reply.json());
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let clients: Vec<_> = clients.collect();
        while clients.iter().any(|client| !client.is_finished()) {
            let turn = &turns[reloads % turns.len()];
            proxy.reload(turn, turn != "[listen");
            reloads += 1;
        }
    });
    let failures = failures.into_inner().expect("no client panicked");
    assert!(failures.is_empty(), "{} failed: {:?}", failures.len(), failures.first());
    assert_eq!(answered.into_inner(), REQUESTS);
    let signed = [0, 1].map(|key| accepted[key].load(Ordering::Relaxed));
    assert_eq!(signed.iter().sum::<usize>(), REQUESTS);
    assert!(signed.iter().all(|count| *count > 100), "both keys signed: {signed:?}");
    assert!(reloads >= 20, "only {reloads} reloads");
}

const CLIENTS: usize = 4;
const REQUESTS: usize = 10_000;
