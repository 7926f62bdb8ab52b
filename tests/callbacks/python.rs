//! Another implementation of JWT on the other side: Python's PyJWT, as node and as server.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::client::{Client, run};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::Proxy;

#[test]
fn a_node_in_python_believes_what_the_gateway_sealed() {
    let service = Origin::start(Box::new(|request| {
        let asked: Value = serde_json::from_slice(&request.body).expect("JSON");
        let action = if asked["request_type"] == 1 { "APPROVE" } else { "REJECT" };
        Answer::json(
            200,
            &json!({ "status": 0, "action": action, "request_id": asked["request_id"] }),
        )
    }));
    let proxy = Proxy::start(&config::proxy(&[config::cobo_callback(&service.url(), "")]));
    let url = format!("{}/cobo/v1/check", proxy.gateway_url());
    for (kind, action) in [(1, "APPROVE"), (2, "REJECT")] {
        let id = format!("é-{kind}");
        let request = json!({ "request_id": id, "request_type": kind }).to_string();
        let home = proxy.home();
        let mut node = Command::new(python());
        node.arg(program("cobo_node.py")).arg(&url).arg(home.path("keys/cobo-node.pem"));
        node.arg(home.path("cobo-server-public.pem")).arg(&request);
        let output = run(&mut node);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(said, json!({ "status": 0, "request_id": id, "action": action }));
    }
    assert_eq!(service.arrived().len(), 2);
}

#[test]
fn a_server_in_python_believes_what_the_proxy_sealed() {
    let home = Home::new("");
    for form in ["bare", "quoted"] {
        let server = Server::start(&home, form);
        let url = format!("http://127.0.0.1:{}", server.port);
        let proxy = Proxy::start(&config::proxy(&[config::cobo_client(&url, "")]));
        for (kind, action) in [(1, "APPROVE"), (3, "REJECT")] {
            let body = json!({ "request_id": "é-2", "request_type": kind }).to_string();
            let length = body.len();
            let reply = Client::connect(proxy.forward_url()).exchange(format!(
                "POST http://callback.example.com/v1/check HTTP/1.1\r\nHost: x\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            ));
            let expected = json!({ "status": 0, "request_id": "é-2", "action": action });
            assert_eq!((reply.status, reply.json()), (200, expected), "{form}");
        }
    }
}

/// A running server; it ends with its input.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(home: &Home, form: &str) -> Self {
        let mut child = Command::new(python())
            .arg(program("cobo_server.py"))
            .arg(home.path("keys/cobo-server.pem"))
            .arg(home.path("cobo-node-public.pem"))
            .arg(form)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python can be run");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says its port");
        Self { child, port: line.trim().parse().expect("a port") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}

/// The source of a program.
fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// The interpreter that `scripts/setup-tests` puts beside the build.
pub(super) fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let path = target.expect("the build directory has a name").join("test-clients/venv/bin/python");
    assert!(path.exists(), "{} is missing: run scripts/setup-tests", path.display());
    path
}
