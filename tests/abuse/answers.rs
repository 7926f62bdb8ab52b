//! Answers that go wrong, or come too early, for clients of HTTP/2 and of HTTP/1.0, who are told
//! so in other ways than those of HTTP/1.1.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use crate::support::client::Client;
use crate::support::config::{self, PASS};
use crate::support::h2_client::{DATA, End, Http2, get};
use crate::support::h2_origin::H2Origin;
use crate::support::origin::{self, Answer, Origin, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, Stage};
use crate::support::wait::accepted;

#[test]
fn an_answer_that_breaks_off_is_reset_in_http_2() {
    let stage = Stage::with(breaking(), "[timeouts]\nbody_idle = \"300ms\"\n");
    let url = stage.proxy.gateway_url();
    let mut client = Http2::begin(Client::connect(url), &[]);
    let paths = ["/truncate", "/chunked-cut", "/stall"];
    for (stream, path) in [1, 3, 5].into_iter().zip(paths) {
        let end = client.ask(stream, &get(url, &format!("/metasv{path}")));
        assert!(matches!(end, End::Reset(2)), "{path}: {end:?}");
    }
    // Of the others on the connection none is harmed.
    assert_eq!(client.ask(7, &get(url, "/metasv/x")).status(), Some(200));
    assert_eq!(stage.origin.arrived().len(), 4);
}

#[test]
fn an_answer_that_breaks_off_does_not_look_complete_to_http_1_0() {
    let stage = Stage::with(breaking(), "");
    let (forward, gateway) = (stage.proxy.forward_url(), stage.proxy.gateway_url());
    let host = gateway.trim_start_matches("http://");
    type Way<'a> = (&'a str, &'a dyn Fn() -> (Client, String));
    let ways: [Way<'_>; 3] = [
        ("forward", &|| (Client::connect(forward), format!("{METASV}/chunked-cut"))),
        ("gateway", &|| (Client::connect(gateway), "/metasv/chunked-cut".to_owned())),
        ("inside CONNECT", &|| {
            let tunnel = Client::tunnel(forward, "apiv2.metasv.com:80");
            (tunnel, format!("{METASV}/chunked-cut"))
        }),
    ];
    for (way, come) in ways {
        let (mut client, target) = come();
        let named = if way == "gateway" { host } else { "apiv2.metasv.com" };
        client.send(format!("GET {target} HTTP/1.0\r\nHost: {named}\r\n\r\n"));
        let end = client.rest();
        assert!(
            end.is_err(),
            "{way}: {:?}",
            end.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        );
    }
}

#[test]
fn an_answer_before_the_end_of_an_upload_reaches_clients_of_http_2() {
    let one = Origin::start(scripted(origin::providers()));
    let two = H2Origin::start(&["apiv2.metasv.com"], origin::metasv("test-a"));
    for (url, ca) in [(one.url(), None), (two.url(), Some(two.ca()))] {
        let proxy = Proxy::start(&config::proxy(&[config::metasv(&url, ca)]));
        let gateway = proxy.gateway_url();
        let mut client = Http2::begin(Client::connect(gateway), &[]);
        for stream in [1, 3, 5] {
            let mut head = get(gateway, "/metasv/early");
            head[0].1 = "POST".to_owned();
            client.head(stream, &head, false);
            client.send(DATA, 0, stream, &[b'x'; 1000]);
            // The rest is never sent.
            assert_eq!(client.end(stream).status(), Some(401), "{url}");
        }
        assert_eq!(client.ask(7, &get(gateway, "/metasv/x")).status(), Some(200), "{url}");
        drop(client);
        proxy.await_metric("countersign_connections", 1);
    }
}

#[test]
fn a_tunnel_that_is_reset_at_one_end_is_reset_at_the_other() {
    let stage = Stage::new(PASS);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let place = listener.local_addr().expect("it is bound");
    let mut client = Client::tunnel(stage.proxy.forward_url(), &place.to_string());
    let mut server = accepted(&listener);
    client.send("unread");
    stage.proxy.await_read(&client);
    server.write_all(b"half an answer").expect("the tunnel is open");
    assert_eq!(client.take(14), b"half an answer");
    reset(server);
    assert!(client.rest().is_err(), "what ends here has not ended well");
    stage.proxy.await_metric("countersign_tunnels", 0);
}

/// Closing with unread bytes makes the system reset the connection.
fn reset(stream: TcpStream) {
    let mut first = [0];
    assert_eq!(stream.peek(&mut first).expect("something has come"), 1);
    drop(stream);
}

fn breaking() -> origin::Handler {
    let otherwise = scripted(origin::providers());
    Box::new(move |request| match request.path() {
        "/chunked-cut" => Answer::Raw(CUT.to_vec()),
        _ => otherwise(request),
    })
}

const CUT: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
