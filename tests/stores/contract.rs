//! What every store keeps: the same cases for each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::held::{self, Held, Keeper, Make};
use super::{memory, refused};
use crate::secrets::search::Canary;
use crate::support::client::{Client, Reply};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{SINOHOPE, get};
use crate::support::vectors::{load, text};
use crate::support::wait::{DEADLINE, eventually};

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
    let before = case.asked();
    let mut proxy = case.start();
    assert_eq!(case.asked(), before.map(|before| before + 1), "the self-test alone");
    assert_eq!(ask(proxy.forward_url()), 200, "the right key");
    case.serves_many(&proxy);
    case.goes_and_comes(&proxy);
    if let (Some(keeper), Some(places)) = (&case.held.keeper, case.held.places) {
        case.ends_under_load(&proxy, &**keeper);
        case.stands_still(&proxy, &**keeper, places);
        case.serves_many(&proxy);
        // The signatures for what arrived, the self-tests, and what was given up.
        let signed = case.asked().is_none_or(|asked| asked > case.origin.arrived().len());
        assert!(signed, "each was signed for itself");
        said.push_str(&keeper.said());
    }
    let found = memory::forms_found(proxy.pid());
    assert_eq!(found.is_empty(), case.held.places.is_some(), "in memory: {found:?}");
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
            "[stores.held]\n{}\n[timeouts]\nsign = \"2s\"\n[log]\nlevel = \"debug\"\n",
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
        let Some(keeper) = &self.held.keeper else { return };
        keeper.take(true);
        let said = told(&exchange(proxy.forward_url(), "/x"));
        let signs = self.held.places.is_some();
        assert_eq!(said, if signs { "signer_unavailable" } else { "200" });
        // A remark makes it another text.
        proxy.reload(&format!("{}# again\n", self.right()), false);
        keeper.take(false);
        assert_eq!(ask(proxy.forward_url()), 200, "the old keys go on");
        proxy.reload(&self.right(), true);
        assert_eq!(ask(proxy.forward_url()), 200, "the new ones too");
    }

    /// Killed under load and started again: what is not signed is not sent, and nothing twice.
    fn ends_under_load(&self, proxy: &Proxy, keeper: &dyn Keeper) {
        let (url, origin) = (proxy.forward_url(), &self.origin);
        let (gone, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        let before = origin.arrived().len();
        let pressed = |client: usize| {
            let (mut signed, mut refused) = (Vec::new(), 0);
            for at in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let path = format!("/x?at={client}.{at}");
                match told(&exchange(url, &path)) {
                    "200" => signed.push(path),
                    told => {
                        // Whose time is over when the store has just come back sees it as slow.
                        assert!(["signer_unavailable", "signer_timeout"].contains(&told), "{told}");
                        assert!(gone.load(Ordering::Relaxed), "it was there");
                        refused += 1;
                    }
                }
            }
            (signed, refused)
        };
        let (mut signed, refused) = thread::scope(|scope| {
            let loads: Vec<_> = (0..8).map(|client| scope.spawn(move || pressed(client))).collect();
            origin.await_arrived(before + 20);
            gone.store(true, Ordering::Relaxed);
            keeper.take(true);
            assert_eq!(told(&exchange(url, "/gone")), "signer_unavailable");
            keeper.take(false);
            eventually("it signs again", || ask(url) == 200);
            origin.await_arrived(origin.arrived().len() + 20);
            stop.store(true, Ordering::Relaxed);
            let loads = loads.into_iter().map(|load| load.join().expect("no load panicked"));
            loads.fold((Vec::new(), 0), |all, one| ([all.0, one.0].concat(), all.1 + one.1))
        });
        assert!(refused > 0, "somebody met it gone");
        let mut arrived: Vec<_> =
            origin.arrived().split_off(before).into_iter().map(|one| one.target).collect();
        arrived.retain(|target| target.starts_with("/x?at="));
        signed.sort();
        arrived.sort();
        assert_eq!(arrived, signed, "each that was answered was sent, once, and no other");
    }

    /// It stands still: who waits too long is answered 504, who finds the queue full 503.
    fn stands_still(&self, proxy: &Proxy, keeper: &dyn Keeper, places: usize) {
        let (before, url, all) = (self.origin.arrived().len(), proxy.forward_url(), places + 16);
        keeper.pause(true);
        let all_at_once = || {
            let told: Vec<_> = thread::scope(|scope| {
                let asked = || told(&exchange(url, "/still"));
                let asked: Vec<_> = (0..all).map(|_| scope.spawn(asked)).collect();
                asked.into_iter().map(|asked| asked.join().expect("it was answered")).collect()
            });
            let count = |code| told.iter().filter(|told| **told == code).count();
            let (slow, busy) = (count("signer_timeout"), count("signer_busy"));
            assert!(slow + busy == all && slow >= places, "{told:?}");
            busy
        };
        // On a machine that has much to do some may come when others' time is over.
        eventually("the queue is full", || all_at_once() > 0);
        assert_eq!(self.origin.arrived().len(), before, "what was not signed was not sent");
        keeper.pause(false);
        eventually("it signs again", || ask(url) == 200);
    }

    fn asked(&self) -> Option<usize> {
        self.held.keeper.as_ref()?.asked()
    }
}

fn exchange(url: &str, path: &str) -> Reply {
    Client::connect(url).exchange(get(&format!("{SINOHOPE}{path}")))
}

/// What an answer says: `200`, or the code of a refusal, with what goes with that one.
fn told(reply: &Reply) -> &'static str {
    let body = String::from_utf8_lossy(&reply.body);
    let after = reply.values("Retry-After");
    for (status, code, retry) in [
        (200, "200", &[][..]),
        (503, "signer_unavailable", &["1"]),
        (503, "signer_busy", &["1"]),
        (504, "signer_timeout", &[]),
    ] {
        if reply.status == status && (status == 200 || body.contains(code)) {
            assert_eq!(after, retry, "{body}");
            return code;
        }
    }
    panic!("{}: {body}", reply.status)
}

fn ask(url: &str) -> u16 {
    exchange(url, "/x").status
}
