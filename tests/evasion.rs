//! A route's `path` and `methods` against requests that a lenient provider would carry out as others,
//! and headers that reach a program behind CGI under another spelling.

use crate::support::client::Client;
use crate::support::config::PASS;
use crate::support::doors::{DOORS, Doors};
use crate::support::stage::{SINOHOPE, Stage};

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

#[test]
fn headers_that_say_another_method_or_path_are_refused_on_limited_routes_alone() {
    let headers = [
        "X-HTTP-Method-Override: DELETE",
        "X-Method-Override: DELETE",
        "X-HTTP-Method: DELETE",
        "X_HTTP_METHOD_OVERRIDE: DELETE",
        "X-Original-URL: /v2",
        "X-Rewrite-URL: /v2",
        "x-original_url: /v2",
    ];
    let (mut refused, mut passed) = (0, 0);
    for (lines, limited) in
        [(LIMITED, true), ("path = \"/v1\"\n", true), ("methods = [\"GET\"]\n", true), ("", false)]
    {
        let doors = Doors::new(lines, "");
        for door in DOORS {
            for header in headers {
                let reply = doors.ask(door, "GET", "/v1/x", format!("{header}\r\n").as_bytes());
                if !limited {
                    assert_eq!(reply.status, 200, "{door}: {header}");
                    passed += 1;
                    continue;
                }
                let problem = reply.json();
                let found = (reply.status, &problem["code"]);
                assert_eq!(found, (403, &"outside_route".into()), "{lines}{door}: {header}");
                let name = header.split(':').next().expect("it has a name").to_lowercase();
                let remedy = problem["remedy"].as_str().expect("it says what to do");
                assert!(remedy.contains(&name), "{remedy}");
                refused += 1;
            }
            assert_eq!(doors.ask(door, "GET", "/v1/x", b"X-Original: 1\r\n").status, 200, "{door}");
        }
        let begun = if limited { DOORS.len() } else { DOORS.len() * (headers.len() + 1) };
        assert_eq!(doors.origin.begun(), begun, "{lines}");
    }
    assert_eq!((refused, passed), (84, 28));
}

#[test]
fn headers_of_the_way_here_and_twins_of_the_signatures_go_no_further() {
    let gone = [
        &b"BIZ_API_SIGNATURE: 00"[..],
        b"biz_api-nonce: 1",
        b"BIZ-API_KEY: k",
        b"X-Forwarded-For: 10.0.0.1",
        b"X-Forwarded-Client-Cert: By=x",
        b"X-Forwarded-Anything: x",
        b"X_Forwarded_Host: evil.example",
        b"X-Client-IP: 10.0.0.1",
        b"True-Client-IP: 10.0.0.1",
        b"Proxy: http://evil.example",
        b"Proxy-Connection: keep-alive",
        b"Proxy-Anything: x",
        b"Proxy_Authorization: Basic eA==",
        b"Countersign_Token: t",
        b"Connection: X-Hop, \xff",
        b"Connection: \xff,x-other",
        b"X-Hop: 1",
        b"X-Other: 1",
    ];
    // Signed, and passed on as it is: where nothing is signed, nothing has a twin.
    for (tables, twins) in [("", 0), (PASS, 3)] {
        let stage = Stage::new(tables);
        let url = if twins == 0 { SINOHOPE.to_owned() } else { stage.origin.url() };
        let head = format!("GET {url}/x HTTP/1.1\r\nHost: h\r\nX-App: 1\r\nX_App: 2\r\n");
        let lines: Vec<_> = gone.iter().flat_map(|line| [*line, b"\r\n"].concat()).collect();
        let request = [head.as_bytes(), &lines, b"\r\n"].concat();
        let reply = Client::connect(stage.proxy.forward_url()).exchange(request);
        assert_eq!(reply.status, if twins == 0 { 200 } else { 401 }, "{url}");
        let arrived = stage.origin.arrived().pop().expect("it arrived");
        let mut names: Vec<_> = arrived.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let own = names.iter().filter(|name| name.to_lowercase().starts_with("biz")).count();
        names.retain(|name| !name.to_lowercase().starts_with("biz"));
        assert_eq!((names, own), (vec!["Host", "X-App", "X_App"], 3), "{url}");
        let signature = arrived.values("BIZ-API-SIGNATURE");
        assert_eq!(signature.len(), 1 - twins / 3, "{url}: {signature:?}");
    }
}
