//! The gateway: `/<route>/rest` for programs that cannot use a proxy, and its guards against web
//! pages.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::support::client::{Client, Reply, curl};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, metasv, providers};
use crate::support::process::refused_start;
use crate::support::proxy::{Proxy, Signal};
use crate::support::stage::Stage;
use crate::support::wait::DEADLINE;

#[test]
fn the_rest_of_the_path_reaches_the_route_byte_for_byte_and_signed() {
    let stage = Stage::new("");
    let table = [
        ("", "/"),
        ("/", "/"),
        ("?", "/?"),
        ("?b=2&a=1", "/?b=2&a=1"),
        ("/x/y?b=2&a=1", "/x/y?b=2&a=1"),
        ("//a//../%2F%zz", "//a//../%2F%zz"),
        ("/a+b/{c}?d+e=%20&f", "/a+b/{c}?d+e=%20&f"),
        ("/sinohope/metasv", "/sinohope/metasv"),
    ];
    for (route, host) in [("metasv", "apiv2.metasv.com"), ("sinohope", "api.sinohope.com")] {
        for (asked, sent) in table {
            let reply = ask(&stage.proxy, &format!("/{route}{asked}"), "");
            assert_eq!(reply.status, 200, "{route}{asked}: {}", reply.json());
            let arrived = stage.origin.arrived().pop().expect("it arrived");
            assert_eq!((arrived.target.as_str(), arrived.values("Host")), (sent, vec![host]));
        }
    }
}

#[test]
fn a_body_is_signed_through_the_gateway_too() {
    let stage = Stage::new("");
    let mut client = Client::connect(stage.proxy.gateway_url());
    let host = host(&stage.proxy);
    let body = "{ \"a\" : \"b c\" }";
    let length = body.len();
    let reply = client.exchange(format!(
        "POST /sinohope/v1 HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    assert_eq!(reply.status, 200, "{}", reply.json());
    assert_eq!(stage.origin.arrived().pop().expect("it arrived").body, body.as_bytes());
}

#[test]
fn a_name_that_is_no_route_is_answered_with_those_that_are() {
    let stage = Stage::new("");
    for (path, detail) in [
        ("/", "the path names no route"),
        ("/?metasv", "the path names no route"),
        ("//metasv/x", "the path names no route"),
        ("/metasvv/x", "the path begins with /metasvv/"),
        ("/METASV/x", "the path begins with /METASV/"),
        ("/metasv%2Fx", "the path begins with /metasv%2Fx/"),
    ] {
        let reply = ask(&stage.proxy, path, "");
        let problem = reply.json();
        assert_eq!((reply.status, &problem["code"]), (404, &"route_unknown".into()), "{path}");
        assert_eq!(problem["detail"], detail, "{path}");
        let remedy = problem["remedy"].as_str().unwrap_or_default();
        assert!(remedy.contains("/metasv/") && remedy.contains("/sinohope/"), "{remedy}");
    }
    assert_eq!(stage.origin.begun(), 0);
}

#[test]
fn a_route_without_a_host_sends_its_upstreams() {
    let origin = Origin::start(metasv("test-a"));
    let tables = config::metasv(&origin.url(), None).replace("host = \"apiv2.metasv.com\"\n", "");
    let proxy = Proxy::start(&config::proxy(&[tables]));
    let reply = ask(&proxy, "/metasv/x", "");
    assert_eq!(reply.status, 200, "{}", reply.json());
    let arrived = origin.arrived().pop().expect("it arrived");
    assert_eq!(arrived.values("Host"), [origin.url().trim_start_matches("http://")]);
}

#[test]
fn a_route_for_many_hosts_sends_the_one_that_was_asked_for_and_never_another() {
    let origin = Origin::start(providers());
    let tables = config::metasv(&origin.url(), None).replace("apiv2.metasv.com", "*.metasv.com");
    let proxy = Proxy::start(&config::proxy(&[tables]));
    let through = "GET http://APIv2.metasv.com/x HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(Client::connect(proxy.forward_url()).exchange(through).status, 200);
    // The gateway knows the route and not which of its hosts: the upstream's is none of them.
    let at_gateway = format!("GET /metasv/x HTTP/1.1\r\nHost: {}\r\n\r\n", host(&proxy));
    let reply = Client::connect(proxy.gateway_url()).exchange(at_gateway);
    assert_eq!((reply.status, &reply.json()["code"]), (403, &"outside_route".into()));
    let arrived = origin.arrived();
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].values("Host"), ["apiv2.metasv.com"]);
}

#[test]
fn what_a_route_leaves_out_is_refused_by_both_listeners() {
    let origin = Origin::start(providers());
    let narrow = "scheme = \"metasv\"\npath = \"/v1\"\nmethods = [\"GET\"]\n";
    let tables = config::metasv(&origin.url(), None).replace("scheme = \"metasv\"\n", narrow);
    let proxy = Proxy::start(&config::proxy(&[tables]));
    let table = [
        ("GET", "/v1", 200),
        ("GET", "/v1/x?y", 200),
        ("GET", "/v1?y", 200),
        ("GET", "/v10", 403),
        ("GET", "/", 403),
        ("GET", "/x/v1", 403),
        ("GET", "//v1", 403),
        ("GET", "/V1", 403),
        ("GET", "/v1/../v2", 403),
        ("GET", "/v1/%2E%2e/v2", 403),
        ("GET", "/v1/..%2fv2", 403),
        ("POST", "/v1/x", 403),
    ];
    let mut passed = 0;
    for (method, target, status) in table {
        let own = host(&proxy);
        let at_gateway = format!("{method} /metasv{target} HTTP/1.1\r\nHost: {own}\r\n\r\n");
        let through =
            format!("{method} http://apiv2.metasv.com{target} HTTP/1.1\r\nHost: h\r\n\r\n");
        for (url, request) in [(proxy.gateway_url(), at_gateway), (proxy.forward_url(), through)] {
            let reply = Client::connect(url).exchange(request);
            assert_eq!(reply.status, status, "{method} {target}: {}", reply.json());
            if status == 403 {
                assert_eq!(reply.json()["code"], "outside_route", "{method} {target}");
            } else {
                passed += 1;
            }
        }
    }
    assert_eq!(origin.begun(), passed);
}

#[test]
fn a_request_that_names_another_host_is_refused() {
    let stage = Stage::new("[access]\nhosts = [\"countersign.internal:8081\"]\n");
    let own = host(&stage.proxy);
    let port = own.rsplit(':').next().expect("it has a port");
    let other = format!("evil.example:{port}");
    let table = [
        (own, true),
        (&format!("LocalHost:{port}"), true),
        (&format!("[::1]:{port}"), true),
        ("countersign.internal:8081", true),
        // As a forwarded port is called.
        ("127.0.0.1:9", true),
        ("[::1]:9", true),
        ("localhost:9", true),
        ("127.0.0.1", true),
        (&other, false),
        ("apiv2.metasv.com", false),
        ("0.0.0.0:9", false),
        ("192.0.2.1:9", false),
        ("127.0.0.1.evil.example", false),
    ];
    for (named, good) in table {
        for (url, path) in
            [(stage.proxy.gateway_url(), "/metasv/x"), (stage.proxy.admin_url(), "/healthz")]
        {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {named}\r\n\r\n");
            let reply = Client::connect(url).exchange(request);
            assert_eq!(reply.status, if good { 200 } else { 421 }, "{named:?} {path}");
        }
    }
    let twice = format!("GET /metasv/x HTTP/1.1\r\nHost: {own}\r\nHost: evil.example\r\n\r\n");
    assert_eq!(Client::connect(stage.proxy.gateway_url()).exchange(twice).status, 400);
    assert_eq!(stage.origin.begun(), 8);
}

#[test]
fn web_pages_of_other_origins_cannot_have_requests_signed() {
    let stage = Stage::new("[access]\norigins = [\"http://localhost:3000\"]\n");
    let table = [
        ("", 200),
        ("Sec-Fetch-Site: none\r\n", 200),
        ("Sec-Fetch-Site: same-origin\r\n", 200),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Origin: http://evil.example\r\n", 403),
        ("Origin: http://localhost:3000\r\n", 200),
        ("Origin: http://localhost:3000\r\nSec-Fetch-Site: cross-site\r\n", 200),
        ("Origin: http://localhost:30000\r\n", 403),
        ("Origin: http://evil.example\r\nOrigin: http://localhost:3000\r\n", 403),
        ("Origin: http://localhost:3000\r\nOrigin: http://evil.example\r\n", 403),
    ];
    for (headers, status) in table {
        let reply = ask(&stage.proxy, "/metasv/x", headers);
        assert_eq!(reply.status, status, "{headers:?}");
        if status == 403 {
            assert_eq!(reply.json()["code"], "cross_site", "{headers:?}");
        }
    }
    let good = table.iter().filter(|(_, status)| *status == 200).count();
    assert_eq!(stage.origin.begun(), good);
}

#[test]
fn sockets_of_the_gateway_and_admin_are_their_owners_alone() {
    let (home, origin) = unix_home();
    let proxy = Proxy::start_in(home, &[]);
    for (url, path, file) in [
        (proxy.gateway_url(), "/metasv/x", "gateway.sock"),
        (proxy.admin_url(), "/readyz", "admin.sock"),
    ] {
        let found = fs::metadata(proxy.home().path(file)).expect("the socket is there");
        assert_eq!(found.permissions().mode() & 0o7777, 0o600, "{file}");
        // A socket's peer has passed the file's permissions; it has no name of its own.
        let request = format!("GET {path} HTTP/1.1\r\nHost: whatever\r\n\r\n");
        assert_eq!(Client::connect(url).exchange(request).status, 200, "{file}");
    }
    assert_eq!(origin.arrived().len(), 1);
}

#[test]
fn a_proxy_writes_no_files_but_those_its_configuration_names_and_its_nonces() {
    let (home, origin) = unix_home();
    let files = || -> BTreeSet<_> {
        let directories = [".", "keys", "state", "state/countersign"].map(|of| home.path(of));
        let listed = directories.iter().filter_map(|of| fs::read_dir(of).ok());
        listed.flatten().map(|file| file.expect("it can be listed").file_name()).collect()
    };
    let before = files();
    let proxy = Proxy::start_in(home.clone(), &[]);
    let request = "GET /metasv/x HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(Client::connect(proxy.gateway_url()).exchange(request).status, 200);
    assert_eq!(origin.arrived().len(), 1);
    let new: Vec<_> = files().difference(&before).cloned().collect();
    let (lanes, others): (Vec<_>, Vec<_>) = new
        .into_iter()
        .map(|name| name.into_string().expect("text"))
        .partition(|name| name.starts_with("SHA256-") && name.ends_with(".lane-0"));
    assert_eq!(others, ["admin.sock", "countersign", "gateway.sock", "state"]);
    assert_eq!(lanes.len(), 1);
}

#[test]
fn a_socket_that_nobody_listens_on_is_replaced_and_removed_at_the_end() {
    let (home, origin) = unix_home();
    drop(UnixListener::bind(home.path("gateway.sock")).expect("a socket can be bound"));
    assert!(home.path("gateway.sock").exists(), "its file is left behind");
    let mut proxy = Proxy::start_in(home, &[]);
    let request = "GET /metasv/x HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(Client::connect(proxy.gateway_url()).exchange(request).status, 200);
    assert_eq!(origin.arrived().len(), 1);
    proxy.signal(Signal::Terminate);
    assert!(proxy.wait_exit(DEADLINE).success());
    assert!(!proxy.home().path("gateway.sock").exists());
}

#[test]
fn a_port_that_is_taken_comes_with_the_line_to_write() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = taken.local_addr().expect("it is bound");
    let listeners = format!("forward = \"{taken}\"\n");
    let tables = [config::metasv("http://127.0.0.1:9", None)];
    let home = Home::new(&config::listening(&listeners, &tables));
    let (code, text) = refused_start(&home);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("listen.forward cannot be bound to {taken}: ")), "{text}");
    assert!(text.contains("or write forward = \"127.0.0.1:"), "{text}");
}

#[test]
fn a_socket_that_is_in_use_or_a_file_that_is_none_stops_the_start() {
    let (home, _origin) = unix_home();
    let path = home.path("gateway.sock");
    let live = UnixListener::bind(&path).expect("a socket can be bound");
    let (code, text) = refused_start(&home);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("listen.gateway") && text.contains("another process"), "{text}");
    assert!(is_socket(&path), "what is in use was not removed");
    drop(live);
    fs::remove_file(&path).expect("the socket can be removed");
    home.write("gateway.sock", "precious");
    let (code, text) = refused_start(&home);
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(fs::read_to_string(&path).expect("the file is there"), "precious");
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// A directory whose configuration has the gateway and the admin listener in it.
fn unix_home() -> (Home, Origin) {
    let (home, origin) = (Home::new(""), Origin::start(metasv("test-a")));
    let place = |file| home.path(file).display().to_string();
    let listeners = format!(
        "forward = \"127.0.0.1:0\"\ngateway = \"unix:{}\"\nadmin = \"unix:{}\"\n",
        place("gateway.sock"),
        place("admin.sock")
    );
    let tables = [config::metasv(&origin.url(), None)];
    home.write("proxy.toml", &config::listening(&listeners, &tables));
    (home, origin)
}

fn ask(proxy: &Proxy, path: &str, headers: &str) -> Reply {
    let host = host(proxy);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
    Client::connect(proxy.gateway_url()).exchange(request)
}

fn host(proxy: &Proxy) -> &str {
    proxy.gateway_url().trim_start_matches("http://")
}

#[test]
fn http2_with_prior_knowledge_is_spoken_and_signed() {
    let stage = Stage::new("");
    let url = format!("{}/sinohope/v1/test?b=2&a=1", stage.proxy.gateway_url());
    let body = r#"{"vaultId": "1"}"#;
    let cookies = ["-H", "Cookie: a=1", "-H", "Cookie: b=2"];
    let written = ["--http2-prior-knowledge", "-w", "\n%{http_version} %{http_code}"];
    let sent = ["-H", "Content-Type: application/json", "--data", body, &url];
    let output = curl([&written[..], &cookies, &sent].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.ends_with("\n2 200"), "{text} {}", String::from_utf8_lossy(&output.stderr));
    let arrived = stage.origin.arrived();
    let [one] = &arrived[..] else { panic!("{} requests arrived", arrived.len()) };
    assert_eq!(one.once("Host"), Ok("api.sinohope.com"));
    assert_eq!(one.once("Cookie"), Ok("a=1; b=2"), "one header, as HTTP/1.1 has it");
    assert_eq!(one.body, body.as_bytes());
}
