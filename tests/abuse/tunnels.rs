//! CONNECT to places in every spelling, and with what does not belong to it.

use std::net::TcpListener;

use crate::support::client::Client;
use crate::support::config::{INTERCEPT, PASS};
use crate::support::stage::intercepting;
use crate::support::wait::eventually;

#[test]
fn a_place_in_any_spelling_is_the_routed_one_or_refused() {
    let (stage, _) = intercepting(&format!("{INTERCEPT}{ROUTES}{PASS}"));
    let own = stage.proxy.forward_url().rsplit(':').next().unwrap_or_default();
    // Nobody listens there while this one has the port on another address.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let free = taken.local_addr().expect("it is bound").port();
    let table: &[(&str, u16, &str)] = &[
        ("APIv2.MetaSV.com.:443", 200, ""),
        ("apiv2.metasv.com:0443", 200, ""),
        ("a.metasv.test:443", 200, ""),
        ("192.0.2.1:443", 200, ""),
        ("[::ffff:192.0.2.1]:443", 200, ""),
        ("[::ffff:c000:201]:443", 200, ""),
        ("apiv2.metasv.com:8443", 403, "host_not_routed"),
        ("[::ffff:192.0.2.1]:8443", 403, "host_not_routed"),
        ("apiv2.metasv.com..:443", 400, "bad_target"),
        ("a..metasv.test:443", 400, "bad_target"),
        (".metasv.test:443", 400, "bad_target"),
        ("0xc0000201:443", 400, "bad_target"),
        ("3221225985:443", 400, "bad_target"),
        ("192.0.513:443", 400, "bad_target"),
        ("h", 400, "bad_target"),
        ("h:", 400, "bad_target"),
        ("h:0", 400, "bad_target"),
        ("h:99999", 400, "bad_target"),
        (":443", 400, "bad_target"),
        ("u@apiv2.metasv.com:443", 400, "bad_target"),
        ("[::1]x:443", 400, "bad_target"),
        (&format!("localhost:{own}"), 508, "loop"),
        (&format!("LOCALHOST.:{own}"), 508, "loop"),
        (&format!("0.0.0.0:{own}"), 508, "loop"),
        (&format!("[::ffff:127.0.0.1]:{own}"), 508, "loop"),
        (&format!("127.0.0.2:{free}"), 502, "upstream_unreachable"),
    ];
    for (place, status, code) in table {
        let mut client = Client::connect(stage.proxy.forward_url());
        client.send(format!("CONNECT {place} HTTP/1.1\r\nHost: h\r\n\r\n"));
        if *status == 200 {
            assert_eq!(client.bare_reply().status, 200, "{place}");
            // What is inside is read and not relayed: it names another host.
            client.send("GET /x HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n");
            assert_eq!(client.reply().status, 421, "{place}");
            continue;
        }
        let reply = client.reply();
        assert_eq!((reply.status, &reply.json()["code"]), (*status, &(*code).into()), "{place}");
    }
    assert_eq!(stage.origin.connections(), 0);
}

#[test]
fn a_connect_with_a_body_opens_nothing() {
    let (stage, _) = intercepting(&format!("{INTERCEPT}{PASS}"));
    let blind = stage.origin.url().replace("http://", "");
    for place in ["apiv2.metasv.com:443", "apiv2.metasv.com:80", &blind] {
        for framing in ["Content-Length: 5", "Content-Length: 99", "Transfer-Encoding: chunked"] {
            let mut client = Client::connect(stage.proxy.forward_url());
            client.send(format!("CONNECT {place} HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n"));
            client.send("5\r\nGET /x HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\r\n");
            let reply = client.reply();
            assert_eq!((reply.status, &reply.json()["code"]), (400, &"bad_target".into()));
        }
    }
    assert_eq!(stage.origin.connections(), 0);
    let mut client = Client::connect(stage.proxy.forward_url());
    client.send(format!("CONNECT {blind} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"));
    assert_eq!(client.bare_reply().status, 200);
    drop(client);
    eventually("the tunnel is closed", || stage.proxy.metric("countersign_tunnels") == 0);
}
const ROUTES: &str = r#"
[routes.wild]
host = "*.metasv.test"
scheme = "metasv"
keys = { signer = "metasv" }
upstream = "metasv_origin"

[routes.four]
host = "192.0.2.1"
scheme = "metasv"
keys = { signer = "metasv" }
upstream = "metasv_origin"
"#;
