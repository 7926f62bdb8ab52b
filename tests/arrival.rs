//! What HTTP asks of every request, whichever way it arrives: through either listener, the admin's
//! own, as a CONNECT, and inside one.

use crate::support::client::Client;
use crate::support::doors::{Doors, WAYS};
use crate::support::h2_client::Http2;

#[test]
fn transfer_codings_other_than_chunked_are_refused_before_anything_is_signed() {
    let table = [
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 501),
        ("Transfer-Encoding: chunked, chunked", 501),
        ("Transfer-Encoding: GZIP,\tChunked", 501),
        ("Transfer-Encoding: ,Chunked ,", 400),
        ("Transfer-Encoding: , Chunked", 200),
    ];
    let doors = Doors::new("", "");
    for way in WAYS {
        for (coding, status) in table {
            let (mut client, head) = doors.begin(way, "POST", "/x");
            client.send(format!("{head}{coding}\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
            let reply = client.reply();
            // The admin listener takes no POST, however it is framed; a CONNECT has no body.
            let taken = match way {
                "admin" => 405,
                "CONNECT" => 400,
                _ => 200,
            };
            let expected = if status == 200 { taken } else { status };
            assert_eq!(reply.status, expected, "{way}: {coding}");
            if status == 501 {
                assert_eq!(reply.json()["code"], "transfer_coding_unknown", "{way}: {coding}");
            }
        }
    }
    assert_eq!(doors.origin.arrived().len(), 4, "one for each way that takes a body");
}

#[test]
fn a_request_names_its_host_once() {
    let table = [
        ("", "the request has no Host"),
        ("Host: {}\r\nHost: {}\r\n", "more than one Host"),
        ("Host: {}\r\nhost: other.test\r\n", "more than one Host"),
        ("Host:\r\n", "has no host"),
        ("Host: user@{}\r\n", "user info"),
        ("Host: {}, {}\r\n", ""),
        ("Host: http://{}\r\n", "port"),
        ("Host: {}/x\r\n", ""),
        ("Host: a b\r\n", "no name DNS knows"),
        ("Host: \u{fc}.test\r\n", "bytes that no host has"),
    ];
    let doors = Doors::new("", "");
    let mut asked = 0;
    for way in WAYS {
        for (hosts, words) in table {
            let (mut client, head) = doors.begin(way, "GET", "/x");
            let (line, own) = head.trim_end().split_once("\r\nHost: ").expect("it has a Host");
            let reply = client.exchange(format!("{line}\r\n{}\r\n", hosts.replace("{}", own)));
            let problem = reply.json();
            let found = (reply.status, &problem["code"]);
            assert_eq!(found, (400, &"bad_host".into()), "{way}: {hosts}");
            assert!(problem["detail"].to_string().contains(words), "{way}: {problem}");
            asked += 1;
        }
    }
    assert_eq!(asked, 60);
    assert!(doors.origin.arrived().is_empty(), "{:?}", doors.origin.arrived());
}

#[test]
fn http_1_0_may_leave_the_host_out_where_the_target_says_it() {
    let doors = Doors::new("", "");
    let url = doors.proxy.forward_url();
    let mut client = Client::connect(url);
    client.send("GET http://apiv2.metasv.com/x HTTP/1.0\r\n\r\n");
    assert_eq!(client.reply().status, 200);
    let mut client = Client::connect(url);
    client.send("CONNECT apiv2.metasv.com:443 HTTP/1.0\r\n\r\n");
    assert_eq!(client.bare_reply().status, 200);
    // The guard against rebound names needs one, as do those inside a CONNECT.
    for (client, line, status) in [
        (Client::connect(doors.proxy.gateway_url()), "GET /metasv/x", 421),
        (Client::tunnel(url, "apiv2.metasv.com:80"), "GET /x", 400),
    ] {
        let mut client = client;
        assert_eq!(client.exchange(format!("{line} HTTP/1.0\r\n\r\n")).status, status, "{line}");
    }
}

#[test]
fn ninety_six_fields_are_taken_and_more_refused_in_words() {
    let doors = Doors::new("", "");
    for way in WAYS {
        // Beside the Host.
        for (more, status) in [(50, 200), (95, 200), (96, 431), (99, 431)] {
            let (mut client, head) = doors.begin(way, "GET", "/x");
            let fields = "X-Field: 1\r\n".repeat(more);
            client.send(format!("{head}{fields}\r\n"));
            if way == "CONNECT" && status == 200 {
                assert_eq!(client.bare_reply().status, 200, "{more} fields");
                continue;
            }
            let reply = client.reply();
            assert_eq!(reply.status, status, "{way}: {more} fields");
            if status == 431 {
                assert_eq!(reply.json()["code"], "too_many_fields", "{way}: {more} fields");
            }
        }
    }
    let arrived = doors.origin.arrived();
    let kept: Vec<_> = arrived.iter().map(|one| one.values("X-Field").len()).collect();
    assert_eq!(kept, [50, 95].repeat(4));
    // The HTTP library reads no more, and says nothing to the client: the operator is told what it takes.
    let (mut client, head) = doors.begin(WAYS[0], "GET", "/x");
    let fields = "X-Field: 1\r\n".repeat(100);
    assert_eq!(client.exchange(format!("{head}{fields}\r\n")).status, 431);
    doors.proxy.await_line("limits.header, and 100 fields", 0);
}

#[test]
fn a_page_of_the_called_host_itself_is_of_no_other_origin() {
    let doors = Doors::new("", "");
    let mut asked = 0;
    for way in WAYS.into_iter().filter(|way| *way != "CONNECT") {
        let (_, first) = doors.begin(way, "GET", "/x");
        let host = first.trim_end().rsplit(' ').next().expect("it has a Host");
        let (own, other) = if way.contains("TLS") { ("https", "http") } else { ("http", "https") };
        let usual = if host.contains("metasv") { ["80", "443"] } else { ["", ""] };
        let port = usual[usize::from(own == "https")];
        let colon = if port.is_empty() { "" } else { ":" };
        for (origin, status) in [
            (format!("{own}://{host}"), 200),
            (format!("{own}://{host}{colon}{port}"), 200),
            (format!("{other}://{host}"), 403),
            (format!("{own}://{host}.evil.example"), 403),
            (format!("{own}://evil.example"), 403),
            (format!("{own}://{host}\r\nOrigin: {own}://evil.example"), 403),
            (format!("{own}://{host}\r\nSec-Fetch-Site: cross-site"), 403),
            ("null".to_owned(), 403),
            ("file://".to_owned(), 403),
        ] {
            let (mut client, head) = doors.begin(way, "GET", "/x");
            let reply = client.exchange(format!("{head}Origin: {origin}\r\n\r\n"));
            assert_eq!(reply.status, status, "{way}: {origin}");
            assert!(status == 200 || reply.json()["code"] == "cross_site", "{way}: {origin}");
            asked += 1;
        }
    }
    assert_eq!((asked, doors.origin.arrived().len()), (45, 8));
}

#[test]
fn the_rules_hold_in_http_2_as_well() {
    let doors = Doors::new("", "");
    let proxy = &doors.proxy;
    let gateway = proxy.gateway_url().trim_start_matches("http://");
    let tunnel = Client::tunnel(proxy.forward_url(), "apiv2.metasv.com:443");
    let secure = tunnel.secure_in("apiv2.metasv.com", &doors.ca, &[b"h2"]);
    let ways = [
        (Client::connect(proxy.gateway_url()), "http", gateway, "/metasv/x"),
        (secure.expect("the certificate is right"), "https", "apiv2.metasv.com", "/x"),
    ];
    for (client, scheme, authority, path) in ways {
        let own = format!("{scheme}://{authority}");
        let fields = |more: &[(&'static str, &str)]| {
            let path = ("path", path);
            let head = [("method", "GET"), ("scheme", scheme), path, ("authority", authority)];
            let head = head.map(|(name, value)| (format!(":{name}"), value.to_owned()));
            let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            head.into_iter().chain(more).collect::<Vec<_>>()
        };
        let mut client = Http2::begin(client, &[]);
        for (number, (more, code)) in [
            (vec![("host", "other.test")], "bad_host"),
            (vec![("x-field", "1"); 96], "too_many_fields"),
            (vec![("x-field", "1"); 95], ""),
            (vec![("origin", "null")], "cross_site"),
            (vec![("origin", &own)], ""),
        ]
        .iter()
        .enumerate()
        {
            let stream = 2 * u32::try_from(number).expect("it is small") + 1;
            assert_eq!(client.ask(stream, &fields(more)).code(), *code, "{path}");
        }
    }
    assert_eq!(doors.origin.arrived().len(), 4);
}
