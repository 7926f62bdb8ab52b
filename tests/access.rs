//! Who may use the proxy: tokens in every form clients send them, users, and what is told to nobody.

mod from;
mod revoked;
pub(crate) mod users;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::client::{Client, curl};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers};
use crate::support::process::refused_start;
use crate::support::proxy::Proxy;
use crate::support::stage::METASV;
use crate::support::wait::DEADLINE;

#[test]
fn a_token_is_taken_in_every_form_and_goes_no_further() {
    let (origin, mut proxy) = guarded();
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let table = [
        ("Proxy-Authorization", basic("app:t0ken"), Some("app")),
        ("proxy-authorization", basic("app:t0ken"), Some("app")),
        ("Proxy-Authorization", basic("bot:pass:word"), Some("bot")),
        ("Proxy-Authorization", "Bearer t0ken".to_owned(), Some("app")),
        ("Proxy-Authorization", "bearer pass:word".to_owned(), Some("bot")),
        ("Countersign-Token", "t0ken".to_owned(), Some("app")),
        ("Proxy-Authorization", basic("bot:t0ken"), None),
        ("Proxy-Authorization", basic("app:T0KEN"), None),
        ("Proxy-Authorization", basic("app:"), None),
        ("Proxy-Authorization", basic(":t0ken"), None),
        ("Proxy-Authorization", "Basic".to_owned(), None),
        ("Proxy-Authorization", "Basic ====".to_owned(), None),
        ("Proxy-Authorization", "Bearer wrong".to_owned(), None),
        ("Proxy-Authorization", String::new(), None),
        ("Countersign-Token", "wrong".to_owned(), None),
        ("Authorization", basic("app:t0ken"), None),
        ("X-Nothing", "t0ken".to_owned(), None),
    ];
    let gateway_host = proxy.gateway_url().trim_start_matches("http://");
    let forward = (proxy.forward_url(), format!("{METASV}/x"), "ignored");
    let gateway = (proxy.gateway_url(), "/metasv/x".to_owned(), gateway_host);
    let mut admitted = 0;
    for (url, target, host) in [forward, gateway] {
        for (name, value, owner) in &table {
            let request =
                format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{name}: {value}\r\n\r\n");
            let reply = Client::connect(url).exchange(request);
            let status = if owner.is_some() { 200 } else { 407 };
            assert_eq!(reply.status, status, "{name}: {value} at {url}");
            if let Some(owner) = owner {
                admitted += 1;
                let arrived = origin.arrived().pop().expect("it arrived");
                let told = format!("{arrived:?}").to_lowercase();
                for secret in
                    ["t0ken", "pass:word", "proxy-auth", "countersign", &value.to_lowercase()]
                {
                    assert!(!told.contains(secret), "{secret} in {told}");
                }
                proxy.await_output(&format!("client=\"{owner}\""));
                continue;
            }
            assert_eq!(reply.values("Proxy-Authenticate"), ["Basic realm=\"countersign\""]);
            assert_eq!(reply.json()["code"], "client_unauthenticated");
        }
    }
    assert_eq!((origin.begun(), admitted), (12, 12));
    let written = proxy.finish(DEADLINE);
    assert!(written.contains("status=407"), "{written}");
    for secret in ["t0ken", "pass:word", &STANDARD.encode("app:t0ken")] {
        assert!(!written.contains(secret), "{secret} in the log");
    }
}

#[test]
fn curl_shows_the_token_of_the_proxys_url() {
    let (origin, proxy) = guarded();
    let url = |user: &str| proxy.forward_url().replace("http://", &format!("http://{user}"));
    let asked = format!("{METASV}/x");
    for (user, status) in [("app:t0ken@", "200"), ("app:wrong@", "407"), ("", "407")] {
        let output = curl(["-o", "/dev/null", "-w", "%{http_code}", "-x", &url(user), &asked]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), status, "{user:?}: {output:?}");
    }
    assert_eq!(origin.begun(), 1);
}

#[test]
fn a_connect_needs_the_token_too() {
    let (origin, proxy) = guarded();
    let place = origin.url().replace("http://", "");
    let connect = |headers: &str| {
        let request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{headers}\r\n");
        Client::connect(proxy.forward_url()).exchange(request)
    };
    assert_eq!(connect("").status, 407);
    // Past the token stands the next guard.
    let reply = connect("Proxy-Authorization: Bearer t0ken\r\n");
    assert_eq!((reply.status, &reply.json()["code"]), (403, &"host_not_routed".into()));
    assert_eq!(origin.connections(), 0);
}

#[test]
fn probes_need_no_token_and_metrics_do() {
    let (_origin, proxy) = guarded();
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 401)] {
        assert_eq!(proxy.probe(path).status, status, "{path}");
    }
    let host = proxy.admin_url().trim_start_matches("http://");
    let get = |path: &str, token: &str| {
        let token = format!("Countersign-Token: {token}\r\n");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{token}\r\n");
        Client::connect(proxy.admin_url()).exchange(request)
    };
    let reply = get("/metrics", "t0ken");
    assert_eq!(reply.status, 200);
    assert!(String::from_utf8_lossy(&reply.body).contains("countersign_requests"));
    // Which keys there are is for those who have one, and the rest for whoever probes.
    let keys = |token: &str| get("/readyz", token).json()["self_tested_keys"].is_array();
    assert_eq!((keys("t0ken"), keys("wrong"), keys("")), (true, false, false));
}

/// Prometheus shows no other header than `Authorization`, and who scrapes has nothing signed.
#[test]
fn a_token_for_metrics_shows_them_and_opens_nothing_else() {
    let origin = Origin::start(providers());
    let own = "metrics_tokens = \"scrapers\"\n\n[secrets.scrapers]\nstore = \"files\"\nentry = \"scrapers\"\n";
    let tokens =
        config::TOKENS.replace("\"client_tokens\"\n\n", &format!("\"client_tokens\"\n{own}\n"));
    let home = Home::new(&config::proxy(&[config::metasv(&origin.url(), None), tokens]));
    home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
    home.write("keys/scrapers", &config::client_tokens(&[("prometheus", "scr4pe")]));
    let mut proxy = Proxy::start_in(home, &[]);
    let admin = proxy.admin_url().trim_start_matches("http://").to_owned();
    let ask = |target: &str, header: &str| {
        let (method, path) = target.split_once(' ').expect("it has both");
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {admin}\r\n{header}\r\n\r\n");
        Client::connect(proxy.admin_url()).exchange(request)
    };
    let bearer = "Authorization: Bearer scr4pe";
    assert!(ask("GET /metrics", bearer).body.starts_with(b"# HELP"));
    for (target, header, status) in [
        ("GET /metrics", "Authorization: Bearer scr4p", 401),
        ("GET /metrics", "Authorization: Basic cHJvbWV0aGV1czpzY3I0cGU=", 401),
        ("GET /metrics", "Countersign-Token: scr4pe", 401),
        ("GET /metrics", "Countersign-Token: t0ken", 200),
        ("GET /requests", bearer, 407),
        ("POST /reload", bearer, 407),
        ("GET /requests", "Countersign-Token: scr4pe", 407),
    ] {
        assert_eq!(ask(target, header).status, status, "{target} {header}");
    }
    assert!(!ask("GET /readyz", bearer).json()["self_tested_keys"].is_array());
    for header in [bearer, "Proxy-Authorization: Bearer scr4pe", "Countersign-Token: scr4pe"] {
        let request = format!("GET {METASV}/x HTTP/1.1\r\nHost: h\r\n{header}\r\n\r\n");
        assert_eq!(Client::connect(proxy.forward_url()).exchange(request).status, 407, "{header}");
    }
    assert_eq!(origin.begun(), 0);
    assert!(!proxy.finish(DEADLINE).contains("scr4pe"));
}

#[test]
fn the_hash_of_an_empty_token_stops_the_start() {
    let tables = [config::metasv("http://127.0.0.1:9", None), config::TOKENS.to_owned()];
    let home = Home::new(&config::proxy(&tables));
    let clients = config::client_tokens(&[("app", "t0ken"), ("bot", "")]);
    home.write(config::TOKENS_FILE, &clients);
    let (code, text) = refused_start(&home);
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("has the hash of an empty token on line 2"), "{text}");
}

#[test]
fn an_address_that_is_not_allowed_is_refused_everywhere() {
    let origin = Origin::start(providers());
    let from = |range: &str| {
        let access = format!("[access]\nfrom = [\"{range}\"]\n");
        Proxy::start(&config::proxy(&[config::metasv(&origin.url(), None), access]))
    };
    for (range, good) in [("10.0.0.0/8", false), ("127.0.0.0/8", true)] {
        let proxy = from(range);
        let host = |url: &str| url.trim_start_matches("http://").to_owned();
        let (gateway, admin) = (host(proxy.gateway_url()), host(proxy.admin_url()));
        let table = [
            (proxy.forward_url(), format!("{METASV}/x"), "h".to_owned()),
            (proxy.gateway_url(), "/metasv/x".to_owned(), gateway),
            (proxy.admin_url(), "/readyz".to_owned(), admin),
        ];
        for (url, target, host) in table {
            let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let reply = Client::connect(url).exchange(request);
            assert_eq!(reply.status, if good { 200 } else { 403 }, "{range} {target}");
            if !good {
                assert_eq!(reply.json()["code"], "client_not_allowed", "{range} {target}");
            }
        }
    }
    assert_eq!(origin.begun(), 2);
}

#[test]
fn other_machines_are_listened_to_only_with_tokens() {
    let origin = Origin::start(providers());
    let tables = config::metasv(&origin.url(), None);
    for listener in ["forward", "gateway", "admin"] {
        for place in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"] {
            let own = format!("{listener} = \"127.0.0.1:0\"");
            let listeners = config::LISTENERS.replace(&own, &format!("{listener} = \"{place}\""));
            assert_ne!(listeners, config::LISTENERS);
            let home = Home::new(&config::listening(&listeners, std::slice::from_ref(&tables)));
            let (code, text) = refused_start(&home);
            assert_eq!(code, Some(78), "{text}");
            assert!(text.contains(&format!("listen.{listener} is ")), "{text}");
            assert!(text.contains("without a token"), "{text}");
        }
    }
    let listeners = "forward = \"0.0.0.0:0\"\nadmin = \"127.0.0.1:0\"\n";
    let home = Home::new(&config::listening(listeners, &[tables, config::TOKENS.to_owned()]));
    home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
    let proxy = Proxy::start_in(home, &[]);
    assert!(proxy.forward_url().starts_with("http://0.0.0.0:"), "{}", proxy.forward_url());
}

/// A proxy that asks for tokens.
fn guarded() -> (Origin, Proxy) {
    let origin = Origin::start(providers());
    let tables = [config::metasv(&origin.url(), None), config::TOKENS.to_owned()];
    let home = Home::new(&config::proxy(&tables));
    let clients = [("app", "t0ken"), ("bot", "pass:word")];
    home.write(config::TOKENS_FILE, &config::client_tokens(&clients));
    (origin, Proxy::start_in(home, &[]))
}
