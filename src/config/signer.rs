//! The signer's own configuration, `signer.toml`, resolved: what will run, and who may have what
//! signed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::signer::{self as written, SignerFile};
use super::resolve::Resolver;
use super::{ConfigErrors, Endpoint, Key, Log, Problem, Sandbox, Store};
use crate::document::{Field, Report, Written};
use crate::keys::Algorithm;
use crate::scheme::Registry;

/// A configuration of a signer without contradictions.
#[derive(Clone, Debug)]
pub struct SignerConfig {
    /// The file it came from, for messages.
    pub path: PathBuf,
    /// Where it listens.
    pub listen: Listen,
    /// The file of signatures.
    pub audit: PathBuf,
    /// Whether a signature waits until its line is on the disk.
    pub durable: bool,
    /// What follows where something cannot be given up.
    pub sandbox: Sandbox,
    /// Whether its memory stays out of swap.
    pub lock_memory: bool,
    /// How long a stop waits.
    pub drain: Duration,
    /// `[stores.NAME]`.
    pub stores: BTreeMap<String, Store>,
    /// `[keys.NAME]`.
    pub keys: BTreeMap<String, Key>,
    /// `[grants.NAME]`.
    pub grants: BTreeMap<String, Grant>,
    /// `[log]`.
    pub log: Log,
}

/// Where a signer listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Listen {
    /// At a Unix socket of this mode.
    Unix(PathBuf, u32),
    /// At an address, with the files of certificate, key and authority.
    Tls(std::net::SocketAddr, [PathBuf; 3]),
}

/// Who may use which keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// Whom it is for.
    pub peer: Peer,
    /// Names of keys.
    pub keys: Vec<String>,
    /// What for; everything, where there is none.
    pub algorithms: Option<Vec<Algorithm>>,
    /// For which routes; all, where there is none.
    pub routes: Option<Vec<String>>,
    /// How many a second, with each key.
    pub rate: Option<u32>,
}

/// A peer, by what the system or its certificate says of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Peer {
    /// A user's number.
    User(u32),
    /// A DNS name of its certificate.
    Certificate(String),
}

impl SignerConfig {
    /// Reads and resolves a file.
    ///
    /// # Errors
    ///
    /// Every problem at once, each with line, column and fix.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let text = fs::read_to_string(path).map_err(|error| {
            let fix = "name a file that exists and that you may read";
            let problem = Problem::new(format!("cannot be read: {error}"), fix);
            ConfigErrors::new(path.to_owned(), vec![problem])
        })?;
        let config = Self::parse(&text, path)?;
        let distrusted = config.distrusted();
        if distrusted.is_empty() {
            return Ok(config);
        }
        Err(ConfigErrors::new(path.to_owned(), distrusted))
    }

    /// Resolves a text as if it stood in `path`; relative paths start at that file.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        let report = Report::new(text);
        let directory = path.parent().unwrap_or_else(|| Path::new(""));
        let config =
            written::read(&report).and_then(|file| resolve(&file, &report, directory, path));
        let errors = ConfigErrors::new(path.to_owned(), report.into_errors());
        config.filter(|_| errors.errors.is_empty()).ok_or(errors)
    }
}

impl SignerConfig {
    /// `[signer]`, which is what it was at the start until the process ends.
    pub fn process(&self) -> impl Eq + '_ {
        (&self.listen, &self.audit, self.durable, self.sandbox, self.lock_memory, self.drain)
    }
}

fn resolve(
    file: &SignerFile,
    report: &Report<'_>,
    directory: &Path,
    path: &Path,
) -> Option<SignerConfig> {
    let schemes = Registry::built_in();
    let resolver = Resolver { file: &file.rest, report, directory, schemes: &schemes };
    let (stores, keys) = (resolver.stores(), resolver.keys());
    if file.signer.at.is_none() {
        report.add(
            None,
            "there is no table [signer]",
            "write [signer], and listen and audit below it",
        );
    }
    let listen = listen(&file.signer, report, directory);
    let grants = file.grants.iter().filter_map(|(name, grant)| {
        let grant = resolve_grant(name, grant, listen.as_ref(), file, report)?;
        Some((name.clone(), grant))
    });
    let grants: BTreeMap<_, _> = grants.collect();
    if file.grants.is_empty() && file.signer.at.is_some() {
        let fix = "write [grants.proxy] with uid = 1000 or certificate = \"…\", and keys = [\"…\"]";
        report.add(file.signer.at, "there are no [grants], and nobody may use a key", fix);
    }
    Some(SignerConfig {
        path: path.to_owned(),
        listen: listen?,
        audit: directory.join(file.signer.audit.value()?),
        durable: file.signer.durable,
        sandbox: file.signer.sandbox,
        lock_memory: file.signer.lock_memory,
        drain: file.signer.drain,
        stores,
        keys,
        grants,
        log: file.rest.log.clone(),
    })
}

fn listen(signer: &written::Signer, report: &Report<'_>, directory: &Path) -> Option<Listen> {
    let files = [("cert", &signer.cert), ("key", &signer.key), ("client_ca", &signer.client_ca)];
    let Written { value, at } = signer.listen.get()?;
    match value {
        Endpoint::Unix(path) => {
            for (name, file) in files {
                if let Some(Written { at, .. }) = file.get() {
                    let what = format!("{name} is for an address, and listen is a Unix socket");
                    report.add(*at, what, "remove it");
                }
            }
            Some(Listen::Unix(path.clone(), signer.mode))
        }
        Endpoint::Tcp(address) => {
            for (name, _) in files.iter().filter(|(_, file)| file.is_absent()) {
                let what =
                    format!("there is no {name}, and an address is listened at in mutual TLS");
                report.add(*at, what, format!("write {name} = \"{name}.pem\" below [signer]"));
            }
            let path = |file: &Field<String>| Some(directory.join(file.value()?));
            let files = [path(files[0].1)?, path(files[1].1)?, path(files[2].1)?];
            Some(Listen::Tls(*address, files))
        }
    }
}

fn resolve_grant(
    name: &str,
    grant: &written::Grant,
    listen: Option<&Listen>,
    file: &SignerFile,
    report: &Report<'_>,
) -> Option<Grant> {
    let keys = grant.keys.value()?;
    for key in keys.iter().filter(|key| !file.rest.keys.contains_key(&key.value)) {
        let what = format!("[grants.{name}] names a key that [keys] does not have");
        report.add(key.at, what, "write its table below [keys], or the name of one that is there");
    }
    let peer = match (grant.uid.value(), grant.certificate.value(), listen) {
        (Some(uid), None, Some(Listen::Unix(..)) | None) => Peer::User(*uid),
        (None, Some(name), Some(Listen::Tls(..)) | None) => Peer::Certificate(name.clone()),
        (_, _, Some(Listen::Tls(..))) => {
            let what =
                format!("[grants.{name}] is for nobody: peers at an address show a certificate");
            report.add(grant.at, what, "write certificate = \"proxy.internal\", and no uid");
            return None;
        }
        _ => {
            let what = format!("[grants.{name}] is for nobody: peers at a Unix socket have a user");
            report.add(grant.at, what, "write uid = 1000, and no certificate");
            return None;
        }
    };
    let texts = |list: &[Written<String>]| list.iter().map(|text| text.value.clone()).collect();
    let routes = grant.routes.value().map(|list| texts(list));
    let algorithms = grant.algorithms.value();
    let algorithms = algorithms.map(|list| list.iter().map(|algorithm| algorithm.value).collect());
    Some(Grant { peer, keys: texts(keys), algorithms, routes, rate: grant.rate.value().copied() })
}
