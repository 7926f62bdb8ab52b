//! What a reload takes away from somebody whose connection is open: the next request on it is held
//! against the configuration of now.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::authority::Authority;
use crate::support::client::Client;
use crate::support::config::{self, CA_FILE, CA_KEY_FILE, INTERCEPT};
use crate::support::home::Home;
use crate::support::origin::{Origin, providers};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, Stage, get};

#[test]
fn an_address_that_is_no_longer_allowed_is_refused_on_its_open_connection() {
    let stage = Stage::new("[access]\nfrom = [\"127.0.0.0/8\"]\n");
    let mut client = stage.client();
    assert_eq!(client.exchange(get(&format!("{METASV}/a"))).status, 200);
    let elsewhere = stage.configuration("[access]\nfrom = [\"192.0.2.0/24\"]\n");
    stage.proxy.reload(&elsewhere, true);
    let reply = client.exchange(get(&format!("{METASV}/b")));
    assert_eq!((reply.status, &reply.json()["code"]), (403, &"client_not_allowed".into()));
    assert_eq!(stage.origin.arrived().len(), 1);
}

#[test]
fn a_token_that_is_revoked_ends_what_is_inside_of_its_connect() {
    let origin = Origin::start(providers());
    let tables = [config::metasv(&origin.url(), None), config::TOKENS.into(), INTERCEPT.into()];
    let (configuration, ca) = (config::proxy(&tables), Authority::new());
    let home = Home::new(&configuration);
    home.write(CA_FILE, &ca.pem());
    home.write(CA_KEY_FILE, &ca.key_pem());
    home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
    let proxy = Proxy::start_in(home, &[]);
    let mut client = Client::connect(proxy.forward_url());
    let shown = STANDARD.encode("app:t0ken");
    let place = "apiv2.metasv.com:443";
    client.send(format!(
        "CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nProxy-Authorization: Basic {shown}\r\n\r\n"
    ));
    assert_eq!(client.bare_reply().status, 200);
    let mut client = client.secure("apiv2.metasv.com", &ca.pem()).expect("the leaf is right");
    let ask = "GET /x HTTP/1.1\r\nHost: apiv2.metasv.com\r\n\r\n";
    assert_eq!(client.exchange(ask).status, 200);
    proxy.home().write(config::TOKENS_FILE, &config::client_tokens(&[("app", "an0ther")]));
    proxy.reload(&configuration, true);
    let reply = client.exchange(ask);
    assert_eq!((reply.status, &reply.json()["code"]), (407, &"client_unauthenticated".into()));
    assert_eq!(origin.arrived().len(), 1);
}
