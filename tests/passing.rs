//! Hosts without a route: refused, or passed on unsigned where the configuration says so. A host
//! with a route never leaves unsigned.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::support::client::{Client, curl};
use crate::support::config::PASS;
use crate::support::origin::{Origin, echo, providers};
use crate::support::stage::{Stage, get, post};
use crate::support::wait::{accepted, eventually};

#[test]
fn a_host_without_a_route_is_passed_on_unsigned_or_refused() {
    let other = Origin::start(echo());
    let (passing, refusing) = (Stage::new(PASS), Stage::new(""));
    let url = format!("{}/a//b%2F?x=%zz", other.url());
    let reply = refusing.exchange(get(&url));
    assert_eq!((reply.status, &reply.json()["code"]), (403, &"host_not_routed".into()));
    assert_eq!(other.connections(), 0);

    let head = post(&url, "").replace("Content-Length: 0\r\n\r\n", "");
    let reply = passing.exchange(format!(
        "{head}Connection: X-Hop\r\nX-Hop: 1\r\nProxy-Connection: keep-alive\r\n\
         Authorization: Bearer own\r\nBIZ-API-KEY: own\r\nMetaSV-Nonce: own\r\n\
         Content-Length: 4\r\n\r\nbody"
    ));
    assert_eq!(reply.status, 200, "{}", reply.json());
    let [arrived] = other.arrived().try_into().expect("one request arrived");
    assert_eq!(
        (arrived.target.as_str(), arrived.body.as_slice()),
        ("/a//b%2F?x=%zz", b"body".as_slice())
    );
    assert_eq!(arrived.values("Host"), [other.url().trim_start_matches("http://")]);
    // The client's own headers are its own business, and nothing is put in.
    let mut names: Vec<_> = arrived.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    let expected = ["authorization", "biz-api-key", "content-length", "host", "metasv-nonce"];
    assert_eq!(names, expected);
    passing.proxy.await_metric("countersign_requests_total{route=\"-\",outcome=\"passed\"}", 1);
}

#[test]
fn a_host_with_a_route_is_neither_tunnelled_nor_passed_on_another_port() {
    let stage = Stage::new(PASS);
    let table = [
        ("GET http://api.sinohope.com:8080/x", "host_not_routed"),
        ("GET http://API.sinohope.com.:8080/x", "host_not_routed"),
        ("GET https://api.sinohope.com:8443/x", "host_not_routed"),
        ("CONNECT api.sinohope.com:443", "interception_off"),
        ("CONNECT API.Sinohope.Com:443", "interception_off"),
        ("CONNECT api.sinohope.com.:443", "interception_off"),
        ("CONNECT api.sinohope.com:8080", "host_not_routed"),
    ];
    for (line, code) in table {
        let reply = stage.exchange(format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!((reply.status, &reply.json()["code"]), (403, &code.into()), "{line}");
    }
    assert_eq!(stage.origin.connections(), 0);
    let reply = stage.exchange(get("http://api.sinohope.com/x"));
    assert_eq!(reply.status, 200, "{}", reply.json());
}

#[test]
fn tls_goes_through_a_tunnel_untouched_or_is_refused() {
    let other = Origin::start_tls(&["127.0.0.1"], providers());
    let (passing, refusing) = (Stage::new(PASS), Stage::new(""));
    let ca = other.ca().expect("it has an authority").display().to_string();
    let url = format!("{}/x", other.url());
    for (stage, connected) in [(&refusing, "403"), (&passing, "200")] {
        let proxy = stage.proxy.forward_url();
        let written = ["-o", "/dev/null", "-w", "%{http_connect} %{http_code}"];
        let output = curl([&["--proxy", proxy, "--cacert", &ca, &url][..], &written].concat());
        let inside = if connected == "200" { "401" } else { "000" };
        let codes = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(codes, format!("{connected} {inside}"), "{output:?}");
    }
    let [arrived] = other.arrived().try_into().expect("one request arrived");
    assert!(arrived.values("MetaSV-Signature").is_empty(), "{arrived:?}");
}

#[test]
fn a_tunnel_carries_bytes_both_ways_and_the_end_of_either() {
    for client_ends_first in [true, false] {
        let stage = Stage::new(PASS);
        let (mut client, mut server) = tunnel(&stage);
        client.send("ping");
        assert_eq!(take(&mut server, 4), b"ping");
        server.write_all(b"pong").expect("the tunnel is open");
        assert_eq!(client.take(4), b"pong");
        if client_ends_first {
            client.finish();
            assert_eq!(rest(&mut server), b"");
            server.write_all(b"late words").expect("this half is open");
            drop(server);
            assert_eq!(client.rest().expect("it ends well"), b"late words");
        } else {
            server.shutdown(Shutdown::Write).expect("the tunnel is open");
            assert_eq!(client.rest().expect("it ends well"), b"");
            client.send("late ");
            assert_eq!(take(&mut server, 5), b"late ");
            client.send("words");
            drop(client);
            assert_eq!(rest(&mut server), b"words");
        }
        stage.proxy.await_metric("countersign_tunnels", 0);
    }
}

#[test]
fn a_tunnel_carries_much_and_what_is_sent_at_once_with_its_request() {
    let stage = Stage::new(PASS);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let place = listener.local_addr().expect("it is bound");
    let mut client = stage.client();
    client.send(format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\nat once, "));
    assert_eq!(client.bare_reply().status, 200);
    let mut server = accepted(&listener);
    let much = vec![b'x'; 8 << 20];
    let mut writer = client.writer();
    let (sent, length) = (much.clone(), much.len());
    let sending = std::thread::spawn(move || writer.write_all(&sent));
    assert_eq!(take(&mut server, 9), b"at once, ");
    assert!(take(&mut server, length) == much);
    sending.join().expect("the writer does not panic").expect("all is written");
    let (mut half, sent) = (server.try_clone().expect("a socket can be shared"), much.clone());
    let sending = std::thread::spawn(move || half.write_all(&sent));
    assert!(client.take(length) == much);
    sending.join().expect("the writer does not panic").expect("all is written");
}

#[test]
fn what_a_client_sends_after_the_servers_end_arrives_whole() {
    let stage = Stage::new(PASS);
    let (mut client, mut server) = tunnel(&stage);
    server.shutdown(Shutdown::Write).expect("the tunnel is open");
    assert_eq!(client.rest().expect("it ends well"), b"");
    let much: Vec<u8> = (0..32_u32 << 20).map(|at| (at / 251 + at) as u8).collect();
    let mut writer = client.writer();
    let sent = much.clone();
    let sending = std::thread::spawn(move || writer.write_all(&sent));
    // In such small sips that the proxy has to wait for the server now and then.
    for (number, sip) in much.chunks(1024).enumerate() {
        assert!(take(&mut server, sip.len()) == sip, "sip {number} is another");
    }
    sending.join().expect("the writer does not panic").expect("all is written");
    drop(client);
    assert_eq!(rest(&mut server), b"");
}

#[test]
fn a_tunnel_without_a_byte_for_too_long_is_ended_on_both_sides() {
    let stage = Stage::new(&format!("{PASS}[timeouts]\ntunnel_idle = \"300ms\"\n"));
    let (mut client, mut server) = tunnel(&stage);
    assert_eq!(client.await_end(), b"");
    assert_eq!(rest(&mut server), b"");
    stage.proxy.await_metric("countersign_tunnels", 0);
}

#[test]
fn a_tunnel_that_cannot_be_opened_is_refused_with_the_reason() {
    let stage = Stage::new(PASS);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    // While the port is taken on one address, nobody has it on another.
    let closed = format!("127.0.0.2:{}", taken.local_addr().expect("it is bound").port());
    let own = stage.proxy.forward_url().trim_start_matches("http://").to_owned();
    let nowhere = "nothing.invalid:443".to_owned();
    let table = [
        (closed, 502, "upstream_unreachable"),
        (nowhere, 502, "upstream_unreachable"),
        (own, 508, "loop"),
    ];
    for (place, status, code) in table {
        let mut client = stage.client();
        let reply = client.exchange(format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n"));
        assert_eq!((reply.status, &reply.json()["code"]), (status, &code.into()), "{place}");
        // The connection is still one that speaks HTTP.
        assert_eq!(client.exchange(get("http://apiv2.metasv.com/x")).status, 200, "{place}");
    }
}

#[test]
fn a_tunnel_that_is_counted_is_open() {
    let stage = Stage::new(PASS);
    let tunnels: Vec<_> = (0..3).map(|_| tunnel(&stage)).collect();
    stage.proxy.await_metric("countersign_tunnels", 3);
    drop(tunnels);
    eventually("they are closed", || stage.proxy.metric("countersign_tunnels") == 0);
}

/// A client and a server with a tunnel between them.
fn tunnel(stage: &Stage) -> (Client, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let place = listener.local_addr().expect("it is bound");
    let mut client = stage.client();
    client.send(format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n"));
    assert_eq!(client.bare_reply().status, 200);
    (client, accepted(&listener))
}

fn take(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).expect("so much comes");
    bytes
}

fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("it ends well");
    bytes
}
