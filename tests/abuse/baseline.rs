//! Many clients that mean harm at once, and what is left of them: nothing.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::client::Client;
use crate::support::config::INTERCEPT;
use crate::support::h2_client::{
    DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PREFACE, SETTINGS, block, frame,
    get,
};
use crate::support::proxy::Proxy;
use crate::support::stage::intercepting;
use crate::support::wait::{DEADLINE, eventually};

#[test]
fn connects_that_never_speak_free_their_places() {
    let (stage, _) = intercepting(&format!(
        "{INTERCEPT}[limits]\nconnections = 5\n[timeouts]\nrequest_head = \"500ms\"\n"
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
    let (mut stage, ca) = intercepting(&format!("{INTERCEPT}{IMPATIENT}"));
    let proxy = &stage.proxy;
    // What is made once is made before the count begins.
    crowd(proxy, &ca, 42);
    let settle = || {
        proxy.await_metric("countersign_connections", 1);
        proxy.await_metric("countersign_tunnels", 0);
    };
    settle();
    // Connections to the provider may be kept for the next who asks: they have a limit.
    let own = || proxy.descriptors().saturating_sub(stage.origin.open());
    let (descriptors, memory) = (own(), resident_kib(proxy));
    for _ in 0..3 {
        crowd(proxy, &ca, 84);
    }
    settle();
    eventually("every descriptor is closed", || own() <= descriptors + 2);
    assert!(stage.origin.open() <= 32, "{} connections are kept", stage.origin.open());
    let grown = resident_kib(proxy).saturating_sub(memory);
    assert!(grown < 48 * 1024, "{grown} KiB more than before");
    assert_eq!(
        stage.exchange("GET http://apiv2.metasv.com/x HTTP/1.1\r\nHost: h\r\n\r\n").status,
        200
    );
    let written = stage.proxy.finish(DEADLINE);
    assert!(written.contains("countersign::request") && !written.contains("panicked"));
}

/// So many clients at once, of every kind, each of which stays until it is thrown out, but for
/// those that leave by themselves.
fn crowd(proxy: &Proxy, ca: &str, size: usize) {
    let (forward, gateway) = (proxy.forward_url(), proxy.gateway_url());
    let ended = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..size {
            let ended = &ended;
            scope.spawn(move || {
                // One that was thrown out early has had its end.
                if let Ok(mut client) = misbehave((forward, gateway), ca, number)
                    && number % 7 > 0
                {
                    client.await_end();
                }
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(ended.into_inner(), size);
}

fn misbehave((forward, gateway): (&str, &str), ca: &str, number: usize) -> io::Result<Client> {
    let kind = number % 6;
    let mut client = Client::connect(if kind < 3 { forward } else { gateway });
    if kind < 3 {
        client.try_send("CONNECT apiv2.metasv.com:443 HTTP/1.1\r\nHost: h\r\n\r\n")?;
        client.try_bare_reply()?;
    }
    let mut client = match kind {
        1 | 2 => client.secure_in("apiv2.metasv.com", ca, &[b"h2"])?,
        _ => client,
    };
    let closed = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &[0; 4]].concat();
    let head = |path| block(&get(gateway, path));
    match kind {
        0 => client.try_send([22, 3, 1, 2])?,
        1 => client.try_send(&PREFACE[..17])?,
        2 => client.try_send(PREFACE)?,
        3 => client.try_send("POST /metasv/x HTTP/1.1\r\nContent-Length: 9\r\n\r\n")?,
        4 => {
            let head = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head("/metasv/big/1000000"));
            client.try_send([PREFACE, &frame(SETTINGS, 0, 0, &closed), &head].concat())?;
        }
        _ => {
            client.try_send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat())?;
            for stream in (1..40).step_by(2) {
                let head = frame(HEADERS, END_HEADERS, stream, &head("/metasv/sink"));
                client.try_send([head, frame(DATA, 0, stream, b"never more")].concat())?;
            }
        }
    }
    Ok(client)
}

/// What it has resident now, in KiB.
fn resident_kib(proxy: &Proxy) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.pid()));
    let status = status.expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).expect("the system tells the size")
}

const IMPATIENT: &str =
    "[timeouts]\nrequest_head = \"300ms\"\nclient_idle = \"200ms\"\nbody_idle = \"300ms\"\n";
