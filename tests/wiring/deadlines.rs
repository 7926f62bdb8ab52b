//! Deadlines that are as short, or as long, as is written: told from those that hold by themselves by
//! what happens before and after them on the proxy's own clock, whichever machine this is.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::support::client::Client;
use crate::support::config;
use crate::support::proxy::Signal;
use crate::support::stage::{METASV, SINOHOPE, Stage, get};
use crate::support::wait::{DEADLINE, eventually};

/// A request that the provider does not answer, and that is over when `timeouts.response_head` is.
fn witness(stage: &Stage) -> Client {
    let (mut client, before) = (stage.client(), stage.origin.begun());
    client.send(get(&format!("{METASV}/slow-head")));
    eventually("it is under way", || stage.origin.begun() > before);
    client
}

/// Returns after so many seconds, by the clock of a proxy.
pub(crate) fn later(seconds: u8) {
    let stage = Stage::new(&format!("[timeouts]\nresponse_head = \"{seconds}s\"\n"));
    assert_eq!(stage.exchange(get(&format!("{METASV}/slow-head"))).status, 504);
}

type Late = fn(&Stage) -> Client;

/// What is written, the time of the witness, which is less than what holds by itself, and who is late.
const SHORT: &[(&str, &str, Late)] = &[
    ("request_head = \"200ms\"", "20s", |stage| {
        let mut client = stage.client();
        client.send(format!("GET {METASV}/x HTTP/1.1\r\nHost:"));
        client
    }),
    ("request_body = \"200ms\"", "20s", |stage| {
        let mut client = stage.client();
        let head = format!("POST {SINOHOPE}/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");
        client.send(head + "Content-Length: 9\r\n\r\nhalf");
        client
    }),
    ("connect = \"200ms\"", "4s", |stage| {
        let mut client = stage.client();
        client.send("GET http://silent.test/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        client
    }),
];

#[test]
fn what_is_shorter_than_by_itself_is_over_before() {
    for (written, witness_has, late) in SHORT {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("https://{}", silent.local_addr().expect("it is bound"));
        let route = config::metasv(&url, None).replace("metasv_origin", "silent");
        let route = route
            .replace("routes.metasv", "routes.silent")
            .replace("apiv2.metasv.com", "silent.test");
        let (_, route) = route.split_once("\n[routes").expect("the key is there already");
        let tables =
            format!("[timeouts]\n{written}\nresponse_head = \"{witness_has}\"\n[routes{route}");
        let stage = Stage::new(&tables);
        let witness = witness(&stage);
        late(&stage).await_end();
        let open = stage.proxy.metric("countersign_requests_open");
        assert_eq!(open, 1, "{written}: the witness was over before");
        drop(witness);
    }
}

#[test]
fn a_stop_takes_new_requests_as_long_as_is_written() {
    let stage = Stage::new("[timeouts]\ndrain_linger = \"1h\"\nresponse_head = \"3s\"\n");
    let mut late = witness(&stage);
    stage.proxy.signal(Signal::Terminate);
    // By itself it would take none after two seconds.
    assert_eq!(late.reply().status, 504);
    assert_eq!(stage.exchange(get(&format!("{METASV}/x"))).status, 200);
}

#[test]
fn a_stop_waits_for_what_is_under_way_as_long_as_is_written() {
    let tables = "[timeouts]\ndrain_linger = \"1ms\"\ndrain = \"1h\"\nresponse_head = \"13s\"\n";
    let mut stage = Stage::new(tables);
    let mut late = witness(&stage);
    stage.proxy.signal(Signal::Terminate);
    // By itself it would have ended after ten seconds.
    assert_eq!(late.reply().status, 504);
    assert!(stage.proxy.wait_exit(DEADLINE).success());
}

#[test]
fn a_signer_waits_for_a_signature_under_way_as_long_as_is_written() {
    let home = crate::support::home::Home::new("");
    let signer = crate::signer::settings::with(&home, "drain = \"1h\"\n");
    let mut half = UnixStream::connect(home.path("signer.sock")).expect("it listens");
    half.set_read_timeout(Some(Duration::from_secs(60))).expect("it can have a deadline");
    let body = crate::signer::grants::body("ecdsa_p256", None);
    let head = format!(
        "POST /v1/keys/sinohope/sign HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    half.write_all(head.as_bytes()).expect("it is open");
    // It has read the head when it asks for the body.
    let mut asked = [0; 12];
    half.read_exact(&mut asked).expect("it asks for the body");
    assert_eq!(&asked, b"HTTP/1.1 100");
    signer.with(|process| process.signal(Signal::Terminate));
    // By itself it would have ended after five seconds.
    later(7);
    half.write_all(body.as_bytes()).expect("it is there");
    let mut answer = String::new();
    half.read_to_string(&mut answer).expect("it answers");
    assert!(answer.contains("HTTP/1.1 200 OK"), "{answer}");
    signer.with(|process| assert!(process.wait_exit(DEADLINE).success()));
}
