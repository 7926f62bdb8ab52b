//! `countersign signer` beside a proxy: the keys of a [`Home`], at a socket or in mutual TLS.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, PoisonError};

use super::authority::Authority;
use super::home::Home;
use super::proxy::{Proxy, Signal};
use super::wait::DEADLINE;

/// A signer that can be ended and started again at the same place; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Signer {
    home: Home,
    url: String,
    process: Mutex<Option<Proxy>>,
    /// What those wrote that have ended.
    before: Mutex<String>,
}

/// The user of this process.
pub(crate) fn user() -> u32 {
    fs::metadata("/proc/self").expect("the system lists its processes").uid()
}

/// A grant of keys to this process's user.
pub(crate) fn own_grant(keys: &str) -> String {
    let keys = keys.replace(',', "\", \"");
    format!("[grants.own]\nuid = {}\nkeys = [\"{keys}\"]\n", user())
}

impl Signer {
    /// At a socket of its own; `grants` and `keys` are tables of its configuration.
    pub(crate) fn at_a_socket(home: &Home, grants: &str, keys: &str) -> Self {
        let socket = format!("unix:{}", home.path("signer.sock").display());
        home.write("signer.toml", &config(&format!("listen = \"{socket}\"\n"), grants, keys));
        Self::start(home)
    }

    /// On a port of its own, for the peer `proxy.test`, whose files are `tls-proxy.pem`,
    /// `tls-proxy-key.pem` and `tls-ca.pem`.
    pub(crate) fn in_mutual_tls(home: &Home, keys: &str) -> Self {
        let authority = Authority::new();
        home.write("tls-ca.pem", &authority.pem());
        for (name, host) in [("signer", "127.0.0.1"), ("proxy", "proxy.test")] {
            let issued = authority.issue(&[host], |_| ());
            home.write(&format!("tls-{name}.pem"), &issued.pem());
            home.write(&format!("tls-{name}-key.pem"), &issued.key_pem());
        }
        let grant = "[grants.proxy]\ncertificate = \"proxy.test\"\nkeys = [\"sinohope\"]\n";
        let at = |address: &str| {
            let files = "cert = \"tls-signer.pem\"\nkey = \"tls-signer-key.pem\"\nclient_ca = \"tls-ca.pem\"\n";
            config(&format!("listen = \"{address}\"\n{files}"), grant, keys)
        };
        home.write("signer.toml", &at("127.0.0.1:0"));
        let signer = Self::start(home);
        // The next one is at the same place.
        let address = signer.url.strip_prefix("https://").expect("it is an address");
        home.write("signer.toml", &at(address));
        signer
    }

    fn start(home: &Home) -> Self {
        let process = Proxy::signer_in(home.clone());
        let url = process.signer_url().to_owned();
        let process = Mutex::new(Some(process));
        Self { home: home.clone(), url, process, before: Mutex::default() }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Starts it again, or kills it.
    pub(crate) fn run(&self, run: bool) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut old) = process.take() {
            old.signal(Signal::Kill);
            old.wait_exit(DEADLINE);
            self.before.lock().unwrap_or_else(PoisonError::into_inner).push_str(&old.output());
        }
        if run {
            *process = Some(Proxy::signer_in(self.home.clone()));
        }
    }

    /// Does something with the process.
    pub(crate) fn with<R>(&self, run: impl FnOnce(&mut Proxy) -> R) -> R {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        run(process.as_mut().expect("it runs"))
    }

    /// Every line of the file of signatures.
    pub(crate) fn audit(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.home.path("signer-audit.jsonl")).expect("it is there");
        text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
    }

    /// Everything that it has written to its outputs, and those before it.
    pub(crate) fn output(&self) -> String {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner).clone();
        before + &self.with(|process| process.output())
    }
}

fn config(listen: &str, grants: &str, keys: &str) -> String {
    let store = "[stores.files]\nkind = \"file\"\ndir = \"keys\"\n";
    format!(
        "[signer]\n{listen}audit = \"signer-audit.jsonl\"\n{grants}{store}{keys}[log]\nlevel = \
         \"debug\"\n"
    )
}
