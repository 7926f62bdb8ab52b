//! The search for a route against a naive one: keep what matches, take what is most specific.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use countersign::config::Config;
use countersign::host::host_and_port;
use countersign::request::{Destination, sent_by};
use countersign::route::{Found, Route, Routes};
use countersign::snapshot::{Snapshot, Surroundings};
use http::Method;
use proptest::prelude::*;

use crate::support::home::Home;

proptest! {
    #![proptest_config(super::cases(2_000))]

    #[test]
    fn the_route_of_a_request_is_the_most_specific_that_covers_it(
        table in table(),
        host in prop::sample::select(ASKED_HOSTS.to_vec()),
        port in prop::sample::select(vec![None, Some(80), Some(443), Some(8443), Some(8444)]),
        path in prop::sample::select(ASKED_PATHS.to_vec()),
        method in prop::sample::select(vec![Method::GET, Method::POST, Method::DELETE]),
    ) {
        let routes = Routes::new(table.iter().map(|one| Arc::clone(&one.route)).collect());
        let found = match routes.find(host, port, path, &method) {
            Found::Route(route) => Answer::Route(route.name.to_string()),
            Found::Outside(routes) => {
                Answer::Outside(routes.iter().map(|route| route.name.to_string()).collect())
            }
            Found::Elsewhere(found) => {
                let of = table.iter().find(|one| Arc::ptr_eq(&one.route, found));
                prop_assert!(of.is_some_and(|of| of.is_for_host(host) && !of.is_for_port(port)));
                Answer::Elsewhere
            }
            Found::Nothing => Answer::Nothing,
        };
        prop_assert_eq!(found, naive(&table, host, port, path, &method));
    }
}

proptest! {
    #![proptest_config(super::cases(2_000))]

    #[test]
    fn a_signed_request_is_held_against_the_route_that_signed_it(
        table in table(),
        host in prop::sample::select(ASKED_HOSTS.to_vec()),
        port in prop::sample::select(vec![None, Some(80), Some(443), Some(8443), Some(8444)]),
        path in prop::sample::select(ASKED_PATHS.to_vec()),
        method in prop::sample::select(vec![Method::GET, Method::POST, Method::DELETE]),
    ) {
        let routes = Routes::new(table.iter().map(|one| Arc::clone(&one.route)).collect());
        let Found::Route(signs) = routes.find(host, port, path, &method) else { return Ok(()) };
        let asked = Destination::Host { name: host.to_owned(), port, https: true };
        let (sent, origin) = asked.place(signs).expect("a host that was asked for is one");
        let (name, port) = host_and_port(&sent).expect("what is sent is a host");
        let whole = format!("{}{path}", origin.base_path);
        let found = sent_by(&routes, (&name, port), &whole, &method);
        let is_it = |route: &&Arc<Route>| Arc::ptr_eq(route, signs);
        prop_assert!(found.iter().any(is_it), "{} is not among {found:?}", signs.name);
        // Two base paths can make one target of two; without, there is nothing to choose from.
        let based = table.iter().any(|one| one.route.origin.is_some());
        prop_assert!(based || is_it(&found[0]), "{} is not the first of {found:?}", signs.name);
    }
}

/// Of all routes that take every method, the one that is found for a request: its host and its path.
#[test]
fn the_routes_of_known_requests_are_these() {
    let chosen: Vec<_> = ALL.iter().filter(|one| one.methods.is_empty()).collect();
    let mut table: Vec<Candidate> = Vec::new();
    for one in chosen {
        if !table.iter().any(|other| other.ties_with(one)) {
            table.push(one.clone());
        }
    }
    let routes = Routes::new(table.iter().map(|one| Arc::clone(&one.route)).collect());
    for (host, port, path, expected) in [
        ("a.example.com", None, "/v1/x/y/z", Some(("a.example.com", "/v1/x/y"))),
        ("a.example.com", Some(8443), "/v1/x/", Some(("a.example.com", "/v1/x"))),
        ("a.example.com", None, "/v10", Some(("a.example.com", "/"))),
        ("c.example.com", None, "/v2/v1", Some(("*.example.com", "/v2"))),
        ("x.a.example.com", None, "/V1", Some(("*.a.example.com", "/"))),
        ("example.com", Some(443), "//v1", Some(("example.com", "/"))),
        ("y.x.a.example.com", None, "/", None),
        ("example.org", None, "/", None),
    ] {
        let found = match routes.find(host, port, path, &Method::GET) {
            Found::Route(route) => table.iter().find(|one| Arc::ptr_eq(&one.route, route)),
            Found::Outside(_) | Found::Elsewhere(_) | Found::Nothing => None,
        };
        let found = found.map(|one| (one.host, one.path));
        assert_eq!(found, expected, "{host} {port:?} {path}");
    }
}

/// What a search finds, by names.
#[derive(Debug, Eq, PartialEq)]
enum Answer {
    Route(String),
    Outside(BTreeSet<String>),
    /// On other ports.
    Elsewhere,
    Nothing,
}

fn naive(
    table: &[Candidate],
    host: &str,
    port: Option<u16>,
    path: &str,
    method: &Method,
) -> Answer {
    let mut of_host: Vec<&Candidate> = Vec::new();
    for candidate in table {
        if candidate.is_for_host(host) && candidate.is_for_port(port) {
            of_host.push(candidate);
        }
    }
    // An exact host's routes are all that counts for it.
    if of_host.iter().any(|candidate| !candidate.host.starts_with("*.")) {
        of_host.retain(|candidate| !candidate.host.starts_with("*."));
    }
    if of_host.is_empty() {
        let known = table.iter().any(|candidate| candidate.is_for_host(host));
        return if known { Answer::Elsewhere } else { Answer::Nothing };
    }
    let covering = of_host.iter().filter(|candidate| {
        let methods = candidate.methods;
        candidate.covers(path) && (methods.is_empty() || methods.contains(&method.as_str()))
    });
    let best = covering.max_by_key(|candidate| {
        (candidate.port.is_some(), candidate.path.len(), !candidate.methods.is_empty())
    });
    match best {
        Some(best) => Answer::Route(best.route.name.to_string()),
        None => Answer::Outside(of_host.iter().map(|c| c.route.name.to_string()).collect()),
    }
}

/// A route, and what it was made from.
#[derive(Clone, Debug)]
struct Candidate {
    route: Arc<Route>,
    host: &'static str,
    port: Option<u16>,
    path: &'static str,
    methods: &'static [&'static str],
}

impl Candidate {
    fn is_for_host(&self, host: &str) -> bool {
        match self.host.strip_prefix("*.") {
            Some(name) => host.split_once('.').is_some_and(|(_, rest)| rest == name),
            None => host == self.host,
        }
    }

    /// 80, 443 and none at all are the same.
    fn is_for_port(&self, port: Option<u16>) -> bool {
        let plain = |port: Option<u16>| port.filter(|port| *port != 80 && *port != 443);
        match (self.port, port) {
            (Some(own), Some(asked)) => own == asked,
            (own, asked) => plain(own) == plain(asked),
        }
    }

    fn covers(&self, path: &str) -> bool {
        path == self.path || path.starts_with(&format!("{}/", self.path.trim_end_matches('/')))
    }

    /// Whether the configuration would refuse the two beside each other.
    fn ties_with(&self, other: &Self) -> bool {
        let plain = |port: Option<u16>| matches!(port, Some(80 | 443));
        let ports = self.port == other.port || plain(self.port) && plain(other.port);
        let methods = match (self.methods, other.methods) {
            ([], []) => true,
            (ours, theirs) => ours.iter().any(|method| theirs.contains(method)),
        };
        ports && methods && self.host == other.host && self.path == other.path
    }
}

/// Some of all routes, none of which ties with another, in any order.
fn table() -> impl Strategy<Value = Vec<Candidate>> {
    let all: Vec<usize> = (0..ALL.len()).collect();
    prop::sample::subsequence(all, 0..24).prop_shuffle().prop_map(|chosen| {
        let mut table: Vec<Candidate> = Vec::new();
        for index in chosen {
            if !table.iter().any(|other| other.ties_with(&ALL[index])) {
                table.push(ALL[index].clone());
            }
        }
        table
    })
}

/// Every host with every path and every list of methods.
static ALL: LazyLock<Vec<Candidate>> = LazyLock::new(|| {
    let home = Home::new("");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let mut all = Vec::new();
    // One configuration for each list of methods: within it nothing ties.
    let mut previous: Option<Snapshot> = None;
    for (list, methods) in METHODS.iter().enumerate() {
        for only in [None, Some(80), Some(443)] {
            let (made, text) = candidates(list, methods, only);
            let config = Config::parse(&text, &home.path("proxy.toml"));
            let config = config.unwrap_or_else(|errors| panic!("{errors}"));
            let surroundings = Surroundings::default();
            let built = Snapshot::build(&config, &surroundings, previous.as_ref());
            let snapshot = runtime.block_on(built).unwrap_or_else(|errors| panic!("{errors}"));
            for (name, host, port, path) in made {
                let route = Arc::clone(snapshot.routes.named(&name).expect("it was written"));
                assert_eq!(route.path, path, "the configuration changed a path");
                all.push(Candidate { route, host, port, path, methods });
            }
            previous = Some(snapshot);
        }
    }
    assert_eq!(all.len(), METHODS.len() * HOSTS.len() * PATHS.len());
    all
});

type Made = (String, &'static str, Option<u16>, &'static str);

/// Routes with these methods and their configuration: those whose port is 80, or 443, or
/// anything else, as a request without a port would match two of them alike.
fn candidates(list: usize, methods: &[&str], only: Option<u16>) -> (Vec<Made>, String) {
    let mut text = String::from(
        "[listen]\nforward = \"127.0.0.1:0\"\n[stores.files]\nkind = \"file\"\ndir = \"keys\"\n\
         [keys.metasv]\nstore = \"files\"\nentry = \"metasv.wif\"\n\
         [upstreams.based]\nurl = \"https://up.example/v1\"\n",
    );
    let mut made = Vec::new();
    for (host, port) in HOSTS {
        if port.filter(|port| [80, 443].contains(port)) != only {
            continue;
        }
        for path in PATHS {
            let name = format!("r{list}_{}_{}", only.unwrap_or_default(), made.len());
            let port_text = port.map_or(String::new(), |port| format!(":{port}"));
            text.push_str(&format!(
                "[routes.{name}]\nhost = \"{host}{port_text}\"\npath = \"{path}\"\n\
                 scheme = \"metasv\"\nkeys = {{ signer = \"metasv\" }}\n"
            ));
            // Most have no base path, so that most tables have none either.
            if (made.len() + list) % 8 == 7 {
                text.push_str("upstream = \"based\"\n");
            }
            if !methods.is_empty() {
                text.push_str(&format!("methods = {methods:?}\n"));
            }
            made.push((name, *host, *port, *path));
        }
    }
    (made, text)
}

const HOSTS: &[(&str, Option<u16>)] = &[
    ("a.example.com", None),
    ("a.example.com", Some(80)),
    ("a.example.com", Some(443)),
    ("a.example.com", Some(8443)),
    ("b.example.com", None),
    ("*.example.com", None),
    ("*.example.com", Some(8443)),
    ("*.a.example.com", None),
    ("example.com", None),
];
const PATHS: &[&str] = &["/", "/v1", "/v1/x", "/v1/x/y", "/v2"];
const METHODS: &[&[&str]] = &[&[], &["GET"], &["POST"], &["GET", "POST"]];

const ASKED_HOSTS: &[&str] = &[
    "a.example.com",
    "b.example.com",
    "c.example.com",
    "x.a.example.com",
    "y.x.a.example.com",
    "example.com",
    "example.org",
];
const ASKED_PATHS: &[&str] =
    &["/", "/v1", "/v1/", "/v1/x", "/v1/x/", "/v1/x/y/z", "/v10", "/V1", "/v2", "/v2/v1", "//v1"];
