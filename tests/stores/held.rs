//! The stores with a key in each: Sinohope's of the vectors, put there by the store's own programs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::agent::Agent;
use super::token::{self, Token};
use super::transit::Transit;
use super::trent::Trent;
use crate::support::home::Home;
use crate::support::origin::Answer;
use crate::support::proxy::Signal;
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
    /// The store itself; none where it cannot be taken away.
    pub(super) keeper: Option<Box<dyn Keeper>>,
    /// How many signatures of a key may wait, where keys sign in the store, so that requests need it.
    pub(super) places: Option<usize>,
}

/// What a test does to a store, and learns of it.
pub(super) trait Keeper {
    /// Takes the store away (`true`), without a farewell, and gives it back.
    fn take(&self, take: bool);

    /// Has it stand still, or go on, where keys sign in it.
    fn pause(&self, _: bool) {}

    /// How many signatures it has been asked for, where it tells.
    fn asked(&self) -> Option<usize> {
        None
    }

    /// What it has written itself.
    fn said(&self) -> String {
        String::new()
    }
}

impl Keeper for Agent {
    fn take(&self, take: bool) {
        self.run(!take);
        if !take {
            self.add(&["-q", KEY]);
        }
    }

    fn pause(&self, pause: bool) {
        self.pause(pause);
    }
}

impl Keeper for Token {
    fn take(&self, take: bool) {
        self.serve(!take);
    }

    fn pause(&self, pause: bool) {
        self.pause(pause);
    }
}

impl Keeper for Transit {
    fn take(&self, take: bool) {
        self.run(!take);
    }

    fn pause(&self, pause: bool) {
        self.odd(pause.then_some(Answer::Silence));
    }

    fn asked(&self) -> Option<usize> {
        Some(self.signatures())
    }
}

impl Keeper for Trent {
    fn take(&self, take: bool) {
        self.run(!take);
    }

    fn pause(&self, pause: bool) {
        self.odd(pause.then_some(Answer::Silence));
    }

    fn asked(&self) -> Option<usize> {
        Some(self.signatures())
    }
}

impl Keeper for Signer {
    fn take(&self, take: bool) {
        self.run(!take);
    }

    fn pause(&self, pause: bool) {
        let signal = if pause { Signal::Stop } else { Signal::Continue };
        self.with(|process| process.signal(signal));
    }

    fn asked(&self) -> Option<usize> {
        Some(self.audit().len())
    }

    fn said(&self) -> String {
        let audit: String = self.audit().iter().map(ToString::to_string).collect();
        assert!(audit.contains("signed"), "there was something to search: {audit}");
        self.output() + &audit
    }
}

/// A file, which can have another name.
struct Renamed(PathBuf);

impl Keeper for Renamed {
    fn take(&self, take: bool) {
        let away = self.0.with_extension("away");
        let (from, to) = if take { (&self.0, &away) } else { (&away, &self.0) };
        fs::rename(from, to).expect("it can be renamed");
    }
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
        keeper: None,
        places: None,
    }
}

pub(super) fn file(home: &Home) -> Held {
    Held {
        table: "kind = \"file\"\ndir = \"keys\"\n".into(),
        entry: "sinohope.pem".into(),
        uri: "\"file:keys/sinohope.pem\"".into(),
        variables: vec![],
        keeper: Some(Box::new(Renamed(home.path(KEY)))),
        places: None,
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
    Held {
        table: "kind = \"ssh_agent\"\n".into(),
        entry: KEY.into(),
        uri: format!("\"ssh-agent:{KEY}\""),
        variables,
        keeper: Some(Box::new(agent)),
        places: Some(64),
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
        keeper: Some(Box::new(token)),
        places: Some(64),
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
        keeper: Some(Box::new(transit)),
        places: Some(64),
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
        keeper: Some(Box::new(trent)),
        places: Some(64),
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
        keeper: Some(Box::new(signer)),
        places: Some(256),
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
        keeper: Some(Box::new(signer)),
        places: Some(256),
    }
}

/// The key of a route of Sinohope's.
const SINOHOPE: &str = "[keys.sinohope]\nstore = \"files\"\nentry = \"sinohope.pem\"\n";

const KEY: &str = "keys/sinohope.pem";
