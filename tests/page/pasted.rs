//! The box for a request that was rejected.

use crate::support::client::Client;
use crate::support::stage::{METASV, get};

use super::scene::{SECRETS, Scene, form};

/// What the page says of a request, with the status.
fn why(scene: &Scene, fields: &[(&str, &str)]) -> (u16, String) {
    let reply = scene.ask("POST /verify", &[], &form(fields));
    (reply.status, String::from_utf8(reply.body).expect("it is UTF-8"))
}

/// A request as it came to the provider.
fn sent(scene: &Scene) -> String {
    let mut client = Client::connect(scene.proxy.forward_url());
    assert_eq!(client.exchange(get(&format!("{METASV}/v1/tx?a=1"))).status, 200);
    let arrived = scene.origin.await_arrived(1).pop().expect("one came");
    let headers: Vec<_> =
        arrived.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("{} {} HTTP/1.1\n{}\n", arrived.method, arrived.target, headers.concat())
}

#[test]
fn a_request_is_judged_as_verify_does() {
    let scene = Scene::new();
    let good = sent(&scene);
    let (status, page) = why(&scene, &[("request", &good)]);
    assert!(status == 200 && page.contains("good\">valid<"), "{page}");
    let bad = good.replacen("/v1/tx", "/v1/Tx", 1);
    let (status, page) = why(&scene, &[("request", &bad)]);
    for text in ["bad\">not valid<", "Route <b>metasv</b>", "<mark>", "Fix: "] {
        assert!(status == 200 && page.contains(text), "{text}: {page}");
    }
    // The answer, and when it came, say more.
    let (_, page) = why(&scene, &[("request", &good), ("arrived", "2040-01-01T00:00:00Z")]);
    assert!(page.contains("old when the request arrived"), "{page}");
    let answer = "HTTP/1.1 200 OK\nDate: Sun, 01 Jan 2040 00:00:00 GMT\n\n{}";
    let (_, page) = why(&scene, &[("request", &good), ("answer", answer)]);
    assert!(page.contains("old when the request arrived"), "{page}");
}

#[test]
fn what_is_no_request_is_said_to_be_none_and_shown_as_text() {
    let scene = Scene::new();
    let evil = "</textarea><script>alert(1)</script>";
    for (fields, said) in [
        (vec![("request", evil)], "the file is no HTTP/1.1 request"),
        (vec![("request", "GET / HTTP/1.1\nHost: nobody.example\n\n")], "no route matches"),
        (vec![("request", "{\"log\": {}}")], "no log.entries"),
        (vec![("request", "GET / HTTP/1.1\n\n"), ("arrived", evil)], "is no time"),
        (vec![("request", "GET / HTTP/1.1\n\n"), ("answer", evil)], "the answer is none"),
        (vec![], "the file is no HTTP/1.1 request"),
    ] {
        let (status, page) = why(&scene, &fields);
        assert!(status == 422 && page.contains(said), "{said}: {status} {page}");
        assert!(!page.contains("<script>") && page.matches("</textarea>").count() == 2, "{page}");
        assert!(SECRETS.iter().all(|secret| !page.contains(secret)), "{page}");
    }
}

#[test]
fn a_body_is_read_as_it_was_before_a_form_carried_it() {
    let scene = Scene::new();
    let mut client = Client::connect(scene.proxy.forward_url());
    let body = "{\"a\":\n1}";
    client.exchange(format!(
        "POST http://www.okx.com/api/v5/x HTTP/1.1\r\nHost: www.okx.com\r\nContent-Length: 8\r\n\r\n{body}"
    ));
    let arrived = scene.origin.await_arrived(1).pop().expect("one came");
    let lines: String =
        arrived.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let request = format!("POST {} HTTP/1.1\n{lines}\n{body}", arrived.target);
    let (status, page) = why(&scene, &[("request", &request)]);
    assert!(status == 200 && page.contains("good\">valid<"), "{page}");
    // What the provider was sent is the reader's own; what signed it is on no page.
    assert!(!page.contains(SECRETS[0]), "{page}");
    let (_, page) = why(&scene, &[("request", &request.replace("{\"a\":", "{\"b\":"))]);
    assert!(page.contains("bad\">not valid<"), "{page}");
}
