//! Fair shares: what one client has of connections and tunnels leaves some for others.

use super::{PATIENT, asking, guarded, metric};
use crate::support::client::Client;
use crate::support::stage::{METASV, Stage, get};
use crate::support::wait::eventually;

#[test]
fn one_client_leaves_a_place_for_another() {
    let (_origin, proxy) = guarded(&format!("{IMPATIENT}[limits]\nconnections = 4\n"));
    let ask = |token: &str| {
        let mut client = Client::connect(proxy.forward_url());
        let reply = client.exchange(asking("x", token));
        (client, reply)
    };
    // Their connections stay open, and are three of four.
    let mut app: Vec<_> = (0..3).map(|_| ask("app-t")).collect();
    assert!(app.iter().all(|(_, reply)| reply.status == 200));
    let (mut client, refused) = ask("app-t");
    assert_eq!((refused.status, &refused.json()["code"]), (503, &"too_many_connections".into()));
    assert_eq!(refused.values("Retry-After"), ["1"]);
    assert_eq!(refused.values("Connection"), ["close"]);
    assert_eq!(client.await_end(), b"");
    let (_bot, reply) = ask("bot-t");
    assert_eq!(reply.status, 200, "the last is for another");
    for (limit, used) in [("connections", 4), ("unauthenticated", 0)] {
        let name = format!("countersign_limit_used{{limit=\"{limit}\"}}");
        eventually(&name, || metric(&proxy, &name) == used);
    }
    assert_eq!(metric(&proxy, "countersign_limit{limit=\"connections\"}"), 4);
    app.truncate(1);
    let (_again, reply) = ask("app-t");
    assert_eq!(reply.status, 200, "some of its own came back");
}

#[test]
fn where_nobody_has_a_name_an_address_is_a_client() {
    let stage = Stage::new(&format!("{IMPATIENT}[limits]\nconnections = 4\n"));
    let ask = |address: &str| {
        let mut client = Client::connect_from(address, stage.proxy.forward_url());
        let reply = client.exchange(get(&format!("{METASV}/x")));
        (client, reply.status)
    };
    let first: Vec<_> = (0..4).map(|_| ask("127.0.0.1")).collect();
    assert_eq!(first.iter().map(|(_, status)| *status).collect::<Vec<_>>(), [200, 200, 200, 503]);
    assert_eq!(ask("127.0.0.2").1, 200);
}

#[test]
fn one_client_leaves_a_tunnel_for_another() {
    let (origin, proxy) = guarded(&format!("{PATIENT}[limits]\ntunnels = 4\n"));
    let config = std::fs::read_to_string(proxy.home().path("proxy.toml")).expect("it is there");
    proxy.reload(
        &config
            .replace("[access]", "[access]\nunrouted = \"pass\"\npass_private = [\"127.0.0.0/8\"]"),
        true,
    );
    let place = origin.url().trim_start_matches("http://").to_owned();
    let open = |token: &str| {
        let mut client = Client::connect(proxy.forward_url());
        client.send(format!(
            "CONNECT {place} HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Bearer {token}\r\n\r\n"
        ));
        let status = client.bare_reply().status;
        (client, status)
    };
    let app: Vec<_> = (0..4).map(|_| open("app-t")).collect();
    assert_eq!(app.iter().map(|(_, status)| *status).collect::<Vec<_>>(), [200, 200, 200, 503]);
    assert_eq!(open("bot-t").1, 200);
}

/// How long a place is waited for is the last of these.
const IMPATIENT: &str =
    "[timeouts]\nrequest_head = \"1h\"\nclient_idle = \"1h\"\nresponse_head = \"1s\"\n";
