//! Proxies on the way that are not spoken to in plain HTTP, and those that the environment names.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;

use super::proxied::directly;
use super::{ask, home, refusal, text, trusting};
use crate::support::authority::Authority;
use crate::support::forwarder::{Conduct, Forwarder};
use crate::support::h2_origin::H2Origin;
use crate::support::home::Home;
use crate::support::names::knowing;
use crate::support::origin;
use crate::support::proxy::Proxy;
use crate::support::socks::{Manners, Socks};
use crate::support::terminator::Terminator;
use crate::support::under_test;
use crate::support::wait::{DEADLINE, accepted};

const OPEN: Manners = Manners { credentials: None, reply: 0 };
const KNOWN: Manners = Manners { credentials: Some(("me", "pass:w0rd")), reply: 0 };

fn provider() -> H2Origin {
    H2Origin::start(&["apiv2.metasv.com"], origin::metasv("test-a"))
}

/// A proxy in TLS in front of `place`, and the file with its authority below a home.
fn in_tls(names: &[&str], place: SocketAddr) -> (Terminator, String) {
    let authority = Authority::new();
    (Terminator::start(authority.server(names), place), authority.pem())
}

#[test]
fn a_proxy_is_spoken_to_in_tls_and_its_certificate_is_looked_at() {
    let origin = provider();
    let forwarder = Forwarder::start(Conduct::Connect(origin.address()));
    let (right, ca) = in_tls(&["127.0.0.1"], forwarder.address());
    let (wrong, other) = in_tls(&["proxy.internal"], forwarder.address());
    let plain = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let plain_place = plain.local_addr().expect("it is bound");
    let answering = thread::spawn(move || {
        let mut socket = accepted(&plain);
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("it listens");
        let _hello = socket.read_to_end(&mut Vec::new());
    });
    let lines = "via_credentials = \"corp\"\nvia_ca = \"proxy-ca.pem\"\n";
    let table = [
        (right.address(), &ca, lines, None),
        (right.address(), &ca, "", Some(("an authority that is not trusted", "via_ca"))),
        (
            wrong.address(),
            &other,
            lines,
            Some(("is for proxy.internal, and not for 127", "via_ca")),
        ),
        (plain_place, &ca, lines, Some(("what it answers is not TLS", "speaks TLS"))),
    ];
    for (place, authority, lines, refused) in table {
        let lines =
            format!("via = \"https://{place}\"\n{lines}ca = \"{}\"\n", origin.ca().display());
        let home = home(&directly(&lines), &[("corp", "me:pass:w0rd\n")]);
        home.write("proxy-ca.pem", authority);
        let proxy = Proxy::start_in(home, &[]);
        let reply = ask(&proxy, "/x");
        let Some((detail, remedy)) = refused else {
            assert_eq!(reply.status, 200, "{}", text(&reply.json(), "detail"));
            continue;
        };
        let problem = reply.json();
        assert_eq!(refusal(&reply), (502, "upstream_proxy".to_owned()), "{problem}");
        assert!(
            text(&problem, "detail").contains(&format!("through https://{place}")),
            "{problem}"
        );
        assert!(text(&problem, "detail").contains(detail), "{detail}: {problem}");
        assert!(text(&problem, "remedy").contains(remedy), "{remedy}: {problem}");
        let everything = problem.to_string() + &proxy.output();
        assert!(!everything.contains("w0rd") && !everything.contains("bWU6cGFz"), "{everything}");
    }
    let [asked] = forwarder.asked().try_into().expect("one connection was asked for");
    assert_eq!(asked.target, "apiv2.metasv.com:443");
    assert_eq!(asked.values("Proxy-Authorization"), ["Basic bWU6cGFzczp3MHJk"]);
    answering.join().expect("it does not panic");
}

#[test]
fn a_proxy_speaks_socks_and_is_given_the_name() {
    let origin = provider();
    let to = |manners| Socks::start(manners, origin.address());
    let refusing = |reply| to(Manners { reply, ..OPEN });
    let lines = "via_credentials = \"corp\"\n";
    let table = [
        ("socks5", to(OPEN), "", None),
        ("socks5h", to(KNOWN), lines, None),
        ("socks5", to(KNOWN), "", Some(("it wants user and password", "via_credentials"))),
        (
            "socks5",
            to(Manners { credentials: Some(("me", "other")), ..OPEN }),
            lines,
            Some(("it refuses user and password", "via_credentials")),
        ),
        ("socks5", refusing(2), "", Some(("not allowed by its rules", "ask those who run it"))),
        ("socks5", refusing(4), "", Some(("host unreachable", "could not reach"))),
        ("socks5", refusing(7), "", Some(("command not supported", "Check via"))),
    ];
    for (scheme, socks, lines, refused) in table {
        let via = format!("{scheme}://{}", socks.address());
        let lines = format!("via = \"{via}\"\n{lines}ca = \"{}\"\n", origin.ca().display());
        let proxy = Proxy::start_in(home(&directly(&lines), &[("corp", "me:pass:w0rd")]), &[]);
        let reply = ask(&proxy, "/x");
        let Some((detail, remedy)) = refused else {
            assert_eq!(reply.status, 200, "{via}: {}", text(&reply.json(), "detail"));
            assert_eq!(socks.asked(), ["apiv2.metasv.com:443"]);
            continue;
        };
        let problem = reply.json();
        assert_eq!(refusal(&reply), (502, "upstream_proxy".to_owned()), "{problem}");
        assert!(text(&problem, "detail").contains(detail), "{detail}: {problem}");
        assert!(text(&problem, "remedy").contains(remedy), "{remedy}: {problem}");
        let everything = problem.to_string() + &proxy.output();
        assert!(!everything.contains("w0rd"), "{everything}");
    }
}

/// Which of the proxies a request goes through, if any.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Connect,
    Socks,
    Past,
}

#[test]
fn the_environment_names_the_proxy_where_it_is_asked() {
    let origin = provider();
    let lines = trusting(origin.ca());
    let table = [
        ("via = \"environment\"\n", &[("HTTPS_PROXY", "http://{c}")][..], Way::Connect),
        ("via = \"environment\"\n", &[("https_proxy", "http://{c}")], Way::Connect),
        ("via = \"environment\"\n", &[("ALL_PROXY", "socks5h://{s}")], Way::Socks),
        (
            "via = \"environment\"\n",
            &[("ALL_PROXY", "socks5h://{s}"), ("HTTPS_PROXY", "{c}"), ("HTTP_PROXY", "http://{s}")],
            Way::Connect,
        ),
        ("via = \"environment\"\n", &[("HTTP_PROXY", "http://{c}")], Way::Past),
        (
            "via = \"environment\"\n",
            &[("HTTPS_PROXY", "http://{c}"), ("NO_PROXY", "metasv.com,127.0.0.0/8")],
            Way::Past,
        ),
        ("", &[("HTTPS_PROXY", "http://{c}"), ("ALL_PROXY", "http://{c}")], Way::Past),
    ];
    for (via, variables, way) in table {
        let forwarder = Forwarder::start(Conduct::Connect(origin.address()));
        let socks = Socks::start(KNOWN, origin.address());
        let known = |address: SocketAddr| format!("me:pass%3Aw0rd@{address}");
        let fill = |value: &str| {
            value
                .replace("{c}", &known(forwarder.address()))
                .replace("{s}", &known(socks.address()))
        };
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (*name, fill(value))).collect();
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let config = super::metasv(&origin.url(), &format!("{lines}{via}"));
        let mut proxy = Proxy::start_in(Home::new(&config), &variables);
        assert_eq!(ask(&proxy, "/x").status, 200, "{variables:?}");
        let (asked, given) = (forwarder.asked(), socks.asked());
        let taken = match (asked.len(), given.len()) {
            (1, 0) => Way::Connect,
            (0, 1) => Way::Socks,
            (0, 0) => Way::Past,
            other => panic!("{other:?}"),
        };
        assert_eq!(taken, way, "{variables:?}");
        for asked in asked {
            assert_eq!(asked.values("Proxy-Authorization"), ["Basic bWU6cGFzczp3MHJk"]);
        }
        let written = proxy.finish(DEADLINE);
        assert!(!written.contains("w0rd") && !written.contains("bWU6cGFz"), "{written}");
    }
}

#[test]
fn a_variable_that_names_no_proxy_stops_the_start_where_it_is_asked() {
    let variable = ("HTTPS_PROXY", "ftp://me:w0rd@proxy.internal");
    for (lines, good) in [("via = \"environment\"\n", false), ("", true)] {
        let home = Home::new(&directly(lines));
        let mut check = Command::new(under_test());
        check.arg("check").arg(home.path("proxy.toml")).env(variable.0, variable.1);
        let output = check.output().expect("the binary can be run");
        let written =
            String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
        assert_eq!(output.status.success(), good, "{written}");
        let said = ["the variable HTTPS_PROXY is no URL of a proxy", "proxy.toml:", "fix: "];
        assert!(good || said.iter().all(|words| written.contains(words)), "{written}");
        assert!(!written.contains("w0rd"), "{written}");
    }
}

#[test]
fn who_finds_no_name_behind_a_companys_proxy_is_told_of_its_environment() {
    let advised = "via = \"environment\"";
    for (variables, told) in [(&[("HTTPS_PROXY", "http://127.0.0.1:1")][..], true), (&[], false)] {
        let proxy = knowing(Home::new(&directly("")), &[], variables);
        let reply = ask(&proxy, "/x");
        let problem = reply.json();
        assert_eq!(refusal(&reply), (502, "upstream_unreachable".to_owned()), "{problem}");
        assert!(text(&problem, "detail").contains("does not resolve"), "{problem}");
        assert_eq!(text(&problem, "remedy").contains(advised), told, "{problem}");
    }
}
