//! `init --add`: another provider's tables behind a configuration that is there. What was in the
//! file stays as it is to the byte, or nothing is written.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::next::Next;
use super::placed::{Placed, Store, place};
use super::required::{hosted, required_params};
use super::written;
use crate::cli::{CliError, Exit};
use crate::config::{Config, ConfigErrors, Endpoint};
use crate::scheme::Entry;
use crate::tls::CaCertificate;

pub(super) fn run(
    config: &Path,
    providers: &[Arc<Entry>],
    files: &[(Arc<Entry>, PathBuf)],
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let current = Config::load(config)?;
    refuse_clashes(&current, providers, files)?;
    // Opened for both before a key is made: it may be somebody else's.
    let mut file = OpenOptions::new().read(true).append(true).open(config);
    let file = file.as_mut().map_err(|error| CliError::at(config, error))?;
    let mut before = String::new();
    file.read_to_string(&mut before).map_err(|error| CliError::at(config, &error))?;
    let base = config.parent().unwrap_or_else(|| Path::new(""));
    let (store, made) = match file_store(&current) {
        Some(store) => (store, false),
        None => (Store { name: "files".into(), dir: base.join("keys") }, true),
    };
    // Once without keys, to see whether it fits.
    check(
        config,
        &before,
        &written::addition(providers, &[], config, (&store.name, made)),
        providers,
    )?;
    let mut said = Vec::new();
    let keys = place(providers, files, &store, config, &mut said)?;
    let addition = written::addition(providers, &keys, config, (&store.name, made));
    let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    append(file, &format!("{end}{addition}")).map_err(|error| CliError::at(config, &error))?;
    out.write_all(&said)?;
    writeln!(out, "added {} to {}", names(providers), config.display())?;
    let gateway = current.listen.gateway.as_ref().and_then(|endpoint| match endpoint {
        Endpoint::Tcp(address) => Some(address.to_string()),
        Endpoint::Unix(_) => None,
    });
    Next {
        config,
        secrets: &store.dir,
        ca: current.intercept.as_ref().map(|intercept| intercept.ca_cert.as_path()),
        steps: keys
            .iter()
            .filter_map(|key| key.step(&store.dir))
            .chain(authority(&current, providers))
            .collect(),
        forward: current.listen.forward.map(|address| address.to_string()),
        gateway,
    }
    .say(providers, out)
}

fn append(file: &mut File, text: &str) -> std::io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn names(providers: &[Arc<Entry>]) -> String {
    providers.iter().map(|entry| entry.name.as_ref()).collect::<Vec<_>>().join(", ")
}

/// A directory for keys and secrets: the one that `init` writes, or whichever there is.
fn file_store(config: &Config) -> Option<Store> {
    let stores = config.stores.iter();
    let mut stores = stores.filter_map(|(name, store)| Some((name, store.directory()?)));
    let usual = stores.clone().find(|(name, _)| *name == "files");
    let (name, dir) = usual.or_else(|| stores.next())?;
    Some(Store { name: name.clone(), dir })
}

/// A name that is taken, or a host that has a route: the second would be in the way of the first.
fn refuse_clashes(
    config: &Config,
    providers: &[Arc<Entry>],
    files: &[(Arc<Entry>, PathBuf)],
) -> Result<(), CliError> {
    let mut taken = Vec::new();
    for entry in providers {
        let name = entry.name.as_ref();
        let keys = entry.keys.iter().map(|slot| Placed::name(entry, slot));
        let given = files.iter().any(|(other, _)| other.name == name);
        let secrets = entry.secrets.iter().map(|slot| written::secret_name(entry, slot));
        let tables = [(config.routes.contains_key(name), format!("[routes.{name}]"))]
            .into_iter()
            .chain(keys.map(|key| (config.keys.contains_key(&key), format!("[keys.{key}]"))))
            .chain(secrets.map(|s| (config.secrets.contains_key(&s), format!("[secrets.{s}]"))))
            .chain([(given && config.stores.contains_key(name), format!("[stores.{name}]"))])
            .chain([(
                config.upstreams.contains_key(&format!("{name}_service")),
                format!("[upstreams.{name}_service]"),
            )]);
        taken.extend(tables.filter_map(|(is_taken, table)| is_taken.then_some(table)));
    }
    if taken.is_empty() {
        return Ok(());
    }
    let what = format!("{} has {} already", config.path.display(), taken.join(" and "));
    let fix = "change what is there, rename it, or write a second route by hand: `countersign \
               schemes` lists what it needs";
    Err(CliError::new(Exit::Failed, what).fix(fix))
}

/// Reads the whole as it would be. Parameters that only the reader knows are empty in it, keys are
/// not made yet; all else that is wrong would be wrong in the file.
fn check(
    path: &Path,
    before: &str,
    addition: &str,
    providers: &[Arc<Entry>],
) -> Result<(), CliError> {
    let Err(errors) = Config::parse(&format!("{before}\n{addition}"), path) else { return Ok(()) };
    let open = |what: &str| {
        let params = providers.iter().flat_map(|entry| required_params(entry));
        what.starts_with("keys.")
            || params.into_iter().any(|p| what.starts_with(&format!("params.{} ", p.name)))
    };
    let left: Vec<_> = errors.errors.into_iter().filter(|error| !open(&error.what)).collect();
    if left.is_empty() {
        return Ok(());
    }
    let errors = ConfigErrors::new(path.to_owned(), left);
    let what = format!("{} does not fit into {}\n{errors}", names(providers), path.display());
    Err(CliError::new(Exit::Failed, what).fix("nothing was changed; write its route by hand"))
}

/// What is to be done for `https://`. A CA is for the hosts it was made for, and another is another
/// to trust, so none is made unasked.
fn authority(config: &Config, providers: &[Arc<Entry>]) -> Vec<String> {
    let new = format!("countersign ca new {}", config.path.display());
    let hosts: Vec<_> = hosted(providers).map(|entry| entry.host.as_ref()).collect();
    let Some(intercept) = &config.intercept else {
        let step = format!("{new}   # where programs call https://");
        return if hosts.is_empty() { Vec::new() } else { vec![step] };
    };
    let pem = fs::read(&intercept.ca_cert).unwrap_or_default();
    let certificate = CaCertificate::read(&pem).ok();
    let permits = |host: &&&str| certificate.as_ref().is_some_and(|ca| ca.permits(host));
    let outside: Vec<_> = hosts.iter().filter(|host| !permits(host)).copied().collect();
    if outside.is_empty() {
        return Vec::new();
    }
    let (ca, outside) = (intercept.ca_cert.display(), outside.join(", "));
    let mut steps =
        vec![format!("# {ca} may not vouch for {outside}: another CA, for clients to trust")];
    let mut old = vec![intercept.ca_cert.clone()];
    let secret = config.secrets.get(&intercept.ca_key);
    let store = secret.and_then(|secret| Some((config.stores.get(&secret.store)?, &secret.entry)));
    old.extend(store.and_then(|(store, entry)| store.file(entry)));
    steps.extend(old.iter().map(|file| format!("mv {0} {0}.old", file.display())));
    steps.push(new);
    steps
}
