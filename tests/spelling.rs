//! The case of header names, which means nothing and is looked at all the same: those of HTTP/1.1
//! go on as they were written, in both directions; what is put in is written as it is documented.

use crate::support::client::Client;
use crate::support::config;
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, SINOHOPE, Stage, post};
use crate::support::verify::Arrived;

fn names(request: &Arrived) -> Vec<&str> {
    let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn names_keep_the_case_that_they_were_written_in() {
    let answer = "HTTP/1.1 200 OK\r\nX-rate-LIMIT: 7\r\nContent-Length: 0\r\n\r\n";
    let origin = Origin::start(Box::new(move |_| Answer::Raw(answer.into())));
    let tables = "[access]\nunrouted = \"pass\"\n".to_owned();
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
