//! HTTP/2 heads and floods that no decent client sends.

use crate::support::authority::Authority;
use crate::support::client::Client;
use crate::support::config::{self, CA_FILE, CA_KEY_FILE};
use crate::support::h2_client::Http2;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::Stage;

/// The head of a GET on a gateway.
pub(super) fn get(url: &str, path: &str) -> Vec<(String, String)> {
    let host = url.trim_start_matches("http://");
    [(":method", "GET"), (":scheme", "http"), (":authority", host), (":path", path)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

/// The usual scene with these tables and an authority for those of interception, and its
/// certificate.
pub(super) fn intercepting(tables: &str) -> (Stage, String) {
    let origin = Origin::start(scripted(providers()));
    let providers = [config::sinohope(&origin.url(), None), config::metasv(&origin.url(), None)];
    let home = Home::new(&config::proxy(&[&providers[..], &[tables.to_owned()]].concat()));
    let ca = Authority::new();
    home.write(CA_FILE, &ca.pem());
    home.write(CA_KEY_FILE, &ca.key_pem());
    (Stage { origin, proxy: Proxy::start_in(home, &[]) }, ca.pem())
}

#[test]
fn a_refused_head_request_has_no_body_in_http_2_either() {
    let stage = Stage::new("");
    let url = stage.proxy.gateway_url();
    let mut client = Http2::begin(Client::connect(url), &[]);
    for (stream, path, status) in [(1, "/nothing/x", 404), (3, "/metasv/x", 200)] {
        let mut head = get(url, path);
        head[0].1 = "HEAD".to_owned();
        let end = client.ask(stream, &head);
        assert_eq!(end, crate::support::h2_client::End::Answer(status, vec![]), "{path}");
    }
}
