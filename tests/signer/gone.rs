//! A signer that is killed under load and started again: what is not signed is not sent.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::secrets::search::Canary;
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::signer::{Signer, own_grant};
use crate::support::stage::{SINOHOPE, get};
use crate::support::vectors::{load, text};
use crate::support::wait::eventually;

/// The routes of a proxy whose key is at the signer.
pub(super) fn proxy(home: &Home, origin: &Origin, signer: &Signer) -> Proxy {
    let route = config::sinohope(&origin.url(), None).replace("\"files\"", "\"signer\"");
    let route = route.replace("\"sinohope.pem\"", "\"sinohope\"");
    let store = format!("[stores.signer]\nkind = \"remote\"\nurl = \"{}\"\n", signer.url());
    let limit = "[timeouts]\nsign = \"1s\"\n".to_owned();
    home.write("proxy.toml", &config::proxy(&[route, store, limit]));
    Proxy::start_in(home.clone(), &[])
}

pub(super) const KEY: &str = "[keys.sinohope]\nstore = \"files\"\nentry = \"sinohope.pem\"\n";

#[test]
fn requests_wait_for_a_signer_that_was_killed_and_none_leaves_unsigned() {
    // Every request is verified, and a wrong one is answered with another status.
    let origin = Origin::start(scripted(providers()));
    let home = Home::new("");
    let signer = Signer::at_a_socket(&home, &own_grant("sinohope"), KEY);
    let proxy = proxy(&home, &origin, &signer);
    let (gone, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let url = proxy.forward_url();
    let ask = || {
        let reply = Client::connect(url).exchange(get(&format!("{SINOHOPE}/x")));
        if reply.status == 503 {
            let body = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(body.contains("the signer is out of reach"), "{body}");
            let names = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("retry-after");
            assert!(reply.headers.iter().any(|header| names(&header)), "{:?}", reply.headers);
        }
        reply.status
    };
    let pressed = || {
        let mut statuses = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let before = gone.load(Ordering::Relaxed);
            let status = ask();
            assert!(status == 200 || status == 503, "{status}");
            assert!(status == 200 || before || gone.load(Ordering::Relaxed), "it was there");
            statuses.push(status);
        }
        statuses
    };
    let statuses: Vec<u16> = thread::scope(|scope| {
        let loads: Vec<_> = (0..8).map(|_| scope.spawn(pressed)).collect();
        eventually("some are signed", || origin.arrived().len() > 20);
        gone.store(true, Ordering::Relaxed);
        signer.run(false);
        assert_eq!(ask(), 503);
        // Who comes shortly before the next one starts is signed for by it.
        let waiting = scope.spawn(ask);
        signer.run(true);
        let waited = waiting.join().expect("it was answered");
        assert!(waited == 200 || waited == 503);
        eventually("it signs again", || ask() == 200);
        let before = origin.arrived().len();
        eventually("more are signed", || origin.arrived().len() > before + 20);
        stop.store(true, Ordering::Relaxed);
        loads.into_iter().flat_map(|load| load.join().expect("no load panicked")).collect()
    });
    assert!(
        statuses.contains(&503) && statuses.iter().filter(|status| **status == 200).count() > 20
    );
    // Each that arrived was signed once for it, and the file says so.
    let signed = signer.audit().iter().filter(|line| line["route"] == "sinohope").count();
    assert!(signed >= origin.arrived().len(), "{signed} signatures");
    assert_eq!(ask(), 200);
    // Neither of the two says anything of the key.
    let number = text(&load("sinohope"), "/keys/test-p256/private_scalar_hex").to_owned();
    let number = base16ct::lower::decode_vec(number).expect("the vectors are lower-case hex");
    let audit = fs::read_to_string(home.path("signer-audit.jsonl")).expect("it is there");
    let said = proxy.output() + &signer.output() + &audit;
    assert!(said.contains("given up:") && said.len() > 10_000, "there was something to search");
    assert_eq!(Canary::new("the key", &number).find(said.as_bytes()), None);
}
