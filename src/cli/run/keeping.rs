//! What `run` keeps when it gives up the rest: what its configuration names.

use std::path::{Path, PathBuf};

use crate::cli::CliError;
use crate::config::{Config, ConfigErrors, Endpoint, Problem, Route, Sandbox};
use crate::keys::{Need, launcher, variable};
use crate::nonces::Nonces;
use crate::sandbox::{self, Kept, Measure, PROXY, Plan, Right};

/// What a process has kept.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    kept: Kept,
    /// Where nonces are, if they can be kept.
    state: Option<PathBuf>,
}

/// What a configuration needs. `state` is the directory of nonces, where they are kept.
fn plan(config: &Config, state: Option<&Path>) -> Plan {
    let mut plan = Plan::of(&PROXY);
    let process = &config.process;
    let needs = needs(config);
    if needs.contains(&Need::Library) && process.read.is_none() && process.write.is_none() {
        plan.unbound();
    }
    for need in needs {
        match need {
            Need::File(path) => plan.file(&path, Right::Read),
            Need::Directory(path) => plan.allow(path, Right::Read),
            Need::Command(..) | Need::Library => {}
        }
    }
    files(config).for_each(|path| plan.file(path, Right::Read));
    for path in authorities() {
        if path.is_dir() { plan.allow(path, Right::Read) } else { plan.file(&path, Right::Read) }
    }
    let audits = config.routes.values().filter_map(|route| route.decide.as_ref());
    let audits = audits.map(|decide| &decide.audit);
    let audits = audits.chain(config.audit.as_ref().map(|audit| &audit.file));
    audits.for_each(|path| plan.file(path, Right::Write));
    for endpoint in [&config.listen.gateway, &config.listen.admin].into_iter().flatten() {
        if let Endpoint::Unix(path) = endpoint {
            plan.allow(path.parent().unwrap_or(path), Right::Remove);
        }
    }
    state.into_iter().for_each(|path| plan.allow(path, Right::Write));
    process.read.iter().flatten().for_each(|path| plan.allow(path, Right::Read));
    process.write.iter().flatten().for_each(|path| plan.allow(path, Right::All));
    plan
}

/// The files that a configuration is and names, which a reload reads again.
fn files(config: &Config) -> impl Iterator<Item = &PathBuf> {
    let authority = config.intercept.iter().map(|intercept| &intercept.ca_cert);
    let upstreams = config.upstreams.values().flat_map(|upstream| {
        let client = upstream.client.as_ref().map(|client| &client.cert);
        upstream.ca.iter().chain(&upstream.via_ca).chain(client)
    });
    let halves = config.routes.values().flat_map(Route::halves);
    let params = halves.flat_map(|route| route.files.values().flatten());
    let shared = config.shared.iter().filter_map(|shared| shared.ca.as_ref());
    [&config.path]
        .into_iter()
        .chain(shared)
        .chain(config.scheme_files.values().map(|(path, _)| path))
        .chain(authority)
        .chain(upstreams)
        .chain(params)
}

/// The authorities of the system, where variables say that they are elsewhere.
fn authorities() -> Vec<PathBuf> {
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(variable);
    named.flat_map(|paths| std::env::split_paths(&paths).collect::<Vec<_>>()).collect()
}

/// What it takes to open every key and every secret.
fn needs(config: &Config) -> Vec<Need> {
    let keys = config.keys.values().map(|key| (&key.store, &key.entry));
    let secrets = config.secrets.values().map(|secret| (&secret.store, &secret.entry));
    let entries = keys.chain(secrets);
    let found = entries.filter_map(|(store, entry)| Some(config.stores.get(store)?.needs(entry)));
    found.flatten().collect()
}

/// The commands of stores.
fn commands(config: &Config) -> Vec<Vec<String>> {
    let words = |need| if let Need::Command(words, _) = need { Some(words) } else { None };
    let mut commands: Vec<_> = needs(config).into_iter().filter_map(words).collect();
    commands.sort();
    commands.dedup();
    commands
}

impl Keeping {
    /// Gives up everything but what the configuration names, if it says so, and says what that was.
    /// Commands are started by another process from now on.
    ///
    /// # Errors
    ///
    /// When that process cannot be started.
    pub(super) fn only(config: &Config, nonces: &Nonces) -> Result<(Self, Vec<Measure>), CliError> {
        let locked = config.process.lock_memory.then(sandbox::lock_memory);
        if config.process.sandbox == Sandbox::Off {
            return Ok((Self::default(), locked.into_iter().collect()));
        }
        let commands = commands(config);
        if !commands.is_empty() {
            launcher::start(commands).map_err(|error| {
                let what = format!("the process that starts the commands of stores: {error}");
                CliError::failed(what, "mount /proc, or write sandbox = \"off\" below [process]")
            })?;
        }
        // A reload may bring the first route that has nonces.
        let state = nonces.prepare().map(Path::to_owned);
        let (kept, mut measures) = sandbox::enter(&plan(config, state.as_deref()));
        measures.extend(locked);
        Ok((Self { kept, state }, measures))
    }

    /// Refuses a configuration that needs what was not kept.
    ///
    /// # Errors
    ///
    /// Everything that it needs.
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigErrors> {
        let plan = plan(config, self.state.as_deref());
        let missing = |what: String| Problem::new(what, RESTART);
        let outside = self.kept.lacks(&plan).into_iter().map(|path| {
            missing("is outside of what this process has kept for itself since its start".into())
                .of(path.display())
        });
        let mut problems: Vec<_> = outside.collect();
        if self.kept.bounds(&plan) {
            let what = "a store of kind \"pkcs11\" was not there when this process started";
            problems.push(missing(what.into()));
        }
        let errors = ConfigErrors::new(config.path.clone(), problems);
        if errors.errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

const RESTART: &str = "restart countersign: it keeps what the configuration of its start names";
