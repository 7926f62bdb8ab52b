//! The process: it says where it listens, obeys signals and leaves nothing behind.

use std::path::Path;
use std::time::Duration;

use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, sinohope};
use crate::support::proxy::{Proxy, Signal, countersign};

#[test]
fn a_proxy_says_where_it_listens_and_stops_when_told() {
    for signal in [Signal::Terminate, Signal::Interrupt] {
        let origin = Origin::start(sinohope("test-p256"));
        let config = config::proxy(&[config::sinohope(&origin.url(), origin.ca())]);
        let mut proxy = Proxy::start(&config);
        for url in [proxy.forward_url(), proxy.gateway_url(), proxy.admin_url()] {
            assert!(url.starts_with("http://127.0.0.1:"), "{url}");
            // Whatever it answers, somebody is there.
            let get = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", &url["http://".len()..]);
            assert!((200..600).contains(&Client::connect(url).exchange(get).status), "{url}");
        }
        let process = format!("/proc/{}", proxy.pid());
        assert!(Path::new(&process).exists());
        proxy.signal(signal);
        let status = proxy.wait_exit(DEADLINE);
        assert!(status.success(), "{signal:?}: {status}");
        assert!(proxy.output().lines().any(|line| line == "ready"));
        assert!(origin.arrived().is_empty());
    }
}

#[test]
fn a_hangup_does_not_end_a_proxy() {
    let origin = Origin::start(sinohope("test-p256"));
    let config = config::proxy(&[config::sinohope(&origin.url(), origin.ca())]);
    let home = Home::new("");
    home.write("proxy.toml", &config);
    let mut proxy = Proxy::start_in(home, &[("COUNTERSIGN_UNUSED", "x")]);
    assert!(proxy.home().path("keys/sinohope.pem").is_file());
    proxy.signal(Signal::Hangup);
    let admin = proxy.admin_url();
    let host = &admin["http://".len()..];
    let reply =
        Client::connect(admin).exchange(format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    assert_eq!(reply.status, 200);
    proxy.signal(Signal::Terminate);
    assert!(proxy.wait_exit(DEADLINE).success());
}

#[test]
fn the_binary_names_its_version() {
    let output = countersign(&["--version"]);
    assert!(output.status.success(), "{output:?}");
    let expected = concat!("countersign ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn each_core_serves_its_own_connections_unless_threads_steal_work() {
    for (runtime, threads, cores, pooled) in
        [("per_core", "2", 2, 2), ("per_core", "1", 0, 1), ("work_stealing", "2", 0, 1)]
    {
        let origin = Origin::start(sinohope("test-p256"));
        let config = config::proxy(&[
            config::sinohope(&origin.url(), origin.ca()),
            format!("[process]\nruntime = \"{runtime}\"\n"),
        ]);
        let proxy = Proxy::start_in(Home::new(&config), &[("TOKIO_WORKER_THREADS", threads)]);
        // Two connections, and one request after the other: each is served where its connection is.
        for _ in 0..2 {
            let mut client = Client::connect(proxy.gateway_url());
            let host = &proxy.gateway_url()["http://".len()..];
            for _ in 0..3 {
                let get = format!("GET /sinohope/v1/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
                assert_eq!(client.exchange(get).status, 200, "{runtime}");
            }
        }
        let names = |entry: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(entry.ok()?.path().join("comm")).ok()
        };
        let tasks = std::fs::read_dir(format!("/proc/{}/task", proxy.pid())).expect("its threads");
        let found = tasks.filter_map(names).filter(|name| name.starts_with("core-")).count();
        assert_eq!((found, origin.connections()), (cores, pooled), "{runtime}, {threads}");
    }
}

const DEADLINE: Duration = Duration::from_secs(30);
