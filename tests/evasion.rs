//! A route's `path` and `methods` against requests that a lenient provider would carry out as others.

use crate::support::doors::{DOORS, Doors};

const LIMITED: &str = "path = \"/v1\"\nmethods = [\"GET\"]\n";

#[test]
fn paths_that_some_decoder_would_lead_out_of_the_route_are_refused() {
    let doors = Doors::new(LIMITED, "");
    let (mut refused, mut passed) = (0, 0);
    for door in DOORS {
        for path in [
            "/v1/%252e%252e/v2",
            "/v1/%2525252e./v2",
            "/v1/..%00/v2",
            "/v1/..%00.json",
            "/v1/..%20/v2",
            "/v1/.%09./v2",
            "/v1/..%3ba=b/v2",
            "/v1/..%3fx",
            "/v1/%c0%ae%c0%ae/v2",
            "/v1/%e0%80%ae./v2",
            "/v1/x%c0%af..%c0%afv2",
            "/v1/%ef%bc%8e%ef%bc%8e/v2",
            "/v1/..%ef%bc%8fv2",
            "/v1/%u002e%u002e/v2",
            "/v1/...%252fv2",
        ] {
            let reply = doors.ask(door, "GET", path, b"");
            let problem = reply.json();
            let found = (reply.status, &problem["code"]);
            assert_eq!(found, (403, &"outside_route".into()), "{door}: {path}");
            let remedy = problem["remedy"].as_str().expect("it says what to do");
            assert!(remedy.contains("segments"), "{door}: {path}: {remedy}");
            refused += 1;
        }
        for path in ["/v1/x.json", "/v1/..x/a...b", "/v1/a%20b%2Fc.d?x=../..", "/v1/%E6%97%A5"] {
            let reply = doors.ask(door, "GET", path, b"");
            assert_eq!(reply.status, 200, "{door}: {path}");
            passed += 1;
        }
    }
    assert_eq!((refused, passed, doors.origin.begun()), (60, 16, 16));
}
