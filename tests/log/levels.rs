//! Levels: what the operator has to mend stands out from what clients did.

use std::net::TcpListener;

use crate::support::client::Client;
use crate::support::config;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, SINOHOPE, get, post};

/// A proxy whose MetaSV has nobody at its address, and whose Sinohope answers.
fn half_broken() -> (Origin, TcpListener, Proxy) {
    let origin = Origin::start(scripted(providers()));
    // While this holds its port on one address, nobody has it on another.
    let quiet = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = quiet.local_addr().expect("it is bound").port();
    let nobody = config::metasv(&format!("http://127.0.0.2:{port}"), None);
    let proxy = Proxy::start(&config::proxy(&[nobody, config::sinohope(&origin.url(), None)]));
    (origin, quiet, proxy)
}

/// Where everything is at info, an alert on warnings never fires; where everything is at warn, any client
/// sets it off.
#[test]
fn a_refusal_is_at_warn_where_the_operator_mends_it_and_at_info_where_the_client_does() {
    let (_origin, _quiet, proxy) = half_broken();
    let ask = |request: String| Client::connect(proxy.forward_url()).exchange(request).status;
    let table = [
        (
            get(&format!("{METASV}/x")),
            502,
            "upstream_unreachable",
            "WARN",
            Some("connecting to http://127.0.0.2:"),
        ),
        (get("http://unrouted.test/x"), 403, "host_not_routed", "INFO", Some("no [routes] entry")),
        (
            format!("PUT {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\n\r\n"),
            405,
            "method_unsignable",
            "INFO",
            Some("PUT"),
        ),
    ];
    for (request, status, code, level, said) in table {
        assert_eq!(ask(request), status, "{code}");
        let line = proxy.await_line(&format!("code=\"{code}\""), 0);
        assert!(line.contains(&format!(" {level} countersign::request: refused ")), "{line}");
        let (_, detail) = line.split_once(" detail=\"").unwrap_or_else(|| panic!("{line}"));
        assert!(said.is_none_or(|said| detail.contains(said)), "{line}");
    }
    // What may quote a body has no detail.
    let body = post(&format!("{SINOHOPE}/x"), "b").into_bytes();
    let body = [&body[..body.len() - 1], b"\xff"].concat();
    assert_eq!(Client::connect(proxy.forward_url()).exchange(body).status, 422);
    let line = proxy.await_line("code=\"body_unsignable\"", 0);
    assert!(line.contains(" INFO ") && !line.contains("detail="), "{line}");
    // Those that are counted are counted at the level of the others.
    let mut client = Client::connect(proxy.forward_url());
    for _ in 0..40 {
        assert_eq!(client.exchange(get(&format!("{METASV}/x"))).status, 502);
    }
    let line = proxy.await_line("refused, and not logged one by one", 0);
    assert!(line.contains(" WARN ") && line.contains("code=\"upstream_unreachable\""), "{line}");
}
