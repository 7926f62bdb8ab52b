//! What every store keeps: the same cases for each.

use std::thread;

use super::held::{self, Held, Make};
use super::refused;
use crate::secrets::search::Canary;
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{SINOHOPE, get};
use crate::support::vectors::{load, text};
use crate::support::wait::DEADLINE;

#[test]
fn env() {
    keeps(held::env);
}

#[test]
fn file() {
    keeps(held::file);
}

#[test]
fn systemd() {
    keeps(held::systemd);
}

#[test]
fn exec() {
    keeps(held::exec);
}

#[test]
fn ssh_agent() {
    keeps(held::ssh_agent);
}

#[test]
fn pkcs11() {
    keeps(held::pkcs11);
}

#[test]
fn remote_at_a_socket() {
    keeps(held::remote_at_a_socket);
}

#[test]
fn remote_in_mutual_tls() {
    keeps(held::remote_in_mutual_tls);
}

#[test]
fn vault() {
    keeps(held::vault);
}

#[test]
fn aws_kms() {
    keeps(held::aws_kms);
}

/// Goes through the cases with one store.
fn keeps(make: Make) {
    let origin = Origin::start(scripted(providers()));
    let home = Home::new("");
    let case = Case { held: make(&home), home, origin };
    let mut said = case.refuses();
    let mut proxy = case.start();
    assert_eq!(ask(proxy.forward_url()), 200, "the right key");
    case.serves_many(&proxy);
    case.goes_and_comes(&proxy);
    said.push_str(&proxy.finish(DEADLINE));
    case.home.write("proxy.toml", &case.by_uri());
    let mut again = Proxy::start_in(case.home.clone(), &case.variables());
    assert_eq!(ask(again.forward_url()), 200, "a restart, with a key URI");
    said.push_str(&again.finish(DEADLINE));
    assert!(said.contains("countersign::request"), "there was something to search: {said}");
    let number = text(&load("sinohope"), "/keys/test-p256/private_scalar_hex").to_owned();
    let number = base16ct::lower::decode_vec(number).expect("the vectors are lower-case hex");
    assert_eq!(Canary::new("the key", &number).find(said.as_bytes()), None);
}

struct Case {
    held: Held,
    home: Home,
    origin: Origin,
}

impl Case {
    fn config(&self, entry: &str, lines: &str) -> String {
        let route = config::sinohope(&self.origin.url(), None);
        let route = route.replace("\"files\"", "\"held\"").replace("\"sinohope.pem\"", entry);
        let route = route.replacen("\n[routes", &format!("{lines}\n\n[routes"), 1);
        let tables = format!(
            "[stores.held]\n{}\n[timeouts]\nsign = \"1s\"\n[log]\nlevel = \"debug\"\n",
            self.held.table
        );
        config::proxy(&[route, tables])
    }

    fn right(&self) -> String {
        self.config(&format!("{:?}", self.held.entry), "")
    }

    /// The same without a store.
    fn by_uri(&self) -> String {
        let route = config::sinohope(&self.origin.url(), None);
        let table = "[keys.sinohope]\nstore = \"files\"\nentry = \"sinohope.pem\"\n";
        let short = format!("[keys]\nsinohope = {}\n", self.held.uri);
        assert!(route.contains(table), "{route}");
        config::proxy(&[route.replace(table, &short), "[log]\nlevel = \"debug\"\n".into()])
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        self.held.variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    fn start(&self) -> Proxy {
        self.home.write("proxy.toml", &self.right());
        Proxy::start_in(self.home.clone(), &self.variables())
    }

    /// What is not there, and what is another key than the configuration says, stops the start.
    fn refuses(&self) -> String {
        let entry = format!("{:?}", self.held.entry);
        let other = text(&load("sinohope"), "/keys/test-k256/spki_der_hex").to_owned();
        let mut all = String::new();
        for (entry, lines, what) in [
            ("\"absent\"", String::new(), "keys.sinohope: "),
            (entry.as_str(), "algorithm = \"ecdsa_secp256k1\"".into(), "is an ecdsa_p256 key"),
            (entry.as_str(), format!("public = \"{other}\""), "not the one in `public`"),
        ] {
            self.home.write("proxy.toml", &self.config(entry, &lines));
            let said = refused(&self.home, &self.variables());
            assert!(said.contains(what) && said.contains("\n  fix: "), "{what}: {said}");
            all.push_str(&said);
        }
        all
    }

    fn serves_many(&self, proxy: &Proxy) {
        let (before, url) = (self.origin.arrived().len(), proxy.forward_url());
        thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| assert_eq!(ask(url), 200));
            }
        });
        assert_eq!(self.origin.arrived().len(), before + 32);
    }

    /// The store is gone while the proxy runs: what is in memory goes on, what signs there is
    /// missed, a reload changes nothing; and when it is back, so is everything.
    fn goes_and_comes(&self, proxy: &Proxy) {
        let Some(take) = &self.held.take else { return };
        take(true);
        let reply = Client::connect(proxy.forward_url()).exchange(get(&format!("{SINOHOPE}/x")));
        if self.held.signs {
            let body = String::from_utf8_lossy(&reply.body).into_owned();
            assert_eq!(reply.status, 503, "{body}");
            assert!(body.contains("signer_unavailable"), "{body}");
            let after =
                reply.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
            assert_eq!(after.map(|(_, value)| value.as_str()), Some("1"));
        } else {
            assert_eq!(reply.status, 200);
        }
        // A remark makes it another text.
        proxy.reload(&format!("{}# again\n", self.right()), false);
        take(false);
        assert_eq!(ask(proxy.forward_url()), 200, "the old keys go on");
        proxy.reload(&self.right(), true);
        assert_eq!(ask(proxy.forward_url()), 200, "the new ones too");
    }
}

fn ask(url: &str) -> u16 {
    Client::connect(url).exchange(get(&format!("{SINOHOPE}/x"))).status
}
