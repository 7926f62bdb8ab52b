//! A service at a Unix socket: it is asked there, and nobody can take its place.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cobo::{Party, ask, keysign};
use crate::support::config;
use crate::support::local::{Nobodys, Relay};
use crate::support::origin::{Answer, Origin};
use crate::support::proxy::Proxy;

/// What a node is told of a request.
fn told(proxy: &Proxy, id: &str) -> Value {
    let form = format!("TSS_JWT_MSG={}", Party::node().seal(keysign(id)));
    let reply = ask(proxy.gateway_url(), &form);
    let told = Party::server().believer().answer(reply.status, &reply.body, id);
    told.unwrap_or_else(|why| panic!("{id}: {why}"))
}

#[test]
fn a_service_at_a_socket_approves_and_another_users_process_in_its_place_does_not() {
    let place = TempDir::new().expect("a directory can be made");
    let mode = |mode| {
        fs::set_permissions(place.path(), Permissions::from_mode(mode)).expect("it is ours");
    };
    let socket = place.path().join("approver.sock");
    let service = Origin::start(Box::new(|_| Answer::json(200, &json!({ "action": "APPROVE" }))));
    let relay = Relay::start(&socket, &service.url());
    let url = format!("unix:{}", socket.display());
    let proxy = Proxy::start(&config::proxy(&[config::cobo_callback(&url, "")]));
    let approved = json!({ "status": 0, "request_id": "r-1", "action": "APPROVE" });
    assert_eq!(told(&proxy, "r-1"), approved);
    let arrived = service.arrived();
    assert_eq!(arrived[0].values("Host"), ["localhost"]);
    assert_eq!((arrived[0].target.as_str(), arrived.len()), ("/v1/check", 1));
    // The service ends, and somebody else listens where it did.
    drop(relay);
    fs::remove_file(&socket).expect("it is left over");
    mode(0o1777);
    let _squatter = Nobodys::start(&socket);
    let answer = told(&proxy, "r-2");
    assert_eq!((&answer["status"], &answer["action"]), (&json!(30), &json!("REJECT")), "{answer}");
    proxy.await_output("upstream_untrusted");
    // One that is believed where its user is named, to see that it would have approved.
    let named = config::cobo_callback(&url, "") + "socket_uid = 65534\n";
    proxy.reload(&config::proxy(&[named]), true);
    assert_eq!(told(&proxy, "r-3")["action"], "APPROVE");
}
