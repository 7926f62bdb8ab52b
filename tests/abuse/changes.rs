//! What is open when the configuration changes, or a stop comes: interception in each of its
//! phases.

use crate::support::authority::Authority;
use crate::support::client::Client;
use crate::support::config::{self, CA_FILE, CA_KEY_FILE, INTERCEPT, PASS, TOKENS, TOKENS_FILE};
use crate::support::h2_client::Http2;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers};
use crate::support::proxy::{Proxy, Signal};
use crate::support::stage::intercepting;
use crate::support::wait::{DEADLINE, eventually};

#[test]
fn a_token_that_is_taken_back_opens_nothing_more_inside_either() {
    let origin = Origin::start(providers());
    let tables = [config::metasv(&origin.url(), None), INTERCEPT.to_owned(), TOKENS.to_owned()];
    let (home, ca) = (Home::new(&config::proxy(&tables)), Authority::new());
    home.write(CA_FILE, &ca.pem());
    home.write(CA_KEY_FILE, &ca.key_pem());
    home.write(TOKENS_FILE, &config::client_tokens(&[("app", "t0ken"), ("bot", "other")]));
    let proxy = Proxy::start_in(home, &[]);
    let inside = |token: &str| {
        let mut client = Client::connect(proxy.forward_url());
        client.send(format!(
            "CONNECT apiv2.metasv.com:443 HTTP/1.1\r\nHost: h\r\n\
             Proxy-Authorization: Bearer {token}\r\n\r\n"
        ));
        assert_eq!(client.bare_reply().status, 200);
        client.secure("apiv2.metasv.com", &ca.pem()).expect("the certificate is right")
    };
    let (mut app, mut bot) = (inside("t0ken"), inside("other"));
    // A token inside is neither asked for nor passed on, whatever it is.
    let other = REQUEST.replace("\r\n\r\n", "\r\nProxy-Authorization: Bearer wrong\r\n\r\n");
    for client in [&mut app, &mut bot] {
        assert_eq!(client.exchange(REQUEST).status, 200);
        assert_eq!(client.exchange(&other).status, 200);
    }
    proxy.home().write(TOKENS_FILE, &config::client_tokens(&[("app", "new"), ("bot", "other")]));
    proxy.reload(&config::proxy(&tables), true);
    let reply = app.exchange(REQUEST);
    assert_eq!((reply.status, &reply.json()["code"]), (407, &"client_unauthenticated".into()));
    assert_eq!(bot.exchange(REQUEST).status, 200);
    let arrived = origin.arrived();
    assert_eq!(arrived.len(), 5);
    assert!(arrived.iter().all(|one| one.values("Proxy-Authorization").is_empty()));
}

#[test]
fn what_is_open_goes_by_the_configuration_of_each_request() {
    let (stage, ca) = intercepting(&format!("{INTERCEPT}{PASS}"));
    let secure = || {
        let tunnel = Client::tunnel(stage.proxy.forward_url(), "apiv2.metasv.com:443");
        tunnel.secure("apiv2.metasv.com", &ca).expect("the certificate is right")
    };
    let mut open = secure();
    assert_eq!(open.exchange(REQUEST).status, 200);
    // Another authority: what is open goes on, what comes is shown the new one's certificates.
    let other = Authority::new();
    stage.proxy.home().write(CA_FILE, &other.pem());
    stage.proxy.home().write(CA_KEY_FILE, &other.key_pem());
    let tables = format!("{INTERCEPT}{PASS}");
    stage.proxy.reload(&stage.configuration(&tables), true);
    assert_eq!(open.exchange(REQUEST).status, 200);
    let tunnel = Client::tunnel(stage.proxy.forward_url(), "apiv2.metasv.com:443");
    assert!(tunnel.secure("apiv2.metasv.com", &ca).is_err(), "the old one vouches for nobody");
    // Without its route, and with unrouted = "refuse", the host is no longer to be reached.
    let sinohope = config::sinohope(&stage.origin.url(), None);
    stage.proxy.reload(&config::proxy(&[sinohope, INTERCEPT.to_owned()]), true);
    let reply = open.exchange(REQUEST);
    assert_eq!((reply.status, &reply.json()["code"]), (403, &"host_not_routed".into()));
    assert_eq!(stage.origin.arrived().len(), 2);
}

#[test]
fn a_stop_comes_in_every_phase_of_a_connection() {
    let tables = format!("{INTERCEPT}[timeouts]\ndrain = \"700ms\"\nrequest_head = \"300ms\"\n");
    let connect = |proxy: &Proxy| Client::tunnel(proxy.forward_url(), "apiv2.metasv.com:443");
    let secure = |proxy: &Proxy, ca: &str, protocol: &'static [u8]| {
        let tunnel = connect(proxy);
        tunnel.secure_in("apiv2.metasv.com", ca, &[protocol]).expect("the certificate is right")
    };
    type Phase<'a> = (&'a str, &'a dyn Fn(&Proxy, &str) -> Client);
    let phases: [Phase<'_>; 7] = [
        ("nothing said", &|proxy, _| Client::connect(proxy.forward_url())),
        ("nothing said to the gateway", &|proxy, _| Client::connect(proxy.gateway_url())),
        ("after 200", &|proxy, _| connect(proxy)),
        ("within the handshake", &|proxy, _| {
            let mut client = connect(proxy);
            client.send([22, 3, 1]);
            client
        }),
        ("idle in HTTP/1.1", &|proxy, ca| {
            let mut client = secure(proxy, ca, b"http/1.1");
            assert_eq!(client.exchange(REQUEST).status, 200);
            client
        }),
        ("before the preface", &|proxy, ca| secure(proxy, ca, b"h2")),
        ("within a head", &|proxy, ca| {
            let mut client = secure(proxy, ca, b"http/1.1");
            client.send(&REQUEST[..20]);
            client
        }),
    ];
    for (phase, come) in phases {
        let (mut stage, ca) = intercepting(&tables);
        let mut client = come(&stage.proxy, &ca);
        stage.proxy.signal(Signal::Terminate);
        client.await_end();
        assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0), "{phase}");
        stage.proxy.await_output(" drained");
    }
}

#[test]
fn a_stop_lets_a_stream_of_http_2_finish_and_refuses_the_next() {
    let (mut stage, ca) = intercepting(INTERCEPT);
    let tunnel = Client::tunnel(stage.proxy.forward_url(), "apiv2.metasv.com:443");
    let tunnel = tunnel.secure_in("apiv2.metasv.com", &ca, &[b"h2"]);
    let mut client = Http2::begin(tunnel.expect("the certificate is right"), &[]);
    let head = |path| {
        [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "apiv2.metasv.com"),
            (":path", path),
        ]
    };
    client.head(1, &head("/held"), true);
    eventually("it is under way", || stage.origin.begun() == 1);
    stage.proxy.signal(Signal::Interrupt);
    eventually("it is not ready", || stage.proxy.probe("/readyz").status == 503);
    client.head(3, &head("/x"), true);
    stage.origin.release();
    assert_eq!(client.end(1).status(), Some(200));
    assert_ne!(client.end(3).status(), Some(200));
    assert_eq!(stage.proxy.wait_exit(DEADLINE).code(), Some(0));
    assert_eq!(stage.origin.arrived().len(), 1);
}

const REQUEST: &str = "GET /x HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\r\n";
