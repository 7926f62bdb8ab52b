//! The case of header names, which means nothing and is looked at all the same: those of HTTP/1.1
//! go on as they were written, in both directions; what is put in is written as it is documented.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::support::client::Client;
use crate::support::config::{self, PASS};
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, SINOHOPE, Stage, post};
use crate::support::verify::Arrived;
use crate::support::wait::accepted;

fn names(request: &Arrived) -> Vec<&str> {
    let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn names_keep_the_case_that_they_were_written_in() {
    let answer = "HTTP/1.1 200 OK\r\nX-rate-LIMIT: 7\r\nContent-Length: 0\r\n\r\n";
    let origin = Origin::start(Box::new(move |_| Answer::Raw(answer.into())));
    let tables = PASS.to_owned();
    let place = origin.url();
    let proxy = Proxy::start(&config::proxy(&[tables, config::metasv(&place, None)]));
    let mut client = Client::connect(proxy.forward_url());
    let reply = client.exchange(format!(
        "POST {place}/x HTTP/1.1\r\nhost: h\r\nX-mixed-CASE: 1\r\nx-mixed-Case: 2\r\n\
         LOUD: 1\r\nquiet: 1\r\nX-Forwarded-For: 10.0.0.1\r\ncontent-LENGTH: 2\r\n\r\n{{}}"
    ));
    assert!(reply.headers.iter().any(|(name, _)| name == "X-rate-LIMIT"), "{:?}", reply.headers);
    let arrived = origin.arrived();
    let expected = ["LOUD", "X-mixed-CASE", "content-LENGTH", "host", "quiet", "x-mixed-Case"];
    assert_eq!(names(&arrived[0]), expected);
}

#[test]
fn what_is_put_in_is_written_as_the_provider_documents_it() {
    let stage = Stage::new("");
    let (metasv, sinohope) = (post(METASV, "{}"), post(SINOHOPE, "{}"));
    // The second on a connection that has served before.
    for request in [&metasv, &sinohope, &metasv, &sinohope] {
        assert_eq!(stage.exchange(request).status, 200);
    }
    let metasv = [
        "Content-Length",
        "Host",
        "MetaSV-Client-Pubkey",
        "MetaSV-Nonce",
        "MetaSV-Signature",
        "MetaSV-Timestamp",
    ];
    let sinohope = ["BIZ-API-KEY", "BIZ-API-NONCE", "BIZ-API-SIGNATURE", "Content-Length", "Host"];
    let arrived = stage.origin.arrived();
    for (request, expected) in arrived.iter().zip([&metasv[..], &sinohope].iter().cycle()) {
        assert_eq!(names(request), *expected);
        assert_eq!(request.body, b"{}");
    }
    assert_eq!(arrived.len(), 4);
}

#[test]
fn a_head_that_is_respelled_leaves_together_with_its_body() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let origin = listener.local_addr().expect("it has an address");
    let proxy =
        Proxy::start(&config::proxy(&[config::sinohope(&format!("http://{origin}"), None)]));
    let url = proxy.forward_url().to_owned();
    let client = thread::spawn(move || {
        let mut client = Client::connect(&url);
        let request = post(SINOHOPE, &format!("{{\"text\":\"{}\"}}", "x".repeat(1_000)));
        (0..20).all(|_| client.exchange(&request).status == 200)
    });
    let mut stream = accepted(&listener);
    for _ in 0..20 {
        let mut buffer = [0; 16 * 1024];
        let count = stream.read(&mut buffer).expect("a request comes");
        let (head, body) = (String::from_utf8_lossy(&buffer[..count]), 1_011);
        let (head, came) = head.split_once("\r\n\r\n").expect("a whole head comes first");
        assert!(head.contains("BIZ-API-SIGNATURE: ") && came.len() == body, "{} came", came.len());
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).expect("the proxy listens");
    }
    assert!(client.join().expect("no client panicked"));
}
