//! Who is kept waiting by whom: strangers by nobody, and no client by another.

mod clients;
mod descriptors;
mod held;
mod strangers;
mod turns;

use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::METASV;

/// A proxy that asks `app` and `bot` for their tokens, with these tables beside the usual ones.
fn guarded(tables: &str) -> (Origin, Proxy) {
    let origin = Origin::start(scripted(providers()));
    let url = origin.url();
    let providers = [config::sinohope(&url, None), config::metasv(&url, None)];
    let more = [config::TOKENS.to_owned(), tables.to_owned()];
    let home = Home::new(&config::proxy(&[&providers[..], &more[..]].concat()));
    home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "app-t"), ("bot", "bot-t")]));
    (origin, Proxy::start_in(home, &[]))
}

/// A request of the client with this token.
fn asking(path: &str, token: &str) -> String {
    format!(
        "GET {METASV}/{path} HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Bearer {token}\r\n\r\n"
    )
}

/// So many connections that say nothing.
fn silent(url: &str, count: usize) -> Vec<Client> {
    (0..count).map(|_| Client::connect(url)).collect()
}

/// The value of a metric, for the client with a token; 0 when it is not there.
fn metric(proxy: &Proxy, name: &str) -> u64 {
    let host = proxy.admin_url().trim_start_matches("http://");
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nCountersign-Token: app-t\r\n\r\n");
    let reply = Client::connect(proxy.admin_url()).exchange(request);
    let text = String::from_utf8(reply.body).expect("metrics are text");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap_or_else(|why| panic!("{name}: {why}")))
}

/// Deadlines so long that nobody here lives to see them.
const PATIENT: &str = "[timeouts]\nrequest_head = \"1h\"\nclient_idle = \"1h\"\n";
