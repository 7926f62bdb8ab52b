//! Vault's Transit engine, as its documentation has it (see `transit`): what its keys sign, how it is
//! logged in to, and what it does that a file does not.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::transit::Transit;
use super::{check, refused};
use crate::support::authority::Authority;
use crate::support::client::{Client, Reply};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Answer, Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{SINOHOPE, get};
use crate::support::terminator::Terminator;
use crate::support::wait::{DEADLINE, eventually};

/// Signs for Sinohope with a Vault's key; `lines` are the store's, `tables` whatever else.
fn config(origin: &str, lines: &str, tables: &str) -> String {
    let route = config::sinohope(origin, None).replace("\"files\"", "\"vault\"");
    let route = route.replace("\"sinohope.pem\"", "\"p256\"");
    let store = format!("[stores.vault]\nkind = \"vault\"\n{lines}\n{tables}\n");
    config::proxy(&[route, store])
}

fn with_token(transit: &Transit) -> String {
    format!("address = {:?}\ntoken = \"file:keys/token\"", transit.url())
}

fn home(transit: &Transit, tables: &str) -> Home {
    let home = Home::new(&config("http://127.0.0.1:9", &with_token(transit), tables));
    home.write("keys/token", &format!("{}\n", Transit::ROOT));
    home
}

fn ask(proxy: &Proxy) -> Reply {
    Client::connect(proxy.forward_url()).exchange(get(&format!("{SINOHOPE}/x")))
}

#[test]
fn every_kind_of_a_vaults_keys_signs() {
    let transit = Transit::start();
    let key = |(name, entry, lines): &(&str, &str, &str)| {
        format!("[keys.{name}]\nstore = \"vault\"\nentry = \"{entry}\"\n{lines}\n")
    };
    let keys: String = [
        ("a", "p256:1", ""),
        ("b", "ed25519", ""),
        ("c", "rsa", ""),
        ("d", "rsa", "algorithm = \"rsa_pkcs1_sha512\""),
        ("e", "rsa", "algorithm = \"rsa_pss_sha256\""),
        ("f", "rsa", "algorithm = \"rsa_pss_sha512\""),
        ("g", "hmac", ""),
    ]
    .iter()
    .map(key)
    .collect();
    let said = check(&home(&transit, &keys), &[]);
    for line in [
        "a: ecdsa_p256 SHA256:",
        "b: ed25519 SHA256:",
        "c: rsa_pkcs1_sha256 SHA256:",
        "d: rsa_pkcs1_sha512 SHA256:",
        "e: rsa_pss_sha256 SHA256:",
        "f: rsa_pss_sha512 SHA256:",
        "g: hmac_sha256 MAC:",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(said.matches("signs and verifies").count(), 8, "{said}");

    let keys: String = [
        ("a", "p256:2", ""),
        ("b", "absent", ""),
        ("c", "aes", ""),
        ("d", "hmac", "algorithm = \"hmac_sha1\""),
        ("e", "../sys/seal", ""),
        ("f", "hvs.CAESIJlWh0dD6sZq5t3rootrootrootrootroot", ""),
    ]
    .iter()
    .map(key)
    .collect();
    let said = refused(&home(&transit, &keys), &[]);
    for line in [
        "keys.a: the Vault's key \"p256:2\" has no version 2; the latest is 1",
        "keys.b: the Vault's key \"absent\" is not there",
        "keys.c: the Vault's key \"aes\" is a key of a kind that does not sign here",
        "keys.d: the Vault's key \"hmac\" is an hmac_sha256 key where an hmac_sha1 key is asked for",
        "keys.e: the Vault's key \"../sys/seal\" is no name of a key",
        "keys.f: an entry of 43 characters is not there, and looks like a key or a token itself",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("rootrootroot"), "{said}");
}

#[test]
fn logins_are_renewed_and_made_anew() {
    let origin = Origin::start(scripted(providers()));
    for (lines, path) in [
        ("role_id = \"role-1\"\nsecret_id = \"env:SECRET_ID\"", "/auth/approle/login"),
        (
            "kubernetes_role = \"countersign\"\njwt = \"jwt\"\nlogin_mount = \"cluster\"",
            "/auth/cluster/login",
        ),
    ] {
        let transit = Transit::with_lease(Duration::from_secs(2));
        let lines =
            format!("address = {:?}\nnamespace = {:?}\n{lines}", transit.url(), Transit::NAMESPACE);
        let tables = "[log]\nlevel = \"debug\"\n";
        let home = Home::new(&config(&origin.url(), &lines, tables));
        home.write("jwt", "eyJ.a.b\n");
        let mut proxy = Proxy::start_in(home, &[("SECRET_ID", "s3cret-id")]);
        assert_eq!((ask(&proxy).status, transit.count(path, 200)), (200, 1));
        let renewed = || transit.count("/auth/token/renew-self", 200) >= 2;
        eventually("the token is renewed before it ends", renewed);
        assert_eq!((ask(&proxy).status, transit.count(path, 200)), (200, 1));
        transit.revoke();
        assert_eq!((ask(&proxy).status, transit.count(path, 200)), (200, 2));
        assert_eq!(transit.namespaces(), [Some(Transit::NAMESPACE.to_owned())].into());
        let said = proxy.finish(DEADLINE);
        for secret in ["s3cret-id", "hvs.login", "eyJ.a.b"] {
            assert!(!said.contains(secret), "{secret}: {said}");
        }
        assert!(said.contains("countersign::request"), "there was something to search: {said}");
    }
}

#[test]
fn a_token_that_is_written_anew_is_read_again() {
    let (transit, origin) = (Transit::start(), Origin::start(scripted(providers())));
    let home = home(&transit, "");
    home.write("proxy.toml", &config(&origin.url(), &with_token(&transit), ""));
    let proxy = Proxy::start_in(home.clone(), &[]);
    home.write("keys/token", "hvs.bad");
    assert_eq!(ask(&proxy).status, 200, "the old one goes on");
    let other = Answer::json(403, &json!({ "errors": ["permission denied"] }));
    transit.odd(Some(other));
    let reply = ask(&proxy);
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status, 503, "{body}");
    assert!(body.contains("the Vault refused the token") && !body.contains("hvs."), "{body}");
    transit.odd(None);
    assert_eq!(ask(&proxy).status, 503, "the new one is no good");
    home.write("keys/token", Transit::ROOT);
    assert_eq!(ask(&proxy).status, 200);
}

#[test]
fn answers_that_are_no_signatures_are_told_apart() {
    let (transit, origin) = (Transit::start(), Origin::start(scripted(providers())));
    let home = home(&transit, "");
    let tables = "[timeouts]\nsign = \"500ms\"\n";
    home.write("proxy.toml", &config(&origin.url(), &with_token(&transit), tables));
    let proxy = Proxy::start_in(home, &[]);
    let said = |text: &str| Answer::json(200, &json!({ "data": { "signature": text } }));
    let sealed = Answer::json(503, &json!({ "errors": ["Vault is sealed"] }));
    let moved = [("Location".to_owned(), origin.url())].to_vec();
    for (odd, what) in [
        (sealed, "the Vault is out of reach, or sealed"),
        (Answer::json(429, &json!({})), "the Vault is out of reach, or sealed"),
        (Answer::Big(70_000), "the Vault is out of reach, or sealed"),
        (Answer::Truncated, "the Vault is out of reach, or sealed"),
        (Answer::HangUp, "the Vault is out of reach, or sealed"),
        (said("vault:v2:MAYCAQECAQE="), "something that is no signature"),
        (said("vault:v1:MAYCAQECAQ"), "something that is no signature"),
        (said("vault:v1:aGVsbG8="), "answered with no such signature"),
        (Answer::json(400, &json!({ "errors": ["no"] })), "the Vault refused to sign"),
        (Answer::json(404, &json!({})), "the key is not in the Vault any more"),
        (Answer::Whole { status: 307, headers: moved, body: vec![] }, "refused to sign"),
    ] {
        let shown = format!("{odd:?}");
        transit.odd(Some(odd));
        let reply = ask(&proxy);
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, 503, "{shown}: {body}");
        assert!(body.contains(what), "{shown}: {body}");
    }
    transit.odd(Some(Answer::Silence));
    let reply = ask(&proxy);
    assert_eq!((reply.status, &reply.json()["code"]), (504, &"signer_timeout".into()));
    assert_eq!(reply.json()["detail"], "no signature within 500ms");
    assert_eq!(origin.arrived().len(), 0, "what was not signed was not sent");
    transit.odd(None);
    assert_eq!(ask(&proxy).status, 200);
}

#[test]
fn a_vault_is_asked_where_it_is_mounted_and_for_as_long_as_is_written() {
    let (transit, origin) = (Transit::start(), Origin::start(scripted(providers())));
    let home = home(&transit, "");
    let write = |line: &str, tables: &str| {
        let lines = format!("{}\n{line}", with_token(&transit));
        home.write("proxy.toml", &config(&origin.url(), &lines, tables));
    };
    write("mount = \"elsewhere\"", "");
    refused(&home, &[]);
    let asked = |mount: &str| {
        transit.count(&format!("/{mount}/keys/p256"), if mount == "transit" { 200 } else { 404 })
    };
    assert_eq!((asked("elsewhere") > 0, asked("transit")), (true, 0));
    // Whichever is shorter says what became of it.
    write("timeout = \"300ms\"", "[timeouts]\nsign = \"4s\"\n");
    let proxy = Proxy::start_in(home.clone(), &[]);
    assert!(asked("transit") > 0);
    transit.odd(Some(Answer::Silence));
    let reply = ask(&proxy);
    assert_eq!((reply.status, &reply.json()["code"]), (503, &"signer_unavailable".into()));
}

#[test]
fn a_vault_is_believed_by_its_authority_alone() {
    let transit = Transit::start();
    let authority = Authority::new();
    let front = Terminator::start(authority.server(&["127.0.0.1"]), transit.address());
    let lines = |ca: &str| {
        format!("address = \"https://{}\"\n{ca}token = \"file:keys/token\"", front.address())
    };
    let home = home(&transit, "");
    home.write("vault-ca.pem", &authority.pem());
    home.write("other-ca.pem", &Authority::new().pem());
    let write = |ca| home.write("proxy.toml", &config("http://127.0.0.1:9", &lines(ca), ""));
    write("ca = \"vault-ca.pem\"\n");
    assert!(check(&home, &[]).contains("signs and verifies"));
    for (ca, what) in [
        ("ca = \"other-ca.pem\"\n", "is out of reach: "),
        ("ca = \"none.pem\"\n", "none.pem, which cannot be read"),
        ("ca = \"keys/token\"\n", "token, which holds no CERTIFICATE block in PEM"),
    ] {
        write(ca);
        let said = refused(&home, &[]);
        assert!(said.contains(what), "{ca}: {said}");
    }
    write("ca = \"vault-ca.pem\"\n");
    let text = fs::read_to_string(home.path("proxy.toml")).expect("it was written");
    for (from, to, what) in [
        ("https://127.0.0.1", "http://vault.internal", "credentials would go in the clear"),
        ("\"file:keys/token\"", "\"hvs.token\"", "does not begin with a kind of store"),
        ("token = \"file:keys/token\"", "role_id = \"r\"", "has a role_id and no secret_id"),
        ("token =", "role_id = \"r\"\ntoken =", "is logged in to in two ways"),
        (
            "token = \"file:keys/token\"",
            "kubernetes_role = \"r\"\njwt = \"keys/token\"",
            "there is no way to log in at auth/kubernetes/login",
        ),
        ("file:keys/token", "env:NONE", "the variable NONE is not set"),
    ] {
        let wrong = text.replace(from, to);
        assert_ne!(wrong, text);
        home.write("proxy.toml", &wrong);
        let said = refused(&home, &[]);
        assert!(said.contains(what) && said.contains("\n  fix: "), "{what}: {said}");
        assert!(!said.contains("hvs."), "{said}");
    }
}
