//! Levels: what the operator has to mend stands out from what clients did, and the level is another after
//! a reload.

use std::net::TcpListener;

use crate::support::client::Client;
use crate::support::config;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::{Proxy, Signal};
use crate::support::stage::{METASV, SINOHOPE, get, post};
use crate::support::wait::{DEADLINE, eventually};

/// A proxy whose MetaSV has nobody at its address, and whose Sinohope answers.
fn half_broken() -> (Origin, TcpListener, Proxy) {
    let origin = Origin::start(scripted(providers()));
    // While this holds its port on one address, nobody has it on another.
    let quiet = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = quiet.local_addr().expect("it is bound").port();
    let nobody = config::metasv(&format!("http://127.0.0.2:{port}"), None);
    let tables = [nobody, config::sinohope(&origin.url(), None), config::PASS.to_owned()];
    let proxy = Proxy::start(&config::proxy(&tables));
    (origin, quiet, proxy)
}

/// Where everything is at info, an alert on warnings never fires; where everything is at warn, any client
/// sets it off.
#[test]
fn a_refusal_is_at_warn_where_the_operator_mends_it_and_at_info_where_the_client_does() {
    let (_origin, quiet, proxy) = half_broken();
    let port = quiet.local_addr().expect("it is bound").port();
    let nobody = format!("http://127.0.0.2:{port}/x");
    let ask = |request: String| Client::connect(proxy.forward_url()).exchange(request).status;
    let table = [
        (
            get(&format!("{METASV}/x")),
            502,
            "upstream_unreachable",
            "WARN",
            "connecting to http://127.0.0.2:",
        ),
        (
            "CONNECT api.sinohope.com:443 HTTP/1.1\r\nHost: api.sinohope.com:443\r\n\r\n"
                .to_owned(),
            403,
            "interception_off",
            "INFO",
            "has a route",
        ),
        (
            format!("PUT {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\n\r\n"),
            405,
            "method_unsignable",
            "INFO",
            "PUT",
        ),
    ];
    for (request, status, code, level, said) in table {
        assert_eq!(ask(request), status, "{code}");
        let line = proxy.await_line(&format!("code=\"{code}\""), 0);
        assert!(line.contains(&format!(" {level} countersign::request: refused ")), "{line}");
        let (_, detail) = line.split_once(" detail=\"").unwrap_or_else(|| panic!("{line}"));
        assert!(detail.contains(said), "{line}");
    }
    // What may quote a body has no detail.
    let body = post(&format!("{SINOHOPE}/x"), "b").into_bytes();
    let body = [&body[..body.len() - 1], b"\xff"].concat();
    assert_eq!(Client::connect(proxy.forward_url()).exchange(body).status, 422);
    let line = proxy.await_line("code=\"body_unsignable\"", 0);
    assert!(line.contains(" INFO ") && !line.contains("detail="), "{line}");
    // Those that are counted are counted at the level of the others; what was signed is not counted.
    let count = || {
        let mut client = Client::connect(proxy.forward_url());
        for _ in 0..40 {
            assert_eq!(client.exchange(get(&nobody)).status, 502);
        }
        let written = proxy.output();
        written
            .lines()
            .find(|line| line.contains("refused, and not logged one by one"))
            .map(str::to_owned)
    };
    let mut line = None;
    eventually("a second is over", || {
        line = count();
        line.is_some()
    });
    let line = line.expect("it was waited for");
    assert!(line.contains(" WARN ") && line.contains("code=\"upstream_unreachable\""), "{line}");
}

#[test]
fn the_level_is_another_after_a_reload() {
    let (origin, _quiet, mut proxy) = half_broken();
    let ask = |proxy: &Proxy, url: String| {
        Client::connect(proxy.forward_url()).exchange(get(&url)).status
    };
    let own = std::fs::read_to_string(proxy.home().path("proxy.toml")).expect("it is there");
    let reload = |proxy: &Proxy, level: &str, count: u64| {
        proxy.home().write("proxy.toml", &format!("{own}\n[log]\nlevel = \"{level}\"\n"));
        proxy.signal(Signal::Hangup);
        proxy.await_metric("countersign_reloads_total{result=\"ok\"}", count);
    };
    assert_eq!(ask(&proxy, format!("{SINOHOPE}/first")), 200);
    proxy.await_line(" path=/first ", 0);
    reload(&proxy, "warn", 1);
    assert_eq!(ask(&proxy, format!("{SINOHOPE}/second")), 200);
    // What is to be mended is said all the same, and comes later.
    assert_eq!(ask(&proxy, format!("{METASV}/broken")), 502);
    proxy.await_line(" path=/broken ", 0);
    reload(&proxy, "info", 2);
    assert_eq!(ask(&proxy, format!("{SINOHOPE}/third")), 200);
    let written = proxy.finish(DEADLINE);
    assert!(written.contains(" path=/third "), "{written}");
    assert!(!written.contains(" path=/second "), "{written}");
    assert!(!written.contains("takes a restart"), "{written}");
    assert_eq!(origin.arrived().len(), 3);
}
