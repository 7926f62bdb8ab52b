//! `signer`: the process that alone holds the keys. Opens them, gives up what it does not need, and
//! answers until it is stopped.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{CliError, given_up, log, runtime};
use crate::audit::Audit;
use crate::config::Sandbox;
use crate::config::signer::{Listen, Peer, SignerConfig};
use crate::descriptors;
use crate::keys::remote;
use crate::sandbox::{self, Plan, Right, SIGNER};
use crate::signer::conform::{Case, Trial};
use crate::signer::held::Held;
use crate::signer::serve;
use crate::signer::shared::Shared;
use crate::signer::socket::Bound;

/// Hold keys for proxies and sign for them, in a process of its own.
#[derive(Debug, clap::Args)]
pub(super) struct SignerArgs {
    /// The signer's configuration
    #[arg(long, value_name = "FILE", default_value = "signer.toml")]
    config: PathBuf,
    /// Open every key and print every problem; start nothing
    #[arg(long)]
    check: bool,
    /// Hold another signer against the interface: unix:/path, or https://host:port
    #[arg(long, value_name = "URL", requires = "key")]
    conform: Option<String>,
    #[command(flatten)]
    trial: TrialArgs,
}

/// How to ask another signer.
#[derive(Debug, clap::Args)]
struct TrialArgs {
    /// A key of it that may be used; may be given more than once
    #[arg(long, value_name = "NAME", requires = "conform")]
    key: Vec<String>,
    /// The route to sign for
    #[arg(long, value_name = "NAME", requires = "conform")]
    route: Option<String>,
    /// The authority of its certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "conform")]
    ca: Option<PathBuf>,
    /// The certificate to show to it, in PEM
    #[arg(long, value_name = "FILE", requires = "conform")]
    cert: Option<PathBuf>,
    /// The private key of that, in PEM
    #[arg(long, value_name = "FILE", requires = "conform")]
    key_file: Option<PathBuf>,
}

/// Prints a line for each case.
fn conform(url: &str, args: &TrialArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let files = [args.ca.clone(), args.cert.clone(), args.key_file.clone()];
    let (store, asker) = remote::at(url, files)?;
    let trial = Trial { store, asker, keys: &args.key, route: args.route.as_deref() };
    let cases = runtime()?.block_on(trial.run());
    let mut failed = 0;
    for Case { name, fault } in &cases {
        match fault {
            Ok(()) => writeln!(out, "ok      {name}")?,
            Err(why) => writeln!(out, "FAILED  {name}: {why}")?,
        }
        failed += usize::from(fault.is_err());
    }
    if failed > 0 {
        let what = format!("{failed} of {} cases failed", cases.len());
        return Err(CliError::failed(what, "see docs/remote-signer.md for what was expected"));
    }
    writeln!(out, "{} cases, the signer conforms", cases.len())?;
    Ok(())
}

pub(super) fn run(args: &SignerArgs, out: &mut dyn Write) -> Result<(), CliError> {
    if let Some(url) = &args.conform {
        return conform(url, &args.trial, out);
    }
    let config = SignerConfig::load(&args.config)?;
    if args.check {
        let held = runtime()?.block_on(Held::open(&config))?;
        keys(&held, out)?;
        let (keys, grants) = (config.keys.len(), config.grants.len());
        writeln!(out, "{}: {keys} keys and {grants} grants, all good", args.config.display())?;
        return Ok(());
    }
    let bound =
        Bound::at(&config.listen).map_err(|problem| CliError::failed(problem.what, problem.fix))?;
    // Before the first thread, which would keep what is given up.
    let mut measures = match config.sandbox {
        Sandbox::Off => Vec::new(),
        Sandbox::Warn | Sandbox::Require => sandbox::enter(&plan(&config)).1,
    };
    measures.extend(config.lock_memory.then(sandbox::lock_memory));
    let _lines = log::start(&config.log);
    given_up::tell(&measures, config.sandbox, "[signer]")?;
    // Commands of stores have it too, where the sandbox is off.
    let _as_many_as_may_be = descriptors::raise();
    runtime()?.block_on(stand(config, bound, out))
}

/// What the signer will still read and write.
fn plan(config: &SignerConfig) -> Plan {
    let mut plan = Plan::of(&SIGNER);
    let keys = config
        .keys
        .values()
        .filter_map(|key| config.stores.get(&key.store).and_then(|store| store.file(&key.entry)));
    let certificates = match &config.listen {
        Listen::Tls(_, files) => files.to_vec(),
        Listen::Unix(..) => Vec::new(),
    };
    let files = keys.chain(certificates).chain([config.path.clone()]);
    files.for_each(|file| plan.file(&file, Right::Read));
    plan.file(&config.audit, Right::Write);
    plan
}

async fn stand(config: SignerConfig, bound: Bound, out: &mut dyn Write) -> Result<(), CliError> {
    let held = Held::open(&config).await?;
    let audit = Audit::open(&config.audit, <[_; 2]>::default())?;
    let announced = announce(&config, &bound, &held, out);
    let shared = Shared::new(held, audit, config.durable);
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let drain = config.drain;
    let reloads = tokio::spawn(reload(config, Arc::clone(&shared), signal(SignalKind::hangup())?));
    // Nobody may be reading: that is no reason not to serve.
    let _unheard = announced.and_then(|()| Ok(writeln!(out, "ready").and_then(|()| out.flush())?));
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: signatures under way may finish");
        stopping.cancel();
    });
    let drained = serve(bound, shared, stop, drain).await?;
    reloads.abort();
    if drained {
        tracing::info!("drained");
    } else {
        tracing::warn!("stopped with signatures under way; signer.drain limits the wait");
    }
    Ok(())
}

/// What listens, which keys are held, and for whom: one line each, a name first.
fn announce(
    config: &SignerConfig,
    bound: &Bound,
    held: &Held,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    writeln!(out, "countersign {}", env!("CARGO_PKG_VERSION"))?;
    match bound {
        Bound::Unix(_, path) => writeln!(out, "signer   unix:{}", path.display())?,
        Bound::Tcp(_, address) => writeln!(out, "signer   https://{address}")?,
    }
    keys(held, out)?;
    for (name, grant) in &config.grants {
        let peer = match &grant.peer {
            Peer::User(uid) => format!("uid {uid}"),
            Peer::Certificate(name) => format!("certificate {name}"),
        };
        writeln!(out, "grant    {name}: {peer}, keys {}", grant.keys.join(", "))?;
    }
    Ok(())
}

fn keys(held: &Held, out: &mut dyn Write) -> Result<(), CliError> {
    for (name, key) in held.keys() {
        writeln!(out, "key      {name}: {} {}", key.algorithm(), key.fingerprint())?;
    }
    Ok(())
}

/// Opens keys and grants anew at every SIGHUP. A bad file changes nothing.
async fn reload(started: SignerConfig, shared: Arc<Shared>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        if let Err(problem) = shared.audit().reopen().await {
            tracing::error!("{problem}");
        }
        let config = match SignerConfig::load(&started.path) {
            Ok(config) => config,
            Err(errors) => {
                not_reloaded(&errors.to_string());
                continue;
            }
        };
        if config.process() != started.process() {
            tracing::warn!("[signer] has changed: that takes a restart, not a reload");
        }
        let config = SignerConfig { listen: started.listen.clone(), ..config };
        match Held::open(&config).await {
            Ok(held) => {
                shared.replace(held);
                tracing::info!(keys = config.keys.len(), "reloaded");
            }
            Err(errors) => not_reloaded(&errors.to_string()),
        }
    }
}

fn not_reloaded(errors: &str) {
    for line in errors.lines() {
        tracing::error!("{line}");
    }
    tracing::error!(
        "not reloaded: what was before stays in use; a directory that no key was in at the start \
         takes a restart"
    );
}
