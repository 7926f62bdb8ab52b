//! A proxy inside a command that is about something else: no reload, no signals, no output.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::CliError;
use super::run::{bind, warn_of};
use crate::access::Tokens;
use crate::config::Config;
use crate::inspect::{Inspect, Recorder};
use crate::metrics::Metrics;
use crate::moment::{Moments, unix_ms};
use crate::nonces::Nonces;
use crate::pipeline::Pipeline;
use crate::server::{Handed, Listener, Role, Server, Stop};
use crate::shared::Sharing;
use crate::snapshot::{Judge, Snapshot, Snapshots, Surroundings};
use crate::tls::{Authority, LeafCache, LeafSettings};

/// What a proxy is given that its configuration does not name.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Whom its programs trust.
    pub(super) authority: Option<Authority>,
    /// What does beside the users whom it serves without.
    pub(super) tokens: Option<Tokens>,
    /// Where its signed requests go when they are over.
    pub(super) recorder: Option<Arc<Recorder>>,
}

/// A running proxy. It serves until [`Self::finish`], or until the runtime ends.
#[derive(Debug)]
pub(super) struct InProcess {
    addresses: Vec<(Role, SocketAddr)>,
    metrics: Arc<Metrics>,
    snapshots: Snapshots,
    stop: oneshot::Sender<()>,
    abort: oneshot::Sender<()>,
    served: JoinHandle<bool>,
    sharing: Arc<Sharing>,
}

impl InProcess {
    /// Starts one with this configuration. What it plays, and does not send to providers, needs no
    /// kept nonces.
    pub(super) async fn start(
        config: &Config,
        nonces: Arc<Nonces>,
        beside: Beside,
    ) -> Result<Self, CliError> {
        let judge = Some(super::verify::pasted as Judge);
        let mut surroundings =
            Surroundings { serves: true, judge, nonces, ..Surroundings::default() };
        if let Some(authority) = beside.authority {
            let minted = surroundings.metrics.leaves_minted();
            let leaves = LeafCache::new(authority, LEAVES, unix_ms, minted);
            let leaves = leaves.map_err(|error| CliError::failed(error.to_string(), "try again"));
            surroundings.leaves = Some(Arc::new(leaves?));
        }
        if let Some(recorder) = beside.recorder {
            surroundings.inspect = Arc::new(Inspect::recording(recorder));
        }
        let mut snapshot = Snapshot::build(config, &surroundings, None).await?;
        if let Some(tokens) = beside.tokens {
            snapshot.access.tokens = tokens;
        }
        warn_of(config, &snapshot);
        let listeners = bind(config, Handed::default())?.into_iter().map(Listener::of);
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        let at =
            |listener: &Listener| listener.bound().tcp().map(|address| (listener.role(), address));
        let addresses = listeners.iter().filter_map(at).collect();
        let (metrics, snapshots) = (Arc::clone(&surroundings.metrics), Snapshots::new(snapshot));
        let moments = Moments::new(config.replica.written());
        let pipeline = Pipeline::new(snapshots.clone(), moments, Arc::clone(&metrics));
        let (stop, stopped) = oneshot::channel::<()>();
        let (abort, aborted) = oneshot::channel::<()>();
        let sharing = Arc::clone(&surroundings.sharing);
        let server = Server::new(listeners, pipeline, surroundings);
        // A sender that is dropped says nothing; only one that is used does.
        let said = |receiver: oneshot::Receiver<()>| async {
            if receiver.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        // Whoever stops it is the last who would ask.
        let stopped = said(stopped);
        let stopped = async {
            stopped.await;
            Stop::AtOnce
        };
        let served = tokio::spawn(server.serve(stopped, said(aborted)));
        Ok(Self { addresses, metrics, snapshots, stop, abort, served, sharing })
    }

    /// Where it listens for this, unless that is a Unix socket or nowhere.
    pub(super) fn address(&self, role: Role) -> Option<SocketAddr> {
        self.addresses.iter().find(|(own, _)| *own == role).map(|(_, address)| *address)
    }

    /// What it counts.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What it runs with.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.current()
    }

    /// Stops it: requests under way may finish within `timeouts.drain`, unless `hurry` comes first.
    /// Returns whether all were finished.
    pub(super) async fn finish(self, hurry: impl Future<Output = ()>) -> bool {
        let Self { stop, abort, mut served, sharing, .. } = self;
        let _gone = stop.send(());
        let drained = tokio::select! {
            drained = &mut served => drained,
            () = hurry => {
                let _gone = abort.send(());
                served.await
            }
        };
        sharing.finish().await;
        drained.unwrap_or(false)
    }
}

/// Leaves of an authority that no configuration names: as `[intercept]` has them by default.
const LEAVES: LeafSettings =
    LeafSettings { lifetime: Duration::from_secs(7 * 86_400), cache: 1024 };
