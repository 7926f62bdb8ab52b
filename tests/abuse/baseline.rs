//! Many clients that mean harm at once, and what is left of them: nothing.

use std::fs;
use std::thread;

use crate::support::client::Client;
use crate::support::config::INTERCEPT;
use crate::support::h2_client::{DATA, Http2, INITIAL_WINDOW_SIZE, PREFACE};
use crate::support::proxy::Proxy;
use crate::support::wait::eventually;

use super::http2::{get, intercepting};

#[test]
fn connects_that_never_speak_free_their_places() {
    let (stage, _) = intercepting(&format!(
        "{INTERCEPT}[limits]\nconnections = 4\n[timeouts]\nrequest_head = \"500ms\"\n"
    ));
    let forward = stage.proxy.forward_url();
    let connect = |_| Client::tunnel(forward, "apiv2.metasv.com:443");
    let silent: Vec<_> = (0..4).map(connect).collect();
    // It waits in line, and its turn comes.
    let reply = stage.exchange("GET http://apiv2.metasv.com/x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(reply.status, 200);
    for mut client in silent {
        client.await_end();
    }
    stage.proxy.await_metric("countersign_connections", 1);
}

#[test]
fn nothing_is_left_of_a_crowd_that_means_harm() {
    let (stage, ca) = intercepting(&format!("{INTERCEPT}{IMPATIENT}"));
    let proxy = &stage.proxy;
    // What is made once is made before the count begins.
    crowd(proxy, &ca, 12);
    let settle = || {
        proxy.await_metric("countersign_connections", 1);
        proxy.await_metric("countersign_tunnels", 0);
    };
    settle();
    eventually("the origin is left", || stage.origin.open() <= 1);
    let (descriptors, memory) = (proxy.descriptors(), resident_kib(proxy));
    for _ in 0..3 {
        crowd(proxy, &ca, 120);
    }
    settle();
    eventually("every descriptor is closed", || proxy.descriptors() <= descriptors + 2);
    let grown = resident_kib(proxy).saturating_sub(memory);
    assert!(grown < 48 * 1024, "{grown} KiB more than before");
    assert_eq!(
        stage.exchange("GET http://apiv2.metasv.com/x HTTP/1.1\r\nHost: h\r\n\r\n").status,
        200
    );
    assert!(!proxy.output().contains("panicked"));
}

/// So many clients at once, of every kind, each of which stays until it is thrown out.
fn crowd(proxy: &Proxy, ca: &str, size: usize) {
    let urls = (proxy.forward_url(), proxy.gateway_url());
    thread::scope(|scope| {
        for number in 0..size {
            scope.spawn(move || {
                let client = misbehave(urls, ca, number);
                // Some leave by themselves.
                if number % 3 > 0
                    && let Some(mut client) = client
                {
                    client.await_end();
                }
            });
        }
    });
}

fn misbehave((forward, gateway): (&str, &str), ca: &str, number: usize) -> Option<Client> {
    let tunnel = || Client::tunnel(forward, "apiv2.metasv.com:443");
    let mut client = match number % 6 {
        0 => tunnel(),
        // Who is slow in a crowd is thrown out before it could do harm.
        1 | 2 => tunnel().secure_in("apiv2.metasv.com", ca, &[b"h2"]).ok()?,
        _ => Client::connect(gateway),
    };
    match number % 6 {
        0 => client.try_send([22, 3, 1, 2]).ok()?,
        1 => client.try_send(&PREFACE[..17]).ok()?,
        2 => client.try_send(PREFACE).ok()?,
        3 => {
            let head = "POST /metasv/x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n";
            client.try_send(head).ok()?;
        }
        4 => {
            let mut connection = Http2::begin(client, &[(INITIAL_WINDOW_SIZE, 0)]);
            connection.head(1, &get(gateway, "/metasv/big/1000000"), true);
            connection.await_end();
            return None;
        }
        _ => {
            let mut connection = Http2::begin(client, &[]);
            let mut head = get(gateway, "/metasv/sink");
            head[0].1 = "POST".to_owned();
            for stream in (1..40).step_by(2) {
                connection.head(stream, &head, false);
                connection.send(DATA, 0, stream, b"never more");
            }
            connection.await_end();
            return None;
        }
    }
    Some(client)
}

/// What it has resident now, in KiB.
fn resident_kib(proxy: &Proxy) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.pid()));
    let status = status.expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).expect("the system tells the size")
}

const IMPATIENT: &str = "[timeouts]\nrequest_head = \"600ms\"\nbody_idle = \"600ms\"\n";
