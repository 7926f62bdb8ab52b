//! Bodies that are held share one budget, and what one takes of it comes back.

use crate::support::client::{Client, Reply};
use crate::support::h2_client::{DATA, Http2, RST_STREAM, get as get_h2};
use crate::support::stage::{METASV, SINOHOPE, Stage, post};
use crate::support::wait::eventually;

#[test]
fn a_body_that_the_budget_has_no_room_for_is_refused_before_it_is_read() {
    let stage = Stage::new(LIMITS);
    let begin = |address: &str, length: usize| {
        let mut client = Client::connect_from(address, stage.proxy.forward_url());
        client.send(head(&format!("Content-Length: {length}\r\nExpect: 100-continue\r\n")));
        client
    };
    let mut whole = begin("127.0.0.1", 65_536);
    assert_eq!(whole.reply().status, 100, "it may come");
    assert_eq!(held(&stage), 65_536, "all of it is set aside");
    let mut half = begin("127.0.0.1", 40_000);
    assert_eq!(half.reply().status, 100);
    // What is left is for others: some of it for one who holds nothing.
    let refused = begin("127.0.0.1", 20_000).reply();
    is_refused(&refused);
    let mut other = begin("127.0.0.2", 20_000);
    assert_eq!(other.reply().status, 100);
    is_refused(&begin("127.0.0.3", 10_000).reply());
    for (client, length) in [(&mut whole, 65_536), (&mut half, 40_000), (&mut other, 20_000)] {
        assert_eq!(client.exchange(json(length)).status, 200);
    }
    let arrived = stage.origin.arrived();
    assert_eq!(arrived.iter().map(|one| one.body.len()).sum::<usize>(), 125_536);
    eventually("all of it comes back", || held(&stage) == 0);
    // A body that nobody holds is none of them.
    let mut streams = stage.client();
    let reply = streams.exchange(post(&format!("{METASV}/x"), &"x".repeat(200_000)));
    assert_eq!(reply.status, 200);
}

#[test]
fn a_body_of_unknown_length_takes_its_room_as_it_grows_and_waits_for_nobody() {
    let stage = Stage::new(LIMITS);
    let grow = |client: &mut Client, length: usize| {
        client.send(format!("{length:x}\r\n{}\r\n", "x".repeat(length)));
    };
    let addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
    let mut halves = addresses.map(|address| {
        let mut client = Client::connect_from(address, stage.proxy.forward_url());
        client.send(head("Transfer-Encoding: chunked\r\n"));
        grow(&mut client, 40_000);
        client
    });
    eventually("all have half", || held(&stage) == 120_000);
    // None can be finished while the others are there, and none waits for them.
    grow(&mut halves[0], 20_000);
    is_refused(&halves[0].reply());
    eventually("what it had comes back", || held(&stage) == 80_000);
    grow(&mut halves[1], 20_000);
    eventually("now there is room", || held(&stage) == 100_000);
    drop(halves);
    eventually("all of it comes back", || held(&stage) == 0);
}

#[test]
fn what_a_body_takes_comes_back_whatever_becomes_of_it() {
    let stage =
        Stage::new(&format!("{LIMITS}[timeouts]\nrequest_body = \"2s\"\nresponse_head = \"2s\"\n"));
    let chunk = |length: usize| format!("{length:x}\r\n{}\r\n", "x".repeat(length));
    let chunked = head("Transfer-Encoding: chunked\r\n");
    let stated = |length: usize| head(&format!("Content-Length: {length}\r\n"));
    let to = |path: &str| post(&format!("{SINOHOPE}{path}"), &json(30_000));
    let table: &[(&str, String, u16)] = &[
        ("answered", to("/x"), 200),
        ("answered badly", to("/drop"), 502),
        ("not answered", to("/slow-head"), 504),
        ("too slow", stated(30_000) + "half", 408),
        ("too slow, of unknown length", chunked.clone() + &chunk(30_000), 408),
        ("too long", chunked.clone() + &chunk(60_000) + &chunk(6_000), 413),
        ("broken", chunked.clone() + &chunk(30_000) + "z\r\n", 400),
    ];
    let table =
        table.iter().map(|(what, request, status)| (*what, request.as_bytes().to_vec(), *status));
    let unsignable = [stated(3).as_bytes(), b"\xff\xff\xff"].concat();
    for (what, request, status) in table.chain([("unsignable", unsignable, 422)]) {
        for _ in 0..2 {
            let reply = stage.exchange(&request);
            assert_eq!(reply.status, status, "{what}: {}", String::from_utf8_lossy(&reply.body));
        }
        eventually(what, || held(&stage) == 0);
    }
    for request in [stated(30_000) + "half", chunked + &chunk(30_000), to("/held")] {
        let mut client = stage.client();
        client.send(&request);
        eventually("it is held", || held(&stage) == 30_000);
        drop(client);
        eventually("its client is gone", || held(&stage) == 0);
    }
    // All of the budget in two pieces is to be had, as at the start.
    let mut one = stage.client();
    one.send(stated(65_536));
    eventually("one half", || held(&stage) == 65_536);
    let mut two = Client::connect_from("127.0.0.2", stage.proxy.forward_url());
    two.send(stated(65_536));
    eventually("the other", || held(&stage) == 131_072);
}

#[test]
fn streams_of_one_connection_share_it_like_connections() {
    let stage = Stage::new(LIMITS);
    let url = stage.proxy.gateway_url();
    let mut client = Http2::begin(Client::connect(url), &[]);
    let begin = |client: &mut Http2, stream: u32| {
        let mut fields = get_h2(url, "/sinohope/x");
        fields[0].1 = "POST".to_owned();
        fields.push(("content-length".to_owned(), "50000".to_owned()));
        client.head(stream, &fields, false);
        client.send(DATA, 0, stream, b"{");
    };
    begin(&mut client, 1);
    begin(&mut client, 3);
    eventually("two are held", || held(&stage) == 100_000);
    begin(&mut client, 5);
    let end = client.end(5);
    assert_eq!((end.status(), end.code().as_str()), (Some(503), "too_many_bodies"));
    client.send(RST_STREAM, 0, 1, &8_u32.to_be_bytes());
    eventually("one comes back", || held(&stage) == 50_000);
    begin(&mut client, 7);
    eventually("there is room again", || held(&stage) == 100_000);
    drop(client);
    eventually("all of it comes back", || held(&stage) == 0);
    assert_eq!(stage.origin.begun(), 0);
}

fn is_refused(reply: &Reply) {
    assert_eq!((reply.status, &reply.json()["code"]), (503, &"too_many_bodies".into()));
    assert_eq!(reply.values("Retry-After"), ["1"]);
}

/// Bytes that are held.
fn held(stage: &Stage) -> u64 {
    stage.proxy.metric("countersign_limit_used{limit=\"held_bodies\"}")
}

/// The head of a request whose body is signed.
fn head(fields: &str) -> String {
    format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

/// A document of this length.
fn json(length: usize) -> String {
    format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8))
}

/// Two of the longest bodies.
const LIMITS: &str = "[limits]\nsigned_body = \"64KiB\"\nheld_bodies = \"128KiB\"\n";
