//! `run`: start, say what is live, reload on SIGHUP, drain on SIGTERM.

mod begun;
mod keeping;
mod reloading;
mod supervisor;

use std::io::Write;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use self::begun::begin;
pub(super) use self::begun::warn_of;
use self::keeping::Keeping;
use self::reloading::Reloading;
use self::supervisor::Supervisor;
use super::{CliError, ConfigFile, descriptors, given_up, log, runtime, state};
use crate::config::Config;
use crate::metrics::Process;
use crate::moment::Moments;
use crate::nonces::Nonces;
use crate::pipeline::Pipeline;
use crate::server::{Bound, Listener, Listening, Role, Server, Stop};
use crate::snapshot::{Judge, Snapshot, Snapshots, Surroundings};

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Reload when the file has changed, too
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(args: &RunArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let config = Config::load(args.config.path())?;
    let bound = bind(&config)?;
    let nonces = state::nonces(&config);
    let (process, supervisor) = (Process::open(), Arc::new(Supervisor::find()));
    // Before the first thread, which would keep what is given up.
    let (keeping, measures) = Keeping::only(&config, &nonces)?;
    let _lines = log::start(&config.log);
    given_up::tell(&measures, config.process.sandbox, "[process]")?;
    // After the commands of stores have their process, which keeps the limit there was.
    descriptors::provide(&config.limits);
    runtime()?.block_on(serve(
        config,
        bound,
        nonces,
        (keeping, process, supervisor, args.watch),
        out,
    ))
}

async fn serve(
    config: Config,
    bound: Vec<Bound>,
    nonces: Arc<Nonces>,
    (keeping, process, supervisor, watch): (Keeping, Process, Arc<Supervisor>, bool),
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let judge = Some(super::verify::pasted as Judge);
    let surroundings = Surroundings { serves: true, judge, nonces, ..Surroundings::default() };
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
    let reloading = Reloading {
        started: Arc::new(config),
        keeping: Arc::new(keeping),
        snapshots,
        surroundings,
        supervisor: Arc::clone(&supervisor),
        watch,
    };
    let reloads = tokio::spawn(reloading.run(signal(SignalKind::hangup())?));
    // Nobody may be reading: that is no reason not to serve.
    let _unheard = announced.and_then(|()| Ok(writeln!(out, "ready").and_then(|()| out.flush())?));
    supervisor.ready();
    let (first, second) = stop.signals();
    let first = async {
        let how = first.await;
        supervisor.stopping();
        how
    };
    let drained = tokio::select! {
        drained = server.serve(first, second) => drained,
        () = supervisor.watch() => unreachable!("it watches for ever"),
    };
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
