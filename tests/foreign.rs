//! What is not HTTP, sent where HTTP is spoken: it is answered at once, and the log says what came
//! and what to do.

use std::time::{Duration, Instant};

use crate::support::client::{Client, curl};
use crate::support::config::INTERCEPT;
use crate::support::stage::intercepting;
use crate::support::wait::eventually;

#[test]
fn what_is_not_http_is_answered_and_logged_at_once() {
    let (stage, ca) = intercepting(INTERCEPT);
    let forward = stage.proxy.forward_url();
    let inside = |port| Client::tunnel(forward, &format!("apiv2.metasv.com:{port}"));
    let ways: [(&str, &dyn Fn() -> Client); 5] = [
        ("forward", &|| Client::connect(forward)),
        ("gateway", &|| Client::connect(stage.proxy.gateway_url())),
        ("admin", &|| Client::connect(stage.proxy.admin_url())),
        ("plain in a CONNECT", &|| inside(80)),
        ("TLS in a CONNECT", &|| {
            inside(443).secure("apiv2.metasv.com", &ca).expect("the certificate is right")
        }),
    ];
    let mut answered = 0;
    for (way, come) in ways {
        for (what, bytes) in [
            ("TLS", &[22, 3, 1, 0, 250, 1, 0, 0, 246, 3, 3][..]),
            ("SOCKS", &[5, 2, 0, 2]),
            ("SOCKS", &[4, 1, 1, 187, 0, 0, 0, 1, 0]),
            ("SSH", b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"),
            ("something that is not HTTP", &[0, 0, 0, 8, 4, 210, 22, 47]),
        ] {
            if what == "TLS" && way == "plain in a CONNECT" {
                continue;
            }
            let mut client = come();
            client.send(bytes);
            let reply = client.reply();
            let problem = reply.json();
            assert_eq!((reply.status, &problem["code"]), (400, &"not_http".into()), "{way}");
            assert_eq!(reply.values("Connection"), ["close"], "{way}: {what}");
            assert!(problem["detail"].to_string().contains(what), "{way}: {problem}");
            client.finish();
            assert_eq!(client.await_end(), b"", "{way}: {what}");
            let place = if way.contains("CONNECT") { "inside a CONNECT" } else { way };
            stage.proxy.await_output(&format!("{what} came where HTTP is spoken ({place})"));
            answered += 1;
        }
    }
    assert_eq!((answered, stage.origin.connections()), (24, 0));
}

#[test]
fn curl_with_the_wrong_word_before_the_proxys_address_ends_at_once() {
    let (stage, _) = intercepting("");
    let forward = stage.proxy.forward_url();
    for (scheme, what) in [("https", "TLS"), ("socks5h", "SOCKS"), ("socks4a", "SOCKS")] {
        let proxy = forward.replace("http://", &format!("{scheme}://"));
        let output = curl(["-x", &proxy, "--max-time", "20", "http://apiv2.metasv.com/x"]);
        let code = output.status.code();
        assert!(code.is_some_and(|code| ![0, 28].contains(&code)), "{scheme}: {output:?}");
        stage.proxy.await_output(&format!("{what} came where HTTP is spoken (forward)"));
    }
    let count = || stage.proxy.output().matches("came where HTTP is spoken").count();
    eventually("each is told of", || count() == 3);
    assert_eq!(stage.origin.connections(), 0);
}

#[test]
fn a_client_that_waits_for_the_server_to_speak_is_let_go_with_a_word_in_the_log() {
    let (stage, _) = intercepting(INTERCEPT);
    for port in [80, 443] {
        let begun = Instant::now();
        let place = format!("apiv2.metasv.com:{port}");
        // An SMTP client, say: after the 200 it waits for a greeting.
        let mut client = Client::tunnel(stage.proxy.forward_url(), &place);
        assert_eq!(client.await_end(), b"", "{place}");
        // Far from the 30 s that a request's head may take.
        assert!(begun.elapsed() < Duration::from_secs(20), "{place}: {:?}", begun.elapsed());
    }
    let line = "as for a server that speaks first";
    stage.proxy.await_output("NO_PROXY");
    assert!(stage.proxy.output().contains(line), "{}", stage.proxy.output());
}

#[test]
fn a_head_that_cannot_be_read_is_logged() {
    let (stage, _) = intercepting("[limits]\nheader = \"8KiB\"\n");
    for (head, status, line) in [
        (format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9_000)), 431, "too large"),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "X: 1\r\n".repeat(513)), 431, "too large"),
        ("EHLO client.test\r\n".to_owned(), 400, "invalid"),
    ] {
        let mut client = Client::connect(stage.proxy.forward_url());
        client.send(head);
        let reply = client.reply();
        assert_eq!((reply.status, reply.body), (status, vec![]));
        stage.proxy.await_output(line);
    }
    let written = stage.proxy.output();
    assert_eq!(written.matches("a head that cannot be read was refused").count(), 3, "{written}");
}
