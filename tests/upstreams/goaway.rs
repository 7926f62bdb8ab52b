//! GOAWAY as a server sends it in earnest: nginx has had enough of a connection after so many
//! requests, while others are on their way on it.

use std::thread;

use super::{METASV, metasv, trusting};
use crate::support::client::Client;
use crate::support::front::{Behind, Front, REQUESTS};
use crate::support::origin::{self, Origin};
use crate::support::proxy::Proxy;
use crate::support::stage::get;

#[test]
fn no_request_is_lost_when_nginx_ends_its_connections() {
    let origin = Origin::start(origin::metasv("test-a"));
    let url = origin.url();
    let front = Front::nginx_h2("apiv2.metasv.com", Behind { sockets: &url, others: &url });
    let ca = front.ca().expect("it speaks TLS");
    let proxy = Proxy::start(&metasv(&front.url(), &trusting(&ca)));
    // As many at a time as make it likely that some are on their way when it ends.
    let forward = proxy.forward_url();
    let ask = || {
        let mut client = Client::connect(forward);
        let request = get(&format!("{METASV}/x"));
        (0..EACH).filter(|_| client.exchange(&request).status == 200).count()
    };
    let accepted: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().map(|client| client.join().expect("it is answered")).sum()
    });
    assert_eq!(accepted, CLIENTS * EACH, "{}", proxy.output());
}

const CLIENTS: usize = 32;
/// So that eight connections end meanwhile.
const EACH: usize = 8 * REQUESTS / CLIENTS;
