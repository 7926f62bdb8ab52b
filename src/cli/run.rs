//! `run`: start, say what is live, reload on SIGHUP, drain on SIGTERM.

mod announced;
mod begun;
mod keeping;
mod reloading;
mod supervisor;

use std::io::Write;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use self::announced::{announce, ready};
use self::begun::begin;
pub(super) use self::begun::warn_of;
use self::keeping::Keeping;
use self::reloading::Reloading;
use self::supervisor::Supervisor;
use super::log::Levels;
use super::{CliError, ConfigFile, descriptors, given_up, log, serving, state};
use crate::config::{Config, LogFormat};
use crate::cores::Cores;
use crate::metrics::Process;
use crate::moment::Moments;
use crate::nonces::Nonces;
use crate::pipeline::Pipeline;
use crate::server::{Bound, Handed, Listener, Role, Server, Stop};
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
    let path = args.config.path();
    let watched = args.watch.then(|| reloading::text(path).unwrap_or_default());
    let config = Config::load(path);
    let format = match &config {
        Ok(config) => config.log.format,
        // How it is said what is wrong with the rest.
        Err(_) => Config::attempt(path).map_or(LogFormat::Text, |(config, _)| config.log.format),
    };
    let ended = config.map_err(CliError::from).and_then(|config| start(config, watched, out));
    ended.map_err(|error| match format {
        LogFormat::Text => error,
        LogFormat::Json => announced::ended(error),
    })
}

fn start(config: Config, watched: Option<Vec<u8>>, out: &mut dyn Write) -> Result<(), CliError> {
    let bound = bind(&config, handed()?)?;
    let nonces = state::nonces(&config)?;
    let (process, supervisor) = (Process::open(), Arc::new(Supervisor::find()));
    // Before the first thread, which would keep what is given up.
    let (keeping, measures) = Keeping::only(&config, &nonces)?;
    let (_lines, levels) = log::start(&config.log);
    given_up::tell(&measures, config.process.sandbox, "[process]")?;
    // After the commands of stores have their process, which keeps the limit there was.
    descriptors::provide(&config.limits);
    let (runtime, cores) = serving(config.process.runtime)?;
    runtime.block_on(serve(
        config,
        bound,
        (nonces, cores),
        (keeping, process, supervisor, levels, watched),
        out,
    ))
}

async fn serve(
    config: Config,
    bound: Vec<Bound>,
    (nonces, cores): (Arc<Nonces>, Cores),
    (keeping, process, supervisor, levels, watched): (
        Keeping,
        Process,
        Arc<Supervisor>,
        Levels,
        Option<Vec<u8>>,
    ),
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let judge = Some(super::verify::pasted as Judge);
    let surroundings =
        Surroundings { serves: true, judge, nonces, cores, ..Surroundings::default() };
    let snapshot = Snapshot::build(&config, &surroundings, None).await?;
    surroundings.metrics.looks_at(process);
    begin(&surroundings.metrics, &snapshot);
    warn_of(&config, &snapshot);
    let listeners = bound.into_iter().map(Listener::of).collect::<Result<Vec<_>, _>>()?;
    let format = config.log.format;
    let announced = announce(&snapshot, &listeners, format, out);
    let snapshots = Snapshots::new(snapshot);
    let metrics = Arc::clone(&surroundings.metrics);
    let pipeline =
        Pipeline::new(snapshots.clone(), Moments::new(surroundings.nonces.replica()), metrics);
    let sharing = Arc::clone(&surroundings.sharing);
    let server = Server::new(listeners, pipeline, surroundings.clone());
    let mut stop = Signals::new()?;
    let reloading = Reloading {
        started: Arc::new(config),
        keeping: Arc::new(keeping),
        snapshots,
        surroundings,
        supervisor: Arc::clone(&supervisor),
        levels,
        watched,
    };
    let reloads = tokio::spawn(reloading.run(signal(SignalKind::hangup())?));
    // Nobody may be reading: that is no reason not to serve.
    let _unheard = announced.and_then(|()| ready(format, out));
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
    sharing.finish().await;
    if drained {
        tracing::info!("drained");
    } else {
        tracing::warn!("stopped with requests under way; timeouts.drain limits the wait");
    }
    Ok(())
}

/// The sockets that a service manager has bound for this process.
fn handed() -> Result<Handed, CliError> {
    let all = sd_listen_fds::get().map_err(|error| {
        CliError::failed(
            error.to_string(),
            "unset LISTEN_FDS and LISTEN_PID, or start it by a socket unit",
        )
    })?;
    Ok(Handed::new(all.into_iter().map(|(_, socket)| socket.into_std()))?)
}

/// Binds every listener of the configuration that was not handed over.
pub(super) fn bind(config: &Config, mut handed: Handed) -> Result<Vec<Bound>, CliError> {
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
            let bound = match handed.take(&endpoint) {
                Some(socket) => Bound::handed(role, &endpoint, socket),
                None => Bound::at(role, &endpoint),
            };
            all.push(bound.map_err(|problem| CliError::failed(problem.what, problem.fix))?);
        }
    }
    handed.none_left()?;
    Ok(all)
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
