//! HTTPS through CONNECT: the proxy ends TLS for hosts that have a route, signs what is inside,
//! and lets nothing inside be about another host.

use std::thread;

use crate::support::authority::Authority;
use crate::support::client::{Client, curl};
use crate::support::config::{self, CA_FILE, CA_KEY_FILE, INTERCEPT};
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::wait::eventually;

#[test]
fn curl_is_signed_for_inside_tls_in_both_versions_of_http() {
    let stage = Stage::new("");
    let (ca, proxy) = (stage.ca_path(), stage.proxy.forward_url());
    for (version, flag) in [("1.1", "--http1.1"), ("2", "--http2")] {
        for (index, rest) in [
            &["https://api.sinohope.com/v1/test?b=2&a=1"][..],
            &["--data", "{\"a\": 1}", "https://api.sinohope.com/v1/test"],
            &["-H", "Cookie: a=1", "-H", "Cookie: b=2", "https://apiv2.metasv.com/block/x"],
        ]
        .iter()
        .enumerate()
        {
            let common =
                ["--proxy", proxy, "--cacert", &ca, flag, "-w", "\n%{http_version} %{http_code}"];
            let output = curl([&common[..], rest].concat());
            let text = String::from_utf8_lossy(&output.stdout);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(text.ends_with(&format!("\n{version} 200")), "{flag} {index}: {text} {error}");
        }
    }
    let arrived = stage.origin.arrived();
    assert_eq!(arrived.len(), 6);
    let blocks: Vec<_> = arrived.iter().filter(|one| one.target == "/block/x").collect();
    assert_eq!(blocks.len(), 2);
    for one in blocks {
        let joined: Vec<_> = one.values("Cookie").iter().flat_map(|c| c.split("; ")).collect();
        assert_eq!(joined, ["a=1", "b=2"]);
    }
}

#[test]
fn every_request_inside_must_be_for_the_host_of_its_connect() {
    let stage = Stage::new("");
    let mut client = stage.inside("api.sinohope.com").expect("the certificate is right");
    for (request, status) in [
        ("GET /x HTTP/1.1\r\nHost: api.sinohope.com\r\n\r\n", 200),
        ("GET /x HTTP/1.1\r\nHost: API.sinohope.com:443\r\n\r\n", 200),
        ("GET https://api.sinohope.com/x HTTP/1.1\r\nHost: api.sinohope.com\r\n\r\n", 200),
        ("GET /x HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\r\n", 421),
        ("GET /x HTTP/1.1\r\nHost: api.sinohope.com:8443\r\n\r\n", 421),
        ("GET https://apiv2.metasv.com/x HTTP/1.1\r\nHost: api.sinohope.com\r\n\r\n", 421),
        ("GET /x HTTP/1.1\r\nHost: api.sinohope.com\r\nHost: other.test\r\n\r\n", 400),
        ("CONNECT apiv2.metasv.com:443 HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\r\n", 400),
        ("GET api.sinohope.com:443 HTTP/1.1\r\nHost: api.sinohope.com\r\n\r\n", 400),
        ("GET ftp://api.sinohope.com/x HTTP/1.1\r\nHost: api.sinohope.com\r\n\r\n", 400),
        ("GET /x HTTP/1.1\r\nHost: api.sinohope.com\r\n\r\n", 200),
    ] {
        let reply = client.exchange(request);
        assert_eq!(reply.status, status, "{request}{:?}", String::from_utf8_lossy(&reply.body));
        if status == 421 {
            assert_eq!(reply.json()["code"], "wrong_authority");
        }
    }
    assert_eq!(stage.origin.arrived().len(), 4);
    // The same over HTTP/2, where the authority is in the request's head.
    let stray = ["-H", "Host: apiv2.metasv.com", "https://api.sinohope.com/x"];
    let (ca, proxy) = (stage.ca_path(), stage.proxy.forward_url());
    let common = ["--http2", "--proxy", proxy, "--cacert", &ca, "-w", "\n%{http_code}"];
    let output = curl([&common[..], &stray].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.ends_with("\n421"), "{text}");
    assert_eq!(stage.origin.arrived().len(), 4);
}

#[test]
fn a_handshake_for_another_host_gets_an_alert() {
    let stage = Stage::new("");
    let tunnel = Client::tunnel(stage.proxy.forward_url(), "api.sinohope.com:443");
    let refused = tunnel.secure("apiv2.metasv.com", &stage.ca.pem()).err();
    let refused = refused.expect("the proxy does not go on").to_string();
    assert!(refused.contains("UnrecognisedName"), "{refused}");
    stage.proxy.await_output("cut=\"the TLS inside is for apiv2.metasv.com\"");
    assert_eq!(stage.origin.connections(), 0);
}

#[test]
fn an_address_needs_no_server_name() {
    let origin = Origin::start(providers());
    let route = format!(
        "[keys.metasv]\nstore = \"files\"\nentry = \"metasv.hex\"\nalgorithm = \"ecdsa_secp256k1\"\n\
         [routes.four]\nhost = \"192.0.2.7\"\nscheme = \"metasv\"\nkeys = {{ signer = \"metasv\" }}\nupstream = \"o\"\n\
         [routes.six]\nhost = \"[2001:db8::7]:8443\"\nscheme = \"metasv\"\nkeys = {{ signer = \"metasv\" }}\nupstream = \"o\"\n\
         [upstreams.o]\nurl = \"{}\"\n",
        origin.url()
    );
    let ca = Authority::new();
    let proxy = Proxy::start_in(home(&ca, &config::proxy(&[route, INTERCEPT.to_owned()])), &[]);
    for (place, name) in [("192.0.2.7:443", "192.0.2.7"), ("[2001:db8::7]:8443", "2001:db8::7")] {
        let tunnel = Client::tunnel(proxy.forward_url(), place);
        let mut client = tunnel.secure(name, &ca.pem()).expect("the certificate is right");
        let reply = client.exchange(format!("GET /x HTTP/1.1\r\nHost: {place}\r\n\r\n"));
        assert_eq!(reply.status, 200, "{place}: {}", String::from_utf8_lossy(&reply.body));
    }
}

#[test]
fn what_is_not_a_handshake_ends_without_harm() {
    let stage = Stage::new("[timeouts]\nrequest_head = \"400ms\"\n");
    stage.proxy.await_metric("countersign_connections", 1);
    let before = stage.proxy.descriptors();
    let hello = client_hello("api.sinohope.com");
    let place = "api.sinohope.com:443";
    for (what, bytes) in [
        ("silence", &[][..]),
        ("half a ClientHello", &hello[..hello.len() / 2]),
        ("one byte", &hello[..1]),
        ("a record of nonsense", &[22, 3, 1, 0, 5, 9, 9, 9, 9, 9]),
        ("a record longer than any", &[22, 3, 1, 255, 255, 1]),
    ] {
        let mut client = Client::tunnel(stage.proxy.forward_url(), place);
        client.send(bytes);
        let answer = client.await_end();
        // At most an alert.
        assert!(answer.len() <= 7, "{what}: {answer:?}");
        assert!(answer.is_empty() || answer[0] == 21, "{what}: {answer:?}");
    }
    for bytes in [&hello[..], &hello[..40], &[]] {
        let mut client = Client::tunnel(stage.proxy.forward_url(), place);
        client.send(bytes);
        drop(client);
    }
    let mut client = stage.inside("api.sinohope.com").expect("the certificate is right");
    client.send("POST /x HTTP/1.1\r\nHost: api.sinohope.com\r\nContent-Length: 9\r\n\r\nhalf");
    drop(client);
    stage.proxy.await_metric("countersign_connections", 1);
    eventually("descriptors go back", || stage.proxy.descriptors() <= before + 1);
    assert_eq!(stage.origin.arrived().len(), 0);
}

#[test]
fn junk_authorities_are_refused() {
    let stage = Stage::new("");
    for (target, status, code) in [
        ("api.sinohope.com", 400, "bad_target"),
        ("api.sinohope.com:0", 400, "bad_target"),
        ("api.sinohope.com:65536", 400, "bad_target"),
        ("u:p@api.sinohope.com:443", 400, "bad_target"),
        ("[::1:443", 400, "bad_target"),
        ("other.test:443", 403, "host_not_routed"),
        ("api.sinohope.com:8443", 403, "host_not_routed"),
    ] {
        let mut client = Client::connect(stage.proxy.forward_url());
        client.send(format!("CONNECT {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let reply = client.reply();
        // What hyper does not take for an authority has no body to look at.
        let found = if reply.body.is_empty() { code.into() } else { reply.json()["code"].clone() };
        assert_eq!((reply.status, found), (status, code.into()), "{target}");
    }
}

#[test]
fn an_upstream_that_resets_is_a_refusal_inside_tls_too() {
    let stage = Stage::new("");
    let mut client = stage.inside("apiv2.metasv.com").expect("the certificate is right");
    for (path, code) in [("/drop", "upstream_closed"), ("/garbage", "upstream_protocol")] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\r\n");
        let reply = client.exchange(request);
        assert_eq!((reply.status, &reply.json()["code"]), (502, &code.into()));
    }
    let reply = client.exchange("GET /x HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\r\n");
    assert_eq!(reply.status, 200);
}

#[test]
fn two_hundred_connections_to_fifty_new_hosts_need_fifty_certificates() {
    let origin = Origin::start(providers());
    let route = format!(
        "[keys.metasv]\nstore = \"files\"\nentry = \"metasv.hex\"\nalgorithm = \"ecdsa_secp256k1\"\n\
         [routes.many]\nhost = \"*.metasv.test\"\nscheme = \"metasv\"\n\
         keys = {{ signer = \"metasv\" }}\nupstream = \"o\"\n[upstreams.o]\nurl = \"{}\"\n",
        origin.url()
    );
    let ca = Authority::new();
    let proxy = Proxy::start_in(home(&ca, &config::proxy(&[route, INTERCEPT.to_owned()])), &[]);
    // All are open before the first handshake begins.
    let named = |number| format!("h{}.metasv.test", number % 50);
    let open = |name: String| {
        let tunnel = Client::tunnel(proxy.forward_url(), &format!("{name}:443"));
        (name, tunnel)
    };
    let tunnels: Vec<_> = (0..200).map(named).map(open).collect();
    let threads: Vec<_> = tunnels
        .into_iter()
        .map(|(name, tunnel)| {
            let pem = ca.pem();
            thread::spawn(move || {
                let mut client = tunnel.secure(&name, &pem).expect("the certificate is right");
                let reply = client.exchange(format!("GET /x HTTP/1.1\r\nHost: {name}\r\n\r\n"));
                assert_eq!(reply.status, 200);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("every client is served");
    }
    assert_eq!(proxy.metric("countersign_leaves_minted_total"), 50);
    assert_eq!(origin.arrived().len(), 200);
}

#[test]
fn without_intercept_only_plain_http_is_found_inside() {
    let origin = Origin::start(providers());
    let metasv = config::metasv(&origin.url(), None);
    let proxy = Proxy::start(&config::proxy(&[metasv]));
    let mut client = Client::tunnel(proxy.forward_url(), "apiv2.metasv.com:80");
    let reply = client.exchange("GET /x HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\r\n");
    assert_eq!(reply.status, 200);
    let mut client = Client::tunnel(proxy.forward_url(), "apiv2.metasv.com:80");
    client.send(client_hello("apiv2.metasv.com"));
    assert_eq!(client.await_end()[..1], [21], "an alert");
    let mut client = Client::connect(proxy.forward_url());
    let reply = client.exchange("CONNECT apiv2.metasv.com:443 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((reply.status, &reply.json()["code"]), (403, &"interception_off".into()));
}

/// The first flight of a client that asks for this host.
fn client_hello(name: &str) -> Vec<u8> {
    let tls = crate::support::client::trusting("", &[b"http/1.1"]);
    let name = name.to_owned().try_into().expect("a name");
    let mut tls = rustls::ClientConnection::new(tls, name).expect("the settings are right");
    let mut bytes = Vec::new();
    tls.write_tls(&mut bytes).expect("memory takes it");
    bytes
}

/// An origin that is both providers, and a proxy that opens TLS for them.
struct Stage {
    origin: Origin,
    proxy: Proxy,
    ca: Authority,
}

impl Stage {
    fn new(tables: &str) -> Self {
        let origin =
            Origin::start_tls(&["api.sinohope.com", "apiv2.metasv.com"], scripted(providers()));
        let ca = Authority::new();
        let trusted = origin.ca();
        let providers =
            [config::sinohope(&origin.url(), trusted), config::metasv(&origin.url(), trusted)];
        let text =
            config::proxy(&[&providers[..], &[INTERCEPT.to_owned(), tables.to_owned()]].concat());
        let proxy = Proxy::start_in(home(&ca, &text), &[]);
        Self { origin, proxy, ca }
    }

    fn ca_path(&self) -> String {
        self.proxy.home().path(CA_FILE).display().to_string()
    }

    fn inside(&self, name: &str) -> std::io::Result<Client> {
        let tunnel = Client::tunnel(self.proxy.forward_url(), &format!("{name}:443"));
        tunnel.secure(name, &self.ca.pem())
    }
}

fn home(ca: &Authority, text: &str) -> Home {
    let home = Home::new(text);
    home.write(CA_FILE, &ca.pem());
    home.write(CA_KEY_FILE, &ca.key_pem());
    home
}
