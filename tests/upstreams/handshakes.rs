//! Handshakes that fail before there is a certificate to look at: each is said in words of its
//! own, with the remedy that fits.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use socket2::SockRef;

use super::{ask, metasv, refusal, text, trusting};
use crate::support::openssl::SServer;
use crate::support::proxy::Proxy;
use crate::support::wait::accepted;

#[test]
fn what_a_server_will_not_agree_to_is_said_with_its_remedy() {
    let table: [(&[&str], &str, &str); 5] = [
        (&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "it said ProtocolVersion", "TLS 1.2"),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
            "it said HandshakeFailure",
            "cipher suite",
        ),
        (&["-tls1_2", "-Verify", "1"], "it said HandshakeFailure", "client_cert"),
        (&["-tls1_3", "-Verify", "1"], "it said CertificateRequired", "client_cert"),
        (
            &[
                "-servername",
                "other.test",
                "-servername_fatal",
                "-cert2",
                "cert.pem",
                "-key2",
                "key.pem",
            ],
            "it said UnrecognisedName",
            "server_name",
        ),
    ];
    for (options, detail, remedy) in table {
        let server = SServer::start(options);
        let proxy = Proxy::start(&metasv(&server.url(), &trusting(&server.certificate())));
        let reply = ask(&proxy, "/x");
        let problem = reply.json();
        assert_eq!(refusal(&reply), (502, "upstream_tls".to_owned()), "{options:?}: {problem}");
        assert!(text(&problem, "detail").contains(detail), "{options:?}: {problem}");
        assert!(text(&problem, "remedy").starts_with("Nothing was "), "{options:?}: {problem}");
        assert!(text(&problem, "remedy").contains(remedy), "{options:?}: {problem}");
    }
}

#[test]
fn what_openssl_makes_and_shows_is_trusted_where_it_is_named() {
    let server = SServer::start(&[]);
    let named = Proxy::start(&metasv(&server.url(), &trusting(&server.certificate())));
    assert_eq!(ask(&named, "/x").status, 200);
    let unnamed = Proxy::start(&metasv(&server.url(), "server_name = \"apiv2.metasv.com\"\n"));
    let problem = ask(&unnamed, "/x").json();
    assert!(text(&problem, "detail").contains("is self-signed"), "{problem}");
}

/// What somebody does who has seen the first packet of a handshake.
type Conduct = fn(TcpStream);

/// Accepts one connection, reads the record of its `ClientHello`, and lets `conduct` go on; that
/// record's length.
fn meet(conduct: Conduct) -> (String, thread::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("https://{}", listener.local_addr().expect("it is bound"));
    let met = thread::spawn(move || {
        let mut socket = accepted(&listener);
        let mut head = [0; 5];
        socket.read_exact(&mut head).expect("a record begins");
        let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        socket.read_exact(&mut record).expect("a record");
        conduct(socket);
        head.len() + record.len()
    });
    (url, met)
}

/// For the only one that the proxy has to give up.
const SOON: &str = "[timeouts]\nconnect = \"2s\"\n";

#[test]
fn a_handshake_that_dies_without_a_word_may_be_too_long() {
    let close: Conduct = drop;
    let reset: Conduct = |socket| {
        SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO)).expect("it can");
    };
    let hang: Conduct = |mut socket| drop(socket.read_to_end(&mut Vec::new()));
    let half: Conduct = |mut socket| {
        // A ServerHello that does not come to its end.
        socket.write_all(b"\x16\x03\x03\x00\x50\x02\x00\x00\x4c").expect("it listens");
    };
    let (closed, refused) = ("it closed the connection", (502, "upstream_tls"));
    let silent = ("not a byte of an answer", (504, "upstream_timeout"));
    let table = [
        (close, "", (closed, refused), true),
        (reset, "", ("it reset the connection without a word", refused), true),
        (hang, SOON, silent, true),
        (half, "", ("it closed the connection in the middle", refused), false),
        (close, "post_quantum = false\n", (closed, refused), false),
    ];
    for (conduct, lines, (detail, (status, code)), advised) in table {
        let (url, met) = meet(conduct);
        let proxy = Proxy::start(&metasv(&url, lines));
        let reply = ask(&proxy, "/x");
        let problem = reply.json();
        let length = met.join().expect("it does not panic");
        assert_eq!(refusal(&reply), (status, code.to_owned()), "{problem}");
        assert!(text(&problem, "detail").contains(detail), "{detail}: {problem}");
        let advice = text(&problem, "remedy");
        assert_eq!(advice.contains("post_quantum = false"), advised, "{detail}: {problem}");
        assert!(advice.starts_with("Nothing was sent"), "{problem}");
        // What Ethernet leaves of a packet.
        assert_eq!(length <= 1460, lines.contains("post_quantum"), "{length} bytes with {lines:?}");
    }
}
