//! `countersign health`: what an engine without a shell hears of the proxy.

use std::net::TcpListener;

use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers};
use crate::support::proxy::{Proxy, Signal, countersign};
use crate::support::stage::{METASV, Stage, get};
use crate::support::wait::{DEADLINE, eventually};

#[test]
fn a_proxy_is_healthy_from_its_start_until_its_stop() {
    let mut stage = Stage::new("");
    let admin = stage.proxy.admin_url().trim_start_matches("http://").to_owned();
    assert_eq!(health(&stage.proxy, &admin), (Some(0), String::new()));
    let mut client = stage.client();
    client.send(get(&format!("{METASV}/held")));
    eventually("the request has arrived", || stage.origin.arrived().len() == 1);
    stage.proxy.signal(Signal::Terminate);
    eventually("it is draining", || stage.proxy.probe("/readyz").status == 503);
    let (code, said) = health(&stage.proxy, &admin);
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("the proxy at {admin} is not ready: draining")), "{said}");
    stage.origin.release();
    drop((client.reply(), client));
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
    let (code, said) = health(&stage.proxy, &admin);
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("nothing answers at {admin}")), "{said}");
}

#[test]
fn a_socket_is_asked_as_an_address_is() {
    let home = Home::new("");
    let admin = format!("unix:{}", home.path("admin.sock").display());
    home.write("proxy.toml", &configuration(&admin));
    let mut proxy = Proxy::start_in(home, &[]);
    assert_eq!(health(&proxy, &admin), (Some(0), String::new()));
    proxy.signal(Signal::Terminate);
    assert_eq!(proxy.wait_exit(DEADLINE).code(), Some(0));
    assert_eq!(health(&proxy, &admin).0, Some(1));
}

#[test]
fn another_program_or_one_that_stands_still_is_not_healthy() {
    let stage = Stage::new("");
    let other = Origin::start(providers());
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent = silent.local_addr().expect("it is bound").to_string();
    for (admin, said) in [
        (other.url().trim_start_matches("http://"), "and not as countersign does"),
        (&*silent, "has not answered within 1 s"),
    ] {
        let (code, error) = health(&stage.proxy, admin);
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

/// The exit code and what is said, by a configuration with this admin listener.
fn health(proxy: &Proxy, admin: &str) -> (Option<i32>, String) {
    proxy.home().write("health.toml", &configuration(admin));
    let path = proxy.home().path("health.toml").display().to_string();
    let output = countersign(&["health", "--timeout", "1", &path]);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("it is text"))
}

fn configuration(admin: &str) -> String {
    let listeners = format!("forward = \"127.0.0.1:0\"\nadmin = \"{admin}\"\n");
    config::listening(&listeners, &[config::metasv("http://127.0.0.1:9", None)])
}
