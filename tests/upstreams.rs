//! How requests leave: HTTP/2 or HTTP/1.1 as the provider chooses, with a certificate where it
//! wants one, through another proxy where there is one; and what is said when that fails.

mod addresses;
mod certificates;
mod frames;
mod goaway;
mod handshakes;
mod hops;
mod interrupted;
mod keep_alive;
mod local;
mod pool;
mod proxied;
mod silence;
mod upgrades;
mod versions;

use std::path::Path;

use serde_json::Value;

use crate::support::client::{Client, Reply};
use crate::support::config;
use crate::support::home::Home;
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, get};

/// The usual MetaSV route, with these lines in its upstream.
fn metasv(url: &str, lines: &str) -> String {
    config::proxy(&[config::metasv(url, None), lines.to_owned(), config::ONE_POOL.to_owned()])
}

/// Trust in a provider whose certificate is for the routed host.
fn trusting(ca: &Path) -> String {
    format!("ca = \"{}\"\nserver_name = \"apiv2.metasv.com\"\n", ca.display())
}

/// Sends one request through a proxy.
fn ask(proxy: &Proxy, path: &str) -> Reply {
    ask_at(proxy.forward_url(), path)
}

fn ask_at(forward: &str, path: &str) -> Reply {
    Client::connect(forward).exchange(get(&format!("{METASV}{path}")))
}

/// Status and code of a refusal.
fn refusal(reply: &Reply) -> (u16, String) {
    (reply.status, text(&reply.json(), "code"))
}

fn text(problem: &Value, member: &str) -> String {
    problem[member].as_str().unwrap_or_default().to_owned()
}

/// A home with these secrets beside the usual keys.
fn home(config: &str, secrets: &[(&str, &str)]) -> Home {
    let tables = secrets
        .iter()
        .map(|(name, _)| format!("\n[secrets.{name}]\nstore = \"files\"\nentry = \"{name}\"\n"));
    let home = Home::new(&(config.to_owned() + &tables.collect::<String>()));
    for (name, content) in secrets {
        home.write(&format!("keys/{name}"), content);
    }
    home
}
