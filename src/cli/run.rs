//! `run`: start, say what is live, reload on SIGHUP, drain on SIGTERM.

mod keeping;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::keeping::Keeping;
use super::{CliError, descriptors, given_up, log, runtime, state};
use crate::config::settings::keep_the_fixed;
use crate::config::{Config, ConfigErrors, Unrouted};
use crate::metrics::{Metrics, Outcome, Process};
use crate::moment::{Moments, unix_ms};
use crate::nonces::Nonces;
use crate::pipeline::Pipeline;
use crate::server::{Bound, Listener, Listening, Role, Server, Stop};
use crate::snapshot::{Snapshot, Snapshots, Surroundings};

pub(super) fn run(path: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let config = Config::load(path)?;
    let bound = bind(&config)?;
    let nonces = state::nonces(&config);
    let process = Process::open();
    // Before the first thread, which would keep what is given up.
    let (keeping, measures) = Keeping::only(&config, &nonces)?;
    let _lines = log::start(&config.log);
    given_up::tell(&measures, config.process.sandbox, "[process]")?;
    // After the commands of stores have their process, which keeps the limit there was.
    descriptors::provide(&config.limits);
    runtime()?.block_on(serve(config, bound, nonces, (keeping, process), out))
}

async fn serve(
    config: Config,
    bound: Vec<Bound>,
    nonces: Arc<Nonces>,
    (keeping, process): (Keeping, Process),
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let surroundings = Surroundings { serves: true, nonces, ..Surroundings::default() };
    let snapshot = Snapshot::build(&config, &surroundings, None).await?;
    surroundings.metrics.looks_at(process);
    begin(&surroundings.metrics, &snapshot);
    warn_of(&config, &snapshot);
    let listeners = bound.into_iter().map(Listener::of).collect::<Result<Vec<_>, _>>()?;
    let announced = announce(&snapshot, &listeners, out);
    let snapshots = Snapshots::new(snapshot);
    let metrics = Arc::clone(&surroundings.metrics);
    let pipeline = Pipeline::new(snapshots.clone(), Moments::new(config.replica), metrics);
    let server = Server::new(listeners, pipeline, surroundings.clone());
    let mut stop = Signals::new()?;
    let reloads = tokio::spawn(reload(
        config,
        keeping,
        snapshots,
        surroundings,
        signal(SignalKind::hangup())?,
    ));
    // Nobody may be reading: that is no reason not to serve.
    let _unheard = announced.and_then(|()| Ok(writeln!(out, "ready").and_then(|()| out.flush())?));
    let (first, second) = stop.signals();
    let drained = server.serve(first, second).await;
    reloads.abort();
    if drained {
        tracing::info!("drained");
    } else {
        tracing::warn!("stopped with requests under way; timeouts.drain limits the wait");
    }
    Ok(())
}

/// Binds every listener of the configuration.
pub(super) fn bind(config: &Config) -> Result<Vec<Bound>, CliError> {
    let forward = config.listen.forward.map(crate::config::Endpoint::Tcp);
    let wanted = [
        (Role::Forward, forward),
        (Role::Gateway, config.listen.gateway.clone()),
        (Role::Admin, config.listen.admin.clone()),
    ];
    let mut all = Vec::new();
    for (role, endpoint) in wanted {
        if let Some(endpoint) = endpoint {
            // The configuration may be right, and the port taken.
            let bound = Bound::at(role, &endpoint);
            all.push(bound.map_err(|problem| CliError::failed(problem.what, problem.fix))?);
        }
    }
    Ok(all)
}

/// What listens, which routes and which keys are live: one line each, a name first.
fn announce(
    snapshot: &Snapshot,
    listeners: &[Listener],
    out: &mut dyn Write,
) -> Result<(), CliError> {
    writeln!(out, "countersign {}", env!("CARGO_PKG_VERSION"))?;
    for listener in listeners {
        let place = match listener.bound() {
            Listening::Tcp(address) => format!("http://{address}"),
            Listening::Unix(path) => format!("unix:{}", path.display()),
        };
        writeln!(out, "{:<8} {place}", listener.role().name())?;
    }
    for route in snapshot.routes.all() {
        let host = route.host.as_ref().map(ToString::to_string);
        let host = host.as_deref().unwrap_or("(gateway only)");
        let keys: Vec<_> = route.keys.iter().map(|key| key.name.as_str()).collect();
        let keys =
            if keys.is_empty() { "no key".into() } else { format!("key {}", keys.join(", ")) };
        let (name, scheme, reach) = (&route.name, &route.entry.name, route.reach());
        writeln!(out, "route    {name}: {host}, {reach}, scheme {scheme}, {keys}")?;
    }
    for key in &snapshot.keys {
        let print = key.public_key.fingerprint();
        writeln!(out, "key      {}: {} {print}", key.name, key.algorithm())?;
    }
    Ok(())
}

/// Builds a new snapshot at every SIGHUP. A bad file changes nothing.
async fn reload(
    started: Config,
    keeping: Keeping,
    snapshots: Snapshots,
    surroundings: Surroundings,
    mut hangup: Signal,
) {
    let (started, keeping) = (Arc::new(started), Arc::new(keeping));
    while hangup.recv().await.is_some() {
        let (fixed, current) = (Arc::clone(&started), snapshots.current());
        let (around, runtime, keeping) =
            (surroundings.clone(), Handle::current(), Arc::clone(&keeping));
        // On a thread of its own: opening an encrypted key takes a worker's time from requests.
        let built = tokio::task::spawn_blocking(move || {
            let mut config = Config::load(&fixed.path)?;
            let kept = keep_the_fixed(&mut config, &fixed);
            keeping.check(&config)?;
            let built = runtime.block_on(Snapshot::build(&config, &around, Some(&current)));
            built.map(|snapshot| (config, kept, snapshot))
        });
        let Ok(built) = built.await else {
            tracing::error!("not reloaded: reading the configuration panicked");
            continue;
        };
        surroundings.metrics.reload(built.is_ok());
        match built {
            Ok((config, kept, snapshot)) => {
                for name in kept {
                    tracing::warn!("{name} has changed: that takes a restart, not a reload");
                }
                begin(&surroundings.metrics, &snapshot);
                warn_of(&config, &snapshot);
                let (routes, keys) = (snapshot.routes.all().count(), snapshot.keys.len());
                snapshots.replace(snapshot);
                tracing::info!(routes, keys, "reloaded");
            }
            Err(errors) => {
                for error in errors.to_string().lines() {
                    tracing::error!("{error}");
                }
                tracing::error!("not reloaded: the configuration from before stays in use");
            }
        }
    }
}

/// Shows what a configuration will count, from zero, and when it was taken up.
fn begin(metrics: &Metrics, snapshot: &Snapshot) {
    let common = [Outcome::Refused(""), Outcome::Abandoned];
    for route in snapshot.routes.all() {
        metrics.begin(&route.name, &[Outcome::Signed, Outcome::Rejected]);
        metrics.begin(&route.name, &common);
    }
    metrics.begin("-", &common);
    if snapshot.unrouted == Unrouted::Pass {
        metrics.begin("-", &[Outcome::Passed]);
    }
    metrics.taken_up(unix_ms() / 1000);
}

/// Writes what is allowed and should be known into the log.
pub(super) fn warn_of(config: &Config, snapshot: &Snapshot) {
    let warnings = ConfigErrors::new(config.path.clone(), snapshot.warnings.clone());
    for line in warnings.to_string().lines() {
        tracing::warn!("{line}");
    }
}

/// SIGTERM and SIGINT: the first begins the drain, the second ends it. Who stops a whole group of
/// programs sends SIGTERM; SIGINT comes from somebody at a terminal.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    terminate_again: Signal,
    interrupt_again: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate_again: signal(SignalKind::terminate())?,
            interrupt_again: signal(SignalKind::interrupt())?,
        })
    }

    fn signals(&mut self) -> (impl Future<Output = Stop> + '_, impl Future<Output = ()> + '_) {
        let Self { terminate, interrupt, terminate_again, interrupt_again } = self;
        let first = async {
            let how = tokio::select! {
                _ = terminate.recv() => Stop::Lingering,
                _ = interrupt.recv() => Stop::AtOnce,
            };
            tracing::info!("stopping: requests under way may finish; a second signal ends them");
            how
        };
        let second = async {
            // Each listener hears every signal from the start, so the second is its second.
            let mut heard = 0;
            while heard < 2 {
                tokio::select! {
                    _ = terminate_again.recv() => heard += 1,
                    _ = interrupt_again.recv() => heard += 1,
                }
            }
        };
        (first, second)
    }
}
