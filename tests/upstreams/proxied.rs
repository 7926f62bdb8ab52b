//! Upstreams behind a company's proxy: CONNECT, its credentials, and its refusals.

use super::{ask, home, metasv, refusal, text, trusting};
use crate::support::config;
use crate::support::forwarder::{Conduct, Forwarder};
use crate::support::h2_origin::H2Origin;
use crate::support::home::Home;
use crate::support::origin::{self, Origin};
use crate::support::proxy::{Proxy, countersign};
use crate::support::wait::DEADLINE;

/// The usual MetaSV route, whose upstream says only how its host is reached.
pub(super) fn directly(lines: &str) -> String {
    config::proxy(&[config::metasv("removed", None), lines.to_owned(), config::ONE_POOL.to_owned()])
        .replace("url = \"removed\"\n", "")
}

#[test]
fn a_route_reaches_its_own_host_through_a_proxy() {
    let origin = H2Origin::start(&["apiv2.metasv.com"], origin::metasv("test-a"));
    let forwarder = Forwarder::start(Conduct::Connect(origin.address()));
    let ca = origin.ca().display();
    let lines =
        format!("via = \"{}\"\nvia_credentials = \"corp\"\nca = \"{ca}\"\n", forwarder.url());
    let mut proxy = Proxy::start_in(home(&directly(&lines), &[("corp", "me:pass:w0rd\n")]), &[]);
    assert_eq!(ask(&proxy, "/x").status, 200);
    assert_eq!(ask(&proxy, "/y").status, 200);
    let [asked] = forwarder.asked().try_into().expect("one connection was asked for");
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("CONNECT", "apiv2.metasv.com:443"));
    assert_eq!(asked.values("Host"), ["apiv2.metasv.com:443"]);
    assert_eq!(asked.values("Proxy-Authorization"), ["Basic bWU6cGFzczp3MHJk"]);
    assert_eq!(asked.headers.len(), 2, "{asked:?}");
    for request in origin.arrived() {
        assert!(request.values("Proxy-Authorization").is_empty(), "{request:?}");
        assert_eq!(request.once(":authority"), Ok("apiv2.metasv.com"));
    }
    let written = proxy.finish(DEADLINE);
    assert!(!written.contains("w0rd") && !written.contains("bWU6cGFz"), "{written}");
}

#[test]
fn plain_http_goes_through_connect_as_well() {
    let origin = Origin::start(origin::metasv("test-a"));
    let address = origin.url().trim_start_matches("http://").parse().expect("an address");
    let forwarder = Forwarder::start(Conduct::Connect(address));
    let lines = format!("allow_plaintext = true\nvia = \"{}\"\n", forwarder.url());
    let proxy = Proxy::start(&metasv("http://internal.test:8080", &lines));
    assert_eq!(ask(&proxy, "/x").status, 200);
    let [asked] = forwarder.asked().try_into().expect("one connection was asked for");
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("CONNECT", "internal.test:8080"));
    assert!(asked.values("Proxy-Authorization").is_empty());
    let [arrived] = origin.arrived().try_into().expect("one request arrived");
    assert_eq!(arrived.values("Host"), ["apiv2.metasv.com"]);
}

#[test]
fn what_a_proxy_refuses_is_said_with_its_status_and_nothing_of_its_words() {
    let table = [
        (
            "HTTP/1.1 407 Sesame\r\nProxy-Authenticate: Basic\r\n\r\n",
            "status 407",
            "via_credentials",
        ),
        ("HTTP/1.1 403 Sesame\r\n\r\nSesame", "status 403", "does not let connections"),
        ("HTTP/1.1 502 Sesame\r\n\r\n", "status 502", "could not reach"),
        ("HTTP/1.1 302 Sesame\r\nLocation: http://sesame\r\n\r\n", "status 302", "Check via"),
        ("Sesame\r\n\r\n", "does not answer in HTTP", "Check via"),
    ];
    for (head, detail, remedy) in table {
        let forwarder = Forwarder::start(Conduct::Answer(head));
        let proxy = Proxy::start(&directly(&format!("via = \"{}\"\n", forwarder.url())));
        let reply = ask(&proxy, "/x");
        let problem = reply.json();
        assert_eq!(refusal(&reply), (502, "upstream_proxy".to_owned()), "{problem}");
        assert!(text(&problem, "detail").contains(detail), "{detail}: {problem}");
        let named = format!("https://apiv2.metasv.com through {}", forwarder.url());
        assert!(text(&problem, "detail").contains(&named), "{problem}");
        assert!(text(&problem, "remedy").contains(remedy), "{remedy}: {problem}");
        let everything = problem.to_string() + &proxy.output();
        assert!(!everything.to_lowercase().contains("sesame"), "{everything}");
        assert_eq!(forwarder.asked().len(), 1, "it is asked once");
    }
}

#[test]
fn a_proxy_that_does_not_answer_has_the_time_of_a_connection() {
    let forwarder = Forwarder::start(Conduct::Hang);
    let lines = format!("via = \"{}\"\n[timeouts]\nconnect = \"300ms\"\n", forwarder.url());
    let proxy = Proxy::start(&directly(&lines));
    let reply = ask(&proxy, "/x");
    assert_eq!(refusal(&reply), (504, "upstream_timeout".to_owned()));
    let problem = reply.json();
    assert!(text(&problem, "detail").contains(&forwarder.url()), "{problem}");
    assert!(text(&problem, "remedy").starts_with("Nothing was sent"), "{problem}");
}

#[test]
fn a_proxy_that_is_not_there_is_not_taken_for_the_provider() {
    let gone = Forwarder::start(Conduct::Hang).url();
    let proxy = Proxy::start(&directly(&format!("via = \"{gone}\"\n")));
    let reply = ask(&proxy, "/x");
    assert_eq!(refusal(&reply), (502, "upstream_proxy".to_owned()));
    let detail = text(&reply.json(), "detail");
    assert!(detail.contains("connecting to it failed"), "{detail}");
}

#[test]
fn a_proxy_that_is_this_one_is_a_loop() {
    let proxy = Proxy::start(&directly(""));
    let lines = format!("via = \"{}\"\n", proxy.forward_url());
    proxy.reload(&directly(&lines), true);
    assert_eq!(refusal(&ask(&proxy, "/x")), (508, "loop".to_owned()));
}

#[test]
fn credentials_that_are_none_stop_the_start_and_are_not_shown() {
    let lines = "via = \"http://127.0.0.1:1\"\nvia_credentials = \"corp\"\n";
    for secret in ["w0rd", "me:w0rd\nyou:w0rd"] {
        let home: Home = home(&directly(lines), &[("corp", secret)]);
        let path = home.path("proxy.toml");
        let output = countersign(&["check", &path.display().to_string()]);
        let written = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && written.contains("via_credentials"), "{written}");
        assert!(!written.contains("w0rd"), "{written}");
    }
}

#[test]
fn other_credentials_make_other_connections_after_a_reload() {
    let origin = H2Origin::start(&["apiv2.metasv.com"], origin::metasv("test-a"));
    let forwarder = Forwarder::start(Conduct::Connect(origin.address()));
    let lines = trusting(origin.ca())
        + &format!("via = \"{}\"\nvia_credentials = \"corp\"\n", forwarder.url());
    let config = directly(&lines) + "\n[secrets.corp]\nstore = \"files\"\nentry = \"corp\"\n";
    let home = Home::new(&config);
    home.write("keys/corp", "me:one");
    let proxy = Proxy::start_in(home, &[]);
    for (secret, connections) in [("me:one", 1), ("me:one", 1), ("me:two", 2), ("me:two", 2)] {
        proxy.home().write("keys/corp", secret);
        proxy.reload(&config, true);
        assert_eq!(ask(&proxy, "/x").status, 200);
        assert_eq!(forwarder.asked().len(), connections, "{secret}");
    }
    let values: Vec<_> = forwarder
        .asked()
        .iter()
        .map(|asked| asked.values("Proxy-Authorization").concat())
        .collect();
    assert_eq!(values, ["Basic bWU6b25l", "Basic bWU6dHdv"]);
}
