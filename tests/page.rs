//! The pages of the admin listener for people: who may, from where, and what browsers are told.

mod browser;
mod events;
mod pasted;
mod scene;
mod shown;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::access::users::nobody;
use crate::support::client::{Client, run};
use crate::support::config;
use scene::{Scene, TOKEN, form};

/// Every page for people, and what is beside it.
const PAGES: [&str; 4] = ["/", "/show?id=x", "/status", "/verify"];
const FILES: [&str; 4] = ["/page.css", "/page.js", "/page.svg", "/sign-in"];

#[test]
fn pages_are_for_the_own_user_and_for_no_other() {
    let scene = Scene::new();
    for path in [&PAGES[..], &["/events"]].concat() {
        let url = format!("{}{path}", scene.proxy.admin_url());
        let mut command = nobody();
        command.args(["curl", "--disable", "-s", "-m", "20", "-w", "%{http_code}", &url]);
        let theirs = String::from_utf8(run(&mut command).stdout).expect("text");
        assert!(
            theirs.contains("client_not_allowed") && theirs.ends_with("403"),
            "{path}: {theirs}"
        );
        let expected = if path.contains('x') { 404 } else { 200 };
        if path != "/events" {
            assert_eq!(scene.ask(&format!("GET {path}"), &[], "").status, expected, "{path}");
        }
    }
    // Without a token to ask for, there is nothing to sign in with.
    let reply = scene.ask("GET /sign-in", &[], "");
    assert_eq!((reply.status, reply.values("Location")), (303, vec!["/"]));
}

#[test]
fn a_token_is_shown_or_typed_once_for_a_session() {
    let scene = Scene::with(config::TOKENS);
    let basic = |text: &str| format!("Authorization: Basic {}", STANDARD.encode(text));
    let status = |path: &str, header: &str| {
        let reply = scene.ask(&format!("GET {path}"), &[header, "Accept: text/html"], "");
        (reply.status, reply.values("Location").join(""))
    };
    for path in PAGES {
        let shown = if path.contains('x') { 404 } else { 200 };
        for (header, expected) in [
            (basic(&format!("app:{TOKEN}")), shown),
            ("Proxy-Authorization: Bearer t0ken".to_owned(), shown),
            (basic("app:wrong"), 303),
            (basic(&format!("other:{TOKEN}")), 303),
            ("Cookie: countersign-session=".to_owned(), 303),
            (format!("Cookie: countersign-session={TOKEN}"), 303),
            ("X: 1".to_owned(), 303),
        ] {
            let location = if expected == 303 { "/sign-in" } else { "" };
            assert_eq!(status(path, &header), (expected, location.to_owned()), "{path} {header}");
        }
    }
    assert_eq!(status("/events", "X: 1").0, 407, "no script is sent elsewhere");
    assert_eq!(status("/requests", &basic(&format!("app:{TOKEN}"))).0, 200);
    // By a form.
    let wrong = scene.ask("POST /sign-in", &[], &form(&[("name", "app"), ("token", "wrong")]));
    assert_eq!((wrong.status, wrong.values("Set-Cookie").len()), (403, 0));
    let right = scene.ask("POST /sign-in", &[], &form(&[("name", "app"), ("token", TOKEN)]));
    assert_eq!((right.status, right.values("Location")), (303, vec!["/"]));
    let set = right.values("Set-Cookie")[0].to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains(TOKEN) && !set.contains(&STANDARD.encode(TOKEN)), "{set}");
    let cookie = format!("Cookie: a=b; {}", set.split(';').next().expect("a pair"));
    assert_eq!(status("/", &cookie).0, 200);
    let page = scene.ask("GET /", &[&cookie], "");
    let page = String::from_utf8(page.body).expect("text");
    assert!(page.contains("as <b>app</b>") && page.contains("Sign out"), "{page}");
    assert_eq!(status("/metrics", &cookie).0, 200);
    // It is another's at another address, and nobody's when it was closed.
    let mut other = Client::connect_from("127.0.0.2", scene.proxy.admin_url());
    assert_eq!(other.exchange(scene.request("GET /", &[&cookie], "")).status, 303);
    let out = scene.ask("POST /sign-out", &[&cookie], "");
    assert_eq!((out.status, out.values("Location")), (303, vec!["/sign-in"]));
    assert!(out.values("Set-Cookie")[0].contains("Max-Age=0"));
    assert_eq!(status("/", &cookie).0, 303);
}

#[test]
fn a_session_ends_with_its_token() {
    let scene = Scene::with(config::TOKENS);
    let reply = scene.ask("POST /sign-in", &[], &form(&[("token", TOKEN)]));
    let set = reply.values("Set-Cookie")[0].to_owned();
    let cookie = format!("Cookie: {}", set.split(';').next().expect("a pair"));
    assert_eq!(scene.ask("GET /status", &[&cookie], "").status, 200);
    let others = config::client_tokens(&[("app", "an0ther")]);
    scene.proxy.home().write(config::TOKENS_FILE, &others);
    scene.proxy.reload(&scene.configuration(config::TOKENS), true);
    assert_eq!(scene.ask("GET /status", &[&cookie], "").status, 303);
}

#[test]
fn only_its_own_pages_have_it_do_something() {
    // An origin that may have requests signed is not one that may look at them.
    let scene = Scene::with("[access]\norigins = [\"http://wallet.example\"]\n");
    let url = scene.proxy.admin_url().to_owned();
    let own = format!("Origin: {url}");
    let port = url.rsplit(':').next().expect("a port");
    let posts = ["/verify", "/reload", "/sign-in", "/sign-out"];
    for path in posts {
        let line = format!("POST {path}");
        for (origin, code) in [
            ("Origin: http://evil.example", "cross_site"),
            ("Origin: http://wallet.example", "cross_site"),
            ("Origin: null", "cross_site"),
            (&*format!("Origin: http://localhost:{port}"), "cross_site"),
            ("Sec-Fetch-Site: cross-site", "cross_site"),
            ("Sec-Fetch-Site: same-site", "cross_site"),
        ] {
            let reply = scene.ask(&line, &[origin], "");
            assert_eq!(
                (reply.status, &reply.json()["code"]),
                (403, &code.into()),
                "{path} {origin}"
            );
        }
        let reply = scene.ask(&line, &[&own, "Accept: text/html"], "");
        assert!([200, 303, 403, 422].contains(&reply.status), "{path}: {}", reply.status);
        assert_ne!(reply.values("Content-Type"), ["application/problem+json"], "{path}");
    }
    for path in PAGES.into_iter().chain(FILES).chain(["/events"]) {
        let reply = scene.ask(&format!("GET {path}"), &["Host: evil.example"], "");
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (421, &"wrong_authority".into()),
            "{path}"
        );
    }
    // What a form asked for is shown on a page.
    let reply = scene.ask("POST /reload", &[&own, "Accept: text/html,*/*"], "");
    assert_eq!((reply.status, reply.values("Location")), (303, vec!["/status"]));
    assert!(scene.text("/status").contains("Nothing changed."));
}

#[test]
fn every_answer_tells_browsers_to_load_and_keep_nothing() {
    let scene = Scene::new();
    let others = ["/readyz", "/metrics", "/requests", "/nothing", "/reload"];
    for path in PAGES.into_iter().chain(FILES).chain(others) {
        let reply = scene.ask(&format!("GET {path}"), &[], "");
        let one = |name: &str| {
            let values = reply.values(name);
            assert_eq!(values.len(), 1, "{path}: {name}");
            values[0].to_owned()
        };
        let policy = one("Content-Security-Policy");
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
        assert_eq!(one("Cache-Control"), "no-store", "{path}");
        assert_eq!(one("X-Content-Type-Options"), "nosniff", "{path}");
        assert_eq!(one("X-Frame-Options"), "DENY", "{path}");
        assert_eq!(one("Referrer-Policy"), "same-origin", "{path}");
        assert!(reply.values("Access-Control-Allow-Origin").is_empty(), "{path}");
    }
}

#[test]
fn what_is_posted_is_little_and_comes_soon() {
    let scene = Scene::new();
    let reply = scene.ask("POST /verify", &[], &"x".repeat(300 * 1024));
    assert_eq!((reply.status, &reply.json()["code"]), (413, &"body_too_large".into()));
    for (line, code) in
        [("POST /", 405), ("POST /events", 405), ("PUT /verify", 405), ("GET /sign-out", 405)]
    {
        assert_eq!(scene.ask(line, &[], "").status, code, "{line}");
    }
}
