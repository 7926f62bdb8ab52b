//! `unrouted = "pass"` against server-side request forgery: it leads to no private network, however
//! the address is spelt and whatever a name resolves to, unless the configuration names it.
//!
//! Each in a network namespace that has the addresses, so that an older program reaches them there.

mod names;

use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::support::alone::alone;
use crate::support::client::Client;
use crate::support::origin::{Origin, echo};
use crate::support::proxy::Proxy;
use crate::support::stage::Stage;
use crate::support::wait::{accepted, eventually};

const PASS: &str = "[access]\nunrouted = \"pass\"\n";

/// What a client can ask for of a place: its name, and the request.
type Form = (&'static str, fn(&str) -> String);

/// Those of which each has its own dialling.
const FORMS: [Form; 3] = [
    ("plain", |place| format!("GET http://{place}/x HTTP/1.1\r\nHost: h\r\n\r\n")),
    ("CONNECT", |place| format!("CONNECT {place} HTTP/1.1\r\nHost: h\r\n\r\n")),
    ("WebSocket", |place| {
        format!(
            "GET http://{place}/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    }),
];

/// What comes of a request: 200, or the refusal's code.
fn told(proxy: &Proxy, request: &str) -> String {
    let mut client = Client::connect(proxy.forward_url());
    client.send(request);
    if !request.starts_with("CONNECT") {
        let reply = client.reply();
        return if reply.status == 200 { "200".into() } else { code(&reply.json()) };
    }
    let reply = client.bare_reply();
    if reply.status == 200 {
        return "200".into();
    }
    let length = reply.values("Content-Length")[0].parse().expect("a number");
    code(&serde_json::from_slice(&client.take(length)).expect("a refusal is JSON"))
}

fn code(problem: &serde_json::Value) -> String {
    problem["code"].as_str().expect("a refusal has a code").to_owned()
}

/// Answers on every address there is, of either kind.
fn everywhere() -> (Origin, u16) {
    let any: SocketAddr = "[::]:0".parse().expect("an address");
    let origin = Origin::start_at(any, echo());
    let url = origin.url();
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
    (origin, port.expect("its URL has a port"))
}

#[test]
fn no_private_address_is_reached_however_it_is_spelt() {
    let made = [
        "addr add 10.1.2.3/32 dev lo",
        "addr add 172.16.0.1/32 dev lo",
        "addr add 192.168.0.1/32 dev lo",
        "addr add 100.100.100.200/32 dev lo",
        "addr add 169.254.169.254/32 dev lo",
        "addr add 192.0.0.192/32 dev lo",
        "addr add 168.63.129.16/32 dev lo",
        "addr add fd00:ec2::254/128 dev lo",
        "addr add 64:ff9b::a01:203/128 dev lo",
        "addr add 2002:a01:203::1/128 dev lo",
    ];
    alone("private::no_private_address_is_reached_however_it_is_spelt", &made, || {
        let (origin, port) = everywhere();
        let stage = Stage::new(PASS);
        let mut asked = 0;
        for (host, expected) in [
            ("127.0.0.1", "private_address"),
            ("127.9.9.9", "private_address"),
            ("localhost", "private_address"),
            ("LOCALHOST.", "private_address"),
            ("0.0.0.0", "private_address"),
            ("[::]", "private_address"),
            ("[::1]", "private_address"),
            ("[0:0:0:0:0:0:0:1]", "private_address"),
            ("[::ffff:127.0.0.1]", "private_address"),
            ("[::ffff:7f00:1]", "private_address"),
            ("10.1.2.3", "private_address"),
            ("[::ffff:10.1.2.3]", "private_address"),
            ("[64:ff9b::10.1.2.3]", "private_address"),
            ("[2002:a01:203::1]", "private_address"),
            ("172.16.0.1", "private_address"),
            ("192.168.0.1", "private_address"),
            ("100.100.100.200", "private_address"),
            ("169.254.169.254", "private_address"),
            ("192.0.0.192", "private_address"),
            ("168.63.129.16", "private_address"),
            ("[fd00:ec2::254]", "private_address"),
            // Forms that some resolvers take for 127.0.0.1 are no host.
            ("2130706433", "bad_target"),
            ("0x7f000001", "bad_target"),
            ("0x7f.1", "bad_target"),
            ("017700000001", "bad_target"),
            ("0177.0.0.1", "bad_target"),
            ("127.1", "bad_target"),
        ] {
            for (form, request) in FORMS {
                let found = told(&stage.proxy, &request(&format!("{host}:{port}")));
                assert_eq!(found, expected, "{form}: {host}");
                asked += 1;
            }
        }
        let admin = stage.proxy.admin_url().trim_start_matches("http://");
        for (form, request) in FORMS {
            assert_eq!(told(&stage.proxy, &request(admin)), "private_address", "{form}: {admin}");
        }
        assert_eq!((asked, origin.connections(), stage.origin.connections()), (81, 0, 0));
    });
}

#[test]
fn networks_that_are_named_are_reached_and_no_others_also_after_a_reload() {
    let name = "private::networks_that_are_named_are_reached_and_no_others_also_after_a_reload";
    let made = ["addr add 10.1.2.3/32 dev lo", "addr add 192.168.0.1/32 dev lo"];
    alone(name, &made, || {
        let (origin, port) = everywhere();
        let named = format!("{PASS}pass_private = [\"10.0.0.0/8\", \"192.168.0.2\"]\n");
        let stage = Stage::new(&named);
        let ask = |host: &str, expected: &str| {
            for (form, request) in &FORMS[..2] {
                let found = told(&stage.proxy, &request(&format!("{host}:{port}")));
                assert_eq!(found, expected, "{form}: {host}");
            }
        };
        ask("10.1.2.3", "200");
        ask("[::ffff:10.1.2.3]", "200");
        ask("192.168.0.1", "private_address");
        ask("127.0.0.1", "private_address");
        eventually("all have come", || origin.connections() == 4);
        // A connection to it waits in the pool.
        stage.proxy.reload(&stage.configuration(PASS), true);
        ask("10.1.2.3", "private_address");
        assert_eq!(origin.connections(), 4);
        stage.proxy.reload(&stage.configuration(&named), true);
        ask("10.1.2.3", "200");
    });
}

#[test]
fn public_addresses_are_reached_but_for_this_machines_own() {
    let name = "private::public_addresses_are_reached_but_for_this_machines_own";
    let made = [crate::support::alone::PUBLIC, &["addr add 9.9.9.8/32 dev lo"]].concat();
    alone(name, &made, || {
        let (origin, port) = everywhere();
        let stage = Stage::new(PASS);
        for (form, request) in &FORMS[..2] {
            let found = told(&stage.proxy, &request(&format!("9.9.9.9:{port}")));
            assert_eq!(found, "200", "{form}");
        }
        eventually("both have come", || origin.connections() == 2);
        assert_eq!(origin.begun(), 1);
        for (form, request) in FORMS {
            let found = told(&stage.proxy, &request(&format!("9.9.9.8:{port}")));
            assert_eq!(found, "private_address", "{form}");
        }
        assert_eq!(origin.begun(), 1, "nothing is sent on the connection");
        let own = format!("{PASS}pass_private = [\"9.9.9.8\"]\n");
        stage.proxy.reload(&stage.configuration(&own), true);
        for (form, request) in &FORMS[..2] {
            let found = told(&stage.proxy, &request(&format!("9.9.9.8:{port}")));
            assert_eq!(found, "200", "{form}");
        }
    });
}

#[test]
fn what_the_configuration_names_is_reached_wherever_it_is() {
    let name = "private::what_the_configuration_names_is_reached_wherever_it_is";
    alone(name, &["addr add 10.1.2.3/32 dev lo"], || {
        let (origin, port) = everywhere();
        let mute = TcpListener::bind("10.1.2.3:0").expect("a port is free");
        let place = mute.local_addr().expect("it is bound");
        let closing = thread::spawn(move || drop(accepted(&mute)));
        // With a URL of its own, and by the route's host alone.
        let route = |name: &str, host: &str, lines: &str| {
            format!(
                "[routes.{name}]\nhost = \"{host}\"\nscheme = \"metasv\"\n\
                 keys = {{ signer = \"metasv\" }}\n{lines}\n"
            )
        };
        let tables = [
            PASS.to_owned(),
            route("named", "named.test", "upstream = \"named\""),
            route("direct", &place.to_string(), ""),
            format!(
                "[upstreams.named]\nurl = \"http://10.1.2.3:{port}\"\nallow_plaintext = true\n"
            ),
        ];
        let stage = Stage::new(&tables.concat());
        let get = |host: &str| format!("GET http://{host}/x HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(told(&stage.proxy, &get("named.test")), "200");
        assert_eq!(origin.begun(), 1);
        // Whoever closes speaks no TLS, as the route's own host must.
        assert_eq!(told(&stage.proxy, &get(&place.to_string())), "upstream_tls");
        closing.join().expect("somebody came");
    });
}
