//! The stores with a key in each: Sinohope's of the vectors, put there by the store's own programs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::agent::Agent;
use super::token::{self, Token};
use super::transit::Transit;
use super::trent::Trent;
use crate::support::home::Home;
use crate::support::signer::{Signer, own_grant};

/// A store with the key in it.
pub(super) struct Held {
    /// The lines of `[stores.held]`.
    pub(super) table: String,
    /// The key.
    pub(super) entry: String,
    /// Both in one, in TOML.
    pub(super) uri: String,
    /// What the proxy finds in its environment.
    pub(super) variables: Vec<(&'static str, String)>,
    /// Takes the store away (`true`), and gives it back; nothing where that cannot be.
    pub(super) take: Option<Box<dyn Fn(bool)>>,
    /// Whether keys sign in the store, so that requests need it.
    pub(super) signs: bool,
}

/// Makes a store.
pub(super) type Make = fn(&Home) -> Held;

pub(super) fn env(home: &Home) -> Held {
    let key = fs::read_to_string(home.path(KEY)).expect("it is there");
    Held {
        table: "kind = \"env\"\nprefix = \"HELD_\"\n".into(),
        entry: "KEY".into(),
        uri: "\"env:HELD_KEY\"".into(),
        variables: vec![("HELD_KEY", key)],
        take: None,
        signs: false,
    }
}

pub(super) fn file(home: &Home) -> Held {
    Held {
        table: "kind = \"file\"\ndir = \"keys\"\n".into(),
        entry: "sinohope.pem".into(),
        uri: "\"file:keys/sinohope.pem\"".into(),
        variables: vec![],
        take: Some(renaming(&home.path(KEY))),
        signs: false,
    }
}

pub(super) fn systemd(home: &Home) -> Held {
    // An access list for the service's user shows as the group's bit.
    let readable = Permissions::from_mode(0o440);
    fs::set_permissions(home.path(KEY), readable).expect("it is there");
    let directory = home.path("keys").display().to_string();
    Held {
        table: "kind = \"systemd\"\n".into(),
        uri: "\"systemd:sinohope.pem\"".into(),
        variables: vec![("CREDENTIALS_DIRECTORY", directory)],
        ..file(home)
    }
}

pub(super) fn exec(home: &Home) -> Held {
    Held {
        table: "kind = \"exec\"\ncommand = [\"cat\", \"keys/{}\"]\n".into(),
        uri: "[\"exec:cat\", \"keys/sinohope.pem\"]".into(),
        ..file(home)
    }
}

pub(super) fn ssh_agent(home: &Home) -> Held {
    let agent = Agent::start(home, "#!/bin/sh\nexit 1\n");
    agent.add(&["-q", KEY]);
    let variables = vec![("SSH_AUTH_SOCK", agent.socket().display().to_string())];
    let take = move |take: bool| {
        agent.run(!take);
        if !take {
            agent.add(&["-q", KEY]);
        }
    };
    Held {
        table: "kind = \"ssh_agent\"\n".into(),
        entry: KEY.into(),
        uri: format!("\"ssh-agent:{KEY}\""),
        variables,
        take: Some(Box::new(take)),
        signs: true,
    }
}

pub(super) fn pkcs11(home: &Home) -> Held {
    let token = Token::new(home);
    token.import(KEY, "sinohope", "01");
    token.serve(true);
    let (module, variables) = (token::client(), token.variables().to_vec());
    Held {
        table: token::table(&module),
        entry: "sinohope".into(),
        uri: format!(
            "\"pkcs11:token=trading;object=sinohope?module-path={}&pin-source=file:pin\"",
            module.display()
        ),
        variables,
        take: Some(Box::new(move |take| token.serve(!take))),
        signs: true,
    }
}

pub(super) fn vault(_: &Home) -> Held {
    let transit = Transit::start();
    let (address, token) = (transit.url(), Transit::ROOT);
    Held {
        table: format!("kind = \"vault\"\naddress = \"{address}\"\ntoken = \"env:HELD_TOKEN\"\n"),
        entry: "p256".into(),
        uri: "\"vault:p256:1\"".into(),
        variables: vec![
            ("HELD_TOKEN", token.into()),
            ("VAULT_TOKEN", token.into()),
            ("VAULT_ADDR", address),
        ],
        take: Some(Box::new(move |take| transit.run(!take))),
        signs: true,
    }
}

pub(super) fn aws_kms(_: &Home) -> Held {
    let trent = Trent::start();
    let variables = trent.variables();
    Held {
        table: "kind = \"aws_kms\"\nregion = \"eu-west-1\"\n".into(),
        entry: "p256".into(),
        uri: "\"awskms:key-id=alias/p256;region=eu-west-1\"".into(),
        variables,
        take: Some(Box::new(move |take| trent.run(!take))),
        signs: true,
    }
}

pub(super) fn remote_at_a_socket(home: &Home) -> Held {
    let signer = Signer::at_a_socket(home, &own_grant("sinohope"), SINOHOPE);
    let url = signer.url();
    Held {
        table: format!("kind = \"remote\"\nurl = \"{url}\"\n"),
        entry: "sinohope".into(),
        uri: format!("\"remote:sinohope?url={url}\""),
        variables: vec![],
        take: Some(Box::new(move |take| signer.run(!take))),
        signs: true,
    }
}

pub(super) fn remote_in_mutual_tls(home: &Home) -> Held {
    let signer = Signer::in_mutual_tls(home, SINOHOPE);
    let url = signer.url();
    let files = "ca = \"tls-ca.pem\"\ncert = \"tls-proxy.pem\"\nkey = \"tls-proxy-key.pem\"\n";
    Held {
        table: format!("kind = \"remote\"\nurl = \"{url}\"\n{files}"),
        entry: "sinohope".into(),
        uri: format!(
            "\"remote:sinohope?url={url}&{}\"",
            files.trim().replace([' ', '"'], "").replace('\n', "&")
        ),
        variables: vec![],
        take: Some(Box::new(move |take| signer.run(!take))),
        signs: true,
    }
}

/// The key of a route of Sinohope's.
const SINOHOPE: &str = "[keys.sinohope]\nstore = \"files\"\nentry = \"sinohope.pem\"\n";

/// Gives a file another name, and its own back.
fn renaming(path: &Path) -> Box<dyn Fn(bool)> {
    let (path, away) = (path.to_owned(), path.with_extension("away"));
    Box::new(move |take| {
        let (from, to) = if take { (&path, &away) } else { (&away, &path) };
        fs::rename(from, to).expect("it can be renamed");
    })
}

const KEY: &str = "keys/sinohope.pem";
