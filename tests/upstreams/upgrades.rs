//! The second client of an upstream: HTTP/1.1 alone, for what HTTP/2 cannot do, and on a
//! connection of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign::body::Upload;
use countersign::upstream::{Dial, Dialer, HostPort, Reach, Settings, Through, Upstream};
use http::Request;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::authority::{Authority, serve};
use crate::support::wait::DEADLINE;

fn trusting(authority: &Authority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let pem = authority.pem();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")).expect("a root");
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

fn upstream(place: std::net::SocketAddr, tls: Arc<ClientConfig>) -> Upstream {
    let settings = Settings {
        dial: Some(Dial::Host(HostPort { host: place.ip().to_string(), port: place.port() })),
        reach: Reach::Anywhere,
        via: None,
        ca: None,
        client: None,
        server_name: Some("ws.test".into()),
        post_quantum: true,
        idle_connections: 4,
        max_age: Duration::from_secs(30),
        connect: Duration::from_secs(30),
        response_head: Duration::from_millis(500),
        stall: Duration::from_secs(30),
        idle: Duration::from_secs(30),
    };
    Upstream::new(settings, tls, Through::default(), Dialer::default(), 1).expect("the name is one")
}

fn handshake() -> Request<Upload> {
    Request::builder()
        .uri("https://ws.test/socket")
        .header("host", "ws.test")
        .header("connection", "Upgrade")
        .header("upgrade", "echo")
        .body(Upload::whole(Bytes::new()))
        .expect("a request")
}

/// Takes connections that speak HTTP/1.1, answers each head with `answer`, and echoes what
/// follows. Says how many there were.
async fn serving(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    answer: &'static str,
    connections: usize,
) -> Vec<String> {
    let mut heads = Vec::new();
    for _ in 0..connections {
        let (socket, _) = listener.accept().await.expect("a connection");
        let accepted = TlsAcceptor::from(Arc::clone(&tls)).accept(socket).await;
        let mut stream = accepted.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        heads.push(String::from_utf8_lossy(&head).into_owned());
        stream.write_all(answer.as_bytes()).await.expect("it listens");
        let (mut from, mut to) = tokio::io::split(stream);
        let _ended = tokio::io::copy(&mut from, &mut to).await;
    }
    heads
}

async fn scene(
    answer: &'static str,
    connections: usize,
) -> (Upstream, tokio::task::JoinHandle<Vec<String>>) {
    let authority = Authority::new();
    let tls = serve(authority.issue(&["ws.test"], |_| ()), &["h2", "http/1.1"], None);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let served = tokio::spawn(serving(listener, tls, answer, connections));
    (upstream(address, trusting(&authority)), served)
}

/// What the server saw: it has had its connections, or the test waits no longer.
async fn ended(served: tokio::task::JoinHandle<Vec<String>>) -> Vec<String> {
    let ended = tokio::time::timeout(DEADLINE, served).await;
    ended.expect("it had as many connections as it waits for").expect("it does not panic")
}

#[tokio::test]
async fn an_upgrade_speaks_http_1_1_to_a_provider_that_would_rather_not() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    let (upstream, served) = scene(answer, 1).await;
    let response = upstream.send_upgrade(Box::new(handshake()), None).await.expect("an answer");
    assert_eq!(response.status(), 101);
    let upgraded = hyper::upgrade::on(response).await.expect("an upgrade");
    let mut stream = TokioIo::new(upgraded);
    stream.write_all(b"over there").await.expect("it listens");
    let mut echoed = [0; 10];
    stream.read_exact(&mut echoed).await.expect("it answers");
    assert_eq!(&echoed, b"over there");
    drop(stream);
    let heads = ended(served).await;
    assert!(heads[0].starts_with("GET /socket HTTP/1.1\r\n"), "{heads:?}");
    assert_eq!(heads[0].matches("ws.test").count(), 1, "{heads:?}");
}

#[tokio::test]
async fn a_refused_upgrade_is_an_answer_and_its_connection_is_not_used_again() {
    let (upstream, served) = scene("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", 2).await;
    for _ in 0..2 {
        let response = upstream.send_upgrade(Box::new(handshake()), None).await.expect("an answer");
        assert_eq!(response.status(), 403);
    }
    assert_eq!(ended(served).await.len(), 2);
}

#[tokio::test]
async fn an_upgrade_that_is_not_answered_has_a_deadline() {
    let (upstream, served) = scene("", 1).await;
    let error = upstream.send_upgrade(Box::new(handshake()), None).await.expect_err("no answer");
    assert!(error.to_string().contains("sent no response head within 500ms"), "{error}");
    drop(upstream);
    ended(served).await;
}
