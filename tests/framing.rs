//! Requests whose end two readers could see in two places: they are refused, or read in one way
//! and closed behind. Never do they become two requests.

use crate::support::doors::{DOORS, Doors, WAYS};
use crate::support::stage::{METASV, SINOHOPE, Stage};

#[test]
fn framing_that_can_be_read_in_two_ways_is_refused() {
    // Bodies that stream, and bodies that are held.
    for doors in [Doors::new("", ""), Doors::sinohope("", "")] {
        for way in WAYS {
            for (name, more, body) in REFUSED {
                let (mut client, head) = doors.begin(way, "POST", "/first");
                client.send(format!("{head}{more}\r\n{body}{NEXT}"));
                assert_eq!(client.reply().status, 400, "{way}: {name}");
                assert!(client.await_end().is_empty(), "{way}: {name}: a second answer");
            }
        }
        assert!(doors.origin.arrived().is_empty(), "{:?}", doors.origin.arrived());
    }
    // The same request in order is taken, and what follows it is the next one.
    let stage = Stage::new("");
    let mut client = stage.client();
    client.send(format!(
        "POST {METASV}/first HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKED}{NEXT}"
    ));
    assert_eq!((client.reply().status, client.reply().status), (200, 200));
    let arrived = stage.origin.arrived();
    let targets: Vec<_> = arrived.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(targets, ["/first", "/smuggled"]);
}

#[test]
fn a_length_beside_chunks_is_dropped_and_the_connection_closed_behind() {
    let both = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
    ];
    let stage = Stage::new("");
    for host in [METASV, SINOHOPE] {
        for head in both {
            let mut client = stage.client();
            client.send(format!(
                "POST {host}/first HTTP/1.1\r\nHost: h\r\n{head}\r\n0\r\n\r\n{NEXT}"
            ));
            let reply = client.reply();
            assert_eq!((reply.status, reply.values("Connection")), (200, vec!["close"]));
            assert!(client.await_end().is_empty(), "{head:?}: a second answer");
        }
    }
    let arrived = stage.origin.arrived();
    assert_eq!(arrived.len(), 6);
    for request in arrived {
        assert_eq!((request.target.as_str(), request.body.len()), ("/first", 0));
        let stated = [request.values("Content-Length"), request.values("Transfer-Encoding")];
        assert_eq!(stated.concat().len(), 1, "{request:?}");
    }
}

#[test]
fn the_same_length_twice_is_one_length() {
    let stage = Stage::new("");
    for host in [METASV, SINOHOPE] {
        let reply = stage.exchange(format!(
            "POST {host}/first HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}"
        ));
        assert_eq!(reply.status, 200, "{}", reply.json());
    }
    let arrived = stage.origin.arrived();
    assert_eq!(arrived.len(), 2);
    assert!(arrived.iter().all(|one| one.once("Content-Length") == Ok("2")), "{arrived:?}");
}

#[test]
fn chunks_that_break_the_rules_never_look_complete() {
    let table = [
        "5\nhello\n0\n\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
    ];
    for doors in [Doors::new("", ""), Doors::sinohope("", "")] {
        for way in DOORS {
            for chunks in table {
                let (mut client, head) = doors.begin(way, "POST", "/first");
                client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}{NEXT}"));
                assert_eq!(client.reply().status, 400, "{way}: {chunks:?}");
                assert!(client.await_end().is_empty(), "{way}: {chunks:?}: a second answer");
            }
            assert!(doors.origin.arrived().is_empty(), "{way}: {:?}", doors.origin.arrived());
        }
        assert_eq!(doors.ask("forward", "GET", "/x", b"").status, 200);
    }
}

const CHUNKED: &str = "5\r\nhello\r\n0\r\n\r\n";
const NEXT: &str = "GET http://apiv2.metasv.com/smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

/// What it is, its headers, its body.
const REFUSED: &[(&str, &str, &str)] = &[
    ("a folded line", "Transfer-Encoding:\r\n chunked\r\nContent-Length: 15\r\n", CHUNKED),
    ("space before a colon", "Transfer-Encoding : chunked\r\nContent-Length: 15\r\n", CHUNKED),
    ("a tab before a colon", "Content-Length\t: 15\r\n", CHUNKED),
    ("two lengths", "Content-Length: 15\r\nContent-Length: 0\r\n", CHUNKED),
    ("a list of lengths", "Content-Length: 15, 15\r\n", CHUNKED),
    ("a length with a sign", "Content-Length: +15\r\n", CHUNKED),
    ("a negative length", "Content-Length: -15\r\n", ""),
    ("a length in hex", "Content-Length: 0xf\r\n", CHUNKED),
    ("an empty length", "Content-Length:\r\n", ""),
    ("a length past counting", "Content-Length: 18446744073709551616\r\n", ""),
    ("a coding that is none", "Transfer-Encoding: xchunked\r\n", CHUNKED),
    ("chunks that are not the last", "Transfer-Encoding: chunked, identity\r\n", CHUNKED),
    ("identity", "Transfer-Encoding: identity\r\nContent-Length: 15\r\n", CHUNKED),
    (
        "a second coding behind chunks",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        CHUNKED,
    ),
    ("a vertical tab", "Transfer-Encoding: \x0bchunked\r\n", CHUNKED),
    ("a zero byte", "X: a\0b\r\n", ""),
    ("a lone carriage return", "X: a\rTransfer-Encoding: chunked\r\n", CHUNKED),
];
