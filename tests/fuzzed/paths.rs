//! Path traversal: a path that a route's limit covers stays inside it at every lenient server.

use std::sync::{Arc, LazyLock};

use countersign::route::{Found, Route, wanders};
use http::Method;

use super::Target;
use super::input::Input;
use super::lenient::Server;
use super::requests::VIEWED;

pub(super) const TARGET: Target = Target {
    name: "paths",
    run,
    seeds: || {
        let paths = [
            "/v1",
            "/v1/x.json",
            "/v1/../v2",
            "/v1/%2e%2e/v2",
            "/v1/%252e%252e/v2",
            "/v1/..;a=b/v2",
            "/v1/..%00/v2",
            "/v1/..%20/v2",
            "/v1/..%5Cv2",
            "/v1/%c0%ae%c0%ae/v2",
            "/v1/%ef%bc%8e%ef%bc%8e/v2",
            "/v1/%u002e%uff0e/v2",
            "/v1/%e2%80%a5/v2",
            "/v1/.%e2%80%8b./v2",
            "/v1/a.b;c=d.e/%E6%97%A5",
            "/v1/~.x/-./_.",
        ];
        paths.iter().map(|path| [b"\xff\xff", path.as_bytes()].concat()).collect()
    },
    words: WORDS,
    tries: 20_000,
};

pub(super) const WORDS: &[&str] = &[
    "/",
    "/v1",
    ".",
    "..",
    "../",
    "%2e",
    "%2E",
    "%252e",
    "%25",
    "%",
    "u",
    "%u002e",
    "%uff0e",
    "%c0%ae",
    "%c0",
    "%e0%80%ae",
    "%ef%bc%8e",
    "%e2%80%a5",
    "%2f",
    "%5c",
    "\\",
    "%252f",
    "%c0%af",
    "%ef%bc%8f",
    "%e2%88%95",
    "%00",
    "%20",
    "%09",
    "+",
    "%e2%80%8b",
    ";",
    "%3b",
    "%3f",
    "%23",
    "~",
    "%zz",
    "%c2%ad",
    "%e2%81%84",
];

static LIMITED: LazyLock<Arc<Route>> = LazyLock::new(|| {
    let route = VIEWED.routes.named("limited").expect("it is configured");
    Arc::clone(route)
});

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let own = Server(u16::from_be_bytes([input.byte(), input.byte()]));
    let Ok(path) = str::from_utf8(input.0) else { return };
    // Whatever else is asked of a path, asking ends.
    let wandering = wanders(path);
    let found = VIEWED.routes.find("limited.example.com", None, path, &Method::GET);
    let admitted = LIMITED.admits(path, &Method::GET);
    assert_eq!(admitted, matches!(found, Found::Route(_)), "{path}");
    if !admitted {
        return;
    }
    assert!(!wandering, "{path} wanders, and is covered");
    inside(path, own);
}

/// Asserts that a path that `limited` covers is inside it, at these servers.
pub(super) fn inside(path: &str, own: Server) {
    for server in Server::usual().chain([own]) {
        let served = server.serves(path);
        let first = served.first().map_or("", String::as_str);
        assert_eq!(first, "v1", "{server:?} serves {served:?} for {path}");
    }
}
