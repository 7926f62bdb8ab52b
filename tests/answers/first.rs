//! The first of an answer's body: a head goes on without it, unless it is there already and broken.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::support::client::Client;
use crate::support::config;
use crate::support::origin::Answer;
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, Stage, get};
use crate::support::wait::accepted;

#[test]
fn an_answer_whose_first_chunk_is_broken_is_refused_and_not_cut() {
    let broken = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec();
    let stage = Stage::with(Box::new(move |_| Answer::Raw(broken.clone())), "");
    for _ in 0..10 {
        let reply = stage.exchange(get(&format!("{METASV}/x")));
        assert_eq!((reply.status, &reply.json()["code"]), (502, &"upstream_closed".into()));
        assert!(reply.json()["remedy"].to_string().contains("may have been carried out"));
    }
}

#[test]
fn a_head_is_not_held_back_until_its_body_begins() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let proxy = Proxy::start(&config::proxy(&[config::metasv(&url, None)]));
    let mut client = Client::connect(proxy.forward_url());
    client.send(get(&format!("{METASV}/events")));
    let mut provider = accepted(&listener);
    let mut head = [0; 4096];
    assert!(provider.read(&mut head).expect("the request comes") > 0);
    let begun = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    provider.write_all(begun.as_bytes()).expect("the proxy reads");
    assert_eq!(client.bare_reply().status, 200);
    provider.write_all(b"1\r\nx\r\n0\r\n\r\n").expect("the proxy reads");
    assert_eq!(client.take(6), b"1\r\nx\r\n");
}

#[test]
fn interim_answers_are_left_out_and_the_last_one_goes_on() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlast";
    let stage = Stage::with(Box::new(move |_| Answer::Raw([hints, last].concat().into())), "");
    let reply = stage.exchange(get(&format!("{METASV}/x")));
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"last".as_slice()));
    assert!(reply.values("Link").is_empty(), "{reply:?}");
}
