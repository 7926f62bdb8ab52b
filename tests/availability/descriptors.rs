//! File descriptors: as many as the system lets us have, and what is said where there are none.

use std::process::Command;

use super::PATIENT;
use crate::support::client::{Client, Reply};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, get};
use crate::support::under_test;
use crate::support::wait::{DEADLINE, eventually};

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    let (_origin, proxy) = limited("ulimit -Sn 100", "");
    let [soft, hard] = proxy.descriptor_limits();
    assert_eq!(soft, hard);
    assert_ne!(soft, "100");
}

#[test]
fn a_limit_that_the_configuration_does_not_fit_is_told_at_the_start() {
    let (_origin, proxy) = limited("ulimit -n 1000", "");
    proxy.await_output("limits.connections and limits.tunnels may take 3776 file descriptors");
    proxy.await_output("may have 1000");
    let (_origin, mut proxy) =
        limited("ulimit -n 1000", "[limits]\nconnections = 50\ntunnels = 9\n");
    assert_eq!(proxy.probe("/readyz").status, 200);
    let written = proxy.finish(DEADLINE);
    assert!(!written.contains("file descriptors"), "{written}");
}

#[test]
fn without_a_descriptor_the_refusal_says_so() {
    // The kernel is not asked whose connections are, which would take a descriptor as well.
    let access = format!("{PATIENT}[access]\nusers = [\"any\"]\n");
    let (origin, proxy) = limited("ulimit -n 60", &access);
    let ask = |client: &mut Client, path: &str| client.exchange(get(&format!("{METASV}/{path}")));
    let mut clients = Vec::new();
    // Each has one, until one cannot be accepted.
    let refused = loop {
        assert!(clients.len() < 60, "there are only so many");
        let mut client = Client::connect(proxy.forward_url());
        let reply = ask(&mut client, "x");
        if reply.status != 200 {
            break reply;
        }
        clients.push(client);
    };
    let detail = |reply: &Reply| {
        assert_eq!((reply.status, &reply.json()["code"]), (503, &"out_of_descriptors".into()));
        assert_eq!(reply.values("Retry-After"), ["1"]);
        reply.json()["detail"].as_str().expect("it is text").to_owned()
    };
    assert!(detail(&refused).contains("Too many open files"), "{refused:?}");
    assert!(clients.len() > 20, "{} connections", clients.len());
    // One to the provider is there already, and for another there is none.
    let mut held = Vec::new();
    let refused = loop {
        let reply = ask(clients.last_mut().expect("there are some"), "x");
        if reply.status != 200 {
            break reply;
        }
        let mut client = clients.pop().expect("there are some");
        client.send(get(&format!("{METASV}/held")));
        held.push(client);
        let arrived = || origin.arrived().iter().filter(|one| one.target == "/held").count();
        eventually("it arrives", || arrived() == held.len());
    };
    let told = detail(&refused);
    assert!(told.starts_with("connecting to") && told.contains("Too many open files"), "{told}");
    proxy.await_output("connections are not accepted");
    // It goes on when some come back.
    drop(clients);
    let mut client = Client::connect(proxy.forward_url());
    eventually("there is one again", || {
        let reply = client.try_send(get(&format!("{METASV}/x"))).and_then(|()| client.try_reply());
        let answered = reply.is_ok_and(|reply| reply.status == 200);
        if !answered {
            client = Client::connect(proxy.forward_url());
        }
        answered
    });
    origin.release();
    assert!(held.iter_mut().all(|client| client.reply().status == 200));
}

/// A proxy that a shell has given this limit.
fn limited(limit: &str, tables: &str) -> (Origin, Proxy) {
    let origin = Origin::start(scripted(providers()));
    let home = Home::new(&config::proxy(&[config::metasv(&origin.url(), None), tables.to_owned()]));
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limit} && exec \"$0\" \"$@\"")]).arg(under_test());
    (origin, Proxy::start_by(command, home, &[]))
}
