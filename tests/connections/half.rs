//! Clients that end their half of a connection when they have asked, and clients that leave.

use crate::support::client::Client;
use crate::support::config::INTERCEPT;
use crate::support::stage::intercepting;
use crate::support::stage::{METASV, SINOHOPE, get};
use crate::support::wait::{DEADLINE, eventually};

#[test]
fn a_client_that_has_said_all_gets_its_answer() {
    let (mut stage, ca) = intercepting(INTERCEPT);
    let (forward, gateway) = (stage.proxy.forward_url(), stage.proxy.gateway_url());
    let host = gateway.trim_start_matches("http://");
    let held = |target: &str, host: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let inside = held("/held", "apiv2.metasv.com");
    let posted =
        format!("POST {SINOHOPE}/held HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{{}}");
    let sealed = Client::tunnel(forward, "apiv2.metasv.com:443").secure("apiv2.metasv.com", &ca);
    let mut clients = [
        (Client::connect(forward), get(&format!("{METASV}/held"))),
        (Client::connect(forward), posted.clone()),
        (Client::connect(forward), posted.replace(" HTTP/1.1", " HTTP/1.0")),
        // Two requests at once.
        (Client::connect(forward), get(&format!("{METASV}/x")) + &posted),
        (Client::connect(gateway), held("/metasv/held", host)),
        (Client::tunnel(forward, "apiv2.metasv.com:80"), inside.clone()),
        (sealed.expect("it is trusted"), inside),
    ];
    for (client, request) in &mut clients {
        client.send(request);
        client.finish();
    }
    stage.origin.await_arrived(clients.len() + 1);
    // Long after their end was seen.
    for _ in 0..3 {
        assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
    }
    stage.origin.release();
    for (number, (client, request)) in clients.iter_mut().enumerate() {
        for _ in 0..=usize::from(number == 3) {
            assert_eq!(client.reply().status, 200, "{request}");
        }
        assert_eq!(client.await_end(), b"", "{request}");
    }
    let written = stage.proxy.finish(DEADLINE);
    assert!(
        written.contains("countersign::request") && !written.contains("abandoned"),
        "{written}"
    );
}

#[test]
fn a_client_that_breaks_its_connection_is_not_waited_for() {
    let (stage, ca) = intercepting(INTERCEPT);
    let forward = stage.proxy.forward_url();
    for sealed in [false, true] {
        let mut client = match sealed {
            false => Client::tunnel(forward, "apiv2.metasv.com:80"),
            true => {
                let tunnel = Client::tunnel(forward, "apiv2.metasv.com:443");
                tunnel.secure("apiv2.metasv.com", &ca).expect("it is trusted")
            }
        };
        for path in ["/x", "/slow-head"] {
            client.send(format!("GET {path} HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\r\n"));
        }
        eventually("both are under way", || stage.origin.begun() == 2 * usize::from(sealed) + 2);
        assert_eq!(stage.origin.open(), 1);
        // The first answer was not read, so the system resets the connection.
        drop(client);
        eventually("the origin's connection is closed", || stage.origin.open() == 0);
    }
    eventually("both are in the log", || {
        stage.proxy.output().matches(": abandoned id=").count() == 2
    });
}
