//! What a signer has given up, as the system tells of each of its threads.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;

use serde_json::Value;

use crate::support::home::Home;
use crate::support::proxy::Proxy;
use crate::support::signer::{Signer, own_grant};
use crate::support::under_test;
use crate::support::wait::DEADLINE;

/// One request to the signer at a home's socket, by hand.
pub(super) fn ask(home: &Home, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(home.path("signer.sock")).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket can have a deadline");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    // It may have answered before it has read all of a body.
    let _sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("it is text");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.expect("it has a status"), serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn every_thread_has_given_up_what_it_does_not_need() {
    let home = Home::new("");
    let keys = "[keys.sinohope]\nstore = \"files\"\nentry = \"sinohope.pem\"\n\
                [keys.rsa]\nstore = \"files\"\nentry = \"cobo-server.pem\"\n";
    let signer = Signer::at_a_socket(&home, &own_grant("sinohope"), keys);
    let pid = signer.with(|process| process.pid());
    let mut seen = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).expect("it runs") {
        let status = thread.expect("it is listed").path().join("status");
        let status = fs::read_to_string(status).expect("it is there");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(|line| line.trim().to_owned()).unwrap_or_default()
        };
        assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1".into(), "2".into()), "{status}");
        seen.push(field("Name:"));
    }
    // Of the log, the runtime, RSA keys, and the file of signatures.
    let named = |name: &str| seen.iter().any(|seen| seen == name);
    assert!(seen.len() >= 6 && named("log") && named("sign"), "{seen:?}");
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("it is there");
    let core = limits.lines().find(|line| line.starts_with("Max core file size"));
    assert_eq!(core.map(|line| line.split_whitespace().nth(4)), Some(Some("0")), "{limits}");
    signer.with(|process| process.await_output("given up: "));
    let said = signer.output();
    let line = said.lines().find(|line| line.contains("given up: ")).unwrap_or_default();
    assert_eq!(line.split("; ").count(), 5, "{said}");
}

#[test]
fn the_soft_limit_of_descriptors_is_raised() {
    let home = Home::new("");
    let keys = "[keys.sinohope]\nstore = \"files\"\nentry = \"sinohope.pem\"\n";
    let signer = Signer::at_a_socket(&home, &own_grant("sinohope"), keys);
    signer.run(false);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 100 && exec \"$0\" \"$@\""]).arg(under_test());
    let [soft, hard] = Proxy::signer_by(command, home).descriptor_limits();
    assert_eq!(soft, hard);
    assert_ne!(soft, "100");
}
