//! Clients that do not trust the authority: each ends in its own way, and the log says of all what
//! they lack, and of nobody else.

use std::process::Command;

use crate::clients::{installed, program};
use crate::support::authority::{Authority, Issued};
use crate::support::client::{Client, run};
use crate::support::config::INTERCEPT;
use crate::support::proxy::Proxy;
use crate::support::sockets::{tls, tunnel};
use crate::support::stage::intercepting;
use crate::support::wait::{DEADLINE, eventually};

#[test]
fn programs_that_do_not_trust_the_authority_are_told_of() {
    let (stage, _) = intercepting(&format!("{INTERCEPT}{WARNINGS}"));
    let url = "https://apiv2.metasv.com/x";
    let proxy = stage.proxy.forward_url();
    let (host, port) = proxy[7..].split_once(':').expect("it has a port");
    let python = |library: &str| {
        let mut command = Command::new(installed("venv/bin/python"));
        command.arg(program("get.py")).args([library, url]);
        command
    };
    let mut curl = Command::new("curl");
    curl.args(["--disable", "-sS", url]);
    let mut node = Command::new(installed("bin/node"));
    node.env("NODE_USE_ENV_PROXY", "1").arg(program("get.mjs")).arg(url);
    let mut java = Command::new("java");
    java.args([format!("-Dhttps.proxyHost={host}"), format!("-Dhttps.proxyPort={port}")]);
    java.arg(program("Get.java")).arg(url);
    for mut command in
        [curl, python("requests"), python("httpx"), python("aiohttp"), python("urllib"), node, java]
    {
        let before = told(&stage.proxy);
        let output = run(command.env("https_proxy", proxy));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!said.lines().any(|line| line.starts_with("200")), "{command:?}: {output:?}");
        eventually(&format!("{command:?} is told of"), || told(&stage.proxy) > before);
    }
    assert_eq!(stage.origin.connections(), 0);
}

#[test]
fn every_end_over_our_certificate_is_told_of_once() {
    let (stage, ca) = intercepting(&format!("{INTERCEPT}{WARNINGS}"));
    let (earlier, stranger) = (Authority::new().pem(), Issued::by_itself(&["other.test"], |_| ()));
    let stranger = stranger.pem();
    let refuses = |name: &str, ca: &str| assert!(secure(&stage.proxy, name, ca).is_err(), "{name}");
    let ends: [(&str, &dyn Fn(), &str); 5] = [
        ("an authority unknown", &|| refuses(HOST, &stranger), "UnknownCA"),
        ("an earlier one of the same name", &|| refuses(HOST, &earlier), "DecryptError"),
        // An address is not sent, so the certificate is for the CONNECT's host: as Go says it.
        ("another name", &|| refuses("127.0.0.1", &ca), "BadCertificate"),
        (
            "no word after the handshake",
            &|| drop(secure(&stage.proxy, HOST, &ca).expect("it is right")),
            "left",
        ),
        ("no word within the handshake", &|| drop(begun(&stage.proxy)), "left"),
    ];
    for (number, (end, go, word)) in ends.into_iter().enumerate() {
        go();
        eventually(end, || told(&stage.proxy) > number);
        let written = stage.proxy.output();
        let line = written.lines().rfind(|line| line.contains(TOLD)).expect("there is a line");
        assert!(line.contains(word) && line.contains("ca export --help"), "{end}: {line}");
        assert_eq!(told(&stage.proxy), number + 1, "{end}");
    }
}

#[test]
fn clients_that_leave_for_other_reasons_raise_no_alarm() {
    let (mut stage, ca) = intercepting(&format!("{INTERCEPT}{WARNINGS}"));
    let connect = || Client::tunnel(stage.proxy.forward_url(), PLACE);
    // Opened in advance, and not needed.
    drop(connect());
    let mut half = connect();
    half.send(&client_hello()[..40]);
    drop(half);
    let mut begun = tls(tunnel(stage.proxy.forward_url(), PLACE), HOST, &ca);
    while begun.conn.is_handshaking() {
        begun.conn.complete_io(&mut begun.sock).expect("the certificate is right");
    }
    begun.conn.send_close_notify();
    begun.conn.complete_io(&mut begun.sock).expect("it can be sent");
    drop(begun);
    // Used, and dropped without a word.
    let mut used = secure(&stage.proxy, HOST, &ca).expect("the certificate is right");
    let reply = used.exchange(format!("GET /x HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
    assert_eq!(reply.status, 200);
    drop(used);
    stage.proxy.await_metric("countersign_connections", 1);
    let written = stage.proxy.finish(DEADLINE);
    assert_eq!(written.matches(TOLD).count(), 0, "{written}");
}

fn secure(proxy: &Proxy, name: &str, ca: &str) -> std::io::Result<Client> {
    Client::tunnel(proxy.forward_url(), PLACE).secure(name, ca)
}

/// A client that has seen the beginning of our answer to its ClientHello.
fn begun(proxy: &Proxy) -> Client {
    let mut client = Client::tunnel(proxy.forward_url(), PLACE);
    client.send(client_hello());
    client.take(5);
    client
}

fn client_hello() -> Vec<u8> {
    let tls = crate::support::client::trusting("", &[b"http/1.1"]);
    let name = HOST.to_owned().try_into().expect("a name");
    let mut tls = rustls::ClientConnection::new(tls, name).expect("the settings are right");
    let mut bytes = Vec::new();
    tls.write_tls(&mut bytes).expect("memory takes it");
    bytes
}

fn told(proxy: &Proxy) -> usize {
    proxy.output().matches(TOLD).count()
}

const TOLD: &str = "does it trust the CA?";
const WARNINGS: &str = "[log]\nlevel = \"warn\"\n";
const HOST: &str = "apiv2.metasv.com";
const PLACE: &str = "apiv2.metasv.com:443";
