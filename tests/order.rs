//! The order in which a request is looked at, which is the same wherever it comes in: what is wrong
//! with it is mended one by one, and each refusal is that of the first fault which is left.

use std::net::IpAddr;

use countersign::access::{Credentials, OwnNames};
use countersign::config::Config;
use countersign::peer::Peer;
use countersign::request::{Arrival, Body, Entrance, Inside, Plan, Sender, Trail};
use countersign::snapshot::{Snapshot, Surroundings};
use http::header::{CONTENT_ENCODING, HOST, HeaderName, ORIGIN};
use http::{Extensions, HeaderMap, HeaderValue, Method, Version};

use crate::support::config;
use crate::support::home::Home;

#[test]
fn every_listener_looks_at_the_same_things_in_the_same_order() {
    let snapshot = snapshot();
    let address = "127.0.0.1:8081".parse().expect("an address");
    let own = OwnNames::of(address);
    for door in ["forward", "gateway", "inside"] {
        let mut said = Vec::new();
        for mended in 0..=FAULTS.len() {
            let has = |fault: &str| FAULTS.iter().skip(mended).any(|(name, _)| *name == fault);
            let headers = headers(door, has);
            let inside = Inside {
                name: "api.sinohope.com".to_owned(),
                port: 443,
                shown: Credentials::of(&headers),
                https: true,
            };
            let (entrance, before) = match door {
                "forward" => (Entrance::Forward, "http://api.sinohope.com"),
                "gateway" => (Entrance::Gateway(Some(&own)), "/sinohope"),
                _ => (Entrance::Inside(&inside), ""),
            };
            let path = match (has("target"), has("route")) {
                (true, _) => "/v1/\u{fc}",
                (false, true) => "/v2",
                (false, false) => "/v1",
            };
            let peer = if has("address") { "10.0.0.1" } else { "127.0.0.1" };
            let peer: IpAddr = peer.parse().expect("an address");
            let arrival = Arrival {
                sender: Sender { entrance, peer: Some(peer), user: Peer::Unasked, client: None },
                method: Method::POST,
                uri: format!("{before}{path}").parse().expect("a target"),
                version: Version::HTTP_11,
                headers,
                spelled: Extensions::new(),
                body: Body::Streamed(Some(if has("length") { 2 << 20 } else { 2 })),
                socket: false,
            };
            let planned = Plan::of(snapshot.view(has("stop")), arrival, &mut Trail::default());
            said.push(planned.map_or_else(|refusal| refusal.code.name(), |_| "signed"));
        }
        // The gateway alone is called by a name of its own.
        let named = |fault: &str| fault == "name" && door != "gateway";
        let expected =
            FAULTS.iter().map(|(fault, code)| if named(fault) { "draining" } else { code });
        assert_eq!(said, expected.chain(["signed"]).collect::<Vec<_>>(), "{door}");
    }
}

/// What is wrong with a request, in the order in which it is looked at, and what is said of it.
const FAULTS: &[(&str, &str)] = &[
    ("address", "client_not_allowed"),
    ("fields", "too_many_fields"),
    ("name", "wrong_authority"),
    ("stop", "draining"),
    ("token", "client_unauthenticated"),
    ("target", "bad_target"),
    ("route", "outside_route"),
    ("page", "cross_site"),
    ("encoding", "body_encoded"),
    ("length", "body_too_large"),
];

fn headers(door: &str, has: impl Fn(&str) -> bool) -> HeaderMap {
    let host = match (door, has("name")) {
        ("gateway", true) => "evil.example",
        ("gateway", false) => "127.0.0.1:8081",
        _ => "api.sinohope.com",
    };
    let token = if has("token") { "another" } else { "t0ken" };
    let mut headers = HeaderMap::new();
    let mut set = |name, value| headers.append(name, HeaderValue::from_static(value));
    set(HOST, host);
    set(HeaderName::from_static("countersign-token"), token);
    for (fault, name, value) in
        [("page", ORIGIN, "http://evil.example"), ("encoding", CONTENT_ENCODING, "gzip")]
    {
        if has(fault) {
            set(name, value);
        }
    }
    for _ in 0..if has("fields") { 95 } else { 0 } {
        set(HeaderName::from_static("x"), "1");
    }
    headers
}

fn snapshot() -> Snapshot {
    let tables = [
        config::sinohope("http://127.0.0.2:9", None)
            .replace("scheme =", "path = \"/v1\"\nscheme ="),
        config::TOKENS.to_owned(),
    ];
    let home = Home::new(&config::proxy(&tables));
    home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
    let config = Config::load(&home.path("proxy.toml")).expect("it is right");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let surroundings = Surroundings::default();
    let building = Snapshot::build(&config, &surroundings, None);
    runtime.expect("a runtime can be made").block_on(building).expect("it is right")
}
